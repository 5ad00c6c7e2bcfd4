"""Transcribe: the notes in each stem.

Basic Pitch hears `vocals`, `bass` and every other pitched stem; what it hears becomes one melody line, one
bass line and chords. Drums are heard by a network of their own, in their stem and in the mix. A part may be
empty: an instrumental has no vocals, a ballad no drums; parts are judged against each other, so that leakage is
not taken for music.

What the vocals stem holds beside its line (a choir, or what stands in the centre of the mix) is counted to
`other`. Stems are asked for once and one at a time, as mono, because an hour of them does not fit in memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.decoding import Activations, HeardNote, NoteLimits, polyphonic_notes, without_ghosts
from rearrange.analysis.lines import LineLimits, monophonic_notes
from rearrange.analysis.notes import LevelCurve, audible, level_curve, sum_of_levels, to_events
from rearrange.audio import Audio, resample
from rearrange.errors import UsageError
from rearrange.models import basic_pitch, drums
from rearrange.progress import Progress, silent, span
from rearrange.score import NoteEvent, Part, Performance, Role

__all__ = ["VERSION", "TranscribeSettings", "transcribe"]

VERSION = 2

# A voice: E2, a bass singer's low note, to C6, a soprano's high one.
VOICE_RANGE = (40, 84)
# A bass is heard from B0, a fifth string, and written from E1 to G4: what lies below is taken up an octave.
BASS_RANGE = (23, 67)
LOWEST_BASS_PITCH = 28
# Chords: below C2 is the bass' leakage, above C7 are overtones.
CHORD_RANGE = (36, 96)

_ROLES = {"vocals": Role.MELODY, "bass": Role.BASS}


@dataclass(frozen=True)
class TranscribeSettings:
    """What counts as a note. All are shares or activations, from 0 to 1.

    Parameters
    ----------
    onset_threshold : a chord's note starts at this onset activation
    frame_threshold : and goes on at this frame activation
    ghost_ratio : a note on another's overtone needs this share of its confidence
    voicing_threshold : the melody rests below this frame activation
    bass_threshold : the bass rests below this; low notes are heard faintly

    Raises
    ------
    UsageError : a value out of range.
    """

    onset_threshold: float = 0.42
    frame_threshold: float = 0.22
    ghost_ratio: float = 0.6
    voicing_threshold: float = 0.2
    bass_threshold: float = 0.2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 < value < 1.0:
                raise UsageError(f"{name} is {value}", "a number between 0 and 1")

    @property
    def voice(self) -> LineLimits:
        low, high = VOICE_RANGE
        # A voice slides into its notes and wavers, and other instruments leak in: a change must be sure. Set on
        # POP909 melodies, alone and with a piano through the spectral separator (note F1 0.90 and 0.62; without
        # these costs 0.89 and 0.54), and on real singing, which is heard faintly (activations of 0.2 to 0.6).
        return LineLimits(
            low,
            high,
            voicing_threshold=self.voicing_threshold,
            restrike_threshold=0.6,
            height_preference=0.02,
            change_cost=5.0,
            leap_cost=0.4,
        )

    @property
    def bass(self) -> LineLimits:
        low, high = BASS_RANGE
        return LineLimits(
            low,
            high,
            voicing_threshold=self.bass_threshold,
            octave_support=0.5,
            height_preference=-0.01,
        )

    @property
    def chords(self) -> NoteLimits:
        low, high = CHORD_RANGE
        return NoteLimits(
            low,
            high,
            onset_threshold=self.onset_threshold,
            frame_threshold=self.frame_threshold,
            ghost_ratio=self.ghost_ratio,
        )


@dataclass(frozen=True, eq=False)
class _Heard:
    """Notes from one stem, before they are judged against the other stems."""

    part: str
    notes: tuple[NoteEvent, ...]
    level: LevelCurve


def transcribe(
    stems: Mapping[str, Audio],
    settings: TranscribeSettings = TranscribeSettings(),
    *,
    progress: Progress = silent,
) -> Performance:
    """Transcribe every stem.

    Parameters
    ----------
    stems : name -> Audio; `vocals`, `bass` and `drums` are what their names say, all others are chords. Each
        is asked for once.

    Returns
    -------
    A part for each stem, in the stems' order, drums last; notes sorted by onset, then pitch; durations positive.
    A part without audible notes is empty.

    Raises
    ------
    DependencyError, ModelError : a network is not there, or cannot be loaded.
    """
    names = list(stems)  # `name in stems` would read the stem, where it is a file
    # Vocals last: what stands beside their line is added to what `other` holds.
    pitched = sorted((name for name in names if name != "drums"), key=lambda name: name == "vocals")
    network = basic_pitch.load()
    heard: list[_Heard] = []
    levels: list[LevelCurve] = []
    duration_s = 0.0
    mix = np.zeros(0, np.float32)  # the stems add up to it
    for i, name in enumerate(pitched):
        mono = stems[name].mono()
        if "drums" in names:
            mix = _added(mix, _samples(mono, drums.SAMPLE_RATE))
        samples = _samples(mono, basic_pitch.SAMPLE_RATE)
        del mono
        duration_s = max(duration_s, len(samples) / basic_pitch.SAMPLE_RATE)
        levels.append(level_curve(samples, basic_pitch.SAMPLE_RATE))
        share = span(progress, i / len(names), (i + 1) / len(names))
        activations = network.activations(samples, progress=share)
        heard += _heard(name, activations, levels[-1], settings)
        del samples, activations  # 0.5 GB in an hour's song, while the next stem is read

    hits: tuple[NoteEvent, ...] = ()
    if "drums" in names:
        progress(len(pitched) / len(names), "hearing drums")
        samples = _samples(stems["drums"].mono(), drums.SAMPLE_RATE)
        duration_s = max(duration_s, len(samples) / drums.SAMPLE_RATE)
        levels.append(level_curve(samples, drums.SAMPLE_RATE))
        mix = _added(mix, samples)
        share = span(progress, len(pitched) / len(names), 1.0)
        hits = drums.load(drums.folder()).hits(
            _padded(samples, len(mix)), mix if pitched else None, progress=share
        )

    notes: dict[str, tuple[NoteEvent, ...]] = dict.fromkeys(pitched, ())
    for stem in heard:
        if stem.part in notes:
            kept = audible(stem.notes, stem.level, sum_of_levels(levels))
            notes[stem.part] = _together(notes[stem.part], kept)
    parts = [Part(name, notes[name], role=_ROLES.get(name, Role.CHORDS)) for name in names if name != "drums"]
    if "drums" in names:
        parts.append(Part("drums", hits, is_drum=True, role=Role.DRUMS))
    progress(1.0, "transcribed")
    return Performance(tuple(parts), duration_s)


def _heard(
    stem: str, activations: Activations, level: LevelCurve, settings: TranscribeSettings
) -> Iterator[_Heard]:
    """What a stem adds to its part, and the vocals stem to `other` as well."""
    if stem == "bass":
        line = monophonic_notes(activations, settings.bass)
        yield _Heard("bass", to_events([_folded(note) for note in line], level), level)
        return
    chords = without_ghosts(polyphonic_notes(activations, settings.chords), settings.chords)
    if stem == "vocals":
        line = monophonic_notes(activations, settings.voice)
        yield _Heard("vocals", to_events(line, level), level)
        yield _Heard("other", to_events(_beside(chords, line), level), level)
        return
    yield _Heard(stem, to_events(chords, level), level)


def _samples(mono: Audio, sample_rate: int) -> NDArray[np.float32]:
    """Mono sound as samples (n_samples,)."""
    return np.asarray(resample(mono, sample_rate).samples[0], dtype=np.float32)


def _added(mix: NDArray[np.float32], samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples added to a mix, in place where it is long enough."""
    mix = _padded(mix, len(samples))
    mix[: len(samples)] += samples
    return mix


