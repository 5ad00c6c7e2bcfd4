"""The master: bring a mix to a loudness without passing a true peak, in two passes of bounded memory.

The first pass (`MasterMeter`) keeps two numbers per bin of 64 samples: K-weighted power and true peak. From these
the gain is found that gives the wanted loudness *after* limiting, by bisection, without touching the samples
again. The second pass applies it.

The limiter looks ahead: gain falls before a peak and comes back after it in straight lines of dB, and is at
every sample no more than any peak near it allows. Because peaks are measured between the samples too (four times
oversampled), the ceiling holds for what a converter or a resampler makes of the file.

Limits: full-band white noise exceeds the ceiling by up to 0.3 dB (its peaks between samples are not defined by
a finite interpolator); music does not.
Source: ITU-R BS.1770-4 (K-weighting, gates, true peak); the filters are its analogue prototypes, so that any
sample rate works. FFmpeg's alimiter was measured first: four times oversampled it runs at 210 times real time,
and the gain that it needs is found only by running it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LimiterGain",
    "MasterMeter",
    "find_gain",
    "gated_lufs",
    "k_weighting",
    "power_to_lufs",
]

BIN = 64  # samples
_HOP_S = 0.1  # gating blocks are 400 ms, every 100 ms
_HOPS_PER_BLOCK = 4
_ABSOLUTE_GATE_LUFS, _RELATIVE_GATE_LU = -70.0, -10.0
_OFFSET_LUFS = -0.691

# 6 dB are reached in 6 ms and given back in 100 ms: fast enough not to pump, slow enough for a bass note.
ATTACK_DB_PER_MS = 1.0
RELEASE_DB_PER_S = 60.0
# Where that does not reach the loudness (short hits in silence), the limiter may be this much faster.
_SPEEDS = (1.0, 4.0, 16.0)
MAX_LIMITING_DB = 20.0  # more gain than this beyond what the loudness alone asks for is not tried
_TOLERANCE_DB = 0.01

_OVERSAMPLING = 4
_CONTEXT = 256  # samples on either side of a piece, longer than the resampler's impulse response


def k_weighting(sample_rate: int) -> NDArray[np.float64]:
    """Return BS.1770's K-weighting as second-order sections, (2, 6)."""
    # The head's shelf: +4 dB above 1.7 kHz; then the high-pass of the revised low-frequency curve.
    k, q = np.tan(np.pi * 1681.974450955533 / sample_rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = [(high + middle * k / q + k * k) / a0, 2 * (k * k - high) / a0, (high - middle * k / q + k * k) / a0]
    shelf += [1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]
    k, q = np.tan(np.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    return np.array([shelf, [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]])


def power_to_lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """K-weighted mean square, summed over channels, to LUFS."""
    return np.asarray(_OFFSET_LUFS + 10 * np.log10(np.maximum(power, 1e-30)))


def gated_lufs(blocks: NDArray[np.float64]) -> float:
    """Integrated loudness of the power of gating blocks; -inf for silence."""
    loud = blocks[power_to_lufs(blocks) > _ABSOLUTE_GATE_LUFS]
    if not len(loud):
        return float("-inf")
    gate = power_to_lufs(loud.mean()) + _RELATIVE_GATE_LU
    return float(power_to_lufs(loud[power_to_lufs(loud) > gate].mean()))


class MasterMeter:
    """Loudness and, unless told otherwise, true peaks of a stereo stream. Memory: 8 bytes per 64 samples."""

    def __init__(self, sample_rate: int, *, peaks: bool = True) -> None:
        self.sample_rate = sample_rate
        self.n_samples = 0
        self._sections = k_weighting(sample_rate)
        self._state = np.zeros((len(self._sections), 2, 2))
        self._power: list[NDArray[np.float32]] = []
        self._odd = np.zeros((2, 0), np.float32)  # samples of a bin that has only begun
        self._with_peaks = peaks
        self._peaks: list[NDArray[np.float32]] = []
        self._window = np.zeros((2, _CONTEXT), np.float32)  # samples measured, then those not yet

    def add(self, block: NDArray[np.float32]) -> None:
        """Measure the next samples, (2, n)."""
        from scipy.signal import sosfilt

        self.n_samples += block.shape[1]
        block = np.concatenate([self._odd, block], axis=1)
        whole = block.shape[1] // BIN * BIN
        block, self._odd = block[:, :whole], block[:, whole:]
        if not whole:
            return
        weighted, self._state = sosfilt(self._sections, block, axis=1, zi=self._state)
        bins = weighted.reshape(2, -1, BIN)
        self._power.append((np.einsum("cbs,cbs->b", bins, bins) / BIN).astype(np.float32))
        if self._with_peaks:
            self._window = np.concatenate([self._window, block], axis=1)
            self._measure_peaks()

    def finish(self) -> None:
        """Measure what was kept back; silence follows."""
        if self._odd.shape[1]:
            n_samples = self.n_samples
            self.add(np.zeros((2, BIN - self._odd.shape[1]), np.float32))
            self.n_samples = n_samples
        if self._with_peaks:
            self._window = np.pad(self._window, ((0, 0), (0, _CONTEXT)))
            self._measure_peaks()

    def _measure_peaks(self) -> None:
        import soxr

        n = self._window.shape[1] - 2 * _CONTEXT
        if n <= 0:
            return
        inside = slice(_CONTEXT * _OVERSAMPLING, (_CONTEXT + n) * _OVERSAMPLING)
        largest = np.zeros(n // BIN, np.float32)
        for channel in self._window:
            between = soxr.resample(channel, self.sample_rate, self.sample_rate * _OVERSAMPLING)[inside]
            np.maximum(largest, np.abs(between).reshape(-1, BIN * _OVERSAMPLING).max(axis=1), out=largest)
            exact = channel[_CONTEXT : _CONTEXT + n].reshape(-1, BIN)
            np.maximum(largest, np.abs(exact).max(axis=1), out=largest)
        self._peaks.append(largest)
        self._window = self._window[:, n:]

    @property
    def bin_power(self) -> NDArray[np.float32]:
        """K-weighted mean square per bin, both channels summed."""
        return np.concatenate([*self._power, np.zeros(0, np.float32)])

    @property
    def bin_peaks(self) -> NDArray[np.float32]:
        """True peak per bin, of the louder channel."""
        return np.concatenate([*self._peaks, np.zeros(0, np.float32)])

    def sounding_end(self, floor: float) -> int:
        """Return the sample after which nothing passes `floor`, a share of full scale."""
        loud = np.flatnonzero(self.bin_peaks > floor)
        return int(loud[-1] + 1) * BIN if len(loud) else 0

    @property
    def lufs(self) -> float:
        """Integrated loudness."""
        return _integrated(self.bin_power, self.sample_rate)

    @property
    def true_peak(self) -> float:
        """The largest true peak, as a share of full scale."""
        return float(self.bin_peaks.max(initial=0.0))


def _integrated(bin_power: NDArray[np.floating], sample_rate: int) -> float:
    """Integrated loudness of power per bin."""
    if not len(bin_power):
        return float("-inf")
    total = np.concatenate([[0.0], np.cumsum(bin_power, dtype=np.float64)])
    hop = _HOP_S * sample_rate / BIN
    edges = np.arange(int(len(bin_power) / hop) + 1) * hop
    at_edges = np.interp(edges, np.arange(len(total)), total)
    if len(edges) <= _HOPS_PER_BLOCK:  # less than one gating block: all there is
        return gated_lufs(np.array([total[-1] / len(bin_power)]))
    blocks = at_edges[_HOPS_PER_BLOCK:] - at_edges[:-_HOPS_PER_BLOCK]
    return gated_lufs(blocks / (_HOPS_PER_BLOCK * hop))


@dataclass(frozen=True, eq=False)
class LimiterGain:
    """Gain at the borders of bins, (n_bins + 1,); between them it moves evenly.

    `limiting_db` is the most that is taken from a peak; `lufs` what is expected to come out.
    """

    borders: NDArray[np.float32]
    limiting_db: float
    lufs: float

    def peaks(self, bin_peaks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what becomes of true peaks per bin, at most."""
        return np.asarray(bin_peaks * np.maximum(self.borders[1:], self.borders[:-1]))

    def apply(self, block: NDArray[np.float32], start: int) -> NDArray[np.float32]:
        """Return a block that begins at sample `start`, limited."""
        first, last = start // BIN, -(-(start + block.shape[1]) // BIN)
        near = self.borders[first : last + 1]
        if np.all(near == near[0]):
            return np.asarray(block * near[0])
        at = np.arange(start, start + block.shape[1]) - first * BIN
        return np.asarray(block * np.interp(at, np.arange(len(near)) * BIN, near).astype(np.float32))


def find_gain(meter: MasterMeter, *, target_lufs: float, ceiling: float) -> LimiterGain:
    """Return the limiter's gain that brings what was measured to a loudness, with peaks below `ceiling`.

    The gentlest limiter and the lowest gain that reach the target are taken; where none does (a few clicks in
    silence), the loudest of them. Silence is left as it is.
    """
    if not np.isfinite(meter.lufs):
        return _limit(meter, 0.0, ceiling)
    needed_db = target_lufs - meter.lufs  # limiting only takes away: the gain is never less
    for speed in _SPEEDS:
        low_db, high_db = needed_db, needed_db
        found = _limit(meter, high_db, ceiling, speed)
        while found.lufs < target_lufs - _TOLERANCE_DB and high_db < needed_db + MAX_LIMITING_DB:
            low_db, high_db = high_db, high_db + 2.0
            found = _limit(meter, high_db, ceiling, speed)
        if found.lufs < target_lufs - _TOLERANCE_DB:
            continue
        while high_db - low_db > _TOLERANCE_DB:
            middle_db = (low_db + high_db) / 2
            tried = _limit(meter, middle_db, ceiling, speed)
            if tried.lufs < target_lufs:
                low_db = middle_db
            else:
                high_db, found = middle_db, tried
        return found
    return found


def _limit(meter: MasterMeter, gain_db: float, ceiling: float, speed: float = 1.0) -> LimiterGain:
    """Return a gain, less where peaks would pass the ceiling."""
    peaks_db = 20 * np.log10(np.maximum(meter.bin_peaks.astype(np.float64), 1e-12))
    allowed_db = np.minimum(20 * np.log10(ceiling) - gain_db - peaks_db, 0.0)
    # A border belongs to the bins on both sides of it.
    border_db = np.minimum(np.append(allowed_db, 0.0), np.insert(allowed_db, 0, 0.0))
    bin_s = BIN / meter.sample_rate
    border_db = _rising_no_faster(border_db, speed * RELEASE_DB_PER_S * bin_s)
    border_db = _rising_no_faster(border_db[::-1], speed * ATTACK_DB_PER_MS * 1000 * bin_s)[::-1]
    borders = 10 ** ((gain_db + border_db) / 20)
    squared = (borders[1:] ** 2 + borders[1:] * borders[:-1] + borders[:-1] ** 2) / 3  # mean along a line
    lufs = _integrated(meter.bin_power * squared, meter.sample_rate)
    return LimiterGain(borders.astype(np.float32), abs(float(border_db.min(initial=0.0))), lufs)


def _rising_no_faster(level_db: NDArray[np.float64], step_db: float) -> NDArray[np.float64]:
    """Return the highest curve below `level_db` that rises by at most `step_db` from one point to the next."""
    ramp = np.arange(len(level_db)) * step_db
    return np.asarray(np.minimum.accumulate(level_db - ramp) + ramp)
