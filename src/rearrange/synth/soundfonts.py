"""Soundfonts: which are on this machine, and which one a name or path means.

A soundfont is a RIFF file of form `sfbk`: SF2 holds plain samples, SF3 the same with each sample as Ogg
Vorbis (smaller on disk; unpacked when an instrument is first used). Known fonts are declared in
`soundfonts/index.toml`, in order of preference; any other font that is found can be used by its file's stem.

Limits: only the frame of the file is checked here (form, chunks, cut off or not); presets and samples are
FluidSynth's to judge when it loads the font. Source: SoundFont Technical Specification 2.04.
"""

import logging
import os
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rearrange.assets import asset_dir
from rearrange.declared import Table, read_table
from rearrange.errors import ConfigError, SoundfontError

__all__ = [
    "FOLDERS_VARIABLE",
    "KnownSoundfont",
    "SoundfontInfo",
    "check_soundfont",
    "find_soundfonts",
    "known_soundfonts",
    "resolve_soundfont",
    "soundfont_folders",
]

logger = logging.getLogger(__name__)

FOLDERS_VARIABLE = "REARRANGE_SOUNDFONTS"  # folders, separated as in PATH; searched first
DEFAULT = "default"
_SUFFIXES = (".sf2", ".sf3")

# Where Debian, Fedora, Arch, Homebrew, MacPorts, macOS and MuseScore put theirs.
_SYSTEM_FOLDERS = (
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/sounds/sf2",
    "/usr/local/share/soundfonts",
    "/opt/homebrew/share/soundfonts",
    "/opt/homebrew/share/fluid-synth/sf2",
    "/usr/local/share/fluid-synth/sf2",
    "/opt/local/share/sounds/sf2",
    "~/Library/Audio/Sounds/Banks",
    "/Library/Audio/Sounds/Banks",
    "~/.local/share/sounds/sf2",
    "~/.local/share/soundfonts",
    "~/Documents/MuseScore4/SoundFonts",
    "~/Documents/MuseScore3/SoundFonts",
)

_HINT = (
    "Debian/Ubuntu: apt install fluid-soundfont-gm; elsewhere: put a General MIDI .sf2 into {folder}, "
    "or name one with --soundfont FILE"
)


@dataclass(frozen=True, slots=True)
class KnownSoundfont:
    """A font declared in `soundfonts/index.toml`; `size_mb` is MiB on disk."""

    name: str
    title: str
    files: tuple[str, ...]
    licence: str
    size_mb: float
    package: str
    last_resort: bool = False
    extra_only: bool = False


@dataclass(frozen=True, slots=True)
class SoundfontInfo:
    """A font on this machine. `format` is SF2 or SF3; `licence` is empty where nobody declared it."""

    name: str
    path: Path
    size_bytes: int
    format: str
    title: str = ""
    licence: str = ""


@cache
def known_soundfonts(path: Path | None = None) -> tuple[KnownSoundfont, ...]:
    """Read `soundfonts/index.toml`, in its order of preference.

    Raises
    ------
    ConfigError : the file has an unknown key or an impossible value.
    """
    root = read_table(path or asset_dir("soundfonts") / "index.toml", ConfigError)
    fonts = tuple(_known(table) for table in root.tables("soundfont"))
    root.finish()
    return fonts


def _known(table: Table) -> KnownSoundfont:
    known = KnownSoundfont(
        name=table.string("name"),
        title=table.string("title"),
        files=tuple(str(name) for name in table.list("files", str, "file names")),
        licence=table.string("licence"),
        size_mb=table.number("size_mb", low=0, high=10_000),
        package=table.string("package"),
        last_resort=table.flag("last_resort", False),
        extra_only=table.flag("extra_only", False),
    )
    table.finish()
    return known


