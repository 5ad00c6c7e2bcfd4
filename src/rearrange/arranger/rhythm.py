"""Which pattern is played in which bar: the genre's alternatives laid along the song's form.

Each section label draws its own order of alternatives, so that sections return as themselves; a phrase of four
bars keeps one alternative; `?` hits come with energy. Chance is drawn per role, label and bar, so that no
part's choices disturb another's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import floor

import numpy as np

from rearrange.arranger.charts import Chart, ChartBar
from rearrange.arranger.groove import generator_for
from rearrange.genre import RHYTHM_ROLES, Energy, Style
from rearrange.notation import Pattern, Step, adapt
from rearrange.score import Role

__all__ = ["Placed", "place", "plays_in"]

_PHRASE_BARS = 4
_LAST_BAR = -1  # of a fill or ending that another metre has spread over two bars: there it leads on
_SOFT_FILL_ENERGY = 0.35  # below it a fill is only the second half of one
# Share of phrases whose last bar is turned around by another alternative's bar, and of other bars that borrow
# something from one. Human bands play 24% distinct rhythm bars (DESIGN 7); patterns alone came to 8–31% here.
_TURNAROUND = 0.6
_BORROWING = 0.4


@dataclass(frozen=True, slots=True)
class Placed:
    """A pattern's step in the song. `voice` is a drum pitch, or 0; `next_beat` is the beat that comes next."""

    onset_beat: float
    duration_beat: float
    symbol: str
    level: float
    swings: bool
    next_beat: float
    voice: int
    bar: int


def plays_in(role: Role, bar: ChartBar, chart: Chart, energy: Energy) -> bool:
    """Whether a role has entered at a bar's section's energy."""
    return not bar.is_silent and chart.section_energy[bar.section] >= energy.layers.get(role, 0.0) - 1e-9


def place(role: Role, chart: Chart, style: Style, energy: Energy, *, density: float, seed: int) -> list[Placed]:
    """Every step that a role plays, in song order.

    Parameters
    ----------
    density : factor on the chance of optional hits, 1 as the genre says
    """
    placed: list[Placed] = []
    for bar in chart.bars:
        if not plays_in(role, bar, chart, energy):
            continue
        lines, position = _lines_for(role, bar, style, seed)
        generator = generator_for(seed, role, "optional", bar.label, bar.bar_in_section)
        chance = float(np.interp(bar.energy, (0.0, 1.0), energy.optional)) * density
        level = float(np.interp(bar.energy, (0.0, 1.0), energy.velocity)) * _phrase_arch(bar)
        for voice, pattern in lines.items():
            for step in _bar(adapt(pattern, bar.metre), position):
                if step.symbol == "?" and generator.random() >= chance:
                    continue
                placed.append(_put(step, bar, voice, level))
    placed.sort(key=lambda p: (p.onset_beat, p.voice))
    return placed if role in RHYTHM_ROLES else _one_after_another(placed)


def _one_after_another(placed: Sequence[Placed]) -> list[Placed]:
    """A held step ends where the next one begins."""
    ended = [
        replace(step, duration_beat=min(step.duration_beat, following.onset_beat - step.onset_beat))
        for step, following in pairwise(placed)
    ]
    return [step for step in (*ended, *placed[-1:]) if step.duration_beat > 1e-6]


def _put(step: Step, bar: ChartBar, voice: int, level: float) -> Placed:
    onset = bar.onset_beat + step.onset_beat
    unit = 1.5 if bar.metre.denominator == 8 else 1.0
    next_beat = bar.onset_beat + (floor(step.onset_beat / unit + 1e-6) + 1) * unit
    return Placed(onset, step.duration_beat, step.symbol, level, step.swings, next_beat, voice, bar.index)


def _phrase_arch(bar: ChartBar) -> float:
    """A phrase grows a little towards its third bar and falls back: about a decibel in all."""
    return 1.0 + 0.03 * float(np.sin(np.pi * (bar.bar_in_section % _PHRASE_BARS + 0.5) / _PHRASE_BARS) * 2 - 1)


def _lines_for(role: Role, bar: ChartBar, style: Style, seed: int) -> tuple[Mapping[int, Pattern], int]:
    """The alternative for a bar, and which of its bars to play."""
    variations = style.patterns[role]
    position = bar.bar_in_section % _PHRASE_BARS
    phrase = bar.bar_in_section // _PHRASE_BARS
    if bar.variation == "ending":
        return _ordered(variations["ending"].alternatives, role, "ending", "", seed)[0], _LAST_BAR
    body = _ordered(variations[bar.variation].alternatives, role, bar.variation, bar.label, seed)
    main = body[phrase % len(body)]
    generator = generator_for(seed, role, "turnaround", bar.label, bar.bar_in_section)
    if bar.is_fill and (role is Role.DRUMS or generator.random() < _TURNAROUND):
        fills = _ordered(variations["fills"].alternatives, role, "fills", bar.label, seed)
        fill = fills[phrase % len(fills)]
        if role is Role.DRUMS and bar.energy < _SOFT_FILL_ENERGY:
            return _second_half(main, fill, position), 0
        return fill, _LAST_BAR
    if len(body) == 1:
        return main, position
    other = body[(phrase + 1 + int(generator.integers(len(body) - 1))) % len(body)]
    draw = generator.random()
    if position == _PHRASE_BARS - 1 and draw < _TURNAROUND:
        return other, position
    if position > 0 and draw < _BORROWING:
        return _borrowed(main, other, position, generator), 0
    return main, position


def _borrowed(
    main: Mapping[int, Pattern], other: Mapping[int, Pattern], position: int, generator: np.random.Generator
) -> Mapping[int, Pattern]:
    """One bar of `main` with something of `other`: one drum voice's line, or a part's second half bar."""
    bar = {voice: Pattern((_bar(pattern, position),), pattern.metre) for voice, pattern in main.items()}
    shared = [v for v in main if v in other and _bar(main[v], position) != _bar(other[v], position)]
    if not shared:
        return bar
    voice = shared[int(generator.integers(len(shared)))]
    metre = main[voice].metre
    if len(main) > 1:
        steps = _bar(other[voice], position)
    else:
        steps = _spliced(_bar(main[voice], position), _bar(other[voice], position), metre.beats_per_bar / 2)
    return {**bar, voice: Pattern((steps,), metre)}


def _bar(pattern: Pattern, position: int) -> tuple[Step, ...]:
    return pattern.bars[position % len(pattern.bars)]


def _spliced(first: Sequence[Step], second: Sequence[Step], middle: float) -> tuple[Step, ...]:
    """What `first` plays before the middle of the bar, then what `second` plays."""
    return (
        *(s for s in first if s.onset_beat < middle - 1e-6),
        *(s for s in second if s.onset_beat >= middle - 1e-6),
    )


def _ordered(
    alternatives: Sequence[Mapping[int, Pattern]], role: Role, variation: str, label: str, seed: int
) -> list[Mapping[int, Pattern]]:
    order = generator_for(seed, role, "order", variation, label).permutation(len(alternatives))
    return [alternatives[i] for i in order]


def _second_half(main: Mapping[int, Pattern], fill: Mapping[int, Pattern], position: int) -> Mapping[int, Pattern]:
    """The main pattern's first half bar, then the fill's second half."""
    halves: dict[int, Pattern] = {}
    for voice in {**main, **fill}:
        metre = (main.get(voice) or fill[voice]).metre
        first = _bar(main[voice], position) if voice in main else ()
        second = _bar(fill[voice], 0) if voice in fill else ()
        halves[voice] = Pattern((_spliced(first, second, metre.beats_per_bar / 2),), metre)
    return halves
