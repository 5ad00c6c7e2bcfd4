"""Beats and seconds: the metre, the bars, and the one map between the two.

Conventions: `*_s` are seconds from the start of the song, `*_beat` quarter notes from its first bar line. Nothing
else in the package converts between them.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Bar", "Metre", "Timeline"]


@dataclass(frozen=True, slots=True)
class Metre:
    """A time signature. `beats_per_bar` counts quarter notes: 6/8 has three of them."""

    numerator: int = 4
    denominator: int = 4

    @property
    def beats_per_bar(self) -> float:
        return self.numerator * 4 / self.denominator

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the song's grid."""

    index: int
    onset_beat: float
    metre: Metre

    @property
    def duration_beat(self) -> float:
        return self.metre.beats_per_bar

    @property
    def end_beat(self) -> float:
        return self.onset_beat + self.duration_beat


@dataclass(frozen=True)
class Timeline:
    """Piecewise-linear map between beats and seconds, with the metre; the only place where units convert.

    Parameters
    ----------
    knots_beat, knots_s : at least two points of the map, both strictly increasing. Outside them the first
        and last tempo go on.
    metres : (onset_beat, Metre) in order, the first at beat 0; each on a bar line of the one before
    end_beat : where the song's last bar ends; bars are counted from 0 to here
    confidence : of beats and downbeats, in [0, 1]

    Raises
    ------
    ValueError : fewer than two knots, or not increasing, or no metre at beat 0.
    """

    knots_beat: tuple[float, ...]
    knots_s: tuple[float, ...]
    metres: tuple[tuple[float, Metre], ...] = ((0.0, Metre()),)
    end_beat: float = 0.0
    confidence: float = 1.0

    def __post_init__(self) -> None:
        beats, times = np.asarray(self.knots_beat), np.asarray(self.knots_s)
        if len(beats) < 2 or len(beats) != len(times):
            raise ValueError("a Timeline needs at least two knots, as many beats as seconds")
        if np.any(np.diff(beats) <= 0) or np.any(np.diff(times) <= 0):
            raise ValueError("a Timeline's knots must increase")
        if not self.metres or self.metres[0][0] != 0.0:
            raise ValueError("a Timeline needs a metre at beat 0")

    @classmethod
    def constant(
        cls, tempo_bpm: float, *, end_beat: float, metre: Metre = Metre(), start_s: float = 0.0
    ) -> "Timeline":
        """A steady tempo in quarter notes per minute, beat 0 at `start_s`."""
        end = max(end_beat, 1.0)
        return cls((0.0, end), (start_s, start_s + end * 60.0 / tempo_bpm), ((0.0, metre),), end_beat)

    @cached_property
    def _knots(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.asarray(self.knots_beat, dtype=np.float64), np.asarray(self.knots_s, dtype=np.float64)

    def seconds(self, beat: ArrayLike) -> NDArray[np.float64]:
        """Beats to seconds, for an array or a number (then a 0-d array; wrap in float())."""
        return _interpolate(np.asarray(beat, dtype=np.float64), *self._knots)

    def beats(self, time_s: ArrayLike) -> NDArray[np.float64]:
        """Seconds to beats, the inverse of `seconds`."""
        xs, ys = self._knots
        return _interpolate(np.asarray(time_s, dtype=np.float64), ys, xs)

    def tempo_bpm(self, beat: float) -> float:
        """Quarter notes per minute at a beat."""
        xs, ys = self.knots_beat, self.knots_s
        i = min(max(bisect_right(xs, beat) - 1, 0), len(xs) - 2)
        return float(60.0 * (xs[i + 1] - xs[i]) / (ys[i + 1] - ys[i]))

    @cached_property
    def mean_tempo_bpm(self) -> float:
        """Median over beats of the local tempo, which an outlier at either end does not move."""
        if self.end_beat <= 1.0:
            return self.tempo_bpm(0.0)
        return float(np.median([self.tempo_bpm(beat) for beat in np.arange(0.0, self.end_beat, 1.0)]))

    def metre_at(self, beat: float) -> Metre:
        """The time signature in force at a beat."""
        past = [metre for onset, metre in self.metres if onset <= beat + 1e-9]
        return past[-1] if past else self.metres[0][1]

    @cached_property
    def bars(self) -> tuple[Bar, ...]:
        """All bars from beat 0 until `end_beat` is covered."""
        bars: list[Bar] = []
        onset = 0.0
        while onset < self.end_beat - 1e-6:
            metre = self.metre_at(onset)
            bars.append(Bar(len(bars), onset, metre))
            onset += metre.beats_per_bar
        return tuple(bars)

    def scaled(self, tempo_ratio: float) -> "Timeline":
        """The same beats, `tempo_ratio` times as fast."""
        return Timeline(
            self.knots_beat,
            tuple(time / tempo_ratio for time in self.knots_s),
            self.metres,
            self.end_beat,
            self.confidence,
        )


def _interpolate(x: NDArray[np.float64], xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear interpolation that goes on with the end slopes outside the knots."""
    i = np.clip(np.searchsorted(xs, x, side="right") - 1, 0, len(xs) - 2)
    slope = (ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i])
    return np.asarray(ys[i] + slope * (x - xs[i]), dtype=np.float64)
