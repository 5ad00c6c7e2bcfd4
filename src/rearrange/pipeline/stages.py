"""The stages of this package as records, in order.

Each function here is the seam between a pure stage and the workspace: read what it takes, call it, write
what it gives. Figures (plain numbers and names) are kept in the stage's record and shown by `--json`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from rearrange.audio import AudioWriter, read_audio, read_blocks
from rearrange.errors import UsageError
from rearrange.midi import read_midi
from rearrange.models.stored import files_of, shipped_files
from rearrange.pipeline.engine import Stage, run
from rearrange.pipeline.song import Song, open_song
from rearrange.progress import Progress, span
from rearrange.score import Arrangement, Score
from rearrange.stages import analyse, arrange, mix, render, separate, transcribe
from rearrange.synth.soundfonts import resolve_soundfont
from rearrange.workspace import safe_name, to_plain

__all__ = ["SAMPLE_RATE", "STAGES", "stages_between"]

# Songs are read at this rate, whatever they come in: it is what separators are trained on, and an hour of
# 192 kHz would not fit in memory.
SAMPLE_RATE = 44100
_READING_SHARE, _REFERENCE_SHARE = 0.1, 0.7  # of a stage's progress


def _separate(song: Song, settings: separate.SeparateSettings, progress: Progress) -> Mapping[str, object]:
    sound = read_audio(song.path, sample_rate=SAMPLE_RATE, progress=span(progress, 0.0, _READING_SHARE))
    blocks = separate.separate_blocks(sound, settings, progress=span(progress, _READING_SHARE, 1.0))
    song.workspace.write_stems(blocks, sound.sample_rate)
    return {"duration_s": round(sound.duration_s, 3)}


def _separator_files(_song: Song, settings: separate.SeparateSettings) -> Mapping[str, Path]:
    """The weights of a separator that has some."""
    from rearrange.models.weights import list_models

    own = separate.network_folder(settings.separator)
    if own is not None:
        return files_of(own)
    folder = Path(settings.separator).expanduser()
    model = next((info for info in list_models() if info.name == settings.separator), None)
    if model is not None:
        return {f"model {model.name}: {file.name}": model.folder / file.name for file in model.files}
    return {f"model {file.name}": file for file in sorted(folder.glob("*")) if file.suffix in (".th", ".yaml")}


def _transcribe(song: Song, settings: transcribe.TranscribeSettings, progress: Progress) -> Mapping[str, object]:
    performance = transcribe.transcribe(song.workspace.read_stems(), settings, progress=progress)
    song.workspace.write_performance(performance)
    return {"notes": {part.name: len(part.notes) for part in performance.parts}}


def _transcriber_files(_song: Song, _settings: transcribe.TranscribeSettings) -> Mapping[str, Path]:
    from rearrange.models.basic_pitch import weights_path

    return {"model basic-pitch": weights_path(), **shipped_files("notes", "drums")}


def _analyse(song: Song, settings: analyse.AnalyseSettings, progress: Progress) -> Mapping[str, object]:
    if song.is_midi:
        file = read_midi(song.path)
        score = analyse.analyse(file.performance, None, settings, timeline=file.timeline, progress=progress)
    else:
        performance = song.workspace.read_performance()
        reading = span(progress, 0.0, _READING_SHARE)
        sound = read_audio(song.path, sample_rate=analyse.ANALYSIS_RATE_HZ, mono=True, progress=reading)
        score = analyse.analyse(performance, sound, settings, progress=span(progress, _READING_SHARE, 1.0))
    song.workspace.write_score(replace(score, title=song.source.title))
    timeline = score.timeline
    return {
        "tempo_bpm": round(timeline.mean_tempo_bpm, 2),
        "metre": str(timeline.metres[0][1]),
        "key": str(score.key),
        "bars": len(timeline.bars),
        "swing": round(score.swing, 2),
        "sections": [section.label for section in score.sections],
        "duration_s": round(float(timeline.seconds(timeline.end_beat)), 3),
    }


def _analyser_files(_song: Song, _settings: analyse.AnalyseSettings) -> Mapping[str, Path]:
    return shipped_files("beats", "harmony")


def _arrange(song: Song, settings: arrange.ArrangeSettings, progress: Progress) -> Mapping[str, object]:
    score = song.workspace.read_score()
    stems = () if song.is_midi else tuple(song.workspace.stem_paths)
    reference = None
    if settings.like is not None:
        reference = _heard_apart(song, Path(settings.like), span(progress, 0.0, _REFERENCE_SHARE))
        progress = span(progress, _REFERENCE_SHARE, 1.0)
    arrangement = arrange.arrange(
        score, song.to_play, settings, stems=stems, reference=reference, progress=progress
    )
    song.to_arrange.write_arrangement(arrangement, title=song.source.title)
    return {
        "genre": arrangement.genre,
        "style": arrangement.style,
        "tempo_bpm": round(arrangement.timeline.mean_tempo_bpm, 2),
        "beat_ratio": arrangement.beat_ratio,
        "tracks": {track.name: len(track.notes) for track in arrangement.tracks},
        "kept_stems": list(arrangement.kept_stems),
    }


def _genre_file(song: Song, _settings: object) -> Mapping[str, Path]:
    return {"genre": song.to_play.path}


def _heard_apart(song: Song, path: Path, progress: Progress) -> Score:
    """Another song as it is heard, which is kept in the song's folder.

    Raises
    ------
    RearrangeError : it cannot be read, or there is no music in it.
    """
    name = f"{safe_name(path.stem)}-{hashlib.sha256(bytes(path)).hexdigest()[:8]}.rearrange"
    with open_song(song.workspace.folder / "references" / name, path) as other:
        run(other, stages_between("separate", "analyse"), {}, progress=progress)
        return other.workspace.read_score()


def _arranger_files(song: Song, settings: arrange.ArrangeSettings) -> Mapping[str, Path]:
    files = dict(_genre_file(song, settings))
    if settings.arranger == "transformer" or settings.like is not None:
        files |= shipped_files(arrange.NETWORK)
    if settings.like is not None:
        files["like"] = Path(settings.like)
    return files


def _render(song: Song, settings: render.RenderSettings, progress: Progress) -> Mapping[str, object]:
    folder = song.to_arrange
    arrangement = folder.read_arrangement()
    files = folder.track_files()
    keys = _track_keys(song, arrangement, settings)
    unchanged = files.unchanged(keys)
    files.keep_only(unchanged)
    kept = arrangement.kept_stems
    render.render(
        arrangement,
        settings,
        lambda name: files.open(name, settings.sample_rate),
        stems=song.workspace.read_stems() if kept else None,
        song=song.workspace.read_score().timeline if kept else None,
        only=set(files) - unchanged,
        progress=progress,
    )
    files.remember(keys)
    return {"rendered": len(files) - len(unchanged), "unchanged": len(unchanged)}


def _track_keys(song: Song, arrangement: Arrangement, settings: render.RenderSettings) -> dict[str, str]:
    """For each track and kept stem, a hash of all that its sound depends on."""
    hashes = song.workspace.hashes
    common = {
        "version": render.VERSION,
        "sample_rate": settings.sample_rate,
        "duration_s": render.arrangement_duration_s(arrangement),
        "timeline": to_plain(arrangement.timeline),
    }
    keys: dict[str, dict[str, object]] = {}
    if arrangement.tracks:
        font = hashes.of(resolve_soundfont(settings.soundfont))
        for track in arrangement.tracks:
            keys[track.name] = {**common, "soundfont": to_plain(font), "track": to_plain(track)}
    for name in arrangement.kept_stems:
        stem = hashes.of(song.workspace.read_stems().path(name))
        timeline = to_plain(song.workspace.read_score().timeline)
        keys[name] = {**common, "stem": to_plain(stem), "song": timeline, "beat_ratio": arrangement.beat_ratio}
    return {
        name: hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest() for name, key in keys.items()
    }


def _soundfont_file(_song: Song, settings: render.RenderSettings) -> Mapping[str, Path]:
    return {"soundfont": resolve_soundfont(settings.soundfont)}


def _mix(song: Song, settings: mix.MixSettings, progress: Progress) -> Mapping[str, object]:
    folder = song.to_arrange
    arrangement = folder.read_arrangement()
    sources = {name: partial(read_blocks, path) for name, path in folder.track_files().items()}
    with AudioWriter(folder.mix_path, settings.sample_rate, 2, bit_depth="24") as writer:
        report = mix.mix(arrangement, song.to_play.mix, sources, settings, writer.write, progress=progress)
    return {
        "loudness_lufs": round(report.loudness_lufs, 2),
        "true_peak_dbtp": round(report.true_peak_dbtp, 2),
        "limiting_db": round(report.limiting_db, 2),
        "duration_s": round(report.duration_s, 3),
    }


# The weights are seconds per minute of song on two cores, roughly.
STAGES: tuple[Stage, ...] = (
    Stage(
        "separate",
        separate.VERSION,
        separate.SeparateSettings,
        inputs=("source",),
        outputs=("stems",),
        function=_separate,
        weight=3.0,
        from_audio_only=True,
        outside=_separator_files,
    ),
    Stage(
        "transcribe",
        transcribe.VERSION,
        transcribe.TranscribeSettings,
        inputs=("stems",),
        outputs=("performance",),
        function=_transcribe,
        weight=3.0,
        from_audio_only=True,
        outside=_transcriber_files,
    ),
    Stage(
        "analyse",
        analyse.VERSION,
        analyse.AnalyseSettings,
        inputs=("source", "performance"),
        outputs=("score", "score view"),
        function=_analyse,
        weight=1.5,
        outside=_analyser_files,
    ),
    Stage(
        "arrange",
        arrange.VERSION,
        arrange.ArrangeSettings,
        inputs=("score",),
        outputs=("arrangement",),
        function=_arrange,
        weight=0.3,
        outside=_arranger_files,
    ),
    Stage(
        "render",
        render.VERSION,
        render.RenderSettings,
        inputs=("arrangement", "stems", "score"),  # stems and score for a voice that is kept
        outputs=("tracks",),
        function=_render,
        weight=2.0,
        outside=_soundfont_file,
    ),
    Stage(
        "mix",
        mix.VERSION,
        mix.MixSettings,
        inputs=("arrangement", "tracks"),
        outputs=("mix",),
        function=_mix,
        weight=1.5,
        outside=_genre_file,
    ),
)


def stages_between(first: str, last: str) -> tuple[Stage, ...]:
    """The stages from one to another, both included.

    Raises
    ------
    UsageError : a name that is none, or the first comes after the last.
    """
    names = [stage.name for stage in STAGES]
    for name in (first, last):
        if name not in names:
            raise UsageError(f"there is no stage {name!r}", f"the stages are {', '.join(names)}")
    chosen = STAGES[names.index(first) : names.index(last) + 1]
    if not chosen:
        raise UsageError(f"{first} comes after {last}", f"the stages are, in order, {', '.join(names)}")
    return chosen
