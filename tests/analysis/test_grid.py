"""Whether a MIDI file's grid is the music's, moved against it, or none of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearrange.analysis.beats import BeatTrack
from rearrange.analysis.evidence import note_evidence
from rearrange.analysis.grid import coherence, fits_as_written, read_grid
from rearrange.score import Metre, NoteEvent, Timeline
from tests.analysis import rhythms

N_BARS = 16


def song(*, shift_beat: float = 0.0, beats_per_bar: int = 4) -> tuple[list[NoteEvent], list[NoteEvent]]:
    """A band at 100 bpm whose first downbeat is that many beats after 0 s."""
    pattern = rhythms.ROCK if beats_per_bar == 4 else rhythms.WALTZ
    times = rhythms.beat_times(N_BARS * beats_per_bar + 1, 100.0, start_s=shift_beat * 0.6)
    drums = rhythms.drum_notes(pattern, beats_per_bar, times)
    return rhythms.chord_notes([float(t) for t in times[:-1:beats_per_bar]], float(times[-1])), drums


def read(timeline: Timeline, notes: list[NoteEvent], drums: list[NoteEvent]) -> Timeline | BeatTrack | None:
    end_s = max(note.onset_s for note in (*notes, *drums)) + 2.0
    onsets = np.array([note.onset_s for note in (*notes, *drums)])
    return read_grid(timeline, onsets, note_evidence(notes, drums, end_s))


@given(st.floats(-0.12, 0.12), st.integers(0, 40))
def test_coherence_measures_the_offset_from_the_sixteenths(offset: float, whole: int) -> None:
    found = coherence(np.arange(32) / 4 + whole + offset)
    assert found.share == pytest.approx(1.0)
    assert found.divisions == 4
    assert found.offset_beat == pytest.approx(offset, abs=1e-6)


def test_triplets_cohere_and_chance_does_not() -> None:
    assert coherence(np.arange(30) / 3).divisions == 3
    assert coherence(np.random.default_rng(0).uniform(0, 100, 400)).share < 0.2
    assert coherence(np.array([])).share == 0.0


def test_a_grid_that_holds_is_returned_untouched() -> None:
    timeline = Timeline.constant(100.0, end_beat=64.0)
    assert read(timeline, *song()) is timeline


def test_a_waltz_is_left_alone_too() -> None:
    timeline = Timeline.constant(100.0, end_beat=48.0, metre=Metre(3, 4))
    assert read(timeline, *song(beats_per_bar=3)) is timeline


@pytest.mark.parametrize("shift", [0.25, 0.5, 0.75, 0.58, 1.5])
def test_a_moved_grid_gives_its_tempo_and_not_its_beats(shift: float) -> None:
    track = read(Timeline.constant(100.0, end_beat=64.0), *song(shift_beat=shift))
    assert isinstance(track, BeatTrack)
    assert 60.0 / track.period_s == pytest.approx(100.0)
    downbeats = shift * 0.6 + 2.4 * np.arange(N_BARS)
    found = track.times_s[track.bar_starts]
    assert rhythms.hit_share(downbeats, found[(found > -0.1) & (found < downbeats[-1] + 0.1)], 0.03) > 0.9


def test_a_time_signature_that_nobody_set_is_not_believed() -> None:
    timeline = Timeline.constant(100.0, end_beat=64.0, metre=Metre(1, 4))
    assert not fits_as_written(timeline, coherence(np.arange(32.0)))
    track = read(timeline, *song())
    assert isinstance(track, BeatTrack)
    assert track.beats_per_bar == 4


def test_bars_of_two_are_read_in_pairs() -> None:
    track = read(Timeline.constant(100.0, end_beat=64.0, metre=Metre(2, 4)), *song())
    assert isinstance(track, BeatTrack)
    assert track.beats_per_bar == 4


@pytest.mark.parametrize("metre", [Metre(6, 8), Metre(7, 8), Metre(5, 4)])
def test_other_metres_are_believed(metre: Metre) -> None:
    timeline = Timeline.constant(100.0, end_beat=64.0, metre=metre)
    assert read(timeline, *song()) is timeline


def test_notes_that_ignore_the_grid_have_none() -> None:
    notes, drums = song()
    free = Timeline.constant(87.3, end_beat=64.0)
    assert read(free, notes, drums) is None
