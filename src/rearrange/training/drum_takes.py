"""Takes as the drum network learns from them: mel power of drums, of all else and of the mix, and the strokes.

Kept one file a take, so that a take is made once; a stopped run goes on. Since powers add up (but for phase),
drums and another take's accompaniment make a new mix in no time: `drawn_crop` does, and equalises, and adds noise.

Conventions: power is kept as its logarithm, in decades, half precision: (n_frames, n_bands). Targets are (classes,
n_frames): a triangle of TARGET_FRAMES either side of each stroke, whose top says where between two frames it fell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.models.drums import CLASSES, class_of_pitch
from rearrange.models.mel import FRAME_RATE_HZ, mel_frames, normalised
from rearrange.score import NoteEvent
from rearrange.training.audio import Take

__all__ = ["VIEWS", "Crop", "DrumTake", "drawn_crop", "drum_take", "read_take", "write_take"]

Floats = NDArray[np.float32]

TARGET_FRAMES = 2.0
VIEWS = ("drums", "mix")
_LEAST = 1e-10
# How a crop is made: the mix as it was mixed, drums alone, drums with a trace of others as separators leave it, or
# drums and the accompaniment of some other take.
_WAYS = {"mix": 0.3, "drums": 0.2, "leaking": 0.15, "anew": 0.35}
_LEAK_DB, _ANEW_DB = (-30.0, -10.0), (-12.0, 9.0)
_TILT_DB = 5.0
_NOISE_SHARE, _NOISE_DB = 0.4, (-65.0, -30.0)
# What recordings do to a kit, and fonts do not: other sizes of drums, compressors and gates, poor coders.
_SHIFT_SHARE, _SHIFT_BANDS = 0.6, 2.5  # higher or lower, all of it: a band is 3 percent and more
_DYNAMICS_SHARE, _DYNAMICS = 0.5, (0.75, 1.3)  # exponents of power: squeezed, or with less of what rings
_CUT_SHARE, _CUT_FROM, _CUT_DB = 0.3, 0.55, (-60.0, -25.0)  # the share of the bands that stay, at least
_HOLES_SHARE, _HOLES_DB = 0.25, (-45.0, -22.0)  # coders leave out what is so far below the loudest band beside it


@dataclass(frozen=True, eq=False)
class DrumTake:
    """Mel power of a take in decades, and its strokes.

    Parameters
    ----------
    drums, others, mix : float16 (n_frames, n_bands); `others` is all but the drums, as the mix has it
    onsets_s, classes, velocities : (n_hits,)
    songs : what it was made from, by corpus and id
    """

    drums: NDArray[np.float16]
    others: NDArray[np.float16]
    mix: NDArray[np.float16]
    onsets_s: NDArray[np.float64]
    classes: NDArray[np.int64]
    velocities: Floats
    songs: NDArray[np.str_]

    def hits(self) -> tuple[NoteEvent, ...]:
        """The strokes, as `models.drums` writes them."""
        pitches = [pitches[0] for pitches in CLASSES.values()]
        return tuple(
            NoteEvent(float(onset), 0.1, pitches[drum], round(127 * float(velocity)))
            for onset, drum, velocity in zip(self.onsets_s, self.classes, self.velocities, strict=True)
        )

    def frames(self, view: str) -> Floats:
        """What the network sees of a view of VIEWS."""
        return normalised(_power(self.drums if view == "drums" else self.mix))


@dataclass(frozen=True, eq=False)
class Crop:
    """Frames (n_frames, n_bands); targets and velocities (classes, n_frames), 0 where no stroke is."""

    frames: Floats
    targets: Floats
    velocities: Floats


def drum_take(take: Take, n_bands: int) -> DrumTake:
    """The mel power of a take, and its strokes."""

    def decades(samples: Floats) -> NDArray[np.float16]:
        power = mel_frames(np.asarray(samples.mean(axis=0)), n_bands)
        return np.asarray(np.log10(power + _LEAST), dtype=np.float16)

    others = np.asarray(sum(sound for name, sound in take.stems.items() if name != "drums"), dtype=np.float32)
    known = [(hit, class_of_pitch(hit.pitch)) for hit in take.hits]
    return DrumTake(
        decades(take.stems["drums"]),
        decades(others),
        decades(take.mix),
        np.array([hit.onset_s for hit, _ in known], dtype=np.float64),
        np.array([drum for _, drum in known], dtype=np.int64),
        np.array([hit.velocity / 127 for hit, _ in known], dtype=np.float32),
        np.array(take.scene.songs),
    )


def write_take(path: Path, take: DrumTake) -> None:
    """Write a take as .npz, under a temporary name first."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **vars(take))
    partial.replace(path)


