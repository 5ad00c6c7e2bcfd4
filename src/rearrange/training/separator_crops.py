"""Crops that the separator learns from: four stems drawn from takes and recordings, mixed anew.

About half are stems of one take as they were played; the others come together by chance, since there are few takes
and many combinations. Where a real voice sings, it is the stem `vocals`, and an instrument that had the melody
goes to `other`. Stems are made louder or softer, equalised, moved between the channels, turned upside down, now
and then played faster or slower; a mix may be mono, lack its treble, stand in a room or carry noise: these are no
stem's.

Conventions: sound float32 (2, n) at SAMPLE_RATE. A crop is what the loss needs, summed over the bins of each
cell of `models.separator`: of a mask m, the error |m X - S|² is m² |X|² - 2 m Re(X* S) + |S|².

Limits: stems are mixed without the effects of a bus; noise is white; rooms do not hear the equalisers.
"""

import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.mixtable import Reverb
from rearrange.models.separator import HOP, SAMPLE_RATE, STEMS, WINDOW, cells_of, product, views_of
from rearrange.models.stft import root_hann
from rearrange.synth.space import reverb_response
from rearrange.training.audio import STEMS as BANK_STEMS

__all__ = ["Clip", "Crop", "Shelf", "banked_clips", "drawn_crop", "drawn_stems", "stacked"]

Floats = NDArray[np.float32]

_TOGETHER_SHARE = 0.45  # of crops whose stems belong together
_SONG_SHARE = 0.15  # of these, those of a recorded song
_VOICE_SHARE = 0.45  # of crops with a real voice, where there are any
_MELODY_STAYS = 0.5  # of these, those in which the melody's instrument plays on, in `other`
_RECORDED_SHARE = 0.12  # of single stems, those of recorded songs
_SILENT_SHARE = 0.12  # of stems that are drawn singly
_SPEED_SHARE, _SPEED = 0.3, 0.07
_VOICE_SPEED_SHARE, _VOICE_SPEED = 0.7, 0.13
_GAIN_DB, _EQ_DB, _EQ_SHARE = 3.0, 4.0, 0.5
_PAN_SHARE, _PAN = 0.5, 0.35
_MONO_SHARE = 0.2
_NARROW_SHARE, _NARROW_HZ = 0.12, (3000.0, 12000.0)
_NOISE_SHARE, _NOISE_DB = 0.15, (-50.0, -20.0)
_ROOM_SHARE, _ROOM_DB = 0.25, (-20.0, -4.0)  # energy of a room's sound against the mix's
_ROOMS, _DECAYS_S = ("room", "plate", "hall"), (0.3, 0.6, 1.0, 1.6)
_LEVEL = 0.25  # deviation of a crop's level from that of its song, in natural logarithms
_KNOTS = 7  # of a random equaliser, over the logarithm of frequency
_SILENCE = 1e-4  # root mean square


@dataclass(frozen=True, eq=False)
class Clip:
    """A stem of something, in 16-bit samples; a part of a file, that is read when it is needed.

    Parameters
    ----------
    samples : int16 (2, n_samples)
    scale : what a unit of them is
    loud : (n_seconds,) whether it sounds
    low_cut_hz : below it there is something of another stem
    is_voice : a real one
    """

    samples: NDArray[np.int16]
    scale: float
    loud: NDArray[np.bool_]
    low_cut_hz: float = 0.0
    is_voice: bool = False


@dataclass(frozen=True)
class Shelf:
    """What crops are drawn from.

    Parameters
    ----------
    takes, songs : stem to clip, each of what belongs together: made by us, and recorded
    """

    takes: tuple[Mapping[str, Clip], ...] = ()
    songs: tuple[Mapping[str, Clip], ...] = ()
    singles: Mapping[str, tuple[Clip, ...]] = field(init=False)
    recorded: Mapping[str, tuple[Clip, ...]] = field(init=False)
    voices: tuple[tuple[Clip, ...], ...] = field(init=False)

    def __post_init__(self) -> None:
        if not self.takes:
            raise ValueError("there are no takes to train on")
        object.__setattr__(self, "singles", _by_stem(self.takes))
        object.__setattr__(self, "recorded", _by_stem(self.songs))
        sung = tuple(take["vocals"] for take in self.takes if "vocals" in take and take["vocals"].is_voice)
        object.__setattr__(self, "voices", tuple(pool for pool in (self.recorded["vocals"], sung) if pool))


