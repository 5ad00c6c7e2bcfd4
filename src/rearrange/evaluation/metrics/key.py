"""Key: what is heard in notes, and how far it is from the true one."""

from collections.abc import Sequence

from rearrange.analysis.harmony import estimate_key
from rearrange.evaluation.metrics.content import chroma_frames
from rearrange.score import PITCH_CLASSES, Chord, Key, Track

__all__ = ["heard_key", "key_agreement"]


def heard_key(tracks: Sequence[Track], n_beats: int, chords: Sequence[Chord] = ()) -> Key:
    """The key that analysis hears in notes, beat by beat; C major with confidence 0 where nothing sounds.

    Parameters
    ----------
    n_beats : beats to cover, from beat 0
    chords : where the song rests on a chord counts for its tonic

    Source: `analysis/harmony.py`, the ears of the pipeline.
    """
    if n_beats < 1:
        return Key(0, "major", 0.0)
    return estimate_key(chroma_frames(tracks, n_beats).reshape(n_beats, -1, 12).sum(axis=1), chords)


def key_agreement(reference: Key, estimate: Key) -> float:
    """Weighted key score: 1 for the key, 0.5 a fifth above it, 0.3 its relative, 0.2 its parallel, else 0.

    Source: mir_eval.key (MIREX audio key detection).
    """
    from mir_eval import key as mir_key

    names = [f"{PITCH_CLASSES[key.tonic]} {key.mode}" for key in (reference, estimate)]
    return float(mir_key.weighted_score(*names))
