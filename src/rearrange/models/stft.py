"""Spectra of frames, and sound from frames, for separators that work as a stream."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["overlap_add", "root_hann", "spectra_of"]


def root_hann(n: int) -> NDArray[np.float32]:
    """The root of a Hann window: applied twice, at four hops a window, it adds up to 2."""
    return np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)).astype(np.float32)


def spectra_of(
    samples: NDArray[np.float32], start: int, n_frames: int, *, window: NDArray[np.float32], hop: int
) -> NDArray[np.complex64]:
    """Spectra (channels, n_frames, bins) of the frames from sample `start`; silence lies outside."""
    from scipy.fft import rfft

    if n_frames <= 0:
        return np.zeros((samples.shape[0], 0, len(window) // 2 + 1), np.complex64)
    stop = start + (n_frames - 1) * hop + len(window)
    inside = samples[:, max(start, 0) : max(stop, 0)]
    before = max(-start, 0)
    padded = np.pad(inside, ((0, 0), (before, stop - start - before - inside.shape[1])))
    frames = np.lib.stride_tricks.sliding_window_view(padded, len(window), axis=1)[:, ::hop]
    return np.asarray(rfft(frames * window, axis=-1), np.complex64)


def overlap_add(frames: NDArray[np.float32], hop: int) -> NDArray[np.float32]:
    """Sum frames (..., n_frames, n_window) that lie `hop` apart into (..., n)."""
    *outer, n_frames, n_window = frames.shape
    parts = n_window // hop
    sound = np.zeros((*outer, n_frames + parts - 1, hop), np.float32)
    split = frames.reshape(*outer, n_frames, parts, hop)
    for part in range(parts):
        sound[..., part : part + n_frames, :] += split[..., part, :]
    return sound.reshape(*outer, -1)
