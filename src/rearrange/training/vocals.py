"""The vocals of a take: a lead that sings the tune, sometimes doubled, sometimes with others in harmony.

Conventions: sound float32 (2, n) at SAMPLE_RATE. `Played.notes` are the tune as it is sung, and those of the
harmony; doubling is the same note once more, and adds none.

Limits: harmonies are a third to a sixth below, on pitches of the chords; where there is none, an
octave below.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rearrange.score import NoteEvent
from rearrange.training.samples import Played, within
from rearrange.training.singing import Singer, drawn_singer, one_at_a_time, sing
from rearrange.training.voices import Voice

__all__ = ["sung"]

Floats = NDArray[np.float32]

_COMPASSES = ((43, 67), (48, 72), (53, 77), (57, 81))  # of those who sing pop songs, lowest first
_DOUBLED_SHARE, _HARMONY_SHARE = 0.25, 0.15
_APART_S = 0.02  # deviation of the onsets of those who sing together
_SHORTEST_S = 0.03
_NEAREST, _FARTHEST = 3, 9  # semitones below the tune


def sung(
    voices: Sequence[Voice],
    notes: Sequence[NoteEvent],
    rng: np.random.Generator,
    *,
    duration_s: float,
    chords: Sequence[NoteEvent] = (),
) -> Played:
    """A tune, sung; of chords the highest notes.

    Parameters
    ----------
    chords : what others play meanwhile; a harmony takes its pitches from there
    """
    tune = [note for note in one_at_a_time(notes) if note.duration_s >= _SHORTEST_S]
    line = within(_COMPASSES[int(rng.integers(len(_COMPASSES)))], tune)
    lead = drawn_singer(voices, rng)
    words = rng.integers(len(lead.voice.syllables), size=len(line)).tolist()
    alone = sing(lead, line, rng, duration_s=duration_s, words=words)
    samples: Floats = np.stack([alone, alone])
    kept = line
    draw = rng.random()
    if draw < _DOUBLED_SHARE:
        for _ in range(int(rng.integers(1, 3))):
            other = lead if rng.random() < 0.5 else drawn_singer(voices, rng)
            samples += _beside(other, line, words, rng, duration_s=duration_s)
    elif draw < _DOUBLED_SHARE + _HARMONY_SHARE:
        below = tuple(replace(note, pitch=_below(note, chords)) for note in line)
        samples += _beside(drawn_singer(voices, rng), below, words, rng, duration_s=duration_s)
        kept = tuple(sorted((*line, *below), key=lambda note: (note.onset_s, note.pitch)))
    return Played(samples, kept)


def _beside(
    singer: Singer, line: Sequence[NoteEvent], words: Sequence[int], rng: np.random.Generator, *, duration_s: float
) -> Floats:
    """Somebody who sings along: never quite together, softer, and from one side."""
    late_s = rng.normal(0.0, _APART_S, len(line)).tolist()
    onsets_s = [max(note.onset_s + each, 0.0) for note, each in zip(line, late_s, strict=True)]
    limits_s = [*onsets_s[1:], np.inf]
    moved = [
        replace(note, onset_s=onset_s, duration_s=min(note.duration_s, limit_s - onset_s))
        for note, onset_s, limit_s in zip(line, onsets_s, limits_s, strict=True)
        if limit_s - onset_s > _SHORTEST_S / 2
    ]
    kept = [
        word
        for word, onset_s, limit_s in zip(words, onsets_s, limits_s, strict=True)
        if limit_s - onset_s > _SHORTEST_S / 2
    ]
    sound = sing(singer, _parted(moved), rng, duration_s=duration_s, words=kept)
    gain, pan = 10 ** (rng.uniform(-10, -2) / 20), rng.uniform(-0.8, 0.8)
    sides = np.array([[1.0 - max(pan, 0.0)], [1.0 + min(pan, 0.0)]], dtype=np.float32)
    return np.asarray(np.float32(gain) * sides * sound, dtype=np.float32)


def _parted(line: Sequence[NoteEvent]) -> list[NoteEvent]:
    """Notes that moved into each other, in order again."""
    out: list[NoteEvent] = []
    for note in line:
        onset_s = max(note.onset_s, out[-1].onset_s + out[-1].duration_s) if out else note.onset_s
        out.append(replace(note, onset_s=onset_s))
    return out


def _below(note: NoteEvent, chords: Sequence[NoteEvent]) -> int:
    """The nearest pitch below a tune's note that is of what sounds with it."""
    at_s = note.onset_s + 0.05
    sounding = {each.pitch % 12 for each in chords if each.onset_s <= at_s < each.onset_s + each.duration_s}
    for pitch in range(note.pitch - _NEAREST, note.pitch - _FARTHEST - 1, -1):
        if pitch % 12 in sounding:
            return pitch
    return note.pitch - 12
