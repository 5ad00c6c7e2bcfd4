"""What an HTDemucs learns from: crops as the small separator's (`separator_crops`), mixed where it is trained.

Threads draw crops ahead of time, from takes that lie in memory as 16-bit samples; filters and noise, which cost
more, run on the device that trains. A crop follows from the seed, its step and its place in the batch, however
many threads there are.

Conventions: sound float32 at 44.1 kHz; stems in the order of `models.separator.STEMS`. A mix has the level that
Demucs gives a recording, a deviation of 1, and its stems add up to it but for noise.

Limits: equalisers wrap around: what rings past one end of a crop is heard at the other.
"""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rearrange.training.separator_crops import Shelf, drawn_stems

if TYPE_CHECKING:
    import torch

__all__ = ["Batch", "Drawn", "drawn_batches", "mixed"]

Floats = NDArray[np.float32]

_AHEAD = 3  # batches that are drawn while one is learnt
_NOISE_SHARE, _NOISE_DB = 0.15, (-50.0, -20.0)  # of crops; white, against the mix
_SILENCE = 1e-4  # root mean square


@dataclass(frozen=True, eq=False)
class Drawn:
    """Crops before they are mixed.

    Parameters
    ----------
    stems : (batch, 4, 2, n_samples)
    gains : (batch, 4, bins), what equalisers do, over bins from 0 Hz to half the sample rate
    noise : (batch,) its amplitude against the mix's
    number : seeds what is drawn while mixing
    """

    stems: Floats
    gains: Floats
    noise: Floats
    number: int


@dataclass(frozen=True, eq=False)
class Batch:
    """`mix` (batch, 2, n_samples) and `stems` (batch, 4, 2, n_samples), on the device that trains."""

    mix: "torch.Tensor"
    stems: "torch.Tensor"


def drawn_batches(
    shelf: Shelf, *, seed: int, first: int, batch: int, n_samples: int, threads: int
) -> Generator[Drawn]:
    """The batches of step `first` and all that follow."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[int, list[Future[tuple[Floats, Floats, float]]]]] = deque()
        step = first
        try:
            while True:
                while len(waiting) <= _AHEAD:
                    crops = [pool.submit(_crop, shelf, (seed, step, place), n_samples) for place in range(batch)]
                    waiting.append((step, crops))
                    step += 1
                number, crops = waiting.popleft()
                stems, gains, noise = zip(*(crop.result() for crop in crops), strict=True)
                yield Drawn(np.stack(stems), np.stack(gains), np.array(noise, np.float32), number)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _crop(shelf: Shelf, number: tuple[int, int, int], n_samples: int) -> tuple[Floats, Floats, float]:
    rng = np.random.default_rng(number)
    while True:
        stems, gains = drawn_stems(shelf, rng, n_samples)
        if float(np.sqrt(np.mean(np.square(stems.sum(axis=0))))) >= _SILENCE:
            break
    noise = 10 ** (rng.uniform(*_NOISE_DB) / 20) if rng.random() < _NOISE_SHARE else 0.0
    return np.ascontiguousarray(stems), gains, noise


def mixed(drawn: Drawn, *, seed: int, device: str) -> Batch:
    """Equalise, add up, add noise, and bring to Demucs' level."""
    import torch
    from torch.nn import functional

    def there(array: Floats) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        return tensor.pin_memory().to(device, non_blocking=True) if device == "cuda" else tensor

    stems, gains, noise = there(drawn.stems), there(drawn.gains), there(drawn.noise)
    n_samples = stems.shape[-1]
    gains = functional.interpolate(gains, size=n_samples // 2 + 1, mode="linear", align_corners=True)
    spectra = torch.fft.rfft(stems) * gains[:, :, None]
    stems = torch.fft.irfft(spectra, n=n_samples)
    mix = stems.sum(1)
    deviation = mix.std(dim=(1, 2), keepdim=True).clamp_min(_SILENCE)  # (batch, 1, 1)
    generator = torch.Generator(device).manual_seed(seed * 1_000_003 + drawn.number)
    hiss = torch.randn(mix.shape, generator=generator, device=device)
    return Batch(mix / deviation + noise[:, None, None] * hiss, stems / deviation[:, None])
