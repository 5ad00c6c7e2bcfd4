"""Units of work: done once, resumed, told where they fail."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from rearrange.errors import CancelledError, TooLittleMusicError
from rearrange.evaluation.measure import Measure
from rearrange.evaluation.rows import Row
from rearrange.evaluation.run import Outcome, Unit, run_units


def counted(trace: str, value: float) -> Sequence[Row]:
    """A unit that leaves a mark each time it is done."""
    path = Path(trace)
    path.write_text(path.read_text() + "x" if path.exists() else "x")
    return [
        Row(
            "songs",
            "oracle",
            path.stem,
            "copy",
            measures={"content": Measure(value), "key": Measure(None, "no key")},
        )
    ]


def silent_song() -> Sequence[Row]:
    raise TooLittleMusicError("the song is silent")


def broken() -> Sequence[Row]:
    raise ZeroDivisionError("division by zero")


def units(folder: Path, *values: float) -> list[Unit]:
    return [
        Unit(f"song {i}", counted, {"trace": str(folder / f"trace{i}"), "value": value})
        for i, value in enumerate(values)
    ]


def test_rows_come_back_in_the_order_of_the_units(tmp_path: Path) -> None:
    outcome = run_units(units(tmp_path, 0.1, 0.2, 0.3), tmp_path / "kept", jobs=2)
    assert [row.measures["content"].value for row in outcome.rows] == [0.1, 0.2, 0.3]
    assert outcome.rows[0].measures["key"] == Measure(None, "no key")
    assert outcome.failures == ()


def test_what_is_finished_is_not_done_again(tmp_path: Path) -> None:
    first = run_units(units(tmp_path, 0.1, 0.2), tmp_path / "kept", jobs=1)
    again = run_units(units(tmp_path, 0.1, 0.2), tmp_path / "kept", jobs=1)
    assert again == Outcome(first.rows, (), 2)
    assert (tmp_path / "trace0").read_text() == "x"


def test_other_arguments_and_other_data_are_other_work(tmp_path: Path) -> None:
    run_units(units(tmp_path, 0.1), tmp_path / "kept", jobs=1)
    assert run_units(units(tmp_path, 0.4), tmp_path / "kept", jobs=1).rows[0].measures["content"].value == 0.4
    run_units(units(tmp_path, 0.4), tmp_path / "kept", jobs=1, fingerprint="another set")
    assert (tmp_path / "trace0").read_text() == "xxx"


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    run_units(units(tmp_path, 0.1), tmp_path / "kept", jobs=1)
    next((tmp_path / "kept").glob("*.json")).write_text("{ half a fi")
    assert run_units(units(tmp_path, 0.1), tmp_path / "kept", jobs=1).reused == 0


def test_a_failing_unit_does_not_stop_the_others(tmp_path: Path) -> None:
    work = [Unit("silence", silent_song), Unit("a bug", broken), *units(tmp_path, 0.5)]
    outcome = run_units(work, tmp_path / "kept", jobs=2)
    assert len(outcome.rows) == 1
    assert {failure.key: failure.reason for failure in outcome.failures} == {
        "silence": "the song is silent",
        "a bug": "ZeroDivisionError: division by zero",
    }


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    def stops_at_the_end_of_the_first(fraction: float, _message: str) -> None:
        if fraction > 0.0:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        run_units(
            units(tmp_path, 0.1, 0.2, 0.3), tmp_path / "kept", jobs=1, progress=stops_at_the_end_of_the_first
        )
    outcome = run_units(units(tmp_path, 0.1, 0.2, 0.3), tmp_path / "kept", jobs=1)
    assert 1 <= outcome.reused < 3
    assert len(outcome.rows) == 3


def test_two_units_of_one_key_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="same key"):
        run_units([*units(tmp_path, 0.1), *units(tmp_path, 0.2)], tmp_path, jobs=1)
