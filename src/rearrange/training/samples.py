"""Recorded instruments (`samples.toml`) that play in training audio: of the notes recorded the nearest, moved.

    instruments = read_instruments(folder)
    played = play_samples(instruments[0], notes, rng, duration_s=20.0)

Conventions: sound float32 (2, n) at SAMPLE_RATE. A file's note is told by its name and measured: how far its
tuning is from that is heard within _OUT_OF_TUNE semitones, and taken away. `Played.notes` are what sounds: a part
that lies outside the instrument is played octaves away, and so is each note that then still lies outside.

Limits: a note ends where its recording does; loudness follows velocity, timbre where soft notes were recorded.
Notes that are moved up are shorter, as on a tape.

Source: for tuning, the normalised square difference of P. McLeod and G. Wyvill, "A smarter way to find pitch",
ICMC 2005, around the lag that is expected.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import read_audio, resample
from rearrange.declared import read_table
from rearrange.errors import ConfigError, SoundfontError
from rearrange.models.mel import SAMPLE_RATE
from rearrange.score import NoteEvent

__all__ = ["Instrument", "Played", "play_samples", "read_instruments", "tuning_of", "within"]

Floats = NDArray[np.float32]

_DECLARED = Path(__file__).with_name("samples.toml")
_STEMS = ("bass", "other", "vocals")
_NAME = re.compile(r"([A-Ga-g])([s#b]?)(\d)$")
_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_SIGNS = {"": 0, "s": 1, "#": 1, "b": -1}
_SOFT_BELOW = 70  # velocity
_OUT_OF_TUNE = 0.8  # semitones
_LONGEST_S = 6.0
_SPEAKS_AT = 0.05  # of the peak: there a note starts
_PREROLL_S = 0.002
_LEVEL = 0.08  # root mean square of a note's first half second at velocity 100
_POWER = 1.5  # of amplitude by velocity


@dataclass(frozen=True, slots=True)
class _Recording:
    path: Path
    pitch: int
    is_soft: bool


@dataclass(frozen=True)
class Instrument:
    """Single notes of one instrument, lowest first.

    Parameters
    ----------
    plays : stems
    reach : semitones that a note is moved at most
    """

    name: str
    recordings: tuple[_Recording, ...]
    plays: tuple[str, ...]
    release_s: float
    reach: int

    @property
    def compass(self) -> tuple[int, int]:
        """Its lowest and its highest pitch."""
        return self.recordings[0].pitch - self.reach, self.recordings[-1].pitch + self.reach


@dataclass(frozen=True, eq=False)
class Played:
    """Sound (2, n_samples), and the notes that are in it."""

    samples: Floats
    notes: tuple[NoteEvent, ...]


def read_instruments(folder: Path) -> tuple[Instrument, ...]:
    """The declared instruments below a folder.

    Raises
    ------
    SoundfontError : there is no file of one.
    ConfigError : the declaration is wrong, or a file's name holds no note.
    """
    found = []
    root = read_table(_DECLARED, ConfigError)
    for table in root.tables("instrument"):
        table.string("licence")
        name, files, soft = table.string("name"), table.string("files"), table.string("soft", "")
        octaves = int(table.number("octaves", 0, low=-2, high=2))
        plays = tuple(str(each) for each in table.list("plays", str, f"stems, of {', '.join(_STEMS)}"))
        release_s, reach = table.number("release_s", low=0.01, high=2), table.number("reach", low=0, high=12)
        table.finish()
        paths = sorted(folder.glob(files))
        if not paths:
            raise SoundfontError(f"{folder}: holds no {files}", "give the folder of recorded samples")
        recordings = [
            _Recording(path, _named(path) + 12 * octaves, bool(soft) and soft in path.name) for path in paths
        ]
        recordings.sort(key=lambda each: (each.pitch, each.path.name))
        found.append(Instrument(name, tuple(recordings), plays, release_s, int(reach)))
    return tuple(found)


def _named(path: Path) -> int:
    """The pitch that a file's name gives: `As1`, `a2_f_rr1`, `malevoice_aa_C#4`."""
    for word in reversed(path.stem.split("_")):
        match = _NAME.match(word)
        if match is not None:
            step, sign, octave = match.groups()
            return 12 * (int(octave) + 1) + _STEPS[step.lower()] + _SIGNS[sign]
    raise ConfigError(f"{path}: no note in the file's name")


