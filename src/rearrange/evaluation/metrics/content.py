"""How much of the song is left: chroma and melody, in beats of the song.

Conventions: tracks are compared in beats of the song; an arrangement in double or half time is brought back by its
`beat_ratio`, one that was made from a song heard on other beats than the true ones by `in_reference_beats`. A
perfect input scores 1, an empty estimate 0; a reference without notes is NotMeasurable.
Sources: chroma similarity as in O. Cifka et al., "Groove2Groove" (IEEE/ACM TASLP 28, 2020), after W. T. Lu and
L. Su (ISMIR 2018); notes by mir_eval (C. Raffel et al., ISMIR 2014).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics.columns import NoteColumns, finite, note_columns
from rearrange.evaluation.metrics.matching import n_matched
from rearrange.score import Note, Timeline, Track

__all__ = ["FRAMES_PER_BEAT", "chroma_frames", "content_similarity", "in_reference_beats", "melody_f1"]

Floats = NDArray[np.float64]

FRAMES_PER_BEAT = 12
_WINDOW_BEATS = 2
_MELODY_TOLERANCE_BEAT = 0.125


def in_reference_beats(
    tracks: Sequence[Track], heard: Timeline, reference: Timeline, *, beat_ratio: float = 1.0
) -> tuple[Track, ...]:
    """Tracks of an arrangement moved to the beats of the true song.

    An arrangement's beat b is beat b / beat_ratio of the song as heard; that lies at
    heard.seconds(b / beat_ratio) in the recording, which is beat reference.beats(...) of the true song. Notes keep
    their order, pitch and velocity.

    Parameters
    ----------
    heard : the timeline that analysis found for the song
    reference : the song's true timeline
    beat_ratio : beats of the tracks per beat of the song as heard
    """
    return tuple(_moved(track, heard, reference, beat_ratio) for track in tracks)


def _moved(track: Track, heard: Timeline, reference: Timeline, beat_ratio: float) -> Track:
    notes = note_columns(track.notes)
    onsets = _true_beats(notes.onset_beat, heard, reference, beat_ratio)
    ends = _true_beats(notes.onset_beat + notes.duration_beat, heard, reference, beat_ratio)
    rows = zip(track.notes, onsets.tolist(), (ends - onsets).tolist(), strict=True)
    return replace(track, notes=tuple(Note(at, long, note.pitch, note.velocity) for note, at, long in rows))


def _true_beats(beats: Floats, heard: Timeline, reference: Timeline, beat_ratio: float) -> Floats:
    return reference.beats(heard.seconds(beats / beat_ratio))


def chroma_frames(tracks: Sequence[Track], n_beats: int, *, beat_ratio: float = 1.0) -> Floats:
    """Velocity of every sounding pitch class, 12 frames per beat, drums excluded.

    Parameters
    ----------
    n_beats : beats of the song to cover, from beat 0
    beat_ratio : beats of these tracks per beat of the song

    Returns
    -------
    (n_beats * 12, 12)

    Raises
    ------
    NotMeasurable : a note's time is not a number.
    """
    n_frames = n_beats * FRAMES_PER_BEAT
    # What starts and what stops at each frame; their running sum is what sounds.
    changes = np.zeros((n_frames + 1) * 12)
    for track in tracks:
        if track.is_drum or not track.notes:
            continue
        notes = note_columns(track.notes)
        start, stop = _frame_span(notes, FRAMES_PER_BEAT / beat_ratio)
        for frames, sign in ((start, 1.0), (stop, -1.0)):
            cells = np.clip(frames, 0, n_frames) * 12 + notes.pitch % 12
            changes += np.bincount(cells, sign * notes.velocity, minlength=len(changes))
    return np.asarray(np.cumsum(changes.reshape(-1, 12), axis=0)[:n_frames])


def _frame_span(notes: NoteColumns, frames_per_beat: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First frame of each note and the one after its last; at least one frame."""
    start = np.rint(notes.onset_beat * frames_per_beat).astype(np.int64)
    stop = np.rint((notes.onset_beat + notes.duration_beat) * frames_per_beat).astype(np.int64)
    return start, np.maximum(stop, start + 1)


def content_similarity(
    source: Sequence[Track], result: Sequence[Track], n_beats: int, *, beat_ratio: float = 1.0
) -> float:
    """Mean cosine of smoothed chroma, in [0, 1].

    Chroma of both, two-beat moving average, one-beat stride; windows in which the source is silent are left out,
    and windows in which only the result is silent score 0.

    Parameters
    ----------
    n_beats : beats of the source to compare, from beat 0
    beat_ratio : beats of the result per beat of the source

    Returns
    -------
    The mean cosine; 0 if the result has no notes.

    Raises
    ------
    NotMeasurable : the source plays no pitched note in these beats, or a time is not a number.

    Source: the content preservation of Groove2Groove, there with velocities binarised.
    """
    theirs = _smoothed(chroma_frames(source, n_beats))
    heard = theirs.any(axis=1)
    if not heard.any():
        raise NotMeasurable("the source has no pitched notes")
    ours = _smoothed(chroma_frames(result, n_beats, beat_ratio=beat_ratio))
    norm = np.linalg.norm(theirs, axis=1) * np.linalg.norm(ours, axis=1)
    dot = np.sum(theirs * ours, axis=1)
    cosine = np.divide(dot, norm, out=np.zeros_like(dot), where=norm > 0)
    return float(cosine[heard].mean())


def _smoothed(frames: Floats) -> Floats:
    """Two-beat sums at every beat."""
    window = _WINDOW_BEATS * FRAMES_PER_BEAT
    total = np.vstack([np.zeros(12), np.cumsum(frames, axis=0)])
    starts = np.arange(0, max(len(frames) - window, 0) + 1, FRAMES_PER_BEAT)
    return np.asarray(total[np.minimum(starts + window, len(frames))] - total[starts])


def melody_f1(source: Sequence[Note], result: Sequence[Note], *, beat_ratio: float = 1.0) -> float:
    """F1 of notes: same pitch class, onset within an eighth of a beat (mir_eval.transcription, no offsets).

    Returns
    -------
    In [0, 1]; 0 if the result has no notes.

    Raises
    ------
    NotMeasurable : the source has no notes, or a time is not a number.

    Source: mir_eval.transcription, as precision_recall_f1_overlap; see `matching.py`.
    """
    if not source:
        raise NotMeasurable("the source has no melody")
    if not result:
        return 0.0
    matched = n_matched(
        _onsets(source, 1.0),
        np.array([note.pitch % 12 for note in source]),
        _onsets(result, beat_ratio),
        np.array([note.pitch % 12 for note in result]),
        onset_tolerance=_MELODY_TOLERANCE_BEAT,
        offset_ratio=None,
    )
    return 2.0 * matched / (len(source) + len(result))


def _onsets(notes: Sequence[Note], beat_ratio: float) -> Floats:
    """Onsets in beats of the song (n_notes, 2), with offsets that nobody looks at."""
    onsets = finite([note.onset_beat / beat_ratio for note in notes], "onsets")
    return np.stack([onsets, onsets], axis=1)
