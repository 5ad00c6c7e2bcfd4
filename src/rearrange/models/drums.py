"""A small convolutional network that hears drums: which of ten, when and how hard, in a stem or in a full mix.

Samples become log-mel frames, 10 ms apart; convolutions over bands and time, then dilated ones over time alone
(about half a second either way), say for each frame and drum how likely a stroke begins there, and how hard it is.
Drums that sound alike are picked together: strokes are the peaks of the likelihood that any of a group is struck,
their times interpolated between the frames, and the likeliest of the group names them. A song is heard twice, its
drum stem and its mix: what separation left of others is no drum in the mix, and what the mix hides is in the stem.

Conventions: mono at SAMPLE_RATE, full scale ±1; frames are those of `models.mel`, (n_frames, n_bands) in numpy,
(batch, bands, time) in torch. Velocities are those of MIDI divided by 127.

Limits: hand percussion is not named, it is to be left out. A pedalled hi-hat counts as a closed one, a clap as a
side stick, splash and china as crash.

Sources: frames and rate as R. Vogl et al., "Drum transcription via joint beat and drum modeling using
convolutional recurrent neural networks" (ISMIR 2017); dilated convolutions after M. E. P. Davies and S. Böck,
"Temporal convolutional networks for musical audio beat tracking" (EUSIPCO 2019).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rearrange.models.mel import FRAME_RATE_HZ, SAMPLE_RATE, mel_frames, normalised
from rearrange.models.stored import StoredConfig, load_network, save_network
from rearrange.models.tcn import frames_network
from rearrange.progress import Progress, silent, span
from rearrange.score import NoteEvent

if TYPE_CHECKING:
    import torch

__all__ = [
    "CLASSES",
    "GROUPS",
    "SAMPLE_RATE",
    "DrumsConfig",
    "DrumsNetwork",
    "Picking",
    "build",
    "class_of_pitch",
    "group_of_pitch",
    "heard_in_both",
    "in_company",
    "likelihood",
    "load",
    "pick_hits",
    "save",
    "undoubted",
]

Floats = NDArray[np.float32]

# With 0.74 of company, F1 of kick, snare and hats in 48 takes through the `spectral` separator stays as it is, to
# 0.001; of 58 strokes a minute heard in the same takes without drums 2 are left, in a piano, speech, crackle none.
COMPANY_HITS = 6
COMPANY_REACH_S = 6.0
_SILENCE = 1e-4  # -80 dBFS
HIT_DURATION_S = 0.1  # nominal: a drum's note has no end of its own
_EDGE_FRAMES = 96  # more than the network's reach: chunks overlap by it, and join without a seam
_CHUNK_FRAMES = 6000  # a minute
_NEAR_FRAMES = 3  # within which a stroke heard otherwise is the same one

# General MIDI percussion, the pitch that each class is written as first.
CLASSES: Mapping[str, tuple[int, ...]] = {
    "kick": (36, 35),
    "snare": (38, 40),
    "stick": (37, 39),
    "closed hat": (42, 44),
    "open hat": (46,),
    "low tom": (43, 41),
    "mid tom": (47, 45),
    "high tom": (50, 48),
    "crash": (49, 52, 55, 57),
    "ride": (51, 53, 59),
}

# Drums that are taken for one another: each group has one threshold, and one stroke at a time.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "kick": ("kick",),
    "snare": ("snare", "stick"),
    "hat": ("closed hat", "open hat"),
    "tom": ("low tom", "mid tom", "high tom"),
    "crash": ("crash",),
    "ride": ("ride",),
}


def class_of_pitch(pitch: int) -> int | None:
    """Index in CLASSES of a General MIDI percussion pitch; None for what is of no class."""
    return next((i for i, pitches in enumerate(CLASSES.values()) if pitch in pitches), None)


def group_of_pitch(pitch: int) -> str | None:
    """The group of GROUPS that a General MIDI percussion pitch belongs to."""
    index = class_of_pitch(pitch)
    return None if index is None else next(g for g, names in GROUPS.items() if list(CLASSES)[index] in names)


@dataclass(frozen=True)
class Picking:
    """How activations become strokes.

    Parameters
    ----------
    thresholds : per group of GROUPS, the likelihood from which a peak is a stroke
    min_interval_s : two strokes of one group are no closer
    company : drums play where the COMPANY_HITS likeliest strokes within COMPANY_REACH_S of each other are, on
        average, as likely as this; strokes elsewhere are other sounds that begin like one
    doubt : a stroke that templates heard as well is none where its group is less likely than this
    """

    thresholds: tuple[float, ...] = (0.5,) * len(GROUPS)
    min_interval_s: float = 0.04
    company: float = 0.74
    doubt: float = 0.3

    def __post_init__(self) -> None:
        if len(self.thresholds) != len(GROUPS):
            raise ValueError(f"{len(GROUPS)} thresholds are needed, not {len(self.thresholds)}")


@dataclass(frozen=True)
class DrumsConfig(StoredConfig):
    """Size of the network, and how its activations are read.

    Parameters
    ----------
    n_bands : mel bands
    channels : of the three convolutions over bands and time, each of which halves the bands
    width : channels over time
    dilations : of the blocks over time, in frames
    picking : set on held-out training scenes
    """

    n_bands: int = 80
    channels: tuple[int, int, int] = (24, 32, 48)
    width: int = 128
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    picking: Picking = Picking()


def build(config: DrumsConfig) -> "torch.nn.Module":
    """The network with random weights.

    Its input is (batch, bands, time); its output (batch, 2, classes, time): the logit of a stroke, and the
    stroke's velocity.
    """
    return frames_network(
        n_bands=config.n_bands,
        channels=config.channels,
        width=config.width,
        dilations=config.dilations,
        outputs=(2, len(CLASSES)),
        n_seldom=len(CLASSES),
    )


@dataclass(frozen=True, eq=False)
class DrumsNetwork:
    """A network with its weights, ready to hear."""

    config: DrumsConfig
    module: "torch.nn.Module"

    def activations(self, samples: Floats, *, progress: Progress = silent) -> Floats:
        """How likely a stroke begins, and its velocity, (2, n_classes, n_frames) in [0, 1].

        Parameters
        ----------
        samples : (n_samples,) mono at SAMPLE_RATE, finite
        """
        return self.hear(normalised(mel_frames(samples, self.config.n_bands)), progress=progress)

    def hear(self, frames: Floats, *, progress: Progress = silent) -> Floats:
        """The same from normalised frames (n_frames, n_bands), in chunks of bounded memory."""
        import torch

        out: Floats = np.empty((2, len(CLASSES), len(frames)), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(frames), _CHUNK_FRAMES):
                first, stop = max(start - _EDGE_FRAMES, 0), min(start + _CHUNK_FRAMES, len(frames))
                chunk = torch.from_numpy(np.ascontiguousarray(frames[first : stop + _EDGE_FRAMES].T))
                heard = self.module(chunk[None])[0]
                heard[0] = heard[0].sigmoid()
                out[:, :, start:stop] = heard[:, :, start - first : stop - first].numpy()
                progress(stop / len(frames), "hearing drums")
        return np.clip(out, 0.0, 1.0)

    def hits(
        self,
        stem: Floats,
        mix: Floats | None = None,
        *,
        known: Sequence[NoteEvent] = (),
        progress: Progress = silent,
    ) -> tuple[NoteEvent, ...]:
        """The strokes in a drum stem, by onset, then pitch; none in silence.

        Parameters
        ----------
        stem : (n_samples,) mono at SAMPLE_RATE
        mix : the same of all that sounds, as long as the stem; None: there is nothing but the stem
        known : strokes heard otherwise (`analysis.drums`); they stay where the network does not doubt them
        """
        picking = self.config.picking
        if not np.any(np.abs(stem) > _SILENCE):
            return ()
        heard = self.activations(stem, progress=span(progress, 0.0, 1.0 if mix is None else 0.5))
        if mix is not None:
            heard = heard_in_both(heard, self.activations(mix, progress=span(progress, 0.5, 1.0)))
        hits = in_company(pick_hits(heard, picking), picking.company)
        more = undoubted(known, hits, heard, picking)
        return tuple(sorted((*hits, *more), key=lambda hit: (hit.onset_s, hit.pitch)))


def undoubted(
    known: Sequence[NoteEvent], hits: Sequence[NoteEvent], activations: Floats, picking: Picking
) -> tuple[NoteEvent, ...]:
    """Of strokes that somebody else heard, those whose group is likely enough and is not among `hits` already."""
    found = []
    taken = {name: np.array([h.onset_s for h in hits if group_of_pitch(h.pitch) == name]) for name in GROUPS}
    likely = {name: likelihood(activations, name) for name in GROUPS}
    for stroke in known:
        group = group_of_pitch(stroke.pitch)
        if group is None:
            continue
        frame = round(stroke.onset_s * FRAME_RATE_HZ)
        around = likely[group][max(frame - _NEAR_FRAMES, 0) : frame + _NEAR_FRAMES + 1]
        beside = np.abs(taken[group] - stroke.onset_s)
        if around.size and around.max() >= picking.doubt and not np.any(beside <= picking.min_interval_s):
            found.append(stroke)
    return tuple(found)


def likelihood(activations: Floats, group: str) -> Floats:
    """How likely any drum of a group is struck, (n_frames,), from activations (2, n_classes, n_frames)."""
    which = [list(CLASSES).index(name) for name in GROUPS[group]]
    return np.asarray(1.0 - np.prod(1.0 - activations[0, which], axis=0), dtype=np.float32)


def heard_in_both(stem: Floats, mix: Floats) -> Floats:
    """Activations of a stem and of its mix as one: the geometric mean of likelihoods, the mean of velocities."""
    return np.stack([np.sqrt(stem[0] * mix[0]), (stem[1] + mix[1]) / 2])


def in_company(hits: Sequence[NoteEvent], company: float) -> tuple[NoteEvent, ...]:
    """Hits, sorted by onset, without those around which too little is sure: see `Picking.company`."""
    onset_s = np.array([hit.onset_s for hit in hits])
    confidence = np.array([hit.confidence for hit in hits])
    first = np.searchsorted(onset_s, onset_s - COMPANY_REACH_S)
    last = np.searchsorted(onset_s, onset_s + COMPANY_REACH_S, side="right")
    return tuple(
        hit
        for hit, a, b in zip(hits, first, last, strict=True)
        if np.sort(confidence[a:b])[-COMPANY_HITS:].sum() >= company * COMPANY_HITS
    )


def pick_hits(activations: Floats, picking: Picking) -> tuple[NoteEvent, ...]:
    """The peaks of activations (2, n_classes, n_frames) as strokes, sorted by onset, then pitch.

    `confidence` is the likelihood. A peak lies where a parabola through it and its neighbours is highest.
    """
    order = list(CLASSES)
    pitches = [each[0] for each in CLASSES.values()]
    hits: list[NoteEvent] = []
    for group, threshold in zip(GROUPS, picking.thresholds, strict=True):
        which = [order.index(name) for name in GROUPS[group]]
        likely = likelihood(activations, group)
        for frame in _peaks(likely, threshold, round(picking.min_interval_s * FRAME_RATE_HZ)):
            around = likely[max(frame - 1, 0) : frame + 2]
            bend = around[0] - 2 * around[1] + around[2] if len(around) == 3 else 0.0
            shift = 0.5 * float((around[0] - around[2]) / bend) if bend < 0 else 0.0
            drum = which[int(activations[0, which, frame].argmax())]
            hits.append(
                NoteEvent(
                    onset_s=max(frame + shift, 0.0) / FRAME_RATE_HZ,
                    duration_s=HIT_DURATION_S,
                    pitch=pitches[drum],
                    velocity=int(np.clip(round(127.0 * float(activations[1, drum, frame])), 1, 127)),
                    confidence=float(likely[frame]),
                )
            )
    return tuple(sorted(hits, key=lambda hit: (hit.onset_s, hit.pitch)))


def _peaks(likely: Floats, threshold: float, reach: int) -> Iterator[int]:
    """Frames that no frame within `reach` exceeds; of a plateau the first."""
    from scipy.ndimage import maximum_filter1d

    highest = maximum_filter1d(likely, 2 * reach + 1, mode="constant")
    last = -reach - 1
    for frame in np.flatnonzero((likely == highest) & (likely >= threshold)).tolist():
        if frame - last > reach:
            yield frame
            last = frame


def save(folder: Path, config: DrumsConfig, state: Mapping[str, "torch.Tensor"]) -> None:
    """Write `config.json` and `weights.safetensors`, the weights in half precision, into a folder."""
    save_network(folder, config, state)


@cache
def load(folder: Path) -> DrumsNetwork:
    """The network of a folder that `save` wrote, kept for the next call.

    Raises
    ------
    ModelError : a file is missing, or is not what it should be.
    """
    return DrumsNetwork(*load_network(folder, DrumsConfig, build, name="the drum network"))
