"""A small convolutional network that reads Basic Pitch: which of what it hears are notes, and whose.

Basic Pitch hears ghosts: octaves, overtones, and whatever a separator let through. This network sees its
activations of the mix and of three stems side by side (`models/note_features.py`), and says for each pitch and
frame whether a note of the bass, of the melody or of the other instruments starts there, and whether one sounds.
It is the same at every pitch, but for what it learns of registers; octaves and twelfths are within reach of a
convolution, and so is a second and a half either way.

Conventions: frames last FRAME_S, and frame i is heard at (i + 0.5) * FRAME_S; torch has (batch, channels, time,
pitches).

Limits: one melody, one bass. It has learnt from instruments rather than from singers.

Source: the network is ours; dilated harmonic convolutions as in W. Wei et al., "HarmoF0" (ICME 2022).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.decoding import Activations, PickLimits
from rearrange.models.basic_pitch import LOWEST_PITCH, N_PITCHES
from rearrange.models.note_features import CHANNELS, FRAME_S, SOURCES, Features, joined, loudness
from rearrange.models.stored import StoredConfig, load_network, save_network
from rearrange.progress import Progress, silent

if TYPE_CHECKING:
    import torch

__all__ = ["LINES", "NotesConfig", "NotesNetwork", "build", "load", "save"]

Floats = NDArray[np.float32]

LINES = ("vocals", "bass", "other")
OUTPUTS = ("onset", "sustain")
_CHUNK_FRAMES = 860  # 20 s: some 30 MB of activations in each layer
_EDGE_FRAMES = 96  # more than the network's reach: chunks overlap by it, and join without a seam


@dataclass(frozen=True)
class NotesConfig(StoredConfig):
    """Size of the network, and how its activations are read.

    Parameters
    ----------
    width : channels
    dilations : of the blocks over time, in frames
    onset_thresholds, sustain_thresholds : per line of LINES; set on held-out training takes
    """

    width: int = 32
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16)
    onset_thresholds: tuple[float, ...] = (0.4, 0.4, 0.4)
    sustain_thresholds: tuple[float, ...] = (0.4, 0.4, 0.4)

    def __post_init__(self) -> None:
        if not len(self.onset_thresholds) == len(self.sustain_thresholds) == len(LINES):
            raise ValueError(f"{len(LINES)} thresholds are needed")

    def limits(self, line: str, threshold: float = 0.5) -> PickLimits:
        """What counts as a note of a line of LINES.

        Parameters
        ----------
        threshold : from 0 to 1; 0.5 leaves the onset threshold where it was set, above it fewer notes are found
        """
        at = LINES.index(line)
        odds = self.onset_thresholds[at] / (1.0 - self.onset_thresholds[at]) * threshold / (1.0 - threshold)
        return PickLimits(odds / (1.0 + odds), self.sustain_thresholds[at])


def build(config: NotesConfig) -> "torch.nn.Module":
    """The network with random weights.

    Its input is (batch, sources x channels, time, pitches); its output (batch, lines, outputs, time, pitches): the
    logits of an onset and of a sounding note.
    """
    import torch
    from torch import nn

    width = config.width

    class Over(nn.Module):
        """A dilated convolution over time, and a mixture of channels, added to what came in."""

        def __init__(self, dilation: int) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(width, width, (3, 1), padding=(dilation, 0), dilation=(dilation, 1), bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 1),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = x + self.layers(x)
            return out

    class Across(nn.Module):
        """What stands octaves, twelfths and semitones away, added to what came in."""

        def __init__(self) -> None:
            super().__init__()
            self.octaves = nn.Conv2d(width, width, (1, 5), padding=(0, 24), dilation=(1, 12), bias=False)
            self.twelfths = nn.Conv2d(width, width, (1, 3), padding=(0, 19), dilation=(1, 19), bias=False)
            self.thirds = nn.Conv2d(width, width, (1, 3), padding=(0, 28), dilation=(1, 28), bias=False)
            self.near = nn.Conv2d(width, width, (1, 5), padding=(0, 2), bias=False)
            self.after = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen = self.octaves(x) + self.twelfths(x) + self.thirds(x) + self.near(x)
            out: torch.Tensor = x + self.after(seen)
            return out

    class Around(nn.Module):
        """A summary of each frame's pitches and its neighbourhood in time, added at every pitch."""

        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv1d(2 * width, width, 5, padding=16, dilation=8),
                nn.ReLU(),
                nn.Conv1d(width, width, 5, padding=32, dilation=16),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            summary = torch.cat([x.mean(dim=3), x.amax(dim=3)], dim=1)  # (batch, 2 width, time)
            out: torch.Tensor = x + self.layers(summary)[..., None]
            return out

    class Notes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.front = nn.Sequential(
                nn.Conv2d(len(SOURCES) * CHANNELS, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
            )
            self.register = nn.Parameter(torch.zeros(1, width, 1, N_PITCHES))
            middle = len(config.dilations) // 2
            over = [Over(dilation) for dilation in config.dilations]
            self.blocks = nn.Sequential(
                nn.ReLU(), Across(), *over[:middle], Around(), *over[middle:], Across(), Around(), Over(1)
            )
            self.head = nn.Sequential(
                nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, len(LINES) * len(OUTPUTS), 1)
            )
            with torch.no_grad():  # notes are rare: start from few
                bias = self.head.get_parameter("3.bias").view(len(LINES), len(OUTPUTS))
                bias[:, 0], bias[:, 1] = -4.0, -3.0

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            x = self.front(features) + self.register
            out: torch.Tensor = self.head(self.blocks(x)).unflatten(1, (len(LINES), len(OUTPUTS)))
            return out

    return Notes()


