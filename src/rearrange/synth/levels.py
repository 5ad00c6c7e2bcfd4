"""How loud a track is while it sounds, from a part of it.

BS.1770's integrated loudness without overlap: K-weighted power of 400 ms windows, absolute and relative gate, so
that rests do not count. `LevelMeter` listens to blocks as they are rendered and takes one window of each;
`sounding_lufs` reads N_WINDOWS out of a finished track, spread over it at positions that fall in step with no
tempo, or the whole track where it is short, or sounds in few of them.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from functools import cache
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from rearrange.synth.master import gated_lufs, k_weighting, power_to_lufs

__all__ = ["LevelMeter", "TrackSource", "sounding_lufs"]

_WINDOW_S = 0.4
N_WINDOWS = 30
_ENOUGH = 10  # windows that are not much softer than the whole
_LOUD_LU = 6.0
_GOLDEN = 0.6180339887498949  # multiples of it, modulo 1, repeat least
_WHOLE_BLOCK_S = 10.0


class TrackSource(Protocol):
    """A track that can be read from any second, again and again."""

    def __call__(self, *, block_s: float = 10.0, start_s: float = 0.0) -> Iterator[NDArray[np.float32]]:
        """Yield consecutive blocks (channels, n) of `block_s`, the last one shorter."""


class LevelMeter:
    """Loudness of a stream while it sounds, from one window of each block."""

    def __init__(self, sample_rate: int) -> None:
        self._window = round(_WINDOW_S * sample_rate)
        self._sample_rate = sample_rate
        self._powers: list[float] = []

    def add(self, block: NDArray[np.float32]) -> None:
        """Listen to the next block, (channels, n)."""
        spare = block.shape[1] - self._window
        if spare < 0:
            block, spare = np.pad(block, ((0, 0), (0, -spare))), 0
        start = int(len(self._powers) * _GOLDEN % 1.0 * spare)
        self._powers.append(_power(block[:, start : start + self._window], self._sample_rate))

    @property
    def lufs(self) -> float:
        """Gated loudness so far; -inf for silence."""
        return gated_lufs(np.array(self._powers))


def sounding_lufs(source: TrackSource, sample_rate: int, *, expected_s: float) -> float:
    """Return the gated loudness of a track in LUFS; -inf for silence.

    Parameters
    ----------
    expected_s : how long the track is, about; windows are spread over it
    """
    window = round(_WINDOW_S * sample_rate)
    stride_s = expected_s / N_WINDOWS
    powers: list[float] = []
    if stride_s > 2 * _WINDOW_S:
        for i in range(N_WINDOWS):
            start_s = i * stride_s + i * _GOLDEN % 1.0 * (stride_s - _WINDOW_S)
            with closing(
                cast(Generator[NDArray[np.float32]], source(block_s=_WINDOW_S, start_s=start_s))
            ) as blocks:
                block = next(blocks, None)
            if block is None or block.shape[1] < window:
                break
            powers.append(_power(block, sample_rate))
    loudness = gated_lufs(np.array(powers))
    if np.count_nonzero(power_to_lufs(np.array(powers)) > loudness - _LOUD_LU) >= _ENOUGH:
        return loudness
    powers = []
    for block in source(block_s=_WHOLE_BLOCK_S):
        padded = np.pad(block, ((0, 0), (0, -block.shape[1] % window)))
        powers += [_power(padded[:, at : at + window], sample_rate) for at in range(0, padded.shape[1], window)]
    return gated_lufs(np.array(powers))


def _power(window: NDArray[np.float32], sample_rate: int) -> float:
    """K-weighted mean square, summed over channels; a mono track counts on both sides, as it will be played."""
    from scipy.fft import rfft

    if not window.any():
        return 0.0
    spectrum = rfft(window, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return float(power.sum(axis=0) @ _power_weights(window.shape[1], sample_rate)) * 2 / len(window)


@cache
def _power_weights(n: int, sample_rate: int) -> NDArray[np.float32]:
    """Weights of the squared spectrum whose sum is the K-weighted mean square, (n // 2 + 1,)."""
    delay = np.exp(-2j * np.pi * np.fft.rfftfreq(n))  # z^-1 (scipy.signal takes half a second to import)
    powers = np.stack([np.ones_like(delay), delay, delay**2])
    response = np.prod(
        [(section[:3] @ powers) / (section[3:] @ powers) for section in k_weighting(sample_rate)], axis=0
    )
    twice = np.full(n // 2 + 1, 2.0)  # positive and negative frequencies
    twice[0] = 1.0
    return np.asarray(twice * np.abs(response) ** 2 / n**2, dtype=np.float32)
