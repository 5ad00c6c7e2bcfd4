"""A figure, or the reason why there is none.

Conventions: metrics are plain functions that return floats; where the reference makes the question void (no notes,
no annotation, silence) they raise NotMeasurable. `measured` turns either into a Measure, so that one void cell
never stops a table.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec

__all__ = ["Measure", "NotMeasurable", "measured"]

P = ParamSpec("P")


class NotMeasurable(ValueError):
    """The reference does not allow the question; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A value, or None and why."""

    value: float | None
    reason: str = ""


def measured(metric: Callable[P, float], *args: P.args, **kwargs: P.kwargs) -> Measure:
    """What a metric says, as a cell of a table; NaN and infinity are no figures."""
    try:
        value = float(metric(*args, **kwargs))
    except NotMeasurable as exc:
        return Measure(None, str(exc))
    if not math.isfinite(value):
        return Measure(None, f"not a finite number: {value}")
    return Measure(value)
