"""How sure a mean over songs is.

Conventions: the song is the unit. Genres and seeds of one song are no independent evidence, so a song's figures
are averaged first, and songs, not figures, are drawn again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics.columns import finite

__all__ = ["Interval", "bootstrap_interval"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its confidence interval; low and high are None for one song, of which no spread is known."""

    mean: float
    low: float | None
    high: float | None


def bootstrap_interval(
    values: Mapping[str, Sequence[float]],
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    n: int = 1000,
) -> Interval:
    """Mean over songs of each song's mean, with the percentile interval of a bootstrap over songs.

    Parameters
    ----------
    values : figures by song; songs without figures are left out
    confidence : in (0, 1)
    n : how many times as many songs as there are drawn with replacement

    Raises
    ------
    NotMeasurable : no song has a figure, or one of them is not a number.
    ValueError : confidence or n is out of range.

    Source: B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    if not 0.0 < confidence < 1.0 or n < 1:
        raise ValueError("a bootstrap needs a confidence in (0, 1) and at least one draw")
    songs = np.array([finite(figures, "figures").mean() for figures in values.values() if len(figures)])
    if len(songs) == 0:
        raise NotMeasurable("no figures")
    mean = float(songs.mean())
    if len(songs) == 1:
        return Interval(mean, None, None)
    means = songs[rng.integers(len(songs), size=(n, len(songs)))].mean(axis=1)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return Interval(mean, float(low), float(high))
