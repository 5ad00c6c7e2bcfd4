"""Chords: how far two sequences agree, and what our own ears make of an arrangement's notes.

Conventions: beats are quarter notes; chord labels are Harte's. A perfect estimate scores 1, an empty one 0; a
reference without chords is NotMeasurable.
Sources: mir_eval.chord (C. Raffel et al., ISMIR 2014); label syntax of C. Harte et al., ISMIR 2005.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.chroma import note_chroma, note_pitch_frames
from rearrange.analysis.harmony import estimate_chords, harte_label
from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics.columns import finite, note_columns
from rearrange.score import Chord, Key, NoteEvent, Timeline, Track

__all__ = ["chord_agreement", "chords_in_reference_beats", "heard_chords", "note_events"]

_SHORTEST_BEAT = 1e-6


def chords_in_reference_beats(
    chords: Sequence[Chord], heard: Timeline, reference: Timeline, *, beat_ratio: float = 1.0
) -> tuple[Chord, ...]:
    """Chords of an arrangement moved to the beats of the true song, as `in_reference_beats` moves notes."""
    onsets = finite([chord.onset_beat for chord in chords], "chords")
    ends = finite([chord.end_beat for chord in chords], "chords")
    starts = reference.beats(heard.seconds(onsets / beat_ratio)).tolist()
    stops = reference.beats(heard.seconds(ends / beat_ratio)).tolist()
    rows = zip(chords, starts, stops, strict=True)
    return tuple(replace(chord, onset_beat=at, duration_beat=to - at) for chord, at, to in rows)


def heard_chords(tracks: Sequence[Track], timeline: Timeline, key: Key) -> tuple[Chord, ...]:
    """What analysis hears in an arrangement's pitched notes, beat by beat; none if there are no notes.

    Parameters
    ----------
    tracks, timeline : the arrangement's notes and its own timeline
    key : chords of it are expected more than others

    Raises
    ------
    NotMeasurable : shorter than a beat, or a note's time is not a number.

    Source: `analysis/harmony.py`, the ears of the pipeline; so its mistakes count as the arrangement's.
    """
    if timeline.end_beat < 1.0:
        raise NotMeasurable("shorter than a beat")
    notes = [event for track in tracks if not track.is_drum for event in note_events(track, timeline)]
    if not notes:
        return ()
    edges = np.arange(0.0, timeline.end_beat + 0.5)
    borders_s = timeline.seconds(edges)
    chroma = note_chroma(note_pitch_frames(notes, float(borders_s[-1]) + 1.0), borders_s)
    starts = np.array([bar.onset_beat for bar in timeline.bars])
    downbeats = np.isclose(edges[:-1, None], starts[None, :], rtol=0.0, atol=1e-3).any(axis=1)
    return estimate_chords(chroma.treble, chroma.bass, onset_beats=edges, downbeats=downbeats, key=key)


def note_events(track: Track, timeline: Timeline) -> list[NoteEvent]:
    """A track's notes in seconds."""
    notes = note_columns(track.notes)
    starts = timeline.seconds(notes.onset_beat)
    lengths = timeline.seconds(notes.onset_beat + notes.duration_beat) - starts
    rows = zip(track.notes, starts.tolist(), lengths.tolist(), strict=True)
    return [NoteEvent(at, long, note.pitch, note.velocity) for note, at, long in rows]


def chord_agreement(
    reference: Sequence[Chord], estimate: Sequence[Chord], *, beat_ratio: float = 1.0, vocabulary: str = "majmin"
) -> float:
    """Share of the time in which two chord sequences agree (mir_eval.chord, duration-weighted).

    Parameters
    ----------
    beat_ratio : beats of the estimate per beat of the reference
    vocabulary : majmin or sevenths; time whose reference lies outside it does not count

    Returns
    -------
    In [0, 1]; 0 if the estimate has no chords.

    Raises
    ------
    NotMeasurable : the reference has no chords, or none within the vocabulary, or a time is not a number.
    ValueError : no such vocabulary.
    """
    if vocabulary not in ("majmin", "sevenths"):
        raise ValueError(f"vocabulary is majmin or sevenths, not {vocabulary!r}")
    if not reference:
        raise NotMeasurable("the reference has no chords")
    finite([time for chord in (*reference, *estimate) for time in (chord.onset_beat, chord.end_beat)], "chords")
    reference_intervals, reference_labels = _labelled(reference, 1.0)
    if len(reference_intervals) == 0:
        raise NotMeasurable("the reference's chords have no length")
    # Of the intervals, not of the chords: a last chord without any length is not among them.
    start, end = float(reference_intervals[0, 0]), float(reference_intervals[-1, 1])
    estimate = [c for c in estimate if c.end_beat > start * beat_ratio and c.onset_beat < end * beat_ratio]
    intervals, labels = _labelled(estimate, beat_ratio)
    if len(intervals) == 0:
        return 0.0
    from mir_eval import chord as mir_chord

    intervals, labels = mir_chord.util.adjust_intervals(
        intervals, labels, start, end, mir_chord.NO_CHORD, mir_chord.NO_CHORD
    )
    merged, reference_labels, labels = mir_chord.util.merge_labeled_intervals(
        reference_intervals, reference_labels, intervals, labels
    )
    comparison = {"majmin": mir_chord.majmin, "sevenths": mir_chord.sevenths}[vocabulary](reference_labels, labels)
    if (comparison < 0).all():  # mir_eval marks what lies outside the vocabulary by -1
        raise NotMeasurable(f"no chord of the reference is in {vocabulary}")
    return float(mir_chord.weighted_accuracy(comparison, mir_chord.util.intervals_to_durations(merged)))


def _labelled(chords: Sequence[Chord], beat_ratio: float) -> tuple[NDArray[np.float64], list[str]]:
    """Intervals and Harte labels that follow each other without gap, as mir_eval wants them."""
    intervals: list[tuple[float, float]] = []
    labels: list[str] = []
    for chord in chords:
        onset, end = chord.onset_beat / beat_ratio, chord.end_beat / beat_ratio
        if intervals and onset - intervals[-1][1] > _SHORTEST_BEAT:
            intervals.append((intervals[-1][1], onset))
            labels.append("N")
        onset = max(onset, intervals[-1][1]) if intervals else onset
        if end - onset > _SHORTEST_BEAT:
            intervals.append((onset, end))
            labels.append(harte_label(chord))
    return np.array(intervals), labels
