"""The tables as one self-contained HTML page: every figure with its interval drawn, and song against genre.

Conventions: the page needs no network and no script. Pictures are inline SVG in the units of their `viewBox`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rearrange.evaluation.columns import Column
from rearrange.evaluation.layout import figure, reasons_of
from rearrange.evaluation.tables import Cell, Table, TableRow

__all__ = ["page"]

_TEMPLATE = Path(__file__).with_name("page.html")
_CELL_WIDTH, _CELL_HEIGHT = 90.0, 8.0
_PLOT = 420.0
_MARGIN = 46.0
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito's, for all eyes


@dataclass(frozen=True)
class _Mark:
    """A point of a plot with its intervals, in the plot's coordinates."""

    label: str
    colour: str
    x: float
    y: float
    x_low: float
    x_high: float
    y_low: float
    y_high: float


@dataclass(frozen=True)
class _Plot:
    title: str
    x_heading: str
    y_heading: str
    marks: tuple[_Mark, ...]


def page(tables: Sequence[Table], about: Mapping[str, str]) -> str:
    """The page as HTML.

    Parameters
    ----------
    about : what was run, as lines of label and value
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    groups = list(dict.fromkeys(table.group for table in tables))
    return template.render(
        about=about,
        groups=[(group, [_shown(table) for table in tables if table.group == group]) for group in groups],
        plots=[plot for table in tables if (plot := _song_against_genre(table)) is not None],
        size=_PLOT,
        margin=_MARGIN,
    )


def _shown(table: Table) -> dict[str, object]:
    """A table as its template wants it."""
    scales = [_scale([row.cells[i] for row in table.rows], declared) for i, declared in enumerate(table.columns)]
    return {
        "name": table.name,
        "title": table.title,
        "label": table.label,
        "heads": [
            {"heading": heading, "meaning": declared.meaning, "better": declared.better}
            for heading, declared in zip(table.headings, table.columns, strict=True)
        ],
        "rows": [
            {
                "label": row.label,
                "cells": [
                    {
                        "text": figure(cell, declared, interval=False),
                        "hint": _hint(cell, declared),
                        "bar": _bar(cell, scale),
                    }
                    for cell, declared, scale in zip(row.cells, table.columns, scales, strict=True)
                ],
            }
            for row in table.rows
        ],
        "reasons": reasons_of(table),
    }


def _scale(cells: Sequence[Cell], declared: Column) -> tuple[float, float]:
    """From where to where a column's bars go: 0 to 1 for shares, else what its figures span."""
    ends = [end for cell in cells for end in (cell.mean, cell.low, cell.high) if end is not None]
    if not ends:
        return 0.0, 1.0
    low, high = min(0.0, *ends), max(0.0, *ends)
    is_share = declared.better == "higher" and low >= 0.0 and high <= 1.0
    return (0.0, 1.0) if is_share else (low, high if high > low else low + 1.0)


def _hint(cell: Cell, declared: Column) -> str:
    if cell.mean is None:
        return cell.reason
    if cell.low is None or cell.high is None:
        return f"{cell.mean:.{declared.digits}f}"
    void = f"; {cell.void} without a figure" if cell.void else ""
    return (
        f"95 % interval {cell.low:.{declared.digits}f} to {cell.high:.{declared.digits}f}, "
        f"{cell.songs} song{'s' if cell.songs != 1 else ''}{void}"
    )


def _bar(cell: Cell, scale: tuple[float, float]) -> dict[str, float] | None:
    """Where a cell's bar and its interval lie."""
    if cell.mean is None:
        return None
    low, high = scale

    def at(value: float) -> float:
        return round((value - low) / (high - low) * _CELL_WIDTH, 1)

    zero, mean = at(0.0), at(cell.mean)
    ends = (cell.mean if cell.low is None else cell.low, cell.mean if cell.high is None else cell.high)
    return {
        "x": min(zero, mean), "width": abs(mean - zero), "low": at(ends[0]), "high": at(ends[1]),
        "full": _CELL_WIDTH, "height": _CELL_HEIGHT,
    }  # fmt: skip


def _song_against_genre(table: Table) -> _Plot | None:
    """Content across, the judge's probability up: both together are the task; either alone is trivial."""
    names = [declared.name for declared in table.columns]
    if table.label != "system" or "genre" not in names:
        return None
    across = next((name for name in ("content", "content_audio") if name in names), None)
    if across is None:
        return None
    x, y = names.index(across), names.index("genre")
    drawn = [row for row in table.rows if row.cells[x].mean is not None and row.cells[y].mean is not None]
    marks = tuple(_mark(row, x, y, _COLOURS[i % len(_COLOURS)]) for i, row in enumerate(drawn))
    return _Plot(table.title, table.headings[x], table.headings[y], marks) if len(marks) > 1 else None


def _mark(row: TableRow, x: int, y: int, colour: str) -> _Mark:
    inner = _PLOT - 2 * _MARGIN

    def across(value: float | None) -> float:
        return round(_MARGIN + inner * _clamped(value), 1)

    def up(value: float | None) -> float:
        return round(_PLOT - _MARGIN - inner * _clamped(value), 1)

    one, other = row.cells[x], row.cells[y]
    return _Mark(
        row.label, colour, across(one.mean), up(other.mean),
        across(one.low), across(one.high), up(other.low), up(other.high),
    )  # fmt: skip


def _clamped(value: float | None) -> float:
    return 0.0 if value is None or not math.isfinite(value) else min(max(value, 0.0), 1.0)
