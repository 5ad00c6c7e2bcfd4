"""What the note network learns from: takes of training audio as Basic Pitch hears them, stem by stem, leaking.

A take's stems are never heard as clean as they are: either all of them leak into each other, with a colour that
is drawn, or they are what a separator makes of the take's mix. Features (`models/note_features.py`) and notes are
kept in one file for each take and way.

Conventions: `notes` are rows of line (index in LINES), onset and end in seconds, pitch.

Limits: a band without a marked melody is given the one that `analysis.roles` finds in its notes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.roles import assign_roles
from rearrange.audio import Audio, resample
from rearrange.evaluation.songs import load_song
from rearrange.models.basic_pitch import LOWEST_PITCH, N_PITCHES, SAMPLE_RATE, BasicPitch
from rearrange.models.mel import SAMPLE_RATE as MIX_RATE
from rearrange.models.note_features import FRAME_S, SOURCES, Features, joined, loudness, source_features
from rearrange.models.notes import LINES
from rearrange.score import NoteEvent, Role
from rearrange.training.audio import Take
from rearrange.training.clips import name_of
from rearrange.training.scenes import Library, Scene

__all__ = [
    "Crop",
    "NoteTake",
    "drawn_crop",
    "leading_notes",
    "leaking",
    "mono",
    "note_take",
    "read_take",
    "targets_of",
    "write_take",
]

Floats = NDArray[np.float32]

ONSET_FRAMES = 1.5  # half the foot of the triangle that is an onset's target
_LEAK_DB = (-28.0, -6.0)  # of every stem into every other, and what it loses of itself
_OWN_LOSS_DB = -14.0
_COLOUR_DB = 6.0
_COLOUR_POINTS = 6
_LEVEL_DB = 3.0  # deviation of the level that is shown for a source
_DEAF_SHARE = 0.08  # of crops in which a source is not heard at all


@dataclass(frozen=True, eq=False)
class NoteTake:
    """A take as it is heard.

    Parameters
    ----------
    features : of each of SOURCES
    notes : float64 (n_notes, 4), see the module
    songs : what it was made from, by corpus and id
    """

    features: Mapping[str, Features]
    notes: NDArray[np.float64]
    kind: str
    songs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Crop:
    """Input (channels, n_frames, pitches); targets (lines, n_frames, pitches)."""

    seen: Floats
    onset: Floats
    sustain: Floats


def mono(samples: Floats, sample_rate: int) -> Floats:
    """Samples (2, n) as Basic Pitch hears them, (n_samples,)."""
    return np.asarray(resample(Audio(samples, sample_rate).mono(), SAMPLE_RATE).samples[0], dtype=np.float32)


def leaking(stems: Mapping[str, Floats], rng: np.random.Generator) -> dict[str, Floats]:
    """Stems (n_samples,) as a poor separator would tell them apart, each with some of all others."""
    from scipy.fft import irfft, rfft, rfftfreq

    n = len(next(iter(stems.values())))
    octaves = np.log2(np.maximum(rfftfreq(n, 1 / SAMPLE_RATE), 20.0) / 20.0)
    points = np.linspace(0.0, float(octaves[-1]), _COLOUR_POINTS)

    def colour(level_db: float) -> Floats:
        gain_db = np.interp(octaves, points, rng.normal(level_db, _COLOUR_DB, _COLOUR_POINTS))
        return np.asarray(np.minimum(10 ** (gain_db / 20), 0.9), dtype=np.float32)

    spectra = {name: rfft(samples) for name, samples in stems.items()}
    out: dict[str, Floats] = {}
    for name in stems:
        heard = spectra[name] * (1.0 - colour(_OWN_LOSS_DB))
        for other, spectrum in spectra.items():
            if other != name:
                heard = heard + spectrum * colour(float(rng.uniform(*_LEAK_DB)))
        out[name] = np.asarray(irfft(heard, n), dtype=np.float32)
    return out


def note_take(
    network: BasicPitch, take: Take, melody: Collection[NoteEvent], stems: Mapping[str, Floats]
) -> NoteTake:
    """Hear a take.

    Parameters
    ----------
    melody : notes of the stem `other` that lead, from `leading_notes`
    stems : mono at Basic Pitch's rate, as a separator or `leaking` has them
    """
    heard = {**stems, "mix": mono(take.mix, MIX_RATE)}
    features = {name: source_features(network, heard[name]) for name in SOURCES}
    rows = [
        (
            LINES.index("vocals" if note in melody else name),
            note.onset_s,
            note.onset_s + note.duration_s,
            note.pitch,
        )
        for name in LINES
        for note in take.notes.get(name, ())
    ]
    notes = np.array(sorted(rows, key=lambda row: row[1]), dtype=np.float64).reshape(-1, 4)
    return NoteTake(features, notes, take.scene.kind, take.scene.songs)


def leading_notes(scene: Scene, songs: Library) -> frozenset[NoteEvent]:
    """The melody of a song whose file does not name one, by its notes: none where a scene has a melody."""
    if any(part.role is Role.MELODY for part in scene.parts):
        return frozenset()
    file = next((song for song in songs.freedoom if name_of(song) in scene.songs), None)
    if file is None:
        return frozenset()
    parts = load_song(file).performance
    tune = next((set(part.notes) for part in assign_roles(parts) if part.role is Role.MELODY), set())
    leads = {part.name for part in parts.parts if tune and not part.is_drum and tune <= set(part.notes)}
    return frozenset(
        note for part in scene.parts if part.name in leads and part.role is Role.CHORDS for note in part.notes
    )


def write_take(path: Path, take: NoteTake) -> None:
    """Write a take as .npz, under a temporary name first."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, notes=take.notes, kind=take.kind, songs=take.songs, **take.features)
    partial.replace(path)


