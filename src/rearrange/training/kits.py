"""Drum kits as samples, from fonts or from recorded hits, and drumming played on them.

Each key of a kit is struck at several velocities once; drumming is then the sum of these strokes, each where it
belongs to the sample. That is faster than a synthesiser, tells exactly when each attack is heard, and lets every
drum be tuned, damped, panned and balanced by itself, as it is in studios.

Conventions: strokes are float32 (2, n) at SAMPLE_RATE and begin _PREROLL_S before their attack; a hit is a
NoteEvent with a pitch of General MIDI percussion; what is returned as played has the pitch of the class that
sounded.

Limits: a closed hi-hat damps an open one, nothing else is damped. Percussion that is no drum of
`models.drums.CLASSES` is played where the kit has it, and is not among the hits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import read_audio, resample
from rearrange.models.drums import CLASSES, class_of_pitch
from rearrange.models.mel import SAMPLE_RATE
from rearrange.score import Note, NoteEvent, Role, Timeline, Track
from rearrange.training.fonts import FontUse, HitKit
from rearrange.training.players import play_track

__all__ = ["Drumming", "Kit", "drum_on", "font_kit", "recorded_kit"]

Floats = NDArray[np.float32]

_VELOCITIES = (35, 65, 95, 122)
_LOWEST_KEY, _HIGHEST_KEY = 35, 82
_SPACE_S, _RINGING_S = 1.6, 4.0  # room for a stroke, and for one of a cymbal
_CYMBALS = (46, 48, 49, 51, 52, 53, 55, 57, 59, 60, 61, 81)
_SILENT_DB = -60.0  # of its peak: there a stroke ends
_SPEAKS_AT, _ATTACK_S = 0.05, 0.03  # as in synth.fluidsynth
_RECORDED_SPEAKS_AT = 0.1  # of the whole stroke's peak: before it, recordings have noise of any length
_PREROLL_S = 0.001
_CHOKE_S = 0.02
_POWER = 2.0  # amplitude follows the square of velocity between layers, as General MIDI 2 has it
_RECORDED_POWER = 1.5
_DAMPED_SHARE, _TUNED_SHARE = 0.25, 0.6
_BALANCE_DB = 3.5  # deviation of each drum's level from the kit's own
_NAMES = tuple(CLASSES)


@dataclass(frozen=True, eq=False)
class Kit:
    """Strokes by key, each with the velocity it was struck at, softest first; and the keys of each class."""

    name: str
    strokes: Mapping[int, tuple[tuple[int, Floats], ...]]
    keys: Mapping[str, tuple[int, ...]]
    instead: Mapping[str, str]
    power: float


@dataclass(frozen=True, eq=False)
class Drumming:
    """Sound (2, n_samples), and the hits of known classes that are in it."""

    samples: Floats
    hits: tuple[NoteEvent, ...]


@lru_cache(maxsize=24)
def font_kit(font: FontUse, program: int) -> Kit:
    """A kit of a font.

    Raises
    ------
    SoundfontError : the font does not load.
    """
    keys = dict(font.keys) or dict(CLASSES)
    wanted = sorted({key for each in keys.values() for key in each})
    if font.band:
        wanted = list(range(_LOWEST_KEY, _HIGHEST_KEY + 1))
    notes, places, at = [], [], 0.0
    for key in wanted:
        room_s = _RINGING_S if key in _CYMBALS else _SPACE_S
        for velocity in _VELOCITIES:
            notes.append(Note(at, room_s - 0.4, key, velocity))
            places.append((key, velocity, at, room_s))
            at += room_s
    track = Track("kit", Role.DRUMS, program, font.band, tuple(notes))
    played = play_track(track, Timeline.constant(60.0, end_beat=at), soundfont=font.path, duration_s=at)
    strokes: dict[int, list[tuple[int, Floats]]] = {}
    for key, velocity, start_s, room_s in places:
        first = round(start_s * SAMPLE_RATE)
        stroke = _stroke(played[:, first : first + round(room_s * SAMPLE_RATE)])
        if stroke is not None:
            strokes.setdefault(key, []).append((velocity, stroke))
    name = f"{font.name}/{program}"
    return Kit(name, {key: tuple(each) for key, each in strokes.items()}, keys, dict(font.instead), _POWER)


@lru_cache(maxsize=128)
def _read_stroke(path: str) -> Floats | None:
    audio = resample(read_audio(path), SAMPLE_RATE)
    samples = np.repeat(audio.samples, 2, axis=0) if audio.channels == 1 else audio.samples[:2]
    peak = float(np.abs(samples).max(initial=0.0))
    return _stroke(samples * np.float32(0.3 / peak), recorded=True) if peak > 0 else None


def recorded_kit(kits: Sequence[HitKit], rng: np.random.Generator) -> Kit:
    """A kit of recorded hits, each class from one of the sets that have it."""
    strokes: dict[int, tuple[tuple[int, Floats], ...]] = {}
    keys: dict[str, tuple[int, ...]] = {}
    for name, pitches in CLASSES.items():
        sets = [kit for kit in kits if name in kit.files]
        if not sets:
            continue
        files = sets[int(rng.integers(len(sets)))].files[name]
        found = [stroke for stroke in map(_read_stroke, map(str, files)) if stroke is not None]
        layers = np.linspace(30, 122, len(found)).round().astype(int).tolist() if len(found) > 1 else [100]
        strokes[pitches[0]] = tuple(zip(layers, found, strict=True))
        keys[name] = (pitches[0],)
    instead = {"mid tom": "low tom", "ride": "crash", "stick": "snare"}
    return Kit("recorded", strokes, keys, instead, _RECORDED_POWER)


def _stroke(samples: Floats, *, recorded: bool = False) -> Floats | None:
    """A stroke from its attack to where it is silent; None where nothing sounds."""
    level = np.abs(samples).max(axis=0)
    peak = float(level.max(initial=0.0))
    if peak < 1e-4:
        return None
    early = level[: round(_ATTACK_S * SAMPLE_RATE)]
    spoken = _RECORDED_SPEAKS_AT * peak if recorded else _SPEAKS_AT * max(float(early.max()), 0.1 * peak)
    attack = int(np.argmax(level >= spoken))
    first = attack - round(_PREROLL_S * SAMPLE_RATE)
    last = int(np.flatnonzero(level > peak * 10 ** (_SILENT_DB / 20))[-1]) + 1
    out = np.pad(samples[:, max(first, 0) : last], ((0, 0), (max(-first, 0), 0)))
    fade = min(out.shape[1] // 4, 441)
    if fade:
        out[:, -fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return np.asarray(out, dtype=np.float32)


def drum_on(kit: Kit, hits: Sequence[NoteEvent], rng: np.random.Generator, *, duration_s: float) -> Drumming:
    """Drumming on a kit that is tuned, damped and balanced anew.

    Raises
    ------
    ValueError : no duration.
    """
    if duration_s <= 0:
        raise ValueError("drumming needs a duration")
    n_samples = round(duration_s * SAMPLE_RATE)
    out: Floats = np.zeros((2, n_samples + 1), dtype=np.float32)
    voices: dict[int, tuple[tuple[int, Floats], ...]] = {}
    treatments = {name: _Treatment.drawn(rng) for name in (*_NAMES, "other")}
    played = [hit for hit in (_on_kit(kit, hit) for hit in hits) if hit is not None]
    shut_s = np.array(sorted(hit.onset_s for hit, key in played if key in kit.keys.get("closed hat", ())))
    sounded: list[NoteEvent] = []
    for hit, key in played:
        index = class_of_pitch(hit.pitch)
        name = "other" if index is None else _NAMES[index]
        if key not in voices:
            voices[key] = tuple((v, treatments[name].of(stroke)) for v, stroke in kit.strokes[key])
        velocities = np.array([velocity for velocity, _ in voices[key]])
        layer = int(np.argmin(np.abs(velocities - hit.velocity + rng.normal(0.0, 6.0))))
        velocity, stroke = voices[key][layer]
        gain = (hit.velocity / velocity) ** kit.power * 10 ** (rng.normal(0.0, 0.7) / 20)
        first = round((hit.onset_s - _PREROLL_S) * SAMPLE_RATE)
        skip, first = max(-first, 0), max(first, 0)
        last = min(first + stroke.shape[1] - skip, n_samples)
        if first >= n_samples or last <= first:
            continue
        sound = stroke[:, skip : skip + last - first] * np.float32(gain)
        later = int(np.searchsorted(shut_s, hit.onset_s + _CHOKE_S, side="right"))
        if name == "open hat" and later < len(shut_s):
            sound = _choked(sound, round((float(shut_s[later]) - hit.onset_s) * SAMPLE_RATE))
        out[:, first : first + sound.shape[1]] += sound
        if index is not None:
            sounded.append(hit)
    return Drumming(out[:, :n_samples], tuple(sounded))


def _on_kit(kit: Kit, hit: NoteEvent) -> tuple[NoteEvent, int] | None:
    """The hit with the pitch of the class that will sound, and the key that plays it; None if none does."""
    index = class_of_pitch(hit.pitch)
    if index is None:
        return (hit, hit.pitch) if hit.pitch in kit.strokes else None
    name = _NAMES[index]
    if not any(key in kit.strokes for key in kit.keys.get(name, ())):
        name = kit.instead.get(name, name)
    keys = [key for key in kit.keys.get(name, ()) if key in kit.strokes]
    if not keys:
        return None
    pitches = CLASSES[_NAMES[index]]
    nth = pitches.index(hit.pitch) if hit.pitch in pitches else 0
    key = hit.pitch if hit.pitch in keys else keys[nth % len(keys)]
    return replace(hit, pitch=CLASSES[name][0]), key


def _choked(sound: Floats, at: int) -> Floats:
    fade = round(_CHOKE_S * SAMPLE_RATE)
    if at >= sound.shape[1]:
        return sound
    sound = sound[:, : at + fade].copy()
    sound[:, at:] *= np.linspace(1.0, 0.0, sound.shape[1] - at, dtype=np.float32)
    return sound


@dataclass(frozen=True, slots=True)
class _Treatment:
    """What an engineer did to a drum: speed (tuning), decay in s after which it is damped, gain of each side."""

    speed: float
    damping_s: float | None
    gains: tuple[float, float]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "_Treatment":
        speed = float(2 ** (rng.normal(0.0, 2.0) / 12)) if rng.random() < _TUNED_SHARE else 1.0
        damping_s = float(rng.uniform(0.08, 0.6)) if rng.random() < _DAMPED_SHARE else None
        pan = float(np.clip(rng.normal(0.0, 0.25), -0.8, 0.8))
        gain = 10 ** (rng.normal(0.0, _BALANCE_DB) / 20)
        return cls(speed, damping_s, (gain * (1 - max(pan, 0.0)), gain * (1 + min(pan, 0.0))))

    def of(self, stroke: Floats) -> Floats:
        if abs(self.speed - 1.0) > 1e-3:
            at = np.arange(int(stroke.shape[1] / self.speed)) * self.speed
            stroke = np.stack([np.interp(at, np.arange(stroke.shape[1]), side) for side in stroke])
        gains: Floats = np.array(self.gains, dtype=np.float32)[:, None]
        if self.damping_s is not None:
            since_s = np.arange(stroke.shape[1]) / SAMPLE_RATE
            gains = gains * np.exp(-since_s / self.damping_s).astype(np.float32)
        return np.asarray(stroke * gains, dtype=np.float32)
