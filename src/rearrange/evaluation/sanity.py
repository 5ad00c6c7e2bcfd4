"""Do the metrics measure what they say? Each is watched under damage that is known.

A sample of music is the reference and, damaged, the estimate. For every damage it is declared which figures must
fall, which must rise and which must not move; what stands in none of the three may do either (dropping notes makes
bars differ, and bars fall silent). The test holds these; `benchmarks/sanity.py` prints the figures of real songs.

Conventions: a damaged timeline is the song as heard; its notes are compared in the reference's beats, and timed in
seconds by the timeline that they were heard with.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rearrange.analysis.groove import swing_ratio
from rearrange.evaluation.damage import (
    delay_beats,
    drop_notes,
    flatten_velocities,
    remove_swing,
    repeat_bar,
    swap_drums,
    transpose,
)
from rearrange.evaluation.measure import Measure, NotMeasurable, measured
from rearrange.evaluation.metrics import (
    StyleHistograms,
    beat_scores,
    chord_agreement,
    chords_in_reference_beats,
    content_similarity,
    distinct_rhythm,
    downbeat_f1,
    drum_onsets,
    drum_scores,
    groove_similarity,
    heard_chords,
    heard_key,
    in_reference_beats,
    key_agreement,
    melody_f1,
    micro_timing_ms,
    note_events,
    note_scores,
    style_fit,
    style_histograms,
    tempo_acc1,
    velocity_spread,
)
from rearrange.score import Chord, Key, Note, NoteEvent, Role, Timeline, Track

__all__ = ["DAMAGES", "Damage", "Sample", "figures"]

_C_MAJOR = Key(0, "major", 0.0)  # heard_chords leans on a key; the same one for reference and estimate
_LEAST_SWING = 1.15  # below, it is timing


@dataclass(frozen=True)
class Sample:
    """A song's notes and its timeline; what is heard in it is found once."""

    tracks: tuple[Track, ...]
    timeline: Timeline

    @cached_property
    def chords(self) -> tuple[Chord, ...]:
        return heard_chords(self.tracks, self.timeline, _C_MAJOR)

    @cached_property
    def key(self) -> Key:
        return heard_key(self.tracks, max(round(self.timeline.end_beat), 1), self.chords)

    @cached_property
    def style(self) -> StyleHistograms:
        return style_histograms(self.tracks, self.timeline.bars)

    @cached_property
    def swing(self) -> float:
        onsets = [note.onset_beat for track in self.tracks for note in track.notes]
        return swing_ratio(np.array(onsets))[0]

    @property
    def melody(self) -> tuple[Note, ...]:
        return next((track.notes for track in self.tracks if track.role is Role.MELODY), ())

    def events(self, *, drums: bool) -> list[NoteEvent]:
        """The pitched notes, or the drum hits, in seconds."""
        return [event for t in self.tracks if t.is_drum is drums for event in note_events(t, self.timeline)]

    def beats_s(self, *, downbeats: bool = False) -> Sequence[float]:
        """When beats, or bars, begin."""
        beats = (
            np.array([bar.onset_beat for bar in self.timeline.bars])
            if downbeats
            else np.arange(0.0, self.timeline.end_beat)
        )
        return [float(time) for time in self.timeline.seconds(beats)]


@dataclass(frozen=True)
class Damage:
    """What is done to a sample, and the figures that must fall, rise or stay for it."""

    name: str
    apply: Callable[[Sample, np.random.Generator], Sample]
    falls: frozenset[str]
    rises: frozenset[str] = frozenset()
    stays: frozenset[str] = frozenset()


def figures(reference: Sample, damaged: Sample) -> Mapping[str, Measure]:
    """Every figure of the damaged sample against the undamaged one; variety is the damaged one's own."""
    heard, truth, bars = damaged.timeline, reference.timeline, damaged.timeline.bars
    n_beats = int(truth.end_beat)
    moved = in_reference_beats(damaged.tracks, heard, truth)
    melody = next((track.notes for track in moved if track.role is Role.MELODY), ())
    chords = chords_in_reference_beats(damaged.chords, heard, truth)
    hits = drum_onsets(reference.events(drums=True)), drum_onsets(damaged.events(drums=True))
    pitched = reference.events(drums=False), damaged.events(drums=False)
    beats = reference.beats_s(), damaged.beats_s()

    def drums() -> float:
        return float(np.mean(list(drum_scores(*hits).values())))

    return {
        "content": measured(content_similarity, reference.tracks, moved, n_beats),
        "melody": measured(melody_f1, reference.melody, melody),
        "chords": measured(chord_agreement, reference.chords, chords),
        "sevenths": measured(chord_agreement, reference.chords, chords, vocabulary="sevenths"),
        "key": measured(key_agreement, reference.key, damaged.key),
        "style": measured(lambda: style_fit(damaged.style, reference.style).mean),
        "style drums": measured(lambda: style_fit(damaged.style, reference.style, parts=("drums",)).mean),
        "distinct": measured(distinct_rhythm, damaged.tracks, bars),
        "groove": measured(groove_similarity, damaged.tracks, bars),
        "velocity": measured(velocity_spread, damaged.tracks),
        "micro-timing": measured(micro_timing_ms, damaged.tracks, heard),
        "notes": measured(lambda: note_scores(*pitched).onset_f1),
        "with offsets": measured(lambda: note_scores(*pitched).onset_offset_f1),
        "drums": measured(drums),
        "beats": measured(lambda: beat_scores(*beats).f1),
        "CMLt": measured(lambda: beat_scores(*beats).cmlt),
        "AMLt": measured(lambda: beat_scores(*beats).amlt),
        "downbeats": measured(downbeat_f1, reference.beats_s(downbeats=True), damaged.beats_s(downbeats=True)),
        "tempo": measured(tempo_acc1, truth.mean_tempo_bpm, heard.mean_tempo_bpm),
    }


