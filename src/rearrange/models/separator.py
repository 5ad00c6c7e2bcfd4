"""A small network that separates a mix into four stems: drums, bass, other, vocals. The offline default.

A spectrogram of 93 ms windows is split into bands; each band of each frame becomes a vector. Blocks mix vectors
along time (dilated convolutions), across bands (a narrow layer that sees all of them) and within; then each band
says, bin by bin and for either channel, what share of the sound belongs to which stem. The shares add up to 1:
nothing is lost, nothing is invented. The phase is the mix's.

Conventions: arrays are (channels, n_samples) outside; spectra (channels, frames, bins). A bin is about 10.8 Hz
wide at any sample rate: the window follows the rate, so that nothing is resampled. Cells are the network's
frequencies: bins, from 5.5 kHz on two at a time, from 11 kHz four. The stem `vocals` is a voice; where none
sings, the instrument that has the melody.

Sources: bands after Y. Luo and J. Yu, "Music source separation with band-split RNN" (TASLP 2023); the layer across
all bands after W. Choi et al., "Investigating U-Nets with various intermediate blocks for spectrogram-based
singing voice separation" (ISMIR 2020); blocks after Z. Liu et al., "A ConvNet for the 2020s" (CVPR 2022).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rearrange.models.stored import StoredConfig, load_network, save_network

if TYPE_CHECKING:
    import torch

__all__ = [
    "COMPRESSION",
    "HOP",
    "N_BINS",
    "N_CELLS",
    "SAMPLE_RATE",
    "STEMS",
    "TINY",
    "WINDOW",
    "SeparatorConfig",
    "SeparatorNetwork",
    "bins_of",
    "build",
    "cells_of",
    "load",
    "product",
    "save",
    "views_of",
]

Floats = NDArray[np.float32]

STEMS = ("drums", "bass", "other", "vocals")
# (bins, how many make a cell), from the lowest bin on.
POOLING = ((512, 1), (512, 2), (1024, 4))
N_BINS = sum(bins for bins, _ in POOLING)
N_CELLS = sum(bins // each for bins, each in POOLING)
N_VIEWS = 4  # left, right, their sum and their difference
COMPRESSION = 0.15  # exponent of power: 0.3 of magnitude
TINY = 1e-4  # 70 dB below white noise of the mix's level
SAMPLE_RATE = 44100  # that of training; at another one windows are as long in seconds
WINDOW, HOP = 2 * N_BINS, N_BINS // 2


@dataclass(frozen=True)
class SeparatorConfig(StoredConfig):
    """Size of the network.

    Parameters
    ----------
    bands : (how many, cells in each), from the lowest cell on; N_CELLS in all
    width : of a band's vector
    narrow : of what each band shows to the others
    hidden : of the layer that sees all bands
    taps, dilations : of the convolutions over time, in frames; a block each
    certainty : the network is surer than it is right: logarithms of shares are multiplied by this
    classical : how much of the result is the classical separator's (`spectral`), which errs elsewhere. Both were
        set on a few takes and excerpts (the model's card says which)
    """

    bands: tuple[tuple[int, int], ...] = ((12, 4), (12, 8), (12, 16), (8, 22), (8, 32), (4, 64))
    width: int = 64
    narrow: int = 8
    hidden: int = 96
    taps: int = 5
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 1, 4, 16)
    certainty: float = 0.8
    classical: float = 0.2

    def __post_init__(self) -> None:
        if sum(count * cells for count, cells in self.bands) != N_CELLS:
            raise ValueError(f"the bands must have {N_CELLS} cells")

    @property
    def n_bands(self) -> int:
        return sum(count for count, _ in self.bands)

    @property
    def reach(self) -> int:
        """Frames either side that a frame's masks depend on."""
        return sum(self.dilations) * (self.taps // 2)


def cells_of(bins: "torch.Tensor") -> "torch.Tensor":
    """Sums (..., N_BINS) over the bins of each cell, (..., N_CELLS)."""
    import torch

    parts, at = [], 0
    for count, each in POOLING:
        # Added slice by slice: a sum over so short an axis takes five times as long.
        slices = [bins[..., at + i : at + count : each] for i in range(each)]
        total = slices[0]
        for part in slices[1:]:
            total = total + part
        parts.append(total)
        at += count
    return torch.cat(parts, -1)


def bins_of(cells: "torch.Tensor") -> "torch.Tensor":
    """What holds of each cell (..., N_CELLS), of each of its bins, (..., N_BINS)."""
    import torch

    parts, at = [], 0
    for count, each in POOLING:
        part = cells[..., at : at + count // each]
        parts.append(part if each == 1 else part.repeat_interleave(each, -1))
        at += count // each
    return torch.cat(parts, -1)


def views_of(spectra: "torch.Tensor") -> "torch.Tensor":
    """Power in cells of left, right, sum and difference, (batch, frames, N_VIEWS, N_CELLS).

    Parameters
    ----------
    spectra : complex (batch, 2, frames, N_BINS), of a mix of root mean square 1
    """
    import torch

    cells = cells_of(product(spectra, spectra))  # (batch, 2, frames, N_CELLS)
    left, right = cells.unbind(1)
    both = cells_of(product(spectra[:, 0], spectra[:, 1]))
    mean = (left + right) / 2
    return torch.stack([left, right, (mean + both).clamp_min(0), (mean - both).clamp_min(0)], 2)


def product(one: "torch.Tensor", other: "torch.Tensor") -> "torch.Tensor":
    """The real part of one spectrum times the conjugate of another."""
    return one.real * other.real + one.imag * other.imag


def build(config: SeparatorConfig) -> "torch.nn.Module":
    """The network with random weights.

    Its input is the power of N_VIEWS in cells, (batch, frames, N_VIEWS, N_CELLS), of a mix of root mean square 1;
    its output the logarithms of shares, (batch, frames, stems, 2 channels, N_CELLS), not yet normalised.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    class Banded(nn.Module):
        """A linear layer for each band: of `before` numbers a cell, or of a vector, into a vector, or numbers."""

        def __init__(self, per_cell: int, *, encodes: bool) -> None:
            super().__init__()
            self.encodes = encodes
            self.weights = nn.ParameterList()
            self.biases = nn.ParameterList()
            for count, cells in config.bands:
                inputs, outputs = per_cell * cells, config.width
                if not encodes:
                    inputs, outputs = outputs, inputs
                self.weights.append(nn.Parameter(torch.randn(count, inputs, outputs) * inputs**-0.5))
                self.biases.append(nn.Parameter(torch.zeros(count, 1, outputs)))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """(batch, frames, per_cell, cells) -> (batch, frames, bands, width); or the other way."""
            batch, frames = x.shape[:2]
            parts, at = [], 0
            for (count, cells), weight, bias in zip(config.bands, self.weights, self.biases, strict=True):
                n = count * cells if self.encodes else count
                part = x[:, :, :, at : at + n] if self.encodes else x[:, :, at : at + n]
                if self.encodes:
                    split = part.reshape(batch * frames, -1, count, cells).permute(2, 0, 1, 3).flatten(2)
                    out = torch.baddbmm(bias.to(split.dtype), split, weight.to(split.dtype))
                    parts.append(out.transpose(0, 1).reshape(batch, frames, count, config.width))
                else:
                    split = part.reshape(batch * frames, count, -1).transpose(0, 1)
                    out = torch.baddbmm(bias.to(split.dtype), split, weight.to(split.dtype))
                    cut = out.reshape(count, batch * frames, -1, cells).permute(
                        1, 2, 0, 3
                    )  # (rows, per_cell, count, cells)
                    parts.append(cut.reshape(batch, frames, -1, n * cells))
                at += n
            return torch.cat(parts, 2 if self.encodes else 3)

    class AlongTime(torch.autograd.Function):
        """A convolution over frames, each feature for itself: torch's own takes ten times as long backwards."""

        @staticmethod
        def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, dilation: int) -> torch.Tensor:
            """(batch, frames, bands, width), (width, taps) -> (batch, frames, bands, width)."""
            ctx.save_for_backward(x, weight)
            ctx.dilation = dilation
            return convolved(x, weight, dilation)

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> Any:
            x, weight = ctx.saved_tensors
            frames, taps = x.shape[1], weight.shape[1]
            of_weight = torch.zeros_like(weight)
            for tap in range(taps):
                shift = (tap - taps // 2) * ctx.dilation
                if abs(shift) < frames:
                    here = slice(max(-shift, 0), frames - max(shift, 0))
                    there = slice(max(shift, 0), frames - max(-shift, 0))
                    of_weight[:, tap] = (gradient[:, here] * x[:, there]).sum((0, 1, 2))
            return convolved(gradient, weight.flip(1), ctx.dilation), of_weight, None

    def convolved(x: torch.Tensor, weight: torch.Tensor, dilation: int) -> torch.Tensor:
        width, taps = weight.shape
        kernel = weight.to(x.dtype)[:, None, :, None]
        reach = dilation * (taps // 2)
        out = functional.conv2d(
            x.permute(0, 3, 1, 2), kernel, padding=(reach, 0), dilation=(dilation, 1), groups=width
        )
        return out.permute(0, 2, 3, 1)

    class Block(nn.Module):
        """Over time and within a band; then across bands."""

        def __init__(self, dilation: int) -> None:
            super().__init__()
            width, narrow = config.width, config.narrow
            self.dilation = dilation
            self.taps = nn.Parameter(torch.randn(width, config.taps) * config.taps**-0.5)
            self.within = nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
            )
            self.show = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, narrow))
            self.across = nn.Sequential(
                nn.Linear(narrow * config.n_bands, config.hidden),
                nn.SiLU(),
                nn.Linear(config.hidden, narrow * config.n_bands),
            )
            self.take = nn.Linear(narrow, width)

        @staticmethod
        def along_time(x: torch.Tensor, taps: torch.Tensor, dilation: int) -> torch.Tensor:
            moved: torch.Tensor = AlongTime.apply(x, taps, dilation)  # type: ignore[no-untyped-call]
            return moved

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """(batch, frames, bands, width) -> the same."""
            moved = self.along_time(x, self.taps, self.dilation)
            x = x + self.within(moved)
            seen = self.across(self.show(x).flatten(2)).unflatten(2, (config.n_bands, config.narrow))
            out: torch.Tensor = x + self.take(functional.silu(seen))
            return out

    class Separator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            # Of compressed power in training; set by the trainer.
            self.register_buffer("mean", torch.zeros(N_VIEWS, N_CELLS))
            self.register_buffer("deviation", torch.ones(N_VIEWS, N_CELLS))
            self.encode = Banded(N_VIEWS, encodes=True)
            self.blocks = nn.Sequential(*(Block(dilation) for dilation in config.dilations))
            self.norm = nn.LayerNorm(config.width)
            self.decode = Banded(2 * len(STEMS), encodes=False)

        def forward(self, power: torch.Tensor) -> torch.Tensor:
            seen = ((power + TINY) ** COMPRESSION - self.get_buffer("mean")) / self.get_buffer("deviation")
            if torch.is_autocast_enabled(power.device.type):
                seen = seen.to(torch.get_autocast_dtype(power.device.type))
            x = self.blocks(self.encode(seen))
            out: torch.Tensor = self.decode(self.norm(x)).unflatten(2, (len(STEMS), 2))
            return out

    return Separator()


@dataclass(frozen=True, eq=False)
class SeparatorNetwork:
    """A network with its weights, ready to hear."""

    config: SeparatorConfig
    module: "torch.nn.Module"

    def masks(self, spectra: NDArray[np.complex64]) -> Floats:
        """What share of each bin belongs to which stem, (stems, 2, frames, N_BINS), of 1 together.

        Parameters
        ----------
        spectra : (2, frames, N_BINS), of a mix of root mean square 1 at windows of WINDOW samples
        """
        import torch

        with torch.inference_mode():
            logits = self.module(views_of(torch.from_numpy(spectra)[None]))[0]
            shares = (self.config.certainty * logits).softmax(1)
            masks: Floats = bins_of(shares.permute(1, 2, 0, 3)).numpy()
            return masks


def save(folder: Path, config: SeparatorConfig, state: Mapping[str, "torch.Tensor"]) -> None:
    """Write `config.json` and `weights.safetensors`, the weights in half precision, into a folder."""
    save_network(folder, config, state)


@cache
def load(folder: Path) -> SeparatorNetwork:
    """The network of a folder that `save` wrote, kept for the next call.

    Raises
    ------
    ModelError : a file is missing, or is not what it should be.
    """
    return SeparatorNetwork(
        *load_network(
            folder,
            SeparatorConfig,
            build,
            name="the separator",
            hint="install the package again, or --separator spectral",
        )
    )
