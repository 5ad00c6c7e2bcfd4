"""Bars of another length are found where the evidence is plain, and nowhere else."""

import numpy as np
import pytest

from rearrange.analysis.bars import bar_starts
from rearrange.analysis.evidence import Evidence, note_evidence
from rearrange.analysis.onsets import FRAME_RATE_HZ
from rearrange.score import NoteEvent
from tests.analysis import rhythms


def song(lengths: list[int]) -> tuple[Evidence, np.ndarray, list[int]]:
    """Chords, bass and drums in bars of these lengths at 120 bpm; beat frames and the bars' first beats."""
    starts = [0, *np.cumsum(lengths).tolist()]
    times = rhythms.beat_times(starts[-1] + 1, 120.0)
    drums = []
    for start, length in zip(starts, lengths, strict=False):
        for k in range(length):
            drums.append(NoteEvent(float(times[start + k]), 0.1, rhythms.SNARE if k % 2 else rhythms.KICK, 100))
    chords = rhythms.chord_notes([float(times[start]) for start in starts[:-1]], float(times[-1]))
    return note_evidence(chords, drums, float(times[-1]) + 0.5), times * FRAME_RATE_HZ, starts[:-1]


@pytest.mark.parametrize("phase", [0, 1, 2, 3])
def test_regular_bars_stay_where_they_are(phase: int) -> None:
    evidence, frames, starts = song([4] * 20)
    # Beats that begin inside a bar: its first downbeat is `phase` beats on.
    late = (4 - phase) % 4
    found = bar_starts([evidence], frames[late:], 4, phase)
    assert [int(start) for start in found if start < len(frames) - late - 4] == [
        start - late for start in starts if start >= late
    ][: len([start for start in found if start < len(frames) - late - 4])]
    assert set(np.diff(found)) == {4}


@pytest.mark.parametrize("odd", [2, 3])
def test_a_short_bar_moves_the_bar_lines_after_it(odd: int) -> None:
    lengths = [4] * 16 + [odd] + [4] * 16
    evidence, frames, starts = song(lengths)
    found = bar_starts([evidence], frames, 4, 0)
    agree = len(set(starts) & set(found.tolist())) / len(starts)
    assert agree > 0.9
    assert (np.diff(found) != 4).sum() == 1


def test_too_short_a_song_has_the_usual_bars() -> None:
    evidence, frames, _ = song([4, 4])
    assert bar_starts([evidence], frames, 4, 1).tolist() == [1, 5]


def test_no_bar_has_a_single_beat() -> None:
    evidence, frames, _ = song([4] * 8 + [5] + [4] * 12)
    assert np.diff(bar_starts([evidence], frames, 4, 0)).min() > 1


def test_without_evidence_nothing_moves() -> None:
    empty = note_evidence([], [], 60.0)
    assert bar_starts([empty], np.arange(100) * 50.0, 3, 2).tolist() == list(range(2, 100, 3))
