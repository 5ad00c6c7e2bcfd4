"""Variety: bars counted by hand, spreads of a few notes."""

import numpy as np
import pytest

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics import distinct_rhythm, groove_similarity, micro_timing_ms, velocity_spread
from rearrange.score import Note, Role, Timeline, Track

TIMELINE = Timeline.constant(120.0, end_beat=16)  # four bars, a beat is 500 ms
BARS = TIMELINE.bars


def part(onsets: list[float], role: Role = Role.BASS, name: str = "", velocity: int = 80) -> Track:
    notes = tuple(Note(beat, 0.25, 40, velocity) for beat in onsets)
    return Track(name or role.value, role, 0, role is Role.DRUMS, notes)


# Bars: 1 3 | 1 3 | 1 2 3 | rest. Rhythms: two different ones in three bars played.
BASS = part([0, 2, 4, 6, 8, 9, 10])
# Every bar the same.
PAD = part([0, 4, 8, 12], Role.PAD)


def test_distinct_rhythms_by_hand() -> None:
    assert distinct_rhythm([BASS], BARS) == pytest.approx(2 / 3)
    assert distinct_rhythm([PAD], BARS) == pytest.approx(1 / 4)
    assert distinct_rhythm([BASS, PAD], BARS) == pytest.approx((2 / 3 + 1 / 4) / 2)
    every_bar_new = part([0, 4, 5, 8, 8.5, 12, 13, 14])
    assert distinct_rhythm([every_bar_new], BARS) == 1.0


def test_neighbours_by_hand() -> None:
    # {1,3} and {1,3}: 1. {1,3} and {1,2,3}: 2 of 3. Mean 5/6. The pad: 1.
    assert groove_similarity([BASS], BARS) == pytest.approx(5 / 6)
    assert groove_similarity([PAD], BARS) == 1.0


def test_melody_and_its_double_do_not_count() -> None:
    others = [part([0, 1, 2.5], Role.MELODY), part([0, 1, 2.5], Role.COUNTER, "melody double")]
    assert distinct_rhythm([PAD, *others], BARS) == pytest.approx(1 / 4)
    assert distinct_rhythm(others, BARS) == 0.0
    assert groove_similarity(others, BARS) == 0.0


def test_velocities_by_hand() -> None:
    # 70 and 90: standard deviation 10. A part of one force: 0.
    two = Track("", Role.BASS, 0, False, (Note(0, 1, 40, 70), Note(1, 1, 40, 90)))
    assert velocity_spread([two]) == pytest.approx(10.0)
    assert velocity_spread([two, PAD]) == pytest.approx(5.0)


def test_timing_by_hand() -> None:
    # 0.02 beats early and late at 500 ms a beat: 10 ms each way. What is on the grid, triplets too, has none.
    assert micro_timing_ms([part([1.02, 1.98])], TIMELINE) == pytest.approx(10.0)
    assert micro_timing_ms([part([0, 1 / 3, 2 / 3, 1.25])], TIMELINE) == pytest.approx(0.0, abs=1e-9)
    # At half the tempo a beat is twice as long, and so is what is off it.
    slow = Timeline.constant(60.0, end_beat=16)
    assert micro_timing_ms([part([1.02, 1.98])], slow) == pytest.approx(20.0)


def test_a_steady_delay_is_no_spread() -> None:
    assert micro_timing_ms([part([0.03, 1.03, 2.03])], TIMELINE) == pytest.approx(0.0, abs=1e-9)


def test_empty_arrangements_score_zero() -> None:
    assert distinct_rhythm((), BARS) == 0.0
    assert groove_similarity((), BARS) == 0.0
    assert velocity_spread(()) == 0.0
    assert micro_timing_ms((), TIMELINE) == 0.0


def test_void_questions_say_why() -> None:
    for metric in (distinct_rhythm, groove_similarity):
        with pytest.raises(NotMeasurable, match="shorter than a bar"):
            metric([BASS], ())
        with pytest.raises(NotMeasurable, match="not a number"):
            metric([part([np.nan])], BARS)
    with pytest.raises(NotMeasurable, match="too few"):
        groove_similarity([part([0.0])], BARS)
    with pytest.raises(NotMeasurable, match="too few"):
        velocity_spread([part([0.0])])
    with pytest.raises(NotMeasurable, match="too few"):
        distinct_rhythm([part([99.0])], BARS)
