"""Log-mel frames, as our networks hear: power in bands that are even on the mel scale, a frame every 10 ms.

Conventions: mono at SAMPLE_RATE, full scale ±1; frame i is centred on sample i * HOP_SAMPLES; levels are
relative to the recording's own loud frames, so that gain does not matter. Arrays are float32 (n_frames,
n_bands).

Source: S. S. Stevens et al., 1937, in the form of O'Shaughnessy, 1987 (2595 log10(1 + f / 700)).
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["FRAME_RATE_HZ", "HOP_SAMPLES", "SAMPLE_RATE", "mel_frames", "normalised"]

Floats = NDArray[np.float32]

SAMPLE_RATE = 44_100
HOP_SAMPLES = 441
FRAME_RATE_HZ = SAMPLE_RATE / HOP_SAMPLES
WINDOW_SAMPLES = 2048  # 46 ms: a kick's skin at 50 Hz is told from the bass beside it
LOWEST_HZ, HIGHEST_HZ = 30.0, 16_000.0  # lossy files have little above
FLOOR = 1e-7  # -70 dB of the loud frames: what is softer is taken for silence
LOUD_PERCENTILE = 98.0
_BLOCK_FRAMES = 1024  # 10 s: a block's arrays stay small


@cache
def _filters(n_bands: int) -> Floats:
    """Triangles even on the mel scale, (n_bins, n_bands), each of area 1 so that noise is flat."""
    lowest, highest = (2595 * float(np.log10(1 + hz / 700)) for hz in (LOWEST_HZ, HIGHEST_HZ))
    mel = np.linspace(lowest, highest, n_bands + 2)
    edges_hz = 700 * (10 ** (mel / 2595) - 1)
    bins_hz = np.arange(WINDOW_SAMPLES // 2 + 1) * SAMPLE_RATE / WINDOW_SAMPLES
    # A triangle narrower than two bins would fall between them.
    low, mid, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    width_hz = SAMPLE_RATE / WINDOW_SAMPLES
    rise = (bins_hz[:, None] - np.minimum(low, mid - width_hz)) / np.maximum(mid - low, width_hz)
    fall = (np.maximum(high, mid + width_hz) - bins_hz[:, None]) / np.maximum(high - mid, width_hz)
    weights = np.maximum(np.minimum(rise, fall), 0.0)
    return np.asarray(weights / weights.sum(axis=0), dtype=np.float32)


def mel_frames(samples: Floats, n_bands: int = 80) -> Floats:
    """Mel power, (n_frames, n_bands); a frame every 10 ms, the first centred on the first sample.

    Raises
    ------
    ValueError : not one-dimensional.
    """
    if samples.ndim != 1:
        raise ValueError(f"expected mono samples of shape (n_samples,), got {samples.shape}")
    from scipy.fft import rfft

    n_frames = len(samples) // HOP_SAMPLES + 1
    window = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)
    padded = np.pad(samples, (WINDOW_SAMPLES // 2, WINDOW_SAMPLES))
    out: Floats = np.empty((n_frames, n_bands), dtype=np.float32)
    for start in range(0, n_frames, _BLOCK_FRAMES):
        stop = min(start + _BLOCK_FRAMES, n_frames)
        at = np.arange(start, stop)[:, None] * HOP_SAMPLES + np.arange(WINDOW_SAMPLES)
        spectra = rfft(padded[at] * window, axis=1)
        out[start:stop] = (spectra.real**2 + spectra.imag**2) @ _filters(n_bands)
    return out


def normalised(power: Floats, *, gain_db: float = 0.0) -> Floats:
    """What the network sees of mel power: decades under the recording's loud frames, between about -1 and 1.

    Parameters
    ----------
    gain_db : how much louder than it is, for training
    """
    loud = float(np.percentile(power.sum(axis=1), LOUD_PERCENTILE)) / power.shape[1]
    scale = 10.0 ** (gain_db / 10.0) / max(loud, 1e-12)
    return np.asarray(np.log10(power * np.float32(scale) + np.float32(FLOOR)) / 3.5 + 1.0, dtype=np.float32)
