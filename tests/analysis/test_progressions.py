"""Chords decoded over beats, from probabilities that are known."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rearrange.analysis.progressions import (
    DOWNBEAT,
    ELSEWHERE,
    MIDDLE,
    NO_CHORD,
    QUALITIES,
    bar_places,
    best_chords,
    progressions_in,
)
from rearrange.score import Chord

C, G = 0, 7 * len(QUALITIES)
CHANGES = np.array([0.8, 0.4, 0.1])
EVEN = np.full((NO_CHORD, NO_CHORD), 1.0 / NO_CHORD)


def heard(states: list[int], sure: float = 0.9) -> np.ndarray:
    likely = np.full((len(states), NO_CHORD + 1), (1.0 - sure) / NO_CHORD)
    likely[np.arange(len(states)), states] = sure
    return likely


def decoded(
    likely: np.ndarray, *, bass: np.ndarray | None = None, follows: np.ndarray = EVEN, usual: float = 0.8
) -> tuple[Chord, ...]:
    n = len(likely)
    return best_chords(
        likely,
        np.full((n, 12), 1 / 12) if bass is None else bass,
        onset_beats=np.arange(n + 1.0),
        downbeats=np.arange(n) % 4 == 0,
        follows=follows,
        changes=CHANGES,
        heard_weight=2.0,
        usual_weight=usual,
    )


def test_what_is_sure_is_kept_and_silence_has_no_chord() -> None:
    chords = decoded(heard([C] * 4 + [NO_CHORD] * 4 + [G] * 4))
    assert [(c.root, c.quality, c.onset_beat, c.end_beat) for c in chords] == [
        (0, "maj", 0.0, 4.0),
        (7, "maj", 8.0, 12.0),
    ]
    assert all(c.confidence > 0.85 for c in chords)


def test_a_doubtful_beat_inside_a_bar_does_not_change_the_chord() -> None:
    likely = heard([C] * 8)
    likely[5] = heard([G], sure=0.2)[0]
    likely[5, C] = 0.15
    (chord,) = decoded(likely)
    assert (chord.root, chord.duration_beat) == (0, 8.0)


def test_of_two_chords_that_sound_alike_the_usual_one_follows() -> None:
    likely = heard([C] * 4 + [G] * 4)
    other = 9 * len(QUALITIES) + 1  # A minor
    likely[4:, [G, other]] = 0.45
    follows = EVEN.copy()
    follows[C, other] = 0.5
    assert [(c.root, c.quality) for c in decoded(likely, follows=follows)] == [(0, "maj"), (9, "min")]
    follows[C, other], follows[C, G] = EVEN[C, other], 0.5
    assert [(c.root, c.quality) for c in decoded(likely, follows=follows)] == [(0, "maj"), (7, "maj")]


def test_the_bass_is_a_tone_of_the_chord() -> None:
    bass = np.full((4, 12), 0.02)
    bass[:, 4], bass[:, 1] = 0.3, 0.5  # E is a tone of C major, C sharp is none
    (chord,) = decoded(heard([C] * 4), bass=bass)
    assert (chord.root, chord.bass) == (0, 4)


def test_places_of_bars_of_four_and_of_three() -> None:
    downbeats = np.zeros(7, dtype=bool)
    downbeats[[0, 4]] = True
    expected = [DOWNBEAT, ELSEWHERE, MIDDLE, ELSEWHERE, DOWNBEAT, ELSEWHERE, ELSEWHERE]
    assert bar_places(downbeats).tolist() == expected
    assert bar_places(np.zeros(3, dtype=bool)).tolist() == [ELSEWHERE] * 3


@given(st.integers(0, 11), st.integers(0, 1))
def test_progressions_move_with_the_key(tonic: int, mode: int) -> None:
    tables = np.random.default_rng(0).random((2, NO_CHORD, NO_CHORD))
    keys = np.zeros((12, 2))
    keys[tonic, mode] = 1.0
    moved = progressions_in(tables, keys)
    np.testing.assert_allclose(moved.sum(axis=1), 1.0)
    shift = tonic * len(QUALITIES)
    row = tables[mode, 3] / tables[mode, 3].sum()
    np.testing.assert_allclose(moved[(3 + shift) % NO_CHORD], np.roll(row, shift))
