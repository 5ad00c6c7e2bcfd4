"""The form of our networks that hear moments in frames: convolutions over bands and time, then over time alone.

Sources: dilated convolutions after M. E. P. Davies and S. Böck, "Temporal convolutional networks for musical audio
beat tracking" (EUSIPCO 2019).
"""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["frames_network"]

_SELDOM = -3.0  # a logit to start from, of what few frames have


def frames_network(
    *,
    n_bands: int,
    channels: Sequence[int],
    width: int,
    dilations: Sequence[int],
    outputs: tuple[int, ...],
    n_seldom: int,
    kernel: int = 3,
    dropout: float | None = None,
) -> "torch.nn.Module":
    """A network with random weights, from frames (batch, bands, time) to (batch, *outputs, time).

    Parameters
    ----------
    channels : of convolutions over bands and time, each of which halves the bands
    width : channels over time
    dilations : of the blocks over time, in frames
    n_seldom : the first so many outputs are logits of what few frames have
    kernel : taps of the blocks, odd
    dropout : share of channels that a block forgets in training; None has no such layer
    """
    import torch
    from torch import nn

    class Block(nn.Module):
        """A dilated convolution over time, and a mixture of channels, added to what came in."""

        def __init__(self, dilation: int) -> None:
            super().__init__()
            forgetting = [] if dropout is None else [nn.Dropout1d(dropout)]
            self.layers = nn.Sequential(
                nn.Conv1d(width, width, kernel, padding=kernel // 2 * dilation, dilation=dilation),
                nn.BatchNorm1d(width),
                nn.ReLU(),
                *forgetting,
                nn.Conv1d(width, width, 1),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = x + self.layers(x)
            return out

    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            before, bands = 1, n_bands
            for each in channels:
                layers += [
                    nn.Conv2d(before, each, 3, stride=(2, 1), padding=1, bias=False),
                    nn.BatchNorm2d(each),
                    nn.ReLU(),
                ]
                before, bands = each, (bands + 1) // 2
            self.front = nn.Sequential(*layers)
            self.join = nn.Conv1d(before * bands, width, 1)
            self.blocks = nn.Sequential(*(Block(dilation) for dilation in dilations))
            self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(width, prod(outputs), 1))
            with torch.no_grad():
                self.head.get_parameter("1.bias")[:n_seldom] = _SELDOM

        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            x = self.front(frames[:, None])  # (batch, channels, bands, time)
            x = self.blocks(self.join(x.flatten(1, 2)))  # (batch, width, time)
            out: torch.Tensor = self.head(x).unflatten(1, outputs)
            return out

    return Frames()
