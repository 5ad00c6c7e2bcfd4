"""The playing of a genre: its feel, its players, and its styles with their patterns.

The types and their readers; `genre.py` joins them to harmony, melody, energy and mix.
"""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from rearrange.declared import ItemError, Table
from rearrange.general_midi import DRUM_PITCHES, PROGRAM_NAMES, drum_kit_number, pitch_number, program_number
from rearrange.notation import Pattern, parse_pattern
from rearrange.score import Metre, Role

__all__ = [
    "APPROACHES",
    "LONGEST_PATTERN_BARS",
    "RHYTHM_ROLES",
    "VARIATIONS",
    "VOICINGS",
    "Groove",
    "GroovePoint",
    "Lines",
    "RoleSpec",
    "Style",
    "Variation",
    "read_groove",
    "read_metre",
    "read_role",
    "read_style",
]

VARIATIONS = ("intro", "A", "B", "fills", "ending")
ONE_BAR_VARIATIONS = ("fills", "ending")
# A phrase: a pattern is laid along the phrase from its start, so that a fifth bar would never be heard.
LONGEST_PATTERN_BARS = 4
VOICINGS = ("close", "open", "drop2", "rootless", "shell", "spread", "power", "guitar", "quartal")
APPROACHES = ("chromatic", "scale", "fifth", "mixed")
ACCOMPANYING = (Role.BASS, Role.CHORDS, Role.PAD, Role.ARPEGGIO, Role.COUNTER)
RHYTHM_ROLES = (Role.DRUMS, Role.PERCUSSION)


@dataclass(frozen=True, slots=True)
class GroovePoint:
    """What happens at one position of the bar: `velocity` is a factor, `offset_ms` late (+) or early (−)."""

    at_beat: float
    velocity: float
    offset_ms: float


@dataclass(frozen=True, slots=True)
class Groove:
    """The feel. `swing` is long:short; `swing_unit_beat` is the length of the swung pair's half (0.5 or 0.25).

    The points of `template` rise in `at_beat`.
    """

    swing: float
    swing_unit_beat: float
    humanize_ms: float
    humanize_velocity: float
    template: tuple[GroovePoint, ...]
    role_offset_ms: Mapping[Role, float]


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """Who plays a role: General MIDI programs to choose from, playable range, and where it likes to sit."""

    role: Role
    programs: tuple[int, ...]
    range: tuple[int, int]
    register: tuple[int, int]
    velocity: float
    voicing: str
    voices: tuple[int, int]
    approach: str


# One way of playing a bar or some bars: an instrument's line (drum voices by pitch, other roles under 0).
Lines = Mapping[int, Pattern]


@dataclass(frozen=True, slots=True)
class Variation:
    """The alternatives for one moment (intro, A, B, fills, ending) of one role."""

    alternatives: tuple[Lines, ...]


@dataclass(frozen=True, slots=True)
class Style:
    """One way of playing the genre: patterns for every role it uses."""

    name: str
    metre: Metre
    tempo_bpm: tuple[float, float]
    groove: Groove
    roles: tuple[Role, ...]
    programs: Mapping[Role, tuple[int, ...]]
    patterns: Mapping[Role, Mapping[str, Variation]]


def read_metre(value: object) -> Metre:
    """A time signature such as "6/8".

    Raises
    ------
    ValueError : it is not one.
    """
    try:
        numerator, denominator = (int(part) for part in str(value).split("/"))
    except ValueError as exc:
        raise ValueError(f"{value!r} is not a metre such as 4/4") from exc
    if not 1 <= numerator <= 15 or denominator not in (2, 4, 8, 16):
        raise ValueError(f"{value!r} is not a metre such as 4/4")
    return Metre(numerator, denominator)


def read_groove(table: Table, base: Groove | None) -> Groove:
    """Read a `[groove]` table; what it does not say is as in `base`. Its errors are the table's."""
    offsets = table.table("offset_ms")
    role_offset_ms = dict(base.role_offset_ms) if base else {}
    role_offset_ms |= {
        role: offsets.number(role.value, low=-80, high=80) for role in Role if role.value in offsets
    }
    offsets.finish(also_known=tuple(Role))
    template = tuple(_groove_point(point) for point in table.tables("template"))
    for before, after in pairwise(template):
        if after.at_beat <= before.at_beat:
            raise table.fail("template", f"at = {after.at_beat:g} must come after at = {before.at_beat:g}")
    units = {0.5: "8th", 0.25: "16th"}
    unit = table.string("swing_unit", units[base.swing_unit_beat] if base else "8th", one_of=("8th", "16th"))
    groove = Groove(
        swing=table.number("swing", base.swing if base else 1.0, low=1, high=3),
        swing_unit_beat=0.5 if unit == "8th" else 0.25,
        humanize_ms=table.number("humanize_ms", base.humanize_ms if base else 6.0, low=0, high=40),
        humanize_velocity=table.number(
            "humanize_velocity", base.humanize_velocity if base else 6.0, low=0, high=30
        ),
        template=template or (base.template if base else ()),
        role_offset_ms=role_offset_ms,
    )
    table.finish()
    return groove


def _groove_point(table: Table) -> GroovePoint:
    point = GroovePoint(
        at_beat=table.number("at", low=0, high=12),
        velocity=table.number("velocity", 1.0, low=0.1, high=1.6),
        offset_ms=table.number("offset_ms", 0.0, low=-80, high=80),
    )
    table.finish()
    return point


