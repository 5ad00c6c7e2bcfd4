"""The results of several benchmarks as one table.

    python -m benchmarks.summary RESULT.json ...

Every line is what ours costs divided by what it is held against; below ×1 is better than that.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.table import Ratio, ratio_table, read_ratios

__all__ = ["headline"]


def headline(ratios: list[Ratio]) -> str:
    """How many ratios are below 1, and which are worst, in one line."""
    known = [(ratio.value, ratio) for ratio in ratios if ratio.value is not None]
    if not known:
        return "nothing could be measured"
    over = [ratio.what for value, ratio in known if value > 1]
    told = f"{len(known) - len(over)} of {len(known)} at or below ×1"
    return f"{told}; above: {'; '.join(over)}" if over else told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT.json")
    ratios: list[Ratio] = []
    for path in parser.parse_args().results:
        facts = json.loads(path.read_text(encoding="utf-8"))
        print(f"{facts['benchmark']}: {facts['machine']}")
        ratios += read_ratios(path)
    print(f"\n{ratio_table(ratios)}\n\n{headline(ratios)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