@dataclass(frozen=True, eq=False)
class NotesNetwork:
    """A network with its weights, ready to read."""

    config: NotesConfig
    module: "torch.nn.Module"

    def read(self, features: Mapping[str, Features], *, progress: Progress = silent) -> dict[str, Activations]:
        """Every line of LINES, from the features of each of SOURCES, in chunks of bounded memory."""
        import torch

        n_frames = len(features[SOURCES[0]])
        loud_db = loudness(features["mix"])
        out = np.empty((len(LINES), len(OUTPUTS), n_frames, N_PITCHES), dtype=np.float16)
        with torch.inference_mode():
            for start in range(0, n_frames, _CHUNK_FRAMES):
                stop = min(start + _CHUNK_FRAMES, n_frames)
                first = max(start - _EDGE_FRAMES, 0)
                seen = joined(features, first, min(stop + _EDGE_FRAMES, n_frames), loud_db)
                # Channels last: convolutions over few channels are twice as fast.
                batch = torch.from_numpy(seen)[None].to(memory_format=torch.channels_last)
                heard = self.module(batch)[0]  # (lines, outputs, time, pitches)
                out[:, :, start:stop] = heard[:, :, start - first : stop - first].sigmoid().numpy()
                progress(stop / n_frames, "reading notes")
        return {name: _activations(*out[i]) for i, name in enumerate(LINES)}


def _activations(onset: NDArray[np.float16], sustain: NDArray[np.float16]) -> Activations:
    return Activations(
        sustain.astype(np.float32), onset.astype(np.float32), 1.0 / FRAME_S, LOWEST_PITCH, first_s=0.5 * FRAME_S
    )


def save(folder: Path, config: NotesConfig, state: Mapping[str, "torch.Tensor"]) -> None:
    """Write `config.json` and `weights.safetensors`, the weights in half precision, into a folder."""
    save_network(folder, config, state)


@cache
def load(folder: Path) -> NotesNetwork:
    """The network of a folder that `save` wrote, kept for the next call.

    Raises
    ------
    ModelError : a file is missing, or is not what it should be.
    """
    return NotesNetwork(*load_network(folder, NotesConfig, build, name="the note network"))
