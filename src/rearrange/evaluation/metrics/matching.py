"""Notes of two transcriptions paired: as many as can be, each with one of the same pitch.

Source: mir_eval.transcription.match_notes (C. Raffel et al., ISMIR 2014), whose largest matching of all notes is
the sum of the largest matchings of each pitch, since notes of different pitches never match. Pitch by pitch it
takes a fraction of the time: its matrices grow with the square of the number of notes.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["n_matched"]

_ANY_HZ = 440.0  # within one pitch, all are alike


def n_matched(
    reference: NDArray[np.float64],
    reference_pitches: NDArray[np.int64],
    estimate: NDArray[np.float64],
    estimate_pitches: NDArray[np.int64],
    *,
    onset_tolerance: float,
    offset_ratio: float | None,
) -> int:
    """How many pairs of notes there are.

    Parameters
    ----------
    reference, estimate : onsets and offsets (n_notes, 2), in one unit, which is that of the tolerance
    offset_ratio : of a note's length, how far its offset may be off (0.05 at least); None if it may be anywhere
    """
    from mir_eval import transcription

    total = 0
    for pitch in np.intersect1d(reference_pitches, estimate_pitches):
        theirs, ours = reference[reference_pitches == pitch], estimate[estimate_pitches == pitch]
        matching = transcription.match_notes(
            theirs,
            np.full(len(theirs), _ANY_HZ),
            ours,
            np.full(len(ours), _ANY_HZ),
            onset_tolerance=onset_tolerance,
            offset_ratio=offset_ratio,
        )
        total += len(matching)
    return total
