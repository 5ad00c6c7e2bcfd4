"""Rhythm measured: swing, and how varied a part's bars are.

Conventions: onsets in beats (quarter notes); bars as `Timeline.bars` has them. Rhythm is compared on a grid of 12
positions per beat, which holds sixteenths and triplets; for drums the voice counts too.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rearrange.score import Bar, Track

__all__ = [
    "GRID_PER_BEAT",
    "bar_rhythms",
    "distinct_rhythm_share",
    "neighbour_similarity",
    "onset_histogram",
    "swing_ratio",
]

Floats = NDArray[np.float64]
Rhythm = frozenset[tuple[int, int]]

GRID_PER_BEAT = 12
_NEAREST = np.array([0, 0, 3, 3, 4, 6, 6, 6, 8, 9, 9, 12])  # of each step, in sixteenths and triplets
_OFFBEATS = (0.42, 0.80)  # where the second eighth of a swung or straight pair lies, in the beat
_FEWEST_OFFBEATS = 12
_STRAIGHT = 0.5
_LARGEST_SWING = 3.0


def swing_ratio(onsets_beat: Floats, weights: Floats | None = None) -> tuple[float, float]:
    """Long:short ratio of eighths, and how sure it is.

    The weighted median position of the notes near the middle of the beat; notes on sixteenths before and after it
    speak against swing.

    Returns
    -------
    (ratio in [1, 3], confidence in [0, 1]); straight with confidence 0 if there are fewer than 12 off-beat notes.
    """
    onsets = np.asarray(onsets_beat, dtype=np.float64)
    within = onsets % 1.0
    near = (within > _OFFBEATS[0]) & (within < _OFFBEATS[1])
    if near.sum() < _FEWEST_OFFBEATS:
        return 1.0, 0.0
    positions = within[near]
    load = np.ones(len(positions)) if weights is None else np.asarray(weights, dtype=np.float64)[near]
    order = np.argsort(positions)
    total = np.cumsum(load[order])
    middle = float(positions[order][int(np.searchsorted(total, total[-1] / 2))])
    spread = float(np.median(np.abs(positions - middle)))
    early_sixteenths = float(np.mean((within > 0.2) & (within < 0.3)))
    confidence = float(np.clip(1.0 - spread / 0.08, 0.0, 1.0) * np.clip(1.0 - 4.0 * early_sixteenths, 0.0, 1.0))
    ratio = float(np.clip(middle / (1.0 - middle), 1.0, _LARGEST_SWING))
    # Within the timing noise of a straight eighth, or unsure of it, the eighths are straight.
    if abs(middle - _STRAIGHT) < 0.03 or confidence < 0.2:
        return 1.0, confidence
    return ratio, confidence


def bar_rhythms(track: Track, bars: Sequence[Bar]) -> list[Rhythm]:
    """The rhythm of every bar in which a track plays: (grid position, voice), voice 0 for pitched parts."""
    if not bars:
        return []
    starts = np.array([bar.onset_beat for bar in bars])
    beat, step = np.divmod(np.rint([note.onset_beat * GRID_PER_BEAT for note in track.notes]), GRID_PER_BEAT)
    position = beat.astype(np.int64) * GRID_PER_BEAT + _NEAREST[step.astype(np.int64)]
    bar = np.searchsorted(starts, position / GRID_PER_BEAT + 1e-6, side="right") - 1
    inside = (bar >= 0) & (position / GRID_PER_BEAT < bars[-1].end_beat)
    in_bar = position - np.rint(starts[np.maximum(bar, 0)] * GRID_PER_BEAT).astype(np.int64)
    voice = [note.pitch if track.is_drum else 0 for note in track.notes]
    rhythms: dict[int, set[tuple[int, int]]] = {}
    for i, at, drum, plays in zip(bar.tolist(), in_bar.tolist(), voice, inside.tolist(), strict=True):
        if plays:
            rhythms.setdefault(i, set()).add((at, drum))
    return [frozenset(rhythms[bar]) for bar in sorted(rhythms)]


def distinct_rhythm_share(track: Track, bars: Sequence[Bar]) -> float:
    """Number of different rhythms over the number of bars in which the track plays; 0 if it never does."""
    rhythms = bar_rhythms(track, bars)
    return len(set(rhythms)) / len(rhythms) if rhythms else 0.0


def neighbour_similarity(track: Track, bars: Sequence[Bar]) -> float:
    """Mean overlap (intersection over union) of the rhythms of successive bars; 0 for fewer than two."""
    rhythms = bar_rhythms(track, bars)
    shares = [len(a & b) / len(a | b) for a, b in pairwise(rhythms)]
    return float(np.mean(shares)) if shares else 0.0


def onset_histogram(track: Track, bars: Sequence[Bar], *, beats: float = 4.0) -> Floats:
    """Onsets per bar at each grid position of a bar of that many beats (beats * 12,); sums to onsets per bar."""
    histogram = np.zeros(round(beats * GRID_PER_BEAT))
    rhythms = bar_rhythms(track, bars)
    for rhythm in rhythms:
        for position in {position for position, _ in rhythm}:
            if position < len(histogram):
                histogram[position] += 1.0
    return histogram / max(len(rhythms), 1)
