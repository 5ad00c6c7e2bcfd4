"""An arrangement against its song: the copy keeps everything, a song that is not known says so."""

from dataclasses import replace

import pytest

from rearrange.evaluation.baselines.symbolic import copy
from rearrange.evaluation.units.judged import Reference, reference_of, song_measures, variety_measures
from rearrange.genre import genre_names, load_genre
from rearrange.score import Key, Note, Role, Score, Timeline
from tests.songs import band_song

GENRE = load_genre(genre_names()[0])


def values(reference: Reference, song: Score, heard: Timeline | None = None) -> dict[str, float | None]:
    return {name: cell.value for name, cell in song_measures(reference, copy(song, GENRE), heard=heard).items()}


def slowed(notes: tuple[Note, ...]) -> tuple[Note, ...]:
    """The same notes in beats that are twice as long."""
    return tuple(
        replace(note, onset_beat=note.onset_beat / 2, duration_beat=note.duration_beat / 2) for note in notes
    )


def test_a_copy_keeps_the_whole_song() -> None:
    song = band_song()
    kept = values(reference_of(song), song)
    assert kept["content"] == pytest.approx(1.0)
    assert kept["melody"] == pytest.approx(1.0)
    assert kept["chords"] == pytest.approx(1.0)
    assert kept["key"] == 1.0


def test_what_was_heard_in_other_beats_is_held_against_the_true_ones() -> None:
    """Ears that take the beats for twice as slow halve every beat; what was played is still the song."""
    song = band_song()
    half = Timeline.constant(55.0, end_beat=song.timeline.end_beat / 2)
    slow = replace(song, timeline=half, tracks=tuple(replace(t, notes=slowed(t.notes)) for t in song.tracks))
    kept = values(reference_of(song), slow, heard=half)
    assert kept["content"] == pytest.approx(1.0)
    assert kept["melody"] == pytest.approx(1.0)


def test_annotation_comes_before_what_analysis_finds() -> None:
    song = band_song()
    other = tuple(replace(chord, root=(chord.root + 6) % 12, bass=(chord.root + 6) % 12) for chord in song.chords)
    kept = values(reference_of(song, other, Key(6, "major")), song)
    assert kept["chords"] == pytest.approx(0.0)
    assert kept["key"] == 0.0


def test_a_song_without_notes_or_chords_says_so() -> None:
    song = band_song()
    bare = replace(song, tracks=(), chords=())
    cells = song_measures(reference_of(bare), copy(song, GENRE))
    assert cells["content"].reason == "the song has no pitched notes"
    assert cells["melody"].reason == "the song has no melody"
    assert cells["chords"].reason == "the song has no chords"


def test_an_arrangement_of_nothing_is_zero_and_no_error() -> None:
    song = band_song()
    silence = replace(song, tracks=tuple(replace(t, notes=()) for t in song.tracks))
    cells = song_measures(reference_of(song), copy(silence, GENRE))
    assert cells["content"].value == 0.0
    assert cells["melody"].value == 0.0
    assert cells["chords"].value == 0.0


def test_variety_of_bars_that_are_all_the_same() -> None:
    cells = variety_measures(copy(band_song(n_bars=16), GENRE))
    assert cells["distinct"].value == pytest.approx(1 / 16)
    assert cells["groove"].value == pytest.approx(1.0)
    assert cells["micro_timing_ms"].value == pytest.approx(0.0, abs=1e-6)


def test_the_reference_has_the_melody() -> None:
    song = band_song()
    tune = song.track(Role.MELODY)
    assert tune is not None
    assert reference_of(song).melody == tune.notes
