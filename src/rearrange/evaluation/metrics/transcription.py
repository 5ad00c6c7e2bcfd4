"""Transcription: which notes and drum hits were heard.

Conventions: times in seconds; a note or a hit is found if its onset lies within 50 ms. An empty estimate scores 0;
a reference without notes is NotMeasurable.
Sources: mir_eval.transcription and mir_eval.onset (C. Raffel et al., ISMIR 2014).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics.columns import finite
from rearrange.evaluation.metrics.matching import n_matched
from rearrange.evaluation.metrics.quiet import empty_allowed
from rearrange.score import NoteEvent

__all__ = ["DRUM_CLASSES", "NoteScores", "drum_onsets", "drum_scores", "note_scores"]

Floats = NDArray[np.float64]

ONSET_TOLERANCE_S = 0.05
OFFSET_RATIO = 0.2  # of the note's length, 50 ms at least; mir_eval's
_SHORTEST_S = 0.001  # mir_eval refuses notes without length

# General MIDI percussion by what a drum transcriber tells apart. Side sticks and claps play the snare's part.
DRUM_CLASSES: Mapping[str, tuple[int, ...]] = {
    "kick": (35, 36),
    "snare": (37, 38, 39, 40),
    "hat": (42, 44, 46),
    "tom": (41, 43, 45, 47, 48, 50),
    "crash": (49, 52, 55, 57),
    "ride": (51, 53, 59),
}


@dataclass(frozen=True, slots=True)
class NoteScores:
    """F1 of notes by pitch and onset; and by pitch, onset and offset."""

    onset_f1: float
    onset_offset_f1: float


def note_scores(
    reference: Sequence[NoteEvent], estimate: Sequence[NoteEvent], *, octave_folded: bool = False
) -> NoteScores:
    """F1 of notes: same pitch and onset within 50 ms; offset within 50 ms or a fifth of the note besides.

    Parameters
    ----------
    octave_folded : a note an octave off is right

    Raises
    ------
    NotMeasurable : the reference has no notes, or a time is not a number.

    Source: mir_eval.transcription, as precision_recall_f1_overlap; see `matching.py`.
    """
    if not reference:
        raise NotMeasurable("the reference has no notes")
    if not estimate:
        return NoteScores(0.0, 0.0)
    theirs, ours = _intervals(reference), _intervals(estimate)
    their_pitches, our_pitches = (
        np.array([note.pitch % 12 if octave_folded else note.pitch for note in notes])
        for notes in (reference, estimate)
    )
    onsets, both = (
        n_matched(
            theirs,
            their_pitches,
            ours,
            our_pitches,
            onset_tolerance=ONSET_TOLERANCE_S,
            offset_ratio=offset_ratio,
        )
        for offset_ratio in (None, OFFSET_RATIO)
    )
    n_notes = len(reference) + len(estimate)
    return NoteScores(2.0 * onsets / n_notes, 2.0 * both / n_notes)


def _intervals(notes: Sequence[NoteEvent]) -> Floats:
    """Onsets and offsets (n_notes, 2)."""
    onsets = finite([note.onset_s for note in notes], "onsets")
    lengths = finite([note.duration_s for note in notes], "durations")
    return np.stack([onsets, onsets + np.maximum(lengths, _SHORTEST_S)], axis=1)


def drum_onsets(hits: Sequence[NoteEvent]) -> dict[str, Floats]:
    """Sorted onsets in seconds of each class of DRUM_CLASSES, from hits with General MIDI pitches.

    Percussion of no class (congas, shakers) is left out. Every class has an entry, be it empty.
    """
    onsets = {
        name: [hit.onset_s for hit in hits if hit.pitch in pitches] for name, pitches in DRUM_CLASSES.items()
    }
    return {name: np.sort(np.array(times, dtype=np.float64)) for name, times in onsets.items()}


def drum_scores(
    reference: Mapping[str, Sequence[float] | Floats], estimate: Mapping[str, Sequence[float] | Floats]
) -> dict[str, float]:
    """F1 of hits within 50 ms, class by class, of the classes that the reference has.

    Parameters
    ----------
    reference, estimate : class to onsets in seconds, as `drum_onsets` gives; any names will do that both use

    Returns
    -------
    F1 per class; a class that nobody plays is left out, and one played only in the estimate too (its false
    hits were taken from some other class, whose F1 they lower).

    Raises
    ------
    NotMeasurable : the reference has no hits, or a time is not a number.

    Source: mir_eval.onset.f_measure; per class as in C.-W. Wu et al., "A Review of Automatic Drum Transcription"
    (IEEE/ACM TASLP 26, 2018).
    """
    from mir_eval import onset

    scores: dict[str, float] = {}
    for name, times in reference.items():
        if len(times) == 0:
            continue
        theirs, ours = (np.sort(finite(hits, "hits")) for hits in (times, estimate.get(name, ())))
        with empty_allowed():
            scores[name] = float(onset.f_measure(theirs, ours, window=ONSET_TOLERANCE_S)[0])
    if not scores:
        raise NotMeasurable("the reference has no drum hits")
    return scores
