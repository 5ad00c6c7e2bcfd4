"""The judge that is shipped: what it knows, how its readers are joined, and what it cannot say."""

from dataclasses import replace

import numpy as np
import pytest

from rearrange.evaluation.corpora import corpus
from rearrange.evaluation.judge import Judge, Verdict, load_judge
from rearrange.evaluation.judge.gather import READERS, read_labels
from rearrange.evaluation.judge.pitched import ENSEMBLE_FEATURES, ensemble_windows, lead_windows
from rearrange.evaluation.measure import NotMeasurable
from rearrange.genre import genre_names
from rearrange.score import Chord, Metre, Note, Role, Timeline, Track
from tests.evaluation.judge.clips import drums, timeline


@pytest.fixture(scope="module")
def judge() -> Judge:
    return load_judge()


def piano(n_bars: int = 8) -> Track:
    notes = [Note(float(beat), 1.0, pitch, 80) for beat in range(4 * n_bars) for pitch in (48, 60, 64, 67)]
    return Track("piano", Role.CHORDS, 0, False, tuple(notes))


def test_its_references_are_genres_of_ours(judge: Judge) -> None:
    assert judge.references <= set(genre_names())
    assert len(judge.references) >= 8
    assert judge.rhythm_references < judge.references
    assert set(judge.styles) == set(judge.people) == judge.references
    assert judge.weak < judge.references


def test_labels_are_ours_and_its_pieces_are_held_out() -> None:
    labels = read_labels()
    assert set(labels.classes) == set(READERS)
    assert set(labels.classes["drums"].values()) <= set(genre_names())
    for name in ("gmd", "openewld", *labels.classes["ensemble"]):
        assert corpus(name).judge, name
        assert not corpus(name).judge & corpus(name).test


def test_probabilities_sum_to_one(judge: Judge) -> None:
    tracks = (drums("straight"), piano())
    for verdict in (judge.verdict(tracks, timeline()), judge.verdict(tracks, timeline(), rhythm_only=True)):
        assert sum(verdict.probabilities.values()) == pytest.approx(1.0, abs=1e-6)
        assert set(verdict.probabilities) <= judge.references
        hits = sum(judge.accuracy_hit(verdict, genre) for genre in verdict.probabilities)
        assert hits == 1.0


def test_what_the_ensemble_leaves_goes_to_the_drums(judge: Judge) -> None:
    verdict = judge.verdict((drums("swung"), piano()), timeline())
    rest = 1.0 - sum(verdict.readers["ensemble"][name] for name in judge.reported["ensemble"])
    for genre, share in verdict.readers["drums"].items():
        assert verdict.probabilities[genre] == pytest.approx(rest * share)


def test_without_drums_nothing_is_known_of_them(judge: Judge) -> None:
    rhythm = judge.verdict((piano(),), timeline(), rhythm_only=True).probabilities
    assert set(rhythm) == judge.rhythm_references
    assert max(rhythm.values()) == pytest.approx(min(rhythm.values()))
    whole = judge.verdict((piano(),), timeline()).probabilities
    shares = [whole[genre] for genre in judge.rhythm_references]
    assert max(shares) == pytest.approx(min(shares))


def test_swing_and_programs(judge: Judge) -> None:
    swung = judge.verdict((drums("swung"),), timeline()).probabilities
    straight = judge.verdict((drums("straight"),), timeline()).probabilities
    assert swung["jazz"] + swung["blues"] > 0.6
    assert straight["jazz"] + straight["blues"] < 0.2
    # Other instruments are no other genre.
    strings = replace(piano(), program=48)
    assert judge.verdict((strings,), timeline()) == judge.verdict((piano(),), timeline())


def test_what_cannot_be_said_says_why(judge: Judge) -> None:
    verdict = judge.verdict((drums("floor"), piano()), timeline())
    for genre in set(genre_names()) - judge.references:
        with pytest.raises(NotMeasurable, match="no independent reference"):
            judge.probability(verdict, genre)
        with pytest.raises(NotMeasurable, match="no independent reference"):
            judge.style_fit((drums("floor"),), timeline(), genre)
    rhythm = judge.verdict((drums("floor"), piano()), timeline(), rhythm_only=True)
    with pytest.raises(NotMeasurable, match="rhythm alone"):
        judge.probability(rhythm, "classical")
    nothing = judge.verdict((), timeline())
    assert nothing == Verdict({}, {})
    with pytest.raises(NotMeasurable, match="too few notes"):
        judge.accuracy_hit(nothing, "jazz")


def test_chords_are_read_and_count_for_nothing(judge: Judge) -> None:
    melody = Track("melody", Role.MELODY, 0, False, tuple(Note(float(b), 0.5, 60 + b % 5, 90) for b in range(64)))
    chords = tuple(Chord(4.0 * bar, 4.0, (5 * bar) % 12, "min7", (5 * bar) % 12) for bar in range(16))
    with_chords = judge.verdict((melody, drums("floor", n_bars=16)), timeline(16), chords)
    without = judge.verdict((melody, drums("floor", n_bars=16)), timeline(16))
    assert "lead" in with_chords.readers
    assert with_chords.probabilities == without.probabilities


def test_the_ensemble_reader_sees_texture() -> None:
    rows = ensemble_windows((piano(), drums("floor")), timeline())
    column = {name: rows[0, i] for i, name in enumerate(ENSEMBLE_FEATURES)}
    assert column["notes per onset"] == pytest.approx(np.log1p(4.0))
    assert column["notes sounding"] == pytest.approx(np.log1p(4.0))
    assert column["drums"] == 1.0
    assert column["below 60"] == pytest.approx(0.25)
    assert column["quarters in a bar"] == pytest.approx(1.0)
    assert ensemble_windows((piano(),), timeline())[0, ENSEMBLE_FEATURES.index("drums")] == 0.0


def test_short_and_odd_songs_are_read_or_left(judge: Judge) -> None:
    short = Timeline.constant(120.0, end_beat=1.0)
    waltz = Timeline.constant(120.0, end_beat=33.0, metre=Metre(3, 4))
    for bars in (short, waltz, Timeline.constant(120.0, end_beat=0.0)):
        verdict = judge.verdict((piano(), drums("floor")), bars)
        assert np.isfinite(list(verdict.probabilities.values())).all()
    assert len(lead_windows((), (), timeline())) == 0
    assert np.isfinite(lead_windows(piano().notes, (), waltz)).all()
