"""Genres are data: what `genres/*.toml` says, loaded and validated.

The format is explained for musicians in `docs/genres.md`. Everything a genre is stands in its file: no
module of this package knows one by name. Unknown keys and impossible values are a `GenreError` that names
file, line and key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path

from rearrange.declared import Table, read_table
from rearrange.errors import GenreError
from rearrange.mixtable import MixTable, read_mix_table
from rearrange.score import CHORD_INTERVALS, Metre, Role
from rearrange.styles import (
    APPROACHES,
    RHYTHM_ROLES,
    VARIATIONS,
    VOICINGS,
    Groove,
    GroovePoint,
    RoleSpec,
    Style,
    Variation,
    read_groove,
    read_metre,
    read_role,
    read_style,
)

__all__ = [
    "APPROACHES",
    "DOUBLES",
    "ORNAMENTS",
    "REHARMONISATIONS",
    "RHYTHM_ROLES",
    "VARIATIONS",
    "VOICINGS",
    "Energy",
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


_NEAR = 0.7  # of difflib's likeness: a slip of the finger, no other word


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
        near = get_close_matches(text.lower(), genre_names(), n=1, cutoff=_NEAR)
        meant = f"did you mean {near[0]}? " if near else ""
        raise GenreError(
            f"there is no genre {text!r}", f"{meant}known: {', '.join(genre_names())}; or give a .toml file"
        )
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
    metre = root.parsed("metre", read_metre, Metre())
    groove = read_groove(root.table("groove"), None)
    role_tables = root.table("roles")
    roles = {role: read_role(role_tables.table(role.value), role) for role in Role if role.value in role_tables}
    role_tables.finish(also_known=tuple(Role))
    for needed in (Role.MELODY, Role.BASS):
        if needed not in roles:
            raise role_tables.fail(needed.value, "is missing: every genre says who plays the melody and the bass")
    styles = tuple(read_style(table, groove, roles, metre) for table in root.tables("styles"))
    if len(styles) < 3:
        raise root.fail("styles", f"a genre needs at least three styles, not {len(styles)}")
    names = [style.name for style in styles]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise root.fail("styles", f"two styles have the name {twice!r}")
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


def _harmony(table: Table) -> Harmony:
    colours = table.table("colour")
    colour = {quality: colours.parsed(quality, _qualities) for quality in CHORD_INTERVALS if quality in colours}
    colours.finish(also_known=tuple(CHORD_INTERVALS))
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
    layers_table.finish(also_known=tuple(roles))
    energy = Energy(
        layers=layers,
        optional=table.pair("optional", (0.1, 0.8), low=0, high=1),
        velocity=table.pair("velocity", (0.8, 1.1), low=0.3, high=1.5),
    )
    table.finish()
    return energy
