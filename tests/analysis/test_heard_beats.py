"""What a network heard, in the choice of a reading: the right one scores best, and a track follows it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.analysis.beats import track_beats
from rearrange.analysis.evidence import note_evidence
from rearrange.analysis.heard_beats import heard_sequences, place_gains, reading_score
from rearrange.analysis.metre import Hypothesis
from rearrange.score import NoteEvent
from tests.analysis.test_bar_pointer import heard, steady

Times = NDArray[np.float64]


def reading(beats_s: Times, beats_per_bar: int, phase: int) -> Hypothesis:
    return Hypothesis(100.0 * beats_s, beats_per_bar, phase, float(np.median(np.diff(beats_s))), 0.0)


def between(beats_s: Times) -> Times:
    return (beats_s[1:] + beats_s[:-1]) / 2


def test_the_right_reading_scores_best() -> None:
    beats_s = steady(110.0, duration_s=30.0, drift=0.03)
    activations = heard(beats_s, 4, duration_s=30.0, tempo_bpm=110.0)
    right = reading_score(activations, reading(beats_s, 4, 0))
    twice = np.sort(np.concatenate([beats_s, between(beats_s)]))
    wrong = [
        *(reading(beats_s, 4, phase) for phase in (1, 2, 3)),
        *(reading(beats_s, 3, phase) for phase in range(3)),
        reading(between(beats_s), 4, 0),
        reading(beats_s[::2], 4, 0),
        reading(twice, 4, 0),
    ]
    for other in wrong:
        assert reading_score(activations, other) < right, other


def test_beats_are_proposed_at_several_speeds() -> None:
    beats_s = steady(100.0, duration_s=30.0)
    activations = heard(beats_s, 4, duration_s=30.0)
    found = heard_sequences(activations, tempo_bpm=None, beats_per_bar=(2, 3, 4))
    tempi_bpm = [6000.0 / float(np.median(np.diff(frames))) for frames in found]
    for wanted in (50.0, 100.0, 200.0):
        assert any(bpm == pytest.approx(wanted, rel=0.04) for bpm in tempi_bpm)
    best = found[0] / 100.0
    assert np.abs(best[:, None] - beats_s[None, :]).min(axis=1).max() < 0.03
    known = heard_sequences(activations, tempo_bpm=52.0, beats_per_bar=(4,))
    assert [6000.0 / float(np.median(np.diff(frames))) for frames in known] == [pytest.approx(50.0, rel=0.04)]


def test_where_nothing_is_heard_all_readings_are_alike() -> None:
    activations = heard(np.zeros(0), 4, duration_s=20.0)
    beats_s = steady(120.0, duration_s=20.0)
    scores = [reading_score(activations, reading(beats_s, 4, phase)) for phase in range(4)]
    assert max(scores) - min(scores) < 0.5


def test_places_in_the_bar_are_weighed() -> None:
    beats_s = steady(120.0, duration_s=20.0)
    gains = place_gains(heard(beats_s, 4, duration_s=20.0), 100.0 * beats_s, 4)
    assert gains.shape == (len(beats_s), 4)
    assert np.all((gains.argmax(axis=1) == 0) == (np.arange(len(beats_s)) % 4 == 0))
    beyond = place_gains(heard(beats_s, 4, duration_s=20.0), np.array([-300.0, 9000.0]), 4)
    assert np.ptp(beyond) < 2.5, "nothing was heard there"


def test_a_track_takes_what_was_heard_for_what_notes_leave_open() -> None:
    # Plain eighths, all alike: notes alone do not tell beats from off-beats, nor where bars begin.
    beats_s = steady(90.0, duration_s=40.0)
    onsets = np.sort(np.concatenate([beats_s, between(beats_s)]))
    notes = [NoteEvent(float(onset), 0.2, 60, 80) for onset in onsets]
    evidence = [note_evidence(notes, [], 40.0)]
    for shift in range(3):
        activations = heard(beats_s[shift:], 4, duration_s=40.0, tempo_bpm=90.0)
        activations = replace(activations, metre=np.tile([0.05, 0.05, 0.9], (len(activations.beat), 1)))
        track = track_beats(evidence, heard=activations)
        assert track.beats_per_bar == 4
        assert 60.0 / track.period_s == pytest.approx(90.0, rel=0.02)
        bars_s = track.times_s[track.bar_starts]
        assert np.abs(beats_s[shift::4][:, None] - bars_s[None, :]).min(axis=1).max() < 0.04
