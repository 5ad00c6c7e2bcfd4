"""Separate: a mix into four stems that add up to it.

`drums`, `bass` and `vocals` are what the separator hears; `other` is the rest of the mix, so that nothing is
lost and nothing is invented: the stems add up to the mix to the precision of float32. They keep its level,
length, sample rate and channels.

A separator is a name of models/index.toml: `separator-small`, our network, comes with the package; `spectral` is
classical; Demucs is fetched when it is first asked for. Or it is a path: a folder of a network of ours, trained
anew (`config.json` and `weights.safetensors`), or a Demucs repository, which holds `.th` files and perhaps the
`.yaml` of a bag of models. Blocks follow one another, so that memory does not grow with the song.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio
from rearrange.errors import TooLittleMusicError, UsageError
from rearrange.models.stored import shipped
from rearrange.progress import Progress, silent

__all__ = ["STEMS", "VERSION", "SeparateSettings", "network_folder", "separate", "separate_blocks"]

VERSION = 2
STEMS = ("drums", "bass", "other", "vocals")
_DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class SeparateSettings:
    """How to separate.

    Parameters
    ----------
    separator : a name of models/index.toml, or the path of a network or of a Demucs repository
    device : "auto" (a GPU where there is one), "cpu", "cuda" or "mps"; Demucs only
    shifts : Demucs' "shift trick": the mean of that many randomly shifted runs; 0 is one run as it is
    overlap : share of a Demucs segment that overlaps with the next, in [0, 0.9]

    Raises
    ------
    UsageError : a value out of range.
    """

    separator: str = "separator-small"
    device: str = "auto"
    shifts: int = 0
    overlap: float = 0.25

    def __post_init__(self) -> None:
        if self.device not in _DEVICES:
            raise UsageError(f"unknown device {self.device!r}", f"one of {', '.join(_DEVICES)}")
        if not 0 <= self.shifts <= 100:
            raise UsageError(f"shifts is {self.shifts}", "0 to 100; each costs one more run")
        if not 0.0 <= self.overlap <= 0.9:
            raise UsageError(f"overlap is {self.overlap}", "0 to 0.9")


def separate_blocks(
    mix: Audio, settings: SeparateSettings = SeparateSettings(), *, progress: Progress = silent
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Yield consecutive blocks of the four stems, each (channels, n) and as long as the others.

    Raises
    ------
    TooLittleMusicError : the mix is empty.
    UsageError : there is no separator of that name, or no such device.
    ModelError, FetchError : a model that cannot be fetched, loaded or run.
    """
    if mix.n_samples == 0:
        raise TooLittleMusicError("there is no sound to separate")
    if settings.separator == "spectral":
        from rearrange.models.spectral import spectral_blocks

        yield from spectral_blocks(mix.samples, mix.sample_rate, progress=progress)
        return
    if (folder := network_folder(settings.separator)) is not None:
        from rearrange.models.separation import separation_blocks
        from rearrange.models.separator import load

        yield from separation_blocks(mix.samples, mix.sample_rate, load(folder), progress=progress)
        return
    from rearrange.models.demucs import demucs_blocks

    yield from demucs_blocks(
        mix,
        settings.separator,
        device=settings.device,
        shifts=settings.shifts,
        overlap=settings.overlap,
        progress=progress,
    )


def network_folder(separator: str) -> Path | None:
    """Where a separator's files lie that is a network of ours; None of any other."""
    from rearrange.models.weights import list_models

    if any(info.name == separator and info.family == "separator" for info in list_models()):
        return shipped(separator)
    folder = Path(separator).expanduser()
    return folder if (folder / "config.json").is_file() else None


def separate(
    mix: Audio, settings: SeparateSettings = SeparateSettings(), *, progress: Progress = silent
) -> dict[str, Audio]:
    """Return the four stems whole; for long recordings rather write the blocks as they come.

    Raises
    ------
    As `separate_blocks`.
    """
    stems = {name: np.empty(mix.samples.shape, np.float32) for name in STEMS}
    start = 0
    for block in separate_blocks(mix, settings, progress=progress):
        for name, samples in block.items():
            stems[name][:, start : start + samples.shape[1]] = samples
        start += block["other"].shape[1]
    return {name: Audio(samples, mix.sample_rate) for name, samples in stems.items()}
