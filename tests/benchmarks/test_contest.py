"""Ways in turn, and the ratios between them."""

from pathlib import Path

import pytest

from benchmarks.clock import Run
from benchmarks.contest import Contest, Way, contest_table, paired, ratios_of, run_rounds
from benchmarks.ways import added


def contest(missing: str = "") -> tuple[Contest, list[str]]:
    """By hand takes 4 s then 8 s, ours 2 s then 6 s; and the order in which they were done."""
    order: list[str] = []
    seconds = {"demucs": iter((4.0, 8.0)), "ours": iter((2.0, 6.0))}

    def way(name: str) -> Way:
        def do(folder: Path) -> Run:
            assert folder.is_dir()
            assert not list(folder.iterdir())
            (folder / "stem.wav").touch()
            order.append(name)
            return Run(next(seconds[name]), {"demucs": 400, "ours": 100}[name])

        return Way(name, do)

    return Contest("separate", way("demucs"), (way("ours"),), "a remark", missing), order


def test_rounds_alternate_in_empty_folders(tmp_path: Path) -> None:
    sides, order = contest()
    run_rounds(sides, tmp_path, 2)
    assert order == ["demucs", "ours", "ours", "demucs"]
    assert not list(tmp_path.iterdir())


def test_ratios_of_the_least_with_those_of_the_rounds(tmp_path: Path) -> None:
    sides, _ = contest()
    run_rounds(sides, tmp_path, 2)
    time, memory = ratios_of(sides)
    assert (time.value, time.low, time.high) == (0.5, 0.5, 0.75)
    assert memory.value == 0.25
    assert time.against == "demucs"
    text = contest_table(sides, song_s=10.0)
    assert "0.4000" in text
    assert "×0.50" in text
    assert text.endswith("a remark")


def test_where_the_other_program_is_missing_ours_is_still_measured(tmp_path: Path) -> None:
    sides, order = contest("demucs does not run here")
    run_rounds(sides, tmp_path, 1)
    assert order == ["ours"]
    (ratio,) = ratios_of(sides)
    assert ratio.value is None
    assert ratio.reason == "demucs does not run here"
    assert "demucs does not run here" in contest_table(sides, song_s=10.0)


def test_known_runs_are_not_run_again(tmp_path: Path) -> None:
    sides, order = contest()
    both = Contest("whole", Way("by hand"), sides.ours, runs={"by hand": [Run(8.0, 1)]})
    run_rounds(both, tmp_path, 1)
    assert order == ["ours"]
    assert ratios_of(both)[0].value == 0.25


def test_rounds_must_be_as_many_on_both_sides() -> None:
    with pytest.raises(ValueError):
        paired([Run(1.0, 1)], [Run(1.0, 1), Run(2.0, 1)])


def test_steps_add_up() -> None:
    assert added([Run(1.0, 5), Run(2.0, 9), Run(3.0, 7)]) == Run(6.0, 9)
    with pytest.raises(ValueError):
        added([])
