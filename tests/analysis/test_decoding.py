"""Activations drawn by hand: what the decoder must make of them."""

from itertools import pairwise

import numpy as np
import pytest

from rearrange.analysis.decoding import Activations, HeardNote, PickLimits, one_at_a_time, picked_notes

RATE_HZ = 100.0
LIMITS = PickLimits()


def drawn(
    *notes: tuple[float, float, int, float, float],
    length_s: float = 4.0,
    floor: float = 0.05,
    first_s: float = 0.0,
) -> Activations:
    """Activations of (onset_s, end_s, pitch, strength, attack)."""
    frames = np.full((round(length_s * RATE_HZ), 88), floor, np.float32)
    onsets = np.full_like(frames, floor)
    for onset_s, end_s, pitch, strength, attack in notes:
        first, stop = round(onset_s * RATE_HZ), round(end_s * RATE_HZ)
        frames[first:stop, pitch - 21] = strength
        onsets[first - 1 : first + 2, pitch - 21] = (attack / 2, attack, attack / 2)
    return Activations(frames, onsets, RATE_HZ, 21, first_s=first_s)


def test_a_chord_and_a_melody_note() -> None:
    heard = picked_notes(
        drawn((1, 2, 60, 0.7, 0.9), (1, 2, 64, 0.7, 0.9), (1, 2, 67, 0.7, 0.9), (1.5, 3, 76, 0.6, 0.8)), LIMITS
    )
    assert [note.pitch for note in heard] == [60, 64, 67, 76]
    assert [note.onset_s for note in heard] == pytest.approx([1, 1, 1, 1.5], abs=0.01)
    assert [note.end_s for note in heard] == pytest.approx([2, 2, 2, 3], abs=0.02)
    assert [note.frame for note in heard] == [100, 100, 100, 150]


def test_frames_may_be_heard_late() -> None:
    (note,) = picked_notes(drawn((1, 2, 60, 0.7, 0.9), first_s=0.005), LIMITS)
    assert note.onset_s == pytest.approx(1.005, abs=1e-4)


def test_a_restrike_splits_a_note() -> None:
    acts = drawn((1, 3, 60, 0.6, 0.9))
    acts.onsets[200, 39] = 0.9
    acts.onsets[250, 39] = 0.3
    heard = picked_notes(acts, LIMITS)
    assert [note.onset_s for note in heard] == pytest.approx([1, 2], abs=0.01)
    assert heard[0].end_s <= heard[1].onset_s


def test_what_sounds_without_a_start_is_no_note() -> None:
    assert not picked_notes(drawn((1, 2, 60, 0.9, 0.1)), LIMITS)


def test_a_short_gap_does_not_end_a_note_and_a_long_one_does() -> None:
    acts = drawn((1, 3, 60, 0.7, 0.9))
    acts.frames[150:153, 39] = 0.1
    acts.frames[220:240, 39] = 0.1
    (note,) = picked_notes(acts, LIMITS)
    assert note.end_s == pytest.approx(2.2, abs=0.011)


def test_no_note_is_shorter_than_the_least() -> None:
    acts = drawn((1, 1.01, 60, 0.7, 0.9), (3.97, 4, 64, 0.7, 0.9))
    assert all(note.end_s - note.onset_s >= LIMITS.min_duration_s - 1e-9 for note in picked_notes(acts, LIMITS))


def test_nothing_in_nothing() -> None:
    nothing = np.zeros((0, 88), np.float32)
    assert picked_notes(Activations(nothing, nothing, RATE_HZ, 21), LIMITS) == ()
    assert picked_notes(drawn(), LIMITS) == ()
    assert one_at_a_time(()) == ()


def test_a_higher_threshold_finds_fewer_notes() -> None:
    rng = np.random.default_rng(0)
    noise = rng.random((400, 88)).astype(np.float32)
    acts = Activations(noise, noise, RATE_HZ, 21)
    counts = [len(picked_notes(acts, PickLimits(onset_threshold=threshold))) for threshold in (0.5, 0.9, 0.99)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_a_line_has_the_surer_of_two_and_no_overlap() -> None:
    notes = [
        HeardNote(1.0, 2.0, 60, 0.6, 0.6),
        HeardNote(1.02, 3.0, 64, 0.9, 0.9),
        HeardNote(2.5, 3.5, 67, 0.5, 0.5),
        HeardNote(4.0, 4.5, 65, 0.5, 0.5),
    ]
    line = one_at_a_time(notes)
    assert [note.pitch for note in line] == [64, 67, 65]
    assert all(before.end_s <= after.onset_s for before, after in pairwise(line))
    assert line[0].end_s == 2.5
    assert line[1].end_s == 3.5