def _by_stem(groups: Sequence[Mapping[str, Clip]]) -> dict[str, tuple[Clip, ...]]:
    return {stem: tuple(group[stem] for group in groups if stem in group) for stem in STEMS}


@dataclass(frozen=True, eq=False)
class Crop:
    """What a step learns from, of one crop.

    Parameters
    ----------
    views : (frames, N_VIEWS, N_CELLS), the network's input
    mix : (frames, 1, 2, N_CELLS), |X|²
    shared, stems : (frames, 4, 2, N_CELLS), Re(X* S) and |S|²
    """

    views: Floats
    mix: Floats
    shared: Floats
    stems: Floats


def stacked(crops: Sequence[Crop]) -> Crop:
    """A batch of crops: the same with a first axis."""
    return Crop(
        *(np.stack([getattr(crop, name) for crop in crops]) for name in ("views", "mix", "shared", "stems"))
    )


def banked_clips(path: Path) -> dict[str, Clip]:
    """The clips of a banked take, by stem; which stems sound is known by their notes."""
    samples = _mapped(path, "stems")
    with np.load(path) as file:
        scale, notes, is_sung = float(file["scale"]), file["notes"], bool(file["is_sung"])
    n_seconds = samples.shape[2] // SAMPLE_RATE
    clips = {}
    for i, stem in enumerate(BANK_STEMS):
        loud = np.zeros(n_seconds, dtype=bool)
        mine = np.isin(notes[:, 0], (i, len(BANK_STEMS)) if stem == "drums" else (i,))
        for _, onset_s, duration_s, _, _ in notes[mine].tolist():
            loud[int(onset_s) : int(onset_s + duration_s) + 1] = True
        if loud.any():
            clips[stem] = Clip(samples[i], scale, loud, is_voice=is_sung and stem == "vocals")
    return clips


