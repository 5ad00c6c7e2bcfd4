"""Log-mel frames, as our networks hear: power in bands that are even on the mel scale.

Conventions: mono at a grid's sample rate, full scale ±1; frame i is centred on sample i * hop_samples; levels are
relative to the recording's own loud frames, so that gain does not matter. Arrays are float32 (n_frames,
n_bands). FINE, a frame every 10 ms, is what drums are heard on.

Source: S. S. Stevens et al., 1937, in the form of O'Shaughnessy, 1987 (2595 log10(1 + f / 700)).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["FINE", "FRAME_RATE_HZ", "HOP_SAMPLES", "SAMPLE_RATE", "MelGrid", "mel_frames", "normalised"]

Floats = NDArray[np.float32]

SAMPLE_RATE = 44_100
HOP_SAMPLES = 441
FRAME_RATE_HZ = SAMPLE_RATE / HOP_SAMPLES
WINDOW_SAMPLES = 2048  # 46 ms: a kick's skin at 50 Hz is told from the bass beside it
LOWEST_HZ, HIGHEST_HZ = 30.0, 16_000.0  # lossy files have little above
FLOOR = 1e-7  # -70 dB of the loud frames: what is softer is taken for silence
LOUD_PERCENTILE = 98.0
_BLOCK_FRAMES = 1024  # 10 s: a block's arrays stay small


@dataclass(frozen=True)
class MelGrid:
    """When and where in the spectrum power is measured."""

    sample_rate: int
    hop_samples: int
    window_samples: int
    lowest_hz: float
    highest_hz: float

    @property
    def frame_rate_hz(self) -> float:
        return self.sample_rate / self.hop_samples


FINE = MelGrid(SAMPLE_RATE, HOP_SAMPLES, WINDOW_SAMPLES, LOWEST_HZ, HIGHEST_HZ)


@cache
def _filters(n_bands: int, grid: MelGrid) -> Floats:
    """Triangles even on the mel scale, (n_bins, n_bands), each of area 1 so that noise is flat."""
    lowest, highest = (2595 * float(np.log10(1 + hz / 700)) for hz in (grid.lowest_hz, grid.highest_hz))
    mel = np.linspace(lowest, highest, n_bands + 2)
    edges_hz = 700 * (10 ** (mel / 2595) - 1)
    bins_hz = np.arange(grid.window_samples // 2 + 1) * grid.sample_rate / grid.window_samples
    # A triangle narrower than two bins would fall between them.
    low, mid, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    width_hz = grid.sample_rate / grid.window_samples
    rise = (bins_hz[:, None] - np.minimum(low, mid - width_hz)) / np.maximum(mid - low, width_hz)
    fall = (np.maximum(high, mid + width_hz) - bins_hz[:, None]) / np.maximum(high - mid, width_hz)
    weights = np.maximum(np.minimum(rise, fall), 0.0)
    return np.asarray(weights / weights.sum(axis=0), dtype=np.float32)


def mel_frames(samples: Floats, n_bands: int = 80, *, grid: MelGrid = FINE) -> Floats:
    """Mel power, (n_frames, n_bands); a frame every hop of the grid, the first centred on the first sample.

    Raises
    ------
    ValueError : not one-dimensional.
    """
    if samples.ndim != 1:
        raise ValueError(f"expected mono samples of shape (n_samples,), got {samples.shape}")
    from scipy.fft import rfft

    hop, length = grid.hop_samples, grid.window_samples
    n_frames = len(samples) // hop + 1
    window = np.hanning(length + 1)[:-1].astype(np.float32)
    padded = np.pad(samples, (length // 2, length))
    out: Floats = np.empty((n_frames, n_bands), dtype=np.float32)
    for start in range(0, n_frames, _BLOCK_FRAMES):
        stop = min(start + _BLOCK_FRAMES, n_frames)
        at = np.arange(start, stop)[:, None] * hop + np.arange(length)
        spectra = rfft(padded[at] * window, axis=1)
        out[start:stop] = (spectra.real**2 + spectra.imag**2) @ _filters(n_bands, grid)
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
