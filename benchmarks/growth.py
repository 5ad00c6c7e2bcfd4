"""Time and memory against the length of a song: does an hour cost what its seconds cost?

    python -m benchmarks.growth [--lengths 30 120 480 1800 3600] [--song FILE] [--genre jazz] [--json OUT.json]

A song of each length (examples/song.wav, over and over) is converted in a fresh process. Cost is seconds per
second of song, told relative to the reference length; memory is the largest resident size, told relative to its
budget (2 GiB up to ten minutes, 3 GiB up to an hour). Ends with 1 where a longer song's second costs more than
MAX_GROWTH times the reference's, or memory passes its budget. Shorter songs are shown and not judged: start-up
weighs more there.

An hour takes some ten minutes on two quiet cores, and 6 GB of the temporary folder (TMPDIR) while it lasts.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.budgets import memory_budget_bytes
from benchmarks.clock import REARRANGE, CommandFailed, ended, fresh_run, machine
from benchmarks.song import EXAMPLE, made_song
from benchmarks.stages import STAGES, duration_of, stage_names, stage_seconds
from benchmarks.table import Ratio, mib, ratio_table, table, times, write_json

LENGTHS_S = (30.0, 120.0, 480.0, 1800.0, 3600.0)
REFERENCE_S = 120.0
# Linear in length is 1; half as much again leaves room for what is sorted or searched, and for a disk that is
# slower than its cache. A cost that grew with the square would come to 30 within the hour.
MAX_GROWTH = 1.5


@dataclass(frozen=True)
class Point:
    """One length: the whole conversion and its stages, in seconds, and the largest resident size."""

    duration_s: float
    seconds: float
    peak_bytes: int
    stages: Mapping[str, float]

    @property
    def cost(self) -> float:
        """Seconds per second of song."""
        return self.seconds / self.duration_s


def point_of(stdout: str, seconds: float, peak_bytes: int) -> Point:
    """What `rearrange convert --json` printed, with what its process came to.

    Raises
    ------
    ValueError : a stage is not there or did not run.
    """
    names = dict.fromkeys((*STAGES, *stage_names(stdout)))
    return Point(duration_of(stdout), seconds, peak_bytes, {name: stage_seconds(stdout, name) for name in names})


def reference(points: Sequence[Point]) -> Point:
    """The point whose length is nearest to the reference's.

    Raises
    ------
    ValueError : there is no point.
    """
    return min(points, key=lambda point: abs(point.duration_s - REFERENCE_S))


def failures(points: Sequence[Point]) -> list[str]:
    """What grows too fast or needs too much, in words; empty if nothing does."""
    base = reference(points)
    said = []
    for point in points:
        growth, budget = point.cost / base.cost, memory_budget_bytes(point.duration_s)
        if point.duration_s > base.duration_s and growth > MAX_GROWTH:
            said.append(
                f"{point.duration_s:.0f} s: a second costs {times(growth)} of one of {base.duration_s:.0f} s"
            )
        if point.peak_bytes > budget:
            said.append(f"{point.duration_s:.0f} s: {mib(point.peak_bytes)} MiB of memory, budget {mib(budget)}")
    return said


def ratios_of(points: Sequence[Point]) -> list[Ratio]:
    """Cost relative to the reference, and memory to its budget, of every length."""
    base = reference(points)
    ratios = []
    for point in points:
        name, budget = f"{point.duration_s:.0f} s of song", memory_budget_bytes(point.duration_s)
        if point is not base:
            against = f"a second of {base.duration_s:.0f} s of song"
            ratios.append(Ratio(f"{name}, cost of a second", against, point.cost / base.cost))
        against = f"budget: {budget / 2**30:g} GiB"
        ratios.append(Ratio(f"{name}, peak memory", against, point.peak_bytes / budget))
    return ratios


def growth_table(points: Sequence[Point]) -> str:
    """Every length: cost, memory, and each stage's cost relative to the reference."""
    base = reference(points)
    rows = [
        (
            f"{point.duration_s:.0f} s",
            f"{point.cost:.4f}",
            times(point.cost / base.cost),
            mib(point.peak_bytes),
            times(point.peak_bytes / memory_budget_bytes(point.duration_s)),
            *(_stage_growth(point, base, name) for name in base.stages),
        )
        for point in points
    ]
    header = ("length", "s per s of song", f"to {base.duration_s:.0f} s", "peak MiB", "of budget", *base.stages)
    return table(header, rows)


def _stage_growth(point: Point, base: Point, stage: str) -> str:
    before = base.stages[stage] / base.duration_s
    return times(point.stages[stage] / point.duration_s / before if before else None)


def measured(song: Path, duration_s: float, genre: str) -> Point:
    """Convert a song of one length in a folder of its own, which is gone afterwards.

    Raises
    ------
    CommandFailed : it cannot be converted, or nothing was written.
    """
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        long = made_song(folder / "song.wav", duration_s, song=song)
        out = folder / "out.wav"
        command = (
            "convert",
            str(long),
            "-g",
            genre,
            "-w",
            str(folder / "song.rearrange"),
            "-o",
            str(out),
            "--json",
        )
        run = fresh_run((*REARRANGE, *command))
        if not out.is_file():
            raise CommandFailed(f"convert left no {out.name}")
        return point_of(run.stdout, run.seconds, run.peak_bytes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=float, nargs="+", default=LENGTHS_S, metavar="SECONDS")
    parser.add_argument("--song", type=Path, default=EXAMPLE, help="this song over and over instead")
    parser.add_argument("--genre", default="jazz")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    where = machine()  # before the machine is busy with this
    print(f"growth: {where}")
    points = []
    for duration_s in sorted(args.lengths):
        point = measured(args.song, duration_s, args.genre)
        points.append(point)
        print(f"  {point.duration_s:.0f} s: {point.cost:.4f} s/s, {mib(point.peak_bytes)} MiB", flush=True)
    print(f"\n{growth_table(points)}\n\n{ratio_table(ratios_of(points))}")
    said = failures(points)
    verdict = said or [f"no second of a longer song costs more than {times(MAX_GROWTH)}; memory is in budget"]
    print("", *verdict, sep="\n")
    if args.json:
        facts = {"benchmark": "growth", "machine": where, "points": [asdict(point) for point in points]}
        write_json(args.json, ratios_of(points), {**facts, "failures": said})
    return 1 if said else 0


if __name__ == "__main__":
    ended(main)
