"""Style fit: how alike the rhythm, touch and figures of two bodies of music are, part by part.

Conventions: a part is drums, bass or accompaniment (chords, pad, arpeggio and counter together); the melody is the
song's and has no part in it. Each part has five histograms of its notes. Onsets are steps of a twelfth of a beat
from the bar line, rounded, so that a player's deviation of less than 1/24 beat stays in its step; the bar has 48.
Drums are folded to one General MIDI pitch per kind first.

Bars of other metres: positions are counted from the bar line in the same steps. A bar of three quarter notes
(3/4, 6/8) leaves the last twelve empty; what lies beyond the fourth beat of a longer bar counts at its position
less four beats. So metres can be compared with their like, and less so with each other. Pickups and what sounds
after the last bar are left out.

Source: style profiles of O. Cifka et al., "Groove2Groove: One-Shot Music Style Transfer with Supervision from
Synthetic Data" (IEEE/ACM TASLP 28, 2020), there with bins of 1/6 beat, onset x duration, onset x velocity and
interval x time difference for pitched parts, onset x drum and onset x velocity for drums. Ours differ: bins of
1/12 beat centred on the grid, onset alone as well, all five for every part, durations in ratio steps, pitches of
pitched parts by half octaves (their register; the key is the song's).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics.columns import (
    GRID_PER_BEAT,
    Floats,
    Integers,
    NoteColumns,
    bar_positions,
    note_columns,
)
from rearrange.score import Bar, Role, Track

__all__ = ["HISTOGRAM_SHAPES", "STYLE_PARTS", "StyleFit", "StyleHistograms", "style_fit", "style_histograms"]

STYLE_PARTS = ("drums", "bass", "accompaniment")
_ACCOMPANIMENT = (Role.CHORDS, Role.PAD, Role.ARPEGGIO, Role.COUNTER)

_ONSET_STEPS = 4 * GRID_PER_BEAT
# Upper edges of durations in beats: from a thirty-second to a bar, two steps to the octave.
_DURATION_EDGES_BEAT = 0.125 * 2.0 ** (np.arange(1, 11) / 2)
_VELOCITY_STEP, _N_VELOCITIES = 16, 8
_PITCH_STEP, _N_PITCHES = 6, 22  # half octaves of 0..127
_DRUM_KINDS = (36, 37, 38, 39, 42, 44, 46, 45, 47, 50, 49, 51, 54, 56, 60, 63, 65, 67, 69, 75, 80)
_OTHER_DRUM = len(_DRUM_KINDS)
_WIDEST_INTERVAL, _LONGEST_GAP_BEAT = 20, 4  # as in Groove2Groove

HISTOGRAM_SHAPES: Mapping[str, tuple[int, ...]] = {
    "onset": (_ONSET_STEPS,),
    "onset_duration": (_ONSET_STEPS, len(_DURATION_EDGES_BEAT) + 1),
    "onset_velocity": (_ONSET_STEPS, _N_VELOCITIES),
    "onset_pitch": (_ONSET_STEPS, _N_PITCHES),
    "interval_time": (2 * _WIDEST_INTERVAL + 1, _LONGEST_GAP_BEAT * GRID_PER_BEAT),
}

# General MIDI percussion that is one drum to a listener: kicks, snares, toms by height, crashes, rides and so on.
_SAME_DRUM = {
    35: 36, 40: 38, 41: 45, 43: 45, 48: 50, 52: 49, 55: 49, 57: 49, 53: 51, 59: 51, 61: 60, 62: 63, 64: 63,
    66: 65, 68: 67, 70: 69, 82: 69, 76: 75, 77: 75, 81: 80,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class StyleHistograms:
    """Counts by `<part>_<histogram>`, of the shapes in HISTOGRAM_SHAPES; parts that never play have none.

    Sums with `+`: histograms of many songs are the sum of each song's. `counts` can go to `numpy.savez` as it is,
    and come back through StyleHistograms(dict(numpy.load(...))).
    """

    counts: Mapping[str, Floats]

    def __add__(self, other: "StyleHistograms") -> "StyleHistograms":
        names = [*self.counts, *(name for name in other.counts if name not in self.counts)]
        return StyleHistograms({name: _sum(self.counts.get(name), other.counts.get(name)) for name in names})

    def normalised(self) -> "StyleHistograms":
        """Each histogram summing to 1, so that a long song weighs no more than a short one in a sum."""
        return StyleHistograms({name: count / max(float(count.sum()), 1.0) for name, count in self.counts.items()})

    def parts(self) -> tuple[str, ...]:
        """The parts that play."""
        return tuple(part for part in STYLE_PARTS if f"{part}_onset" in self.counts)


@dataclass(frozen=True, slots=True)
class StyleFit:
    """Cosine per part, and their mean; parts of which the reference has nothing are left out."""

    mean: float
    by_part: Mapping[str, float]


def _sum(a: Floats | None, b: Floats | None) -> Floats:
    if a is None or b is None:
        present = a if a is not None else b
        assert present is not None
        return present
    return np.asarray(a + b)


def style_histograms(tracks: Sequence[Track], bars: Sequence[Bar]) -> StyleHistograms:
    """The five histograms of drums, bass and accompaniment.

    Parameters
    ----------
    tracks, bars : in the same beats (an arrangement's tracks with its own timeline's bars)

    Raises
    ------
    NotMeasurable : there are no bars, or a note's time is not a number.
    """
    if not bars:
        raise NotMeasurable("shorter than a bar")
    counts: dict[str, Floats] = {}
    for track in tracks:
        part = _part(track)
        if part is None or not track.notes:
            continue
        notes = note_columns(track.notes)
        index, position = bar_positions(notes.onset_beat, bars)
        inside = index >= 0
        if not inside.any():
            continue
        for name, histogram in _histograms(notes, position % _ONSET_STEPS, inside, track.is_drum).items():
            counts[f"{part}_{name}"] = _sum(counts.get(f"{part}_{name}"), histogram)
    return StyleHistograms(counts)


def _part(track: Track) -> str | None:
    if track.is_drum:
        return "drums"
    if track.role is Role.BASS:
        return "bass"
    return "accompaniment" if track.role in _ACCOMPANIMENT else None


def _histograms(
    notes: NoteColumns, position: Integers, inside: NDArray[np.bool_], is_drum: bool
) -> dict[str, Floats]:
    """One track's histograms; `position` is the step in the bar, `inside` whether the onset lies in any bar."""
    pitch = _folded_drums(notes.pitch) if is_drum else notes.pitch
    kind = _drum_kind(pitch) if is_drum else np.clip(pitch // _PITCH_STEP, 0, _N_PITCHES - 1)
    duration = np.searchsorted(_DURATION_EDGES_BEAT, notes.duration_beat)
    velocity = np.clip(notes.velocity // _VELOCITY_STEP, 0, _N_VELOCITIES - 1).astype(np.int64)
    second = {"onset_duration": duration, "onset_velocity": velocity, "onset_pitch": kind}
    return {
        "onset": np.bincount(position[inside], minlength=_ONSET_STEPS).astype(np.float64),
        **{name: _counted(name, position[inside], value[inside]) for name, value in second.items()},
        "interval_time": _interval_times(notes.onset_beat[inside], pitch[inside]),
    }


def _counted(name: str, rows: Integers, columns: Integers) -> Floats:
    shape = HISTOGRAM_SHAPES[name]
    cells = rows * shape[1] + columns
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)


def _interval_times(onsets_beat: Floats, pitch: Integers) -> Floats:
    """Pitch difference against distance in time, of all pairs less than four beats apart; (41, 48).

    A pair counts once, the later note less the earlier; of notes in the same step, the higher less the lower.
    Wider intervals than 20 semitones are left out.
    """
    grid = np.rint(onsets_beat * GRID_PER_BEAT).astype(np.int64)
    order = np.lexsort((pitch, grid))
    grid, pitch = grid[order], pitch[order]
    n_steps = HISTOGRAM_SHAPES["interval_time"][1]
    first = np.arange(len(grid))
    n_partners = np.searchsorted(grid, grid + n_steps, side="left") - first - 1
    earlier = np.repeat(first, n_partners)
    within = np.arange(len(earlier)) - np.repeat(np.cumsum(n_partners) - n_partners, n_partners)
    later = earlier + 1 + within
    interval = pitch[later] - pitch[earlier]
    narrow = np.abs(interval) <= _WIDEST_INTERVAL
    return _counted("interval_time", interval[narrow] + _WIDEST_INTERVAL, (grid[later] - grid[earlier])[narrow])


def _folded_drums(pitch: Integers) -> Integers:
    table = np.arange(128)
    table[list(_SAME_DRUM)] = list(_SAME_DRUM.values())
    return np.asarray(table[np.clip(pitch, 0, 127)])


def _drum_kind(pitch: Integers) -> Integers:
    table = np.full(128, _OTHER_DRUM)
    table[list(_DRUM_KINDS)] = np.arange(len(_DRUM_KINDS))
    return np.asarray(table[pitch])


def style_fit(
    estimate: StyleHistograms, reference: StyleHistograms, *, parts: Sequence[str] = STYLE_PARTS
) -> StyleFit:
    """Mean cosine of histograms: over the five of each part, then over the parts.

    Parameters
    ----------
    parts : which to compare, of those that the reference has

    Returns
    -------
    In [0, 1]; a part that the reference has and the estimate lacks scores 0.

    Raises
    ------
    NotMeasurable : the reference has none of these parts.
    """
    compared = [part for part in parts if part in reference.parts()]
    if not compared:
        raise NotMeasurable(f"the reference has no {' or '.join(parts)}")
    by_part = {part: _part_fit(part, estimate, reference) for part in compared}
    return StyleFit(float(np.mean(list(by_part.values()))), by_part)


def _part_fit(part: str, estimate: StyleHistograms, reference: StyleHistograms) -> float:
    cosines = []
    for name in HISTOGRAM_SHAPES:
        ours, theirs = estimate.counts.get(f"{part}_{name}"), reference.counts[f"{part}_{name}"]
        length = float(np.linalg.norm(theirs))
        if length == 0.0:  # a part of single far notes has no interval within four beats
            continue
        norm = 0.0 if ours is None else float(np.linalg.norm(ours)) * length
        cosines.append(float(np.vdot(ours, theirs)) / norm if ours is not None and norm > 0 else 0.0)
    return float(np.mean(cosines))
