"""An arrangement against the song that it came from: what is left of the song, and how much genre there is.

Conventions: the reference is the song as it truly is; where the arranger worked from a heard song, whose beats are
its own, the result is first moved to the reference's beats by way of seconds. Every figure is a cell: what cannot
be measured says why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rearrange.evaluation.judge import Judge
from rearrange.evaluation.measure import Measure, NotMeasurable, measured
from rearrange.evaluation.metrics import (
    chord_agreement,
    chords_in_reference_beats,
    content_similarity,
    distinct_rhythm,
    groove_similarity,
    heard_chords,
    heard_key,
    in_reference_beats,
    key_agreement,
    melody_f1,
    micro_timing_ms,
    velocity_spread,
)
from rearrange.score import Arrangement, Chord, Key, Note, Role, Score, Timeline, Track

__all__ = ["Reference", "genre_measures", "reference_of", "song_measures", "variety_measures"]


@dataclass(frozen=True)
class Reference:
    """A song as it is: the notes, and what is known of them.

    `chords` and `key` are annotated where the set has an annotation, and otherwise what analysis finds in the true
    notes.
    """

    timeline: Timeline
    tracks: tuple[Track, ...]
    melody: tuple[Note, ...]
    chords: tuple[Chord, ...]
    key: Key


def reference_of(score: Score, chords: Sequence[Chord] | None = None, key: Key | None = None) -> Reference:
    """The reference that a score of true notes is, with the set's own chords and key where it has them."""
    tune = score.track(Role.MELODY)
    return Reference(
        timeline=score.timeline,
        tracks=score.tracks,
        melody=tune.notes if tune is not None else (),
        chords=tuple(chords) if chords else score.chords,
        key=key or score.key,
    )


def song_measures(
    reference: Reference, arrangement: Arrangement, *, heard: Timeline | None = None
) -> Mapping[str, Measure]:
    """What of the song is in the arrangement: content, melody, chords, key.

    Parameters
    ----------
    heard : the timeline of the song as it was heard, where the arranger worked from sound; None where it worked
        from the reference itself
    """
    ratio = arrangement.beat_ratio
    tracks = arrangement.tracks
    heard_key, chords = _heard_harmony(arrangement)
    if heard is not None:
        tracks = in_reference_beats(tracks, heard, reference.timeline, beat_ratio=ratio)
        chords = chords_in_reference_beats(chords, heard, reference.timeline, beat_ratio=ratio)
        ratio = 1.0
    tune = next((track.notes for track in tracks if track.role is Role.MELODY), ())
    n_beats = int(reference.timeline.end_beat)

    def content() -> float:
        if not any(track.notes and not track.is_drum for track in reference.tracks):
            raise NotMeasurable("the song has no pitched notes")
        if n_beats < 1:
            raise NotMeasurable("the song is shorter than a beat")
        return content_similarity(reference.tracks, tracks, n_beats, beat_ratio=ratio)

    def melody() -> float:
        if not reference.melody:
            raise NotMeasurable("the song has no melody")
        return melody_f1(reference.melody, tune, beat_ratio=ratio)

    def agreement(vocabulary: str) -> float:
        if not reference.chords:
            raise NotMeasurable("the song has no chords")
        return chord_agreement(reference.chords, chords, beat_ratio=ratio, vocabulary=vocabulary)

    return {
        "content": measured(content),
        "melody": measured(melody),
        "chords": measured(agreement, "majmin"),
        "sevenths": measured(agreement, "sevenths"),
        "key": measured(key_agreement, reference.key, heard_key),
    }


def _heard_harmony(arrangement: Arrangement) -> tuple[Key, tuple[Chord, ...]]:
    """Key and chords as analysis hears them in the notes: what the arranger says of itself does not count."""
    tracks, timeline = arrangement.tracks, arrangement.timeline
    n_beats = int(timeline.end_beat)
    key = heard_key(tracks, n_beats)
    chords = heard_chords(tracks, timeline, key) if n_beats >= 1 else ()
    return heard_key(tracks, n_beats, chords), chords


def genre_measures(judge: Judge, arrangement: Arrangement, genre: str) -> Mapping[str, Measure]:
    """How much of a genre there is, by the judge and by the style references."""
    verdict = judge.verdict(arrangement.tracks, arrangement.timeline, arrangement.chords)
    rhythm = judge.verdict(arrangement.tracks, arrangement.timeline, rhythm_only=True)
    return {
        "genre": measured(judge.probability, verdict, genre),
        "people": measured(_of_people, judge, genre),
        "genre_hit": measured(judge.accuracy_hit, verdict, genre),
        "rhythm": measured(judge.probability, rhythm, genre),
        "style_fit": measured(judge.style_fit, arrangement.tracks, arrangement.timeline, genre),
    }


def _of_people(judge: Judge, genre: str) -> float:
    if genre not in judge.people:
        raise NotMeasurable("no independent reference")
    return judge.people[genre]


def variety_measures(arrangement: Arrangement) -> Mapping[str, Measure]:
    """How much the parts vary, in rhythm, time and force."""
    bars = arrangement.timeline.bars
    return {
        "distinct": measured(distinct_rhythm, arrangement.tracks, bars),
        "groove": measured(groove_similarity, arrangement.tracks, bars),
        "micro_timing_ms": measured(micro_timing_ms, arrangement.tracks, arrangement.timeline),
        "velocity_spread": measured(velocity_spread, arrangement.tracks),
    }
