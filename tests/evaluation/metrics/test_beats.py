"""Beats and tempo: grids against grids."""

import numpy as np
import pytest

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics import BeatScores, beat_scores, downbeat_f1, tempo_acc1, tempo_acc2

BEATS = np.arange(40) * 0.5  # 120 bpm


def test_the_beats_themselves_and_none() -> None:
    assert beat_scores(BEATS, BEATS) == BeatScores(1.0, 1.0, 1.0)
    assert beat_scores(BEATS, ()) == BeatScores(0.0, 0.0, 0.0)
    assert beat_scores(BEATS, [1.0]).cmlt == 0.0
    assert downbeat_f1(BEATS[::4], BEATS[::4]) == 1.0
    assert downbeat_f1(BEATS[::4], ()) == 0.0


def test_fifty_milliseconds_pass_and_a_hundred_do_not() -> None:
    # 50 ms lie within 70 ms, and are 10 % of the beat, within 17.5 %. 100 ms are 20 %.
    assert beat_scores(BEATS, BEATS + 0.05) == BeatScores(1.0, 1.0, 1.0)
    late = beat_scores(BEATS, BEATS + 0.1)
    assert late.f1 == 0.0
    assert late.cmlt == 0.0


def test_at_a_fast_tempo_fifty_milliseconds_break_continuity_alone() -> None:
    # 240 bpm: 50 ms are 20 % of a beat.
    fast = np.arange(40) * 0.25
    scores = beat_scores(fast, fast + 0.05)
    assert scores.f1 == 1.0
    assert scores.cmlt == 0.0


def test_half_of_the_beats_by_hand() -> None:
    # Every other beat: P = 1, R = 1/2, F1 = 2/3. The wrong level, but an allowed one.
    half = beat_scores(BEATS, BEATS[::2])
    assert half.f1 == pytest.approx(2 / 3)
    assert half.cmlt == 0.0
    assert half.amlt == 1.0


def test_off_beats_are_another_level_only() -> None:
    off = beat_scores(BEATS, BEATS + 0.25)
    assert off.f1 == 0.0
    assert off.cmlt == 0.0
    assert off.amlt > 0.95


def test_one_bar_of_downbeats_off() -> None:
    # Downbeats taken for the second beats: none within 70 ms.
    assert downbeat_f1(BEATS[::4], BEATS[1::4]) == 0.0


@pytest.mark.parametrize(
    ("estimate_bpm", "first", "second"),
    [
        (120.0, 1, 1), (129.0, 1, 1), (130.0, 0, 0), (60.0, 0, 1), (240.0, 0, 1), (40.0, 0, 1), (360.0, 0, 1),
        (90.0, 0, 0),
    ],
)  # fmt: skip
def test_tempo_within_eight_per_cent(estimate_bpm: float, first: int, second: int) -> None:
    assert tempo_acc1(120.0, estimate_bpm) == first
    assert tempo_acc2(120.0, estimate_bpm) == second


def test_void_references_say_why() -> None:
    with pytest.raises(NotMeasurable, match="no beats annotated"):
        beat_scores((), BEATS)
    with pytest.raises(NotMeasurable, match="fewer than four"):
        beat_scores([0.0, 1.0, 2.0], BEATS)
    with pytest.raises(NotMeasurable, match="no downbeats"):
        downbeat_f1((), BEATS)
    with pytest.raises(NotMeasurable, match="not a number"):
        beat_scores(BEATS, [float("nan")])
    with pytest.raises(NotMeasurable, match="no tempo"):
        tempo_acc1(0.0, 120.0)
    with pytest.raises(NotMeasurable, match="not a number"):
        tempo_acc2(float("nan"), 120.0)


@pytest.mark.parametrize("n", [4, 5, 6, 7])
def test_a_few_beats_are_enough(n: int) -> None:
    assert beat_scores(BEATS[:n], BEATS[:n]) == BeatScores(1.0, 1.0, 1.0)
