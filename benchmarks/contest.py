"""The same work done in several ways, in turn, in one run.

Each round does each way once, in an empty folder, and every other round in the opposite order: what else the
machine does then, and what is in its caches, meets all alike. Ratios are of the least times; those of single
rounds show how sure that is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.clock import Run, Spread
from benchmarks.table import Ratio, mib, table, times

__all__ = ["Contest", "Way", "contest_table", "paired", "ratios_of", "run_rounds"]


@dataclass(frozen=True)
class Way:
    """One way to do the work: `do` runs it in an empty folder, checks what it made, and says what it cost.

    None: its runs are known already.
    """

    name: str
    do: Callable[[Path], Run] | None = None


@dataclass
class Contest:
    """A piece of work: by hand, and by this program in one way or several.

    Parameters
    ----------
    what : the work
    by_hand : what ours is divided by
    ours : the ways of this program
    remark : where the ways do not do quite the same
    missing : why there is no way by hand on this machine; empty where there is one
    runs : what was measured, by the way's name, one run a round
    """

    what: str
    by_hand: Way
    ours: tuple[Way, ...]
    remark: str = ""
    missing: str = ""
    runs: dict[str, list[Run]] = field(default_factory=dict)

    @property
    def ways(self) -> tuple[Way, ...]:
        return (*(() if self.missing else (self.by_hand,)), *self.ours)

    def least(self, way: Way) -> float:
        """The least seconds of a way."""
        return Spread.of(run.seconds for run in self.runs[way.name]).least


def run_rounds(contest: Contest, folder: Path, rounds: int) -> None:
    """Fill in `contest.runs`, but for the ways whose runs are known.

    Raises
    ------
    CommandFailed : a command fails, or has not done its work.
    """
    for number in range(rounds):
        for way in contest.ways if number % 2 == 0 else contest.ways[::-1]:
            if way.do is not None:
                with TemporaryDirectory(dir=folder) as empty:
                    contest.runs.setdefault(way.name, []).append(way.do(Path(empty)))


def paired(ours: Sequence[Run], theirs: Sequence[Run]) -> Spread:
    """The ratios of the times of single rounds.

    Raises
    ------
    ValueError : there is not one of each in every round.
    """
    return Spread.of(a.seconds / b.seconds for a, b in zip(ours, theirs, strict=True))


def ratios_of(contest: Contest) -> list[Ratio]:
    """Time and memory of each of our ways, divided by those by hand."""
    ratios = []
    for way in contest.ours:
        what, against = f"{contest.what}: {way.name}", contest.by_hand.name
        if contest.missing:
            ratios.append(Ratio(what, against, None, reason=contest.missing))
            continue
        ours, theirs = contest.runs[way.name], contest.runs[contest.by_hand.name]
        rounds = paired(ours, theirs)
        value = contest.least(way) / contest.least(contest.by_hand)
        ratios.append(Ratio(f"{what}, time", against, value, rounds.least, rounds.most))
        peaks = [max(run.peak_bytes for run in runs) for runs in (ours, theirs)]
        ratios.append(Ratio(f"{what}, memory", against, peaks[0] / peaks[1]))
    return ratios


def contest_table(contest: Contest, song_s: float) -> str:
    """Every way: seconds per second of song, spread, memory, and the ratio to the way by hand."""
    rows = []
    for way in contest.ways:
        runs = contest.runs[way.name]
        spread = Spread.of(run.seconds for run in runs)
        by_hand = None if contest.missing else spread.least / contest.least(contest.by_hand)
        peak = mib(max(run.peak_bytes for run in runs))
        rows.append((way.name, f"{spread.least / song_s:.4f}", f"+{spread.share:.0%}", peak, times(by_hand)))
    text = table((contest.what, "s per s of song", "spread", "peak MiB", "to by hand"), rows)
    return "\n".join([text, *(f"  {note}" for note in (contest.missing, contest.remark) if note)])
