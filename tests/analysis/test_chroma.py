"""Chroma of known chords, at concert pitch and off it, from sound and from notes."""

import numpy as np
import pytest

from rearrange.analysis.chroma import (
    CHROMA_RATE_HZ,
    beat_chroma,
    harmonic_change,
    log_spectrogram,
    note_chroma,
    note_pitch_frames,
)
from rearrange.score import NoteEvent
from tests import tones

RATE = 22050
C_MAJOR, A_MINOR = (48, 60, 64, 67), (45, 57, 60, 64)


def chord(pitches: tuple[int, ...], duration_s: float = 2.0) -> np.ndarray:
    return np.asarray(sum(tones.tone(pitch, duration_s, RATE, gain=0.1) for pitch in pitches))


@pytest.mark.parametrize("pitches", [C_MAJOR, A_MINOR, (43, 59, 62, 65)])
def test_the_loudest_pitch_classes_are_the_chord(pitches: tuple[int, ...]) -> None:
    heard = beat_chroma(log_spectrogram(chord(pitches), RATE), np.array([0.2, 1.8]))
    members = {pitch % 12 for pitch in pitches}
    assert set(np.argsort(heard.treble[0])[-len(members) :].tolist()) == members
    assert int(np.argmax(heard.bass[0])) == pitches[0] % 12


@pytest.mark.parametrize("detune", [-0.35, 0.0, 0.3])
def test_tuning_is_found_and_taken_out(detune: float) -> None:
    time_s = np.arange(3 * RATE) / RATE
    wave = sum(
        np.sin(2 * np.pi * k * 440.0 * 2 ** ((pitch + detune - 69) / 12) * time_s) / k
        for pitch in C_MAJOR
        for k in range(1, 5)
    )
    spectrogram = log_spectrogram(0.1 * np.asarray(wave), RATE)
    assert spectrogram.tuning_semitones == pytest.approx(detune, abs=0.05)
    heard = beat_chroma(spectrogram, np.array([0.5, 2.5])).treble[0]
    assert set(np.argsort(heard)[-3:].tolist()) == {0, 4, 7}


def test_spans_follow_the_borders() -> None:
    sound = np.concatenate([chord(C_MAJOR), chord(A_MINOR)])
    heard = beat_chroma(log_spectrogram(sound, RATE), np.array([0.3, 1.7, 2.3, 3.7]))
    assert heard.treble.shape == (3, 12)
    assert heard.treble[0, 7] > heard.treble[0, 9]
    assert heard.treble[2, 9] > heard.treble[2, 7]


def test_silence_has_no_chroma_and_no_tuning() -> None:
    spectrogram = log_spectrogram(np.zeros(RATE, np.float32), RATE)
    assert spectrogram.tuning_semitones == 0.0
    assert np.all(np.isfinite(spectrogram.semitones))
    assert beat_chroma(spectrogram, np.array([0.0, 1.0])).treble.max() < 1e-3


def test_notes_give_the_chroma_of_what_sounds() -> None:
    notes = [NoteEvent(0.0, 1.0, 36, 100), NoteEvent(0.0, 1.0, 64, 100), NoteEvent(1.0, 1.0, 67, 100)]
    heard = note_chroma(note_pitch_frames(notes, 2.0), np.array([0.0, 1.0, 2.0]))
    assert set(np.flatnonzero(heard.treble[0] > 0.01).tolist()) <= {0, 4}
    assert int(np.argmax(heard.bass[0])) == 0
    assert int(np.argmax(heard.treble[1])) == 7


def test_unsure_and_quiet_notes_count_less() -> None:
    notes = [
        NoteEvent(0.0, 1.0, 60, 100, 1.0),
        NoteEvent(0.0, 1.0, 61, 100, 0.2),
        NoteEvent(0.0, 1.0, 62, 20, 1.0),
    ]
    row = note_chroma(note_pitch_frames(notes, 1.0), np.array([0.0, 1.0])).treble[0]
    assert row[0] > 3 * row[1]
    assert row[0] > 3 * row[2]


def test_change_is_where_the_harmony_changes() -> None:
    frames = np.zeros((100, 12))
    frames[:50, [0, 4, 7]] = 1.0
    frames[50:, [2, 5, 9]] = 1.0
    change = harmonic_change(frames)
    assert int(np.argmax(change)) == pytest.approx(50, abs=1)
    assert change[20] == pytest.approx(0.0, abs=1e-3)
    assert not harmonic_change(np.zeros((20, 12))).any()


def test_very_short_sound_and_stereo() -> None:
    assert len(log_spectrogram(np.zeros(5, np.float32), RATE).magnitudes) == 1
    with pytest.raises(ValueError, match="mono"):
        log_spectrogram(np.zeros((2, 100), np.float32), RATE)
    assert CHROMA_RATE_HZ > 0