def read_take(path: Path) -> DrumTake:
    """Read what `write_take` wrote."""
    with np.load(path) as file:
        return DrumTake(**{name: file[name] for name in file.files})


def _power(decades: NDArray[np.float16]) -> Floats:
    return np.asarray(np.power(np.float32(10.0), decades.astype(np.float32)), dtype=np.float32)


def drawn_crop(takes: Sequence[DrumTake], rng: np.random.Generator, *, n_frames: int) -> Crop:
    """A crop of a take that is drawn, mixed and equalised anew."""
    take = takes[int(rng.integers(len(takes)))]
    way = str(rng.choice(list(_WAYS), p=list(_WAYS.values())))
    n_bands = take.drums.shape[1]
    if way == "mix":
        power = _power(take.mix) * _tilt(n_bands, rng)
    else:
        power = _power(take.drums) * _tilt(n_bands, rng)
        if way != "drums":
            other = takes[int(rng.integers(len(takes)))] if rng.random() < 0.7 else take
            beside = _power(other.others) * _tilt(n_bands, rng)
            level_db = rng.uniform(*(_LEAK_DB if way == "leaking" else _ANEW_DB))
            power = power + beside * np.float32(10 ** (level_db / 10))
    if rng.random() < _NOISE_SHARE:
        loud = float(np.percentile(power.mean(axis=1), 95))
        noise = rng.exponential(size=power.shape).astype(np.float32)  # the power of noise has this distribution
        power = power + noise * _tilt(n_bands, rng) * np.float32(loud * 10 ** (rng.uniform(*_NOISE_DB) / 10))
    frames = normalised(_recorded(power, rng), gain_db=float(rng.normal(0.0, 3.0)))
    start = int(rng.integers(max(len(frames) - n_frames, 0) + 1))
    targets, velocities = _targets(take, len(frames))
    stop = start + n_frames
    return Crop(frames[start:stop], targets[:, start:stop], velocities[:, start:stop])


def _recorded(power: Floats, rng: np.random.Generator) -> Floats:
    """Power (n_frames, n_bands) as another kit, another compressor and another coder would have had it."""
    n_bands = power.shape[1]
    if rng.random() < _SHIFT_SHARE:
        at = np.arange(n_bands) + rng.uniform(-_SHIFT_BANDS, _SHIFT_BANDS)
        below = np.clip(np.floor(at).astype(np.int64), 0, n_bands - 1)
        above = np.minimum(below + 1, n_bands - 1)
        part = np.clip(at - below, 0.0, 1.0).astype(np.float32)
        power = power[:, below] * (1 - part) + power[:, above] * part
    if rng.random() < _DYNAMICS_SHARE:
        power = power ** np.float32(rng.uniform(*_DYNAMICS))
    if rng.random() < _CUT_SHARE:
        edge = rng.uniform(_CUT_FROM, 1.0) * n_bands
        steep = np.clip((np.arange(n_bands) - edge) / 2.0, 0.0, 1.0)
        power = power * np.asarray(10 ** (rng.uniform(*_CUT_DB) * steep / 10), dtype=np.float32)
    if rng.random() < _HOLES_SHARE:
        from scipy.ndimage import maximum_filter1d

        beside = maximum_filter1d(power, 9, axis=1)
        power = np.where(power < beside * np.float32(10 ** (rng.uniform(*_HOLES_DB) / 10)), np.float32(0.0), power)
    return power


def _tilt(n_bands: int, rng: np.random.Generator) -> Floats:
    """A smooth equaliser, as gain of power (n_bands,)."""
    points_db = rng.normal(0.0, _TILT_DB, 5)
    gains_db = np.interp(np.arange(n_bands), np.linspace(0, n_bands - 1, 5), points_db)
    return np.asarray(10 ** (gains_db / 10), dtype=np.float32)


def _targets(take: DrumTake, n_frames: int) -> tuple[Floats, Floats]:
    targets = np.zeros((len(CLASSES), n_frames), dtype=np.float32)
    velocities = np.zeros_like(targets)
    at = take.onsets_s * FRAME_RATE_HZ
    for offset in range(-1, 3):
        frames = np.floor(at).astype(np.int64) + offset
        height = np.maximum(1.0 - np.abs(frames - at) / TARGET_FRAMES, 0.0).astype(np.float32)
        inside = (frames >= 0) & (frames < n_frames) & (height > 0)
        np.maximum.at(targets, (take.classes[inside], frames[inside]), height[inside])
        near = inside & (height >= 0.5)
        np.maximum.at(velocities, (take.classes[near], frames[near]), take.velocities[near])
    return targets, velocities
