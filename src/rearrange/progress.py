"""Progress of long work, as a callable that every stage takes.

A stage calls `progress(fraction, message)` with fraction in [0, 1], never decreasing. The callable may
raise `CancelledError` to stop the work; stages let it pass. `span` gives a part of the bar to a sub-task.
"""

from typing import Protocol

__all__ = ["Progress", "silent", "span"]


class Progress(Protocol):
    def __call__(self, fraction: float, message: str) -> None: ...


def silent(fraction: float, message: str) -> None:
    """Report to nobody."""


def span(progress: Progress, start: float, stop: float) -> Progress:
    """Return a Progress whose 0..1 is `start`..`stop` of `progress`.

    Raises
    ------
    ValueError : not 0 <= start <= stop <= 1.
    """
    if not 0.0 <= start <= stop <= 1.0:
        raise ValueError(f"span {start}..{stop} is not inside 0..1")

    def report(fraction: float, message: str) -> None:
        progress(start + (stop - start) * min(max(fraction, 0.0), 1.0), message)

    return report
