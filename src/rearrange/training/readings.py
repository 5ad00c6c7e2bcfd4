"""All readings of an excerpt's metre, with the features that the linear model sees and with the truth about each.

Conventions: `VIEWS` are what a reading is judged from: rendered sound, exact notes, notes with the errors of a
transcription, and sound together with those. Readings are listed as `beats.track_beats` does, by the very code of
`analysis`; features are those of `metre.metre_features`, in the order of their names.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis import beats, chroma, metre, onsets, tempo
from rearrange.analysis.evidence import Evidence, note_evidence, sound_evidence
from rearrange.score import Note, NoteEvent, Role, Timeline, Track, sorted_notes
from rearrange.training.excerpts import Excerpt, misheard

__all__ = ["VIEWS", "Example", "Readings", "example_of", "read_example", "write_example"]

Floats = NDArray[np.float64]

SAMPLE_RATE_HZ = 22050  # that of `stages.analyse`
BEAT_TOLERANCE_S = 0.07  # as MIREX has it
RIGHT_BEATS, RIGHT_DOWNBEATS = 0.85, 0.75  # F1 from which on a reading is right
VIEWS = {"sound": ("sound",), "notes": ("notes",), "misheard": ("notes",), "both": ("sound", "notes")}


@dataclass(frozen=True)
class Readings:
    """All readings of one excerpt in one view.

    Parameters
    ----------
    features : per source of the view (n_readings, n_features)
    beat_f1, downbeat_f1 : (n_readings,) against the known beats
    beats_per_bar : (n_readings,) felt beats
    """

    features: tuple[Floats, ...]
    beat_f1: Floats
    downbeat_f1: Floats
    beats_per_bar: NDArray[np.int64]

    @property
    def right(self) -> NDArray[np.bool_]:
        return (self.beat_f1 >= RIGHT_BEATS) & (self.downbeat_f1 >= RIGHT_DOWNBEATS)


@dataclass(frozen=True)
class Example:
    """An excerpt as the fit sees it; `names` are the features' and `views` has what could be read at all."""

    song: str
    kind: str
    beats_per_bar: int
    names: tuple[str, ...]
    views: Mapping[str, Readings]


def example_of(excerpt: Excerpt, *, seed: int, soundfont: Path) -> Example:
    """Render an excerpt, and list its readings in all views."""
    heard = misheard(excerpt, random.Random(f"{seed}/{excerpt.name}"))
    sound, notes = _sound(excerpt, soundfont), _notes(heard, excerpt.duration_s)
    views = {"sound": [sound], "notes": [_notes(excerpt, excerpt.duration_s)], "misheard": [notes]}
    views["both"] = [sound, notes]
    names: set[str] = set()
    listed = {view: _readings(each, excerpt, names) for view, each in views.items()}
    found = {view: readings for view, readings in listed.items() if readings is not None}
    return Example(excerpt.song, excerpt.kind, excerpt.beats_per_bar, tuple(sorted(names)), found)


def _notes(excerpt: Excerpt, duration_s: float) -> Evidence:
    split: dict[bool, list[NoteEvent]] = {True: [], False: []}
    for part in excerpt.parts:
        split[part.is_drum] += part.notes
    return note_evidence(split[False], split[True], duration_s)


def _sound(excerpt: Excerpt, soundfont: Path) -> Evidence:
    from rearrange.synth.fluidsynth import render_track

    duration_s = excerpt.duration_s
    seconds = Timeline.constant(60.0, end_beat=duration_s)  # a beat of this timeline is a second
    samples = np.zeros(round(duration_s * SAMPLE_RATE_HZ), dtype=np.float32)
    for part in excerpt.parts:
        notes = sorted_notes([Note(n.onset_s, n.duration_s, n.pitch, max(n.velocity, 1)) for n in part.notes])
        role = Role.DRUMS if part.is_drum else Role.CHORDS
        track = Track(part.name, role, 0 if part.is_drum else part.program or 0, part.is_drum, notes)
        blocks = render_track(
            track, seconds, soundfont=soundfont, sample_rate=SAMPLE_RATE_HZ, duration_s=duration_s
        )
        samples += np.concatenate([block.mean(axis=0) for block in blocks])
    envelope = onsets.onset_envelope(onsets.band_spectrogram(samples, SAMPLE_RATE_HZ))
    return sound_evidence(envelope, chroma.log_spectrogram(samples, SAMPLE_RATE_HZ).semitones)


