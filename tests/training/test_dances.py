"""Dances keep to their bars; drums fit any excerpt; the generator decides everything."""

from random import Random

import numpy as np
import pytest

from rearrange.score import NoteEvent, Part
from rearrange.training.dances import dance, drummed
from rearrange.training.excerpts import EXCERPT_S, Excerpt


def nearest_s(times_s: np.ndarray, grid_s: np.ndarray) -> np.ndarray:
    return np.abs(times_s[:, None] - grid_s[None, :]).min(axis=1)


@pytest.mark.parametrize("seed", range(8))
def test_a_dance_is_in_its_metre(seed: int) -> None:
    made = dance("dance", Random(seed))
    assert made.beats_per_bar in (2, 3)
    np.testing.assert_array_equal(np.diff(made.positions) % made.beats_per_bar, 1)
    assert 0.7 * EXCERPT_S < made.duration_s < 1.3 * EXCERPT_S
    inside = made.downbeats_s[(made.downbeats_s > 1.0) & (made.downbeats_s < EXCERPT_S - 1.0)]
    bass = np.array([note.onset_s for part in made.parts if part.name == "bass" for note in part.notes])
    assert nearest_s(inside, bass).max() < 0.05, "a bass note on every bar line"
    # Everything else lies on eighths: three of them to a felt beat of 6/8, two to one of 3/4.
    division = 3 if made.beats_per_bar == 2 else 2
    places = np.interp(
        np.arange(0, len(made.beats_s) - 1, 1 / division), np.arange(len(made.beats_s)), made.beats_s
    )
    onsets = np.array([note.onset_s for part in made.parts for note in part.notes])
    onsets = onsets[(onsets > places[0]) & (onsets < places[-1])]
    assert nearest_s(onsets, places).max() < 0.05
    assert len(onsets) > 100


def test_the_generator_decides_everything() -> None:
    one, other, another = (dance("dance", Random(seed)) for seed in (5, 5, 6))
    assert one.parts == other.parts
    assert one.parts != another.parts
    metres = {dance("dance", Random(seed)).beats_per_bar for seed in range(12)}
    assert metres == {2, 3}


@pytest.mark.parametrize("beats_per_bar", [2, 3, 4])
def test_drums_are_put_on_the_beats_there_are(beats_per_bar: int) -> None:
    beats = np.arange(40)
    tune = Part("tune", (NoteEvent(0.3, 20.0, 60, 80),))
    bare = Excerpt("bare", "bare", "made", (tune,), 0.3 + 0.6 * beats, beats % beats_per_bar, beats_per_bar)
    full = drummed(bare, Random(1))
    assert full.parts[0] is tune
    drums = full.parts[1]
    assert drums.is_drum
    kicks = np.array([note.onset_s for note in drums.notes if note.pitch == 36])
    bars = bare.downbeats_s[:-1]
    fills = np.arange(len(bars)) % 8 == 7
    assert nearest_s(bars[~fills], kicks).max() < 0.04
