"""How `python -m rearrange.training.NAME` runs a recipe: an error is one line on stderr, and an exit code."""

import sys
from collections.abc import Callable

from rearrange.errors import RearrangeError

__all__ = ["start"]


def start(main: Callable[[], int]) -> int:
    """Run a recipe's `main` on the process' own arguments, and return the exit code."""
    try:
        return main()
    except RearrangeError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