def _padded(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    return samples if len(samples) >= length else np.pad(samples, (0, length - len(samples)))


def _folded(note: HeardNote) -> HeardNote:
    return replace(note, pitch=note.pitch + 12) if note.pitch < LOWEST_BASS_PITCH else note


def _beside(notes: Sequence[HeardNote], line: Sequence[HeardNote]) -> tuple[HeardNote, ...]:
    """The notes that are not the line's, nor its octaves."""
    starts = np.array([note.onset_s for note in line])
    kept: list[HeardNote] = []
    for note in notes:
        last = int(np.searchsorted(starts, note.end_s))
        first = int(np.searchsorted(starts, note.onset_s)) - 1
        over = [other for other in line[max(first, 0) : last] if other.end_s > note.onset_s]
        if not any((note.pitch - other.pitch) % 12 == 0 for other in over):
            kept.append(note)
    return tuple(kept)


def _together(notes: Sequence[NoteEvent], more: Sequence[NoteEvent]) -> tuple[NoteEvent, ...]:
    """Notes with those of `more` whose pitch does not sound yet."""
    busy: dict[int, list[tuple[float, float]]] = {}
    for note in notes:
        busy.setdefault(note.pitch, []).append((note.onset_s, note.onset_s + note.duration_s))
    new = [
        note
        for note in more
        if not any(
            start < note.onset_s + note.duration_s and note.onset_s < stop
            for start, stop in busy.get(note.pitch, ())
        )
    ]
    return tuple(sorted((*notes, *new), key=lambda note: (note.onset_s, note.pitch)))
