"""The recipe of the metre's weights: what is planted is found, and an excerpt goes all the way through."""

from pathlib import Path
from random import Random

import numpy as np
import pytest

from rearrange.analysis.metre_weights import WEIGHTS
from rearrange.errors import UsageError
from rearrange.score import NoteEvent, Part
from rearrange.synth.soundfonts import resolve_soundfont
from rearrange.training import metre
from rearrange.training.excerpts import EXCERPT_S, Excerpt, cut, misheard
from rearrange.training.readings import VIEWS, Example, Readings, example_of, read_example, write_example

N_FEATURES = 6


def planted(direction: np.ndarray, *, seed: int, n: int = 80, sources: int = 1) -> list[Readings]:
    """Readings of which the one that lies furthest in a direction is right."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        rows = rng.normal(size=(12, len(direction)))
        f1 = np.zeros(12)
        f1[np.argmax(rows @ direction)] = 1.0
        out.append(Readings((rows,) * sources, f1, f1, np.full(12, 4)))
    return out


def planted_examples(direction: np.ndarray, *, seed: int) -> list[Example]:
    single, double = (planted(direction, seed=seed, sources=n) for n in (1, 2))
    names = tuple(f"feature {i}" for i in range(N_FEATURES))
    return [
        Example(f"song {i}", "made", 4, names, {view: (double if view == "both" else single)[i] for view in VIEWS})
        for i in range(len(single))
    ]


def waltz() -> Excerpt:
    """Twenty bars at 120: bass drum and bass on one, hi-hat and chord on two and three, a chord a bar."""
    beats = np.arange(60)
    roots = (48, 53, 55, 48)
    hits, notes = [], []
    for beat in beats:
        onset_s, root = 0.5 + beat * 0.5, roots[beat // 3 % 4]
        if beat % 3 == 0:
            hits.append(NoteEvent(onset_s, 0.1, 36, 110))
            notes.append(NoteEvent(onset_s, 0.45, root - 12, 100))
        else:
            hits.append(NoteEvent(onset_s, 0.1, 42, 70))
            notes += [NoteEvent(onset_s, 0.4, root + step, 75) for step in (0, 4, 7)]
    parts = (Part("piano", tuple(notes), program=0), Part("drums", tuple(hits), is_drum=True))
    return Excerpt("waltz", "waltz", "made", parts, 0.5 + beats * 0.5, beats % 3, 3)


def test_fit_recovers_a_direction_and_is_repeatable() -> None:
    direction = np.array([2.0, -1.0, 0.0, 0.5, 0.0, 1.0])
    pairs = [(readings, 1.0) for readings in planted(direction, seed=1)]
    found = metre.fit(pairs, l2=0.001)
    assert found @ direction / np.linalg.norm(found) / np.linalg.norm(direction) > 0.97
    again = metre.fit([(readings, 1.0) for readings in planted(direction, seed=1)], l2=0.001)
    np.testing.assert_array_equal(found, again)
    assert np.linalg.norm(metre.fit(pairs, l2=0.1)) < np.linalg.norm(found)


def test_fit_does_not_mind_a_features_unit() -> None:
    direction = np.array([2.0, -1.0, 0.0, 0.5, 0.0, 1.0])
    plain = planted(direction, seed=2)
    unit = np.array([1.0, 10.0, 1.0, 1.0, 0.1, 1.0])
    scaled = [Readings((r.features[0] * unit,), r.beat_f1, r.downbeat_f1, r.beats_per_bar) for r in plain]
    one, other = (metre.fit([(readings, 1.0) for readings in each]) for each in (plain, scaled))
    np.testing.assert_allclose(one, other * unit, atol=1e-3)


def test_fit_refuses_what_teaches_nothing() -> None:
    wrong = Readings((np.ones((3, N_FEATURES)),), np.zeros(3), np.zeros(3), np.full(3, 4))
    with pytest.raises(UsageError, match="no excerpt has a right reading"):
        metre.fit([(wrong, 1.0)])


def test_cross_validation_and_the_file_it_leads_to() -> None:
    examples = planted_examples(np.array([2.0, -1.0, 0.0, 0.5, 0.0, 1.0]), seed=3)
    table = metre.cross_validate(examples, folds=4)
    unseen = {
        tuple(line.split()[:2]): [float(x) for x in line.split()[2:]] for line in table[1:] if " all " in line
    }
    assert set(unseen) == {(view, "all") for view in VIEWS}
    assert all(n == 80 and beats > 0.8 for n, beats, *_ in unseen.values())
    namespace: dict[str, object] = {}
    exec(metre.weights_file(examples[0].names, metre.fit_both(examples), "a test."), namespace)
    assert namespace["SOURCES"] == ("sound", "notes")
    assert list(namespace["WEIGHTS"]) == list(examples[0].names)  # type: ignore[call-overload]


def test_an_excerpt_goes_all_the_way(tmp_path: Path) -> None:
    excerpt = waltz()
    example = example_of(excerpt, seed=0, soundfont=resolve_soundfont())
    assert example.names == tuple(sorted(WEIGHTS))
    assert set(example.views) == set(VIEWS)
    for view, readings in example.views.items():
        assert len(readings.features) == len(VIEWS[view])
        assert readings.features[0].shape == (len(readings.right), len(WEIGHTS))
        # Readings in three whose bars are where they should be are right; those a beat late are not.
        in_three = readings.beats_per_bar == 3
        assert (readings.right & in_three).any()
        assert (~readings.right & in_three & (readings.beat_f1 > 0.95)).any()
    weights = metre.fit_both([example])
    best = int(np.argmax(example.views["notes"].features[0] @ weights["notes"]))
    assert example.views["notes"].right[best]
    write_example(tmp_path / "waltz.npz", example)
    read = read_example(tmp_path / "waltz.npz")
    assert (read.song, read.kind, read.beats_per_bar, read.names) == ("waltz", "made", 3, example.names)
    np.testing.assert_array_equal(read.views["both"].features[1], example.views["both"].features[1])
    np.testing.assert_array_equal(read.views["sound"].right, example.views["sound"].right)


def test_cut_keeps_beats_on_their_notes() -> None:
    piece = cut(waltz(), 3.1, drift=0.06, phase=1.0)
    onsets = np.array([note.onset_s for part in piece.parts for note in part.notes])
    assert np.abs(piece.beats_s[:, None] - onsets[None, :]).min(axis=1).max() < 1e-3
    assert piece.positions[0] == 0
    np.testing.assert_array_equal(np.diff(piece.positions) % 3, 1)
    periods = np.diff(piece.beats_s)
    assert 1.05 < periods.max() / periods.min() < 1.2
    assert piece.duration_s < 1.2 * EXCERPT_S


def test_misheard_notes_are_the_same_for_the_same_seed() -> None:
    one, other = (misheard(waltz(), Random(4)) for _ in range(2))
    assert one.parts == other.parts
    assert one.parts != waltz().parts
    assert 0.7 * waltz().n_notes < one.n_notes < waltz().n_notes
