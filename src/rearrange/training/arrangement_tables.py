"""What `arrangements.toml` says: whose music counts as which genre, and how wrong charts are heard."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from rearrange.declared import Table, read_table
from rearrange.errors import ConfigError
from rearrange.genre import genre_names

__all__ = ["TABLES", "Heard", "Tables", "arrangement_tables"]

TABLES = Path(__file__).parent / "arrangements.toml"


@dataclass(frozen=True)
class Heard:
    """How charts are misheard: shares of charts, chords, notes or sections, each in [0, 1].

    `section_shift_bars` is the farthest that a boundary moves, `energy_off` a bar's energy's standard deviation.
    """

    share: float
    chord_wrong: float
    relative: float
    fifth: float
    mode: float
    bass: float
    none: float
    tune_missed: float
    tune_wrong: float
    tune_all_missed: float
    section_shifted: float
    section_shift_bars: float
    energy_off: float


@dataclass(frozen=True)
class Tables:
    """Genres of Groove MIDI's styles and of whole corpora (several, one, or none), and how charts are heard."""

    drumming: Mapping[str, tuple[str, ...]]
    ensembles: Mapping[str, tuple[str, ...]]
    heard: Heard


@cache
def arrangement_tables(path: Path = TABLES) -> Tables:
    """Read the tables.

    Raises
    ------
    ConfigError : the file is wrong, or names a genre that there is not.
    """
    root = read_table(path, ConfigError)
    drumming, ensembles = (_genres_of(root.table(name)) for name in ("drumming", "ensembles"))
    table = root.table("heard")
    rates = {
        field.name: table.number(field.name, low=0, high=8 if field.name.endswith("_bars") else 1)
        for field in fields(Heard)
    }
    table.finish()
    root.finish()
    return Tables(drumming, ensembles, Heard(**rates))


def _genres_of(table: Table) -> Mapping[str, tuple[str, ...]]:
    """Label -> the genres that list it, sorted."""
    found: dict[str, tuple[str, ...]] = {}
    for genre in sorted(table.keys()):
        if genre not in genre_names():
            raise table.fail(genre, f"is not a genre; there are {', '.join(genre_names())}")
        for label in table.list(genre, str, "labels"):
            found[str(label)] = (*found.get(str(label), ()), genre)
    table.finish()
    return found