def within(compass: tuple[int, int], notes: Sequence[NoteEvent]) -> tuple[NoteEvent, ...]:
    """The notes, all moved by the octaves that bring most of them into a compass, the others each by its own.

    Raises
    ------
    ValueError : the compass is smaller than an octave.
    """
    low, high = compass
    if high - low < 11:
        raise ValueError("a compass holds an octave")

    def outside(octaves: int) -> tuple[int, int]:
        return sum(not low <= note.pitch + 12 * octaves <= high for note in notes), abs(octaves)

    shift = 12 * min(range(-4, 5), key=outside)
    out = []
    for note in notes:
        pitch = note.pitch + shift
        if pitch < low:
            pitch += 12 * -((pitch - low) // 12)
        elif pitch > high:
            pitch -= 12 * -((high - pitch) // 12)
        out.append(replace(note, pitch=pitch))
    return tuple(out)


def play_samples(
    instrument: Instrument, notes: Sequence[NoteEvent], rng: np.random.Generator, *, duration_s: float
) -> Played:
    """A part, on an instrument."""
    n_samples = round(duration_s * SAMPLE_RATE)
    out: Floats = np.zeros((2, n_samples), dtype=np.float32)
    moved = within(instrument.compass, notes)
    for note in moved:
        sound = _sound(_chosen(instrument, note, rng), note.pitch)
        first = round((note.onset_s - _PREROLL_S) * SAMPLE_RATE)
        skip, first = max(-first, 0), max(first, 0)
        held = round((note.duration_s + _PREROLL_S) * SAMPLE_RATE)
        release = round(instrument.release_s * SAMPLE_RATE)
        last = min(first + min(held + release, sound.shape[1]) - skip, n_samples)
        if last <= first:
            continue
        part = sound[:, skip : skip + last - first] * np.float32((note.velocity / 100.0) ** _POWER)
        if part.shape[1] > held:
            part[:, held:] *= np.linspace(1.0, 0.0, release, dtype=np.float32)[: part.shape[1] - held]
        out[:, first:last] += part
    return Played(out, moved)


def _chosen(instrument: Instrument, note: NoteEvent, rng: np.random.Generator) -> _Recording:
    """One of the nearest recordings that are as loud as the note is, where there is one."""
    wants_soft = note.velocity < _SOFT_BELOW
    alike = [each for each in instrument.recordings if each.is_soft is wants_soft] or instrument.recordings
    nearest = min(abs(each.pitch - note.pitch) for each in alike)
    among = [each for each in alike if abs(each.pitch - note.pitch) == nearest]
    return among[int(rng.integers(len(among)))]


@lru_cache(maxsize=256)
def _read(path: Path, pitch: int) -> tuple[Floats, float]:
    """A recording from its attack, at one level, and how many semitones it is above its pitch."""
    audio = resample(read_audio(path), SAMPLE_RATE)
    samples = np.repeat(audio.samples, 2, axis=0) if audio.channels == 1 else audio.samples[:2]
    level = np.abs(samples).max(axis=0)
    attack = int(np.argmax(level >= _SPEAKS_AT * level.max()))
    first = attack - round(_PREROLL_S * SAMPLE_RATE)
    samples = np.pad(samples, ((0, 0), (max(-first, 0), 0)))[:, max(first, 0) :]
    samples = samples[:, : round(_LONGEST_S * SAMPLE_RATE)].copy()
    fade = min(samples.shape[1], SAMPLE_RATE // 10)
    samples[:, -fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    rms = float(np.sqrt(np.mean(np.square(samples[:, : SAMPLE_RATE // 2], dtype=np.float64))))
    return np.asarray(samples * np.float32(_LEVEL / max(rms, 1e-9)), dtype=np.float32), tuning_of(samples, pitch)


@lru_cache(maxsize=512)
def _sound(recording: _Recording, pitch: int) -> Floats:
    import soxr

    samples, tuning = _read(recording.path, recording.pitch)
    ratio = 2 ** ((pitch - recording.pitch - tuning) / 12)
    return np.ascontiguousarray(soxr.resample(samples.T, SAMPLE_RATE * ratio, SAMPLE_RATE).T, dtype=np.float32)


def tuning_of(samples: Floats, pitch: int) -> float:
    """How many semitones a note (2, n_samples) is above its pitch; 0 where no period is heard near it."""
    length = min(SAMPLE_RATE // 2, samples.shape[1] // 2)
    start = min(SAMPLE_RATE // 5, samples.shape[1] - length)  # behind the attack
    heard = samples[:, start : start + length].mean(axis=0, dtype=np.float64)
    period = SAMPLE_RATE / (440.0 * 2 ** ((pitch - 69) / 12))
    # Several periods together, for the sake of high notes: so few that one more or less is out of reach.
    times = min(max(int(0.02 * SAMPLE_RATE / period), 1), 10)
    low, high = (int(times * period * 2 ** (step * _OUT_OF_TUNE / 12)) for step in (-1, 1))
    if high + 2 >= length:
        return 0.0
    lags = np.arange(max(low, 2), high + 2)
    alike = []
    for lag in lags:
        before, after = heard[:-lag], heard[lag:]
        alike.append(2.0 * float(before @ after) / max(float(before @ before + after @ after), 1e-12))
    found = np.array(alike)
    best = int(np.argmax(found))
    if found[best] < 0.5 or best in (0, len(found) - 1):
        return 0.0
    left, here, right = found[best - 1 : best + 2]
    lag = lags[best] + 0.5 * (left - right) / min(left - 2 * here + right, -1e-12)
    return float(-12 * np.log2(lag / times / period))
