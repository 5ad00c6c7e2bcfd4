"""Tables and ratios as text and JSON."""

from pathlib import Path

import pytest

from benchmarks.summary import headline
from benchmarks.table import Ratio, mib, ratio_table, read_ratios, table, times, write_json

RATIOS = [
    Ratio("separate, time", "budget: 0.1 s per s of song", 0.5, 0.5, 0.75),
    Ratio("mix, time", "budget: 0.03 s per s of song", 1.25, 1.25, 1.5),
    Ratio("transcribe, time", "basic-pitch", None, reason="basic-pitch does not run here"),
]


def test_columns_stand_under_each_other() -> None:
    lines = table(("stage", "s"), [("mix", "1.5"), ("separate", "10.25")]).splitlines()
    assert lines == ["stage         s", "-" * 15, "mix         1.5", "separate  10.25"]


def test_a_row_has_as_many_cells_as_the_header() -> None:
    with pytest.raises(ValueError, match="1 cells under 2 heads"):
        table(("a", "b"), [("1",)])


def test_ratios_and_bytes_as_people_say_them() -> None:
    assert [times(value) for value in (0.616, 1.0, 123.4, None)] == ["×0.62", "×1.00", "×123", "–"]
    assert mib(3 * 2**20) == "3"


def test_a_ratio_that_could_not_be_measured_says_why_and_the_table_goes_on() -> None:
    lines = ratio_table(RATIOS).splitlines()
    assert "×0.50 to ×0.75" in lines[2]
    assert lines[4].endswith("basic-pitch does not run here")


def test_the_headline_counts_and_names_what_is_above() -> None:
    assert headline(RATIOS) == "1 of 2 at or below ×1; above: mix, time"
    assert headline(RATIOS[:1]) == "1 of 1 at or below ×1"
    assert headline(RATIOS[2:]) == "nothing could be measured"


def test_ratios_survive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "stages.json"
    write_json(path, RATIOS, {"benchmark": "stages"})
    assert read_ratios(path) == RATIOS


@pytest.mark.parametrize("text", ['{"other": 1}', '{"ratios": [{"value": 1}]}'])
def test_another_file_is_no_result(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="is no result of a benchmark"):
        read_ratios(path)
