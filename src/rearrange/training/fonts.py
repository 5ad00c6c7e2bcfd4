"""Which sound fonts and recorded hits training audio is played with: `fonts.toml`, as found on this machine.

Conventions: classes of drums are those of `models.drums.CLASSES`. Fonts of `use = "unseen"` are only ever returned
to who asks for them by that name.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rearrange.declared import Table, read_table
from rearrange.errors import ConfigError, SoundfontError
from rearrange.models.drums import CLASSES
from rearrange.synth.soundfonts import find_soundfonts

__all__ = ["FontUse", "HitKit", "find_fonts", "read_hits"]

logger = logging.getLogger(__name__)

_DECLARED = Path(__file__).with_name("fonts.toml")
_USES = ("train", "unseen")


@dataclass(frozen=True)
class FontUse:
    """A font on this machine.

    Parameters
    ----------
    band : whether it has General MIDI's instruments; else drums alone
    kits : programs of its drum kits
    keys : class of drum to the keys that play it; empty for General MIDI's
    """

    name: str
    path: Path
    band: bool
    kits: tuple[int, ...]
    keys: tuple[tuple[str, tuple[int, ...]], ...]
    instead: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class HitKit:
    """A kit of recorded hits: class of drum to files, softest first."""

    name: str
    files: Mapping[str, tuple[Path, ...]]


def find_fonts(use: str = "train", *, folders: Sequence[Path] | None = None) -> tuple[FontUse, ...]:
    """The fonts of a use that are on this machine, in the order declared.

    Raises
    ------
    SoundfontError : none is.
    ConfigError : the declaration is wrong.
    """
    root = read_table(_DECLARED, ConfigError)
    list(root.tables("hits"))
    places = {font.name: font.path for font in find_soundfonts(folders)}
    found, missing = [], []
    for table in root.tables("font"):
        name, part = table.string("name"), table.string("part", one_of=("band", "drums"))
        table.string("licence")
        kits = tuple(int(str(each)) for each in table.list("kits", int, "programs"))
        keys, others = table.table("keys"), table.table("instead")
        declared = tuple((each, _keys(keys, each)) for each in CLASSES if each in keys)
        instead = tuple((each, others.string(each, one_of=tuple(CLASSES))) for each in CLASSES if each in others)
        keys.finish()
        others.finish()
        if table.string("use", one_of=_USES) == use:
            if name in places:
                found.append(FontUse(name, places[name], part == "band", kits, declared, instead))
            else:
                missing.append(name)
        table.finish()
    if not any(font.band for font in found):
        raise SoundfontError(f"no font of use {use} is here", f"install one of {', '.join(missing)}")
    if missing:
        logger.warning("played without %s: not on this machine", ", ".join(missing))
    return tuple(found)


def _keys(table: Table, name: str) -> tuple[int, ...]:
    return tuple(int(str(key)) for key in table.list(name, int, "keys"))


def read_hits(folder: Path) -> tuple[HitKit, ...]:
    """The declared kits of recorded hits below a folder.

    Raises
    ------
    SoundfontError : a file is missing.
    """
    root = read_table(_DECLARED, ConfigError)
    list(root.tables("font"))
    kits = []
    for table in root.tables("hits"):
        name = table.string("name")
        table.string("licence")
        files = {
            each: tuple(folder / str(file) for file in table.list(each, str, "files"))
            for each in CLASSES
            if each in table
        }
        table.finish()
        absent = next((path for paths in files.values() for path in paths if not path.is_file()), None)
        if absent is not None:
            raise SoundfontError(f"{absent}: no such recording of a hit", "give the folder of recorded drum hits")
        kits.append(HitKit(name, files))
    return tuple(kits)
