"""A whole take played faster or slower, higher or lower than it was made: on tape, or by stretching.

Conventions: `tempo` above 1 is faster; what is known of a take moves with it. A take stays SCENE_S long: what a
slower one has beyond that is cut off, behind a faster one is silence. On tape pitch and tempo move together, by
less than half a semitone: notes keep their names. Stretching moves by whole semitones.

Source: stretching by Signalsmith's library (python-stretch); its onsets were found within 1 ms of their places.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rearrange.models.mel import SAMPLE_RATE
from rearrange.score import NoteEvent
from rearrange.training.scenes import SCENE_S

__all__ = ["AS_MADE", "Speed", "drawn_speed"]

Floats = NDArray[np.float32]

_TAPE_SHARE, _STRETCHED_SHARE = 0.1, 0.05
_TAPE = 0.4  # semitones either way
_STRETCHED = 0.12  # of tempo, in natural logarithms
_TRANSPOSED = 2  # semitones either way


@dataclass(frozen=True)
class Speed:
    """How a take is played; `semitones` for notes, whatever the tape does."""

    tempo: float
    semitones: int
    is_tape: bool

    def of(self, samples: Floats) -> Floats:
        """The sound (2, n) at this speed, as long as before."""
        if self == AS_MADE:
            return samples
        if self.is_tape:
            import soxr

            moved = soxr.resample(samples.T, SAMPLE_RATE * self.tempo, SAMPLE_RATE).T
        elif not samples.any():
            return samples
        else:
            import python_stretch

            stretch = python_stretch.Signalsmith.Stretch()
            stretch.preset(samples.shape[0], SAMPLE_RATE)
            stretch.setTimeFactor(self.tempo)
            stretch.setTransposeSemitones(self.semitones)
            moved = np.asarray(stretch.process(np.ascontiguousarray(samples)))
        n = samples.shape[1]
        out = np.pad(moved[:, :n], ((0, 0), (0, max(n - moved.shape[1], 0))))
        return np.ascontiguousarray(out, dtype=np.float32)

    def of_notes(self, notes: Iterable[NoteEvent], *, are_drums: bool = False) -> tuple[NoteEvent, ...]:
        """The notes that are still heard, where they are."""
        shift = 0 if are_drums else self.semitones
        return tuple(
            replace(
                note,
                onset_s=note.onset_s / self.tempo,
                duration_s=note.duration_s / self.tempo,
                pitch=int(np.clip(note.pitch + shift, 0, 127)),
            )
            for note in notes
            if note.onset_s / self.tempo < SCENE_S
        )


AS_MADE = Speed(1.0, 0, False)


def drawn_speed(rng: np.random.Generator) -> Speed:
    """Most often as it was made."""
    draw = rng.random()
    if draw < _TAPE_SHARE:
        return Speed(float(2 ** (rng.uniform(-_TAPE, _TAPE) / 12)), 0, is_tape=True)
    if draw < _TAPE_SHARE + _STRETCHED_SHARE:
        tempo = float(np.exp(rng.uniform(-_STRETCHED, _STRETCHED)))
        return Speed(tempo, int(rng.integers(-_TRANSPOSED, _TRANSPOSED + 1)), is_tape=False)
    return AS_MADE
