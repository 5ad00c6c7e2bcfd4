"""Swing and variety of rhythms that are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearrange.analysis.groove import (
    GRID_PER_BEAT,
    bar_rhythms,
    distinct_rhythm_share,
    neighbour_similarity,
    onset_histogram,
    swing_ratio,
)
from rearrange.score import Metre, Note, Role, Timeline, Track

BARS = Timeline.constant(120.0, end_beat=16.0).bars


def part(onsets: list[float], *, pitches: list[int] | None = None, is_drum: bool = False) -> Track:
    notes = tuple(
        Note(onset, 0.2, pitch, 80) for onset, pitch in zip(onsets, pitches or [60] * len(onsets), strict=True)
    )
    return Track("part", Role.DRUMS if is_drum else Role.CHORDS, 0, is_drum, notes)


@given(st.floats(1.3, 3.0), st.floats(0.0, 0.012))
def test_swing_is_measured(ratio: float, jitter: float) -> None:
    offbeat = ratio / (1 + ratio)
    onsets = np.concatenate([np.arange(32.0), np.arange(32.0) + offbeat])
    onsets = onsets + np.random.default_rng(0).normal(0, jitter, 64)
    found, confidence = swing_ratio(onsets)
    assert found == pytest.approx(ratio, rel=0.12)
    assert confidence > 0.5


def test_straight_eighths_are_straight_and_sure() -> None:
    ratio, confidence = swing_ratio(np.arange(0, 32, 0.5))
    assert ratio == 1.0
    assert confidence > 0.9


def test_sixteenths_are_not_swing() -> None:
    assert swing_ratio(np.arange(0, 32, 0.25))[0] == 1.0


def test_without_offbeats_nothing_is_claimed() -> None:
    assert swing_ratio(np.arange(32.0)) == (1.0, 0.0)
    assert swing_ratio(np.array([])) == (1.0, 0.0)


def test_the_same_bar_four_times_is_one_rhythm() -> None:
    track = part([bar * 4 + onset for bar in range(4) for onset in (0.0, 1.5, 2.0)])
    assert distinct_rhythm_share(track, BARS) == 0.25
    assert neighbour_similarity(track, BARS) == 1.0


def test_four_different_bars_are_four_rhythms() -> None:
    track = part([0.0, 4.5, 9.0, 13.5])
    assert distinct_rhythm_share(track, BARS) == 1.0
    assert neighbour_similarity(track, BARS) == 0.0


def test_a_few_milliseconds_do_not_make_another_rhythm() -> None:
    tight = [bar * 4 + onset for bar in range(4) for onset in (0.0, 1.0, 2.5)]
    loose = [onset + 0.02 * (-1) ** i for i, onset in enumerate(tight) if onset > 0]
    assert distinct_rhythm_share(part([0.0, *loose]), BARS) == 0.25


def test_an_anticipation_of_the_bar_line_belongs_to_the_bar_it_leads() -> None:
    assert bar_rhythms(part([3.98]), BARS) == [frozenset({(0, 0)})]


def test_drums_tell_their_voices_apart_and_pitched_parts_do_not() -> None:
    onsets, pitches = [0.0, 4.0], [36, 38]
    assert distinct_rhythm_share(part(onsets, pitches=pitches, is_drum=True), BARS) == 1.0
    assert distinct_rhythm_share(part(onsets, pitches=pitches), BARS) == 0.5


def test_the_histogram_counts_onsets_per_bar() -> None:
    histogram = onset_histogram(part([0.0, 2.5, 4.0, 6.5, 8.0, 12.0]), BARS)
    assert histogram[0] == 1.0
    assert histogram[int(2.5 * GRID_PER_BEAT)] == 0.5
    assert histogram.sum() == pytest.approx(6 / 4)


def test_a_part_that_never_plays() -> None:
    assert distinct_rhythm_share(part([]), BARS) == 0.0
    assert neighbour_similarity(part([]), BARS) == 0.0
    assert not onset_histogram(part([]), BARS).any()
    assert bar_rhythms(part([0.0]), []) == []


def test_bars_of_another_length_keep_their_own_positions() -> None:
    metres = ((0.0, Metre(4, 4)), (4.0, Metre(2, 4)), (6.0, Metre(4, 4)))
    bars = Timeline((0.0, 1.0), (0.0, 0.5), metres, 10.0).bars
    assert bar_rhythms(part([0.0, 4.0, 6.0]), bars) == [frozenset({(0, 0)})] * 3
