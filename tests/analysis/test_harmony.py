"""Chords and keys of chroma that is known."""

import mir_eval
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearrange.analysis.harmony import HEARD_QUALITIES, estimate_chords, estimate_key, harte_label, melt_repeats
from rearrange.score import CHORD_INTERVALS, Chord, Key

AXIS = ((0, "maj"), (7, "maj"), (9, "min"), (5, "maj"))


def chroma_of(progression: tuple[tuple[int, str], ...], *, beats_each: int = 4, noise: float = 0.0) -> np.ndarray:
    rows = []
    for root, quality in progression:
        row = np.zeros(12)
        row[[(root + interval) % 12 for interval in CHORD_INTERVALS[quality]]] = 1.0
        rows += [row] * beats_each
    return np.stack(rows) + noise * np.random.default_rng(0).random((len(rows), 12))


def bass_of(progression: tuple[tuple[int, str], ...], *, beats_each: int = 4) -> np.ndarray:
    return np.repeat(np.eye(12)[[root for root, _ in progression]], beats_each, axis=0)


def chords_of(chroma: np.ndarray, bass: np.ndarray | None = None, **kwargs: Key) -> tuple[Chord, ...]:
    n = len(chroma)
    return estimate_chords(chroma, bass, onset_beats=np.arange(n + 1.0), downbeats=np.arange(n) % 4 == 0, **kwargs)


@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_a_progression_is_heard_beat_by_beat(noise: float) -> None:
    chords = chords_of(chroma_of(AXIS * 2, noise=noise), bass_of(AXIS * 2))
    assert [(chord.root, chord.quality) for chord in chords] == list(AXIS * 2)
    assert [chord.onset_beat for chord in chords] == [4.0 * i for i in range(8)]
    assert all(0.0 <= chord.confidence <= 1.0 for chord in chords)


@given(st.integers(0, 11), st.sampled_from(sorted(HEARD_QUALITIES)))
def test_every_chord_is_heard_on_every_root(root: int, quality: str) -> None:
    (chord,) = chords_of(chroma_of(((root, quality),)), bass_of(((root, quality),)))
    assert (chord.root, chord.quality, chord.bass) == (root, quality, root)


@given(st.integers(1, 11))
def test_transposing_the_sound_transposes_the_chords(semitones: int) -> None:
    chroma, bass = chroma_of(AXIS, noise=0.2), bass_of(AXIS)
    moved = chords_of(np.roll(chroma, semitones, axis=1), np.roll(bass, semitones, axis=1))
    assert [((c.root - semitones) % 12, c.quality) for c in moved] == [
        (c.root, c.quality) for c in chords_of(chroma, bass)
    ]


def test_an_inversion_keeps_its_root() -> None:
    bass = np.repeat(np.eye(12)[[4]] * 0.7 + np.eye(12)[[0]] * 0.3, 4, axis=0)
    (chord,) = chords_of(chroma_of(((0, "maj"),)), bass)
    assert (chord.root, chord.bass) == (0, 4)
    assert harte_label(chord) == "C:maj/3"


def test_silence_carries_no_chord() -> None:
    chroma = np.concatenate([chroma_of(((0, "maj"),)), np.zeros((8, 12)), chroma_of(((5, "maj"),))])
    chords = chords_of(chroma)
    assert [(c.root, c.onset_beat, c.end_beat) for c in chords] == [(0, 0.0, 4.0), (5, 12.0, 16.0)]
    assert chords_of(np.zeros((16, 12))) == ()
    assert estimate_chords(np.zeros((0, 12)), onset_beats=np.zeros(1), downbeats=np.zeros(0, bool)) == ()


def test_clearer_chords_are_surer() -> None:
    clear = np.mean([c.confidence for c in chords_of(chroma_of(AXIS), bass_of(AXIS))])
    murky = np.mean([c.confidence for c in chords_of(chroma_of(AXIS, noise=1.5))])
    assert clear > murky


def test_lengths_that_disagree_are_refused() -> None:
    with pytest.raises(ValueError, match="borders"):
        estimate_chords(np.zeros((4, 12)), onset_beats=np.arange(4.0), downbeats=np.zeros(4, bool))


@given(st.integers(0, 11))
def test_the_key_of_a_cadence_in_major_and_minor(tonic: int) -> None:
    major = tuple(
        ((tonic + root) % 12, quality) for root, quality in ((0, "maj"), (5, "maj"), (7, "7"), (0, "maj"))
    )
    minor = tuple(
        ((tonic + root) % 12, quality) for root, quality in ((0, "min"), (5, "min"), (7, "7"), (0, "min"))
    )
    for progression, mode in ((major, "major"), (minor, "minor")):
        chroma = chroma_of(progression)
        key = estimate_key(chroma, chords_of(chroma, bass_of(progression)))
        assert (key.tonic, key.mode) == (tonic, mode)
        assert 0.0 <= key.confidence <= 1.0


def test_silence_and_clusters_have_no_sure_key() -> None:
    assert estimate_key(np.zeros((4, 12))) == Key(0, "major", 0.0)
    assert estimate_key(np.ones((4, 12))).confidence < 0.2


@given(st.integers(0, 11), st.sampled_from(sorted(CHORD_INTERVALS)), st.integers(0, 4))
def test_labels_are_read_by_the_reference_as_we_mean_them(root: int, quality: str, member: int) -> None:
    intervals = CHORD_INTERVALS[quality]
    bass = (root + intervals[member % len(intervals)]) % 12
    number, bitmap, bass_interval = mir_eval.chord.encode(harte_label(Chord(0.0, 4.0, root, quality, bass)))
    assert number == root
    assert (root + bass_interval) % 12 == bass
    meant = {interval for interval in intervals if interval != 2 or quality in ("sus2",)}
    assert meant <= set(np.flatnonzero(bitmap).tolist()) | {2, 5, 9}


def test_equal_neighbours_melt() -> None:
    melted = melt_repeats(
        [Chord(0.0, 2.0, 0, "maj", 0), Chord(2.0, 2.0, 0, "maj", 0), Chord(4.0, 2.0, 5, "maj", 5)]
    )
    assert [(c.onset_beat, c.duration_beat, c.root) for c in melted] == [(0.0, 4.0, 0), (4.0, 2.0, 5)]
