"""How much of the song is left, and how varied the result is: DESIGN 8's symbolic metrics.

Conventions: tracks are compared in beats of the song; an arrangement in double or half time is brought back
by its `beat_ratio`. A perfect input scores 1. An empty one scores 0.
Sources: content and variety as in the study of neural genre conversion that DESIGN 7 cites; melody and
chords by mir_eval (Raffel et al., 2014).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rearrange.score import Chord, Note, Track

__all__ = ["chord_agreement", "chroma_frames", "content_similarity", "melody_f1"]

FRAMES_PER_BEAT = 12
_WINDOW_BEATS = 2
_MELODY_TOLERANCE_BEAT = 0.125


def chroma_frames(tracks: Sequence[Track], n_beats: int, *, beat_ratio: float = 1.0) -> NDArray[np.float64]:
    """Velocity of every sounding pitch class, 12 frames per beat, drums excluded.

    Parameters
    ----------
    n_beats : beats of the song to cover, from beat 0
    beat_ratio : beats of these tracks per beat of the song

    Returns
    -------
    (n_beats * 12, 12)
    """
    frames = np.zeros((n_beats * FRAMES_PER_BEAT, 12))
    scale = FRAMES_PER_BEAT / beat_ratio
    for track in tracks:
        if track.is_drum:
            continue
        for note in track.notes:
            start = round(note.onset_beat * scale)
            stop = max(round((note.onset_beat + note.duration_beat) * scale), start + 1)
            frames[max(start, 0) : max(stop, 0), note.pitch % 12] += note.velocity
    return frames


def content_similarity(
    source: Sequence[Track], result: Sequence[Track], n_beats: int, *, beat_ratio: float = 1.0
) -> float:
    """Mean cosine of smoothed chroma, in [0, 1].

    Chroma of both, two-beat moving average, one-beat stride; windows in which the source is silent are left out,
    and windows in which only the result is silent score 0.

    Returns
    -------
    The mean cosine; 0 if the source has no notes.
    """
    theirs = _smoothed(chroma_frames(source, n_beats))
    ours = _smoothed(chroma_frames(result, n_beats, beat_ratio=beat_ratio))
    norm = np.linalg.norm(theirs, axis=1) * np.linalg.norm(ours, axis=1)
    dot = np.sum(theirs * ours, axis=1)
    cosine = np.divide(dot, norm, out=np.zeros_like(dot), where=norm > 0)
    heard = theirs.any(axis=1)
    return float(cosine[heard].mean()) if heard.any() else 0.0


def _smoothed(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two-beat means at every beat."""
    window = _WINDOW_BEATS * FRAMES_PER_BEAT
    total = np.vstack([np.zeros(12), np.cumsum(frames, axis=0)])
    starts = np.arange(0, max(len(frames) - window, 0) + 1, FRAMES_PER_BEAT)
    return np.asarray(total[np.minimum(starts + window, len(frames))] - total[starts])


def melody_f1(source: Sequence[Note], result: Sequence[Note], *, beat_ratio: float = 1.0) -> float:
    """F1 of notes: same pitch class, onset within an eighth of a beat (mir_eval.transcription, no offsets).

    Returns
    -------
    In [0, 1]; 0 if either has no notes.
    """
    if not source or not result:
        return 0.0
    from mir_eval import transcription

    def folded(notes: Sequence[Note], ratio: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        onsets = np.array([note.onset_beat / ratio for note in notes])
        shift = 1000.0  # mir_eval wants positive times; pickups are negative beats
        intervals = np.stack([onsets + shift, onsets + shift + 0.1], axis=1)
        return intervals, np.array([440.0 * 2 ** ((note.pitch % 12 - 9) / 12) for note in notes])

    reference, pitches = folded(source, 1.0)
    estimate, estimated_pitches = folded(result, beat_ratio)
    _, _, f1, _ = transcription.precision_recall_f1_overlap(
        reference,
        pitches,
        estimate,
        estimated_pitches,
        onset_tolerance=_MELODY_TOLERANCE_BEAT,
        offset_ratio=None,
    )
    return float(f1)


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
    In [0, 1]; 0 if either has no chords.
    """
    if not reference or not estimate:
        return 0.0
    from mir_eval import chord as mir_chord

    start, end = reference[0].onset_beat, reference[-1].end_beat
    reference_intervals, reference_labels = _labelled(reference, 1.0)
    intervals, labels = _labelled(estimate, beat_ratio)
    intervals, labels = mir_chord.util.adjust_intervals(
        intervals, labels, start, end, mir_chord.NO_CHORD, mir_chord.NO_CHORD
    )
    merged, reference_labels, labels = mir_chord.util.merge_labeled_intervals(
        reference_intervals, reference_labels, intervals, labels
    )
    compare = {"majmin": mir_chord.majmin, "sevenths": mir_chord.sevenths}[vocabulary]
    durations = mir_chord.util.intervals_to_durations(merged)
    return float(mir_chord.weighted_accuracy(compare(reference_labels, labels), durations))


def _labelled(chords: Sequence[Chord], beat_ratio: float) -> tuple[NDArray[np.float64], list[str]]:
    """Intervals and Harte labels that follow each other without gap, as mir_eval wants them."""
    from rearrange.analysis.harmony import harte_label

    intervals: list[tuple[float, float]] = []
    labels: list[str] = []
    for chord in chords:
        onset, end = chord.onset_beat / beat_ratio, chord.end_beat / beat_ratio
        if intervals and onset - intervals[-1][1] > 1e-6:
            intervals.append((intervals[-1][1], onset))
            labels.append("N")
        onset = max(onset, intervals[-1][1]) if intervals else onset
        if end - onset > 1e-6:
            intervals.append((onset, end))
            labels.append(harte_label(chord))
    return np.array(intervals), labels
