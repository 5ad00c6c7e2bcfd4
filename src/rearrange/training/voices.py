"""Voices made from nothing: words spoken by eSpeak NG, taken apart once by WORLD, so that `singing` may sing them.

    python -m rearrange.training.voices --out out/voices.npz

speaks every word of WORDS in every one of SPEAKERS (a minute or two of one core) and keeps, for each, how its
spectrum moves, where it is noise, and where its vowel lies: a few MB, read by `read_voices`.

Conventions: frames every FRAME_S; envelopes are power spectra, coded by WORLD; a word's vowel is made equally
loud. eSpeak NG is a program beside ours (GPL): it is started, never linked, and nothing of it is shipped. What it
speaks has nothing above 11 kHz: there the envelope falls on as it fell, as breath.

Sources: M. Morise et al., "WORLD: a vocoder-based high-quality speech synthesis system", IEICE 2016 (through
pyworld); espeak-ng.org.
"""

import argparse
import io
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio, resample
from rearrange.errors import DependencyError, RearrangeError, UsageError
from rearrange.models.mel import SAMPLE_RATE

__all__ = [
    "FFT_SIZE",
    "FRAME_S",
    "SPEAKERS",
    "WORDS",
    "Syllable",
    "Voice",
    "main",
    "make_voices",
    "read_voices",
    "world",
]

Floats = NDArray[np.float32]

FRAME_S = 0.005
FFT_SIZE = 2048  # WORLD's for 44.1 kHz
# Words of one syllable, as songs have them: open and closed, every vowel, voiced and unvoiced consonants.
WORDS = (
    *("la", "na", "oh", "ooh", "ah", "hey", "you", "me", "we", "love", "heart", "night", "day", "time", "feel"),
    *("eyes", "way", "home", "light", "rain", "now", "go", "know", "stay", "run", "sun", "moon", "blue", "true"),
    *("dream", "down", "cold", "hold", "hand", "sky", "fly", "high", "free", "see", "be", "come", "gone", "more"),
    *("world", "girl", "boy", "mind", "life", "soul", "sing", "song", "dance", "last", "kiss", "star", "shine"),
    *("rise", "sweet", "wait", "call"),
)
# Voices of eSpeak NG and how high each speaks (its own scale): women first.
SPEAKERS = (
    ("en-us+f2", 55), ("en-us+f4", 60), ("en-gb+f5", 50), ("en-us+Annie", 55),
    ("en-us+m3", 45), ("en-gb+m7", 50), ("en-gb-scotland+m1", 40), ("en-us+Adam", 45),
)  # fmt: skip
_WORDS_PER_MINUTE = 120
_CODED = 60  # coefficients of an envelope: finer than formants are
_SILENT_DB, _CORE_DB = (
    -50.0,
    -12.0,
)  # of a word's loudest frame: outside it nothing is kept, inside it is the vowel
_TOP_HZ = 10_000.0  # eSpeak's samples, 22.05 kHz, are whole up to here
_TOP_FALL_DB = 10.0  # per octave above


@dataclass(frozen=True, eq=False)
class Syllable:
    """A word taken apart.

    Parameters
    ----------
    envelope : (n_frames, _CODED) as WORLD codes power spectra
    noise : (n_frames, n_bands) as WORLD codes aperiodicity
    voiced : (n_frames,)
    vowel : first frame of the vowel, and the one behind its last
    """

    envelope: Floats
    noise: Floats
    voiced: NDArray[np.bool_]
    vowel: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Voice:
    """A speaker's syllables, by word."""

    name: str
    syllables: tuple[Syllable, ...]


@cache
def world() -> Any:
    """WORLD: pyworld's compiled module. Its package asks for a part of setuptools that newer ones have not.

    Raises
    ------
    DependencyError : pyworld is not installed.
    """
    package = find_spec("pyworld")
    for folder in (package.submodule_search_locations or ()) if package is not None else ():
        spec = FileFinder(folder, (ExtensionFileLoader, EXTENSION_SUFFIXES)).find_spec("pyworld")
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise DependencyError("pyworld is missing", "pip install pyworld==0.3.5")


def make_voices(
    path: Path, *, words: Sequence[str] = WORDS, speakers: Sequence[tuple[str, int]] = SPEAKERS
) -> None:
    """Speak and analyse, and keep it.

    Raises
    ------
    DependencyError : eSpeak NG or pyworld is not installed.
    """
    kept: dict[str, NDArray[Any]] = {"speakers": np.array([name for name, _ in speakers])}
    for number, (speaker, height) in enumerate(speakers):
        found = [_analysed(spoken(word, speaker, height)) for word in words]
        kept[f"{number}_envelope"] = np.concatenate([each.envelope for each in found])
        kept[f"{number}_noise"] = np.concatenate([each.noise for each in found])
        kept[f"{number}_voiced"] = np.concatenate([each.voiced for each in found])
        kept[f"{number}_words"] = np.array([(len(each.voiced), *each.vowel) for each in found])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **kept)
    partial.replace(path)


