"""Whether a stage must run, and what is done before and after it so that nothing of the user's is lost.

Before a stage replaces its outputs, those that the user edited are set aside and its record is marked as not
finished: a stage that is killed half-way runs again, and what it left is not taken for an edit. After it,
outputs of the last run that this one did not make are deleted.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rearrange.workspace.files import Fingerprint, set_aside
from rearrange.workspace.folder import Workspace
from rearrange.workspace.records import Record, write_record

__all__ = [
    "State",
    "begin_stage",
    "fingerprints",
    "finish_stage",
    "stage_state",
    "take_back_stage",
    "wanted_record",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """`reason` says why a stage must run; empty where it need not. `edited` are outputs the user changed."""

    reason: str
    edited: tuple[Path, ...] = ()


def wanted_record(
    workspace: Workspace,
    stage: str,
    *,
    version: int,
    settings: Mapping[str, object],
    inputs: Iterable[Path],
    outside: Mapping[str, Path | Fingerprint],
    before: Record | None,
) -> Record:
    """The record that a run from the files as they are now would have, without its outputs.

    Parameters
    ----------
    inputs : artefacts of the workspace
    outside : files elsewhere, or their fingerprints, by the name of what they are
    before : the record of the last run: large files that have not changed since are not hashed again
    """
    if before is not None:
        for name, fingerprint in before.inputs.items():
            workspace.hashes.remember(workspace.folder / name, fingerprint)
        for name, path in outside.items():
            if name in before.outside and isinstance(path, Path):
                workspace.hashes.remember(path, before.outside[name])
    hashes = {workspace.relative(path): workspace.hashes.of(path) for path in inputs}
    return Record(stage, version, settings, _present(hashes), fingerprints(workspace, outside), {})


def fingerprints(workspace: Workspace, files: Mapping[str, Path | Fingerprint]) -> dict[str, Fingerprint]:
    """The fingerprints of those files that are there."""
    return _present(
        {name: workspace.hashes.of(file) if isinstance(file, Path) else file for name, file in files.items()}
    )


def _present(hashes: Mapping[str, Fingerprint | None]) -> dict[str, Fingerprint]:
    return {name: fingerprint for name, fingerprint in hashes.items() if fingerprint is not None}


def stage_state(workspace: Workspace, record: Record | None, wanted: Record) -> State:
    """Compare the record of the last run with what is wanted and with the files that are there."""
    if record is None:
        return State("it has not been made")
    edited: list[Path] = []
    missing: list[str] = []
    for name, recorded in record.outputs.items():
        path = workspace.folder / name
        workspace.hashes.remember(path, recorded)
        now = workspace.hashes.of(path)
        if now is None:
            missing.append(name)
        elif now.sha256 != recorded.sha256 and record.finished:
            edited.append(path)
    reason = record.reason_to_rerun(wanted)
    if not reason and missing:
        reason = f"missing: {', '.join(missing)}"
    return State(reason, tuple(edited))


def begin_stage(
    path: Path, record: Record | None, wanted: Record, state: State, in_the_way: Iterable[Path]
) -> None:
    """Set aside what the user made, and mark the stage as not finished.

    Parameters
    ----------
    path : of the stage's record
    in_the_way : files that the stage will replace; of a stage without a record they may be anyone's

    Raises
    ------
    OutputError : the folder cannot be written.
    """
    for file in state.edited if record is not None else in_the_way:
        if file.is_file():
            logger.warning("%s is not as it was made: kept as %s", file.name, set_aside(file))
    outputs = record.outputs if record is not None else {}
    write_record(path, replace(wanted, outputs=outputs, finished=False))


def take_back_stage(workspace: Workspace, path: Path, before: Record | None, outputs: Iterable[Path]) -> None:
    """After a failure that has replaced nothing, the record is as before: an impossible choice does not stick."""
    hashes = _present({workspace.relative(file): workspace.hashes.of(file) for file in outputs})
    if before is None and not hashes:
        path.unlink(missing_ok=True)
    elif before is not None and before.finished and dict(before.outputs) == hashes:
        write_record(path, before)


def finish_stage(
    workspace: Workspace,
    path: Path,
    before: Record | None,
    record: Record,
    outputs: Iterable[Path],
) -> Record:
    """Write the record of a stage that has run, and delete what only its last run made.

    Raises
    ------
    OutputError : the folder cannot be written.
    """
    hashes = _present({workspace.relative(file): workspace.hashes.of(file) for file in outputs})
    for name in set(before.outputs) - set(hashes) if before is not None else ():
        (workspace.folder / name).unlink(missing_ok=True)
    record = replace(record, outputs=hashes, finished=True)
    write_record(path, record)
    return record
