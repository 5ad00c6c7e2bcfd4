"""Tables as text: aligned for a terminal, as Markdown, and as plain values for JSON.

Conventions: a figure is followed by half the width of its 95 % interval where there is more than one song. A void
cell is a dash; the reasons stand below the table, each once.
"""

from collections.abc import Sequence

from rearrange.evaluation.columns import Column
from rearrange.evaluation.tables import WEAK, Cell, Table

__all__ = ["figure", "markdown", "plain", "reasons_of", "terminal"]

VOID = "—"
_GAP = "  "


def figure(cell: Cell, column: Column, *, interval: bool = True) -> str:
    """A cell as text: `0.921 ±.011`."""
    if cell.mean is None:
        return VOID
    text = f"{cell.mean:.{column.digits}f}"
    if not interval or cell.songs < 2 or cell.low is None or cell.high is None:
        return text
    half = f"{(cell.high - cell.low) / 2:.{column.digits}f}"
    return f"{text} ±{half.removeprefix('0') or '0'}"


def reasons_of(table: Table) -> tuple[str, ...]:
    """Why cells of a table are void, one line for each reason."""
    places: dict[str, list[str]] = {}
    for row in table.rows:
        for cell, heading in zip(row.cells, table.headings, strict=True):
            if cell.mean is None:
                places.setdefault(cell.reason, []).append(f"{row.label} ({heading})")
    lines = []
    for reason, where in places.items():
        shown = ", ".join(where[:4]) + (f" and {len(where) - 4} more" if len(where) > 4 else "")
        lines.append(f"{VOID} {reason}: {shown}")
    if any(row.label.endswith(WEAK) for row in table.rows):
        lines.append("* of this genre the judge has heard too few players to be sure")
    return tuple(lines)


def terminal(table: Table, width: int = 120) -> str:
    """A table in lines of at most `width` characters: where it is wider, its columns go on below."""
    label_width = max(len(table.label), *(len(row.label) for row in table.rows))
    texts = [[figure(cell, c) for cell, c in zip(row.cells, table.columns, strict=True)] for row in table.rows]
    widths = [max(len(h), *(len(line[i]) for line in texts)) for i, h in enumerate(table.headings)]
    lines = [table.title]
    first = 0
    while first < len(widths):
        last, used = first, label_width
        while last < len(widths) and (last == first or used + len(_GAP) + widths[last] <= width):
            used += len(_GAP) + widths[last]
            last += 1
        chosen = range(first, last)
        heads = [table.headings[i].rjust(widths[i]) for i in chosen]
        lines.append(_GAP.join([table.label.ljust(label_width), *heads]))
        for row, line in zip(table.rows, texts, strict=True):
            lines.append(_GAP.join([row.label.ljust(label_width), *(line[i].rjust(widths[i]) for i in chosen)]))
        first = last
        if first < len(widths):
            lines.append("")
    return "\n".join([*lines, *reasons_of(table)])


def markdown(table: Table) -> str:
    """A table in Markdown, with a heading above it and the reasons for void cells below."""
    head = f"| {table.label} | {' | '.join(table.headings)} |"
    rule = f"| --- |{' ---: |' * len(table.headings)}"
    lines = [
        f"| {row.label} | {' | '.join(figure(c, k) for c, k in zip(row.cells, table.columns, strict=True))} |"
        for row in table.rows
    ]
    below = ["", *(f"{line}  " for line in reasons_of(table))] if reasons_of(table) else []
    return "\n".join([f"### {table.title}", "", head, rule, *lines, *below, ""])


def plain(tables: Sequence[Table]) -> list[dict[str, object]]:
    """The tables as JSON values, every figure unrounded."""
    return [
        {
            "name": table.name,
            "group": table.group,
            "title": table.title,
            "by": table.label,
            "columns": [
                {"name": c.name, "heading": h, "better": c.better, "meaning": c.meaning}
                for c, h in zip(table.columns, table.headings, strict=True)
            ],
            "rows": [
                {
                    "label": row.label,
                    "cells": [
                        {"reason": c.reason, "void": c.void}
                        if c.mean is None
                        else {"mean": c.mean, "low": c.low, "high": c.high, "songs": c.songs, "void": c.void}
                        for c in row.cells
                    ],
                }
                for row in table.rows
            ],
        }
        for table in tables
    ]
