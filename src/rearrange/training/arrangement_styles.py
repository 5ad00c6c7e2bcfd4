"""Styles that nobody has written: genres whose drums, bass, players, feel and figures come from different places.

The arranger is to go on in whatever style the context shows, so that what it has been shown must be more than the
genre files hold. A random style is a band put together anew: each role plays the figures of some style of some
genre in the metre, on instruments of another, in a voicing of a third; its feel is drawn; and some of its rhythms
are written by chance: Euclidean rhythms for drums, a rhythm of chance that repeats for the others.

Source: G. Toussaint, "The Euclidean algorithm generates traditional musical rhythms", BRIDGES 2005.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from rearrange.general_midi import DRUM_PITCHES
from rearrange.genre import (
    RHYTHM_ROLES,
    VOICINGS,
    Energy,
    Genre,
    Groove,
    GroovePoint,
    RoleSpec,
    Style,
    Variation,
    genre_names,
    load_genre,
)
from rearrange.notation import Pattern, parse_pattern
from rearrange.score import Metre, Role

__all__ = ["euclidean", "random_genre"]

_WRITTEN_METRES = ("4/4", "3/4", "6/8", "2/4", "12/8")
_CHANCE_SHARE = 0.35  # of roles whose rhythm is written by chance
_SWAPPED_SHARE = 0.5  # of drums whose voices are exchanged
_SWING_SHARE, _SWINGS = 0.5, (1.1, 2.2)
_PLAYED = {Role.CHORDS: 0.9, Role.PAD: 0.45, Role.ARPEGGIO: 0.45, Role.COUNTER: 0.45}
_DRUMMED = {Role.DRUMS: 0.92, Role.PERCUSSION: 0.4}
# Voices that keep time, and those that answer on the backbeat: each may stand for another of its family.
_FAMILIES = (
    ("closed_hat", "ride", "shaker", "pedal_hat", "maracas", "cabasa", "tambourine", "closed_hat"),
    ("snare", "side_stick", "clap", "electric_snare", "snare"),
    ("kick", "floor_tom", "kick", "kick"),
)
_SYMBOLS = {
    Role.CHORDS: ("x", "s", "X", "x"),
    Role.PAD: ("x",),
    Role.COUNTER: ("x", "u", "d"),
    Role.BASS: ("1", "5", "3", "8", "1"),
    Role.ARPEGGIO: ("1", "2", "3", "4", "5"),
}
_HELD = {Role.CHORDS: 0.6, Role.PAD: 1.0, Role.COUNTER: 0.9, Role.BASS: 0.7, Role.ARPEGGIO: 0.4}
_ONSETS = {Role.CHORDS: 3.0, Role.PAD: 1.2, Role.COUNTER: 2.0, Role.BASS: 4.0, Role.ARPEGGIO: 7.0}  # in four beats


def random_genre(metre: Metre, rng: np.random.Generator) -> Genre:
    """A genre of one style in a metre, or in 4/4 where the metre is odd. Its name says nothing.

    Returns
    -------
    A genre with harmony, melody and mix of some genre, and one style that nobody has written.
    """
    genres = [load_genre(name) for name in genre_names()]
    body = genres[int(rng.integers(len(genres)))]
    if str(metre) not in _WRITTEN_METRES:
        metre = Metre()  # its patterns are fitted to the song's bars
    styles = _styles_in(str(metre))
    roles: dict[Role, RoleSpec] = {Role.MELODY: body.roles[Role.MELODY]}
    patterns: dict[Role, Mapping[str, Variation]] = {}
    for role in (*RHYTHM_ROLES, Role.BASS, *_PLAYED):
        chance = {**_PLAYED, **_DRUMMED}.get(role, 1.0)
        able = [style for style in styles if role in style.roles]
        specs = [genre.roles[role] for genre in genres if role in genre.roles]
        if rng.random() >= chance or not able:
            continue
        roles[role] = _spec(role, specs, rng)
        if rng.random() < _CHANCE_SHARE:
            patterns[role] = _by_chance(role, metre, rng)
        else:
            patterns[role] = able[int(rng.integers(len(able)))].patterns[role]
        if role is Role.DRUMS and rng.random() < _SWAPPED_SHARE:
            patterns[role] = _exchanged(patterns[role], rng)
    low, high = sorted(np.exp(rng.uniform(np.log(60.0), np.log(170.0), 2)).tolist())
    style = Style(
        name="random",
        metre=metre,
        tempo_bpm=(low, high),
        groove=_groove(metre, [each.groove for each in styles], rng),
        roles=tuple(role for role in Role if role in patterns),
        programs={},
        patterns=patterns,
    )
    energy = Energy(
        {role: float(rng.choice((0.0, 0.0, rng.uniform(0.0, 0.6)))) for role in patterns},
        body.energy.optional,
        (float(rng.uniform(0.75, 0.95)), float(rng.uniform(1.0, 1.2))),
    )
    return replace(
        body,
        name="random",
        title="Random",
        tempo_bpm=(low, max(high, low + 1.0)),
        typical_bpm=(low + high) / 2,
        metre=metre,
        roles=roles,
        energy=energy,
        styles=(style,),
    )


def euclidean(onsets: int, steps: int, turn: int = 0) -> tuple[bool, ...]:
    """`onsets` spread as evenly over `steps` as can be, turned by so many.

    Raises
    ------
    ValueError : more onsets than steps, or no step.
    """
    if steps < 1 or not 0 <= onsets <= steps:
        raise ValueError(f"{onsets} onsets do not go into {steps} steps")
    return tuple((i + turn) % steps * onsets % steps < onsets for i in range(steps))


@cache
def _styles_in(metre: str) -> tuple[Style, ...]:
    """All written styles in a metre; in one that nobody has written for, those in the usual one."""
    every = [style for name in genre_names() for style in load_genre(name).styles]
    found = [style for style in every if str(style.metre) == metre]
    return tuple(found or [style for style in every if style.metre == Metre()])


def _spec(role: Role, specs: Sequence[RoleSpec], rng: np.random.Generator) -> RoleSpec:
    """A player: range and instrument of one genre, the manner of others."""
    base, manner = (specs[int(rng.integers(len(specs)))] for _ in range(2))
    low, high = base.register
    move = int(rng.integers(-3, 4))
    moved = (max(low + move, base.range[0]), min(high + move, base.range[1]))
    voicing = str(rng.choice(VOICINGS)) if rng.random() < 0.5 else base.voicing
    return replace(
        base,
        role=role,
        register=moved if moved[1] - moved[0] >= 11 else base.register,
        velocity=float(np.clip(base.velocity + rng.normal(0.0, 8.0), 35.0, 115.0)),
        voicing=voicing,
        voices=manner.voices,
        approach=manner.approach,
    )


def _groove(metre: Metre, grooves: Sequence[Groove], rng: np.random.Generator) -> Groove:
    """A feel: swing, accents on the quarters of beats, and how loosely it is played."""
    base = grooves[int(rng.integers(len(grooves)))]
    swing = float(rng.uniform(*_SWINGS)) if metre.denominator == 4 and rng.random() < _SWING_SHARE else 1.0
    template = base.template
    if rng.random() < 0.5:
        at = np.arange(0.0, metre.beats_per_bar, 0.5)
        accents = np.clip(rng.normal(1.0, 0.12, len(at)), 0.7, 1.3)
        late = rng.normal(0.0, 6.0, len(at))
        template = tuple(
            GroovePoint(float(beat), float(accent), float(ms))
            for beat, accent, ms in zip(at, accents, late, strict=True)
        )
    return Groove(
        swing=swing,
        swing_unit_beat=0.5 if rng.random() < 0.5 else 0.25,
        humanize_ms=float(rng.uniform(1.0, 14.0)),
        humanize_velocity=float(rng.uniform(2.0, 12.0)),
        template=template,
        role_offset_ms={role: float(rng.normal(0.0, 6.0)) for role in Role},
    )


def _exchanged(variations: Mapping[str, Variation], rng: np.random.Generator) -> Mapping[str, Variation]:
    """The same strokes on other drums of the same family."""
    to: dict[int, int] = {}
    for family in _FAMILIES:
        other = DRUM_PITCHES[str(rng.choice(family))]
        to[DRUM_PITCHES[family[0]]] = other

    def exchanged(lines: Mapping[int, Pattern]) -> Mapping[int, Pattern]:
        moved: dict[int, Pattern] = {}
        for pitch, pattern in lines.items():
            moved.setdefault(to.get(pitch, pitch), pattern)
        return moved

    return {
        name: Variation(tuple(exchanged(lines) for lines in variation.alternatives))
        for name, variation in variations.items()
    }


def _by_chance(role: Role, metre: Metre, rng: np.random.Generator) -> Mapping[str, Variation]:
    """Figures of a role that go together: B is busier than A, a fill busier still."""
    drawn = _drums_by_chance if role in RHYTHM_ROLES else _line_by_chance

    def some(busy: float, n: int, n_bars: int) -> Variation:
        return Variation(tuple(drawn(role, metre, busy, n_bars, rng) for _ in range(n)))

    return {
        "intro": some(0.6, 1, 1),
        "A": some(0.9, int(rng.integers(2, 4)), int(rng.choice((1, 2)))),
        "B": some(1.25, int(rng.integers(2, 4)), int(rng.choice((1, 2)))),
        "fills": some(1.6, 2, 1),
        "ending": some(0.3, 1, 1),
    }


def _beats(metre: Metre) -> tuple[int, int]:
    """Written beats of a bar, and steps in each."""
    if metre.denominator == 8 and metre.numerator % 3 == 0:
        return metre.numerator // 3, 6
    return max(round(metre.beats_per_bar), 1), 4


def _drums_by_chance(
    role: Role, metre: Metre, busy: float, n_bars: int, rng: np.random.Generator
) -> Mapping[int, Pattern]:
    n_beats, per_beat = _beats(metre)
    n_steps = n_beats * per_beat
    families = _FAMILIES if role is Role.DRUMS else (("shaker",), ("open_conga", "cowbell", "claves", "low_bongo"))
    usual = (0.5, 0.13, 0.2) if role is Role.DRUMS else (0.4, 0.2)
    lines: dict[int, Pattern] = {}
    for family, share in zip(families, usual, strict=True):
        voice = str(rng.choice(family))
        bars = []
        for _ in range(n_bars):
            onsets = int(np.clip(round(share * n_steps * busy + rng.normal(0.0, 1.0)), 1, n_steps))
            turn = 0 if family[0] in ("closed_hat", "kick", "shaker") else int(rng.integers(n_steps))
            struck = euclidean(onsets, n_steps, turn)
            symbols = [str(rng.choice(("x", "x", "X", "o"))) if hit else "." for hit in struck]
            bars.append(_grouped(symbols, per_beat))
        lines[DRUM_PITCHES[voice]] = parse_pattern(" | ".join(bars), role, metre)
    return lines


def _line_by_chance(
    role: Role, metre: Metre, busy: float, n_bars: int, rng: np.random.Generator
) -> Mapping[int, Pattern]:
    n_beats, per_beat = _beats(metre)
    n_steps = n_beats * per_beat
    strength = np.array([3.0 if i % per_beat == 0 else 1.0 + (i % 2 == 0) for i in range(n_steps)])
    strength = strength ** float(rng.uniform(0.0, 1.5))  # how much it keeps to the beat
    bars = []
    for _ in range(n_bars):
        wanted = int(np.clip(round(_ONSETS[role] * n_beats / 4 * busy + rng.normal()), 1, n_steps))
        at = set(rng.choice(n_steps, size=wanted, replace=False, p=strength / strength.sum()).tolist())
        symbols = []
        for i in range(n_steps):
            if i in at or (i == 0 and role in (Role.BASS, Role.PAD)):
                symbols.append("1" if i == 0 and role is Role.BASS else str(rng.choice(_SYMBOLS[role])))
            else:
                symbols.append("-" if symbols and rng.random() < _HELD[role] and symbols[-1] != "." else ".")
        bars.append(_grouped(symbols, per_beat))
    return {0: parse_pattern(" | ".join(bars), role, metre)}


def _grouped(symbols: Sequence[str], per_beat: int) -> str:
    return " ".join("".join(symbols[i : i + per_beat]) for i in range(0, len(symbols), per_beat))
