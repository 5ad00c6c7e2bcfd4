"""What counts as growing too fast."""

import json

import pytest

from benchmarks.growth import MAX_GROWTH, Point, failures, growth_table, point_of, ratios_of, reference
from benchmarks.stages import STAGES

GIB = 2**30


def point(duration_s: float, cost: float, peak_bytes: int = GIB) -> Point:
    seconds = cost * duration_s
    return Point(duration_s, seconds, peak_bytes, {stage: seconds / len(STAGES) for stage in STAGES})


def test_a_second_of_a_long_song_may_cost_what_the_factor_allows() -> None:
    points = [point(30, 0.4), point(120, 0.2), point(3600, 0.2 * MAX_GROWTH - 0.01)]
    assert failures(points) == []
    (said,) = failures([*points, point(1800, 0.2 * MAX_GROWTH + 0.01)])
    assert said.startswith("1800 s: a second costs ×1.55")


def test_memory_has_two_budgets() -> None:
    assert failures([point(120, 0.2), point(480, 0.2, 2 * GIB), point(3600, 0.2, 3 * GIB)]) == []
    said = failures([point(120, 0.2), point(480, 0.2, 2 * GIB + 2**20), point(3600, 0.2, 3 * GIB + 2**20)])
    assert [text.split(":")[0] for text in said] == ["480 s", "3600 s"]


def test_the_reference_is_the_length_nearest_to_two_minutes() -> None:
    points = [point(30, 0.4), point(130, 0.2), point(480, 0.1)]
    assert reference(points) is points[1]
    with pytest.raises(ValueError):
        reference([])


def test_ratios_and_table_are_relative_to_the_reference() -> None:
    points = [point(120, 0.2), point(480, 0.3)]
    ratios = {ratio.what: ratio.value for ratio in ratios_of(points)}
    assert ratios["480 s of song, cost of a second"] == pytest.approx(1.5)
    assert ratios["480 s of song, peak memory"] == pytest.approx(0.5)
    assert "120 s of song, cost of a second" not in ratios
    assert growth_table(points).splitlines()[3].split()[3] == "×1.50"


def test_a_stage_without_time_has_no_growth() -> None:
    nothing = Point(120, 1.0, GIB, dict.fromkeys(STAGES, 0.0))
    assert growth_table([nothing]).splitlines()[2].split()[-1] == "–"


def test_a_point_is_read_from_what_convert_prints() -> None:
    stages = {stage: {"seconds": 1.0, "because": "new"} for stage in STAGES}
    read = point_of(json.dumps({"duration_s": 60.0, "stages": stages}), 9.0, GIB)
    assert (read.duration_s, read.cost, read.stages["mix"]) == (60.0, 0.15, 1.0)
    stages["report"] = {"seconds": 2.0, "because": "new"}
    assert point_of(json.dumps({"duration_s": 60.0, "stages": stages}), 9.0, GIB).stages["report"] == 2.0
    stages["mix"]["because"] = "up to date"
    with pytest.raises(ValueError):
        point_of(json.dumps({"duration_s": 60.0, "stages": stages}), 9.0, GIB)
