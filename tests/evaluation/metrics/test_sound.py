"""Sound: shares counted in made samples, spectra of known level, chroma of played chords."""

import numpy as np
import pytest

from rearrange.audio import Audio
from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics import (
    audio_chroma_similarity,
    chroma_to_notes,
    clipped_share,
    silence_share,
    spectral_distance,
)
from rearrange.score import Note, Role, Timeline, Track

RATE = 22050
CHORDS = ((60, 64, 67), (57, 60, 64), (53, 57, 60), (55, 59, 62))


def tone(pitches: tuple[int, ...], length_s: float = 1.0, level: float = 0.1) -> np.ndarray:
    t = np.arange(round(length_s * RATE)) / RATE
    hz = 440.0 * 2.0 ** ((np.array(pitches)[:, None] - 69) / 12)
    return level * sum(np.sin(2 * np.pi * h * hz * t) / h for h in (1, 2, 3)).sum(axis=0)


def audio(samples: np.ndarray) -> Audio:
    return Audio(np.atleast_2d(samples).astype(np.float32), RATE)


def progression(semitones: int = 0, beat_s: float = 1.0) -> Audio:
    return audio(np.concatenate([tone(tuple(p + semitones for p in chord), beat_s) for chord in CHORDS]))


def test_silence_by_hand() -> None:
    # One second of sound, three of silence; and −66 dBFS is silence, −54 dBFS is not.
    assert silence_share(audio(np.append(tone((60,)), np.zeros(3 * RATE)))) == pytest.approx(0.75, abs=0.02)
    assert silence_share(audio(np.full(RATE, 10 ** (-66 / 20)))) == 1.0
    assert silence_share(audio(np.full(RATE, 10 ** (-54 / 20)))) == 0.0
    assert silence_share(audio(np.stack([tone((60,)), np.zeros(RATE)]))) == 0.0


def test_clipping_by_hand() -> None:
    samples = np.full(1000, 0.5)
    samples[:3], samples[3:5] = 1.0, -1.2
    assert clipped_share(audio(samples)) == pytest.approx(0.005)
    assert clipped_share(audio(np.full(1000, 0.999))) == 0.0


def test_the_same_sound_has_no_distance_and_more_change_more() -> None:
    song = progression()
    assert spectral_distance(song, song) == 0.0
    quieter, quiet = (audio(song.samples[0] * gain) for gain in (0.5, 0.1))
    assert 0.0 < spectral_distance(song, quieter) < spectral_distance(song, quiet)


def test_distance_by_hand() -> None:
    # White noise at gain g: every bin's log differs by log(1/g), six sizes: 6 log 2 of it for g = 1/2; the linear
    # part is half of the mean magnitude, summed over the sizes. Against it, the distance to twice the noise has
    # the same logarithms and twice the linear part.
    noise = np.random.default_rng(0).normal(scale=0.1, size=2 * RATE)
    base = Audio(noise[None].astype(np.float32), 16000)
    half, double = (Audio((noise[None] * gain).astype(np.float32), 16000) for gain in (0.5, 2.0))
    logs = 6 * np.log(2)
    linear = spectral_distance(base, half) - logs
    assert linear > 0.0
    assert spectral_distance(base, double) - logs == pytest.approx(2 * linear, rel=1e-3)


def test_a_sound_has_the_chroma_of_its_notes() -> None:
    timeline = Timeline.constant(60.0, end_beat=4)
    notes = tuple(Note(i, 1, pitch, 80) for i, chord in enumerate(CHORDS) for pitch in chord)
    track = Track("chords", Role.CHORDS, 0, False, notes)
    drums = Track("drums", Role.DRUMS, 0, True, (Note(0, 1, 37, 127),))
    right = chroma_to_notes(progression(), [track, drums], timeline)
    assert right > 0.85
    assert chroma_to_notes(progression(6), [track, drums], timeline) < right - 0.3
    with pytest.raises(NotMeasurable, match="no pitched notes"):
        chroma_to_notes(progression(), [drums], timeline)
    with pytest.raises(NotMeasurable, match="shorter than a beat"):
        chroma_to_notes(progression(), [track], Timeline.constant(60.0, end_beat=0))
    assert chroma_to_notes(audio(np.zeros(4 * RATE)), [track], timeline) == 0.0


def test_the_same_chords_at_another_tempo_are_alike() -> None:
    slow, fast = np.arange(5) * 1.0, np.arange(5) * 0.7
    song = progression()
    assert audio_chroma_similarity(song, slow, song, slow) == pytest.approx(1.0)
    assert audio_chroma_similarity(song, slow, progression(beat_s=0.7), fast) > 0.9
    assert audio_chroma_similarity(song, slow, progression(6), slow) < 0.6
    assert audio_chroma_similarity(song, slow, audio(np.zeros(4 * RATE)), slow) == 0.0


def test_void_references_say_why() -> None:
    silent, beats = audio(np.zeros(4 * RATE)), np.arange(5) * 1.0
    with pytest.raises(NotMeasurable, match="silent"):
        audio_chroma_similarity(silent, beats, progression(), beats)
    with pytest.raises(NotMeasurable, match="fewer than two beats"):
        audio_chroma_similarity(progression(), [0.0], progression(), [0.0])
    with pytest.raises(NotMeasurable, match="silent"):
        spectral_distance(silent, progression())
    with pytest.raises(NotMeasurable, match="too short"):
        spectral_distance(audio(np.ones(100)), progression())
    broken = progression()
    broken.samples[0, 3] = np.nan
    for metric in (silence_share, clipped_share):
        with pytest.raises(NotMeasurable, match="not a number"):
            metric(broken)
        with pytest.raises(NotMeasurable, match="no audio"):
            metric(audio(np.zeros(0)))
    with pytest.raises(NotMeasurable, match="not a number"):
        spectral_distance(progression(), broken)
    with pytest.raises(ValueError, match="correspond"):
        audio_chroma_similarity(progression(), beats, progression(), beats[:-1])
