"""The page of a conversion as a stage: `report.html` in the arrangement's folder.

It is made after the mix, and again whenever the song, the notes on either side, a track, the mix, a record of
another stage (which the recipe quotes) or the page's own code has changed; so it never shows anything but what
lies beside it. `rearrange mix` makes it again where there is one; `arrange` or `render` alone leave page and mix,
which belong together, as they are; a conversion without a page takes away one that shows another mix.

Sides and tracks are coded by two threads, out of the interpreter's lock: 0.032 to 0.037 s of processor time per
second of song with five to seven tracks, half of it the tracks'; 0.7 GB of memory for a song of an hour.

A song given as MIDI has no sound of its own: side A is then its parts as they stand in the file, played with the
font of the result, so that both can be compared by ear.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import audio_info, read_audio, read_blocks, replacing
from rearrange.evaluation.report.gather import facts_of
from rearrange.evaluation.report.page import ASSETS, CodedTrack, Content, page_html
from rearrange.evaluation.report.sounds import (
    BLOCK_S,
    TRACK_RATE_HZ,
    Heard,
    Measures,
    SoundPlan,
    coded,
    listen,
    matched_gains,
    resampled,
    sound_plan,
)
from rearrange.midi import read_midi
from rearrange.pipeline.engine import Stage, artefact_files
from rearrange.pipeline.song import Song
from rearrange.progress import Progress
from rearrange.score import Arrangement, Note, Part, Role, Timeline, Track, sorted_notes
from rearrange.stages.mix import MAX_STEM_GAIN_DB, MAX_TRACK_GAIN_DB
from rearrange.synth.effects import TRACK_LUFS
from rearrange.synth.fluidsynth import render_track
from rearrange.synth.levels import LevelMeter
from rearrange.synth.soundfonts import resolve_soundfont
from rearrange.workspace import read_record

__all__ = ["REPORT", "ReportSettings", "report_path", "take_away_stale_report"]

VERSION = 1
_THREADS = 2
_TRACK_BLOCK_S = 2.0  # of each, the level meter hears 0.4 s
_MIDI_HEADROOM = 0.5  # parts of a MIDI file are summed as they are
_MIDI_TAIL_S = 2.0
_SECONDS = Timeline((0.0, 1.0), (0.0, 1.0))  # a beat is a second


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """There is nothing to choose."""


@dataclass(frozen=True, eq=False)
class _HeardTrack:
    """`lufs` while it sounds, `peak` its largest sample, both before any gain."""

    webm: bytes
    lufs: float
    peak: float


def report_path(song: Song) -> Path:
    """Where the page of the arrangement lies."""
    (path,) = artefact_files(song, "report")
    return path


def take_away_stale_report(song: Song) -> None:
    """Delete the page, and its record, if it shows another mix than the one that lies beside it."""
    path = song.to_arrange.record_path(REPORT.name)
    record = read_record(path)
    if record is None:
        return
    (mix,) = artefact_files(song, "mix")
    now, then = song.workspace.hashes.of(mix), record.inputs.get(song.workspace.relative(mix))
    if now is None or then is None or now.sha256 != then.sha256:
        report_path(song).unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def _report(song: Song, _settings: object, progress: Progress) -> Mapping[str, object]:
    folder = song.to_arrange
    score, arrangement = song.workspace.read_score(), folder.read_arrangement()
    mix_info = audio_info(folder.mix_path)
    files = {name: path for name, path in folder.track_files().items() if path.is_file()}
    song_s = float(score.timeline.seconds(score.timeline.end_beat))
    plan = sound_plan(max(mix_info.duration_s, song_s), len(files))
    progress(0.0, "listening")
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        source = pool.submit(lambda: listen(_source_blocks(song, plan), plan))
        known = _mix_measures(song)
        result = pool.submit(lambda: listen(_file_blocks(folder.mix_path, plan), plan, known=known))
        tracks = {name: pool.submit(_track, path, plan) for name, path in files.items()} if plan.track_kbps else {}
        facts = facts_of(song)
        heard = source.result(), result.result()
        progress(0.5, "listening to the tracks")
        heard_tracks = {name: future.result() for name, future in tracks.items()}
    progress(0.9, "painting")
    midi_note = "The song was given as MIDI: this is the file as it came, played with the same font as the result."
    content = Content(
        title=score.title or song.source.title,
        genre_title=song.to_play.title,
        score=score,
        arrangement=arrangement,
        facts=facts,
        source=heard[0],
        result=heard[1],
        source_label="MIDI as it came" if song.is_midi else "Original",
        source_note=midi_note if song.is_midi else "",
        tracks=_balanced(song, arrangement, heard_tracks, heard),
        plan=plan,
    )
    page = page_html(content)
    with replacing(report_path(song)) as temporary:
        temporary.write_bytes(page.encode("utf-8", "replace"))  # a file name may be no Unicode
    return {"megabytes": round(len(page) / 1e6, 2), "tracks": len(content.tracks), "note": plan.note}


def _mix_measures(song: Song) -> Measures | None:
    """What the mix stage measured; None where the user has put another file in its place."""
    record = read_record(song.to_arrange.record_path("mix"))
    path = song.to_arrange.mix_path
    written = record.outputs.get(song.workspace.relative(path)) if record is not None else None
    now = song.workspace.hashes.of(path)
    if record is None or written is None or now is None or written.sha256 != now.sha256:
        return None
    lufs, peak = record.figures.get("loudness_lufs"), record.figures.get("true_peak_dbtp")
    if not isinstance(lufs, int | float) or not isinstance(peak, int | float):
        return None
    return Measures(float(lufs), float(peak))


def _source_blocks(song: Song, plan: SoundPlan) -> Iterator[NDArray[np.float32]]:
    """Yield side A."""
    if song.is_midi:
        yield from _played_midi(song, plan)
        return
    sound = read_audio(song.path, sample_rate=plan.side_rate, mono=plan.side_channels == 1)
    block = int(BLOCK_S * plan.side_rate)
    for start in range(0, sound.n_samples, block):
        piece = sound.samples[:, start : start + block]
        yield np.repeat(piece, plan.side_channels, axis=0) if len(piece) < plan.side_channels else piece


def _file_blocks(path: Path, plan: SoundPlan) -> Iterator[NDArray[np.float32]]:
    """Yield a WAV or FLAC artefact at the plan's rate."""
    blocks = read_blocks(path, block_s=BLOCK_S)
    rate = audio_info(path).sample_rate
    yield from resampled(blocks, rate, plan.side_rate, channels=plan.side_channels)


