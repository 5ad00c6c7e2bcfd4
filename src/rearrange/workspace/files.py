"""Files of a workspace: hashes, JSON, and replacing a file without losing what the user made of it.

Hashes: a file of up to 8 MiB (every MIDI and JSON file) is hashed each time; a larger one (audio, weights,
soundfonts) only if its size or time of change (in ns) differ from those noted with its hash. An edit changes
these, so it is noticed; a tool that edits a large file, keeps its size to the byte and sets the time back is not.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rearrange.audio import replacing
from rearrange.errors import OutputError, WorkspaceError

__all__ = [
    "Fingerprint",
    "Hashes",
    "file_sha256",
    "present",
    "read_json",
    "remove_leftovers",
    "safe_name",
    "set_aside",
    "write_json",
]

_MAX_NAME_BYTES = 80  # file systems take 255; names also get endings
_RESERVED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
_ALWAYS_HASHED_BYTES = 8 << 20
_NUMBER_LIST = re.compile(r"\[\s+([-+.,\deE\s]+?)\s+\]")  # a note is a line, not six
_LEFTOVERS = ".*.part*"  # the temporary names of audio.replacing


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a file held: two files with the same `sha256` hold the same."""

    sha256: str
    size: int
    mtime_ns: int


class Hashes:
    """Fingerprints of files, remembered by what their records say."""

    def __init__(self) -> None:
        self._by_path: dict[Path, Fingerprint] = {}

    def remember(self, path: Path, fingerprint: Fingerprint) -> None:
        """Take a recorded fingerprint of a file for true as long as its size and time stay."""
        self._by_path[path.resolve()] = fingerprint

    def of(self, path: Path) -> Fingerprint | None:
        """The fingerprint of a file as it is now; None if it is not there or cannot be read."""
        try:
            stat = path.stat()
            known = self._by_path.get(path.resolve())
            if (
                known is not None
                and stat.st_size > _ALWAYS_HASHED_BYTES
                and (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
            ):
                return known
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None
        fingerprint = Fingerprint(sha256, stat.st_size, stat.st_mtime_ns)
        self.remember(path, fingerprint)
        return fingerprint


def write_json(path: Path, value: object) -> None:
    """Write plain values, atomically.

    Raises
    ------
    OutputError : the file cannot be written.
    """
    text = json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False)
    text = _NUMBER_LIST.sub(lambda match: "[" + " ".join(match[1].split()) + "]", text)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read plain values.

    Raises
    ------
    WorkspaceError : the file is missing, or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise WorkspaceError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise WorkspaceError(f"{path}: is damaged: {exc}", "delete it, and it is made again") from exc


def set_aside(path: Path) -> Path:
    """Move a file that the user changed into `edited/` beside it, so that a new one can take its place.

    Returns
    -------
    Where it lies now; numbered, if a file of that name has been set aside before.

    Raises
    ------
    OutputError : it cannot be moved.
    """
    folder = path.parent / "edited"
    aside, number = folder / path.name, 1
    while aside.exists():
        number += 1
        aside = folder / f"{path.stem} {number}{path.suffix}"
    try:
        folder.mkdir(exist_ok=True)
        path.rename(aside)
    except OSError as exc:
        raise OutputError(f"{path}: cannot be moved to {folder}: {exc.strerror or exc}") from exc
    return aside


def remove_leftovers(folders: Iterable[Path]) -> None:
    """Delete temporary files that a killed run left behind."""
    for folder in folders:
        for path in folder.glob(_LEFTOVERS):
            path.unlink(missing_ok=True)


def safe_name(name: str) -> str:
    """A name as a file name that every system takes, in any script, never empty, hidden or over-long."""
    text = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))
    text = _RESERVED.sub("_", text).strip(" .")
    while len(text.encode("utf-8")) > _MAX_NAME_BYTES:
        text = text[:-1]
    return text.rstrip(" .") or "_"


def present(path: Path, maker: str) -> Path:
    """The path of an artefact.

    Raises
    ------
    WorkspaceError : it is not there; says which command makes it.
    """
    if not path.is_file():
        raise WorkspaceError(f"{path}: is missing", f"run {maker} first")
    return path


def file_sha256(path: Path) -> str:
    """The hash of a small file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
