"""Time and memory of every stage of a conversion, against the budgets.

    python -m benchmarks.stages [--seconds 180] [--song FILE] [--rounds 3] [--genres jazz funk] [--json OUT.json]

Each round makes a new folder and runs the six stages as six commands, each in a fresh process, so that the peak
memory is the stage's own; then the whole `convert` in one process, the same song in another genre, and a `preview`
of the song from nothing. `--help` is asked for more often, because it is so short.

A stage's time is its own, as the command reports it: without the interpreter's start, imports and the hashing of
files, which `convert` pays once. `convert`, `preview` and `--help` are timed from outside, everything included.
The budgets are those of two cores and the small models (the `spectral` separator); another --separator has none.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import budgets
from benchmarks.clock import REARRANGE, CommandFailed, Run, Spread, ended, fresh_run, machine
from benchmarks.song import made_song
from benchmarks.table import Ratio, mib, ratio_table, table, times, write_json

STAGES = tuple(name for names in budgets.STAGE_BUDGETS for name in names)
REPORT = "report"  # a page, written by `convert` after the mix: the budgets were made before it
_CONVERTS = {"convert, first genre": budgets.CONVERT, "convert, another genre": budgets.ANOTHER_GENRE}
_HELP_ROUNDS = 5  # of `--help` in each round


@dataclass(frozen=True)
class StageRun:
    """One stage in a fresh process: its own seconds, and what the process came to."""

    seconds: float
    process: Run


@dataclass
class Measured:
    """What the rounds gave, one value a round; `separator` is empty for the default one."""

    duration_s: float
    separator: str = ""
    stages: dict[str, list[StageRun]] = field(default_factory=lambda: defaultdict(list))
    whole: dict[str, list[Run]] = field(default_factory=lambda: defaultdict(list))


def stage_seconds(stdout: str, stage: str) -> float:
    """The seconds of a stage in what `rearrange STAGE --json` prints.

    Raises
    ------
    ValueError : it did not run, because it was up to date, or there is no such stage in it.
    """
    stages = json.loads(stdout)["stages"]
    if stage not in stages:
        raise ValueError(f"no {stage} among {', '.join(stages)}")
    if stages[stage]["because"] == "up to date":
        raise ValueError(f"{stage} was up to date: nothing was timed")
    return float(stages[stage]["seconds"])


def stage_names(stdout: str) -> tuple[str, ...]:
    """The stages in what a command printed, in order."""
    return tuple(json.loads(stdout)["stages"])


def page_seconds(runs: Sequence[Run]) -> list[float]:
    """The seconds that each run of `convert` spent on its page; empty if it writes none."""
    return [stage_seconds(run.stdout, REPORT) for run in runs if REPORT in stage_names(run.stdout)]


def one_round(
    measured: Measured, song: Path, folder: Path, *, genres: tuple[str, str], separator: Sequence[str]
) -> None:
    """Run everything once, in an empty folder."""
    workspace = ("-w", str(folder / "stages.rearrange"))
    arguments = {
        "separate": (str(song), *workspace, *separator),
        "arrange": (*workspace, "--genre", genres[0]),
    }
    for stage in STAGES:
        run = fresh_run((*REARRANGE, stage, *arguments.get(stage, workspace), "--json"))
        measured.stages[stage].append(StageRun(stage_seconds(run.stdout, stage), run))
    for name, genre in zip(_CONVERTS, genres, strict=True):
        out = folder / f"{genre}.wav"
        command = ("convert", str(song), "--genre", genre, "-w", str(folder / "convert.rearrange"), "-o", str(out))
        run = fresh_run((*REARRANGE, *command, *separator, "--json"))
        stage_seconds(run.stdout, "mix")  # raises where nothing was made
        measured.whole[name].append(run)
    out = folder / "preview.wav"
    preview = (*REARRANGE, "preview", str(song), "--genre", genres[0], "-w", str(folder / "new.rearrange"))
    measured.whole["preview, first sound"].append(fresh_run((*preview, "-o", str(out))))
    if not out.is_file():
        raise CommandFailed(f"preview left no {out.name}")
    for _ in range(_HELP_ROUNDS):
        measured.whole["--help"].append(fresh_run((*REARRANGE, "--help")))


def duration_of(stdout: str) -> float:
    """The song's duration in what `rearrange convert --json` prints, in seconds."""
    return float(json.loads(stdout)["duration_s"])


