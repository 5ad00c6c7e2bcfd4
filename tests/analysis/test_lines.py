"""Lines traced through activations drawn by hand."""

from itertools import pairwise

import numpy as np
import pytest

from rearrange.analysis.decoding import Activations
from rearrange.analysis.lines import LineLimits, monophonic_notes
from tests.analysis.test_decoding import RATE_HZ, drawn

LIMITS = LineLimits(40, 84)


def test_a_melody_with_a_rest() -> None:
    heard = monophonic_notes(drawn((0.5, 1, 60, 0.6, 0.8), (1, 1.5, 62, 0.6, 0.8), (2, 3, 67, 0.6, 0.8)), LIMITS)
    assert [note.pitch for note in heard] == [60, 62, 67]
    assert [note.onset_s for note in heard] == pytest.approx([0.5, 1, 2], abs=0.02)
    assert [note.end_s for note in heard] == pytest.approx([1, 1.5, 3], abs=0.03)


def test_one_note_at_a_time_and_the_surest() -> None:
    heard = monophonic_notes(drawn((1, 3, 60, 0.5, 0.8), (1, 3, 67, 0.8, 0.9), (1, 3, 72, 0.4, 0.8)), LIMITS)
    assert [note.pitch for note in heard] == [67]


def test_an_octave_error_in_the_middle_of_a_note_is_not_followed() -> None:
    acts = drawn((1, 3, 60, 0.5, 0.8))
    acts.frames[180:192, 60 + 12 - 21] = 0.7
    heard = monophonic_notes(acts, LineLimits(40, 84, change_cost=2.0))
    assert [note.pitch for note in heard] == [60]


def test_a_rest_does_not_make_the_next_octave_free() -> None:
    acts = drawn((0.5, 1, 60, 0.6, 0.8), (1.2, 2, 60, 0.5, 0.5), (1.2, 2, 72, 0.51, 0.5))
    heard = monophonic_notes(acts, LIMITS)
    assert [note.pitch for note in heard] == [60, 60]


def test_a_held_pitch_is_struck_again() -> None:
    acts = drawn((1, 3, 60, 0.6, 0.9))
    acts.onsets[200, 39] = 0.9
    first, second = monophonic_notes(acts, LIMITS)
    assert second.onset_s == pytest.approx(2.0, abs=0.02)
    assert first.end_s <= second.onset_s


def test_octave_support_finds_a_weak_fundamental() -> None:
    acts = drawn((1, 2, 40, 0.4, 0.8), (1, 2, 52, 0.5, 0.8))
    assert [note.pitch for note in monophonic_notes(acts, LineLimits(28, 67))] == [52]
    assert [note.pitch for note in monophonic_notes(acts, LineLimits(28, 67, octave_support=0.5))] == [40]


def test_height_decides_between_equals() -> None:
    acts = drawn((1, 2, 55, 0.6, 0.8), (1, 2, 69, 0.55, 0.8))
    assert [note.pitch for note in monophonic_notes(acts, LIMITS)] == [55]
    higher = LineLimits(40, 84, height_preference=0.02)
    assert [note.pitch for note in monophonic_notes(acts, higher)] == [69]


def test_silence_and_nothing() -> None:
    assert monophonic_notes(drawn(), LIMITS) == ()
    nothing = np.zeros((0, 88), np.float32)
    assert monophonic_notes(Activations(nothing, nothing, RATE_HZ, 21), LIMITS) == ()


def test_notes_never_overlap() -> None:
    rng = np.random.default_rng(3)
    frames, onsets = (rng.uniform(0, 1, (1500, 88)).astype(np.float32) ** 3 for _ in range(2))
    heard = monophonic_notes(Activations(frames, onsets, RATE_HZ, 21), LineLimits(40, 84, min_duration_s=0.03))
    assert len(heard) > 5
    assert all(a.end_s <= b.onset_s for a, b in pairwise(heard))
    assert all(note.end_s > note.onset_s for note in heard)
