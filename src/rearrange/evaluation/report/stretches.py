"""The stretches of a song that are told apart, and the notes of a part in one of them.

Conventions: a stretch is cut at bars of the song (counted from 1) and in its beats; an arrangement's beats are
those times its `beat_ratio`. A note a little before a bar line is played early and belongs to the bar after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rearrange.score import Arrangement, Chord, Metre, Note, Score, Timeline, Track

__all__ = [
    "FILLED",
    "NEAR_BEAT",
    "TOGETHER_BEAT",
    "USUALLY",
    "Onsets",
    "Side",
    "Stretch",
    "onsets_of",
    "plays_in",
    "sides",
    "stretches",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LONGEST_BARS = 16  # a section longer than this is looked at in halves of its kind: bands count in eights
_STRETCH_BARS = 8
_EARLY_BEAT = 0.1  # as the arranger takes a note for a bar's own
USUALLY = 0.6  # of the bars: a player who leaves a stroke out every third bar still plays the pattern
FILLED = 0.4  # of the places that a note value has: players leave some out where another part is struck
TOGETHER_BEAT = 0.06  # notes struck by one hand, or by two at once
NEAR_BEAT = 0.15  # of a position: less than half a sixteenth's way to the next triplet, more than a player's error


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bars of the song, both included, and their beats."""

    first_bar: int
    last_bar: int
    start_beat: float
    end_beat: float

    @property
    def n_bars(self) -> int:
        return self.last_bar - self.first_bar + 1


@dataclass(frozen=True)
class Side:
    """The song, or what was made of it, as what plays when."""

    tracks: tuple[Track, ...]
    timeline: Timeline
    chords: tuple[Chord, ...]
    beat_ratio: float = 1.0


@dataclass(frozen=True)
class Onsets:
    """The notes of a part in a stretch, in order, as arrays of one length.

    `bar` counts from 0 at the stretch's first, `at_beat` from the bar line; `onset_beat` is the side's own.
    Bars of another metre than the stretch's commonest are left out.
    """

    bar: Ints
    at_beat: Floats
    onset_beat: Floats
    duration_beat: Floats
    pitch: Ints
    velocity: Floats
    n_bars: int
    metre: Metre

    def __len__(self) -> int:
        return len(self.bar)

    @property
    def beats_per_bar(self) -> float:
        return self.metre.beats_per_bar

    @property
    def unit_beat(self) -> float:
        """Length of a felt beat in quarter notes: 1.5 in 6/8."""
        return 1.5 if self.metre.denominator == 8 and self.metre.numerator % 3 == 0 else 4 / self.metre.denominator

    @property
    def within_beat(self) -> Floats:
        """Position in the felt beat, in [0, 1), in shares of it; a note a little early is on it."""
        early = _EARLY_BEAT / self.unit_beat
        return np.asarray((self.at_beat / self.unit_beat + early) % 1.0 - early)

    def chosen(self, mask: NDArray[np.bool_]) -> "Onsets":
        """Those notes only."""
        return Onsets(
            self.bar[mask], self.at_beat[mask], self.onset_beat[mask], self.duration_beat[mask],
            self.pitch[mask], self.velocity[mask], self.n_bars, self.metre,
        )  # fmt: skip

    def share_of_bars_at(self, at_beat: float) -> float:
        """Share of the stretch's bars that have a note there."""
        near = np.abs(self.at_beat - at_beat) < NEAR_BEAT
        return len(np.unique(self.bar[near])) / max(self.n_bars, 1)

    @property
    def beats(self) -> list[float]:
        """The felt beats of a bar."""
        return [float(at) for at in np.arange(0.0, self.beats_per_bar - 1e-6, self.unit_beat)]

    @property
    def usual_beats(self) -> list[float]:
        """Those beats of the bar that have a note in most bars."""
        return [at for at in self.beats if self.share_of_bars_at(at) >= USUALLY]

    def named(self, beats: Sequence[float]) -> str:
        """Beats as the metre counts them: "2 and 4"; in eighths for 6/8."""
        names = [str(round(at * self.metre.denominator / 4) + 1) for at in beats]
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)

    @property
    def off_beat(self) -> NDArray[np.bool_]:
        """Which notes are not on a beat."""
        return np.asarray(np.abs(self.within_beat) * self.unit_beat > NEAR_BEAT)

    @property
    def second_half(self) -> NDArray[np.bool_]:
        """Which notes are on the second half of a beat, straight or swung."""
        return np.asarray((self.within_beat > 0.42) & (self.within_beat < 0.72))

    def attacks_per_beat(self, mask: NDArray[np.bool_]) -> float:
        """Attacks among the chosen notes, per felt beat of the stretch; what is struck together is one."""
        attacks = int((np.diff(self.onset_beat[mask], prepend=-np.inf) > TOGETHER_BEAT).sum())
        return attacks / (self.n_bars * len(self.beats))

    @property
    def values(self) -> str:
        """The shortest note value whose places are mostly filled: "sixteenths", "eighths" or "quarters"."""
        if self.attacks_per_beat(self.off_beat & ~self.second_half) >= 2 * FILLED:
            return "sixteenths"
        return "eighths" if self.attacks_per_beat(self.second_half) >= FILLED else "quarters"

    @property
    def per_bar(self) -> float:
        """Notes per bar in which there are any."""
        return len(self) / max(len(np.unique(self.bar)), 1)


