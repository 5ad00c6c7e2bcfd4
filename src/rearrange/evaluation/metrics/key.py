"""Key: how far the key found is from the true one."""

from rearrange.score import PITCH_CLASSES, Key

__all__ = ["key_agreement"]


def key_agreement(reference: Key, estimate: Key) -> float:
    """Weighted key score: 1 for the key, 0.5 a fifth above it, 0.3 its relative, 0.2 its parallel, else 0.

    Source: mir_eval.key (MIREX audio key detection).
    """
    from mir_eval import key as mir_key

    names = [f"{PITCH_CLASSES[key.tonic]} {key.mode}" for key in (reference, estimate)]
    return float(mir_key.weighted_score(*names))
