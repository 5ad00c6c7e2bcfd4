"""Notes as arrays, for metrics that run thousands of times.

Conventions: one row per note, in the order given; beats are quarter notes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.evaluation.measure import NotMeasurable
from rearrange.score import Bar, Note

__all__ = ["GRID_PER_BEAT", "NoteColumns", "bar_positions", "finite", "note_columns"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

GRID_PER_BEAT = 12  # holds sixteenths and triplets; as DESIGN 8 sets it for chroma


@dataclass(frozen=True, eq=False)
class NoteColumns:
    """Notes column by column, each (n_notes,)."""

    onset_beat: Floats
    duration_beat: Floats
    pitch: Integers
    velocity: Floats

    def __len__(self) -> int:
        return len(self.onset_beat)


def note_columns(notes: Sequence[Note]) -> NoteColumns:
    """The columns of notes.

    Raises
    ------
    NotMeasurable : an onset or a duration is not a number.
    """
    onsets = finite([note.onset_beat for note in notes], "onsets")
    durations = finite([note.duration_beat for note in notes], "durations")
    pitches = np.array([note.pitch for note in notes], dtype=np.int64)
    return NoteColumns(onsets, durations, pitches, np.array([note.velocity for note in notes], dtype=np.float64))


def finite(values: Sequence[float] | NDArray[np.floating], what: str) -> Floats:
    """The values as an array of float64.

    Raises
    ------
    NotMeasurable : one of them is NaN or infinite.
    """
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise NotMeasurable(f"not a number in the {what}")
    return array


def bar_positions(onsets_beat: Floats, bars: Sequence[Bar]) -> tuple[Integers, Integers]:
    """Bar of each onset (its place in `bars`, -1 outside them), and its step from the bar line, 12 to the beat.

    Onsets are rounded to the grid first, so that a note played just before a bar line belongs to the bar after it.
    """
    grid = np.rint(onsets_beat * GRID_PER_BEAT).astype(np.int64)
    starts = np.rint(np.array([bar.onset_beat for bar in bars]) * GRID_PER_BEAT).astype(np.int64)
    index = np.searchsorted(starts, grid, side="right") - 1
    index[grid >= round(bars[-1].end_beat * GRID_PER_BEAT)] = -1
    return index, grid - starts[np.maximum(index, 0)]
