"""The record of a stage: what it made, from what and how; and whether that still holds.

`<stage>.json` holds the stage's version, settings (seed among them), and the sha256 of each file it read
(artefacts and, outside the workspace, model weights, genre and soundfont) and wrote. The stage is up to date
when all of these are as recorded; an output that differs from its record is the user's work: it is kept and
used as long as nothing before it changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rearrange.errors import WorkspaceError
from rearrange.workspace.files import Fingerprint, read_json, write_json
from rearrange.workspace.values import from_plain, to_plain

__all__ = ["Record", "read_record", "write_record"]


@dataclass(frozen=True)
class Record:
    """One stage's last run.

    `inputs` and `outputs` are relative to the workspace; `outside` holds files elsewhere, under the name of what
    they are. `finished` is False from when a stage starts to replace its outputs until it is done.
    """

    stage: str
    version: int
    settings: Mapping[str, object]
    inputs: Mapping[str, Fingerprint]
    outside: Mapping[str, Fingerprint]
    outputs: Mapping[str, Fingerprint]
    finished: bool = True
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    figures: Mapping[str, object] = field(default_factory=dict)

    def reason_to_rerun(self, other: "Record") -> str:
        """What of `other` (the run that is wanted) differs from this one; empty if nothing does."""
        if not self.finished:
            return "it was broken off"
        if self.version != other.version:
            return "the stage has changed"
        if dict(self.settings) != dict(other.settings):
            changed = [
                k for k in {**self.settings, **other.settings} if self.settings.get(k) != other.settings.get(k)
            ]
            return f"other settings: {', '.join(sorted(changed))}"
        for mine, theirs in ((self.inputs, other.inputs), (self.outside, other.outside)):
            changed = sorted(name for name in {**mine, **theirs} if _sha256(mine, name) != _sha256(theirs, name))
            if changed:
                return f"changed: {', '.join(changed)}"
        return ""


def _sha256(files: Mapping[str, Fingerprint], name: str) -> str:
    return files[name].sha256 if name in files else ""


def read_record(path: Path) -> Record | None:
    """The record in a file; None if there is none, or it is damaged (the stage then runs again)."""
    if not path.is_file():
        return None
    try:
        return from_plain(Record, read_json(path))
    except (WorkspaceError, ValueError):
        return None


def write_record(path: Path, record: Record) -> None:
    """Write a record, atomically.

    Raises
    ------
    OutputError : it cannot be written.
    """
    write_json(path, to_plain(record))
