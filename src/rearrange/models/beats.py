"""A small convolutional network that hears beats: how likely one falls on each moment, and in what kind of bar.

The mix becomes log-mel frames, 20 ms apart; convolutions over bands and time, then dilated ones over time alone
(ten seconds either way), say for each frame how likely it is a beat, how likely a downbeat, how fast the music is
felt to go and whether its bars have two, three or four beats. `analysis.bar_pointer` makes beats and bars of that.

Conventions: mono at SAMPLE_RATE, full scale ±1; frames are those of GRID, (n_frames, n_bands) in numpy, (batch,
bands, time) in torch. Beats are felt beats: a dotted quarter in 6/8, which is what bars of two are. Tempi are in
classes even in logarithm, whose centres are TEMPI_BPM.

Limits: of five or seven beats to a bar nothing was learnt.

Sources: M. E. P. Davies and S. Böck, "Temporal convolutional networks for musical audio beat tracking" (EUSIPCO
2019); S. Böck and M. E. P. Davies, "Deconstruct, analyse, reconstruct" (ISMIR 2020), for several heads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.bar_pointer import BeatActivations
from rearrange.models.mel import MelGrid, mel_frames, normalised
from rearrange.models.stored import StoredConfig, load_network, save_network
from rearrange.models.tcn import frames_network
from rearrange.progress import Progress, silent

if TYPE_CHECKING:
    import torch

__all__ = [
    "FRAME_RATE_HZ",
    "GRID",
    "METRES",
    "SAMPLE_RATE",
    "TEMPI_BPM",
    "BeatsConfig",
    "BeatsNetwork",
    "build",
    "load",
    "save",
]

Floats = NDArray[np.float32]

SAMPLE_RATE = 22_050
GRID = MelGrid(SAMPLE_RATE, hop_samples=441, window_samples=1024, lowest_hz=30.0, highest_hz=10_000.0)
FRAME_RATE_HZ = GRID.frame_rate_hz
METRES = (2, 3, 4)  # felt beats per bar that are told apart; two is 6/8
TEMPI_BPM: NDArray[np.float64] = np.geomspace(36.0, 270.0, 32)
_CHUNK_FRAMES = 6000  # two minutes


@dataclass(frozen=True)
class BeatsConfig(StoredConfig):
    """Size of the network.

    Parameters
    ----------
    n_bands : mel bands
    channels : of the three convolutions over bands and time, each of which halves the bands
    width : channels over time
    kernel, dilations : of the blocks over time, in frames
    dropout : in training, of channels
    """

    n_bands: int = 64
    channels: tuple[int, int, int] = (16, 24, 32)
    width: int = 64
    kernel: int = 5
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128)
    dropout: float = 0.1

    @property
    def reach_frames(self) -> int:
        """How far to either side the network hears."""
        return len(self.channels) + self.kernel // 2 * sum(self.dilations)


def build(config: BeatsConfig) -> "torch.nn.Module":
    """The network with random weights.

    Its input is (batch, bands, time); its output (batch, 2 + tempi + metres, time): logits of a beat and of a
    downbeat, and those of the classes of tempo and metre.
    """
    return frames_network(
        n_bands=config.n_bands,
        channels=config.channels,
        width=config.width,
        dilations=config.dilations,
        outputs=(2 + len(TEMPI_BPM) + len(METRES),),
        n_seldom=2,
        kernel=config.kernel,
        dropout=config.dropout,
    )


@dataclass(frozen=True, eq=False)
class BeatsNetwork:
    """A network with its weights, ready to hear."""

    config: BeatsConfig
    module: "torch.nn.Module"

    def activations(self, samples: Floats, *, progress: Progress = silent) -> BeatActivations:
        """What is heard in mono samples (n_samples,) at SAMPLE_RATE, finite."""
        return self.hear(normalised(mel_frames(samples, self.config.n_bands, grid=GRID)), progress=progress)

    def hear(self, frames: Floats, *, progress: Progress = silent) -> BeatActivations:
        """The same from normalised frames (n_frames, n_bands), in chunks of bounded memory."""
        import torch

        edge = self.config.reach_frames  # chunks overlap by it, and join without a seam
        out: Floats = np.empty((len(frames), 2 + len(TEMPI_BPM) + len(METRES)), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(frames), _CHUNK_FRAMES):
                first, stop = max(start - edge, 0), min(start + _CHUNK_FRAMES, len(frames))
                chunk = torch.from_numpy(np.ascontiguousarray(frames[first : stop + edge].T))
                heard = self.module(chunk[None])[0, :, start - first : stop - first]
                beats, tempo, metre = heard.split([2, len(TEMPI_BPM), len(METRES)])
                out[start:stop] = torch.cat([beats.sigmoid(), tempo.softmax(0), metre.softmax(0)]).T.numpy()
                progress(stop / len(frames), "hearing beats")
        beat, downbeat, shares = out[:, 0], out[:, 1], out[:, 2:]
        return BeatActivations(
            FRAME_RATE_HZ,
            beat,
            np.minimum(beat, downbeat),
            shares[:, : len(TEMPI_BPM)],
            TEMPI_BPM,
            shares[:, len(TEMPI_BPM) :],
            METRES,
        )


def save(folder: Path, config: BeatsConfig, state: Mapping[str, "torch.Tensor"]) -> None:
    """Write `config.json` and `weights.safetensors`, the weights in half precision, into a folder."""
    save_network(folder, config, state)


@cache
def load(folder: Path) -> BeatsNetwork:
    """The network of a folder that `save` wrote, kept for the next call.

    Raises
    ------
    ModelError : a file is missing, or is not what it should be.
    """
    return BeatsNetwork(*load_network(folder, BeatsConfig, build, name="the beat network"))
