"""The whole evaluation: which work there is, doing it, and the tables that come of it.

Conventions: the test sets are declared in `sets/`; everything here is bound together, nothing measured. Sets that
are not in the data folder leave their tables empty and say so.
"""

import hashlib
import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rearrange import __version__
from rearrange.audio import replacing
from rearrange.errors import UsageError
from rearrange.evaluation.judge import load_judge
from rearrange.evaluation.judge_table import judge_table
from rearrange.evaluation.layout import markdown, plain
from rearrange.evaluation.page import page
from rearrange.evaluation.plan import Scope, plan
from rearrange.evaluation.rows import Row
from rearrange.evaluation.run import Failure, code_fingerprint, run_units
from rearrange.evaluation.tables import Table, tables_of
from rearrange.genre import genre_names, load_genre
from rearrange.pipeline.song import genre_reference
from rearrange.progress import Progress, silent, span
from rearrange.workspace import write_json

__all__ = ["Choice", "Result", "evaluate_all", "write_tables"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What is evaluated. No genres: all; `n_songs` limits each set."""

    quick: bool = False
    groups: tuple[str, ...] = ("songs", "ears", "sound", "cost")
    sets: tuple[str, ...] = ("oracle", "bands", "recordings")
    genres: tuple[str, ...] = ()
    n_seeds: int = 3
    n_songs: int | None = None


@dataclass(frozen=True)
class Result:
    """The tables, what was run, and what failed."""

    tables: tuple[Table, ...]
    about: Mapping[str, str]
    failures: tuple[Failure, ...]


def evaluate_all(
    data: Path, output: Path, choice: Choice, *, jobs: int = 1, progress: Progress = silent
) -> Result:
    """Do what is not done yet, and draw all together.

    Parameters
    ----------
    data : folder with `symbolic` and `audio`
    output : finished work is kept in `output`/units, unpacked sets in `output`/sets

    Raises
    ------
    UsageError : there is no data.
    GenreError : a genre that does not exist.
    CancelledError : `progress` says so; finished work is kept.
    """
    if not data.is_dir():
        raise UsageError(f"{data}: no such folder", "--data is the folder that holds symbolic/ and audio/")
    genres = tuple(genre_reference(load_genre(name)) for name in choice.genres) or tuple(genre_names())
    started = time.monotonic()
    scope = Scope(choice.groups, choice.sets, genres, tuple(range(choice.n_seeds)), choice.quick, choice.n_songs)
    units, missing = plan(data, output / "sets", scope, progress=span(progress, 0.0, 0.02))
    if not units:
        raise UsageError(f"{data}: holds nothing to evaluate with", "; ".join(missing))
    outcome = run_units(
        units, output / "units", jobs=jobs, fingerprint=_fingerprint(data), progress=span(progress, 0.02, 1.0)
    )
    about = {
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC by rearrange {__version__}, "
        f"code {code_fingerprint()[:12]}",
        "on": f"{platform.system()}, {platform.machine()}, Python {platform.python_version()}, {jobs} processes",
        "run": f"{len(units)} pieces of work, {outcome.reused} of them from an earlier run, "
        f"{time.monotonic() - started:.0f} s",
        "songs": _songs(outcome.rows),
        "genres": ", ".join(genres),
        "seeds": ", ".join(str(seed) for seed in range(choice.n_seeds)),
        **({"quick": "yes: a few songs only, not figures to quote"} if choice.quick else {}),
        **({"left out": "; ".join(missing)} if missing else {}),
        **({"failed": str(len(outcome.failures))} if outcome.failures else {}),
    }
    tables = tables_of(outcome.rows, weak=load_judge().weak)
    if "songs" in choice.groups:
        tables += (judge_table(),)
    return Result(tables, about, outcome.failures)


def _songs(rows: Sequence[Row]) -> str:
    sets: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        if row.group in ("songs", "ears"):
            sets.setdefault(row.set, set()).add((row.corpus, row.song))
    return ", ".join(f"{len(songs)} in {name}" for name, songs in sets.items())


def _fingerprint(data: Path) -> str:
    """Names, sizes and times of the data's files: reading them all would take longer than a quick run."""
    files = sorted(path for path in data.rglob("*") if path.is_file())
    told = [(str(path.relative_to(data)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def write_tables(result: Result, output: Path) -> tuple[Path, ...]:
    """Write the tables as JSON, Markdown and HTML.

    Raises
    ------
    OutputError : they cannot be written.
    """
    files = tuple(output / f"tables.{ending}" for ending in ("json", "md", "html"))
    write_json(files[0], {"about": dict(result.about), "tables": plain(result.tables)})
    about = "\n".join(f"- {label}: {value}" for label, value in result.about.items())
    texts = (f"{about}\n\n" + "\n".join(map(markdown, result.tables)), page(result.tables, result.about))
    for file, text in zip(files[1:], texts, strict=True):
        with replacing(file) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return files
