"""The one axis of all pictures: beats of the song, to which the seconds of source and result are both brought.

Conventions: a position is a beat of the song (quarter notes from its first bar line; negative before it), whatever
is heard. Bars are counted from 1; what lies before the first bar line is bar 0. An arrangement plays `beat_ratio`
beats per beat of the song. Side A is the source, side B the result.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rearrange.timeline import Bar, Timeline

__all__ = ["BarAxis"]


@dataclass(frozen=True)
class BarAxis:
    """From the first thing that can be heard on either side to the last.

    Parameters
    ----------
    source, result : timelines of both sides
    beat_ratio : beats of the result per beat of the source
    source_s, result_s : how long either side sounds, in seconds
    """

    source: Timeline
    result: Timeline
    beat_ratio: float
    source_s: float
    result_s: float

    @cached_property
    def start_beat(self) -> float:
        """Where the earlier side begins."""
        starts = [self.beats(0.0, side="source"), self.beats(0.0, side="result")]
        return min(*(float(start) for start in starts), 0.0)

    @cached_property
    def end_beat(self) -> float:
        """Where the longer side ends; at least a beat after the start."""
        ends = [self.beats(self.source_s, side="source"), self.beats(self.result_s, side="result")]
        return max(*(float(end) for end in ends), self.source.end_beat, self.start_beat + 1.0)

    @property
    def length_beat(self) -> float:
        return self.end_beat - self.start_beat

    @property
    def bars(self) -> tuple[Bar, ...]:
        """The bars of the song."""
        return self.source.bars

    def beats(self, time_s: ArrayLike, *, side: str) -> NDArray[np.float64]:
        """Seconds of a side, `source` or `result`, to beats of the song."""
        if side == "source":
            return self.source.beats(time_s)
        return np.asarray(self.result.beats(time_s) / self.beat_ratio)

    def seconds(self, beat: ArrayLike, *, side: str) -> NDArray[np.float64]:
        """Beats of the song to seconds of a side; may lie before its beginning or after its end."""
        if side == "source":
            return self.source.seconds(beat)
        return self.result.seconds(np.asarray(beat, dtype=np.float64) * self.beat_ratio)

    def share(self, beat: float) -> float:
        """Where a beat lies on the axis, in [0, 1]."""
        return float(np.clip((beat - self.start_beat) / self.length_beat, 0.0, 1.0))

    def table_beats(self) -> NDArray[np.float64]:
        """The beats at which the page knows the seconds of both sides: every one, and both ends.

        Timelines have their knots on beats, so that in between both sides run evenly.
        """
        whole = np.arange(np.ceil(self.start_beat), np.floor(self.end_beat) + 1)
        return np.unique(np.concatenate([[self.start_beat], whole, [self.end_beat]]))

    def column_edges_s(self, n_columns: int, *, side: str) -> NDArray[np.float64]:
        """Seconds of a side at the borders of a picture's columns, (n_columns + 1,)."""
        return self.seconds(np.linspace(self.start_beat, self.end_beat, n_columns + 1), side=side)
