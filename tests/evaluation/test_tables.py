"""Rows drawn together: a song counts once, a void cell says why."""

import pytest

from rearrange.evaluation.columns import COLUMNS
from rearrange.evaluation.layout import figure, markdown, plain, reasons_of, terminal
from rearrange.evaluation.measure import Measure
from rearrange.evaluation.rows import Row
from rearrange.evaluation.tables import SPECS, Spec, Table, tables_of

BY_SYSTEM = Spec("s", "songs", "oracle", "Systems", "system", ("content", "melody"))
BY_GENRE = Spec("g", "songs", "oracle", "Genres", "genre", ("content",), ("patterns",), with_all=True)
ACROSS = Spec("a", "songs", "oracle", "Against", "genre", ("content",), ("patterns", "copy"), across=True)


def row(song: str, system: str, genre: str, seed: int = 0, **measures: float | str) -> Row:
    cells = {
        name: Measure(None, value) if isinstance(value, str) else Measure(value)
        for name, value in measures.items()
    }
    return Row("songs", "oracle", song, system, genre, seed, measures=cells)


def only(rows: list[Row], spec: Spec) -> Table:
    (table,) = tables_of(rows, [spec])
    return table


def test_a_song_counts_once_however_many_seeds_it_has() -> None:
    rows = [row("a", "copy", "jazz", seed, content=1.0) for seed in range(9)] + [
        row("b", "copy", "jazz", content=0.0)
    ]
    cell = only(rows, BY_SYSTEM).rows[0].cells[0]
    assert cell.mean == pytest.approx(0.5)
    assert cell.songs == 2
    assert cell.low is not None
    assert cell.high is not None
    assert cell.low < 0.5 < cell.high


def test_void_figures_are_left_out_of_the_mean_and_counted() -> None:
    rows = [row("a", "copy", "jazz", content=0.8), row("b", "copy", "jazz", content="no notes")]
    cell = only(rows, BY_SYSTEM).rows[0].cells[0]
    assert (cell.mean, cell.songs, cell.void) == (0.8, 1, 1)


def test_a_cell_without_any_figure_says_why() -> None:
    rows = [
        row("a", "copy", "jazz", content=0.8, melody="no melody"),
        row("b", "copy", "jazz", melody="no melody"),
    ]
    table = only(rows, BY_SYSTEM)
    assert table.rows[0].cells[1].reason == "no melody"
    assert reasons_of(table) == ("— no melody: copy (melody F1)",)
    assert "—" in terminal(table)
    assert "no melody" in markdown(table)


def test_genres_are_sorted_and_drawn_together_at_the_end() -> None:
    rows = [row("a", "patterns", "rock", content=0.6), row("a", "patterns", "jazz", content=0.8)]
    table = only(rows, BY_GENRE)
    assert [(line.label, line.cells[0].mean) for line in table.rows] == [
        ("jazz", 0.8), ("rock", 0.6), ("all", pytest.approx(0.7)),
    ]  # fmt: skip


def test_a_column_for_each_system() -> None:
    rows = [row("a", "patterns", "rock", content=0.6), row("a", "copy", "rock", content=1.0)]
    table = only(rows, ACROSS)
    assert table.headings == ("content: patterns", "content: copy")
    assert [cell.mean for cell in table.rows[0].cells] == [0.6, 1.0]


def test_rows_of_another_set_or_system_make_no_table() -> None:
    assert tables_of([row("a", "copy", "jazz", content=1.0)], [BY_GENRE]) == ()
    assert tables_of([]) == ()


def test_a_wide_table_is_folded_to_the_terminal() -> None:
    rows = [row("a", "copy", "jazz", content=0.5, melody=0.25)]
    lines = terminal(only(rows, BY_SYSTEM), width=18).splitlines()
    assert all(len(line) <= 18 for line in lines)
    assert [line.split()[-1] for line in lines if line.startswith("copy")] == ["0.500", "0.250"]


def test_markdown_has_as_many_cells_in_every_line() -> None:
    rows = [row("a", "copy", "jazz", content=0.5, melody=0.25), row("b", "copy", "jazz", content=0.7, melody=0.5)]
    lines = [line for line in markdown(only(rows, BY_SYSTEM)).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {4}
    assert "0.600 ±.100" in lines[2]


def test_one_song_has_no_interval() -> None:
    table = only([row("a", "copy", "jazz", content=0.5)], BY_SYSTEM)
    assert figure(table.rows[0].cells[0], table.columns[0]) == "0.500"


def test_json_keeps_every_digit() -> None:
    table = only([row("a", "copy", "jazz", content=1 / 3, melody="no melody")], BY_SYSTEM)
    (value,) = plain([table])
    cells = value["rows"][0]["cells"]  # type: ignore[index]
    assert cells[0]["mean"] == 1 / 3
    assert cells[1] == {"reason": "no melody", "void": 1}


def test_every_table_shows_declared_columns_only() -> None:
    assert {name for spec in SPECS for name in spec.columns} <= set(COLUMNS)
    assert len({spec.name for spec in SPECS}) == len(SPECS)
