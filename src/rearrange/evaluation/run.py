"""Units of work, done in parallel, each kept when it is finished.

A unit is a function with its arguments that gives rows. What it gave is kept in a file with a fingerprint of the
package's own code, of the unit's arguments and of what lies outside (the data): a run that was stopped goes on
where it was, and one after a change of code begins anew. A unit that fails is told and left out; the others go on.

Conventions: one process per job and one thread in each, so that figures do not depend on how many there are. Units
that measure time are done last, one after the other, with nothing beside them.
"""

import hashlib
import json
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from rearrange.errors import RearrangeError, WorkspaceError
from rearrange.evaluation.rows import Row
from rearrange.progress import Progress, silent
from rearrange.workspace import from_plain, read_json, safe_name, to_plain, write_json

__all__ = ["Failure", "Outcome", "Unit", "code_fingerprint", "run_units"]

logger = logging.getLogger(__name__)

_POLL_S = 0.5
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Unit:
    """Work that stands alone.

    key : names it, and its file
    function, arguments : what is called in another process; both must pickle
    weight : how long it takes, in no unit
    alone : nothing may run beside it, because it measures time
    """

    key: str
    function: Callable[..., Sequence[Row]]
    arguments: Mapping[str, object] = field(default_factory=dict)
    weight: float = 1.0
    alone: bool = False


@dataclass(frozen=True)
class Failure:
    """A unit that gave nothing, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What came of a run; `reused` units were finished before."""

    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]
    reused: int


@cache
def code_fingerprint() -> str:
    """The sha256 of the package's own files: any change of code, genre or set makes old figures stale."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.suffix in (".py", ".toml"):
            digest.update(path.relative_to(package).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def run_units(
    units: Sequence[Unit], folder: Path, *, jobs: int, fingerprint: str = "", progress: Progress = silent
) -> Outcome:
    """Do what is not done yet.

    Parameters
    ----------
    folder : where finished units are kept; made if it is not there
    jobs : processes
    fingerprint : of everything outside the package that figures depend on

    Raises
    ------
    ValueError : two units of one key.
    OutputError : the folder cannot be written.
    CancelledError : `progress` says so; finished units are kept.
    """
    if len({unit.key for unit in units}) != len(units):
        raise ValueError("two units have the same key")
    marks = {unit.key: _mark(unit, fingerprint) for unit in units}
    rows: dict[str, tuple[Row, ...]] = {}
    for unit in units:
        kept = _read(_path(folder, unit), marks[unit.key])
        if kept is not None:
            rows[unit.key] = kept
    reused = len(rows)
    failures: list[Failure] = []
    due = [unit for unit in units if unit.key not in rows]
    total = sum(unit.weight for unit in due) or 1.0
    done = 0.0
    said = f"{reused} of {len(units)} are done already" if reused else "started"
    progress(0.0, said)
    for alone in (False, True):
        batch = [unit for unit in due if unit.alone == alone]
        for finished in _done(batch, 1 if alone else jobs):
            if finished is None:  # all are at work, but the caller may want to stop
                progress(done / total, said)
                continue
            unit, result = finished
            done += unit.weight
            if isinstance(result, Failure):
                failures.append(result)
            else:
                rows[unit.key] = result
                write_json(_path(folder, unit), {"mark": marks[unit.key], "rows": to_plain(result)})
            said = unit.key
            progress(done / total, said)
    ordered = tuple(row for unit in units for row in rows.get(unit.key, ()))
    return Outcome(ordered, tuple(failures), reused)


def _done(units: Sequence[Unit], jobs: int) -> Iterator[tuple[Unit, tuple[Row, ...] | Failure] | None]:
    """Each unit as it is finished, the longest begun first; twice a second None, while all are at work."""
    if not units:
        return
    context = multiprocessing.get_context("spawn")
    with _one_thread_each(), ProcessPoolExecutor(jobs, context, initializer=_deaf_to_interrupts) as pool:
        futures: dict[Future[tuple[Row, ...] | Failure], Unit] = {}
        for unit in sorted(units, key=lambda unit: -unit.weight):
            futures[pool.submit(_do, unit)] = unit
        try:
            while futures:
                finished, _ = wait(futures, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                yield None
                for future in finished:
                    unit = futures.pop(future)
                    try:
                        result = future.result()
                    except Exception as exc:  # the process died, or its rows do not pickle
                        result = Failure(unit.key, f"{type(exc).__name__}: {exc}")
                    yield unit, result
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise


def _do(unit: Unit) -> tuple[Row, ...] | Failure:
    try:
        return tuple(unit.function(**unit.arguments))
    except RearrangeError as exc:
        return Failure(unit.key, exc.message)
    except Exception as exc:  # one unit must not take the others with it; it is told at the end
        logger.debug("%s failed", unit.key, exc_info=True)
        return Failure(unit.key, f"{type(exc).__name__}: {exc}")


def _deaf_to_interrupts() -> None:
    """Ctrl-C is the parent's to hear: it ends its children."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Libraries read these when they are loaded: children inherit them."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _mark(unit: Unit, fingerprint: str) -> str:
    """What the unit's rows depend on."""
    what = json.dumps(
        [
            code_fingerprint(),
            fingerprint,
            unit.key,
            unit.function.__qualname__,
            repr(sorted(unit.arguments.items())),
        ]
    )
    return hashlib.sha256(what.encode()).hexdigest()


def _path(folder: Path, unit: Unit) -> Path:
    return folder / f"{safe_name(unit.key)}.json"


def _read(path: Path, mark: str) -> tuple[Row, ...] | None:
    """The rows of a finished unit; None if there are none, or they are of something else."""
    if not path.is_file():
        return None
    try:
        plain = read_json(path)
        if not isinstance(plain, dict) or plain.get("mark") != mark:
            return None
        return from_plain(tuple[Row, ...], plain["rows"])
    except (WorkspaceError, ValueError, KeyError):
        return None