def _programs(value: object, role: Role) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("must be a list of at least one instrument")
    return tuple(_program(name, role) for name in value)


def _program(name: object, role: Role) -> int:
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise ValueError(f"{name!r} is not an instrument")
    if role in RHYTHM_ROLES:
        return drum_kit_number(name)
    try:
        return program_number(name)
    except ValueError as exc:
        close = difflib.get_close_matches(str(name).lower(), PROGRAM_NAMES, n=1)
        raise ValueError(f"{exc}; did you mean {close[0]}?" if close else str(exc)) from exc


def _pitch_range(value: object) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError('must be two pitch names, e.g. ["E2", "G4"]')
    low, high = (pitch_number(str(name)) for name in value)
    if not low < high:
        raise ValueError(f"{value[0]} is not below {value[1]}")
    return low, high


def read_role(table: Table, role: Role) -> RoleSpec:
    """Read a `[roles.…]` table; its errors are the table's."""
    full = (0, 127)
    pitched = role not in RHYTHM_ROLES
    spec_range = table.parsed("range", _pitch_range, None if pitched else full)
    register = table.parsed("register", _pitch_range, spec_range)
    if register[0] < spec_range[0] or register[1] > spec_range[1]:
        raise table.fail("register", "must lie inside range")
    if register[1] - register[0] < 11 and pitched:
        raise table.fail("register", "must span at least 11 semitones, so that every pitch class fits")
    few, many = table.pair("voices", (3, 4), low=1, high=6)
    if few % 1 or many % 1:
        raise table.fail("voices", f"[{few:g}, {many:g}] must be whole numbers")
    spec = RoleSpec(
        role=role,
        programs=table.parsed("programs", partial(_programs, role=role)),
        range=spec_range,
        register=register,
        velocity=table.number("velocity", 80.0, low=1, high=127),
        voicing=table.string("voicing", "close", one_of=VOICINGS),
        voices=(int(few), int(many)),
        approach=table.string("approach", "mixed", one_of=APPROACHES),
    )
    table.finish()
    return spec


def read_style(table: Table, groove: Groove, roles: Collection[Role], metre: Metre) -> Style:
    """Read one of the `[[styles]]`.

    Parameters
    ----------
    groove, metre : the genre's, which the style may change
    roles : those that the genre has players for
    """
    metre = table.parsed("metre", read_metre, metre)
    playing = tuple(role for role in (*RHYTHM_ROLES, *ACCOMPANYING) if role.value in table)
    for role in playing:
        if role not in roles:
            raise table.fail(role.value, f"has patterns, but [roles.{role.value}] does not say who plays it")
    if Role.BASS not in playing:
        raise table.fail("bass", "is missing: every style has a bass (it may be the left hand or the cellos)")
    programs_table = table.table("programs")
    programs = {
        role: programs_table.parsed(role.value, partial(_programs, role=role))
        for role in roles
        if role.value in programs_table
    }
    programs_table.finish(also_known=tuple(roles))
    style = Style(
        name=table.string("name"),
        metre=metre,
        tempo_bpm=table.pair("tempo_bpm", low=20, high=400),
        groove=read_groove(table.table("groove"), groove),
        roles=playing,
        programs=programs,
        patterns={role: _role_patterns(table.table(role.value), role, metre) for role in playing},
    )
    table.finish(also_known=(*RHYTHM_ROLES, *ACCOMPANYING))
    return style


def _role_patterns(table: Table, role: Role, metre: Metre) -> Mapping[str, Variation]:
    patterns = {
        name: table.parsed(
            name,
            partial(
                _variation,
                role=role,
                metre=metre,
                longest_bars=1 if name in ONE_BAR_VARIATIONS else LONGEST_PATTERN_BARS,
            ),
        )
        for name in VARIATIONS
    }
    table.finish()
    return patterns


def _variation(value: object, role: Role, metre: Metre, longest_bars: int) -> Variation:
    alternatives = value if isinstance(value, list) else [value]
    if not alternatives:
        raise ValueError("needs at least one pattern")
    read = []
    for i, alternative in enumerate(alternatives):
        try:
            read.append(_lines(alternative, role, metre, longest_bars))
        except ValueError as exc:
            which = f"pattern {i + 1} of {len(alternatives)}: " if len(alternatives) > 1 else ""
            raise ItemError(i, f"{which}{exc}") from exc
    return Variation(tuple(read))


def _lines(value: object, role: Role, metre: Metre, longest_bars: int) -> Lines:
    if role not in RHYTHM_ROLES:
        return {0: _line(value, role, metre, longest_bars)}
    if not isinstance(value, dict):
        raise ValueError('must be drum voices with their patterns, e.g. { kick = "x... x...", snare = "..." }')
    lines = {}
    for voice, text in value.items():
        if voice not in DRUM_PITCHES:
            raise ValueError(f"{voice!r} is not a drum voice; there are {', '.join(DRUM_PITCHES)}")
        try:
            lines[DRUM_PITCHES[voice]] = _line(text, role, metre, longest_bars)
        except ValueError as exc:
            raise ValueError(f"{voice}: {exc}") from exc
    return lines


def _line(value: object, role: Role, metre: Metre, longest_bars: int) -> Pattern:
    if not isinstance(value, str):
        raise ValueError(f"must be a pattern in quotes, not {value!r}")
    pattern = parse_pattern(value, role, metre)
    if len(pattern.bars) > longest_bars:
        raise ValueError(f"has {len(pattern.bars)} bars, where there is room for {longest_bars}")
    return pattern
