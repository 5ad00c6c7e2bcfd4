from dataclasses import replace

import pytest

from rearrange.evaluation.metrics import chord_agreement, content_similarity, melody_f1
from rearrange.score import Chord, Role
from tests.songs import band_song

SONG = band_song(n_bars=8)
N_BEATS = 32


def test_the_song_itself_scores_one_and_nothing_scores_zero() -> None:
    melody = SONG.track(Role.MELODY)
    assert melody is not None
    assert content_similarity(SONG.tracks, SONG.tracks, N_BEATS) == pytest.approx(1.0)
    assert content_similarity(SONG.tracks, (), N_BEATS) == 0.0
    assert melody_f1(melody.notes, melody.notes) == 1.0
    assert melody_f1(melody.notes, ()) == 0.0
    assert chord_agreement(SONG.chords, SONG.chords) == pytest.approx(1.0)
    assert chord_agreement(SONG.chords, ()) == 0.0


def test_damage_moves_each_metric_down() -> None:
    melody = SONG.track(Role.MELODY)
    assert melody is not None
    up = tuple(
        replace(t, notes=tuple(replace(n, pitch=n.pitch + 1) for n in t.notes)) if not t.is_drum else t
        for t in SONG.tracks
    )
    assert content_similarity(SONG.tracks, up, N_BEATS) < 0.5
    assert melody_f1(melody.notes, up[0].notes) < 0.5
    late = tuple(replace(n, onset_beat=n.onset_beat + 0.2) for n in melody.notes)
    assert melody_f1(melody.notes, late) == 0.0
    octave = tuple(replace(n, pitch=n.pitch - 12) for n in melody.notes)
    assert melody_f1(melody.notes, octave) == 1.0
    assert melody_f1(melody.notes, melody.notes[::2]) == pytest.approx(2 / 3, abs=0.02)


def test_half_the_chords_wrong_is_half_agreement_by_duration() -> None:
    wrong = tuple(
        replace(c, root=(c.root + 6) % 12, bass=(c.root + 6) % 12) if i % 2 else c
        for i, c in enumerate(SONG.chords)
    )
    assert chord_agreement(SONG.chords, wrong) == pytest.approx(0.5)


def test_colours_agree_as_triads_but_not_as_sevenths() -> None:
    reference = [Chord(0, 4, 0, "maj", 0)]
    estimate = [Chord(0, 4, 0, "maj7", 0)]
    assert chord_agreement(reference, estimate) == 1.0
    assert chord_agreement(reference, estimate, vocabulary="sevenths") == 0.0


def test_beat_ratio_brings_double_time_back() -> None:
    melody = SONG.track(Role.MELODY)
    assert melody is not None
    twice = tuple(replace(n, onset_beat=2 * n.onset_beat, duration_beat=2 * n.duration_beat) for n in melody.notes)
    assert melody_f1(melody.notes, twice, beat_ratio=2.0) == 1.0
    doubled = [replace(melody, notes=twice)]
    assert content_similarity([melody], doubled, N_BEATS, beat_ratio=2.0) == pytest.approx(1.0)
