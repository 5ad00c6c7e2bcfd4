"""Transcribe: the notes in each stem.

Basic Pitch hears the stems and their sum, and a network of our own reads what it heard in all of them together:
which are notes, and whether the melody, the bass or another instrument plays them. `drums` go to a network of
their own, and to templates that follow the recording's kit. A part may be empty: an instrumental has no vocals, a
ballad no drums. A line whose stem cannot be heard beside the others is counted to the chords.

Stems are asked for once and one at a time, as mono, because an hour of them does not fit in memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis import drums
from rearrange.analysis.decoding import HeardNote, one_at_a_time, picked_notes
from rearrange.analysis.lines import LineLimits, monophonic_notes
from rearrange.analysis.notes import INAUDIBLE_DBFS, LevelCurve, audible, level_curve, sum_of_levels, to_events
from rearrange.audio import Audio, resample
from rearrange.errors import UsageError
from rearrange.models import basic_pitch, notes
from rearrange.models import drums as drum_network
from rearrange.models.note_features import Features, as_heard, note_levels, of_one_length, source_features
from rearrange.models.stored import shipped
from rearrange.progress import Progress, silent, span
from rearrange.score import NoteEvent, Part, Performance, Role

__all__ = ["VERSION", "TranscribeSettings", "transcribe"]

VERSION = 5

# The network has learnt from instruments, and hears little in singing. Where its melody lasts less than this share
# of what Basic Pitch alone hears in the vocals stem, and that is as loud as a lead, the latter is the melody.
_LEAST_SUNG_SHARE = 0.4
_LEAD_DB = -15.0  # median against everything that sounds, while it sounds
# From E2, a bass singer's low note, to C6. A voice slides and wavers: a change must be sure.
_SUNG = LineLimits(
    40,
    84,
    voicing_threshold=0.2,
    restrike_threshold=0.6,
    height_preference=0.02,
    change_cost=2.5,
    leap_cost=0.2,
    octave_cost=0.5,
)

_ROLES = {"vocals": Role.MELODY, "bass": Role.BASS}


@dataclass(frozen=True)
class TranscribeSettings:
    """What counts as a note.

    Parameters
    ----------
    note_threshold : from 0 to 1; 0.5 leaves the note network's own thresholds, above it fewer notes are believed

    Raises
    ------
    UsageError : a value out of range.
    """

    note_threshold: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 < value < 1.0:
                raise UsageError(f"{name} is {value}", "a number between 0 and 1")


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
    pitched = [name for name in names if name != "drums"]
    steps = len(names) + 3  # each as long as hearing a stem: the chords together, the mix, and reading
    network = basic_pitch.load()
    features: dict[str, Features] = {}
    levels: dict[str, LevelCurve] = {}
    duration_s = 0.0
    chords, mix = np.zeros(0, np.float32), np.zeros(0, np.float32)  # the stems add up to it
    for i, name in enumerate(pitched):
        mono = stems[name].mono()
        mix = _added(mix, _samples(mono, drums.SAMPLE_RATE))
        samples = _samples(mono, basic_pitch.SAMPLE_RATE)
        duration_s = max(duration_s, len(samples) / basic_pitch.SAMPLE_RATE)
        levels[name] = level_curve(samples, basic_pitch.SAMPLE_RATE)
        if name in _ROLES:
            share = span(progress, i / steps, (i + 1) / steps)
            features[name] = source_features(network, samples, progress=share)
        else:
            chords = _added(chords, samples)
        del mono, samples  # 0.5 GB in an hour's song, while the next stem is read

    hits: tuple[NoteEvent, ...] = ()
    if "drums" in names:
        progress(len(pitched) / steps, "hearing drums")
        samples = _samples(stems["drums"].mono(), drums.SAMPLE_RATE)
        duration_s = max(duration_s, len(samples) / drums.SAMPLE_RATE)
        levels["drums"] = level_curve(samples, drums.SAMPLE_RATE)
        mix = _added(mix, samples)
        whole = mix if pitched else None
        struck = drums.drum_hits(samples)
        hits = drum_network.load(shipped("drums")).hits(_padded(samples, len(mix)), whole, known=struck)
        if pitched:
            others = sum_of_levels([levels[name] for name in pitched], smooth_s=0.0)
            hits = drums.without_leakage(hits, levels["drums"], others)

    played: dict[str, tuple[NoteEvent, ...]] = {}
    if pitched:
        share = span(progress, len(names) / steps, (len(names) + 1) / steps)
        features["other"] = source_features(network, chords, progress=share)
        share = span(progress, (len(names) + 1) / steps, (len(names) + 2) / steps)
        sound = _samples(Audio(mix[np.newaxis], drums.SAMPLE_RATE), basic_pitch.SAMPLE_RATE)
        features["mix"] = source_features(network, sound, progress=share)
        del chords, mix, sound
        leads = "vocals" in levels and _is_loud(levels["vocals"], sum_of_levels(tuple(levels.values())))
        lines = _lines(of_one_length(features), leads, settings, span(progress, (len(names) + 2) / steps, 1.0))
        played = _parts(lines, levels, pitched)
    parts = [Part(name, played[name], role=_ROLES.get(name, Role.CHORDS)) for name in pitched]
    if "drums" in names:
        parts.append(Part("drums", hits, is_drum=True, role=Role.DRUMS))
    progress(1.0, "transcribed")
    return Performance(tuple(parts), duration_s)


def _lines(
    features: Mapping[str, Features], leads: bool, settings: TranscribeSettings, progress: Progress
) -> dict[str, tuple[NoteEvent, ...]]:
    """The notes of the melody, of the bass and of the others; the first two play one at a time."""
    network = notes.load(shipped("notes"))
    lines: dict[str, tuple[NoteEvent, ...]] = {}
    for name, activations in network.read(features, progress=progress).items():
        found = picked_notes(activations, network.config.limits(name, settings.note_threshold))
        if name in _ROLES:
            found = one_at_a_time(found)
        if name == "vocals" and leads:
            sung = monophonic_notes(as_heard(features[name]), _SUNG)
            if _length_s(found) < _LEAST_SUNG_SHARE * _length_s(sung):
                found = sung
        lines[name] = to_events(found, note_levels(features["mix"], found))
    return lines


def _is_loud(level: LevelCurve, everything: LevelCurve) -> bool:
    """Whether a stem is as loud as a lead, while it sounds."""
    n = min(len(level.level_db), len(everything.level_db))
    under_db = level.level_db[:n] - everything.level_db[:n]
    sounding = (under_db > 2 * _LEAD_DB) & (level.level_db[:n] > INAUDIBLE_DBFS)
    return bool(np.any(sounding)) and float(np.median(under_db[sounding])) > _LEAD_DB


def _length_s(line: Sequence[HeardNote]) -> float:
    return sum(note.end_s - note.onset_s for note in line)


def _parts(
    lines: Mapping[str, tuple[NoteEvent, ...]], levels: Mapping[str, LevelCurve], pitched: Sequence[str]
) -> dict[str, tuple[NoteEvent, ...]]:
    """The notes of each pitched stem.

    What cannot be heard among all stems is dropped. A line whose own stem is masked plays in the chords: something
    else plays it.
    """
    everything = sum_of_levels(tuple(levels.values()))
    sounding = sum_of_levels([levels[name] for name in pitched], smooth_s=0.0)
    chords = {name: levels[name] for name in pitched if name not in _ROLES}
    out: dict[str, tuple[NoteEvent, ...]] = {}
    left = audible(lines["other"], sounding, everything)
    for name in _ROLES:
        heard = audible(lines[name], sounding, everything)
        own = audible(heard, levels[name], everything) if name in levels else ()
        if name in levels:
            out[name] = own
        beside = set(own)
        left = _together(left, [note for note in heard if note not in beside])
    if chords:
        out |= _shared_out(left, chords)
    return out


def _shared_out(played: Sequence[NoteEvent], levels: Mapping[str, LevelCurve]) -> dict[str, tuple[NoteEvent, ...]]:
    """Each note to the stem that is loudest where it starts."""
    onsets_s = np.array([note.onset_s for note in played])
    loud_db = np.stack([level.peak_db(onsets_s, onsets_s + 0.1) for level in levels.values()])
    loudest = loud_db.argmax(axis=0).tolist()
    return {
        name: tuple(note for note, stem in zip(played, loudest, strict=True) if stem == i)
        for i, name in enumerate(levels)
    }


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