def ratios_of(measured: Measured) -> list[Ratio]:
    """What was measured, divided by the budgets."""
    duration_s = measured.duration_s
    ratios = []
    for names, budget in budgets.STAGE_BUDGETS.items():
        rounds = [
            sum(run.seconds for run in together)
            for together in zip(*(measured.stages[name] for name in names), strict=True)
        ]
        ratios.append(_of_budget(" + ".join(names), [s / duration_s for s in rounds], budget, "s per s of song"))
    for name, budget in _CONVERTS.items():
        rounds = [run.seconds / duration_s for run in measured.whole[name]]
        ratios.append(_of_budget(name, rounds, budget, "s per s of song"))
        if page := page_seconds(measured.whole[name]):
            without = [seconds - own / duration_s for seconds, own in zip(rounds, page, strict=True)]
            ratios.append(_of_budget(f"{name}, without its page", without, budget, "s per s of song"))
    for name, budget in (("preview, first sound", budgets.FIRST_SOUND_S), ("--help", budgets.HELP_S)):
        ratios.append(_of_budget(name, [run.seconds for run in measured.whole[name]], budget, "s"))
    budget_bytes = budgets.memory_budget_bytes(duration_s)
    peaks = [run.peak_bytes / 2**30 for run in measured.whole["convert, first genre"]]
    ratios.append(_of_budget("convert, peak memory", peaks, budget_bytes / 2**30, "GiB"))
    if measured.separator:
        return [_without_budget(ratio, measured.separator) for ratio in ratios]
    return ratios


def _without_budget(ratio: Ratio, separator: str) -> Ratio:
    """No ratio where the separator takes part: the budgets are those of the default one."""
    if ratio.what not in (
        "separate",
        "convert, first genre",
        "convert, first genre, without its page",
        "convert, peak memory",
    ):
        return ratio
    return Ratio(ratio.what, ratio.against, None, reason=f"no budget for --separator {separator}")


def _of_budget(what: str, values: Sequence[float], budget: float, unit: str) -> Ratio:
    spread = Spread.of(values)
    against = f"budget: {budget:g} {unit}"
    return Ratio(what, against, spread.least / budget, spread.least / budget, spread.most / budget)


def stage_table(measured: Measured) -> str:
    """Every stage: seconds per second of song, spread, share of all stages, memory."""
    stages = {name: [run.seconds for run in measured.stages[name]] for name in STAGES}
    total = sum(min(seconds) for seconds in stages.values())
    rows = []
    for name, seconds in stages.items():
        processes = [run.process for run in measured.stages[name]]
        start = min(process.seconds - own for process, own in zip(processes, seconds, strict=True))
        cost = _cost(seconds, processes, measured.duration_s)
        rows.append((name, *cost, f"{start:.2f}", f"{min(seconds) / total:.0%}"))
    for name, runs in measured.whole.items():
        seconds = [run.seconds for run in runs]
        cost = _cost(seconds, runs, measured.duration_s)
        rows.append((name, *cost, "", times(min(seconds) / total)))
        if name in _CONVERTS and (page := page_seconds(runs)):
            rows.append((f"  of which {REPORT}.html", *_cost(page, runs, measured.duration_s)[:3], "", "", ""))
    header = ("stage", "seconds", "s per s of song", "spread", "peak MiB", "start s", "of all stages")
    return table(header, rows)


def _cost(seconds: Sequence[float], processes: Sequence[Run], duration_s: float) -> tuple[str, str, str, str]:
    """Seconds, seconds per second of song, spread and memory, as text."""
    spread = Spread.of(seconds)
    peak = mib(max(process.peak_bytes for process in processes))
    return f"{spread.least:.2f}", f"{spread.least / duration_s:.4f}", f"+{spread.share:.0%}", peak


def facts_of(measured: Measured, rounds: int) -> Mapping[str, object]:
    """All single values, for the JSON file."""
    return {
        "benchmark": "stages",
        "duration_s": measured.duration_s,
        "rounds": rounds,
        "stage_seconds": {name: [run.seconds for run in runs] for name, runs in measured.stages.items()},
        "stage_peak_bytes": {
            name: [run.process.peak_bytes for run in runs] for name, runs in measured.stages.items()
        },
        "seconds": {name: [run.seconds for run in runs] for name, runs in measured.whole.items()},
        "page_seconds": {name: page_seconds(runs) for name, runs in measured.whole.items() if name in _CONVERTS},
        "peak_bytes": {name: [run.peak_bytes for run in runs] for name, runs in measured.whole.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180.0, help="length of the project's own song")
    parser.add_argument("--song", type=Path, default=None, help="this song instead, as long as it is")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--genres", nargs=2, default=("jazz", "funk"), metavar="GENRE")
    parser.add_argument("--separator", default=None, help="as `rearrange convert` takes it")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("there is at least one round")
    where = machine()  # before the machine is busy with this
    print(f"stages: {where}")
    measured = Measured(0.0, args.separator or "")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        separator = ("--separator", args.separator) if args.separator else ()
        song = args.song or made_song(folder / "song.wav", args.seconds)
        for _ in range(args.rounds):
            with TemporaryDirectory(dir=folder) as empty:
                one_round(measured, song, Path(empty), genres=tuple(args.genres), separator=separator)
    measured.duration_s = duration_of(measured.whole["convert, first genre"][0].stdout)
    print(f"{args.song or 'examples/song.wav, repeated'}: {measured.duration_s:.0f} s, {args.rounds} rounds\n")
    print(stage_table(measured), "\n")
    ratios = ratios_of(measured)
    print(ratio_table(ratios))
    if args.json:
        write_json(args.json, ratios, {**facts_of(measured, args.rounds), "machine": where})
    return 0


if __name__ == "__main__":
    ended(main)
