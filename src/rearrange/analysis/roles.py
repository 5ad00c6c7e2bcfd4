"""Who does what: the parts of a performance become melody, bass, chords, counter line and drums.

A part's own role is believed, unless it is a melody of a few stray notes. Otherwise its name, its General MIDI
family, its register and how much of it is one note at a time decide. A song without a part that leads has its
melody picked from its accompaniment.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rearrange.analysis.notes import leading_line
from rearrange.score import NoteEvent, Part, Performance, Role

__all__ = ["RolePart", "assign_roles", "monophony"]

_MELODY_NAMES = re.compile(r"melod|vocal|voice|vox|lead|sing|solo|theme|\btune\b", re.IGNORECASE)
_BASS_NAMES = re.compile(r"\bbass\b|basu|contrabass", re.IGNORECASE)
_BASS_PROGRAMS = range(32, 40)
_SOUND_EFFECTS = range(120, 128)
_LEADING_PROGRAMS = (*range(56, 88), 22, 40, 52, 53, 54, 110)  # winds, synth leads, harmonica, violin, voices
_BASS_BELOW = 50.0
_MELODY_PITCHES = (55.0, 86.0)
_LEAST_MELODY_SCORE = 1.6
_FEWEST_NOTES = 8
# A stem where hardly anything sings (an instrumental's "vocals") is no melody: few notes that cover little of the
# song, or any number that covers next to nothing.
_FEW_COVER, _LEAST_COVER = 0.10, 0.03


@dataclass(frozen=True, slots=True)
class RolePart:
    """The notes of one role. `confidence` says how plainly it is that role, in [0, 1]."""

    role: Role
    notes: tuple[NoteEvent, ...]
    program: int
    confidence: float


def monophony(notes: Sequence[NoteEvent]) -> float:
    """Share of the notes that begin when no other sounds (30 ms of legato allowed)."""
    if not notes:
        return 0.0
    ordered = sorted(notes, key=lambda note: note.onset_s)
    ends = np.maximum.accumulate([note.onset_s + note.duration_s for note in ordered])
    onsets = np.array([note.onset_s for note in ordered])
    alone = np.concatenate([[True], onsets[1:] >= ends[:-1] - 0.03])
    shared = np.concatenate([np.diff(onsets) < 0.02, [False]])
    return float(np.mean(alone & ~shared))


def assign_roles(performance: Performance) -> tuple[RolePart, ...]:
    """At most one part of each role, in the order of Role."""
    drums = [part for part in performance.parts if part.is_drum and part.notes]
    pitched = [
        part
        for part in performance.parts
        if not part.is_drum and part.notes and part.program not in _SOUND_EFFECTS
    ]
    found: dict[Role, RolePart] = {}
    left = list(pitched)
    for role in (Role.MELODY, Role.BASS, Role.PAD, Role.ARPEGGIO, Role.COUNTER):
        known = [part for part in left if part.role is role]
        if known and not (role is Role.MELODY and _is_stray(known, performance.duration_s)):
            found[role] = _joined(role, known, 1.0)
            left = [part for part in left if part.role is not role]
    free = [part for part in left if part.role is None]
    if Role.BASS not in found and (bass := _bass(free)):
        found[Role.BASS] = _joined(Role.BASS, [bass], 0.8)
        left.remove(bass)
        free.remove(bass)
    if Role.MELODY not in found and (melody := _melody(free)):
        found[Role.MELODY] = _joined(Role.MELODY, [melody], 0.8)
        left.remove(melody)
        free.remove(melody)
    if left:
        found[Role.CHORDS] = _joined(Role.CHORDS, left, 0.8)
    if Role.MELODY not in found and Role.CHORDS in found:
        line = leading_line(found[Role.CHORDS].notes)
        if len(line) >= _FEWEST_NOTES:
            found[Role.MELODY] = RolePart(Role.MELODY, line, found[Role.CHORDS].program, 0.4)
    elif Role.MELODY in found and monophony(found[Role.MELODY].notes) < 0.9:
        tune = found[Role.MELODY]
        found[Role.MELODY] = RolePart(Role.MELODY, leading_line(tune.notes), tune.program, tune.confidence)
    if drums:
        found[Role.DRUMS] = _joined(Role.DRUMS, drums, 1.0)
    return tuple(found[role] for role in Role if role in found)


def _joined(role: Role, parts: Sequence[Part], confidence: float) -> RolePart:
    notes = sorted((note for part in parts for note in part.notes), key=lambda n: (n.onset_s, n.pitch))
    sure = float(np.average([n.confidence for n in notes], weights=[n.duration_s + 1e-3 for n in notes]))
    most = max(parts, key=lambda part: len(part.notes))
    return RolePart(role, tuple(notes), most.program or 0, confidence * sure)


def _bass(parts: Sequence[Part]) -> Part | None:
    def score(part: Part) -> float:
        low = float(np.median([note.pitch for note in part.notes])) < _BASS_BELOW
        named = bool(_BASS_NAMES.search(part.name)) or part.program in _BASS_PROGRAMS
        return 2.0 * named + low * monophony(part.notes) + 1e-4 * min(len(part.notes), 1000)

    best = max(parts, key=score, default=None)
    return best if best is not None and score(best) > 0.7 else None


def _melody(parts: Sequence[Part]) -> Part | None:
    """The part that leads: by name if one says so, else one line, high enough, played for much of the song."""
    longest = max((_coverage_s(part) for part in parts), default=0.0)

    def score(part: Part) -> float:
        pitch = float(np.median([note.pitch for note in part.notes]))
        sings = _MELODY_PITCHES[0] <= pitch <= _MELODY_PITCHES[1]
        named = bool(_MELODY_NAMES.search(part.name))
        leads = part.program in _LEADING_PROGRAMS
        played = min(_coverage_s(part) / longest, 1.0) if longest > 0 else 0.0
        return 2.0 * named + 0.5 * leads + monophony(part.notes) + 0.6 * sings + 0.8 * played

    best = max((part for part in parts if len(part.notes) >= _FEWEST_NOTES), key=score, default=None)
    return best if best is not None and score(best) >= _LEAST_MELODY_SCORE else None


def _is_stray(parts: Sequence[Part], duration_s: float) -> bool:
    """Whether so little is sung that another part must lead."""
    cover = sum(_coverage_s(part) for part in parts) / max(duration_s, 1e-9)
    few = sum(len(part.notes) for part in parts) < _FEWEST_NOTES
    return cover < _LEAST_COVER or (few and cover < _FEW_COVER)


def _coverage_s(part: Part) -> float:
    return sum(note.duration_s for note in part.notes)
