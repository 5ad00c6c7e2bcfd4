"""Genres are data: what `genres/*.toml` says, loaded and validated.

The format is explained for musicians in `docs/genres.md`. Everything a genre is stands in its file: no
module of this package knows one by name. Unknown keys and impossible values are a `GenreError` that names
file, line and key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from pathlib import Path

from rearrange.declared import Table, read_table
from rearrange.errors import GenreError
from rearrange.general_midi import DRUM_PITCHES, drum_kit_number, pitch_number, program_number
from rearrange.mixtable import MixTable, read_mix_table
from rearrange.notation import Pattern, parse_pattern
from rearrange.score import CHORD_INTERVALS, Metre, Role

__all__ = [
    "Genre",
    "Groove",
    "GroovePoint",
    "Harmony",
    "Melody",
    "RoleSpec",
    "Style",
    "Variation",
    "genre_names",
    "load_genre",
]

VARIATIONS = ("intro", "A", "B", "fills", "ending")
VOICINGS = ("close", "open", "drop2", "rootless", "shell", "spread", "power", "guitar", "quartal")
APPROACHES = ("chromatic", "scale", "fifth", "mixed")
REHARMONISATIONS = (
    "two_five",
    "tritone_sub",
    "secondary_dominant",
    "passing_diminished",
    "backdoor",
    "relative",
)
ORNAMENTS = ("grace", "turn", "neighbour", "slide", "trill", "repeat")
DOUBLES = ("none", "octave", "third", "sixth")
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
    """The feel. `swing` is long:short; `swing_unit_beat` is the length of the swung pair's half (0.5 or 0.25)."""

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


@dataclass(frozen=True, slots=True)
class Harmony:
    """Colour: chord quality -> qualities it may become; probabilities of the reharmonisations it tolerates."""

    colour: Mapping[str, tuple[str, ...]]
    colour_probability: float
    reharmonise: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Melody:
    """How the tune is played. `articulation` is the sounded share of a note's length."""

    articulation: float
    delay_ms: float
    anticipate: float
    ornaments: Mapping[str, float]
    double: str


@dataclass(frozen=True, slots=True)
class Energy:
    """Who plays when: a role enters at its threshold of energy in [0, 1]."""

    layers: Mapping[Role, float]
    optional: tuple[float, float]
    velocity: tuple[float, float]


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


@dataclass(frozen=True, slots=True)
class Genre:
    """A genre, whole."""

    name: str
    title: str
    description: str
    tempo_bpm: tuple[float, float]
    typical_bpm: float
    metre: Metre
    roles: Mapping[Role, RoleSpec]
    harmony: Harmony
    melody: Melody
    energy: Energy
    styles: tuple[Style, ...]
    mix: MixTable
    path: Path


def genre_names() -> tuple[str, ...]:
    """Names of the genres that come with the package, sorted."""
    folder = resources.files("rearrange") / "genres"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_genre(name_or_path: str | Path) -> Genre:
    """Load a genre by name, or a file of the user's own (a path that ends in .toml).

    Raises
    ------
    GenreError : no such genre, or the file is wrong; the message names file, line and key.
    """
    text = str(name_or_path)
    if text.lower().endswith(".toml"):
        return _read_genre(Path(text))
    if text not in genre_names():
        raise GenreError(f"there is no genre {text!r}", f"known: {', '.join(genre_names())}; or give a .toml file")
    return _load_packaged(text)


@cache
def _load_packaged(name: str) -> Genre:
    with resources.as_file(resources.files("rearrange") / "genres" / f"{name}.toml") as path:
        return _read_genre(path)


def _read_genre(path: Path) -> Genre:
    root = read_table(path, GenreError)
    tempo = root.table("tempo")
    tempo_bpm = tempo.pair("range_bpm", low=20, high=400)
    typical_bpm = tempo.number("typical_bpm", low=tempo_bpm[0], high=tempo_bpm[1])
    tempo.finish()
    metre = root.parsed("metre", _metre, Metre())
    groove = _groove(root.table("groove"), None)
    role_tables = root.table("roles")
    roles = {role: _role(role_tables.table(role.value), role) for role in Role if role.value in role_tables}
    for role in Role:
        role_tables.table(role.value)
    role_tables.finish()
    for needed in (Role.MELODY, Role.BASS):
        if needed not in roles:
            raise role_tables.fail(needed.value, "is missing: every genre says who plays the melody and the bass")
    styles = tuple(_style(table, groove, roles, metre) for table in root.tables("styles"))
    if len(styles) < 3:
        raise root.fail("styles", f"a genre needs at least three styles, not {len(styles)}")
    genre = Genre(
        name=root.string("name"),
        title=root.string("title"),
        description=root.string("description"),
        tempo_bpm=tempo_bpm,
        typical_bpm=typical_bpm,
        metre=metre,
        roles=roles,
        harmony=_harmony(root.table("harmony")),
        melody=_melody(root.table("melody")),
        energy=_energy(root.table("energy"), roles),
        styles=styles,
        mix=read_mix_table(root.table("mix")),
        path=path,
    )
    root.finish()
    return genre


def _metre(value: object) -> Metre:
    try:
        numerator, denominator = (int(part) for part in str(value).split("/"))
    except ValueError as exc:
        raise ValueError(f"{value!r} is not a metre such as 4/4") from exc
    if not 1 <= numerator <= 15 or denominator not in (2, 4, 8, 16):
        raise ValueError(f"{value!r} is not a metre such as 4/4")
    return Metre(numerator, denominator)