def sides(score: Score, arrangement: Arrangement) -> tuple[Side, Side]:
    """The song and the arrangement as two of a kind, in this order."""
    return (
        Side(score.tracks, score.timeline, score.chords),
        Side(arrangement.tracks, arrangement.timeline, arrangement.chords, arrangement.beat_ratio),
    )


def stretches(score: Score) -> tuple[Stretch, ...]:
    """The song's sections; those of more than 16 bars in eights."""
    bars = score.timeline.bars
    starts = [bar.onset_beat for bar in bars]
    edges = {0, len(bars)}
    for section in score.sections:
        edges.add(int(np.searchsorted(starts, section.onset_beat - 1e-6)))
    ordered = sorted(edge for edge in edges if 0 <= edge <= len(bars))
    cuts: list[int] = []
    for first, last in pairwise(ordered):
        step = _STRETCH_BARS if last - first > _LONGEST_BARS else last - first
        own = list(range(first, last, step))
        if len(own) > 1 and last - own[-1] < _STRETCH_BARS / 2:  # a remainder stays with what it follows
            own.pop()
        cuts += own
    cuts.append(len(bars))
    return tuple(
        Stretch(first + 1, last, bars[first].onset_beat, bars[last - 1].end_beat) for first, last in pairwise(cuts)
    )


def onsets_of(notes: Sequence[Note], side: Side, stretch: Stretch) -> Onsets:
    """The notes that begin in a stretch; `notes` are sorted by onset."""
    start, end = stretch.start_beat * side.beat_ratio, stretch.end_beat * side.beat_ratio
    bars = [bar for bar in side.timeline.bars if start - 1e-6 <= bar.onset_beat < end - 1e-6]
    metres = [bar.metre for bar in bars]
    metre = max(set(metres), key=metres.count) if metres else side.timeline.metre_at(start)
    inside = [note for note in notes if start - _EARLY_BEAT <= note.onset_beat < end - _EARLY_BEAT]
    onset = np.array([note.onset_beat for note in inside], dtype=np.float64)
    starts = np.array([bar.onset_beat for bar in bars] or [start])
    bar = np.maximum(np.searchsorted(starts, onset + _EARLY_BEAT, side="right") - 1, 0)
    own = np.array([bars[i].metre == metre for i in bar] if bars else [True] * len(bar), dtype=np.bool_)
    return Onsets(
        bar=bar.astype(np.int64),
        at_beat=onset - starts[bar],
        onset_beat=onset,
        duration_beat=np.array([note.duration_beat for note in inside], dtype=np.float64),
        pitch=np.array([note.pitch for note in inside], dtype=np.int64),
        velocity=np.array([note.velocity for note in inside], dtype=np.float64),
        n_bars=max(metres.count(metre), 1),
        metre=metre,
    ).chosen(own)


def plays_in(track: Track, side: Side, stretch: Stretch) -> float:
    """Share of the stretch's bars in which something of a track sounds (for drums: is struck)."""
    touched: set[int] = set()
    start, end = stretch.start_beat * side.beat_ratio, stretch.end_beat * side.beat_ratio
    bars = [bar for bar in side.timeline.bars if start - 1e-6 <= bar.onset_beat < end - 1e-6]
    starts = np.array([bar.onset_beat for bar in bars] or [start])
    for note in track.notes:
        last = note.onset_beat + (0.0 if track.is_drum else note.duration_beat) - _EARLY_BEAT
        if note.onset_beat >= end - _EARLY_BEAT or max(last, note.onset_beat + _EARLY_BEAT) < start:
            continue
        first = max(int(np.searchsorted(starts, note.onset_beat + _EARLY_BEAT, side="right")) - 1, 0)
        touched.update(range(first, max(int(np.searchsorted(starts, last, side="right")), first + 1)))
    return len(touched & set(range(len(bars)))) / max(len(bars), 1)
