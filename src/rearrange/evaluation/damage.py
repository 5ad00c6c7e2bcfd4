"""Known damage to music, to see that every metric moves the way it should.

Conventions: each function takes notes (or a timeline) and returns new ones; beats are quarter notes. What is
damaged is said by the name; everything else stays.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from rearrange.score import Bar, Note, Timeline, Track, sorted_notes

__all__ = [
    "delay_beats",
    "drop_notes",
    "flatten_velocities",
    "remove_swing",
    "repeat_bar",
    "swap_drums",
    "transpose",
]

_LOWEST, _HIGHEST = 0, 127
# Kick and snare, hat and ride, there and back.
_PAIRS = ((36, 38), (35, 40), (42, 51), (46, 53), (44, 59))
_SWAPPED = {**dict(_PAIRS), **{there: here for here, there in _PAIRS}}


def _each_note(tracks: Sequence[Track], change: Callable[[Track, Note], Note]) -> tuple[Track, ...]:
    return tuple(replace(t, notes=sorted_notes([change(t, note) for note in t.notes])) for t in tracks)


def drop_notes(tracks: Sequence[Track], share: float, *, rng: np.random.Generator) -> tuple[Track, ...]:
    """Leave out a share of the notes of every track, drawn at random.

    Raises
    ------
    ValueError : share is not in [0, 1].
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"a share lies in [0, 1], not at {share}")
    damaged = []
    for track in tracks:
        n_kept = round(len(track.notes) * (1.0 - share))
        kept = np.sort(rng.permutation(len(track.notes))[:n_kept])
        damaged.append(replace(track, notes=tuple(track.notes[i] for i in kept)))
    return tuple(damaged)


def transpose(tracks: Sequence[Track], semitones: int) -> tuple[Track, ...]:
    """Move every pitched note; what would leave the range of MIDI stays an octave within it."""

    def moved(track: Track, note: Note) -> Note:
        if track.is_drum:
            return note
        pitch = note.pitch + semitones
        if not _LOWEST <= pitch <= _HIGHEST:
            pitch += -12 if pitch > _HIGHEST else 12
        return replace(note, pitch=pitch)

    return _each_note(tracks, moved)


def remove_swing(tracks: Sequence[Track], swing: float) -> tuple[Track, ...]:
    """Play straight what was swung: the place swing / (1 + swing) of every beat moves to its middle.

    Both parts of the beat are stretched linearly, which undoes eighth-note swing of that ratio exactly. Ends of
    notes move as their onsets do.

    Parameters
    ----------
    swing : long:short, >= 1

    Raises
    ------
    ValueError : swing is below 1.
    """
    if swing < 1.0:
        raise ValueError(f"a swing ratio is 1 or more, not {swing}")
    middle = swing / (1.0 + swing)

    def straight(beat: float) -> float:
        whole = np.floor(beat)
        return float(whole + np.interp(beat - whole, [0.0, middle, 1.0], [0.0, 0.5, 1.0]))

    def moved(_track: Track, note: Note) -> Note:
        onset, end = straight(note.onset_beat), straight(note.onset_beat + note.duration_beat)
        return replace(note, onset_beat=onset, duration_beat=end - onset)

    return _each_note(tracks, moved)


def swap_drums(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """Play the kick on the snare and the hat on the ride, and the other way round."""

    def swapped(track: Track, note: Note) -> Note:
        return replace(note, pitch=_SWAPPED.get(note.pitch, note.pitch)) if track.is_drum else note

    return _each_note(tracks, swapped)


def delay_beats(timeline: Timeline, delay_s: float) -> Timeline:
    """Hear every beat later by so many seconds (earlier if negative)."""
    return replace(timeline, knots_s=tuple(time + delay_s for time in timeline.knots_s))


def flatten_velocities(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """Strike every note of a track with the track's mean velocity."""
    damaged = []
    for track in tracks:
        mean = round(float(np.mean([note.velocity for note in track.notes]))) if track.notes else 0
        damaged.append(replace(track, notes=tuple(replace(note, velocity=mean) for note in track.notes)))
    return tuple(damaged)


def repeat_bar(tracks: Sequence[Track], bars: Sequence[Bar], bar: Bar) -> tuple[Track, ...]:
    """Play one bar's notes in every bar; what begins beyond the length of a shorter bar is left out.

    Notes outside all bars are left out.
    """
    damaged = []
    for track in tracks:
        figure = [
            replace(note, onset_beat=note.onset_beat - bar.onset_beat)
            for note in track.notes
            if bar.onset_beat <= note.onset_beat < bar.end_beat
        ]
        notes = [
            replace(note, onset_beat=each.onset_beat + note.onset_beat)
            for each in bars
            for note in figure
            if note.onset_beat < each.duration_beat
        ]
        damaged.append(replace(track, notes=sorted_notes(notes)))
    return tuple(damaged)
