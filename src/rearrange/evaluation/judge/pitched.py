"""What melody, chords and pitched parts play, as numbers: the features of the lead and the ensemble reader.

Conventions: as in `drums`, with windows of `LEAD_BARS` and `ENSEMBLE_BARS` bars. Durations are shares of notes
by their length in beats. The lead reader sees one melody and the chord symbols; the ensemble reader all pitched
notes together and whether drums play.

Limits: neither sees velocities, programs or tempo: written music has no velocities, and instruments are chosen,
not played. Both are blind to the key.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rearrange.evaluation.judge.drums import Windows, windows_of
from rearrange.score import Chord, Note, Role, Track
from rearrange.timeline import Timeline

__all__ = ["ENSEMBLE_BARS", "ENSEMBLE_FEATURES", "LEAD_BARS", "LEAD_FEATURES", "ensemble_windows", "lead_windows"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAD_BARS, ENSEMBLE_BARS = 16, 8
_FEWEST_NOTES = 8
_BAR_STEPS, _BEAT_STEPS = 16, 12
_DURATIONS_BEAT = (
    0.2,
    0.3,
    0.45,
    0.7,
    1.1,
    1.6,
    2.1,
    3.1,
)  # upper edges: from sixteenths to more than a half note
_LEAPS = 13
_TOGETHER_BEAT = 0.12  # less than half of a sixteenth: notes of a chord, however it is rolled
_COLOURS = {
    "triad": ("maj", "min", "5", "sus4", "sus2", "add9", "minadd9"),
    "minor": ("min", "min7", "min6", "min9", "min11", "minadd9"),
    "dominant": ("7", "9", "13", "7sus4"),
    "minor seventh": ("min7", "min9", "min11"),
    "major seventh": ("maj7", "maj9"),
    "sixth": ("6", "min6", "69"),
    "diminished": ("dim", "dim7", "min7b5"),
    "augmented": ("aug",),
    "ninth": ("9", "maj9", "min9", "13", "69", "min11"),
}
_REGISTERS = (36, 48, 60, 72, 84)  # octaves from C2

_RHYTHM = (
    *(f"bar {step}" for step in range(_BAR_STEPS)),
    *(f"beat {step}" for step in range(_BEAT_STEPS)),
    *(f"shorter than {edge}" for edge in _DURATIONS_BEAT),
    "longer",
    "onsets per beat",
)
LEAD_FEATURES: tuple[str, ...] = (
    *_RHYTHM,
    *(f"leap {size}" for size in range(_LEAPS)),
    *(f"chord {name}" for name in _COLOURS),
    *(f"root up {size}" for size in range(1, 12)),
    "chords per bar",
    "quarters in a bar",
)
ENSEMBLE_FEATURES: tuple[str, ...] = (
    *_RHYTHM[:_BAR_STEPS],
    "notes per onset",
    "notes sounding",
    *(f"below {pitch}" for pitch in _REGISTERS),
    "range",
    "moves per bar",
    "drums",
    "quarters in a bar",
)


def lead_windows(melody: Sequence[Note], chords: Sequence[Chord], timeline: Timeline) -> Floats:
    """Features of every window with a melody of 8 notes; (n_windows, len(LEAD_FEATURES))."""
    onset, duration, pitch = _columns(melody)
    where, kept = windows_of(onset, timeline, window_bars=LEAD_BARS)
    n = where.n_windows
    if n == 0:
        return np.zeros((0, len(LEAD_FEATURES)))
    rhythm, count = _rhythm(where, duration[kept])
    leaps = np.zeros((n, _LEAPS))
    size = np.minimum(np.abs(np.diff(pitch[kept], prepend=pitch[kept][:1])), _LEAPS - 1).astype(np.int64)
    np.add.at(leaps, (where.window, size), 1.0)
    rows = np.hstack([rhythm, _shares(leaps), _harmony(chords, timeline, where), _metre(timeline, where)])
    return np.asarray(rows[count >= _FEWEST_NOTES])


def ensemble_windows(tracks: Sequence[Track], timeline: Timeline) -> Floats:
    """Features of every window with 8 pitched notes; (n_windows, len(ENSEMBLE_FEATURES))."""
    notes = sorted((note for t in tracks if not t.is_drum for note in t.notes), key=lambda note: note.onset_beat)
    onset, duration, pitch = _columns(notes)
    where, kept = windows_of(onset, timeline, window_bars=ENSEMBLE_BARS)
    n = where.n_windows
    if n == 0:
        return np.zeros((0, len(ENSEMBLE_FEATURES)))
    onset, duration, pitch = onset[kept], duration[kept], pitch[kept]
    rhythm, count = _rhythm(where, duration)
    rhythm = rhythm[
        :, :_BAR_STEPS
    ]  # whether onsets and lengths are exact tells writing from playing, not the ensemble
    some = np.maximum(count, 1.0)
    quarters = _quarters(timeline, where)
    fresh = np.diff(onset, prepend=-np.inf) > _TOGETHER_BEAT
    onsets = np.maximum(_sums(where, fresh.astype(np.float64)), 1.0)
    sounding = _sums(where, duration) / quarters
    below = np.stack([_sums(where, (pitch < edge).astype(np.float64)) / some for edge in _REGISTERS], axis=1)
    mean = _sums(where, pitch) / some
    spread = np.sqrt(np.maximum(_sums(where, pitch**2) / some - mean**2, 0.0)) / 12.0
    strokes = np.array([note.onset_beat for t in tracks if t.is_drum for note in t.notes], dtype=np.float64)
    drummed, _ = windows_of(strokes, timeline, window_bars=ENSEMBLE_BARS)
    drums = np.isin(np.arange(n), drummed.window).astype(np.float64)
    columns = (np.log1p(count / onsets), np.log1p(sounding), below, spread, np.log1p(onsets / where.bars), drums)
    rows = np.column_stack([rhythm, *columns, _metre(timeline, where)])
    return np.asarray(rows[count >= _FEWEST_NOTES])


def melody_of(tracks: Sequence[Track]) -> Sequence[Note]:
    """The notes of the first melody; none if there is no such track."""
    return next((track.notes for track in tracks if track.role is Role.MELODY and not track.is_drum), ())


def _columns(notes: Sequence[Note]) -> tuple[Floats, Floats, Floats]:
    table = np.array([(n.onset_beat, n.duration_beat, n.pitch) for n in notes], dtype=np.float64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _sums(where: Windows, values: Floats) -> Floats:
    sums = np.bincount(where.window, weights=values, minlength=where.n_windows)
    return np.asarray(sums, dtype=np.float64)


def _shares(counts: Floats) -> Floats:
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(counts, total, out=np.zeros_like(counts), where=total > 0))


def _quarters(timeline: Timeline, where: Windows) -> Floats:
    """Length of each window in beats."""
    window_bars = int(where.bars.max())
    lengths = np.array([bar.duration_beat for bar in timeline.bars])
    lengths = np.pad(lengths, (0, max(0, window_bars * where.n_windows - len(lengths))))
    return np.asarray(lengths[: window_bars * where.n_windows].reshape(where.n_windows, -1).sum(axis=1))


def _metre(timeline: Timeline, where: Windows) -> Floats:
    """Mean length of a window's bars in quarters, of 4: (n, 1)."""
    return np.asarray(_quarters(timeline, where) / where.bars / 4.0)[:, None]


