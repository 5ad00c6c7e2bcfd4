"""What became of the chords: colours added, chords put in place of others, as far as the notes play them.

The arrangement's chord symbols are believed only where its notes bear them out: a colour counts if its added
tones sound in at least half of the places, another chord if its root and third do.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rearrange.arranger.charts import chord_lookup
from rearrange.evaluation.report.names import listed
from rearrange.evaluation.report.stretches import Side
from rearrange.score import CHORD_INTERVALS, Chord, Note, Role

__all__ = ["Harmony", "Substitution", "harmony_change", "harmony_words"]

_SHORTEST_BEAT = 0.45  # a chord shorter than an eighth with swing is a rounding of beats
_BORNE_OUT = 0.5
_MOST_COLOURS, _MOST_SUBSTITUTIONS = 5, 3  # as many as are read with pleasure


@dataclass(frozen=True, slots=True)
class Substitution:
    """Chords of the arrangement in place of the song's; `onset_beat` of the song.

    `into` is the song's next chord, and `into_beat` where it begins, if they lead there without a gap.
    """

    onset_beat: float
    song: str
    played: str
    into: str = ""
    into_beat: float = 0.0


@dataclass(frozen=True, slots=True)
class Harmony:
    """`colours`: (song's chord, played chord), most heard first; `n_chords` different chords of the song."""

    colours: tuple[tuple[str, str], ...]
    substitutions: tuple[Substitution, ...]
    n_chords: int


def harmony_change(song: Side, ours: Side) -> Harmony:
    """Compare what is played with the song's chords, place by place."""
    pitched = [(track.role, note) for track in ours.tracks if not track.is_drum for note in track.notes]
    accompaniment = sorted(
        (note for role, note in pitched if role is not Role.MELODY), key=lambda note: note.onset_beat
    )
    sounding = _Sounding(accompaniment)
    chord_at = chord_lookup(song.chords)
    durations: defaultdict[str, float] = defaultdict(float)
    played: dict[str, defaultdict[str, float]] = {}
    borne_out: dict[tuple[str, str], list[bool]] = {}
    substitutions: list[Substitution] = []
    for chord in song.chords:
        durations[_symbol(chord)] += chord.duration_beat
    for i, chord in enumerate(ours.chords):
        onset = chord.onset_beat / ours.beat_ratio
        own = chord_at(onset + 1e-3)
        if own is None or chord.duration_beat < _SHORTEST_BEAT:
            continue
        classes = sounding.classes(chord.onset_beat, chord.end_beat)
        if chord.root != own.root:
            if _is_borne_out(chord, classes):
                end, symbols = chord.end_beat / ours.beat_ratio, _symbol(chord)
                after = ours.chords[i + 1] if i + 1 < len(ours.chords) else None
                # A ii–V into the next chord may have the song's own chord for its V.
                if after is not None and after.root == own.root and end < own.end_beat - _SHORTEST_BEAT:
                    end, symbols = after.end_beat / ours.beat_ratio, f"{symbols}–{_symbol(after)}"
                following = chord_at(end + 1e-3) if abs(own.end_beat - end) < _SHORTEST_BEAT else None
                into = _symbol(following) if following is not None else ""
                substitutions.append(Substitution(onset, _symbol(own), symbols, into, own.end_beat))
            continue
        names = (_symbol(own), _symbol(chord))
        played.setdefault(names[0], defaultdict(float))[names[1]] += chord.duration_beat
        if names[0] != names[1]:
            added = {(chord.root + i) % 12 for i in CHORD_INTERVALS[chord.quality]} - set(own.pitch_classes)
            borne_out.setdefault(names, []).append(added <= classes)
    colours = []
    for name in sorted(durations, key=lambda each: -durations[each]):
        if name not in played:
            continue
        commonest = max(played[name], key=lambda each: played[name][each])
        places = borne_out.get((name, commonest), [])
        if places and sum(places) >= _BORNE_OUT * len(places):
            colours.append((name, commonest))
    return Harmony(tuple(colours), _joined(substitutions, ours), len(durations))


def harmony_words(song: Side, ours: Side) -> str:
    """ "C → Cmaj9, Am → Am9; Dm7–G7 into bar 9"; empty where no chord changed."""
    harmony = harmony_change(song, ours)
    colours = [f"{old} → {new}" for old, new in harmony.colours[:_MOST_COLOURS]]
    if len(harmony.colours) > _MOST_COLOURS:
        colours.append(f"{len(harmony.colours) - _MOST_COLOURS} more")
    places: dict[str, list[str]] = {}
    for each in harmony.substitutions:
        words = f"{each.played} into {each.into}" if each.into else f"{each.played} for {each.song}"
        places.setdefault(words, []).append(str(_bar(each.into_beat if each.into else each.onset_beat, song)))
    new = [
        f"{words} (bar{'s' if len(bars) > 1 else ''} {listed(bars)})"
        for words, bars in list(places.items())[:_MOST_SUBSTITUTIONS]
    ]
    if len(places) > _MOST_SUBSTITUTIONS:
        new.append(f"{len(places) - _MOST_SUBSTITUTIONS} more new chords")
    return "; ".join(words for words in (", ".join(colours), ", ".join(new)) if words)


def _bar(beat: float, song: Side) -> int:
    """The bar of the song, counted from 1, that a beat lies in."""
    return sum(bar.onset_beat <= beat + 1e-3 for bar in song.timeline.bars)


def _joined(substitutions: Sequence[Substitution], ours: Side) -> tuple[Substitution, ...]:
    """Chords that follow each other in place of one: a ii–V is one thing."""
    joined: list[Substitution] = []
    last_onset = -1e9
    for one in substitutions:
        if joined and one.onset_beat - last_onset <= 1.01 / ours.beat_ratio:
            played = f"{joined[-1].played}–{one.played}"
            joined[-1] = replace(joined[-1], played=played, into=one.into, into_beat=one.into_beat)
        else:
            joined.append(one)
        last_onset = one.onset_beat
    return tuple(joined)


def _is_borne_out(chord: Chord, classes: frozenset[int]) -> bool:
    """Whether root and third (or what stands for it) sound."""
    return {chord.root, (chord.root + CHORD_INTERVALS[chord.quality][1]) % 12} <= classes


def _symbol(chord: Chord) -> str:
    """The chord without its bass note: an inversion is no other chord."""
    return str(replace(chord, bass=chord.root)).replace("minadd9", "m(add9)").replace("min", "m")


class _Sounding:
    """Which pitch classes sound between two beats."""

    def __init__(self, notes: Sequence[Note]) -> None:
        self._notes = notes
        self._onsets = [note.onset_beat for note in notes]
        self._longest = max((note.duration_beat for note in notes), default=0.0)

    def classes(self, start_beat: float, end_beat: float) -> frozenset[int]:
        first = bisect_left(self._onsets, start_beat - self._longest)
        last = bisect_left(self._onsets, end_beat - 0.05)
        early = 0.1  # what is pushed ahead of the change belongs to it, what rings on a moment does not
        return frozenset(
            note.pitch % 12
            for note in self._notes[first:last]
            if note.onset_beat + note.duration_beat > start_beat + early
        )
