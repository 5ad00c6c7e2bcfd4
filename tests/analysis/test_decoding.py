"""Activations drawn by hand: what the decoder must make of them."""

import numpy as np
import pytest

from rearrange.analysis.decoding import Activations, HeardNote, NoteLimits, polyphonic_notes, without_ghosts

RATE_HZ = 100.0
LIMITS = NoteLimits(36, 96)


def drawn(
    *notes: tuple[float, float, int, float, float], length_s: float = 4.0, floor: float = 0.05
) -> Activations:
    """Activations of (onset_s, end_s, pitch, strength, attack)."""
    frames = np.full((round(length_s * RATE_HZ), 88), floor, np.float32)
    onsets = np.full_like(frames, floor)
    for onset_s, end_s, pitch, strength, attack in notes:
        first, stop = round(onset_s * RATE_HZ), round(end_s * RATE_HZ)
        frames[first:stop, pitch - 21] = strength
        onsets[first - 1 : first + 2, pitch - 21] = (attack / 2, attack, attack / 2)
    return Activations(frames, onsets, RATE_HZ, 21)


def test_a_chord_and_a_melody_note() -> None:
    heard = polyphonic_notes(
        drawn((1, 2, 60, 0.7, 0.9), (1, 2, 64, 0.7, 0.9), (1, 2, 67, 0.7, 0.9), (1.5, 3, 76, 0.6, 0.8)), LIMITS
    )
    assert [note.pitch for note in heard] == [60, 64, 67, 76]
    assert [note.onset_s for note in heard] == pytest.approx([1, 1, 1, 1.5], abs=0.01)
    assert [note.end_s for note in heard] == pytest.approx([2, 2, 2, 3], abs=0.02)


def test_a_sure_restrike_splits_a_note_and_an_unsure_one_does_not() -> None:
    acts = drawn((1, 3, 60, 0.6, 0.9))
    acts.onsets[200, 39] = 0.9
    acts.onsets[250, 39] = 0.5
    heard = polyphonic_notes(acts, LIMITS)
    assert [note.onset_s for note in heard] == pytest.approx([1, 2], abs=0.01)
    assert heard[0].end_s <= heard[1].onset_s


def test_a_short_dropout_does_not_end_a_note() -> None:
    acts = drawn((1, 3, 60, 0.6, 0.9))
    acts.frames[200:204] = 0.0
    assert len(polyphonic_notes(acts, LIMITS)) == 1
    acts.frames[200:230] = 0.0
    first, *_ = polyphonic_notes(acts, LIMITS)
    assert first.end_s == pytest.approx(2.0, abs=0.02)


def test_a_run_without_an_onset_must_be_strong() -> None:
    assert not polyphonic_notes(drawn((1, 2, 60, 0.4, 0.1)), LIMITS)
    (note,) = polyphonic_notes(drawn((1, 2, 60, 0.7, 0.1)), LIMITS)
    assert note.attack == 0.0


def test_a_fading_note_ends_when_it_is_let_go() -> None:
    acts = drawn((1, 2, 60, 0.8, 0.9))
    acts.frames[200:215, 39] = np.linspace(0.8, 0.23, 15)
    (note,) = polyphonic_notes(acts, LIMITS)
    assert note.end_s == pytest.approx(2.05, abs=0.03)


def test_what_lies_outside_the_range_or_is_too_short_is_no_note() -> None:
    assert not polyphonic_notes(
        drawn((1, 2, 30, 0.8, 0.9), (1, 2, 100, 0.8, 0.9), (1, 1.03, 60, 0.8, 0.9)), LIMITS
    )


def test_noise_and_nothing() -> None:
    rng = np.random.default_rng(0)
    noise = Activations(
        *(rng.uniform(0, 0.2, (500, 88)).astype(np.float32) for _ in range(2)),
        frame_rate_hz=RATE_HZ,
        lowest_pitch=21,
    )
    assert polyphonic_notes(noise, LIMITS) == ()
    nothing = np.zeros((0, 88), np.float32)
    assert polyphonic_notes(Activations(nothing, nothing, RATE_HZ, 21), LIMITS) == ()
    assert without_ghosts((), LIMITS) == ()


def test_a_threshold_lets_through_fewer_notes_the_higher_it_is() -> None:
    rng = np.random.default_rng(1)
    acts = Activations(
        *(rng.uniform(0, 1, (800, 88)).astype(np.float32) ** 2 for _ in range(2)),
        frame_rate_hz=RATE_HZ,
        lowest_pitch=21,
    )
    counts = [
        len(polyphonic_notes(acts, NoteLimits(36, 96, onset_threshold=threshold, unstarted_threshold=1.0)))
        for threshold in (0.3, 0.5, 0.7, 0.9)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_weak_overtones_go_and_played_octaves_stay() -> None:
    root = HeardNote(1.0, 2.0, 48, 0.8, 0.9)
    ghosts = [HeardNote(1.01, 1.8, 48 + partial, 0.3, 0.4) for partial in (12, 19, 24, 28)]
    octave = HeardNote(1.0, 2.0, 60, 0.75, 0.9)
    third = HeardNote(1.0, 1.9, 52, 0.3, 0.4)
    later = HeardNote(1.4, 1.9, 72, 0.3, 0.4)
    assert without_ghosts([root, *ghosts], LIMITS) == (root,)
    assert without_ghosts([root, octave], LIMITS) == (root, octave)
    assert set(without_ghosts([root, third, later], LIMITS)) == {root, third, later}


def test_a_smear_into_the_next_semitone_goes_and_a_trill_stays() -> None:
    note = HeardNote(1.0, 2.0, 60, 0.8, 0.9)
    smear = HeardNote(1.1, 1.9, 61, 0.4, 0.3)
    neighbour = HeardNote(2.0, 2.2, 61, 0.4, 0.3)
    assert without_ghosts([note, smear, neighbour], LIMITS) == (note, neighbour)