def _groove(table: Table, base: Groove | None) -> Groove:
    offsets = table.table("offset_ms")
    role_offset_ms = dict(base.role_offset_ms) if base else {}
    role_offset_ms |= {
        role: offsets.number(role.value, low=-80, high=80) for role in Role if role.value in offsets
    }
    offsets.finish()
    template = tuple(_groove_point(point) for point in table.tables("template"))
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
    return tuple((drum_kit_number if role in RHYTHM_ROLES else program_number)(name) for name in value)


def _pitch_range(value: object) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError('must be two pitch names, e.g. ["E2", "G4"]')
    low, high = (pitch_number(str(name)) for name in value)
    if not low < high:
        raise ValueError(f"{value[0]} is not below {value[1]}")
    return low, high


def _role(table: Table, role: Role) -> RoleSpec:
    full = (0, 127)
    pitched = role not in RHYTHM_ROLES
    spec_range = table.parsed("range", _pitch_range, None if pitched else full)
    register = table.parsed("register", _pitch_range, spec_range)
    if register[0] < spec_range[0] or register[1] > spec_range[1]:
        raise table.fail("register", "must lie inside range")
    if register[1] - register[0] < 11 and pitched:
        raise table.fail("register", "must span at least a seventh, so that every pitch class fits")
    voices = table.pair("voices", (3, 4), low=1, high=6)
    spec = RoleSpec(
        role=role,
        programs=table.parsed("programs", partial(_programs, role=role)),
        range=spec_range,
        register=register,
        velocity=table.number("velocity", 80.0, low=1, high=127),
        voicing=table.string("voicing", "close", one_of=VOICINGS),
        voices=(int(voices[0]), int(voices[1])),
        approach=table.string("approach", "mixed", one_of=APPROACHES),
    )
    table.finish()
    return spec


def _harmony(table: Table) -> Harmony:
    colours = table.table("colour")
    colour = {quality: colours.parsed(quality, _qualities) for quality in CHORD_INTERVALS if quality in colours}
    colours.finish()
    changes = table.table("reharmonise")
    reharmonise = {name: changes.number(name, 0.0, low=0, high=1) for name in REHARMONISATIONS}
    changes.finish()
    harmony = Harmony(colour, table.number("colour_probability", 1.0, low=0, high=1), reharmonise)
    table.finish()
    return harmony


def _qualities(value: object) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    for name in names:
        if name not in CHORD_INTERVALS:
            raise ValueError(f"{name!r} is not a chord quality; there are {', '.join(CHORD_INTERVALS)}")
    if not names:
        raise ValueError("must name at least one chord quality")
    return tuple(str(name) for name in names)


def _melody(table: Table) -> Melody:
    ornaments = table.table("ornaments")
    melody = Melody(
        articulation=table.number("articulation", 0.95, low=0.1, high=1.2),
        delay_ms=table.number("delay_ms", 0.0, low=-60, high=60),
        anticipate=table.number("anticipate", 0.0, low=0, high=1),
        ornaments={name: ornaments.number(name, 0.0, low=0, high=1) for name in ORNAMENTS},
        double=table.string("double", "none", one_of=DOUBLES),
    )
    ornaments.finish()
    table.finish()
    return melody


def _energy(table: Table, roles: Mapping[Role, RoleSpec]) -> Energy:
    layers_table = table.table("layers")
    layers = {role: layers_table.number(role.value, 0.0, low=0, high=1) for role in roles}
    layers_table.finish()
    energy = Energy(
        layers=layers,
        optional=table.pair("optional", (0.1, 0.8), low=0, high=1),
        velocity=table.pair("velocity", (0.8, 1.1), low=0.3, high=1.5),
    )
    table.finish()
    return energy


def _style(table: Table, groove: Groove, roles: Mapping[Role, RoleSpec], metre: Metre) -> Style:
    metre = table.parsed("metre", _metre, metre)
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
    programs_table.finish()
    style = Style(
        name=table.string("name"),
        metre=metre,
        tempo_bpm=table.pair("tempo_bpm", low=20, high=400),
        groove=_groove(table.table("groove"), groove),
        roles=playing,
        programs=programs,
        patterns={role: _role_patterns(table.table(role.value), role, metre) for role in playing},
    )
    table.finish()
    return style


def _role_patterns(table: Table, role: Role, metre: Metre) -> Mapping[str, Variation]:
    patterns = {name: table.parsed(name, partial(_variation, role=role, metre=metre)) for name in VARIATIONS}
    table.finish()
    return patterns


def _variation(value: object, role: Role, metre: Metre) -> Variation:
    alternatives = value if isinstance(value, list) else [value]
    if not alternatives:
        raise ValueError("needs at least one pattern")
    return Variation(tuple(_lines(alternative, role, metre) for alternative in alternatives))


def _lines(value: object, role: Role, metre: Metre) -> Lines:
    if role not in RHYTHM_ROLES:
        if not isinstance(value, str):
            raise ValueError(f"must be a pattern in quotes, not {value!r}")
        return {0: parse_pattern(value, role, metre)}
    if not isinstance(value, dict):
        raise ValueError('must be drum voices with their patterns, e.g. { kick = "x... x...", snare = "..." }')
    lines = {}
    for voice, text in value.items():
        if voice not in DRUM_PITCHES:
            raise ValueError(f"{voice!r} is not a drum voice; there are {', '.join(DRUM_PITCHES)}")
        try:
            lines[DRUM_PITCHES[voice]] = parse_pattern(str(text), role, metre)
        except ValueError as exc:
            raise ValueError(f"{voice}: {exc}") from exc
    return lines
