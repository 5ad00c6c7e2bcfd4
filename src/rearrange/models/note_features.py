"""What the note network sees: Basic Pitch's activations of the mix and its stems, and each one's level by pitch.

Separators leak and smear, and a mix hides its parts: each is heard by itself and all are shown together, so that a
network can tell a part's own notes from what leaked into it. Per source, frame and pitch there are five channels:
two onset activations (the frame's earlier and later half), note, contour (the strongest third of the semitone) and
level in dB.

Conventions: mono at 22,050 Hz; a frame lasts FRAME_S, two of Basic Pitch's; pitches are MIDI 21 to 108. Features
are bytes, (n_frames, 88, 5), which is what keeps an hour of four sources below 300 MB. Levels are absolute until
`joined` relates all sources to the loud moments of the mix.

Source: Basic Pitch, see `models/basic_pitch.py`; the rest is ours.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.decoding import Activations, HeardNote
from rearrange.models.basic_pitch import HOP_LENGTH, LOWEST_PITCH, N_PITCHES, SAMPLE_RATE, BasicPitch
from rearrange.progress import Progress, silent

__all__ = [
    "CHANNELS",
    "FRAME_S",
    "SOURCES",
    "Features",
    "as_heard",
    "joined",
    "loudness",
    "note_levels",
    "of_one_length",
    "source_features",
]

Features = NDArray[np.uint8]
Floats = NDArray[np.float32]

SOURCES = ("mix", "vocals", "bass", "other")
CHANNELS = 5
FRAME_HOPS = 2
FRAME_S = FRAME_HOPS * HOP_LENGTH / SAMPLE_RATE

_WINDOW = 4096  # 186 ms: a whole tone apart at C3; Basic Pitch hears finer
_LEVEL_HOPS = 4  # levels change slowly: one for two frames
_FLOOR_DB, _DB_PER_STEP = -120.0, 0.5
_LOUD_PERCENTILE = 99.0
_RANGE_DB = 60.0  # below the mix's loud moments: what is softer is taken for silence
_BLOCK = 512
_PARTIALS = (0, 12, 19, 24)  # semitones above a note
_ATTACK_FRAMES = 6  # 0.14 s: a bowed note needs most of it
_SURE_DB = 20.0  # between an onset that is hardly heard and a sure one


def source_features(network: BasicPitch, samples: Floats, *, progress: Progress = silent) -> Features:
    """Hear one source: mono samples (n_samples,) at 22,050 Hz."""
    n_frames = -(-len(samples) // (FRAME_HOPS * HOP_LENGTH))
    heard = network.activations(samples, contours=True, progress=progress)
    out = np.zeros((n_frames, N_PITCHES, CHANNELS), dtype=np.uint8)
    out[..., 0], out[..., 1] = _halves(heard.onsets, n_frames)
    out[..., 2] = np.maximum(*_halves(heard.frames, n_frames))
    out[..., 3] = np.maximum(*_halves(_contours(heard), n_frames))
    out[..., 4] = _levels(samples, n_frames)
    return out


def of_one_length(features: Mapping[str, Features]) -> dict[str, Features]:
    """The features of each of SOURCES, as long as the longest; what is not there is silent."""
    n_frames = max((len(each) for each in features.values()), default=0)
    nothing = np.zeros((0, N_PITCHES, CHANNELS), dtype=np.uint8)
    found = {name: features.get(name, nothing) for name in SOURCES}
    return {
        name: np.pad(each, ((0, n_frames - len(each)), (0, 0), (0, 0))) if len(each) < n_frames else each
        for name, each in found.items()
    }


def as_heard(features: Features) -> Activations:
    """One source as Basic Pitch hears it."""
    onsets, frames = features[..., :2].max(axis=2), features[..., 2]
    return Activations(
        frames.astype(np.float32) / 255.0,
        onsets.astype(np.float32) / 255.0,
        1.0 / FRAME_S,
        LOWEST_PITCH,
        first_s=0.5 * FRAME_S,
    )


def joined(features: Mapping[str, Features], first: int, stop: int, loud_db: float) -> Floats:
    """The network's input, (channels, stop - first, pitches), each channel between 0 and about 1.

    Parameters
    ----------
    features : of each of SOURCES
    loud_db : of the mix, from `loudness`
    """
    n = stop - first
    out = np.empty((len(SOURCES) * CHANNELS, n, N_PITCHES), dtype=np.float32)
    for i, name in enumerate(SOURCES):
        part = features[name][first:stop].transpose(2, 0, 1)
        channels = out[i * CHANNELS : (i + 1) * CHANNELS]
        np.multiply(part, np.float32(1.0 / 255.0), out=channels)
        level_db = part[4].astype(np.float32) * np.float32(_DB_PER_STEP) + np.float32(_FLOOR_DB - loud_db)
        np.clip(1.0 + level_db / np.float32(_RANGE_DB), 0.0, 1.25, out=channels[4])
    return out


def loudness(mix: Features) -> float:
    """Level of the mix's loud moments, in dB, the reference of all levels."""
    if len(mix) == 0:
        return _FLOOR_DB
    loudest = mix[..., 4].max(axis=1)
    return float(np.percentile(loudest, _LOUD_PERCENTILE)) * _DB_PER_STEP + _FLOOR_DB


