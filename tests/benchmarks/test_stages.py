"""What the stages' benchmark makes of what the commands print."""

import json

import pytest

from benchmarks import budgets
from benchmarks.clock import Run
from benchmarks.stages import STAGES, Measured, StageRun, duration_of, ratios_of, stage_seconds, stage_table


def printed(because: str = "new") -> str:
    stages = {"mix": {"seconds": 1.5, "because": because, "peak_memory_bytes": 1}}
    return json.dumps({"duration_s": 12.5, "stages": stages})


def converted(seconds: float, page: float | None = None) -> Run:
    stages = {"mix": {"seconds": 1.0, "because": "new"}}
    if page is not None:
        stages["report"] = {"seconds": page, "because": "new"}
    return Run(seconds, 2**30, json.dumps({"duration_s": 100.0, "stages": stages}))


def measured(*stage_rounds: float) -> Measured:
    """Every stage takes so many seconds in each round, on a song of 100 s; all else takes ten times as long."""
    result = Measured(100.0)
    for seconds in stage_rounds:
        for stage in STAGES:
            result.stages[stage].append(StageRun(seconds, Run(seconds + 0.5, 2**30)))
        for name in ("convert, first genre", "convert, another genre", "preview, first sound", "--help"):
            result.whole[name].append(converted(10 * seconds))
    return result


def test_seconds_and_duration_of_what_a_command_printed() -> None:
    assert stage_seconds(printed(), "mix") == 1.5
    assert duration_of(printed()) == 12.5


def test_what_did_not_run_is_not_a_time() -> None:
    with pytest.raises(ValueError, match="nothing was timed"):
        stage_seconds(printed("up to date"), "mix")
    with pytest.raises(ValueError, match="no render among mix"):
        stage_seconds(printed(), "render")


def test_the_stages_are_the_pipelines_and_their_budgets_add_up() -> None:
    from rearrange.pipeline.stages import STAGES as PIPELINE

    assert set(STAGES) <= {stage.name for stage in PIPELINE}
    assert sum(budgets.STAGE_BUDGETS.values()) == pytest.approx(budgets.CONVERT)


def test_ratios_are_of_the_least_and_render_and_mix_share_a_budget() -> None:
    ratios = {ratio.what: ratio for ratio in ratios_of(measured(3.0, 2.0))}
    separate, together = ratios["separate"], ratios["render + mix"]
    assert separate.value == pytest.approx(2.0 / 100 / 0.10)
    assert separate.high == pytest.approx(3.0 / 100 / 0.10)
    assert together.value == pytest.approx(4.0 / 100 / 0.03)
    assert ratios["convert, first genre"].value == pytest.approx(20.0 / 100 / 0.25)
    assert ratios["--help"].value == pytest.approx(20.0 / 0.3)
    assert ratios["convert, peak memory"].value == pytest.approx(0.5)


def test_the_page_is_told_apart_where_convert_writes_one() -> None:
    rounds = measured(2.0)
    assert not [ratio for ratio in ratios_of(rounds) if "page" in ratio.what]
    rounds.whole["convert, first genre"] = [converted(30.0, 5.0)]
    ratios = {ratio.what: ratio for ratio in ratios_of(rounds)}
    assert ratios["convert, first genre"].value == pytest.approx(30.0 / 100 / 0.25)
    assert ratios["convert, first genre, without its page"].value == pytest.approx(25.0 / 100 / 0.25)
    assert "of which report.html" in stage_table(rounds)


def test_another_separator_has_no_budget() -> None:
    rounds = measured(2.0)
    rounds.separator = "htdemucs"
    ratios = {ratio.what: ratio for ratio in ratios_of(rounds)}
    assert ratios["separate"].value is None
    assert ratios["separate"].reason == "no budget for --separator htdemucs"
    assert ratios["convert, first genre"].value is None
    assert ratios["transcribe"].value == pytest.approx(0.5)


def test_every_stage_has_a_line_with_its_share() -> None:
    lines = stage_table(measured(2.0, 3.0)).splitlines()
    render = next(line.split() for line in lines if line.startswith("render"))
    assert render == ["render", "2.00", "0.0200", "+50%", "1024", "0.50", "17%"]
    assert len(lines) == 2 + len(STAGES) + 4


def test_memory_may_be_more_for_longer_songs() -> None:
    assert budgets.memory_budget_bytes(600) == 2 * 2**30
    assert budgets.memory_budget_bytes(3600) == 3 * 2**30
