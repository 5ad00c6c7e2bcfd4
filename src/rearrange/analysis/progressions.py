"""Chords decoded over beats: what is heard in each, how chords follow each other in the key, and when they change.

Conventions: a state is len(QUALITIES) * root + quality; NO_CHORD is the state after the last chord. Progressions
are probabilities of the next chord once the chord changes, (n, n) from row to column, on C.

Source: Viterbi's algorithm; the key as what the chords depend on after M. Mauch and S. Dixon, "Simultaneous
estimation of chords and musical context from audio", IEEE TASLP 18 (2010), though here the key is told first.
"""

import numpy as np
from numpy.typing import NDArray

from rearrange.score import CHORD_INTERVALS, Chord

__all__ = [
    "DOWNBEAT",
    "ELSEWHERE",
    "MIDDLE",
    "NO_CHORD",
    "QUALITIES",
    "bar_places",
    "best_chords",
    "progressions_in",
]

Floats = NDArray[np.float64]

QUALITIES = ("maj", "min", "7", "maj7", "min7", "dim", "aug", "sus4", "sus2", "min7b5")
NO_CHORD = 12 * len(QUALITIES)
DOWNBEAT, MIDDLE, ELSEWHERE = range(3)  # places in the bar, as far as the change of chords goes
_FALLS_SILENT = 0.02  # of changes of chord, those to and from none
_LEAST = 1e-9


def bar_places(downbeats: NDArray[np.bool_]) -> NDArray[np.int64]:
    """DOWNBEAT, MIDDLE (of a bar of an even number) or ELSEWHERE for each span (n_spans,)."""
    places = np.full(len(downbeats), ELSEWHERE)
    starts = np.flatnonzero(downbeats)
    places[starts] = DOWNBEAT
    lengths = np.diff(starts, append=len(downbeats))
    even = (lengths % 2 == 0) & (lengths > 2)
    places[starts[even] + lengths[even] // 2] = MIDDLE
    return places


def progressions_in(progressions: Floats, keys: Floats) -> Floats:
    """How chords follow each other (NO_CHORD, NO_CHORD) where the key is only more or less sure.

    Parameters
    ----------
    progressions : (2, NO_CHORD, NO_CHORD), of major and minor on C
    keys : (12, 2) probabilities
    """
    out = np.zeros(progressions.shape[1:])
    for tonic in range(12):
        order = (np.arange(NO_CHORD) - tonic * len(QUALITIES)) % NO_CHORD
        for mode in range(2):
            if keys[tonic, mode] > 1e-3:
                out += keys[tonic, mode] * progressions[mode][np.ix_(order, order)]
    return np.asarray(out / np.maximum(out.sum(axis=1, keepdims=True), _LEAST))


def best_chords(
    likely: Floats,
    bass: Floats,
    *,
    onset_beats: Floats,
    downbeats: NDArray[np.bool_],
    follows: Floats,
    changes: Floats,
    heard_weight: float,
    usual_weight: float,
) -> tuple[Chord, ...]:
    """The likeliest chords; spans without one have none.

    Parameters
    ----------
    likely, bass : (n_spans, NO_CHORD + 1) and (n_spans, 12) probabilities of states, and of each bass
    onset_beats : (n_spans + 1,) the spans' borders in beats
    follows : (NO_CHORD, NO_CHORD) of `progressions_in`
    changes : (3,) how likely a chord changes at each place of `bar_places`
    heard_weight, usual_weight : of the log probabilities of what is heard, and of what follows what
    """
    usual = np.full((NO_CHORD + 1, NO_CHORD + 1), np.log(_FALLS_SILENT))
    usual[:NO_CHORD, :NO_CHORD] = usual_weight * np.log(follows + _LEAST)
    path = _best_path(heard_weight * np.log(likely + _LEAST), usual, changes[bar_places(downbeats)])
    log_bass = np.log(bass + _LEAST)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(path)) + 1, [len(path)]])
    chords = []
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if path[start] == NO_CHORD:
            continue
        root, quality = divmod(int(path[start]), len(QUALITIES))
        tones = [(root + interval) % 12 for interval in CHORD_INTERVALS[QUALITIES[quality]]]
        heard = log_bass[start:stop].sum(axis=0)
        same_root = slice(root * len(QUALITIES), (root + 1) * len(QUALITIES))
        chords.append(
            Chord(
                float(onset_beats[start]),
                float(onset_beats[stop] - onset_beats[start]),
                root,
                QUALITIES[quality],
                max(tones, key=lambda tone: float(heard[tone])),
                float(np.clip(likely[start:stop, same_root].sum(axis=1).mean(), 0.0, 1.0)),
            )
        )
    return tuple(chords)


def _best_path(heard: Floats, usual: Floats, change: Floats) -> NDArray[np.int64]:
    """The states that together are likeliest, (n_spans,): a state is kept, or left as `usual` has it."""
    n_spans, n_states = heard.shape
    came_from = np.zeros((n_spans, n_states), dtype=np.int64)
    states = np.arange(n_states)
    best = heard[0]
    for i in range(1, n_spans):
        moved = best[:, None] + usual + np.log(change[i])
        moved[states, states] = best + np.log(1.0 - change[i])
        came_from[i] = moved.argmax(axis=0)
        best = moved[came_from[i], states] + heard[i]
    path = np.empty(n_spans, dtype=np.int64)
    path[-1] = int(best.argmax())
    for i in range(n_spans - 1, 0, -1):
        path[i - 1] = came_from[i, path[i]]
    return path
