"""How well the judge itself does, as a table: what `judge.fit` measured when its weights were made.

Conventions: figures are of people's playing that the weights had not seen, in cross-validation over sessions; an
interval is over sessions or songs. They come with the judge (`models/judge/figures.json`), and are not measured
again.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rearrange.assets import asset_dir
from rearrange.errors import ModelError, WorkspaceError
from rearrange.evaluation.columns import column
from rearrange.evaluation.tables import WEAK, Cell, Table, TableRow
from rearrange.workspace import read_json

__all__ = ["judge_table"]

_COLUMNS = ("judge_accuracy", "judge_separation", "judge_people")
_READERS = ("drums", "ensemble")  # those that count


def judge_table(folder: Path | None = None) -> Table:
    """A row for every class, and for each reader its mean, chance, and what it reaches with shuffled labels.

    Raises
    ------
    ModelError : the figures are missing or damaged.
    """
    path = (folder or asset_dir("models") / "judge") / "figures.json"
    try:
        stored = read_json(path)
        rows = [row for reader in _READERS for row in _rows(reader, stored[reader])]
    except (WorkspaceError, KeyError, TypeError, ValueError) as exc:
        raise ModelError(f"{path}: holds no figures of the judge: {exc}", "run runs/judge.sh") from exc
    return Table(
        name="judge",
        group="judge",
        title="The judge, on people's playing that it had not heard",
        label="genre",
        headings=tuple(column(name).heading for name in _COLUMNS),
        columns=tuple(column(name) for name in _COLUMNS),
        rows=tuple(rows),
    )


def _rows(reader: str, figures: Mapping[str, Any]) -> list[TableRow]:
    measured = figures["cross_validation"]
    weak = figures.get("weak", ())
    rows = [
        TableRow(
            name + (WEAK if name in weak else ""),
            (
                _cell(of_class["accuracy"], of_class["groups"]),
                _cell(of_class["separation"], of_class["groups"]),
                Cell(float(of_class["probability"]), songs=int(of_class["groups"])),
            ),
        )
        for name, of_class in measured["classes"].items()
    ]
    void = Cell(None, reason="of the whole reader only its accuracy is meant")
    wholes = (
        (f"{reader}: mean of classes", _cell(measured["macro_accuracy"], len(measured["classes"]))),
        (f"{reader}: chance", Cell(float(measured["chance"]))),
        (f"{reader}: shuffled labels", Cell(float(figures["shuffled_labels"]["macro_accuracy"]))),
    )
    return rows + [TableRow(label, (cell, void, void)) for label, cell in wholes]


def _cell(interval: object, groups: int) -> Cell:
    mean, low, high = (float(each) for each in interval)  # type: ignore[attr-defined]
    return Cell(mean, low, high, songs=groups)
