"""The judge's own figures as a table."""

from pathlib import Path

import pytest

from rearrange.errors import ModelError
from rearrange.evaluation.judge import load_judge
from rearrange.evaluation.judge_table import judge_table
from rearrange.evaluation.layout import terminal


def test_every_genre_that_the_judge_knows_has_its_figures() -> None:
    judge = load_judge()
    rows = {row.label.removesuffix(" *"): row.cells for row in judge_table().rows}
    assert judge.references <= set(rows)
    for genre in judge.references:
        assert rows[genre][2].mean == pytest.approx(judge.people[genre], abs=2e-3)
    assert {row.label for row in judge_table().rows if row.label.endswith(" *")} == {f"{g} *" for g in judge.weak}


def test_shuffled_labels_are_at_chance_and_the_judge_above_it() -> None:
    cells = {row.label: row.cells[0] for row in judge_table().rows}
    for reader in ("drums", "ensemble"):
        mean, chance, shuffled = (
            cells[f"{reader}: {what}"].mean or 0.0 for what in ("mean of classes", "chance", "shuffled labels")
        )
        assert abs(shuffled - chance) < 0.05
        assert (cells[f"{reader}: mean of classes"].low or 0.0) > chance
        assert mean > chance
    assert "shuffled labels" in terminal(judge_table())


def test_missing_figures_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no figures of the judge"):
        judge_table(tmp_path)
    (tmp_path / "figures.json").write_text("[]")
    with pytest.raises(ModelError, match="no figures of the judge"):
        judge_table(tmp_path)
