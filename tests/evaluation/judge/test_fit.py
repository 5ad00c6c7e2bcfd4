"""The recipe: a judge of made-up styles knows them, and nothing when labels are shuffled; its files hold it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rearrange.errors import ModelError
from rearrange.evaluation.judge.fit import fit_judge
from rearrange.evaluation.judge.gather import Example, Labels
from rearrange.evaluation.judge.validation import Judged, separation
from rearrange.evaluation.judge.verdict import Judge, load_judge, save_judge
from tests.evaluation.judge.clips import STYLES, drums, examples, timeline

LABELS = Labels({}, {"drums": frozenset(STYLES), "lead": frozenset(), "ensemble": frozenset()})


@pytest.fixture(scope="module")
def fitted() -> tuple[Judge, dict]:
    judge, measured = fit_judge({"drums": examples()}, LABELS, seed=0)
    return with_ensemble(judge), measured


def with_ensemble(judge: Judge) -> Judge:
    return replace(judge, reported={"drums": judge.reported["drums"], "ensemble": frozenset()})


def test_it_knows_what_it_has_not_heard(fitted: tuple[Judge, dict]) -> None:
    judge, measured = fitted
    told = measured["drums"]
    assert told["cross_validation"]["macro_accuracy"][0] > 0.95
    assert told["other_half"]["macro_accuracy"][0] > 0.95
    assert told["cross_validation"]["chance"] == pytest.approx(1 / 3, abs=1e-3)
    assert all(judge.people[style] > 0.8 for style in STYLES)
    assert told["pieces"] == {"judges": 18, "others": 18}
    for style in STYLES:
        verdict = judge.verdict((drums(style),), timeline(), rhythm_only=True)
        assert judge.probability(verdict, style) > 0.8
        assert judge.accuracy_hit(verdict, style) == 1.0
        fits = {other: judge.style_fit((drums(other),), timeline(), style) for other in STYLES}
        assert max(fits, key=lambda name: fits[name]) == style


def test_shuffled_labels_are_at_chance(fitted: tuple[Judge, dict]) -> None:
    floor = fitted[1]["drums"]["shuffled_labels"]
    assert abs(floor["macro_accuracy"] - floor["chance"]) < 0.25
    assert floor["macro_accuracy"] < fitted[1]["drums"]["cross_validation"]["macro_accuracy"][1]


def test_what_cannot_be_told_is_dropped() -> None:
    """Half of the straight clips under another name: no one can tell the two."""
    torn = [
        Example(e.name, "odd", f"odd{e.group}", e.is_judges, e.rows, e.style)
        if e.label == "straight" and int(e.group[-1]) in (1, 2, 3)
        else e
        for e in examples()
    ]
    labels = Labels({}, {"drums": frozenset((*STYLES, "odd"))})
    judge, measured = fit_judge({"drums": torn}, labels, seed=0)
    told = measured["drums"]
    assert isinstance(told, dict)
    for name in told["dropped_for_their_separation"]:
        assert name in ("odd", "straight")
        assert name not in judge.reported["drums"]
    assert {"floor", "swung"} <= judge.reported["drums"]


def test_a_class_of_one_group_is_dropped() -> None:
    few = [e for e in examples() if e.label != "floor" or e.group == "floor0"]
    judge, _ = fit_judge({"drums": few}, LABELS, seed=0)
    assert judge.reported["drums"] == {"straight", "swung"}


def test_one_player_makes_a_weak_reference() -> None:
    played = [replace(e, player="only" if e.label == "floor" else f"player {e.group[-1]}") for e in examples()]
    judge, measured = fit_judge({"drums": played}, LABELS, seed=0)
    assert judge.weak == {"floor"}
    assert judge.reported["drums"] == set(STYLES)
    told = measured["drums"]
    assert isinstance(told, dict)
    assert set(told["players_unheard"]["classes"]) == {"straight", "swung"}


def test_the_same_seed_gives_the_same_judge(fitted: tuple[Judge, dict]) -> None:
    again, measured = fit_judge({"drums": examples()}, LABELS, seed=0)
    assert measured == fitted[1]
    np.testing.assert_array_equal(again.readers["drums"].weights, fitted[0].readers["drums"].weights)


def test_files_hold_the_judge(tmp_path: Path, fitted: tuple[Judge, dict]) -> None:
    judge = fitted[0]
    save_judge(judge, tmp_path / "a", settings={"seed": 0})
    save_judge(judge, tmp_path / "b", settings={"seed": 0})
    for name in ("config.json", "references.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    back = load_judge(tmp_path / "a")
    assert back.reported == judge.reported
    assert back.people == judge.people
    for style in STYLES:
        ours = judge.verdict((drums(style),), timeline())
        theirs = back.verdict((drums(style),), timeline())
        assert theirs.probabilities == pytest.approx(ours.probabilities, abs=1e-3)
        assert back.style_fit((drums(style),), timeline(), style) == pytest.approx(
            judge.style_fit((drums(style),), timeline(), style), abs=1e-5
        )


def test_damaged_files_are_one_clear_line(tmp_path: Path, fitted: tuple[Judge, dict]) -> None:
    with pytest.raises(ModelError, match="holds no judge"):
        load_judge(tmp_path)
    save_judge(fitted[0], tmp_path, settings={})
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace("four on the floor", "five on the floor"))
    with pytest.raises(ModelError, match="other features"):
        load_judge(tmp_path)
    config.write_text("{}")
    with pytest.raises(ModelError, match="holds no judge"):
        load_judge(tmp_path)


def test_separation_is_the_area_under_the_curve() -> None:
    logits = np.array([[2.0, 0.0], [1.0, 0.0], [0.5, 0.0], [-1.0, 0.0]])
    said = Judged(("a", "b"), logits, ("a", "b", "a", "b"), ("1", "2", "3", "4"))
    # Of the pairs of an a and a b: 2 > 1, 2 > -1, 0.5 < 1, 0.5 > -1.
    assert separation(said, "a", np.random.default_rng(0)).mean == pytest.approx(0.75)
