"""Notes and drum hits found, counted by hand and as mir_eval counts them in one go."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics import NoteScores, drum_onsets, drum_scores, note_scores
from rearrange.score import NoteEvent

SCALE = tuple(NoteEvent(0.5 * i, 0.4, 60 + i, 80) for i in range(8))


def test_the_notes_themselves_and_nothing() -> None:
    assert note_scores(SCALE, SCALE) == NoteScores(1.0, 1.0)
    assert note_scores(SCALE, ()) == NoteScores(0.0, 0.0)


def test_notes_by_hand() -> None:
    # Onset F1: of three notes, one 40 ms late is right, one 60 ms late wrong, one a semitone off wrong: P and R
    # are 1/3. With offsets: the right one ends 0.15 s late; allowed is max(50 ms, 0.2 * 0.4 s): wrong too.
    truth = SCALE[:3]
    found = (NoteEvent(0.04, 0.51, 60, 80), NoteEvent(0.56, 0.34, 61, 80), NoteEvent(1.0, 0.4, 63, 80))
    assert note_scores(truth, found) == NoteScores(pytest.approx(1 / 3), 0.0)


def test_a_note_is_found_once() -> None:
    # Two notes for one: P = 1/2, R = 1.
    twice = (SCALE[0], NoteEvent(0.01, 0.4, 60, 80))
    assert note_scores(SCALE[:1], twice).onset_f1 == pytest.approx(2 / 3)


def test_octaves_are_forgiven_on_request() -> None:
    up = tuple(NoteEvent(n.onset_s, n.duration_s, n.pitch + 12, n.velocity) for n in SCALE)
    assert note_scores(SCALE, up).onset_f1 == 0.0
    assert note_scores(SCALE, up, octave_folded=True).onset_f1 == 1.0


NOTES = st.lists(
    st.builds(
        NoteEvent,
        onset_s=st.integers(0, 60).map(lambda i: i * 0.02),
        duration_s=st.sampled_from((0.02, 0.1, 0.3, 1.0)),
        pitch=st.sampled_from((48, 60, 61)),
        velocity=st.just(80),
    ),
    min_size=1,
    max_size=25,
)


@given(reference=NOTES, estimate=NOTES)
def test_pitch_by_pitch_is_as_all_at_once(reference: list[NoteEvent], estimate: list[NoteEvent]) -> None:
    from mir_eval.transcription import precision_recall_f1_overlap

    def arrays(notes: list[NoteEvent]) -> tuple[np.ndarray, np.ndarray]:
        intervals = np.array([(n.onset_s, n.onset_s + n.duration_s) for n in notes])
        return intervals, 440.0 * 2.0 ** ((np.array([n.pitch for n in notes]) - 69) / 12)

    scores = note_scores(reference, estimate)
    for ratio, ours in ((None, scores.onset_f1), (0.2, scores.onset_offset_f1)):
        f1 = precision_recall_f1_overlap(*arrays(reference), *arrays(estimate), offset_ratio=ratio)[2]
        assert ours == pytest.approx(f1)


def test_drums_by_hand() -> None:
    # Kick: two of three found, one 60 ms late: P = 2/3, R = 2/3. Snare: found, and once too often: P = 1/2, R = 1.
    # Ride: not found at all. The crash is heard but never played: it has no figure of its own.
    truth = {"kick": [0.0, 1.0, 2.0], "snare": [0.5], "ride": [0.25], "tom": []}
    found = {"kick": [0.01, 1.06, 2.05], "snare": [0.5, 1.5], "crash": [0.0]}
    assert drum_scores(truth, found) == {
        "kick": pytest.approx(2 / 3),
        "snare": pytest.approx(2 / 3),
        "ride": 0.0,
    }
    assert drum_scores(truth, truth) == {"kick": 1.0, "snare": 1.0, "ride": 1.0}
    assert drum_scores(truth, {}) == {"kick": 0.0, "snare": 0.0, "ride": 0.0}


def test_hits_by_their_general_midi_pitch() -> None:
    hits = [NoteEvent(t, 0.1, pitch, 90) for t, pitch in ((2.0, 36), (0.0, 35), (1.0, 40), (0.5, 46), (0.1, 63))]
    onsets = drum_onsets(hits)
    assert {name: times.tolist() for name, times in onsets.items() if len(times)} == {
        "kick": [0.0, 2.0],
        "snare": [1.0],
        "hat": [0.5],
    }
    assert set(onsets) == {"kick", "snare", "hat", "tom", "crash", "ride"}


def test_void_references_say_why() -> None:
    with pytest.raises(NotMeasurable, match="no notes"):
        note_scores((), SCALE)
    with pytest.raises(NotMeasurable, match="not a number"):
        note_scores(SCALE, (NoteEvent(float("nan"), 0.1, 60, 80),))
    with pytest.raises(NotMeasurable, match="no drum hits"):
        drum_scores({"kick": []}, {"kick": [1.0]})
    with pytest.raises(NotMeasurable, match="not a number"):
        drum_scores({"kick": [1.0]}, {"kick": [float("inf")]})
