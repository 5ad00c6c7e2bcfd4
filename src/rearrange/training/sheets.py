"""Written music (MusicXML) as songs that a scene can be made of: lead sheets, songs with piano, string quartets.

Conventions: as `evaluation.songs` has them; tempo is drawn, for nobody has written any that counts. A lead sheet
is its melody, called MELODY, and its chords as somebody comps them.

Limits: one metre, of METRES unless others are asked for; repeats are played once; every note is as loud as the
next but for the accent of its beat, until a scene is made of it; what leads in is left out.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rearrange.errors import UsageError
from rearrange.evaluation.judge.written import read_written
from rearrange.evaluation.songs import SongRef, SymbolicSong
from rearrange.score import CHORD_INTERVALS, Chord, Metre, Note, NoteEvent, Part, Performance, Timeline

__all__ = ["METRES", "lead_sheet", "written_song"]

METRES = ("4/4", "3/4", "2/4")
_TEMPI_BPM = (70.0, 150.0)
_LONG_NOTE = 0.95  # of what is written: the rest is breath
_ACCENT, _VELOCITY = 10, 78
_FEWEST_NOTES = 24
_SHORTEST_BEATS = 32.0
_LOWEST_CHORD = 53
# Onsets of a comped chord in its beats, and how long each lasts: held, on every beat, behind every beat.
_COMPING = (
    ((0.0, 4.0),),
    tuple((at, 0.9) for at in (0.0, 1.0, 2.0, 3.0)),
    tuple((at, 0.4) for at in (0.5, 1.5, 2.5, 3.5)),
)
_PROGRAMS = {"openscore_quartets": (40, 40, 41, 42), "openscore_lieder": (52, 0), "openewld": (52,)}


def written_song(song: SongRef, rng: np.random.Generator, metres: Sequence[str] = METRES) -> SymbolicSong | None:
    """A score's parts, in its order, where it stays in one of the metres: one such stretch, if there are more.

    None where it cannot be read or has no such stretch, or hardly a note.
    """
    try:
        written = read_written(song.path)
    except UsageError:
        return None
    stretches = _stretches(written.timeline, metres)
    if not stretches:
        return None
    first, last, metre = stretches[int(rng.integers(len(stretches)))]
    length, tempo_bpm = last - first, float(np.exp(rng.uniform(*np.log(_TEMPI_BPM))))
    timeline = Timeline((0.0, length), (0.0, length * 60.0 / tempo_bpm), ((0.0, metre),), length)
    programs = _PROGRAMS[song.corpus]
    parts = []
    for i, track in enumerate(written.tracks):
        notes = [replace(n, onset_beat=n.onset_beat - first) for n in track.notes if first <= n.onset_beat < last]
        name, program = track.name if i else "MELODY", programs[min(i, len(programs) - 1)]
        if notes:
            parts.append(Part(name, tuple(_played(note, timeline) for note in notes), program=program))
    if sum(len(part.notes) for part in parts) < _FEWEST_NOTES:
        return None
    end_s = max(note.onset_s + note.duration_s for part in parts for note in part.notes)
    chords = tuple(
        replace(chord, onset_beat=start - first, duration_beat=min(chord.end_beat, last) - start)
        for chord in written.chords
        if (start := max(chord.onset_beat, first)) < min(chord.end_beat, last)
    )
    return SymbolicSong(song.id, song.corpus, Performance(tuple(parts), end_s), timeline, chords or None, key=None)


def _stretches(timeline: Timeline, metres: Sequence[str]) -> list[tuple[float, float, Metre]]:
    """Where one of the metres lasts long enough, from beat to beat."""
    ends = [*(beat for beat, _ in timeline.metres[1:]), timeline.end_beat]
    return [
        (start, end, metre)
        for (start, metre), end in zip(timeline.metres, ends, strict=True)
        if str(metre) in metres and end - start >= _SHORTEST_BEATS
    ]


def _played(note: Note, timeline: Timeline) -> NoteEvent:
    onset_s = float(timeline.seconds(note.onset_beat))
    end_s = float(timeline.seconds(note.onset_beat + _LONG_NOTE * note.duration_beat))
    accent = _ACCENT if float(note.onset_beat).is_integer() else 0
    return NoteEvent(onset_s, max(end_s - onset_s, 0.05), note.pitch, _VELOCITY + accent)


def lead_sheet(song: SongRef, rng: np.random.Generator, metres: Sequence[str] = METRES) -> SymbolicSong | None:
    """Melody and comped chords of a lead sheet; None where it has no chords, or as `written_song`."""
    known = written_song(song, rng, metres)
    if known is None or known.chords is None:
        return None
    comped = _comped(known.chords, known.timeline, _COMPING[int(rng.integers(len(_COMPING)))])
    performance = replace(known.performance, parts=(known.performance.parts[0], Part("chords", comped, program=0)))
    return replace(known, performance=performance)


def _comped(
    chords: tuple[Chord, ...], timeline: Timeline, pattern: tuple[tuple[float, float], ...]
) -> tuple[NoteEvent, ...]:
    """Chords struck as the pattern has it, every four beats again, from the first of each chord."""
    out = []
    for chord in chords:
        above = [(chord.root + each - _LOWEST_CHORD) % 12 for each in CHORD_INTERVALS[chord.quality]]
        for start in np.arange(0.0, chord.duration_beat, 4.0):
            for at, length in pattern:
                onset = chord.onset_beat + float(start) + at
                end = min(onset + length, chord.end_beat)
                if onset < 0.0 or end - onset < 0.1:
                    continue
                onset_s, end_s = (float(timeline.seconds(beat)) for beat in (onset, end))
                out += [NoteEvent(onset_s, end_s - onset_s, _LOWEST_CHORD + each, 70) for each in sorted(above)]
    return tuple(out)
