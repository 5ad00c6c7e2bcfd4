"""Voicings: which notes of a chord, how far apart, and how each voice moves to the next.

Every candidate (inversions of the genre's kind of voicing inside the register) is scored by how far its voices
move, how far it strays from the register's middle, and what it does to the melody; the best is taken.
Sources: the low-interval limits are those of common arranging practice (thirds below C3 and seconds below
C4 sound muddy); a hand spans at most a tenth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from rearrange.score import CHORD_INTERVALS, Chord

__all__ = ["Voicer"]

_C3, _C4 = 48, 60
_TENTH = 16  # semitones a hand spans; also the widest gap between neighbouring voices
# A tone that makes up this much of what is heard belongs to the song's harmony, whatever the chord's name.
_ADDED_TONE_SHARE = 0.16
_MUD_PENALTY = 6.0
_MELODY_PENALTY = 8.0


@dataclass
class Voicer:
    """Finds voicings one after the other, remembering the last for voice leading.

    Parameters
    ----------
    kind : a voicing of the genre format (close, open, drop2, rootless, shell, spread, power, guitar, quartal)
    register : MIDI pitches the voices stay in
    """

    kind: str
    register: tuple[int, int]
    last: tuple[int, ...] = ()

    def voice(
        self, chord: Chord, n_voices: int, *, melody_pitch: int | None, evidence: NDArray[np.float64]
    ) -> tuple[int, ...]:
        """Pitches from low to high; they become the ones to lead on from.

        Parameters
        ----------
        melody_pitch : the melody's note at that moment, which the voicing leaves alone
        evidence : 12 weights of the pitch classes really heard, which break ties between chord tones
        """
        classes = _choose_classes(chord, n_voices, self.kind, evidence)
        candidates = _candidates(classes, chord, self.kind, self.register)
        best = min(candidates, key=lambda pitches: (self._cost(pitches, melody_pitch), pitches))
        self.last = best
        return best

    def _cost(self, pitches: tuple[int, ...], melody_pitch: int | None) -> float:
        middle = (self.register[0] + self.register[1]) / 2
        cost = 0.35 * abs(fmean(pitches) - middle)
        if self.last:
            cost += _movement(self.last, pitches)
        for low, high in pairwise(pitches):
            if (low < _C3 and high - low < 5) or (low < _C4 and high - low < 2):
                cost += _MUD_PENALTY
            if high - low > _TENTH:
                cost += _MUD_PENALTY
        if melody_pitch is not None:
            cost += _MELODY_PENALTY * sum(abs(pitch - melody_pitch) == 1 for pitch in pitches)
            cost += 0.5 * max(pitches[-1] - melody_pitch, 0)
        return cost


def _movement(before: Sequence[int], after: Sequence[int]) -> float:
    """Mean way of each new voice from the nearest old one, plus that of the top voice, which is heard most."""
    nearest = [min(abs(pitch - old) for old in before) for pitch in after]
    return fmean(nearest) * 2 + 0.5 * abs(after[-1] - before[-1])


def _choose_classes(chord: Chord, n_voices: int, kind: str, evidence: NDArray[np.float64]) -> list[int]:
    """Pitch classes to sound, the most telling first kept: third and seventh, colour, root, fifth."""
    intervals = CHORD_INTERVALS[chord.quality]
    if kind == "power":
        fifth = next((i for i in intervals if i in (6, 7, 8)), 7)
        return [chord.root, (chord.root + fifth) % 12, chord.root][: max(n_voices, 2)]
    total = float(evidence.sum()) or 1.0
    share = {i: float(evidence[(chord.root + i) % 12]) / total for i in range(12)}
    worth = {}
    for i in intervals:
        base = {0: 0.55, 7: 0.35}.get(i, 0.8 if i in (3, 4, 10, 11) else 0.6)
        if i == 0:
            base = {"rootless": 0.1, "shell": 0.7}.get(kind, base)
        worth[i] = base + 1.5 * share[i]
    for i in _heard_besides(intervals, share):  # an added or suspended tone of the song's own
        worth[i] = 0.2 + 1.5 * share[i]
        for rubbed in ((i - 1) % 12, (i + 1) % 12):
            worth.pop(rubbed, None)
    ranked = sorted(worth, key=lambda i: (-worth[i], i))[: max(n_voices, 1)]
    ordered = sorted(ranked)
    # More voices than tones: double what the song itself plays most, else the root and the fifth, as bands do.
    doubles = sorted(ordered, key=lambda i: -float(evidence[(chord.root + i) % 12]) - 0.01 * (i in (0, 7)))
    while len(ordered) < n_voices and kind != "rootless":
        ordered.append(doubles[(len(ordered) - len(ranked)) % len(doubles)])
    return [(chord.root + i) % 12 for i in ordered]


def _heard_besides(intervals: Sequence[int], share: Mapping[int, float]) -> list[int]:
    """Intervals outside the chord that the song plays more than their neighbours inside it."""
    return [
        i
        for i in range(12)
        if i not in intervals
        and share[i] >= _ADDED_TONE_SHARE
        and share[i] > 1.5 * max(share[(i - 1) % 12], share[(i + 1) % 12])
    ]


def _candidates(
    classes: Sequence[int], chord: Chord, kind: str, register: tuple[int, int]
) -> list[tuple[int, ...]]:
    low, high = register
    orders = [[*classes[k:], *classes[:k]] for k in range(len(classes))]
    if kind in ("power", "guitar"):
        orders = [[chord.root, *[c for c in classes if c != chord.root]]]
        if kind == "power":
            orders = [list(classes)]
    candidates = []
    for order in orders:
        for start in range(low, high + 1):
            if start % 12 != order[0]:
                continue
            stacked = _spread(_stack(order, start), kind)
            if stacked[-1] <= high and stacked[0] >= low:
                candidates.append(stacked)
    if candidates:
        return candidates
    # The register is too small for that spacing: fold every voice into it.
    folded = sorted({_fold(c, low, high) for c in classes})
    return [tuple(folded)]


def _stack(order: Sequence[int], start: int) -> list[int]:
    """Close position upward from a pitch."""
    pitches = [start]
    for pitch_class in order[1:]:
        step = (pitch_class - pitches[-1]) % 12 or 12
        pitches.append(pitches[-1] + step)
    return pitches


def _spread(pitches: list[int], kind: str) -> tuple[int, ...]:
    """Open the close position as the kind of voicing does."""
    if kind == "drop2" and len(pitches) >= 3:
        pitches = [*pitches[:-2], pitches[-2] - 12, pitches[-1]]
    elif kind in ("open", "spread") and len(pitches) >= 3:
        pitches = [p + 12 if i % 2 else p for i, p in enumerate(pitches)]
    elif kind == "quartal" and len(pitches) >= 3:
        pitches = [pitches[0], pitches[2], *(p + 12 for p in (pitches[1], *pitches[3:]))]
    return tuple(sorted(set(pitches)))


def _fold(pitch_class: int, low: int, high: int) -> int:
    """The pitch of that class nearest to the middle of a range."""
    middle = (low + high) / 2
    options = [p for p in range(low, high + 1) if p % 12 == pitch_class]
    return min(options, key=lambda p: abs(p - middle)) if options else round(middle)
