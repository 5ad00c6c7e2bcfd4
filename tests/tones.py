"""Sounds with known notes, for tests: decaying tones, kicks, snares and hats, placed at given times."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def tone(pitch: int, duration_s: float, sample_rate: int, *, gain: float = 0.2) -> FloatArray:
    """A plucked tone: eight harmonics at 1/k, a 5 ms attack, a second's decay, damped at its end."""
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    f0_hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    wave = sum(np.sin(2 * np.pi * k * f0_hz * time_s) / k for k in range(1, 9) if k * f0_hz < sample_rate / 2)
    envelope = np.minimum(time_s / 0.005, 1.0) * np.exp(-time_s) * np.clip((duration_s - time_s) / 0.02, 0, 1)
    return np.asarray(gain * wave * envelope, dtype=np.float32)


def kick(sample_rate: int, *, gain: float = 0.8) -> FloatArray:
    """A sine that sweeps from 160 to 50 Hz."""
    time_s = np.arange(round(0.25 * sample_rate)) / sample_rate
    phase = 2 * np.pi * (50 * time_s + 110 * 0.03 * (1 - np.exp(-time_s / 0.03)))
    return np.asarray(gain * np.sin(phase) * np.exp(-time_s / 0.07), dtype=np.float32)


def snare(sample_rate: int, rng: np.random.Generator, *, gain: float = 0.5) -> FloatArray:
    """A head at 190 Hz and a burst of noise below 8 kHz."""
    from scipy.signal import butter, sosfilt

    time_s = np.arange(round(0.2 * sample_rate)) / sample_rate
    low_pass = butter(4, [400, 8000], "bandpass", fs=sample_rate, output="sos")
    wires = sosfilt(low_pass, rng.standard_normal(len(time_s))) * np.exp(-time_s / 0.05)
    head = np.sin(2 * np.pi * 190 * time_s) * np.exp(-time_s / 0.06)
    return np.asarray(gain * (0.5 * head + 0.4 * wires), dtype=np.float32)


def hat(sample_rate: int, rng: np.random.Generator, *, gain: float = 0.2, decay_s: float = 0.02) -> FloatArray:
    """Noise above 7 kHz; closed with a decay of 20 ms, open with one of 200 ms."""
    from scipy.signal import butter, sosfilt

    time_s = np.arange(round(min(6 * decay_s, 1.0) * sample_rate)) / sample_rate
    high_pass = butter(6, 7000, "highpass", fs=sample_rate, output="sos")
    noise = sosfilt(high_pass, rng.standard_normal(len(time_s)))
    return np.asarray(gain * noise * np.exp(-time_s / decay_s), dtype=np.float32)


def placed(sounds: Iterable[tuple[float, FloatArray]], duration_s: float, sample_rate: int) -> FloatArray:
    """Sounds added up at their onsets in seconds."""
    out = np.zeros(round(duration_s * sample_rate), dtype=np.float32)
    for onset_s, sound in sounds:
        start = round(onset_s * sample_rate)
        stop = min(start + len(sound), len(out))
        out[start:stop] += sound[: stop - start]
    return out
