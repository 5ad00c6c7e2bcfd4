"""Commands timed in fresh processes, and what several runs of one command come to.

Conventions: wall-clock seconds, from before the process starts until it is gone, so that the interpreter's start
and all imports count; memory is the largest resident size of the process and of those that it started and waited
for (`wait4`). The least of several runs is what the work costs; the spread says how far the machine disturbed it.

Limits: a child's peak counts from what this process held when it started the child (Linux carries that over), so
whoever times should import nothing large: songs and nets are made in processes of their own. macOS counts in
bytes, Linux in KiB; Windows has no `wait4`.
"""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import NoReturn

__all__ = ["REARRANGE", "CommandFailed", "Run", "Spread", "ended", "fresh_run", "machine", "peak_bytes"]

REARRANGE = (sys.executable, "-m", "rearrange")
_SHOWN_LINES = 3  # of what a failed command said
_QUIET_LOAD = 0.5  # processes that wanted a core in the last minute; more, and figures are worth little


class CommandFailed(RuntimeError):
    """A command that was to be timed has failed: there is nothing to compare.

    `cause` is the last thing that it said.
    """

    def __init__(self, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause or message


@dataclass(frozen=True)
class Run:
    """One finished command: what it cost and what it printed."""

    seconds: float
    peak_bytes: int
    stdout: str = ""

    def __add__(self, later: "Run") -> "Run":
        """This command and then the later one: times add up, the larger memory counts."""
        return Run(self.seconds + later.seconds, max(self.peak_bytes, later.peak_bytes), later.stdout)


@dataclass(frozen=True)
class Spread:
    """The least and the most of several values."""

    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Raises ValueError where there is no value."""
        known = sorted(values)
        if not known:
            raise ValueError("no values")
        return cls(known[0], known[-1])

    @property
    def share(self) -> float:
        """How much more the most is than the least, as a share of the least; infinite above nothing."""
        if self.most == self.least:
            return 0.0
        return (self.most - self.least) / self.least if self.least > 0 else float("inf")


def fresh_run(command: Sequence[str]) -> Run:
    """Run a command to its end and say what it cost.

    Raises
    ------
    CommandFailed : it is not there, or ends with another code than 0.
    """
    with TemporaryFile() as said, TemporaryFile() as complained:
        started = time.perf_counter()
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=complained)
        except OSError as exc:
            raise CommandFailed(f"{command[0]}: cannot be started: {exc.strerror or exc}") from exc
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:  # Ctrl-C: nothing is left running
            child.kill()
            child.wait()
            raise
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        complained.seek(0)
        stdout = said.read().decode(errors="replace")
        if child.returncode != 0:
            last = complained.read().decode(errors="replace").strip().splitlines()[-_SHOWN_LINES:]
            told = f"{' '.join(command)} ends with {child.returncode}: {' / '.join(last)}"
            raise CommandFailed(told, last[-1] if last else "")
    return Run(seconds, peak_bytes(usage.ru_maxrss, sys.platform), stdout)


def peak_bytes(ru_maxrss: int, system: str) -> int:
    """The peak of a `rusage` in bytes: macOS gives bytes, every other system KiB."""
    return ru_maxrss if system == "darwin" else ru_maxrss * 1024


def ended(main: Callable[[], int]) -> NoReturn:
    """Run a benchmark and leave the process: with its code, or with one line where a command has failed."""
    try:
        sys.exit(main())
    except CommandFailed as exc:
        sys.exit(str(exc))


def machine() -> str:
    """The machine in one line, with a warning where it is busy with something else."""
    load = os.getloadavg()[0]
    threads = os.environ.get("OMP_NUM_THREADS")
    parts = [
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        *([f"OMP_NUM_THREADS={threads}"] if threads else []),
        f"load {load:.1f} at the start{' (BUSY: repeat on a quiet machine)' if load > _QUIET_LOAD else ''}",
    ]
    return ", ".join(parts)
