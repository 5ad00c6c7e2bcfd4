"""Chords and key: agreement by hand, and what is heard in a band's notes."""

from dataclasses import replace

import pytest

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics import (
    chord_agreement,
    chords_in_reference_beats,
    heard_chords,
    heard_key,
    key_agreement,
)
from rearrange.score import Chord, Key, Note, Role, Timeline, Track
from tests.songs import band_song

SONG = band_song(n_bars=8)


def test_the_song_itself_scores_one_and_nothing_scores_zero() -> None:
    assert chord_agreement(SONG.chords, SONG.chords) == pytest.approx(1.0)
    assert chord_agreement(SONG.chords, SONG.chords, vocabulary="sevenths") == pytest.approx(1.0)
    assert chord_agreement(SONG.chords, ()) == 0.0


def test_half_the_chords_wrong_is_half_agreement_by_duration() -> None:
    wrong = tuple(
        replace(c, root=(c.root + 6) % 12, bass=(c.root + 6) % 12) if i % 2 else c
        for i, c in enumerate(SONG.chords)
    )
    assert chord_agreement(SONG.chords, wrong) == pytest.approx(0.5)


def test_agreement_by_hand() -> None:
    # C for 3 beats, G for 1. The estimate changes a beat early: right for 2 + 1 of 4 beats.
    reference = [Chord(0, 3, 0, "maj", 0), Chord(3, 1, 7, "maj", 7)]
    estimate = [Chord(0, 2, 0, "maj", 0), Chord(2, 2, 7, "maj", 7)]
    assert chord_agreement(reference, estimate) == pytest.approx(0.75)


def test_colours_agree_as_triads_but_not_as_sevenths() -> None:
    reference = [Chord(0, 4, 0, "maj", 0)]
    estimate = [Chord(0, 4, 0, "maj7", 0)]
    assert chord_agreement(reference, estimate) == 1.0
    assert chord_agreement(reference, estimate, vocabulary="sevenths") == 0.0


def test_time_outside_the_vocabulary_does_not_count() -> None:
    # A power chord has no third: mir_eval leaves it out. Of what is left, half is right.
    reference = [Chord(0, 4, 0, "aug", 0), Chord(4, 1, 0, "maj", 0), Chord(5, 1, 2, "min", 2)]
    estimate = [Chord(0, 5, 0, "maj", 0), Chord(5, 1, 4, "min", 4)]
    assert chord_agreement(reference, estimate) == pytest.approx(0.5)
    with pytest.raises(NotMeasurable, match="majmin"):
        chord_agreement(reference[:1], estimate)


def test_an_estimate_elsewhere_scores_zero_and_a_void_reference_says_why() -> None:
    assert chord_agreement([Chord(8, 4, 0, "maj", 0)], [Chord(0, 4, 0, "maj", 0)]) == 0.0
    assert chord_agreement([Chord(0, 4, 0, "maj", 0)], [Chord(40, 4, 0, "maj", 0)]) == 0.0
    with pytest.raises(NotMeasurable, match="no chords"):
        chord_agreement((), SONG.chords)
    with pytest.raises(NotMeasurable, match="not a number"):
        chord_agreement(SONG.chords, [Chord(0, float("nan"), 0, "maj", 0)])
    with pytest.raises(ValueError, match="vocabulary"):
        chord_agreement(SONG.chords, SONG.chords, vocabulary="jazz")


def test_chords_move_to_the_beats_of_the_true_song() -> None:
    # Heard at half the true tempo from the same start: heard beats 2..4 are true beats 4..8.
    heard, truth = Timeline.constant(60.0, end_beat=8), Timeline.constant(120.0, end_beat=16)
    (moved,) = chords_in_reference_beats([Chord(2, 2, 5, "min7", 5)], heard, truth)
    assert moved == Chord(4.0, 4.0, 5, "min7", 5)
    (moved,) = chords_in_reference_beats([Chord(4, 4, 5, "min7", 5)], heard, truth, beat_ratio=2.0)
    assert moved == Chord(4.0, 4.0, 5, "min7", 5)
    assert chords_in_reference_beats((), heard, truth) == ()


def test_what_a_band_plays_is_heard() -> None:
    chords = heard_chords(SONG.tracks, SONG.timeline, SONG.key)
    assert chord_agreement(SONG.chords, chords) > 0.95
    assert heard_chords([t for t in SONG.tracks if t.is_drum], SONG.timeline, SONG.key) == ()
    with pytest.raises(NotMeasurable, match="shorter than a beat"):
        heard_chords(SONG.tracks, Timeline.constant(100.0, end_beat=0.5), SONG.key)
    nowhere = Track("", Role.BASS, 0, False, (Note(float("nan"), 1, 40, 80),))
    with pytest.raises(NotMeasurable, match="not a number"):
        heard_chords([nowhere], SONG.timeline, SONG.key)


@pytest.mark.parametrize(
    ("estimate", "score"),
    [
        (Key(0, "major"), 1.0),
        (Key(7, "major"), 0.5),  # a fifth above
        (Key(5, "major"), 0.0),  # a fifth below
        (Key(9, "minor"), 0.3),  # relative
        (Key(0, "minor"), 0.2),  # parallel
        (Key(1, "major"), 0.0),
    ],
)
def test_keys_near_by_score_a_little(estimate: Key, score: float) -> None:
    assert key_agreement(Key(0, "major"), estimate) == score


def test_every_key_agrees_with_itself() -> None:
    for tonic in range(12):
        for mode in ("major", "minor"):
            assert key_agreement(Key(tonic, mode), Key(tonic, mode)) == 1.0


def test_a_last_chord_without_length_ends_nothing() -> None:
    """Annotation that goes on behind the last beat is drawn together there when it is moved to beats."""
    song = [Chord(0.0, 4.0, 0, "maj", 0), Chord(4.0, 4.0, 7, "maj", 7)]
    ended = [*song, Chord(8.0, 1e-9, 5, "maj", 5)]
    assert chord_agreement(ended, song) == pytest.approx(1.0)
    assert chord_agreement([*song, Chord(7.0, 0.5, 5, "maj", 5)], song) == pytest.approx(1.0)
    with pytest.raises(NotMeasurable, match="have no length"):
        chord_agreement([Chord(0.0, 1e-9, 0, "maj", 0)], song)


def test_the_key_is_heard_in_the_notes() -> None:
    assert heard_key(SONG.tracks, 32, SONG.chords).tonic == SONG.key.tonic
    up = tuple(replace(t, notes=tuple(replace(n, pitch=n.pitch + 3) for n in t.notes)) for t in SONG.tracks)
    assert heard_key(up, 32).tonic == (heard_key(SONG.tracks, 32).tonic + 3) % 12
    assert heard_key((), 32).confidence == heard_key(SONG.tracks, 0).confidence == 0.0