def read_voices(path: Path) -> tuple[Voice, ...]:
    """What `make_voices` has kept.

    Raises
    ------
    UsageError : there is no such file.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no voices", f"python -m rearrange.training.voices --out {path}")
    voices = []
    with np.load(path) as file:
        for number, name in enumerate(file["speakers"]):
            envelope, noise, voiced = (file[f"{number}_{each}"] for each in ("envelope", "noise", "voiced"))
            at, syllables = 0, []
            for length, first, last in file[f"{number}_words"].tolist():
                here = slice(at, at + length)
                syllables.append(Syllable(envelope[here], noise[here], voiced[here], (first, last)))
                at += length
            voices.append(Voice(str(name), tuple(syllables)))
    return tuple(voices)


def spoken(word: str, speaker: str, height: int) -> NDArray[np.float64]:
    """A word as a speaker of eSpeak NG says it, at SAMPLE_RATE.

    Raises
    ------
    DependencyError : eSpeak NG is not installed, or does not know the speaker.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise DependencyError("eSpeak NG is missing", "apt install espeak-ng")
    settings = ["-v", speaker, "-s", str(_WORDS_PER_MINUTE), "-p", str(height), "--stdout"]
    done = subprocess.run([program, *settings, word], capture_output=True, check=False)
    if done.returncode or not done.stdout:
        raise DependencyError(f"eSpeak NG does not speak as {speaker}: {done.stderr.decode(errors='replace')}")
    import soundfile

    samples, sample_rate = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
    return np.asarray(resample(Audio(samples[None], sample_rate), SAMPLE_RATE).samples[0], dtype=np.float64)


def _analysed(samples: NDArray[np.float64]) -> Syllable:
    pyworld = world()
    rough, times = pyworld.dio(samples, SAMPLE_RATE, frame_period=1000 * FRAME_S)
    f0 = pyworld.stonemask(samples, rough, times, SAMPLE_RATE)
    envelope = pyworld.cheaptrick(samples, f0, times, SAMPLE_RATE, fft_size=FFT_SIZE)
    noise = pyworld.d4c(samples, f0, times, SAMPLE_RATE, fft_size=FFT_SIZE)
    energy_db = 10 * np.log10(envelope.sum(axis=1) + 1e-16)
    heard = np.flatnonzero(energy_db > energy_db.max() + _SILENT_DB)
    kept = slice(int(heard[0]), int(heard[-1]) + 1)
    envelope, noise, voiced, energy_db = envelope[kept], noise[kept], f0[kept] > 0, energy_db[kept]
    first, last = _longest(voiced & (energy_db > energy_db.max() + _CORE_DB))
    envelope, noise = _with_air(envelope, noise)
    envelope = envelope / envelope[first:last].sum(axis=1).mean()
    coded = pyworld.code_spectral_envelope(np.ascontiguousarray(envelope), SAMPLE_RATE, _CODED)
    bands = pyworld.code_aperiodicity(np.ascontiguousarray(noise), SAMPLE_RATE)
    return Syllable(coded.astype(np.float32), bands.astype(np.float32), voiced, (first, last))


def _longest(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """The longest run of a mask; all of it where it is empty."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    runs = edges.reshape(-1, 2)
    if not len(runs):
        return 0, len(mask)
    first, last = runs[int(np.argmax(runs[:, 1] - runs[:, 0]))].tolist()
    return int(first), int(last)


def _with_air(
    envelope: NDArray[np.float64], noise: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What eSpeak's samples have no band for: the envelope falls on from _TOP_HZ, all noise."""
    hertz = np.arange(envelope.shape[1]) * SAMPLE_RATE / FFT_SIZE
    above, edge = hertz > _TOP_HZ, (hertz > 0.8 * _TOP_HZ) & (hertz <= _TOP_HZ)
    level = np.exp(np.log(envelope[:, edge] + 1e-16).mean(axis=1, keepdims=True))
    fall = 10 ** (-_TOP_FALL_DB / 10 * np.log2(hertz[above] / _TOP_HZ))
    envelope, noise = envelope.copy(), noise.copy()
    envelope[:, above], noise[:, above] = level * fall, 1.0
    return envelope + 1e-12, noise


def main(arguments: Sequence[str] | None = None) -> int:
    """Make voices."""
    parser = argparse.ArgumentParser(description="Speak words and analyse them, for training audio to sing.")
    parser.add_argument("--out", type=Path, default=Path("out/voices.npz"))
    options = parser.parse_args(arguments)
    try:
        make_voices(options.out)
    except RearrangeError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
    print(f"{len(SPEAKERS)} voices, {len(WORDS)} words each, in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
