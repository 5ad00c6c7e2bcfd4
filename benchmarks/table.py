"""What benchmarks print: plain tables, and the ratios that all of them come down to.

A `Ratio` is what ours costs divided by what it is held against (a budget, or the same work by hand): below 1 is
better than that. Where there is none, its reason says why and the table goes on.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Ratio", "mib", "ratio_table", "read_ratios", "table", "times", "write_json"]

_NOTHING = "–"


@dataclass(frozen=True)
class Ratio:
    """One line of the summary.

    Parameters
    ----------
    what : ours, e.g. "render + mix, time"
    against : what it is divided by, e.g. "budget 0.03 s/s"
    value : the ratio of the least of several runs on either side; None where it could not be measured
    low, high : the least and the most of the ratios of single runs
    reason : why there is no value
    """

    what: str
    against: str
    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: Collection[int] = (0,)) -> str:
    """Text in columns; those whose number is in `left` to the left, the others to the right.

    Raises
    ------
    ValueError : a row has another number of cells than the header.
    """
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"{len(row)} cells under {len(header)} heads: {row}")
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    drawn = []
    for line in lines:
        cells = enumerate(zip(line, widths, strict=True))
        drawn.append("  ".join(cell.ljust(n) if i in left else cell.rjust(n) for i, (cell, n) in cells).rstrip())
    return "\n".join([drawn[0], "-" * max(len(line) for line in drawn), *drawn[1:]])


def times(value: float | None) -> str:
    """A ratio as people say it: ×0.62."""
    return _NOTHING if value is None else f"×{value:.2f}" if value < 100 else f"×{value:.0f}"


def mib(n_bytes: float) -> str:
    """Bytes in MiB."""
    return f"{n_bytes / 2**20:.0f}"


def ratio_table(ratios: Sequence[Ratio]) -> str:
    """The ratios of one or several benchmarks as one table."""
    rows = []
    for ratio in ratios:
        runs = (
            _NOTHING if ratio.low is None or ratio.high is None else f"{times(ratio.low)} to {times(ratio.high)}"
        )
        rows.append((ratio.what, times(ratio.value), runs, ratio.reason or ratio.against))
    return table(("what", "ratio", "single runs", "to"), rows, left=(0, 3))


def write_json(path: Path, ratios: Sequence[Ratio], facts: Mapping[str, object]) -> None:
    """Write a benchmark's ratios, and whatever else it measured, for `benchmarks.summary` and for people."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**facts, "ratios": [asdict(ratio) for ratio in ratios]}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_ratios(path: Path) -> list[Ratio]:
    """The ratios of a file of `write_json`.

    Raises
    ------
    ValueError : the file is none.
    """
    read = json.loads(path.read_text(encoding="utf-8"))
    try:
        return [Ratio(**ratio) for ratio in read["ratios"]]
    except (KeyError, TypeError) as exc:
        raise ValueError(f"{path}: is no result of a benchmark: {exc}") from exc