def user_folder() -> Path:
    """The folder for a user's own soundfonts, which need not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local"))
    elif sys.platform == "darwin":
        base = Path("~/Library/Application Support")
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share")
    return base.expanduser() / "rearrange" / "soundfonts"


def soundfont_folders() -> tuple[Path, ...]:
    """The folders that are searched, in order; they need not exist."""
    named = [Path(part) for part in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if part]
    system = [Path(folder) for folder in _SYSTEM_FOLDERS]
    return tuple(folder.expanduser() for folder in (*named, user_folder(), asset_dir("soundfonts"), *system))


def find_soundfonts(folders: Sequence[Path] | None = None) -> tuple[SoundfontInfo, ...]:
    """Return every usable font in the folders, best first; `default` is the first that is complete.

    The order is that of the index, then fonts that nobody declared, then last resorts, then extras. A file
    that is no soundfont is left out with a warning; links to one file count once.
    """
    found: dict[Path, SoundfontInfo] = {}
    for folder in soundfont_folders() if folders is None else folders:
        for path in _files(folder):
            real = path.resolve()
            if real in found:
                continue
            try:
                found[real] = check_soundfont(real)
            except SoundfontError as exc:
                logger.warning("left out: %s", exc.message)
    return tuple(sorted(found.values(), key=lambda font: _rank(font.path)))


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    except OSError:
        return []  # a folder that is not there, or not ours to read


def _rank(path: Path) -> tuple[int, int, str]:
    fonts = known_soundfonts()
    index = next((i for i, font in enumerate(fonts) if path.name in font.files), None)
    if index is None:
        return 1, 0, path.name.lower()
    group = 3 if fonts[index].extra_only else 2 if fonts[index].last_resort else 0
    return group, index, path.name.lower()


def resolve_soundfont(name_or_path: str | Path = DEFAULT) -> Path:
    """Return the file that a name means.

    Parameters
    ----------
    name_or_path : "default", a name of the index, the stem or name of a file in the searched folders, or
        a path

    Raises
    ------
    SoundfontError : there is none, or the file is not a soundfont; says what to install.
    """
    name = str(name_or_path)
    if _looks_like_path(name):
        return check_soundfont(Path(name).expanduser()).path
    fonts = find_soundfonts()
    hint = _HINT.format(folder=user_folder())
    if name == DEFAULT:
        complete = [font for font in fonts if _rank(font.path)[0] < 3]
        if not complete:
            raise SoundfontError("no General MIDI soundfont is installed", hint)
        return complete[0].path
    wanted = name.lower()
    for font in fonts:
        if wanted in (font.name.lower(), font.path.stem.lower(), font.path.name.lower()):
            return font.path
    known = next((font for font in known_soundfonts() if font.name == wanted), None)
    if known is not None:
        raise SoundfontError(f"the soundfont {name!r} is not installed", f"install it with {known.package}")
    names = ", ".join(font.name for font in fonts)
    raise SoundfontError(f"there is no soundfont {name!r}", f"there are: {names}" if names else hint)


def _looks_like_path(name: str) -> bool:
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    return any(separator in name for separator in separators) or Path(name).expanduser().is_file()


def check_soundfont(path: Path) -> SoundfontInfo:
    """Look at the frame of a file and describe it.

    Raises
    ------
    SoundfontError : missing, unreadable, not a soundfont, or cut off; names the file.
    """
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            riff = file.read(12)
            if len(riff) < 12 or riff[:4] != b"RIFF" or riff[8:] != b"sfbk":
                raise SoundfontError(f"{path}: not a soundfont", "an SF2 or SF3 file is needed")
            (riff_bytes,) = struct.unpack("<I", riff[4:8])
            if riff_bytes + 8 > size_bytes + 1:  # the pad byte of an odd last chunk is often left out
                raise SoundfontError(
                    f"{path}: the soundfont is cut off ({size_bytes} of {riff_bytes + 8} bytes)",
                    "copy or download it again",
                )
            forms: set[bytes] = set()
            version = 0
            while len(header := file.read(12)) == 12:
                kind, chunk_bytes, form = struct.unpack("<4sI4s", header)
                body = file.read(64) if form == b"INFO" else b""
                if form == b"INFO" and body[:4] == b"ifil":
                    (version,) = struct.unpack("<H", body[8:10])
                if kind == b"LIST":
                    forms.add(form)
                file.seek(chunk_bytes - 4 - len(body), os.SEEK_CUR)
                if chunk_bytes % 2 and file.read(1) != b"\0":  # MuseScore's SF3 fonts leave the pad byte out
                    file.seek(-1, os.SEEK_CUR)
    except FileNotFoundError as exc:
        raise SoundfontError(f"{path}: no such soundfont") from exc
    except (OSError, struct.error) as exc:
        raise SoundfontError(f"{path}: the soundfont cannot be read: {exc}") from exc
    if not {b"INFO", b"sdta", b"pdta"} <= forms:
        raise SoundfontError(f"{path}: the soundfont is damaged: a chunk is missing", "copy or download it again")
    known = next((font for font in known_soundfonts() if path.name in font.files), None)
    return SoundfontInfo(
        name=known.name if known else path.stem,
        path=path,
        size_bytes=size_bytes,
        format="SF3" if version >= 3 else "SF2",
        title=known.title if known else "",
        licence=known.licence if known else "",
    )
