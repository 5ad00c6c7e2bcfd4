"""The whole song is the sum of its steps, on both sides."""

from pathlib import Path

from benchmarks.by_hand import whole_song
from benchmarks.clock import Run
from benchmarks.contest import Contest, Way, ratios_of, run_rounds
from benchmarks.ways import Bench, missing

NOWHERE = Path("nowhere")
BENCH = Bench(NOWHERE, 1.0, NOWHERE, "net", NOWHERE, "any", NOWHERE, ())


def steps(without: str = "") -> list[Contest]:
    """Three steps, of 2, 4 and 6 s by hand and of 1, 2 and 3 s by ours, in two rounds and in three."""
    made = []
    for number, (name, rounds) in enumerate((("separate", 2), ("transcribe", 3), ("tracks", 3)), start=1):
        runs = {"ours": [Run(float(number), 10 * number)] * rounds}
        absent = f"{name} does not run here" if name == without else ""
        if not absent:
            runs["by hand"] = [Run(2.0 * number, number)] * rounds
        made.append(Contest(name, Way("by hand"), (Way("ours"),), "", absent, runs))
    return made


def test_the_whole_is_the_sum_of_the_steps() -> None:
    whole = whole_song(BENCH, steps())
    same = whole.ours[0]
    assert whole.runs[whole.by_hand.name] == [Run(12.0, 3)] * 2
    assert whole.runs[same.name] == [Run(6.0, 30)] * 2
    alone = Contest("whole", whole.by_hand, (same,), runs=whole.runs)
    assert [ratio.value for ratio in ratios_of(alone)] == [0.5, 10.0]


def test_one_missing_program_leaves_no_whole_by_hand(tmp_path: Path) -> None:
    whole = whole_song(BENCH, steps(without="transcribe"))
    assert whole.missing == "transcribe does not run here"
    assert whole.by_hand.name not in whole.runs
    alone = Contest("whole", whole.by_hand, (whole.ours[0],), "", whole.missing, whole.runs)
    run_rounds(alone, tmp_path, 1)
    assert [ratio.value for ratio in ratios_of(alone)] == [None]


def test_a_program_that_is_not_there_is_named() -> None:
    assert missing("no-such-program", "--help").startswith("no-such-program does not run here: ")
