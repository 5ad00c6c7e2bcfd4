"""What the separator learns from beside takes: recorded songs as stems.

Conventions: each is kept as 16-bit samples (2, n) at SAMPLE_RATE in a folder, and made once.

Source of the songs: "everything is remixed" (CC0). One of the set, lithium, is for measuring, and never read here.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import read_audio
from rearrange.models.separator import SAMPLE_RATE, STEMS
from rearrange.training.separator_crops import Clip

__all__ = ["SONGS", "recorded_songs"]

Floats = NDArray[np.float32]

SONGS = ("hydrogen", "sodium", "francium")
_BASS_IN_OTHER_HZ = 220.0  # where a song's bass is in its `other`, that is heard from here up
_UNITS = 16_000.0  # of full scale
_LEVEL = 0.15  # root mean square of a mix where it is loud, like a take's
_LOUD_DB = -26.0  # a second sounds that is not softer than that below a clip's loud seconds


def recorded_songs(folder: Path, cache: Path) -> tuple[Mapping[str, Clip], ...]:
    """The songs of `folder`/eir that may train, by stem; those that are missing are left out.

    Raises
    ------
    AudioFormatError : a file cannot be read.
    """
    cache.mkdir(parents=True, exist_ok=True)
    songs = []
    for song in SONGS:
        files = {stem: folder / "eir" / song / f"{stem}.opus" for stem in STEMS}
        stems = {stem: _kept(path, cache / f"{song}-{stem}.npy") for stem, path in files.items() if path.is_file()}
        if not stems:
            continue
        power = sum(_power(samples) for samples in _cut(stems))
        scale = _LEVEL / float(np.sqrt(np.quantile(power, 0.75)))
        songs.append(
            {
                stem: Clip(
                    samples,
                    scale,
                    loud_seconds(samples),
                    low_cut_hz=_BASS_IN_OTHER_HZ if stem == "other" and "bass" not in stems else 0.0,
                    is_voice=stem == "vocals",
                )
                for stem, samples in stems.items()
            }
        )
    return tuple(songs)


def _kept(path: Path, cached: Path) -> NDArray[np.int16]:
    """A file's samples (2, n), mapped from where they are kept."""
    if not cached.is_file():
        samples = read_audio(path, sample_rate=SAMPLE_RATE).samples
        _keep(cached, as_clip(samples))
    kept: NDArray[np.int16] = np.load(cached, mmap_mode="r")
    return kept


def _keep(cached: Path, samples: NDArray[np.int16]) -> None:
    partial = cached.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, samples)
    partial.replace(cached)


def as_clip(samples: Floats) -> NDArray[np.int16]:
    """Samples (1 or 2, n) in 16 bits, (2, n), with 6 dB of headroom: the units of all clips are alike."""
    rounded = np.rint(samples * _UNITS).clip(-32767, 32767).astype(np.int16)
    return np.ascontiguousarray(np.broadcast_to(rounded, (2, samples.shape[1])))


def _cut(stems: Mapping[str, NDArray[np.int16]]) -> list[NDArray[np.int16]]:
    n_samples = min(samples.shape[1] for samples in stems.values())
    return [samples[:, :n_samples] for samples in stems.values()]


def _power(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Mean square of each second, in units."""
    n_seconds = samples.shape[1] // SAMPLE_RATE
    seconds = samples[:, : n_seconds * SAMPLE_RATE : 4].reshape(2, n_seconds, -1)
    return np.asarray(np.square(seconds, dtype=np.float64).mean(axis=(0, 2)))


def loud_seconds(samples: NDArray[np.int16]) -> NDArray[np.bool_]:
    """(n_seconds,) where a clip sounds."""
    power = _power(samples)
    return np.asarray(power > np.quantile(power, 0.9) * 10 ** (_LOUD_DB / 10))