def _unswung(sample: Sample, _rng: np.random.Generator) -> Sample:
    if sample.swing < _LEAST_SWING:
        raise NotMeasurable("not swung")
    return replace(sample, tracks=remove_swing(sample.tracks, sample.swing))


def _swapped(sample: Sample, _rng: np.random.Generator) -> Sample:
    if not any(track.is_drum and track.notes for track in sample.tracks):
        raise NotMeasurable("no drums")
    return replace(sample, tracks=swap_drums(sample.tracks))


def _stuck(sample: Sample, _rng: np.random.Generator) -> Sample:
    """The fullest bar over and over."""
    bars = sample.timeline.bars
    if not bars:
        raise NotMeasurable("shorter than a bar")
    onsets = np.array([note.onset_beat for track in sample.tracks for note in track.notes])
    fullest = max(bars, key=lambda bar: np.sum((onsets >= bar.onset_beat) & (onsets < bar.end_beat)))
    return replace(sample, tracks=repeat_bar(sample.tracks, bars, fullest))


def _late(delay_s: float) -> Callable[[Sample, np.random.Generator], Sample]:
    return lambda sample, _rng: replace(sample, timeline=delay_beats(sample.timeline, delay_s))


_HARMONY = frozenset({"chords", "sevenths", "key"})
_BEATS = frozenset({"beats", "CMLt", "AMLt", "downbeats", "tempo"})
_RHYTHM = frozenset({"distinct", "groove", "micro-timing"})
_NOTES = frozenset({"notes", "with offsets"})

DAMAGES: tuple[Damage, ...] = (
    Damage("none", lambda sample, _rng: sample, falls=frozenset()),
    Damage(
        "10 % of the notes dropped",
        lambda sample, rng: replace(sample, tracks=drop_notes(sample.tracks, 0.1, rng=rng)),
        # Style fit compares distributions, which a fair draw leaves as they were: by 0.001 on real songs.
        falls=frozenset({"content", "melody", "drums", "groove"}) | _NOTES,
        rises=frozenset({"distinct"}),
        stays=_BEATS,
    ),
    Damage(
        "a semitone up",
        lambda sample, _rng: replace(sample, tracks=transpose(sample.tracks, 1)),
        falls=frozenset({"content", "melody"}) | _HARMONY | _NOTES,
        stays=frozenset({"style drums", "drums", "velocity"}) | _RHYTHM | _BEATS,
    ),
    Damage(
        "swing removed",
        _unswung,
        falls=frozenset({"style", "style drums", "drums"}) | _NOTES,
        stays=frozenset({"velocity"}) | _BEATS,
    ),
    Damage(
        "drums swapped",
        _swapped,
        falls=frozenset({"style", "style drums", "drums"}),
        stays=frozenset({"content", "melody", "velocity"}) | _HARMONY | _NOTES | _RHYTHM | _BEATS,
    ),
    Damage(
        "beats 50 ms late",
        _late(0.05),
        falls=frozenset(),
        stays=frozenset({"beats", "downbeats", "tempo", "style", "style drums", "velocity"}) | _RHYTHM,
    ),
    Damage(
        "beats 100 ms late",
        _late(0.1),
        falls=frozenset({"content", "beats", "downbeats", "drums"}) | _NOTES,
        stays=frozenset({"tempo", "style", "style drums", "velocity"}) | _RHYTHM,
    ),
    Damage(
        "velocities flattened",
        lambda sample, _rng: replace(sample, tracks=flatten_velocities(sample.tracks)),
        falls=frozenset({"velocity", "style"}),
        stays=frozenset({"melody", "drums"}) | _NOTES | _RHYTHM | _BEATS,
    ),
    Damage(
        "one bar repeated",
        _stuck,
        falls=frozenset({"content", "melody", "chords", "sevenths", "style", "distinct"}) | _NOTES,
        rises=frozenset({"groove"}),
        stays=_BEATS,
    ),
)
