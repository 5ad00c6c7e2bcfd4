"""The network that comes with the package: it drums, as it is shown, and the same on any number of threads."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from rearrange.genre import load_genre
from rearrange.score import Note, Role, Score, Track
from rearrange.stages.arrange import ArrangeSettings, arrange
from tests.songs import band_song

SONG = band_song(sections=[("verse", 8, 0.5), ("chorus", 8, 0.8)])
ASKED = ArrangeSettings(seed=1, arranger="transformer")
KICK, SNARE, CLAP, HAT, OPEN = 36, 38, 39, 42, 46
BACKBEAT = {KICK: (0.0, 2.0), SNARE: (1.0, 3.0), HAT: tuple(np.arange(0, 4, 0.5))}
FOUR_ON_THE_FLOOR = {KICK: (0.0, 1.0, 2.0, 3.0), CLAP: (1.0, 3.0), OPEN: (0.5, 1.5, 2.5, 3.5)}
Pattern = Mapping[int, Sequence[float]]


def drums_of(made: Score | object) -> Track:
    track = next(each for each in made.tracks if each.role is Role.DRUMS)  # type: ignore[attr-defined]
    assert track.notes
    return track


def drummed(pattern: Pattern, n_bars: int = 16) -> Score:
    """A song of nothing but a pattern, over and over."""
    notes = [
        Note(4.0 * bar + float(at), 0.25, pitch, 96)
        for bar in range(n_bars)
        for pitch, places in pattern.items()
        for at in places
    ]
    notes.sort(key=lambda note: (note.onset_beat, note.pitch))
    track = Track("drums", Role.DRUMS, 0, True, tuple(notes))
    return replace(band_song(n_bars=n_bars), tracks=(track,), chords=())


def profile(notes: Sequence[Note]) -> np.ndarray:
    """How often each drum is struck on each sixteenth of the bar."""
    counts = np.zeros((128, 16))
    for note in notes:
        counts[note.pitch, round(4 * note.onset_beat) % 16] += 1
    return counts.ravel() / np.linalg.norm(counts)


@pytest.mark.parametrize("genre", ["rock", "jazz"])
def test_it_drums_every_bar_with_force_and_time_of_its_own(genre: str) -> None:
    made = arrange(SONG, load_genre(genre), ASKED)
    notes = drums_of(made).notes
    per_bar = np.bincount([int(note.onset_beat / 4 + 1e-6) for note in notes], minlength=16)
    assert (per_bar >= 3).all()
    assert np.std([note.velocity for note in notes]) > 8
    off = [(8 * note.onset_beat + 0.5) % 1.0 - 0.5 for note in notes]
    assert np.std(off) > 0.01  # nobody plays on the grid
    sketch = arrange(SONG, load_genre(genre), replace(ASKED, arranger="patterns"))
    assert [each for each in made.tracks if each.role is not Role.DRUMS] == [
        each for each in sketch.tracks if each.role is not Role.DRUMS
    ]


def test_the_same_notes_on_one_thread_and_on_two() -> None:
    n_before = torch.get_num_threads()
    made = []
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            made.append(arrange(SONG, load_genre("funk"), ASKED).tracks)
    finally:
        torch.set_num_threads(n_before)
    assert made[0] == made[1]


def test_what_it_is_shown_it_plays() -> None:
    shown = {name: drummed(pattern) for name, pattern in (("back", BACKBEAT), ("floor", FOUR_ON_THE_FLOOR))}
    for name, reference in shown.items():
        notes = drums_of(arrange(SONG, load_genre("pop"), replace(ASKED, tempo="keep"), reference=reference)).notes
        likeness = {each: float(profile(notes) @ profile(drums_of(other).notes)) for each, other in shown.items()}
        assert max(likeness, key=lambda each: likeness[each]) == name, likeness
        assert likeness[name] > 0.6, likeness
