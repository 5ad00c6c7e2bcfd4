"""From pitch activations to notes: what sounds together, without its ghosts.

Input are `Activations`: for every frame and pitch, how surely a note sounds and how surely one starts.
Output are `HeardNote`s in seconds, which know how sure they are but not yet how loud: `analysis/notes.py`
adds the recording's level. Lines of one note at a time (a voice, a bass) are traced in `analysis/lines.py`.

Conventions: seconds; `pitch` is a MIDI number; activations are in [0, 1]; results are sorted by onset, then
pitch. Nothing here knows which network made the activations, or reads audio.

Source: the idea (runs of frame activation, started by peaks of onset activation, runs without a start
accepted if they are strong) is basic_pitch 0.4.0, note_creation.output_to_notes_polyphonic; the decoder is
ours: it works on whole columns, and takes time in proportion to the song's length.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["Activations", "HeardNote", "NoteLimits", "polyphonic_notes", "without_ghosts"]

FloatArray = NDArray[np.float32]

# Of two notes that start together, the higher is a ghost when it stands on one of these partials of the
# lower: the second to the eighth.
PARTIALS_SEMITONES = (12, 19, 24, 28, 31, 34, 36)

# What "together" means: two of the network's frames and a half, about 30 ms, and what a hand's chord spreads.
TOGETHER_S = 0.05


# A pitch that still sounds must start this much more surely, times how surely it sounds: the network hears
# the starts of other notes in it. The weight is a logistic fit on rendered bands and pianos, where three of
# four onset peaks on sounding pitches are no restrikes.
RESTRIKE_COST = 0.5

# A note is let go where its activation falls below this share of its median. Activations fade over 100 to
# 150 ms after a tone has stopped; on tones that stop dead this lands within two frames, and on rendered
# music it raises the share of notes with the right end by a third.
RELEASE_SHARE = 0.7


@dataclass(frozen=True, eq=False)
class Activations:
    """What a network heard.

    Parameters
    ----------
    frames : (n_frames, n_pitches), how surely each pitch sounds
    onsets : (n_frames, n_pitches), how surely a note starts
    frame_rate_hz : frames per second; frame 0 is at 0 s
    lowest_pitch : MIDI number of the first column
    """

    frames: FloatArray
    onsets: FloatArray
    frame_rate_hz: float
    lowest_pitch: int

    def within(self, low: int, high: int) -> "Activations":
        """Only the pitches low..high, both included (views, no copies)."""
        first = max(low - self.lowest_pitch, 0)
        columns = slice(first, max(high + 1 - self.lowest_pitch, first))
        return Activations(
            self.frames[:, columns], self.onsets[:, columns], self.frame_rate_hz, self.lowest_pitch + first
        )


@dataclass(frozen=True, slots=True)
class HeardNote:
    """A note before its loudness is known.

    `strength` is the mean activation while it sounds, `attack` the peak of the onset activation at its start
    (0 where it has none); both in [0, 1].
    """

    onset_s: float
    end_s: float
    pitch: int
    strength: float
    attack: float

    @property
    def confidence(self) -> float:
        """How surely this is a note, in [0, 1]: most of it is how surely it sounds."""
        return float(np.clip(0.7 * self.strength + 0.3 * self.attack, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class NoteLimits:
    """What counts as a note in one kind of part.

    Parameters
    ----------
    low, high : range of pitches, both included
    onset_threshold : onset activation above which a note starts
    frame_threshold : frame activation above which it goes on
    unstarted_threshold : mean frame activation above which a run without a start is a note
    min_duration_s : shorter notes are dropped
    max_gap_s : a weaker activation as short as this does not end a note
    ghost_ratio : a note on another's partial is a ghost below this share of its strength
    """

    low: int
    high: int
    onset_threshold: float = 0.42
    frame_threshold: float = 0.22
    unstarted_threshold: float = 0.5
    min_duration_s: float = 0.06
    max_gap_s: float = 0.06
    ghost_ratio: float = 0.6


def polyphonic_notes(activations: Activations, limits: NoteLimits) -> tuple[HeardNote, ...]:
    """Decode activations into notes, as many at a time as there are.

    Returns
    -------
    Notes sorted by onset, then pitch; two notes of one pitch never overlap.
    """
    acts = activations.within(limits.low, limits.high)
    if acts.frames.size == 0:
        return ()
    rate = acts.frame_rate_hz
    starts = _starts(acts, limits.onset_threshold)
    starts_of = [np.flatnonzero(column) for column in starts.T]
    min_frames = limits.min_duration_s * rate
    notes: list[HeardNote] = []
    for column, first, stop in _runs(acts.frames >= limits.frame_threshold, round(limits.max_gap_s * rate)):
        # An onset leads its frames by up to two frames in the network's training labels.
        onsets = starts_of[column]
        inside = onsets[(onsets >= first - 2) & (onsets < stop - 1)]
        bounds = [int(onset) for onset in inside]
        if not bounds or bounds[0] - first > min_frames:
            bounds.insert(0, first)  # what sounds before the first start is judged as a note without one
        for start, next_start in pairwise([*bounds, stop]):
            sounding = acts.frames[max(start, first) : next_start, column]
            end = max(start, first) + sounding_frames(sounding)
            strength = float(sounding.mean())
            attack = float(acts.onsets[start, column]) if starts[start, column] else 0.0
            if end - start < min_frames or (not attack and strength < limits.unstarted_threshold):
                continue
            onset = peak_position(acts.onsets[:, column], start) if attack else float(start)
            pitch = acts.lowest_pitch + column
            append_after(notes, HeardNote(onset / rate, end / rate, pitch, strength, attack))
    return _sorted(notes)


def without_ghosts(notes: Sequence[HeardNote], limits: NoteLimits) -> tuple[HeardNote, ...]:
    """Drop what a network hears beside a strong note: its semitone neighbours and its overtones.

    A neighbour is a ghost when most of it lies under a stronger note a semitone away. An overtone is one
    when it starts together with a note on one of whose partials it stands, ends no later, and is weaker by
    `limits.ghost_ratio`. A real octave played as strongly as its root stays.
    """
    notes = _sorted(notes)
    of_pitch: dict[int, list[HeardNote]] = {}
    for note in notes:
        of_pitch.setdefault(note.pitch, []).append(note)
    return tuple(
        note
        for note in notes
        if not any(
            _is_smear(note, other)
            for step in (-1, 1)
            for other in _sounding(of_pitch.get(note.pitch + step, []), note.onset_s, note.end_s)
        )
        and not any(
            _is_overtone(note, other, limits)
            for partial in PARTIALS_SEMITONES
            for other in _sounding(of_pitch.get(note.pitch - partial, []), note.onset_s, note.onset_s)
        )
    )


def _sounding(line: list[HeardNote], start_s: float, stop_s: float) -> list[HeardNote]:
    """Of notes that do not overlap, sorted, those that sound or start (nearly) between two times."""
    first = bisect_right(line, start_s - TOGETHER_S, key=lambda note: note.onset_s)
    last = bisect_right(line, stop_s + TOGETHER_S, key=lambda note: note.onset_s)
    return line[max(first - 1, 0) : last]


def _is_smear(note: HeardNote, other: HeardNote) -> bool:
    """Whether most of a note lies under a surer one, a semitone away."""
    overlap_s = min(note.end_s, other.end_s) - max(note.onset_s, other.onset_s)
    return overlap_s > 0.5 * (note.end_s - note.onset_s) and note.confidence < other.confidence


def _is_overtone(note: HeardNote, other: HeardNote, limits: NoteLimits) -> bool:
    """Whether a note on a partial of another starts with it, ends with it or before, and is weaker."""
    return (
        abs(note.onset_s - other.onset_s) <= TOGETHER_S
        and note.end_s <= other.end_s + TOGETHER_S
        and note.confidence < limits.ghost_ratio * other.confidence
    )


def onset_peaks(onsets: FloatArray, threshold: float, *, min_distance: int) -> NDArray[np.bool_]:
    """Mark the frames where a column of (n_frames, n_pitches) peaks at or above `threshold`.

    A peak is higher than everything within `min_distance` frames before it, and no lower than what follows.
    """
    from scipy.ndimage import maximum_filter1d

    highest = maximum_filter1d(onsets, 2 * min_distance + 1, axis=0, mode="constant")
    peaks: NDArray[np.bool_] = (onsets >= threshold) & (onsets == highest)
    peaks[1:] &= ~peaks[:-1]  # the first frame of a plateau
    return peaks


def peak_position(curve: NDArray[np.floating], index: int) -> float:
    """Position of a peak between samples, from the parabola through it and its two neighbours."""
    if not 0 < index < len(curve) - 1:
        return float(index)
    before, at, after = (float(value) for value in curve[index - 1 : index + 2])
    curvature = before - 2.0 * at + after
    if curvature >= 0.0:
        return float(index)
    return index + float(np.clip(0.5 * (before - after) / curvature, -0.5, 0.5))


def append_after(notes: list[HeardNote], note: HeardNote) -> None:
    """Append a note to those of its line, the last of which stops where it starts."""
    if notes and notes[-1].pitch == note.pitch and notes[-1].end_s > note.onset_s > notes[-1].onset_s:
        notes[-1] = replace(notes[-1], end_s=note.onset_s)
    notes.append(note)


def sounding_frames(activation: NDArray[np.floating]) -> int:
    """Of the frames of one note, how many pass until it is let go."""
    held = np.flatnonzero(activation >= RELEASE_SHARE * np.median(activation))
    return int(held[-1]) + 1


def _starts(acts: Activations, threshold: float) -> NDArray[np.bool_]:
    """Mark where notes start, (n_frames, n_pitches): the onset is sure, the surer the more still sounds."""
    from scipy.ndimage import minimum_filter1d

    reach = round(TOGETHER_S * acts.frame_rate_hz)
    # origin shifts the window so that it ends at its own frame: what sounded last is what counts.
    sounding = minimum_filter1d(acts.frames, reach + 1, axis=0, origin=reach // 2, mode="constant")
    peaks = onset_peaks(acts.onsets, threshold, min_distance=reach)
    peaks &= acts.onsets >= threshold + RESTRIKE_COST * sounding
    return peaks


def _runs(active: NDArray[np.bool_], max_gap: int) -> list[tuple[int, int, int]]:
    """(column, first frame, frame after the last) of every run of True, gaps up to `max_gap` closed."""
    padded = np.zeros((active.shape[1], active.shape[0] + 2), dtype=np.int8)
    padded[:, 1:-1] = active.T
    changes = np.diff(padded, axis=1)
    columns, firsts = np.nonzero(changes == 1)
    _, stops = np.nonzero(changes == -1)
    runs: list[tuple[int, int, int]] = []
    for column, first, stop in zip(columns.tolist(), firsts.tolist(), stops.tolist(), strict=True):
        if runs and runs[-1][0] == column and first - runs[-1][2] <= max_gap:
            runs[-1] = (column, runs[-1][1], stop)
        else:
            runs.append((column, first, stop))
    return runs


def _sorted(notes: Sequence[HeardNote]) -> tuple[HeardNote, ...]:
    return tuple(sorted(notes, key=lambda note: (note.onset_s, note.pitch)))
