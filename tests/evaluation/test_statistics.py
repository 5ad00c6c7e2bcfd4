"""Intervals over songs: a constant has none, more songs narrow it, genres of one song do not."""

import numpy as np
import pytest

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.statistics import bootstrap_interval


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_the_same_figure_everywhere_has_no_spread() -> None:
    interval = bootstrap_interval({"a": [0.5], "b": [0.5, 0.5]}, rng=rng())
    assert (interval.mean, interval.low, interval.high) == (0.5, 0.5, 0.5)


def test_a_song_counts_once_however_often_it_was_measured() -> None:
    # Song means 1 and 0: their mean is 1/2, not 3/4 as over the figures.
    assert bootstrap_interval({"a": [1.0, 1.0, 1.0], "b": [0.0]}, rng=rng()).mean == 0.5


def test_two_songs_give_the_quantiles_of_what_can_be_drawn() -> None:
    # Drawn with replacement: means 0, 1/2 and 1 with chances 1/4, 1/2 and 1/4, so 95 % reaches from 0 to 1,
    # and the middle 40 % is 1/2 alone.
    assert bootstrap_interval({"a": [0.0], "b": [1.0]}, rng=rng()).low == 0.0
    assert bootstrap_interval({"a": [0.0], "b": [1.0]}, rng=rng()).high == 1.0
    narrow = bootstrap_interval({"a": [0.0], "b": [1.0]}, rng=rng(), confidence=0.4)
    assert (narrow.low, narrow.high) == (0.5, 0.5)


def test_the_interval_is_that_of_the_mean() -> None:
    """Of 400 normal figures the mean lies within ±1.96 / 20 of the true one."""
    figures = np.random.default_rng(1).normal(size=400)
    interval = bootstrap_interval({str(i): [x] for i, x in enumerate(figures)}, rng=rng(), n=2000)
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < interval.mean < interval.high
    assert (interval.high - interval.low) / 2 == pytest.approx(1.96 / 20, rel=0.1)


def test_the_same_generator_gives_the_same_interval() -> None:
    songs = {"a": [0.1], "b": [0.4], "c": [0.9]}
    assert bootstrap_interval(songs, rng=rng()) == bootstrap_interval(songs, rng=rng())


def test_one_song_has_no_interval_and_none_no_mean() -> None:
    one = bootstrap_interval({"a": [0.2, 0.4], "b": []}, rng=rng())
    assert one.mean == pytest.approx(0.3)
    assert one.low is None
    assert one.high is None
    with pytest.raises(NotMeasurable, match="no figures"):
        bootstrap_interval({"a": []}, rng=rng())
    with pytest.raises(NotMeasurable, match="not a number"):
        bootstrap_interval({"a": [float("nan")]}, rng=rng())


def test_senseless_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="confidence"):
        bootstrap_interval({"a": [1.0]}, rng=rng(), confidence=1.0)
