"""Beats, downbeats and tempo: whether we count as the band does.

Conventions: times in seconds; nothing is trimmed at the start, since excerpts begin inside a song (mir_eval's own
evaluate() drops the first five seconds). An empty estimate scores 0; a reference without beats is NotMeasurable.
Source: mir_eval.beat (C. Raffel et al., ISMIR 2014), after M. Davies et al., "Evaluation Methods for Musical Audio
Beat Tracking Algorithms" (2009).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics.columns import finite
from rearrange.evaluation.metrics.quiet import empty_allowed

__all__ = ["BeatScores", "beat_scores", "downbeat_f1", "tempo_acc1", "tempo_acc2"]

Floats = NDArray[np.float64]
Times = Sequence[float] | Floats

BEAT_TOLERANCE_S = 0.07
TEMPO_TOLERANCE = 0.08  # mir_eval.tempo's; F. Gouyon et al. (2006) ask for 0.04
_FEWEST_BEATS = 4  # for CMLt and AMLt: the reference at half tempo must keep two
_LEVELS = (1.0, 2.0, 3.0, 1 / 2, 1 / 3)


@dataclass(frozen=True, slots=True)
class BeatScores:
    """F1 within 70 ms; CMLt and AMLt, the shares of beats that go on at the right tempo and phase, or at half or
    double tempo or off-beat."""

    f1: float
    cmlt: float
    amlt: float


def beat_scores(reference_s: Times, estimate_s: Times) -> BeatScores:
    """F1, CMLt and AMLt of beats.

    Raises
    ------
    NotMeasurable : fewer than four beats in the reference, or a time is not a number.

    Source: mir_eval.beat.f_measure and mir_eval.beat.continuity (17.5 % of the beat for phase and period).
    """
    from mir_eval import beat

    theirs, ours = _times(reference_s), _times(estimate_s)
    if len(theirs) < _FEWEST_BEATS:
        raise NotMeasurable("no beats annotated" if len(theirs) == 0 else "fewer than four beats annotated")
    with empty_allowed():
        _, cmlt, _, amlt = beat.continuity(theirs, ours)
    return BeatScores(_f1(theirs, ours), float(cmlt), float(amlt))


def downbeat_f1(reference_s: Times, estimate_s: Times) -> float:
    """F1 of downbeats within 70 ms.

    Raises
    ------
    NotMeasurable : the reference has no downbeats, or a time is not a number.

    Source: mir_eval.beat.f_measure.
    """
    theirs, ours = _times(reference_s), _times(estimate_s)
    if len(theirs) == 0:
        raise NotMeasurable("no downbeats annotated")
    return _f1(theirs, ours)


def _times(times_s: Times) -> Floats:
    return np.unique(finite(times_s, "beats"))


def _f1(reference: Floats, estimate: Floats) -> float:
    from mir_eval import beat

    with empty_allowed():
        return float(beat.f_measure(reference, estimate, f_measure_threshold=BEAT_TOLERANCE_S))


def tempo_acc1(reference_bpm: float, estimate_bpm: float) -> float:
    """1 if the tempo is within 8 % of the true one, else 0.

    Raises
    ------
    NotMeasurable : the reference is not a positive number, or the estimate is NaN.

    Source: Accuracy 1 of F. Gouyon et al., "An experimental comparison of audio tempo induction algorithms"
    (2006), with the tolerance of mir_eval.tempo.
    """
    return float(_near(reference_bpm, estimate_bpm, (1.0,)))


def tempo_acc2(reference_bpm: float, estimate_bpm: float) -> float:
    """1 if the tempo is within 8 % of the true one, or of its double, triple, half or third, else 0.

    Raises
    ------
    NotMeasurable : the reference is not a positive number, or the estimate is NaN.

    Source: Accuracy 2 of Gouyon et al. (2006).
    """
    return float(_near(reference_bpm, estimate_bpm, _LEVELS))


def _near(reference_bpm: float, estimate_bpm: float, levels: Sequence[float]) -> bool:
    finite([reference_bpm, estimate_bpm], "tempo")
    if reference_bpm <= 0.0:
        raise NotMeasurable("no tempo annotated")
    allowed = [reference_bpm * level for level in levels]
    return any(abs(estimate_bpm - tempo) <= TEMPO_TOLERANCE * tempo for tempo in allowed)
