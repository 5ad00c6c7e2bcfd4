"""Form: boundaries and repeats of a song of four sections."""

import pytest

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics import LabelledSpan, SectionScores, section_scores, section_spans
from tests.songs import band_song

# A B A B, ten seconds each, starting ten seconds into the recording.
SONG = tuple(LabelledSpan(10.0 + 10.0 * i, 20.0 + 10.0 * i, "AB"[i % 2]) for i in range(4))


def test_the_form_itself_and_none() -> None:
    assert section_scores(SONG, SONG) == SectionScores(1.0, 1.0, 1.0)
    assert section_scores(SONG, ()) == SectionScores(0.0, 0.0, 0.0)
    elsewhere = (LabelledSpan(0.0, 5.0, "A"), LabelledSpan(5.0, 10.0, "B"))
    assert section_scores(SONG, elsewhere) == SectionScores(0.0, 0.0, 0.0)


def test_other_names_for_the_same_form_are_as_good() -> None:
    renamed = tuple(LabelledSpan(s.start_s, s.end_s, {"A": "verse", "B": "chorus"}[s.label]) for s in SONG)
    assert section_scores(SONG, renamed) == SectionScores(1.0, 1.0, 1.0)


def test_boundaries_by_hand() -> None:
    # Inner boundaries 20, 30, 40. Found: 21 and 30. Within 3 s both: P = 1, R = 2/3, F1 = 4/5; within 0.5 s one:
    # P = 1/2, R = 1/3, F1 = 2/5.
    found = (LabelledSpan(10, 21, "A"), LabelledSpan(21, 30, "B"), LabelledSpan(30, 50, "A"))
    scores = section_scores(SONG, found)
    assert scores.boundary_f1 == pytest.approx(0.8)
    assert scores.fine_boundary_f1 == pytest.approx(0.4)


def test_pairs_by_hand() -> None:
    # One section for all: of n = 400 frames (10 Hz) 200 are A and 200 B. True pairs: 2 * C(200, 2) = 39800 of
    # C(400, 2) = 79800: P = 0.4987, R = 1, F1 = 0.6656. No boundary is found.
    scores = section_scores(SONG, (LabelledSpan(0.0, 60.0, "A"),))
    precision = 39800 / 79800
    assert scores.pairwise_f1 == pytest.approx(2 * precision / (1 + precision), abs=0.005)
    assert scores.boundary_f1 == 0.0


def test_sections_of_a_score_in_seconds() -> None:
    song = band_song(n_bars=8, tempo_bpm=120.0)
    spans = section_spans(song.sections, song.timeline)
    assert spans == (LabelledSpan(0.0, 8.0, "verse"), LabelledSpan(8.0, 16.0, "chorus"))


def test_void_references_say_why() -> None:
    with pytest.raises(NotMeasurable, match="no form"):
        section_scores((), SONG)
    with pytest.raises(NotMeasurable, match="one section"):
        section_scores(SONG[:1], SONG)
    with pytest.raises(NotMeasurable, match="not a number"):
        section_scores(SONG, (LabelledSpan(0.0, float("nan"), "A"),))