def _mapped(path: Path, name: str) -> NDArray[np.int16]:
    """An array of a bank's file as it lies there, uncompressed: of a take, a crop of seconds is read."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{name}.npy")
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{path}: is compressed")
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(30)  # of a ZIP entry; it ends with the lengths of its name and its extra field
        file.seek(sum(struct.unpack("<HH", header[26:30])), 1)
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        return np.memmap(path, dtype=dtype, mode="r", offset=file.tell(), shape=shape)


def drawn_crop(shelf: Shelf, rng: np.random.Generator, *, n_frames: int) -> Crop:
    """A crop of `n_frames` frames that is not silent."""
    n_samples = WINDOW + (n_frames - 1) * HOP
    while True:
        stems, gains = drawn_stems(shelf, rng, n_samples)
        crop = _measured(stems, gains, rng, n_frames)
        if crop is not None:
            return crop


def drawn_stems(shelf: Shelf, rng: np.random.Generator, n_samples: int) -> tuple[Floats, Floats]:
    """Four stems (4, 2, n_samples), and what equalisers do to them, (4, bins)."""
    stems = np.zeros((4, 2, n_samples), np.float32)
    gains = np.ones((4, WINDOW // 2), np.float32)
    together = rng.random() < _TOGETHER_SHARE
    from_song = bool(shelf.songs) and together and rng.random() < _SONG_SHARE
    start_s = 0.0
    group: Mapping[str, Clip] = {}
    if together:
        groups = shelf.songs if from_song else shelf.takes
        group = groups[int(rng.integers(len(groups)))]
        clip = group[str(rng.choice(sorted(group)))]
        start_s = _loud_start(clip, rng, n_samples)
    voice, voice_s = None, start_s
    sings = "vocals" in group and group["vocals"].is_voice
    if not sings and rng.random() < _VOICE_SHARE:
        voice = _drawn_voice(shelf, rng)
        voice_s = _loud_start(voice, rng, n_samples) if voice is not None else 0.0
    for i, stem in enumerate(STEMS):
        into = i
        if stem == "vocals" and voice is not None:
            speed = float(np.exp(rng.uniform(-_VOICE_SPEED, _VOICE_SPEED)))
            if rng.random() >= _VOICE_SPEED_SHARE:
                speed = 1.0
            stems[i] += _placed(_played(voice, voice_s, n_samples, speed), rng)
            gains[i] = _equaliser(rng)
            if rng.random() >= _MELODY_STAYS:
                continue
            into = STEMS.index("other")
        if together:
            found, at_s, speed = group.get(stem), start_s, 1.0
        else:
            if rng.random() < _SILENT_SHARE:
                continue
            among = shelf.recorded if shelf.recorded[stem] and rng.random() < _RECORDED_SHARE else shelf.singles
            if not among[stem]:
                continue
            found = among[stem][int(rng.integers(len(among[stem])))]
            if into != i and found.is_voice:
                continue
            at_s = _loud_start(found, rng, n_samples)
            speed = float(np.exp(rng.uniform(-_SPEED, _SPEED))) if rng.random() < _SPEED_SHARE else 1.0
        if found is None:
            continue
        gain = np.float32(10 ** (rng.normal(0.0, _GAIN_DB) / 20) * rng.choice((-1.0, 1.0)))
        sound = gain * _played(found, at_s, n_samples, speed)
        stems[into] += _placed(sound, rng)
        if into == i:
            if rng.random() < _EQ_SHARE:
                gains[i] = _equaliser(rng)
            if found.low_cut_hz:
                gains[i] *= _high_pass(found.low_cut_hz)
    if voice is not None:
        gain = np.float32(10 ** (rng.normal(0.0, _GAIN_DB) / 20))
        stems[STEMS.index("vocals")] *= gain
    if rng.random() < _MONO_SHARE:
        stems = np.broadcast_to(stems.mean(axis=1, keepdims=True), stems.shape)
    if rng.random() < _NARROW_SHARE:
        cutoff = np.exp(rng.uniform(*np.log(_NARROW_HZ)))
        gains = gains / (1 + (_hz() / np.float32(cutoff)) ** 12)
    return stems, gains


def _drawn_voice(shelf: Shelf, rng: np.random.Generator) -> Clip | None:
    """Recorded ones, of which there are few, as often as sung ones."""
    if not shelf.voices:
        return None
    pool = shelf.voices[int(rng.integers(len(shelf.voices)))]
    return pool[int(rng.integers(len(pool)))]


def _loud_start(clip: Clip, rng: np.random.Generator, n_samples: int) -> float:
    """Where a crop may begin that hears something of the clip."""
    second = int(rng.choice(np.flatnonzero(clip.loud)))
    length_s = n_samples / SAMPLE_RATE
    latest_s = max(clip.samples.shape[1] / SAMPLE_RATE - length_s, 0.0)
    return float(np.clip(second + rng.uniform(-0.7, 0.2) * length_s, 0.0, latest_s))


def _played(clip: Clip, start_s: float, n_samples: int, speed: float) -> Floats:
    """A part of a clip (2, n_samples), faster and higher by `speed`; silence follows its end."""
    start = round(start_s * SAMPLE_RATE)
    wanted = n_samples if speed == 1.0 else int(n_samples * speed) + 8
    sound = np.float32(clip.scale) * clip.samples[:, start : start + wanted].astype(np.float32)
    if speed != 1.0:
        import soxr

        sound = soxr.resample(sound.T, speed * SAMPLE_RATE, SAMPLE_RATE, quality="LQ").T[:, :n_samples]
    return np.pad(sound, ((0, 0), (0, n_samples - sound.shape[1])))


def _placed(sound: Floats, rng: np.random.Generator) -> Floats:
    """Sound moved to one side, or with its sides exchanged."""
    if rng.random() < 0.5:
        sound = sound[::-1]
    if rng.random() < _PAN_SHARE:
        angle = np.pi / 4 * (1 + np.clip(rng.normal(0.0, _PAN), -0.9, 0.9))
        sound = sound * np.float32(np.sqrt(2)) * np.array([[np.cos(angle)], [np.sin(angle)]], np.float32)
    return sound


def _hz() -> Floats:
    return np.asarray(np.arange(WINDOW // 2) * SAMPLE_RATE / WINDOW, dtype=np.float32)


def _equaliser(rng: np.random.Generator) -> Floats:
    """A smooth random curve of gains, (bins,)."""
    knots = np.linspace(np.log(40.0), np.log(16000.0), _KNOTS)
    curve_db = np.interp(np.log(np.maximum(_hz(), 1.0)), knots, rng.normal(0.0, _EQ_DB, _KNOTS))
    return np.asarray(10 ** (curve_db / 20), dtype=np.float32)


def _high_pass(cutoff_hz: float) -> Floats:
    ratio = (_hz() / cutoff_hz) ** 8
    return np.asarray(ratio / (1 + ratio), dtype=np.float32)


def _room(mix: Floats, rng: np.random.Generator) -> Floats:
    """What some room adds to a mix, (2, n)."""
    from scipy.signal import oaconvolve

    kind, decay_s = str(rng.choice(_ROOMS)), float(rng.choice(_DECAYS_S))
    gain = np.float32(10 ** (rng.uniform(*_ROOM_DB) / 20))
    added = oaconvolve(mix, _response(kind, decay_s), axes=1)[:, : mix.shape[1]]
    return np.ascontiguousarray(gain * added, dtype=np.float32)


@cache
def _response(kind: str, decay_s: float) -> Floats:
    return reverb_response(Reverb(kind=kind, decay_s=decay_s), SAMPLE_RATE)


def _measured(stems: Floats, gains: Floats, rng: np.random.Generator, n_frames: int) -> Crop | None:
    """Mix stems and measure what a mask would do; None where there is silence."""
    import torch

    level = float(np.sqrt(np.mean(np.square(stems.sum(axis=0)))))
    if level < _SILENCE:
        return None
    scale = float(np.exp(rng.normal(0.0, _LEVEL))) / level
    frames = torch.from_numpy(np.ascontiguousarray(stems)).unfold(2, WINDOW, HOP)  # (4, 2, frames, WINDOW)
    window = torch.from_numpy(root_hann(WINDOW) * np.float32(scale))
    each = torch.fft.rfft(frames * window)[..., : WINDOW // 2] * torch.from_numpy(gains)[:, None, None]
    mix = each.sum(0)
    if rng.random() < _ROOM_SHARE:
        room = torch.from_numpy(_room(stems.sum(axis=0), rng)).unfold(1, WINDOW, HOP)
        mix = mix + torch.fft.rfft(room * window)[..., : WINDOW // 2]
    if rng.random() < _NOISE_SHARE:
        noise_db = rng.uniform(*_NOISE_DB)
        deviation = np.sqrt(WINDOW / 4) * 10 ** (noise_db / 20)  # of either part of white noise's spectrum
        noise = rng.standard_normal((2, n_frames, WINDOW // 2, 2), dtype=np.float32) * np.float32(deviation)
        mix = mix + torch.view_as_complex(torch.from_numpy(noise))
    shared = cells_of(product(each, mix))  # (4, 2, frames, N_CELLS)
    powers = cells_of(product(each, each))
    return Crop(
        views=views_of(mix[None])[0].numpy(),
        mix=cells_of(product(mix, mix)).permute(1, 0, 2)[:, None].numpy(),
        shared=shared.permute(2, 0, 1, 3).numpy(),
        stems=powers.permute(2, 0, 1, 3).numpy(),
    )
