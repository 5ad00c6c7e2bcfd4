"""Singers: the pitch that is written sounds, when it is written, and nothing else."""

import importlib.util
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.errors import UsageError
from rearrange.models.mel import SAMPLE_RATE
from rearrange.score import NoteEvent
from rearrange.training import voices
from rearrange.training.singing import drawn_singer, one_at_a_time, sing
from rearrange.training.voices import Voice, make_voices, read_voices

needs_world = pytest.mark.skipif(importlib.util.find_spec("pyworld") is None, reason="pyworld is not installed")


def _buzz(word: str, speaker: str, height: int) -> NDArray[np.float64]:
    """What stands for a spoken word: a hiss, then a vowel of two formants at 120 Hz."""
    rng = np.random.default_rng(height)
    time_s = np.arange(int(0.4 * SAMPLE_RATE)) / SAMPLE_RATE
    vowel = np.zeros(len(time_s))
    for harmonic in range(1, 60):
        hz = 120.0 * harmonic
        gain = sum(1.0 / (1.0 + ((hz - formant) / 120.0) ** 2) for formant in (700.0, 1200.0, 2600.0))
        vowel += gain * np.cos(2 * np.pi * hz * time_s)
    hiss = 0.05 * rng.standard_normal(int(0.08 * SAMPLE_RATE))
    return np.concatenate([hiss, 0.1 * vowel, np.zeros(2000)])


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Voice:
    path = tmp_path_factory.mktemp("voices") / "voices.npz"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voices, "spoken", _buzz)
        make_voices(path, words=("sa", "ta"), speakers=(("one", 1),))
    return read_voices(path)[0]


def _f0_hz(samples: NDArray[np.float32]) -> float:
    """By autocorrelation, between 80 and 700 Hz."""
    spectrum = np.fft.rfft(samples, 2 * len(samples))
    same = np.fft.irfft(np.abs(spectrum) ** 2)
    lags = np.arange(SAMPLE_RATE // 700, SAMPLE_RATE // 80)
    best = int(lags[np.argmax(same[lags])])
    left, here, right = same[best - 1 : best + 2]
    return float(SAMPLE_RATE / (best + 0.5 * (left - right) / (left - 2 * here + right)))


@needs_world
def test_a_note_is_sung_at_its_pitch_and_time(voice: Voice) -> None:
    rng = np.random.default_rng(5)
    notes = [NoteEvent(0.5 + 0.6 * i, 0.5, pitch, 90) for i, pitch in enumerate((50, 57, 64, 60))]
    for _ in range(2):
        samples = sing(drawn_singer([voice], rng), notes, rng, duration_s=3.5)
        assert samples.shape == (round(3.5 * SAMPLE_RATE),)
        for note in notes:
            first = round((note.onset_s + 0.15) * SAMPLE_RATE)
            heard = 69 + 12 * np.log2(_f0_hz(samples[first : first + round(0.25 * SAMPLE_RATE)]) / 440)
            assert heard == pytest.approx(note.pitch, abs=0.35)
        vowel = samples[round(0.6 * SAMPLE_RATE) : round(0.9 * SAMPLE_RATE)]
        assert np.sqrt(np.mean(vowel**2)) > 0.02
        assert np.abs(samples[round(3.1 * SAMPLE_RATE) :]).max() < 1e-3


@needs_world
def test_louder_notes_are_louder_and_the_same_seed_sings_the_same(voice: Voice) -> None:
    soft, loud = ([NoteEvent(0.3, 0.6, 60, velocity)] for velocity in (40, 110))
    singer = drawn_singer([voice], np.random.default_rng(1))

    def sung(notes: list[NoteEvent]) -> NDArray[np.float32]:
        return sing(singer, notes, np.random.default_rng(2), duration_s=1.2, words=[0])

    assert np.square(sung(loud)).sum() > 4 * np.square(sung(soft)).sum()
    np.testing.assert_array_equal(sung(loud), sung(loud))


@needs_world
def test_a_voice_sings_one_note_at_a_time(voice: Voice) -> None:
    notes = [NoteEvent(0.0, 1.0, 60, 90), NoteEvent(0.0, 1.0, 64, 90), NoteEvent(0.5, 1.0, 62, 90)]
    line = one_at_a_time(notes)
    assert [note.pitch for note in line] == [64, 62]
    assert all(after.onset_s >= before.onset_s + before.duration_s for before, after in pairwise(line))
    with pytest.raises(ValueError, match="overlap"):
        sing(drawn_singer([voice], np.random.default_rng(0)), notes, np.random.default_rng(0), duration_s=2.0)


def test_no_voices_is_an_error_that_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"training\.voices"):
        read_voices(tmp_path / "none.npz")
