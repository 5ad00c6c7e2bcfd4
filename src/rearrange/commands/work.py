"""What `convert` and `batch` do for one song, and how its result is told."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from rearrange.audio import Audio, read_audio, write_audio
from rearrange.commands.console import Console
from rearrange.commands.options import OUTPUT_FORMATS, given
from rearrange.errors import OutputError, UsageError
from rearrange.evaluation.measure import measured
from rearrange.evaluation.metrics import content_similarity
from rearrange.evaluation.report.stage import REPORT, report_path, take_away_stale_report
from rearrange.genre import Genre, load_genre
from rearrange.pipeline.choices import settings_for
from rearrange.pipeline.engine import Report, artefact_files, run
from rearrange.pipeline.song import Song, open_song, song_kind
from rearrange.pipeline.stages import SAMPLE_RATE, stages_between
from rearrange.progress import span
from rearrange.score import Role
from rearrange.synth.soundfonts import resolve_soundfont
from rearrange.workspace import safe_name

__all__ = [
    "convert_song",
    "figures_of",
    "renewed_report",
    "stage_choices",
    "told",
    "write_master",
    "written_by",
]

_ARRANGE_OPTIONS = (
    *("arranger", "style", "seed", "strength", "rhythm", "harmony", "instruments", "ornament"),
    *("tempo", "energy", "vocals"),
)  # fmt: skip
_CODED = (".mp3", ".ogg", ".opus", ".m4a")
_CODED_HEADROOM_DB = 0.35  # by as much coding was seen to raise true peaks (four songs; Opus most)
_RUN_SHARE, _WRITTEN_SHARE = 0.9, 0.92  # of the progress bar; then the output, then the report


def convert_song(
    console: Console,
    path: Path,
    genre_name: str | None,
    chosen: Mapping[str, Any],
    *,
    title: str | None = None,
    output_is_folder: bool = False,
) -> dict[str, object]:
    """Convert one song and return what came of it, as plain values.

    Parameters
    ----------
    chosen : the options of `convert` by name; None where not given
    title : of the output's and the folder's name; the song's own by default
    output_is_folder : `chosen["output"]` is a folder, even if it is not there yet

    Raises
    ------
    RearrangeError : of any stage; or the output cannot be written.
    """
    started = time.monotonic()
    song_kind(path)  # a song that is not there is told before anything else
    until = str(chosen.get("until") or "mix")
    stages = stages_between("separate", until)
    genre = _genre(genre_name, needed=any(stage.of_arrangement for stage in stages))
    title = title or path.stem
    makes_sound = until == "mix"
    output = Path()  # of which only the folder counts, where no sound is made
    if makes_sound:
        output = _output_path(path, title, genre, chosen, output_is_folder=output_is_folder)
    workspace = chosen.get("workspace") or output.parent / f"{safe_name(title)}.rearrange"
    if any(stage.name == "render" for stage in stages):
        resolve_soundfont(chosen.get("soundfont") or "default")  # told now, and not after the long work
    if makes_sound:
        _check_output(output, chosen)
    with open_song(workspace, path) as song:
        if genre is not None:
            song.genre = genre
            song.arrangement = song.workspace.arrangement(chosen.get("name") or genre.name)
        settings = settings_for(song, stages, stage_choices(chosen), keep=False)
        report = run(
            song,
            stages,
            settings,
            again_from=chosen.get("again_from"),
            progress=span(console, 0.0, _RUN_SHARE),
        )
        result = _result(report)
        if makes_sound:
            console(_RUN_SHARE, f"write: {output.name}")
            write_master(song, output, chosen)
            result["output"] = str(output)
            console(_WRITTEN_SHARE, "write: done")
            if chosen.get("report", True):  # last, so that nothing about it can cost the user the song
                page = run(song, (REPORT,), {}, progress=span(console, _WRITTEN_SHARE, 1.0))
                result["report"] = str(report_path(song))
                result["stages"] = {**figures_of(report), **figures_of(page)}
                result["peak_memory_bytes"] = page.stages[-1].peak_memory_bytes
            else:
                take_away_stale_report(song)
    seconds = time.monotonic() - started
    duration_s = result["duration_s"]
    result["seconds"] = round(seconds, 3)
    if isinstance(duration_s, int | float) and duration_s > 0:
        result["real_time_factor"] = round(seconds / duration_s, 4)
    return result


def stage_choices(chosen: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Options as settings by stage.

    Raises
    ------
    UsageError : a name among --lock that is no part.
    AudioFormatError : the song of --like is not there.
    """
    lock, redo = (_listed(chosen.get(name)) for name in ("lock", "redo"))
    for part in lock or ():
        if part not in set(Role):
            raise UsageError(f"--lock: there is no part {part!r}", f"the parts are {', '.join(Role)}")
    like = _reference(chosen.get("like"))
    return {
        "separate": given(separator=_absolute(chosen.get("separator")), device=chosen.get("device")),
        "arrange": given(**{name: chosen.get(name) for name in _ARRANGE_OPTIONS}, lock=lock, redo=redo, like=like),
        "render": given(soundfont=_absolute(chosen.get("soundfont"))),
        "mix": given(loudness_lufs=chosen.get("loudness")),
    }


