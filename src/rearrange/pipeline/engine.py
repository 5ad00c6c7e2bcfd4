"""Stages as records, and `run`, which brings a song's folder up to date.

What `run` skips and why: see `workspace.upkeep`.
"""

import logging
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rearrange.errors import AudioFormatError, RearrangeError, WorkspaceError
from rearrange.pipeline.song import Song, genre_reference
from rearrange.progress import Progress, silent, span
from rearrange.workspace import (
    Fingerprint,
    begin_stage,
    fingerprints,
    finish_stage,
    read_record,
    stage_state,
    take_back_stage,
    to_plain,
    wanted_record,
)

__all__ = ["Report", "Stage", "StageReport", "artefact_files", "record_path", "run"]

logger = logging.getLogger(__name__)

_ARRANGEMENT_ARTEFACTS = ("arrangement", "tracks", "mix", "report")


StageFunction = Callable[[Song, Any, Progress], Mapping[str, object]]


@dataclass(frozen=True)
class Stage:
    """A step of the pipeline.

    name, version : of the record; another version makes everything from here on again
    settings_type : frozen dataclass of what the user may choose
    inputs, outputs : artefacts, by name
    function : does the work; returns figures worth keeping (loudness, tempo), as plain values
    weight : share of the time that a whole run takes
    from_audio_only : left out where the song is given as MIDI
    outside : files beyond the workspace that the result depends on (weights, genre, soundfont)
    """

    name: str
    version: int
    settings_type: type
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    function: StageFunction
    weight: float = 1.0
    from_audio_only: bool = False
    outside: Callable[[Song, Any], Mapping[str, Path]] = field(default=lambda _song, _settings: {})

    @property
    def of_arrangement(self) -> bool:
        return any(artefact in _ARRANGEMENT_ARTEFACTS for artefact in self.outputs)


@dataclass(frozen=True)
class StageReport:
    """What became of a stage: `reason` says why it ran, and is empty where it was up to date.

    `edited` names its outputs that the user changed and that were kept. `peak_memory_bytes` is the process's
    so far.
    """

    name: str
    reason: str
    seconds: float
    peak_memory_bytes: int
    edited: tuple[str, ...] = ()
    figures: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What a run did."""

    song: Song
    stages: tuple[StageReport, ...]
    seconds: float


def run(
    song: Song,
    stages: Sequence[Stage],
    settings: Mapping[str, object],
    *,
    again_from: str | None = None,
    progress: Progress = silent,
) -> Report:
    """Bring the outputs of `stages`, one after the other, up to date.

    Parameters
    ----------
    stages : in order; those that do not apply to the song are passed over
    settings : by stage name; the defaults where there are none
    again_from : from this stage on, run even what is up to date

    Raises
    ------
    RearrangeError : a stage's, or OutputError where the folder cannot be written. What was finished is kept.
    ValueError : `again_from` is none of the stages.
    """
    started = time.monotonic()
    due = [stage for stage in stages if not (stage.from_audio_only and song.is_midi)]
    total = sum(stage.weight for stage in due) or 1.0
    reports: list[StageReport] = []
    names = [stage.name for stage in stages]
    first_again = names.index(again_from) if again_from is not None else len(names)
    done = 0.0
    with song.workspace.locked():
        for stage in due:
            again = names.index(stage.name) >= first_again
            share = span(progress, done / total, min((done + stage.weight) / total, 1.0))
            chosen = settings.get(stage.name) or stage.settings_type()
            reports.append(_bring_up_to_date(song, stage, chosen, again=again, progress=_named(share, stage.name)))
            done += stage.weight
    return Report(song, tuple(reports), time.monotonic() - started)


def _named(progress: Progress, name: str) -> Progress:
    def report(fraction: float, message: str) -> None:
        progress(fraction, f"{name}: {message}")

    return report


def _bring_up_to_date(
    song: Song, stage: Stage, settings: object, *, again: bool, progress: Progress
) -> StageReport:
    workspace = song.workspace
    path = record_path(song, stage)
    before = read_record(path)
    plain = to_plain(settings)
    if stage.of_arrangement and song.genre is not None:
        plain["genre"] = genre_reference(song.genre)
    wanted = wanted_record(
        workspace,
        stage.name,
        version=stage.version,
        settings=plain,
        inputs=[file for artefact in stage.inputs for file in artefact_files(song, artefact)],
        outside=_outside(song, stage, settings),
        before=before,
    )
    state = stage_state(workspace, before, wanted)
    reason = state.reason or ("asked for" if again else "")
    if not reason and state.edited:
        reason = _damage(song, stage)
    if not reason:
        edited = tuple(workspace.relative(file) for file in state.edited)
        progress(1.0, f"up to date, with your {', '.join(edited)}" if edited else "up to date")
        return StageReport(stage.name, "", 0.0, _peak_memory_bytes(), edited, before.figures if before else {})
    started = time.monotonic()
    logger.info("%s: %s", stage.name, reason)
    in_the_way = [file for artefact in stage.outputs for file in artefact_files(song, artefact)]
    begin_stage(path, before, wanted, state, in_the_way)
    progress(0.0, "started")
    try:
        figures = stage.function(song, settings, progress)
    except RearrangeError:
        left = [file for artefact in stage.outputs for file in artefact_files(song, artefact)]
        take_back_stage(workspace, path, before, left)
        raise
    progress(1.0, "done")
    seconds, peak = time.monotonic() - started, _peak_memory_bytes()
    outputs = [file for artefact in stage.outputs for file in artefact_files(song, artefact)]
    outside = fingerprints(workspace, _outside(song, stage, settings))  # weights may just have been fetched
    record = replace(wanted, outside=outside, seconds=round(seconds, 3), peak_memory_bytes=peak, figures=figures)
    finish_stage(workspace, path, before, record, outputs)
    return StageReport(stage.name, reason, seconds, peak, (), figures)


def _outside(song: Song, stage: Stage, settings: object) -> dict[str, Path | Fingerprint]:
    """The files beyond the workspace that the stage's result depends on."""
    files: dict[str, Path | Fingerprint] = dict(stage.outside(song, settings))
    if "source" in stage.inputs:
        files["source"] = song.source.fingerprint
    return files


