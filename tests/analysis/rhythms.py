"""Rhythms with known beats, for tests: drum patterns and chords as notes and as sound."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rearrange.score import NoteEvent
from tests import tones

SAMPLE_RATE = 22050
KICK, SNARE, HAT = 36, 38, 42

# (position in the bar in felt beats, drum)
ROCK = ((0.0, KICK), (1.0, SNARE), (2.0, KICK), (2.5, KICK), (3.0, SNARE), *((i / 2, HAT) for i in range(8)))
WALTZ = ((0.0, KICK), (1.0, SNARE), (2.0, SNARE), (1.0, HAT), (2.0, HAT))
SIX_EIGHT = ((0.0, KICK), (1.0, SNARE), (1 + 2 / 3, KICK), *((i / 3, HAT) for i in range(6)))
PROGRESSION = ((0, 4, 7), (9, 0, 4), (5, 9, 0), (7, 11, 2))


def beat_times(
    n_beats: int, bpm: float, *, to_bpm: float | None = None, start_s: float = 0.3
) -> NDArray[np.float64]:
    """Beat times at a steady tempo, or one that drifts evenly to another."""
    tempos = np.linspace(bpm, to_bpm or bpm, n_beats - 1)
    return start_s + np.concatenate([[0.0], np.cumsum(60.0 / tempos)])


def drum_notes(
    pattern: Sequence[tuple[float, int]], beats_per_bar: int, times_s: NDArray[np.float64]
) -> list[NoteEvent]:
    """The pattern in every whole bar of the beats."""
    index = np.arange(len(times_s))
    notes = []
    for bar in range(0, len(times_s) - beats_per_bar, beats_per_bar):
        for position, pitch in pattern:
            onset = float(np.interp(bar + position, index, times_s))
            notes.append(NoteEvent(onset, 0.1, pitch, 60 if pitch == HAT else 100))
    return sorted(notes, key=lambda note: (note.onset_s, note.pitch))


def chord_notes(bar_starts_s: Sequence[float], end_s: float) -> list[NoteEvent]:
    """A chord and its bass in every bar, I–vi–IV–V over and over."""
    notes = []
    for i, (start, stop) in enumerate(zip(bar_starts_s, [*bar_starts_s[1:], end_s], strict=True)):
        chord = PROGRESSION[i % 4]
        notes.append(NoteEvent(float(start), float(stop - start), 36 + chord[0], 90))
        notes += [NoteEvent(float(start), float(stop - start), 60 + pitch, 70) for pitch in chord]
    return notes


def sound(drums: Sequence[NoteEvent], notes: Sequence[NoteEvent], duration_s: float) -> NDArray[np.float32]:
    """Mono sound of drum hits and notes at SAMPLE_RATE."""
    rng = np.random.default_rng(0)
    kit = {
        KICK: tones.kick(SAMPLE_RATE),
        SNARE: tones.snare(SAMPLE_RATE, rng),
        HAT: tones.hat(SAMPLE_RATE, rng),
    }
    placed = [(hit.onset_s, kit[hit.pitch] * np.float32(hit.velocity / 100)) for hit in drums]
    placed += [(n.onset_s, tones.tone(n.pitch, n.duration_s, SAMPLE_RATE, gain=0.06)) for n in notes]
    return tones.placed(placed, duration_s, SAMPLE_RATE)


def hit_share(reference_s: NDArray[np.float64], found_s: NDArray[np.float64], window_s: float = 0.05) -> float:
    """F1 of beats within a window."""
    near = np.abs(np.asarray(reference_s)[:, None] - np.asarray(found_s)[None, :]) <= window_s
    return float(2 * near.any(axis=1).sum() / (len(reference_s) + len(found_s)))
