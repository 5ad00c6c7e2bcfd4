"""From a network's activations to notes: where they start, how long they sound, and which of them are a line.

Input are onset and sustain activations for every frame and pitch, of one part; output are `HeardNote`s in seconds,
which know how sure they are. `analysis/notes.py` judges how loud they are, and whether they can be heard.

Conventions: seconds; `pitch` is a MIDI number; activations are in [0, 1]; results are sorted by onset, then
pitch. Nothing here knows which network made the activations, or reads audio.

Source: peaks of onset activation that are held by frame activation, as in C. Hawthorne et al., "Onsets and
Frames", ISMIR 2018; the decoder is ours: it works on whole columns, and takes time in proportion to the song's
length.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Activations",
    "HeardNote",
    "PickLimits",
    "one_at_a_time",
    "onset_peaks",
    "peak_position",
    "picked_notes",
]

FloatArray = NDArray[np.float32]

# A note of a line is let go where its activation falls below this share of its median: Basic Pitch's activations
# fade over 100 to 150 ms after a tone has stopped.
RELEASE_SHARE = 0.7


@dataclass(frozen=True, eq=False)
class Activations:
    """What a network heard.

    Parameters
    ----------
    frames : (n_frames, n_pitches), how surely each pitch sounds
    onsets : (n_frames, n_pitches), how surely a note starts
    frame_rate_hz : frames per second
    lowest_pitch : MIDI number of the first column
    contours : (n_frames, n_pitches), how much of each pitch's semitone sounds, where that was asked for
    first_s : when frame 0 is heard
    """

    frames: FloatArray
    onsets: FloatArray
    frame_rate_hz: float
    lowest_pitch: int
    contours: FloatArray | None = None
    first_s: float = 0.0

    def within(self, low: int, high: int) -> "Activations":
        """Only the pitches low..high, both included (views, no copies), without contours."""
        first = max(low - self.lowest_pitch, 0)
        columns = slice(first, max(high + 1 - self.lowest_pitch, first))
        return replace(
            self,
            frames=self.frames[:, columns],
            onsets=self.onsets[:, columns],
            lowest_pitch=self.lowest_pitch + first,
            contours=None,
        )


@dataclass(frozen=True, slots=True)
class HeardNote:
    """A note before its loudness is known.

    `strength` is the mean activation while it sounds, `attack` the peak of the onset activation at its start, both
    in [0, 1]; `frame` is where that peak is.
    """

    onset_s: float
    end_s: float
    pitch: int
    strength: float
    attack: float
    frame: int = 0

    @property
    def confidence(self) -> float:
        """How surely this is a note, in [0, 1]: how surely it starts and how surely it sounds, alike."""
        return float(np.clip(0.5 * self.strength + 0.5 * self.attack, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class PickLimits:
    """What counts as a note.

    Parameters
    ----------
    onset_threshold : onset activation from which a peak starts a note
    sustain_threshold : it is let go where its frame activation stays below this
    min_interval_s : two notes of one pitch start no closer
    max_gap_s : a weaker activation as short as this does not end a note
    min_duration_s : shorter notes are made this long
    """

    onset_threshold: float = 0.4
    sustain_threshold: float = 0.4
    min_interval_s: float = 0.06
    max_gap_s: float = 0.06
    min_duration_s: float = 0.06


def picked_notes(activations: Activations, limits: PickLimits) -> tuple[HeardNote, ...]:
    """Decode activations into notes, as many at a time as there are.

    Returns
    -------
    Notes sorted by onset, then pitch; two notes of one pitch never overlap.
    """
    rate = activations.frame_rate_hz
    peaks = onset_peaks(
        activations.onsets, limits.onset_threshold, min_distance=max(round(limits.min_interval_s * rate) - 1, 1)
    )
    gap = max(round(limits.max_gap_s * rate), 1)
    notes: list[HeardNote] = []
    for column in np.flatnonzero(peaks.any(axis=0)).tolist():
        onsets, sounding = activations.onsets[:, column], activations.frames[:, column]
        starts = np.flatnonzero(peaks[:, column]).tolist()
        quiet = _quiet_from(sounding < limits.sustain_threshold, gap)
        for start, next_start in zip(starts, [*starts[1:], len(sounding)], strict=True):
            stop = min(int(quiet[np.searchsorted(quiet, start + 1)]), next_start)
            onset_s = activations.first_s + peak_position(onsets, start) / rate
            end_s = max(activations.first_s + (stop - 0.5) / rate, onset_s + limits.min_duration_s)
            if notes and notes[-1].pitch == activations.lowest_pitch + column and notes[-1].end_s > onset_s:
                notes[-1] = replace(notes[-1], end_s=onset_s)
            strength = float(sounding[start : max(stop, start + 1)].mean())
            pitch = activations.lowest_pitch + column
            notes.append(HeardNote(max(onset_s, 0.0), end_s, pitch, strength, float(onsets[start]), start))
    return tuple(sorted(notes, key=lambda note: (note.onset_s, note.pitch)))


def _quiet_from(quiet: NDArray[np.bool_], gap: int) -> NDArray[np.int64]:
    """Frames from which `gap` frames are quiet, all beyond the end being so, in order; the last is the end."""
    padded = np.concatenate([quiet, np.ones(gap, dtype=np.bool_)])
    ahead = np.lib.stride_tricks.sliding_window_view(padded, gap).all(axis=1)
    return np.flatnonzero(ahead)


def one_at_a_time(notes: Sequence[HeardNote], *, together_s: float = 0.05) -> tuple[HeardNote, ...]:
    """A line out of notes sorted by onset: the surest of those that start together, each until the next starts."""
    line: list[HeardNote] = []
    for note in notes:
        if line and note.onset_s - line[-1].onset_s < together_s:
            if note.confidence > line[-1].confidence:
                line[-1] = note
            continue
        line.append(note)
    cut = [replace(note, end_s=min(note.end_s, after.onset_s)) for note, after in pairwise(line)]
    return (*cut, *line[-1:])


def sounding_frames(activation: NDArray[np.floating]) -> int:
    """Of the frames of one note, how many pass until it is let go."""
    held = np.flatnonzero(activation >= RELEASE_SHARE * np.median(activation))
    return int(held[-1]) + 1


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
