"""The value `Audio`, and what turns one into another: fold-down and resampling."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Audio", "fold_matrix", "resample"]

# Gain of each loudspeaker in the left and the right of a stereo fold-down: centre and surrounds at -3 dB,
# no subwoofer (ITU-R BS.775-4, table 2).
_HALF_POWER = 0.5**0.5
_FOLD_GAINS = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (_HALF_POWER, _HALF_POWER),
    "LFE": (0.0, 0.0),
    "BC": (0.5, 0.5),
    "BL": (_HALF_POWER, 0.0),
    "SL": (_HALF_POWER, 0.0),
    "FLC": (_HALF_POWER, 0.0),
    "BR": (0.0, _HALF_POWER),
    "SR": (0.0, _HALF_POWER),
    "FRC": (0.0, _HALF_POWER),
}
# Where a file does not say: the usual orders (WAVEFORMATEXTENSIBLE's), by number of channels.
_USUAL = {
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}


@dataclass(frozen=True, eq=False)
class Audio:
    """A stretch of sound.

    Parameters
    ----------
    samples : float32 (channels, n_samples), full scale ±1; never empty of channels
    sample_rate : in Hz

    Raises
    ------
    ValueError : another shape or type, or a sample rate that is not positive.
    """

    samples: NDArray[np.float32]
    sample_rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.shape[0] < 1 or self.samples.dtype != np.float32:
            raise ValueError(
                f"samples must be float32 (channels, n_samples), not {self.samples.dtype} {self.samples.shape}"
            )
        if self.sample_rate <= 0:
            raise ValueError(f"sample_rate must be positive, not {self.sample_rate}")

    @property
    def channels(self) -> int:
        return int(self.samples.shape[0])

    @property
    def n_samples(self) -> int:
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        return self.n_samples / self.sample_rate

    def mono(self) -> "Audio":
        """Return the mean of the channels; itself where there is only one."""
        if self.channels == 1:
            return self
        total = self.samples[0] + self.samples[1]
        for channel in self.samples[2:]:
            total += channel
        total /= self.channels
        return Audio(total[np.newaxis], self.sample_rate)


def fold_matrix(loudspeakers: Sequence[str], channels: int) -> NDArray[np.float32]:
    """Return the matrix (channels, len(loudspeakers)) that folds a layout down to mono or stereo.

    No row's gains sum to more than 1, so that folding cannot clip. A stereo or mono layout folded to
    stereo is left as it is; where no position is known the usual order is taken, and a single one that is
    not known counts as centre.

    Raises
    ------
    ValueError : channels is neither 1 nor 2.
    """
    if channels not in (1, 2):
        raise ValueError(f"can fold to 1 or 2 channels, not {channels}")
    if len(loudspeakers) <= 2:
        same = np.eye(len(loudspeakers), dtype=np.float32)
        return same if len(loudspeakers) <= channels else same.mean(axis=0, keepdims=True)
    if not any(name in _FOLD_GAINS for name in loudspeakers):
        loudspeakers = _USUAL.get(len(loudspeakers), loudspeakers)
    gains = np.array([_FOLD_GAINS.get(name, _FOLD_GAINS["FC"]) for name in loudspeakers]).T
    gains /= max(gains.sum(axis=1).max(), 1e-9)
    if channels == 1:
        gains = gains.mean(axis=0, keepdims=True)
    return gains.astype(np.float32)


def resample(audio: Audio, sample_rate: int) -> Audio:
    """Return `audio` at another sample rate (soxr, high quality: linear phase, passband to 0.913 Nyquist)."""
    if sample_rate == audio.sample_rate:
        return audio
    import soxr

    first = soxr.resample(audio.samples[0], audio.sample_rate, sample_rate)
    out = np.empty((audio.channels, len(first)), dtype=np.float32)
    out[0] = first
    for target, channel in zip(out[1:], audio.samples[1:], strict=True):
        target[:] = soxr.resample(channel, audio.sample_rate, sample_rate)
    return Audio(out, sample_rate)