def read_take(path: Path) -> NoteTake:
    """Read what `write_take` wrote."""
    with np.load(path) as file:
        features = {name: file[name] for name in SOURCES}
        return NoteTake(features, file["notes"], str(file["kind"]), tuple(file["songs"].tolist()))


def targets_of(notes: NDArray[np.float64], first: int, stop: int) -> tuple[Floats, Floats]:
    """Onset and sustain, each (lines, stop - first, pitches)."""
    shape = (len(LINES), stop - first, N_PITCHES)
    onset, sustain = (np.zeros(shape, dtype=np.float32) for _ in range(2))
    for line, onset_s, end_s, pitch in notes.tolist():
        column = int(pitch) - LOWEST_PITCH
        start, end = onset_s / FRAME_S - first, end_s / FRAME_S - first
        if not 0 <= column < N_PITCHES or end < 0 or start > stop - first:
            continue
        at = int(line)
        sustain[at, max(round(start), 0) : max(round(end), round(start) + 1, 0), column] = 1.0
        for frame in range(max(int(start) - 2, 0), min(int(start) + 3, stop - first)):
            height = 1.0 - abs(frame + 0.5 - start) / ONSET_FRAMES
            onset[at, frame, column] = max(onset[at, frame, column], height)
    return onset, sustain


def drawn_crop(take: NoteTake, rng: np.random.Generator, *, n_frames: int) -> Crop:
    """A crop of a take, its levels a little other than they are."""
    total = len(take.features["mix"])
    first = int(rng.integers(max(total - n_frames, 0) + 1))
    seen = joined(take.features, first, first + n_frames, loudness(take.features["mix"]))
    per_source = seen.reshape(len(SOURCES), -1, *seen.shape[1:])
    per_source[:, -1] += rng.normal(0.0, _LEVEL_DB / 60.0, (len(SOURCES), 1, 1)).astype(np.float32)
    np.clip(per_source[:, -1], 0.0, 1.25, out=per_source[:, -1])
    if rng.random() < _DEAF_SHARE:
        per_source[int(rng.integers(len(SOURCES)))] = 0.0
    return Crop(seen, *targets_of(take.notes, first, first + n_frames))