def note_levels(mix: Features, notes: Sequence[HeardNote]) -> NDArray[np.float64]:
    """How loud each note starts, in dB: the level of its first partials in the mix, the surer onset the louder.

    On held-out takes it agrees better with what was played (correlation within a take and part 0.34 to 0.43)
    than the level of the stem does (0.08 to 0.33).
    """
    frames = np.array([note.frame for note in notes], dtype=np.int64)
    columns = np.array([note.pitch - LOWEST_PITCH for note in notes], dtype=np.int64)
    power = np.zeros(len(frames))
    for partial in _PARTIALS:
        at = columns + partial
        inside = at < N_PITCHES
        steps = np.max([mix[_within(frames + k, mix), at * inside, 4] for k in range(_ATTACK_FRAMES)], axis=0)
        power += inside * 10.0 ** (steps * _DB_PER_STEP / 10.0)
    attack = np.array([note.attack for note in notes])
    return np.asarray(10.0 * np.log10(power + 1e-9) + _FLOOR_DB + _SURE_DB * attack)


def _within(frames: NDArray[np.int64], features: Features) -> NDArray[np.int64]:
    return np.clip(frames, 0, len(features) - 1)


def _halves(activations: Floats, n_frames: int) -> tuple[Features, Features]:
    """Activations (n, pitches) as bytes, the even frames and the odd ones."""
    whole = np.zeros((n_frames * FRAME_HOPS, N_PITCHES), dtype=np.uint8)
    n = min(len(activations), len(whole))
    whole[:n] = np.rint(np.clip(activations[:n], 0.0, 1.0) * 255.0)
    return whole[0::2], whole[1::2]


def _contours(heard: Activations) -> Floats:
    if heard.contours is None:
        raise ValueError("Basic Pitch must be asked for contours")
    return heard.contours


@cache
def _filters() -> Floats:
    """Triangles a semitone to either side of each pitch, (bins, pitches), at least a bin wide."""
    bins_hz = np.arange(_WINDOW // 2 + 1) * SAMPLE_RATE / _WINDOW
    pitches = LOWEST_PITCH + np.arange(N_PITCHES)
    centre_hz = 440.0 * 2.0 ** ((pitches - 69) / 12)
    width_hz = np.maximum(centre_hz * (2 ** (1 / 12) - 1), SAMPLE_RATE / _WINDOW)
    weights = np.maximum(1.0 - np.abs(bins_hz[:, None] - centre_hz) / width_hz, 0.0)
    return np.asarray(weights, dtype=np.float32)


def _levels(samples: Floats, n_frames: int) -> Features:
    from scipy.fft import rfft

    hop = _LEVEL_HOPS * HOP_LENGTH
    n_levels = -(-n_frames * FRAME_HOPS // _LEVEL_HOPS)
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32) / (_WINDOW / 4)
    offset = (_WINDOW - hop) // 2  # a level's window is centred on its two frames
    padded = np.pad(samples, (offset, max(n_levels * hop + _WINDOW - len(samples), 0)))
    out = np.empty((n_levels, N_PITCHES), dtype=np.uint8)
    for start in range(0, n_levels, _BLOCK):
        stop = min(start + _BLOCK, n_levels)
        at = np.lib.stride_tricks.as_strided(
            padded[start * hop :],
            (stop - start, _WINDOW),
            (hop * padded.strides[0], padded.strides[0]),
            writeable=False,
        )
        spectra = rfft(at * window, axis=1)
        power = (spectra.real**2 + spectra.imag**2) @ _filters()
        steps = (10.0 * np.log10(power + 1e-12) - _FLOOR_DB) / _DB_PER_STEP
        out[start:stop] = np.clip(np.rint(steps), 0, 255)
    return np.repeat(out, _LEVEL_HOPS // FRAME_HOPS, axis=0)[:n_frames]
