"""Frames: sound is where and when it should be, at whatever gain."""

import numpy as np
import pytest

from rearrange.models.mel import SAMPLE_RATE, mel_frames, normalised


def test_frames_say_when_and_where_in_the_spectrum() -> None:
    samples = np.zeros(SAMPLE_RATE, dtype=np.float32)
    samples[SAMPLE_RATE // 2 : SAMPLE_RATE // 2 + 400] = np.sin(2 * np.pi * 5000 * np.arange(400) / SAMPLE_RATE)
    power = mel_frames(samples)
    assert power.shape == (101, 80)
    assert power.sum(axis=1).argmax() == pytest.approx(50, abs=2)
    low = mel_frames(np.sin(2 * np.pi * 60 * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32))
    assert low[50].argmax() < 4 < power[50].argmax()
    with pytest.raises(ValueError, match="mono"):
        mel_frames(np.zeros((2, 100), dtype=np.float32))


def test_gain_does_not_matter() -> None:
    noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32)
    loud, soft = (normalised(mel_frames(gain * noise)) for gain in (np.float32(0.5), np.float32(0.005)))
    np.testing.assert_allclose(loud, soft, atol=1e-4)
    assert np.isfinite(normalised(np.zeros((10, 40), dtype=np.float32))).all()