def _readings(heard: Sequence[Evidence], excerpt: Excerpt, names: set[str]) -> Readings | None:
    """What `beats.track_beats` would choose from, with the truth about each; adds the features' names."""
    n_frames = min(len(each.strength) for each in heard)
    strength = np.asarray(np.mean([each.strength[:n_frames] for each in heard], axis=0), dtype=np.float64)
    correlations = tempo.tempogram(strength)
    periods = tempo.candidate_periods(correlations)
    if len(periods) == 0:
        return None
    paths = np.stack([tempo.period_path(correlations, float(period)) for period in periods])
    rows: list[list[Floats]] = [[] for _ in heard]
    truth: list[tuple[float, float, int]] = []
    for path in beats.beat_paths(strength, paths):
        for frames in (path, (path[:-1] + path[1:]) / 2):
            if len(frames) < metre.FEWEST_BEATS:
                continue
            times_s = frames / onsets.FRAME_RATE_HZ
            beat_f1 = _f1(excerpt.beats_s, times_s)
            for row, each in zip(rows, heard, strict=True):
                for kind, features in metre.metre_features(each, frames, (2, 3, 4)).items():
                    named = _complete(features)
                    names.update(named)
                    row.append(np.array([named[name] for name in sorted(named)]))
                    if each is heard[0]:
                        downbeats_s = times_s[kind[1] :: kind[0]]
                        truth.append((beat_f1, _f1(excerpt.downbeats_s, downbeats_s), kind[0]))
    if not truth:
        return None
    beat_f1s, downbeat_f1s, kinds = (np.array(column) for column in zip(*truth, strict=True))
    return Readings(tuple(np.stack(row) for row in rows), beat_f1s, downbeat_f1s, kinds.astype(np.int64))


def _complete(features: Mapping[str, float]) -> dict[str, float]:
    """With a zero for what only bars of the other length have."""
    lines = {metre.bar_line_feature(register, n): 0.0 for register in ("all", "bass") for n in (3, 4)}
    return lines | dict(features)


def _f1(reference_s: Floats, estimate_s: Floats) -> float:
    """Share of beats, of both, that have one of the other within BEAT_TOLERANCE_S.

    That of MIREX, for beats further apart than twice the tolerance, and quicker.
    """
    if len(reference_s) == 0 or len(estimate_s) == 0:
        return 0.0
    distance = np.abs(reference_s[:, None] - estimate_s[None, :])
    hits = np.sum(distance.min(axis=1) <= BEAT_TOLERANCE_S) + np.sum(distance.min(axis=0) <= BEAT_TOLERANCE_S)
    return float(hits / (len(reference_s) + len(estimate_s)))


def write_example(path: Path, example: Example) -> None:
    """Write an example as one .npz file, under a temporary name first."""
    arrays: dict[str, NDArray[np.generic]] = {
        "names": np.array(example.names),
        "about": np.array([example.song, example.kind, str(example.beats_per_bar)]),
    }
    for view, readings in example.views.items():
        arrays |= {f"{view}/features{i}": rows for i, rows in enumerate(readings.features)}
        arrays[f"{view}/truth"] = np.stack([readings.beat_f1, readings.downbeat_f1, readings.beats_per_bar])
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    partial.replace(path)


def read_example(path: Path) -> Example:
    """Read what `write_example` wrote."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    views = {}
    for view, sources in VIEWS.items():
        if f"{view}/truth" in arrays:
            beat_f1, downbeat_f1, kinds = arrays[f"{view}/truth"]
            rows = tuple(arrays[f"{view}/features{i}"] for i in range(len(sources)))
            views[view] = Readings(rows, beat_f1, downbeat_f1, kinds.astype(np.int64))
    song, kind, beats_per_bar = (str(each) for each in arrays["about"])
    return Example(song, kind, int(beats_per_bar), tuple(str(name) for name in arrays["names"]), views)
