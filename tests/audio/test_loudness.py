"""Loudness against the reference implementation and the definition; true peak between the samples."""

import numpy as np
import pyloudnorm
import pytest

from rearrange.audio import Audio, loudness_lufs, resample, true_peak_dbtp
from tests.audio.test_read import tone


@pytest.mark.parametrize("sample_rate", [8000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_loudness_is_that_of_pyloudnorm(sample_rate: int, channels: int) -> None:
    rng = np.random.default_rng(3)
    swell = np.linspace(0.001, 0.5, sample_rate * 25)
    noise = (rng.normal(0, 0.3, (channels, len(swell))) * swell).astype(np.float32)
    noise[:, sample_rate * 5 : sample_rate * 9] = 0.0  # a pause, for the gates
    expected = pyloudnorm.Meter(sample_rate).integrated_loudness(noise.T.astype(np.float64))
    assert loudness_lufs(Audio(noise, sample_rate)) == pytest.approx(expected, abs=0.05)


def test_a_full_scale_tone_is_minus_three_lufs() -> None:
    """EBU Tech 3341: a 1 kHz sine at -23 dBFS in both channels is -23 LUFS; in one channel -26."""
    sine = tone(sample_rate=48000, duration_s=5.0, hz=(1000.0, 1000.0))
    level = 2 * 10 ** (-23 / 20)
    assert loudness_lufs(Audio(sine.samples * np.float32(level), 48000)) == pytest.approx(-23.0, abs=0.1)
    assert loudness_lufs(Audio(sine.samples[:1] * np.float32(level), 48000)) == pytest.approx(-26.0, abs=0.1)


@pytest.mark.parametrize("n_samples", [0, 1, 1000, 10000])
def test_silence_and_snippets(n_samples: int) -> None:
    assert loudness_lufs(Audio(np.zeros((2, n_samples), np.float32), 44100)) == float("-inf")
    assert true_peak_dbtp(Audio(np.zeros((2, n_samples), np.float32), 44100)) == float("-inf")
    if n_samples >= 1000:
        sine = Audio(tone(hz=(1000.0,)).samples[:, :n_samples], 44100)
        assert loudness_lufs(sine) == pytest.approx(-9.0, abs=1.5)


def test_true_peak_is_found_between_the_samples() -> None:
    """A sine at a quarter of the rate, sampled at 45 degrees, never shows its peak."""
    n = np.arange(44100)
    sine = np.sin(np.pi / 2 * n + np.pi / 4) * np.hanning(44100)
    audio = Audio(sine.astype(np.float32)[None], 44100)
    assert np.abs(audio.samples).max() == pytest.approx(0.7071, abs=1e-3)
    assert true_peak_dbtp(audio) == pytest.approx(0.0, abs=0.05)
    late = Audio(np.concatenate([np.zeros((1, 100_000), np.float32), audio.samples], axis=1), 44100)
    assert true_peak_dbtp(late) == pytest.approx(0.0, abs=0.05)


def test_resampling_keeps_pitch_level_and_length() -> None:
    audio = resample(tone(sample_rate=48000), 44100)
    assert audio.n_samples == 88200
    assert np.abs(audio.samples[:, 2000:86000] - tone().samples[:, 2000:86000]).max() < 1e-3
    assert resample(audio, 44100) is audio


def test_audio_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match="float32"):
        Audio(np.zeros(100, np.float32), 44100)
    with pytest.raises(ValueError, match="float32"):
        Audio(np.zeros((2, 100)), 44100)
    with pytest.raises(ValueError, match="positive"):
        Audio(np.zeros((2, 100), np.float32), 0)
