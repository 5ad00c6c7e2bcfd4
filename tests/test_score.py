"""Laws of the values that pass between stages, above all of Timeline, the only place where units convert."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearrange.score import Chord, Metre, Note, Timeline, sorted_notes

_STEPS = st.lists(
    st.tuples(st.floats(0.05, 8.0), st.floats(0.02, 4.0)),  # beats, and seconds, from knot to knot
    min_size=1,
    max_size=20,
)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    steps = draw(_STEPS)
    start_beat, start_s = draw(st.floats(-8.0, 0.0)), draw(st.floats(0.0, 5.0))
    beats = start_beat + np.concatenate([[0.0], np.cumsum([beat for beat, _ in steps])])
    times = start_s + np.concatenate([[0.0], np.cumsum([time for _, time in steps])])
    return Timeline(tuple(map(float, beats)), tuple(map(float, times)), end_beat=draw(st.floats(0.0, 64.0)))


@given(timelines(), st.floats(-20.0, 200.0))
def test_seconds_and_beats_are_inverse_even_outside_the_knots(timeline: Timeline, beat: float) -> None:
    assert float(timeline.beats(timeline.seconds(beat))) == pytest.approx(beat, abs=1e-6)


@given(timelines(), st.floats(-20.0, 100.0), st.floats(0.001, 50.0))
def test_time_always_goes_forward(timeline: Timeline, beat: float, later: float) -> None:
    assert float(timeline.seconds(beat + later)) > float(timeline.seconds(beat))


@given(timelines())
def test_knots_are_met_exactly(timeline: Timeline) -> None:
    np.testing.assert_allclose(timeline.seconds(timeline.knots_beat), timeline.knots_s, atol=1e-9)


@given(timelines(), st.floats(0.25, 4.0), st.floats(0.0, 60.0))
def test_scaling_changes_the_tempo_and_not_the_beats(timeline: Timeline, ratio: float, beat: float) -> None:
    faster = timeline.scaled(ratio)
    assert float(faster.seconds(beat)) * ratio == pytest.approx(float(timeline.seconds(beat)), abs=1e-6)
    assert faster.tempo_bpm(beat) == pytest.approx(timeline.tempo_bpm(beat) * ratio, rel=1e-6)
    assert (faster.metres, faster.end_beat) == (timeline.metres, timeline.end_beat)


@given(st.floats(30.0, 300.0), st.integers(1, 64), st.sampled_from([Metre(4, 4), Metre(3, 4), Metre(6, 8)]))
def test_a_constant_timeline_keeps_its_tempo_and_counts_its_bars(tempo: float, n_bars: int, metre: Metre) -> None:
    end = n_bars * metre.beats_per_bar
    timeline = Timeline.constant(tempo, end_beat=end, metre=metre, start_s=0.5)
    assert float(timeline.seconds(0.0)) == pytest.approx(0.5)
    assert float(timeline.seconds(end)) == pytest.approx(0.5 + end * 60 / tempo)
    assert timeline.mean_tempo_bpm == pytest.approx(tempo)
    assert len(timeline.bars) == n_bars


@given(st.lists(st.sampled_from([2, 3, 4, 5]), min_size=1, max_size=12))
def test_bars_follow_each_other_without_gap_whatever_their_length(lengths: list[int]) -> None:
    metres: list[tuple[float, Metre]] = []
    onset = 0.0
    for length in lengths:
        if not metres or metres[-1][1] != Metre(length, 4):
            metres.append((onset, Metre(length, 4)))
        onset += length
    bars = Timeline((0.0, 1.0), (0.0, 0.5), tuple(metres), onset).bars
    assert [bar.duration_beat for bar in bars] == lengths
    assert [bar.onset_beat for bar in bars[1:]] == [bar.end_beat for bar in bars[:-1]]
    assert bars[-1].end_beat == onset


def test_six_eight_has_three_quarters() -> None:
    assert Metre(6, 8).beats_per_bar == 3.0
    assert str(Metre(6, 8)) == "6/8"


def test_an_outlying_tempo_at_the_end_does_not_move_the_mean() -> None:
    timeline = Timeline((0.0, 30.0, 32.0), (0.0, 15.0, 25.0), end_beat=32.0)
    assert timeline.mean_tempo_bpm == pytest.approx(120.0)


@pytest.mark.parametrize(
    ("beats", "times"),
    [((0.0,), (0.0,)), ((0.0, 1.0), (0.0,)), ((0.0, 0.0), (0.0, 1.0)), ((0.0, 1.0), (1.0, 1.0))],
)
def test_knots_that_do_not_increase_are_refused(beats: tuple[float, ...], times: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="knots"):
        Timeline(beats, times)


def test_a_timeline_without_a_metre_at_its_start_is_refused() -> None:
    with pytest.raises(ValueError, match="metre"):
        Timeline((0.0, 1.0), (0.0, 0.5), ((4.0, Metre()),))


def test_a_chord_names_itself_and_its_notes() -> None:
    chord = Chord(0.0, 4.0, 9, "min7", 4)
    assert str(chord) == "Am7/E"
    assert chord.pitch_classes == (9, 0, 4, 7)


def test_notes_are_kept_by_onset_then_pitch() -> None:
    notes = [Note(1.0, 1.0, 60, 80), Note(0.0, 1.0, 64, 80), Note(0.0, 1.0, 60, 80)]
    assert [(note.onset_beat, note.pitch) for note in sorted_notes(notes)] == [(0.0, 60), (0.0, 64), (1.0, 60)]
