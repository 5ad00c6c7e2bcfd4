"""How clean the stems are that a separator makes of banked takes, be it in training or finished."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from rearrange.audio import Audio
from rearrange.evaluation.metrics.separation import separation_sdr
from rearrange.models.separator import SAMPLE_RATE, STEMS
from rearrange.training.bank import read_banked

__all__ = ["mean_scores"]

_MEASURED_S = 10.0  # of each take


def mean_scores(takes: Sequence[Path], separate: Callable[[Audio], Mapping[str, Audio]]) -> dict[str, float]:
    """Mean SI-SDR in dB of each stem over the beginnings of banked takes; "all" is the mean of these.

    Takes of which only one stem sounds there are left out.

    Parameters
    ----------
    separate : makes stems of a mix
    """
    each: dict[str, list[float]] = {stem: [] for stem in STEMS}
    n_samples = round(_MEASURED_S * SAMPLE_RATE)
    for path in takes:
        take = read_banked(path)
        truth = {stem: Audio(samples[:, :n_samples], SAMPLE_RATE) for stem, samples in take.stems.items()}
        if sum(bool(np.any(stem.samples)) for stem in truth.values()) > 1:
            heard = separate(Audio(take.mix[:, :n_samples], SAMPLE_RATE))
            for stem, score in separation_sdr(truth, heard).items():
                each[stem].append(score)
    means = {stem: float(np.mean(scores)) for stem, scores in each.items() if scores}
    return {**means, "all": float(np.mean(list(means.values())))}
