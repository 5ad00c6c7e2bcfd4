"""Baselines that turn a score into an arrangement: floors and ceilings of content and genre.

* copy: the source unchanged. Content is whole, and the genre is what the song had anyway.
* instrument swap: the same notes on the genre's instruments; what a General MIDI player's menu does.
* random song: our own arrangement, in the genre, of another song. As much genre as we make, no content.
* patterns: the rule-based arranger, the baseline of DESIGN 7.
* transformer: the same with what the network writes of it.

Conventions: every system is called alike (`SYSTEMS`), returns an Arrangement of the source's length, and gives
the same notes for the same seed. Beats of the result are `beat_ratio` times the source's, bar lines included.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

import numpy as np

from rearrange.evaluation.measure import NotMeasurable
from rearrange.genre import Genre
from rearrange.score import Arrangement, Chord, Metre, Note, Role, Score, Section, Timeline, Track, sorted_notes
from rearrange.stages.arrange import ArrangeSettings, arrange

__all__ = ["OURS", "SYSTEMS", "Arranger", "System", "arranged", "copy", "fitted", "instrument_swap", "random_song"]

# Who plays a role that the genre has not: first who does the same work (sustaining, breaking chords, answering the
# tune), in the end who plays the tune, whom every genre has. Drums and percussion share their kits.
_NEAREST: Mapping[Role, tuple[Role, ...]] = MappingProxyType(
    {
        Role.MELODY: (Role.MELODY,),
        Role.BASS: (Role.BASS,),
        Role.CHORDS: (Role.CHORDS, Role.PAD, Role.ARPEGGIO, Role.COUNTER, Role.MELODY),
        Role.PAD: (Role.PAD, Role.CHORDS, Role.COUNTER, Role.ARPEGGIO, Role.MELODY),
        Role.ARPEGGIO: (Role.ARPEGGIO, Role.CHORDS, Role.PAD, Role.COUNTER, Role.MELODY),
        Role.COUNTER: (Role.COUNTER, Role.MELODY),
        Role.DRUMS: (Role.DRUMS, Role.PERCUSSION),
        Role.PERCUSSION: (Role.PERCUSSION, Role.DRUMS),
    }
)
OURS = ArrangeSettings().arranger  # the system that `convert` uses
_SHORTEST_BEAT = 1e-6  # what a cut leaves of a note, chord or section below this is nothing


class Arranger(Protocol):
    """What a system does: a score, a genre, a seed and the other songs in; an arrangement out."""

    def __call__(self, score: Score, genre: Genre, seed: int, others: Sequence[Score]) -> Arrangement: ...


@dataclass(frozen=True, slots=True)
class System:
    """One row of the table. `uses_seed`, `uses_genre`: whether the notes depend on them."""

    name: str
    title: str
    function: Arranger
    uses_seed: bool
    uses_genre: bool


def copy(score: Score, genre: Genre) -> Arrangement:
    """The source as it is, on its own timeline; the genre is a label only."""
    return Arrangement(
        timeline=score.timeline,
        genre=genre.name,
        style="",
        key=score.key,
        chords=score.chords,
        sections=score.sections,
        tracks=score.tracks,
        seed=0,
    )


def instrument_swap(score: Score, genre: Genre) -> Arrangement:
    """The same notes at the same time, each role played by the first program that the genre lists for it.

    A role that the genre has not is played by the nearest that it has. Hits keep their pitches and take the
    genre's kit; where the genre has neither drums nor percussion they keep their own.
    """
    tracks = tuple(replace(track, program=_program(track, genre)) for track in score.tracks)
    return replace(copy(score, genre), tracks=tracks)


def _program(track: Track, genre: Genre) -> int:
    found = next((role for role in _NEAREST[track.role] if role in genre.roles), None)
    return track.program if found is None else genre.roles[found].programs[0]


def arranged(score: Score, genre: Genre, *, seed: int, arranger: str) -> Arrangement:
    """An arranger of ours at its middle settings.

    Raises
    ------
    TooLittleMusicError : there is nothing the genre could play.
    """
    return arrange(score, genre, ArrangeSettings(seed=seed, arranger=arranger))


def random_song(score: Score, others: Sequence[Score], genre: Genre, *, seed: int) -> Arrangement:
    """Another song in the genre, cut or repeated to the length of this one.

    Which song is drawn depends on the seed, the genre and the source, so that a table's floor is the mean over
    many songs. It keeps its own key: a random song is in a random key.

    Raises
    ------
    NotMeasurable : among `others` is no other song with bars and a tune or chords.
    TooLittleMusicError : there is nothing in the other song that the genre could play.
    """
    candidates = [other for other in others if _is_another(other, score) and _can_be_arranged(other)]
    if not candidates:
        raise NotMeasurable("no other song to draw from")
    source = zlib.crc32(repr((score.title, [track.notes[:16] for track in score.tracks])).encode())
    generator = np.random.default_rng([seed, source, zlib.crc32(genre.name.encode())])
    other = candidates[int(generator.integers(len(candidates)))]
    arrangement = arrange(other, genre, ArrangeSettings(seed=seed))
    return fitted(arrangement, score.timeline.end_beat * arrangement.beat_ratio)


def _is_another(other: Score, score: Score) -> bool:
    same_title = bool(score.title) and other.title == score.title
    return other is not score and not same_title and other.tracks != score.tracks


def _can_be_arranged(score: Score) -> bool:
    tune = score.track(Role.MELODY)
    return bool(score.timeline.bars) and bool(score.chords or (tune is not None and tune.notes))


def fitted(arrangement: Arrangement, end_beat: float) -> Arrangement:
    """An arrangement repeated as a whole until `end_beat`, and cut there.

    Notes before its first bar line are heard at the end of the time before. The tempo at its end goes on, so that
    repetitions of a steady arrangement are as fast as it.

    Raises
    ------
    NotMeasurable : it has no bar, or `end_beat` is not positive.
    """
    bars = arrangement.timeline.bars
    if not bars or end_beat <= 0:
        raise NotMeasurable("shorter than a bar")
    length = bars[-1].end_beat
    starts = [float(start) for start in np.arange(0.0, end_beat - _SHORTEST_BEAT, length)]
    return replace(
        arrangement,
        timeline=_repeated_timeline(arrangement.timeline, starts, end_beat),
        chords=tuple(
            replace(chord, onset_beat=chord.onset_beat + start, duration_beat=_inside(chord, start, end_beat))
            for start in starts
            for chord in arrangement.chords
            if _inside(chord, start, end_beat) > _SHORTEST_BEAT
        ),
        sections=tuple(
            replace(part, onset_beat=part.onset_beat + start, duration_beat=_inside(part, start, end_beat))
            for start in starts
            for part in arrangement.sections
            if _inside(part, start, end_beat) > _SHORTEST_BEAT
        ),
        tracks=tuple(
            replace(
                track,
                notes=sorted_notes(
                    [
                        replace(
                            note, onset_beat=note.onset_beat + start, duration_beat=_inside(note, start, end_beat)
                        )
                        for start in starts
                        for note in track.notes
                        if _inside(note, start, end_beat) > _SHORTEST_BEAT
                    ]
                ),
            )
            for track in arrangement.tracks
        ),
    )


def _inside(span: Note | Chord | Section, start_beat: float, end_beat: float) -> float:
    """How long it lasts when its song starts at `start_beat` and stops at `end_beat`."""
    return min(span.duration_beat, end_beat - start_beat - span.onset_beat)


def _repeated_timeline(timeline: Timeline, starts: Sequence[float], end_beat: float) -> Timeline:
    metres: list[tuple[float, Metre]] = []
    for start in starts:
        for onset, metre in timeline.metres:
            if start + onset < end_beat and not (metres and metres[-1][1] == metre):
                metres.append((start + onset, metre))
    return replace(timeline, metres=tuple(metres), end_beat=end_beat)


SYSTEMS: Mapping[str, System] = MappingProxyType(
    {
        system.name: system
        for system in (
            System("copy", "Copy", lambda score, genre, seed, others: copy(score, genre), False, False),
            System(
                "instrument-swap",
                "Instrument swap",
                lambda score, genre, seed, others: instrument_swap(score, genre),
                False,
                True,
            ),
            System(
                "random-song",
                "Random song",
                lambda score, genre, seed, others: random_song(score, others, genre, seed=seed),
                True,
                True,
            ),
            System(
                "patterns",
                "Patterns",
                lambda score, genre, seed, others: arranged(score, genre, seed=seed, arranger="patterns"),
                True,
                True,
            ),
            System(
                "transformer",
                "Transformer",
                lambda score, genre, seed, others: arranged(score, genre, seed=seed, arranger="transformer"),
                True,
                True,
            ),
        )
    }
)