def _rhythm(where: Windows, duration: Floats) -> tuple[Floats, Floats]:
    """Onset, duration and density features (n, len(_RHYTHM)), and notes per window."""
    n = where.n_windows
    bar, beat, lengths = (
        np.zeros((n, _BAR_STEPS)),
        np.zeros((n, _BEAT_STEPS)),
        np.zeros((n, len(_DURATIONS_BEAT) + 1)),
    )
    at = np.floor(where.beat * 4 + 0.5).astype(np.int64)
    np.add.at(bar, (where.window, np.mod(at, _BAR_STEPS)), 1.0)
    np.add.at(
        beat, (where.window, np.mod(np.floor(where.beat * _BEAT_STEPS + 0.5), _BEAT_STEPS).astype(np.int64)), 1.0
    )
    np.add.at(lengths, (where.window, np.searchsorted(_DURATIONS_BEAT, duration)), 1.0)
    count = np.bincount(where.window, minlength=n).astype(np.float64)
    parts = [np.sqrt(_shares(bar)), np.sqrt(_shares(beat)), np.sqrt(_shares(lengths))]
    return np.hstack([*parts, np.log1p(count / where.bars / 4.0)[:, None]]), count


def _harmony(chords: Sequence[Chord], timeline: Timeline, where: Windows) -> Floats:
    """Shares of chord time by colour, of root motions, and the logarithm of chords per bar: (n, 9 + 11 + 1)."""
    n = where.n_windows
    onset = np.array([chord.onset_beat for chord in chords], dtype=np.float64)
    placed, kept = windows_of(onset, timeline, window_bars=LEAD_BARS)
    kept_chords = [chords[i] for i in kept]
    duration = np.array([chord.duration_beat for chord in kept_chords], dtype=np.float64)
    time = np.maximum(_sums(placed, duration), 1e-9)
    colours = [
        _sums(placed, duration * np.array([chord.quality in names for chord in kept_chords], dtype=bool)) / time
        for names in _COLOURS.values()
    ]
    root = np.array([chord.root for chord in kept_chords], dtype=np.int64)
    motion = np.zeros((n, 12))
    np.add.at(motion, (placed.window, np.mod(np.diff(root, prepend=root[:1]), 12)), 1.0)
    per_bar = np.log1p(_sums(placed, np.ones(len(root))) / where.bars)
    return np.column_stack([*colours, np.sqrt(_shares(motion[:, 1:])), per_bar])
