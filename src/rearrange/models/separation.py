"""A recording through `models.separator`, as a stream: stems come in blocks, memory does not grow with length.

Each block's masks are what they would be if the whole were heard at once: frames on either side, as far as the
network reaches, are heard with it. What has one channel is heard as two that are alike; of more than two each is
heard alone. The window is as long in seconds at any sample rate, so that nothing is resampled: what lies above
22 kHz goes the way of the highest cell, and what a lower rate lacks is silence. A part of the result is that of
the classical separator (`SeparatorConfig.classical`).

Conventions: arrays are (channels, n_samples) outside, (channels, frames, bins) inside; float32. Drums, bass and
vocals are masked; `other` is the rest of the mix.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from rearrange.models.separator import HOP, N_BINS, SAMPLE_RATE, STEMS, WINDOW, SeparatorNetwork
from rearrange.models.spectral import spectral_blocks
from rearrange.models.stft import overlap_add, root_hann, spectra_of
from rearrange.progress import Progress, silent

__all__ = ["separation_blocks"]

Floats = NDArray[np.float32]

_BLOCK_FRAMES = 768  # 18 s: what is heard beside it costs a quarter more
_MASKED = ("drums", "bass", "vocals")
_SILENCE = 1e-7  # root mean square


def separation_blocks(
    samples: Floats, sample_rate: int, network: SeparatorNetwork, *, progress: Progress = silent
) -> Iterator[dict[str, Floats]]:
    """Separate a recording into drums, bass, other and vocals.

    Parameters
    ----------
    samples : float32 (channels, n_samples), finite

    Yields
    ------
    Consecutive blocks per stem, (channels, n), that add up to the mix. They do not depend on where blocks end.
    """
    from scipy.fft import irfft

    channels, n_samples = samples.shape
    n_window = _window_length(sample_rate)
    hop = n_window // (WINDOW // HOP)
    lead = n_window - hop  # silence before the first sample, so that it too lies under four windows
    n_frames = (n_samples - 1 + lead) // hop + 1
    window = root_hann(n_window)
    level = np.float32(1.0 / max(_level(samples), _SILENCE) * (WINDOW / n_window) ** 0.5)
    reach = network.config.reach
    which = [STEMS.index(stem) for stem in _MASKED]
    classical = np.float32(network.config.classical)
    beside = _Stream(spectral_blocks(samples, sample_rate)) if classical > 0 else None
    carry = np.zeros((len(_MASKED), channels, lead), np.float32)
    for start in range(0, n_frames, _BLOCK_FRAMES):
        stop = min(start + _BLOCK_FRAMES, n_frames)
        first, last = max(start - reach, 0), min(stop + reach, n_frames)
        spectra = spectra_of(samples, first * hop - lead, last - first, window=window, hop=hop)
        masks = _masks(network, spectra * level)[which, :, start - first : stop - first]
        frames = irfft(masks * spectra[:, start - first : stop - first], n_window, axis=-1)
        frames *= window / 2
        sound = overlap_add(frames, hop)  # (3, channels, (frames - 1) * hop + n_window)
        sound[..., :lead] += carry
        carry = sound[..., (stop - start) * hop :]
        # Sample 0 lies `lead` samples into frame 0.
        begin, end = max(start * hop - lead, 0), min(stop * hop - lead, n_samples)
        if end <= begin:
            continue
        offset = begin - (start * hop - lead)
        heard = sound[..., offset : offset + end - begin]
        if beside is not None:
            heard = (1 - classical) * heard + classical * beside.take(end - begin)
        drums, bass, vocals = heard
        other = samples[:, begin:end] - drums - bass - vocals
        yield {"drums": drums, "bass": bass, "other": other, "vocals": vocals}
        progress(end / n_samples, "separating")


class _Stream:
    """Blocks of another separator, in pieces of the length that is asked for."""

    def __init__(self, blocks: Iterator[Mapping[str, Floats]]) -> None:
        self._blocks = blocks
        self._known: Floats | None = None

    def take(self, n: int) -> Floats:
        """The next `n` samples of what is masked, (3, channels, n)."""
        known = self._known
        while known is None or known.shape[-1] < n:
            block = next(self._blocks)
            more = np.stack([block[stem] for stem in _MASKED])
            known = more if known is None else np.concatenate([known, more], axis=-1)
        self._known = known[..., n:]
        return known[..., :n]


def _window_length(sample_rate: int) -> int:
    """A length of four hops whose bins are as wide as the network's, within 1 %, and quick to transform."""
    from scipy.fft import next_fast_len

    return 4 * int(next_fast_len(max(round(HOP * sample_rate / SAMPLE_RATE), 4), real=True))


def _level(samples: Floats) -> float:
    """Root mean square, in constant memory."""
    power = 0.0
    for start in range(0, samples.shape[1], 1 << 20):
        part = samples[:, start : start + (1 << 20)].ravel()
        power += float(np.dot(part, part))
    return float(np.sqrt(power / samples.size))


def _masks(network: SeparatorNetwork, spectra: NDArray[np.complex64]) -> Floats:
    """Masks (stems, channels, frames, bins) of any number of channels and bins."""
    channels, n_frames, n_bins = spectra.shape
    heard = np.zeros((channels, n_frames, N_BINS), np.complex64)
    shared = min(n_bins, N_BINS)
    heard[..., :shared] = spectra[..., :shared]
    if channels == 2:
        masks = network.masks(heard)
    else:
        alone = [network.masks(np.stack([channel, channel])).mean(axis=1) for channel in heard]
        masks = np.stack(alone, axis=1)
    above = max(n_bins - N_BINS, 0)
    return np.concatenate([masks[..., :shared], np.repeat(masks[..., -1:], above, axis=-1)], axis=-1)