def record_path(song: Song, stage: Stage) -> Path:
    """Where the record of a stage lies: with the song, or with its arrangement."""
    folder = song.to_arrange if stage.of_arrangement else song.workspace
    return folder.record_path(stage.name)


def artefact_files(song: Song, artefact: str) -> list[Path]:
    """The files of an artefact that count; those of the song itself lie outside the workspace."""
    workspace, folder = song.workspace, song.workspace.folder
    if artefact == "source":
        return []
    if artefact == "stems":
        return list(workspace.stem_paths.values())
    if artefact == "performance":
        return [folder / "performance.mid", folder / "performance.json"]
    if artefact == "score":
        return [folder / "analysis.json"]
    if artefact == "score view":
        return [folder / "score.mid"]
    arrangement = song.to_arrange
    if artefact == "arrangement":
        return [arrangement.midi_path, arrangement.folder / "arrangement.json"]
    if artefact == "tracks":
        if not arrangement.midi_path.is_file():
            return []
        return [path for path in arrangement.track_files().values() if path.is_file()]
    if artefact == "mix":
        return [arrangement.mix_path]
    if artefact == "report":
        return [arrangement.folder / "report.html"]
    if artefact == "records":  # how all else was made
        paths = [workspace.record_path(name) for name in ("separate", "transcribe", "analyse")]
        paths += [arrangement.record_path(name) for name in ("arrange", "render", "mix")]
        return [path for path in paths if path.is_file()]
    raise ValueError(f"there is no artefact {artefact!r}")


def _damage(song: Song, stage: Stage) -> str:
    """Why edited outputs cannot be used; empty if they can.

    Raises
    ------
    MidiFormatError : the user's own MIDI file is not one; it is not for us to replace it.
    """
    try:
        for artefact in stage.outputs:
            _READERS[artefact](song)
    except (WorkspaceError, AudioFormatError) as exc:
        logger.warning("%s; it is made again", exc.message)
        return exc.message
    return ""


def _play_through(paths: Sequence[Path]) -> None:
    from rearrange.audio import read_blocks

    for path in paths:
        for _ in read_blocks(path):
            pass


_READERS: Mapping[str, Callable[[Song], object]] = {
    "stems": lambda song: _play_through(artefact_files(song, "stems")),
    "performance": lambda song: song.workspace.read_performance(),
    "score": lambda song: song.workspace.read_score(),
    "score view": lambda song: None,  # nothing reads it
    "arrangement": lambda song: song.to_arrange.read_arrangement(),
    "tracks": lambda song: _play_through(artefact_files(song, "tracks")),
    "mix": lambda song: _play_through(artefact_files(song, "mix")),
    "report": lambda song: None,  # nothing reads it
}


def _peak_memory_bytes() -> int:
    """The largest resident size of the process so far.

    Linux keeps the one of the program itself in /proc; `getrusage` there counts that of the process which started
    it too, from before the exec.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