def _listed(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def _reference(path: Path | None) -> str | None:
    """The path from the root of a song that is there.

    Raises
    ------
    AudioFormatError : it is not, or is a folder.
    """
    if path is None:
        return None
    song_kind(path)
    return str(path.resolve())


def _absolute(name: str | None) -> str | None:
    """A path from the root, so that it holds in another folder too; a plain name as it is."""
    if name is None:
        return None
    path = Path(name).expanduser()
    is_path = path.parent != Path() or (path.suffix.lower() in (".sf2", ".sf3") and path.is_file())
    return str(path.resolve()) if is_path else name


def write_master(song: Song, output: Path, chosen: Mapping[str, Any]) -> None:
    """Write the mix in the format that was asked for.

    Raises
    ------
    OutputError, UsageError : the file cannot be written, or not so.
    """
    sound = read_audio(song.to_arrange.mix_path)
    if output.suffix.lower() in _CODED:
        sound.samples[...] *= np.float32(10 ** (-_CODED_HEADROOM_DB / 20))
    _write(sound, output, chosen)


def _write(sound: Audio, output: Path, chosen: Mapping[str, Any]) -> None:
    write_audio(
        output,
        sound,
        sample_rate=chosen.get("sample_rate"),
        bit_depth=chosen.get("bit_depth"),
        bitrate_kbps=chosen.get("bitrate"),
    )


def _genre(name: str | None, *, needed: bool) -> Genre | None:
    if name is not None:
        return load_genre(name)
    if needed:
        raise UsageError("no genre is named", "give --genre; rearrange genres lists them")
    return None


def _output_path(
    path: Path, title: str, genre: Genre | None, chosen: Mapping[str, Any], *, output_is_folder: bool
) -> Path:
    """Where the result goes.

    Raises
    ------
    UsageError : to the song itself, or to a file whose ending is no format.
    """
    output, format = chosen.get("output"), chosen.get("format")
    if output is None or output_is_folder or output.is_dir():
        names = [title, *([chosen.get("name") or genre.name] if genre else []), format or "wav"]
        output = (output or Path()) / ".".join(safe_name(name) for name in names)
    elif format is not None and output.suffix.lower() != f".{format}":
        output = output.with_name(f"{output.name}.{format}")
    if output.suffix.lower().lstrip(".") not in OUTPUT_FORMATS:
        raise UsageError(
            f"{output}: {output.suffix or 'a name without ending'} is no format to write",
            f"one of {', '.join(OUTPUT_FORMATS)}",
        )
    if output.exists() and path.exists() and output.samefile(path):
        raise UsageError(f"{output}: is the song itself", "choose another name with -o")
    result: Path = output
    return result


def _check_output(output: Path, chosen: Mapping[str, Any]) -> None:
    """Find out now, and not after minutes of work, that the output cannot be written.

    Raises
    ------
    OutputError : there is a folder of that name, or its folder cannot be written.
    UsageError : an option that the format does not have.
    """
    if output.is_dir():
        raise OutputError(f"{output}: is a folder")
    with tempfile.TemporaryDirectory(prefix="rearrange-") as temporary:
        probe = Path(temporary) / f"probe{output.suffix}"
        try:
            _write(Audio(np.zeros((2, SAMPLE_RATE), np.float32), SAMPLE_RATE), probe, chosen)
        except UsageError as exc:
            raise UsageError(exc.message.replace(str(probe), str(output)), exc.hint) from exc
    folder = next(parent for parent in output.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as exc:
        raise OutputError(
            f"{output}: cannot be written: {exc.strerror or exc}", "choose another place with -o"
        ) from exc


def figures_of(report: Report) -> dict[str, object]:
    """Time and memory of a run by stage."""
    return {
        stage.name: {
            "seconds": round(stage.seconds, 3),
            "because": stage.reason or "up to date",
            **({"edited": list(stage.edited)} if stage.edited else {}),
            "peak_memory_bytes": stage.peak_memory_bytes,
            "figures": dict(stage.figures),
        }
        for stage in report.stages
    }


def _result(report: Report) -> dict[str, object]:
    song = report.song
    figures = {stage.name: stage.figures for stage in report.stages}
    analysed, arranged, mixed = (figures.get(name, {}) for name in ("analyse", "arrange", "mix"))
    duration_s = figures.get("separate", {}).get("duration_s") or analysed.get("duration_s")
    result: dict[str, object] = {
        "song": song.source.path,
        "workspace": str(song.workspace.folder),
        "duration_s": duration_s,
        "peak_memory_bytes": max((stage.peak_memory_bytes for stage in report.stages), default=0),
        "stages": figures_of(report),
    }
    if analysed:
        result |= {name: analysed.get(name) for name in ("tempo_bpm", "metre", "key")}
        result["score"] = str(song.workspace.folder / "score.mid")
    if arranged:
        folder = song.to_arrange
        score, arrangement = song.workspace.read_score(), folder.read_arrangement()
        likeness = measured(
            content_similarity,
            score.tracks,
            arrangement.tracks,
            max(round(score.timeline.end_beat), 1),
            beat_ratio=arrangement.beat_ratio,
        )
        result |= {
            "genre": arrangement.genre,
            "style": arrangement.style,
            "arrangement_tempo_bpm": round(arrangement.timeline.mean_tempo_bpm, 2),
            "chroma_similarity": None if likeness.value is None else round(likeness.value, 4),
            "arrangement": str(folder.midi_path),
        }
    if mixed:
        result |= {name: mixed.get(name) for name in ("loudness_lufs", "true_peak_dbtp")}
    return result


def told(result: Mapping[str, object]) -> str:
    """The result of a conversion in lines for people: what was made, and where it lies."""
    labels = {
        "output": "made",
        "report": "page",
        "arrangement": "MIDI",
        "score": "song's MIDI",
        "workspace": "folder",
    }
    lines = [(label, result[name]) for name, label in labels.items() if name in result]
    facts = []
    if "key" in result:
        facts.append(f"{result['tempo_bpm']:.0f} bpm, {result['metre']}, {result['key']}")
    if "genre" in result:
        facts.append(f"{result['genre']} ({result['style']}) at {result['arrangement_tempo_bpm']:.0f} bpm")
    if "loudness_lufs" in result:
        facts.append(f"{result['loudness_lufs']:.1f} LUFS, {result['true_peak_dbtp']:.1f} dBTP")
    facts.append(f"{result['seconds']:.1f} s")
    text = [f"{label:<12}{click.format_filename(str(value))}" for label, value in lines]
    return "\n".join([*text, f"{'':<12}{'; '.join(facts)}"])


def written_by(report: Report) -> list[str]:
    """The files that the last stage of a run stands for."""
    song, name = report.song, report.stages[-1].name
    (stage,) = stages_between(name, name)
    return [str(path) for artefact in stage.outputs for path in artefact_files(song, artefact)]


def renewed_report(song: Song, console: Console) -> list[str]:
    """Make the page again after another mix, where the arrangement has one."""
    if not report_path(song).is_file():
        return []
    run(song, (REPORT,), {}, progress=console)
    return [str(report_path(song))]
