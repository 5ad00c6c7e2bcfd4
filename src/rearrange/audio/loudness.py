"""Integrated loudness and true peak (ITU-R BS.1770-4), in blocks: memory does not grow with length.

The K-weighting filters are pyloudnorm's; the gating is written here because pyloudnorm filters the whole
signal in float64 at once, 2.5 GB for an hour of stereo. A test holds the two together.
"""

import numpy as np
from numpy.typing import NDArray

from rearrange.audio.signal import Audio

__all__ = ["loudness_lufs", "true_peak_dbtp"]

# BS.1770-4: 400 ms blocks that overlap by 75 %, i.e. four hops of 100 ms.
_HOP_S = 0.1
_HOPS_PER_BLOCK = 4
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_OFFSET_LUFS = -0.691
_CHANNEL_GAINS = (1.0, 1.0, 1.0, 1.41, 1.41)  # left, right, centre, surrounds; further ones count as 1

_OVERSAMPLING = 4
_PEAK_BLOCK_S = 1.0
_PEAK_CONTEXT = 256  # samples on either side of a block, longer than the resampler's impulse response
# A band-limited signal hardly exceeds its samples by 6 dB: quieter blocks need not be oversampled.
_PEAK_MARGIN = 0.5


def loudness_lufs(audio: Audio) -> float:
    """Integrated loudness in LUFS; -inf for silence. Less than one 400 ms block is measured ungated."""
    power = _hop_power(audio)  # (channels, n_hops)
    gains = np.array([*_CHANNEL_GAINS, *[1.0] * audio.channels])[: audio.channels]
    hops = gains @ power  # (n_hops,)
    if len(hops) >= _HOPS_PER_BLOCK:
        blocks = np.convolve(hops, np.full(_HOPS_PER_BLOCK, 1 / _HOPS_PER_BLOCK), mode="valid")
    else:
        blocks = hops.mean(keepdims=True) if len(hops) else np.zeros(1)
    loud = blocks[_lufs(blocks) > _ABSOLUTE_GATE_LUFS]
    if not len(loud):
        return float("-inf")
    gate = _lufs(loud.mean()) + _RELATIVE_GATE_LU
    return float(_lufs(loud[_lufs(loud) > gate].mean()))


def true_peak_dbtp(audio: Audio) -> float:
    """Largest value of the signal oversampled four times, in dB of full scale; -inf for silence."""
    import soxr

    block = max(int(_PEAK_BLOCK_S * audio.sample_rate), 1)
    peak = float(max((np.abs(channel).max(initial=0.0) for channel in _pieces(audio, block)), default=0.0))
    if peak == 0.0:
        return float("-inf")
    floor = peak * _PEAK_MARGIN
    for channel in audio.samples:
        for start in range(0, audio.n_samples, block):
            if np.abs(channel[start : start + block]).max() < floor:
                continue
            context = channel[max(start - _PEAK_CONTEXT, 0) : start + block + _PEAK_CONTEXT]
            between = soxr.resample(context, audio.sample_rate, audio.sample_rate * _OVERSAMPLING)
            peak = max(peak, float(np.abs(between).max(initial=0.0)))
    return float(20 * np.log10(peak))


def _pieces(audio: Audio, block: int) -> "list[NDArray[np.float32]]":
    return [c[start : start + block] for c in audio.samples for start in range(0, audio.n_samples, block)]


def _lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return _OFFSET_LUFS + 10 * np.log10(np.maximum(power, 1e-30))


def _hop_power(audio: Audio) -> NDArray[np.float64]:
    """Mean square of the K-weighted signal per 100 ms hop, (channels, n_hops); a short tail is left out."""
    import pyloudnorm
    from scipy.signal import lfilter

    # The private name is pyloudnorm's only way to its coefficients; the test against pyloudnorm guards it.
    stages = list(pyloudnorm.Meter(audio.sample_rate)._filters.values())
    hop = max(round(_HOP_S * audio.sample_rate), 1)
    n_hops = max(audio.n_samples // hop, 1 if audio.n_samples else 0)
    chunk = 100 * hop
    power = np.zeros((audio.channels, n_hops))
    for row, channel in zip(power, audio.samples, strict=True):
        states = [np.zeros(max(len(stage.a), len(stage.b)) - 1) for stage in stages]
        for start in range(0, audio.n_samples, chunk):
            weighted = channel[start : start + chunk].astype(np.float64)
            for i, stage in enumerate(stages):
                weighted, states[i] = lfilter(stage.b, stage.a, weighted, zi=states[i])
                weighted *= stage.passband_gain
            if len(weighted) < hop:
                if start == 0:
                    row[0] = np.mean(weighted**2)
                continue
            whole = weighted[: len(weighted) // hop * hop].reshape(-1, hop)
            row[start // hop : start // hop + len(whole)] = np.mean(whole**2, axis=1)
    return power
