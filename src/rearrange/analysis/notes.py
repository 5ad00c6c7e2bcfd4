"""Notes as heard become notes as played: how loud each was, whether it is audible, and which lead.

`to_events` gives `HeardNote`s a velocity, `audible` drops what another stem's leakage left behind, and
`leading_line` picks the melody from notes that sound together, heard or from a MIDI file.

Conventions: seconds, MIDI pitches, velocities 1..127, levels in dBFS (RMS; full-scale square wave = 0 dB);
parts sorted by onset, then pitch.

Sources: velocity and level: General MIDI 2, where gain is (velocity / 127) squared. The skyline:
Uitdenbogerd and Zobel, "Melodic matching techniques for large music databases", ACM Multimedia 1999; the
weights of continuity are ours, set on POP909 (see `leading_line`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.decoding import HeardNote
from rearrange.score import NoteEvent

__all__ = [
    "SILENCE_DB",
    "LevelCurve",
    "audible",
    "leading_line",
    "level_curve",
    "sum_of_levels",
    "to_events",
]

SILENCE_DB = -120.0

# Nobody hears a stem this far below everything that sounds with it, nor below this level at all (16-bit
# dither is near -96 dBFS, a quiet room's noise near -70).
MASKED_DB = -30.0
INAUDIBLE_DBFS = -75.0

# A note is as loud as the recording gets within this time of its onset: a plucked string peaks at once, a
# bowed one needs most of it.
ATTACK_S = 0.1

# A part's median note is played at this velocity, mezzo-forte to forte; the others follow the level.
MEDIAN_VELOCITY = 80
QUIETEST_VELOCITY, LOUDEST_VELOCITY = 20, 120

# What makes a leading line, in `leading_line`. On the first sixteen of forty POP909 songs (tracks merged)
# these find 0.90 of the melody's notes (0.88 in the others), and 0.93 of what they choose at a melody's onset
# is the melody; a plain skyline finds 0.76.
TOGETHER_S = 0.04  # notes closer than this start together
LONG_S = 0.25  # a longer note is worth no more
COVERED_SHARE = 0.8  # of its worth keeps a note under a higher one
REGISTER_SEMITONES = 4.0  # slope of the preference for what lies above the middle of all notes
LOW_SHARE = 0.2  # of its worth keeps the lowest note, so that a solo is followed all the way down
LOUDNESS_POWER = 1.5
STEP_SEMITONES = 2.0  # free of charge
LEAP_COST = 0.012  # per semitone beyond, in seconds of a loud note
BREATH_S = 0.5  # a rest of this length takes most of a leap's cost away
LOOK_BACK_S, LOOK_BACK_NOTES = 8.0, 64  # how far a line may rest


@dataclass(frozen=True, eq=False)
class LevelCurve:
    """RMS level over time: `level_db[i]` is that of the time from i * hop_s to (i + 1) * hop_s."""

    level_db: NDArray[np.float32]
    hop_s: float

    def index(self, time_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """The step that holds each time, the nearest one outside the curve."""
        return np.clip(time_s / self.hop_s, 0, max(len(self.level_db) - 1, 0)).astype(np.int64)

    def peak_db(self, start_s: NDArray[np.float64], stop_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """The highest level between two times, for arrays of times."""
        first, last = self.index(start_s), self.index(stop_s) + 1
        peaks = (self.level_db[a:b].max(initial=SILENCE_DB) for a, b in zip(first, last, strict=True))
        return np.fromiter(peaks, dtype=np.float64, count=len(first))


def level_curve(samples: NDArray[np.float32], sample_rate: int, *, hop_s: float = 0.02) -> LevelCurve:
    """Measure the level of mono samples (n_samples,) in steps of about `hop_s`."""
    hop = max(round(hop_s * sample_rate), 1)
    whole = len(samples) // hop * hop
    power = np.einsum("ij,ij->i", samples[:whole].reshape(-1, hop), samples[:whole].reshape(-1, hop)) / hop
    if whole < len(samples):
        rest = samples[whole:]
        power = np.append(power, np.dot(rest, rest) / hop)
    level_db = 10.0 * np.log10(power + 10.0 ** (SILENCE_DB / 10.0))
    return LevelCurve(level_db.astype(np.float32), hop / sample_rate)


def to_events(notes: Sequence[HeardNote], loud_db: NDArray[np.float64]) -> tuple[NoteEvent, ...]:
    """Give each note a velocity, from how loud it starts.

    The median note gets MEDIAN_VELOCITY, and 12 dB are a factor of two (General MIDI 2).

    Parameters
    ----------
    loud_db : of each note
    """
    if not notes:
        return ()
    velocity = MEDIAN_VELOCITY * 10.0 ** ((loud_db - np.median(loud_db)) / 40.0)
    velocity = np.clip(np.rint(velocity), QUIETEST_VELOCITY, LOUDEST_VELOCITY).astype(int)
    return tuple(
        NoteEvent(max(note.onset_s, 0.0), note.end_s - max(note.onset_s, 0.0), note.pitch, v, note.confidence)
        for note, v in zip(notes, velocity.tolist(), strict=True)
    )


def sum_of_levels(curves: Sequence[LevelCurve], *, smooth_s: float = 1.0) -> LevelCurve:
    """The level of several stems together, averaged over `smooth_s` (stems add by power).

    Raises
    ------
    ValueError : no curves, or not of one hop.
    """
    from scipy.ndimage import uniform_filter1d

    if not curves or len({round(curve.hop_s, 6) for curve in curves}) != 1:
        raise ValueError("levels can be summed only if there are some, of one hop")
    power = np.zeros(max(len(curve.level_db) for curve in curves))
    for curve in curves:
        power[: len(curve.level_db)] += 10.0 ** (curve.level_db.astype(np.float64) / 10.0)
    if len(power):
        power = uniform_filter1d(power, max(round(smooth_s / curves[0].hop_s), 1), mode="nearest")
    level_db = 10.0 * np.log10(np.maximum(power, 10.0 ** (SILENCE_DB / 10.0)))
    return LevelCurve(level_db.astype(np.float32), curves[0].hop_s)


def audible(notes: Sequence[NoteEvent], level: LevelCurve, everything: LevelCurve) -> tuple[NoteEvent, ...]:
    """Keep the notes of a stem that can be heard among all the stems.

    Parameters
    ----------
    level : of the stem the notes were heard in
    everything : of all stems together, from `sum_of_levels`
    """
    if not notes:
        return ()
    onset_s = np.array([note.onset_s for note in notes])
    loud_db = level.peak_db(onset_s - 0.02, onset_s + ATTACK_S)
    floor_db = np.maximum(everything.level_db[everything.index(onset_s)] + MASKED_DB, INAUDIBLE_DBFS)
    return tuple(note for note, heard in zip(notes, loud_db >= floor_db, strict=True) if heard)


def leading_line(notes: Sequence[NoteEvent]) -> tuple[NoteEvent, ...]:
    """Pick the melody from notes that sound together: a skyline that does not leap after single notes.

    A note is worth its length (to LONG_S), more if it is loud, sure and high among all the notes, less
    under a higher one. The line with the greatest worth is found whole; leaps cost, unless a rest goes before
    them, and so does cutting a note short. Where the melody rests, the line follows what else leads.

    Returns
    -------
    Notes of one voice, sorted by onset, that do not overlap.
    """
    ordered = sorted(notes, key=lambda note: (note.onset_s, note.pitch))
    if not ordered:
        return ()
    onset = np.array([note.onset_s for note in ordered])
    end = np.array([note.onset_s + max(note.duration_s, 1e-3) for note in ordered])
    pitch = np.array([note.pitch for note in ordered], dtype=np.float64)
    worth = _worth(ordered, onset, end, pitch)
    best = worth.copy()
    before = np.full(len(ordered), -1)
    firsts = np.maximum(np.searchsorted(onset, onset - LOOK_BACK_S), np.arange(len(onset)) - LOOK_BACK_NOTES)
    lasts = np.searchsorted(onset, onset - TOGETHER_S)
    for i, (first, last) in enumerate(zip(firsts.tolist(), lasts.tolist(), strict=True)):
        if last <= first:
            continue
        past = slice(first, last)
        rest_s = np.maximum(onset[i] - end[past], 0.0)
        leap = np.maximum(np.abs(pitch[i] - pitch[past]) - STEP_SEMITONES, 0.0) * np.exp(-rest_s / BREATH_S)
        cut_share = np.clip((end[past] - onset[i]) / (end[past] - onset[past]), 0.0, 1.0)
        reached = best[past] - LEAP_COST * leap - cut_share * worth[past]
        k = int(reached.argmax())
        if reached[k] > 0.0:
            best[i] += reached[k]
            before[i] = first + k
    line: list[NoteEvent] = []
    at = int(best.argmax())
    while at >= 0:
        note = ordered[at]
        room_s = line[-1].onset_s - note.onset_s if line else note.duration_s
        line.append(replace(note, duration_s=min(note.duration_s, room_s)))
        at = int(before[at])
    return tuple(reversed(line))


def _worth(
    ordered: Sequence[NoteEvent],
    onset: NDArray[np.float64],
    end: NDArray[np.float64],
    pitch: NDArray[np.float64],
) -> NDArray[np.float64]:
    """What each note adds to a line, in seconds of a loud note."""
    velocity = np.array([note.velocity for note in ordered], dtype=np.float64)
    loudness = (velocity / max(float(np.median(velocity)), 1.0)) ** LOUDNESS_POWER
    confidence = np.array([note.confidence for note in ordered])
    above = 1.0 / (1.0 + np.exp(-(pitch - np.median(pitch)) / REGISTER_SEMITONES))
    height = LOW_SHARE + (1.0 - LOW_SHARE) * above
    firsts = np.maximum(np.searchsorted(onset, onset - LOOK_BACK_S), np.arange(len(onset)) - LOOK_BACK_NOTES)
    lasts = np.searchsorted(onset, onset + TOGETHER_S)
    covered = np.array(
        [
            np.any((pitch[first:last] > pitch[i]) & (end[first:last] > onset[i] + TOGETHER_S))
            for i, (first, last) in enumerate(zip(firsts.tolist(), lasts.tolist(), strict=True))
        ]
    )
    worth = np.minimum(end - onset, LONG_S) * loudness * confidence * height
    return np.asarray(np.where(covered, COVERED_SHARE * worth, worth), dtype=np.float64)
