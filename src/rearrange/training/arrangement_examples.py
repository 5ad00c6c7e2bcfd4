"""What the arranger learns from: a song's chart and what a band plays to it.

Conventions: beats are those of `timeline`; tracks hold neither melody nor what a rule plays, at most one of each
role, and nothing that hands cannot play: a bass has one note at a time, others have at most MOST_VOICES within two
spans of a hand, a drummer has two hands and two feet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rearrange.arranger.charts import Chart
from rearrange.arranger.grammar import HAND_SPAN, MOST_VOICES
from rearrange.evaluation.damage import transpose
from rearrange.score import Chord, Key, Note, Role, Score, Timeline, Track, sorted_notes

__all__ = ["Example", "playable", "struck_together", "transposed"]

_TOGETHER_BEAT = 1 / 16
_SHORTEST_BEAT = 1 / 24
_BASS_PROGRAMS, _LOWEST_STRING = range(32, 40), 28  # what is below it goes up an octave
_FEET = frozenset((35, 36, 44))
_HANDS = 2


@dataclass(frozen=True)
class Example:
    """One arrangement of a song.

    Parameters
    ----------
    kind : piano, band, quartet or drumming of real music; what `patterned` was told;
        drummer, if a human drums to that
    genre, style : empty where nobody knows
    song : corpus and id of the song whose chart it is; a drummer's clip may come from another
    chords : those really played, as the chart has them where it is not damaged
    """

    kind: str
    genre: str
    style: str
    song: str
    chart: Chart
    key: Key
    chords: tuple[Chord, ...]
    tracks: tuple[Track, ...]
    timeline: Timeline


def transposed(score: Score, semitones: int) -> Score:
    """A score in another key: who arranges it finds every part in another register against its chords."""

    def moved(chord: Chord) -> Chord:
        return replace(chord, root=(chord.root + semitones) % 12, bass=(chord.bass + semitones) % 12)

    return replace(
        score,
        key=replace(score.key, tonic=(score.key.tonic + semitones) % 12),
        chords=tuple(moved(chord) for chord in score.chords),
        tracks=transpose(score.tracks, semitones),
    )


def playable(track: Track) -> Track:
    """A part as hands can play it: what is too much is left out, inner voices and soft strokes first."""
    out: list[Note] = []
    for group in map(_each_pitch_once, struck_together(track.notes)):
        if track.is_drum:
            out += _by_limbs(group)
        elif track.role is Role.BASS:
            low = group[0]
            too_low = track.program in _BASS_PROGRAMS and low.pitch < _LOWEST_STRING
            out.append(replace(low, pitch=low.pitch + 12) if too_low else low)
        else:
            out += _by_hands(group)
    notes = _one_at_a_time(out) if track.role is Role.BASS else out
    return replace(track, notes=sorted_notes(notes))


def struck_together(notes: Sequence[Note]) -> Iterator[list[Note]]:
    """Notes that begin within a sixteenth of a beat of the first, from below, in order of time."""
    group: list[Note] = []
    for note in sorted_notes(notes):
        if group and note.onset_beat - group[0].onset_beat >= _TOGETHER_BEAT:
            yield sorted(group, key=lambda each: each.pitch)
            group = []
        group.append(note)
    if group:
        yield sorted(group, key=lambda each: each.pitch)


def _each_pitch_once(group: Sequence[Note]) -> list[Note]:
    """The loudest of each pitch."""
    loudest = {note.pitch: note for note in sorted(group, key=lambda note: note.velocity)}
    return [loudest[pitch] for pitch in sorted(loudest)]


def _by_limbs(group: Sequence[Note]) -> list[Note]:
    feet = [hit for hit in group if hit.pitch in _FEET]
    hands = sorted((hit for hit in group if hit.pitch not in _FEET), key=lambda hit: -hit.velocity)
    return [*feet[:2], *hands[:_HANDS]]


def _by_hands(group: Sequence[Note]) -> list[Note]:
    low, high = group[0].pitch, group[-1].pitch
    kept = [note for note in group if note.pitch <= low + HAND_SPAN or note.pitch >= high - HAND_SPAN]
    while len(kept) > MOST_VOICES:
        inner = range(1, len(kept) - 1)
        heard = [note.pitch % 12 for note in kept]
        doubled = [i for i in inner if heard.count(heard[i]) > 1]
        kept.pop(doubled[0] if doubled else len(kept) // 2)
    return kept


def _one_at_a_time(notes: Sequence[Note]) -> list[Note]:
    ends = [*(note.onset_beat for note in notes[1:]), float("inf")]
    return [
        replace(note, duration_beat=max(min(note.duration_beat, end - note.onset_beat), _SHORTEST_BEAT))
        for note, end in zip(notes, ends, strict=True)
    ]
