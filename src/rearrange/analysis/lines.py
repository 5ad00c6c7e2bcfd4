"""Lines of one note at a time: a voice or a bass traced through pitch activations.

Viterbi over rest and pitches, frame by frame: sounding pays, changing pitch costs, and an octave costs
most, because an octave is what a network mistakes.

Conventions: as in `analysis/decoding.py`: seconds, MIDI pitches, sorted by onset.

Source: the Viterbi algorithm. The costs are ours, set on rendered lines (POP909 melodies, Freedoom basses).
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.decoding import Activations, HeardNote, onset_peaks, peak_position, sounding_frames

__all__ = ["LineLimits", "monophonic_notes"]


@dataclass(frozen=True, slots=True)
class LineLimits:
    """How a line of one note at a time moves.

    Parameters
    ----------
    low, high : range of pitches, both included
    voicing_threshold : activation at which a pitch is as good as a rest
    restrike_threshold : onset activation at which a held pitch starts anew
    height_preference : how much more a pitch counts for each semitone, up to twelve, above the centre of all
        that sounds: a melody lies on top of what leaks in
    octave_support : share of the activation an octave above that counts for a pitch: an instrument whose
        fundamental is weak is heard there
    change_cost : of starting or changing a note, in frames of full activation
    leap_cost : of each semitone of a change, up to an octave
    octave_cost : of a change by exactly an octave
    min_duration_s : shorter notes are given to their neighbours, or dropped
    """

    low: int
    high: int
    voicing_threshold: float = 0.3
    restrike_threshold: float = 0.5
    height_preference: float = 0.0
    octave_support: float = 0.0
    change_cost: float = 1.0
    leap_cost: float = 0.05
    octave_cost: float = 1.0
    min_duration_s: float = 0.07


def monophonic_notes(activations: Activations, limits: LineLimits) -> tuple[HeardNote, ...]:
    """Trace the one line that sounds surest, with rests.

    Returns
    -------
    Notes sorted by onset that do not overlap.
    """
    acts = activations.within(limits.low, limits.high)
    if acts.frames.size == 0:
        return ()
    salience = acts.frames * _height_weights(acts.frames, limits.height_preference)
    salience[:, :-12] += limits.octave_support * acts.frames[:, 12:]
    salience -= limits.voicing_threshold
    path = _best_path(salience, acts.onsets, _change_costs(salience.shape[1], limits))
    return _notes_of_path(path, acts, limits)


def _height_weights(frames: NDArray[np.float32], preference: float) -> NDArray[np.float32]:
    """Weight of each pitch, (n_pitches,): 1 at the centre of what sounds."""
    sounding = np.einsum("ij,ij->j", frames, frames)
    pitches = np.arange(frames.shape[1])
    centre = float(sounding @ pitches) / max(float(sounding.sum()), 1e-9)
    return np.asarray(1.0 + preference * np.clip(pitches - centre, -12.0, 12.0), dtype=np.float32)


def _change_costs(n_pitches: int, limits: LineLimits) -> NDArray[np.float32]:
    """(from, to) costs between pitches, whether or not a rest lies between; no octave on the diagonal."""
    pitches = np.arange(n_pitches)
    interval = np.abs(pitches[:, None] - pitches[None, :])
    costs = limits.change_cost + limits.leap_cost * np.minimum(interval, 12)
    costs += limits.octave_cost * ((interval % 12 == 0) & (interval > 0))
    return np.asarray(costs, dtype=np.float32)


def _best_path(
    rewards: NDArray[np.float32], onsets: NDArray[np.float32], costs: NDArray[np.float32]
) -> NDArray[np.int16]:
    """Pitch index of every frame (n_frames,), -1 for rest, with the greatest sum of rewards less costs.

    Every pitch has a state for sounding and one for the rest after it, so that a rest does not make the
    next leap free. Entering a pitch whose onset is sure earns `change_cost` times how sure it is; a rest
    earns nothing.
    """
    n_frames, n_pitches = rewards.shape
    discount = costs[0, 0] * onsets  # on the diagonal stands the bare cost of a change
    stay = np.arange(n_pitches)
    came_from = np.empty((n_frames, n_pitches), dtype=np.int16)
    sounds_on = np.empty((n_frames, n_pitches), dtype=np.bool_)
    rests_on = np.empty((n_frames, n_pitches), dtype=np.bool_)
    sounding = np.full(n_pitches, -np.inf, dtype=np.float32)
    resting = np.zeros(n_pitches, dtype=np.float32)
    for frame in range(n_frames):
        before = np.maximum(sounding, resting)
        reached = before[:, None] - costs
        source = reached.argmax(axis=0)
        entered = reached[source, stay] + discount[frame]
        came_from[frame] = source
        rests_on[frame] = resting >= sounding
        sounds_on[frame] = sounding >= entered
        sounding = np.maximum(sounding, entered) + rewards[frame]
        resting = before
    path = np.empty(n_frames, dtype=np.int16)
    best = np.maximum(sounding, resting)
    pitch = int(best.argmax())
    rests = bool(resting[pitch] >= sounding[pitch])
    for frame in range(n_frames - 1, -1, -1):
        path[frame] = -1 if rests else pitch
        if rests:
            rests = bool(rests_on[frame, pitch])
        elif not sounds_on[frame, pitch]:
            pitch = int(came_from[frame, pitch])
            rests = bool(rests_on[frame, pitch])
    return path


def _notes_of_path(path: NDArray[np.int16], acts: Activations, limits: LineLimits) -> tuple[HeardNote, ...]:
    rate = acts.frame_rate_hz
    starts = onset_peaks(acts.onsets, limits.restrike_threshold, min_distance=round(0.05 * rate))
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    notes: list[HeardNote] = []
    for first, stop in pairwise(edges):
        column = int(path[first])
        if column < 0:
            continue
        guard = round(limits.min_duration_s * rate)
        again = np.flatnonzero(starts[first + guard : max(stop - guard, 0), column]) + first + guard
        bounds = [first, *again.tolist(), stop]
        for start, next_start in pairwise(bounds):
            end_s = (start + sounding_frames(acts.frames[start:next_start, column])) / rate
            nearby = slice(max(start - 3, 0), start + 4)
            peak = nearby.start + int(acts.onsets[nearby, column].argmax())
            attack = float(acts.onsets[peak, column])
            onset_s = (peak_position(acts.onsets[:, column], peak) if attack >= 0.3 else float(start)) / rate
            if notes:
                onset_s = max(onset_s, notes[-1].onset_s + limits.min_duration_s)
            if end_s - onset_s < limits.min_duration_s:
                continue
            if notes and notes[-1].end_s > onset_s:
                notes[-1] = replace(notes[-1], end_s=onset_s)
            strength = float(acts.frames[start:next_start, column].mean())
            notes.append(HeardNote(onset_s, end_s, acts.lowest_pitch + column, strength, attack))
    return tuple(notes)