def _played_midi(song: Song, plan: SoundPlan) -> Iterator[NDArray[np.float32]]:
    """Yield the parts of a MIDI file as they stand there, played with the font of the result."""
    record = read_record(song.to_arrange.record_path("render"))
    font = resolve_soundfont(str(record.settings["soundfont"]) if record is not None else "default")
    performance = read_midi(song.path).performance
    play = partial(
        render_track,
        timeline=_SECONDS,
        soundfont=font,
        sample_rate=plan.side_rate,
        duration_s=performance.duration_s + _MIDI_TAIL_S,
    )
    for blocks in zip(*(play(_as_track(part)) for part in performance.parts), strict=True):
        total = np.asarray(np.sum(blocks, axis=0) * _MIDI_HEADROOM, dtype=np.float32)
        yield total.mean(axis=0, keepdims=True) if plan.side_channels == 1 else total


def _as_track(part: Part) -> Track:
    """A part with its seconds taken for beats."""
    notes = [Note(note.onset_s, note.duration_s, note.pitch, note.velocity) for note in part.notes]
    role = part.role or (Role.DRUMS if part.is_drum else Role.CHORDS)
    return Track(part.name, role, part.program or 0, part.is_drum, sorted_notes(notes))


def _track(path: Path, plan: SoundPlan) -> _HeardTrack:
    rate = audio_info(path).sample_rate
    level, peak = LevelMeter(TRACK_RATE_HZ), 0.0

    def blocks() -> Iterator[NDArray[np.float32]]:
        nonlocal peak
        for block in resampled(read_blocks(path, block_s=_TRACK_BLOCK_S), rate, TRACK_RATE_HZ, channels=1):
            level.add(block)
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
            yield block

    webm = coded(blocks(), sample_rate=TRACK_RATE_HZ, channels=1, kbps=plan.track_kbps)
    return _HeardTrack(webm, level.lufs, peak)


def _balanced(
    song: Song, arrangement: Arrangement, heard: Mapping[str, _HeardTrack], sides: Sequence[Heard]
) -> tuple[CodedTrack, ...]:
    """The tracks that sound, at the levels of the genre's mix table and together about as loud as either side."""
    table = song.to_play.mix
    by_name = {track.name: track for track in arrangement.tracks}
    gains_db: dict[str, float] = {}
    for name, track in heard.items():
        if not math.isfinite(track.lufs):
            continue
        if name in by_name:
            alike = sum(other.role is by_name[name].role for other in arrangement.tracks)
            level_db = table.role(by_name[name].role).level_db - 10 * math.log10(alike)
            gains_db[name] = min(TRACK_LUFS - track.lufs, MAX_TRACK_GAIN_DB) + level_db
        else:
            gains_db[name] = min(TRACK_LUFS - track.lufs, MAX_STEM_GAIN_DB) + table.vocals.level_db
    if not gains_db:
        return ()
    together = 10 * math.log10(sum(10 ** ((heard[name].lufs + gain) / 10) for name, gain in gains_db.items()))
    result = sides[1]
    wanted = result.lufs + 20 * math.log10(matched_gains(sides)[1]) if math.isfinite(result.lufs) else together
    coded_tracks = []
    for name, gain_db in gains_db.items():
        gain = 10 ** ((gain_db + wanted - together) / 20)
        room = 1 / max(heard[name].peak, 1e-3)  # alone, no track passes full scale
        coded_tracks.append(CodedTrack(name, by_name.get(name), heard[name].webm, min(gain, room)))
    return tuple(coded_tracks)


REPORT = Stage(
    "report",
    VERSION,
    ReportSettings,
    inputs=("source", "score", "arrangement", "tracks", "mix", "records"),
    outputs=("report",),
    function=_report,
    weight=0.8,
    outside=lambda _song, _settings: {f"page: {name}": path for name, path in ASSETS.items()},
)
