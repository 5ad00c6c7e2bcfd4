"""Excerpts of music whose beats and bars are known.

Conventions: an excerpt lasts at most `EXCERPT_S`, a little longer where its tempo drifts; times are seconds from
its start. Beats are felt beats (`analysis.metre`).
"""

import random
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rearrange.score import NoteEvent, Part

__all__ = ["EXCERPT_S", "Excerpt", "cut", "drifting", "misheard"]

Floats = NDArray[np.float64]

EXCERPT_S = 40.0
_DRIFT = 0.05  # a third of the excerpts slow down and speed up by this much
_KICK_SNARE_HAT = (36, 38, 42)


@dataclass(frozen=True)
class Excerpt:
    """Some bars of a song.

    Parameters
    ----------
    name, song : unique, and of the song that it is from: excerpts of one song belong to one fold
    beats_s : (n_beats,) felt beats
    positions : (n_beats,) of each beat in its bar; 0 is a downbeat
    """

    name: str
    song: str
    kind: str
    parts: tuple[Part, ...]
    beats_s: Floats
    positions: NDArray[np.int64]
    beats_per_bar: int

    @property
    def n_notes(self) -> int:
        return sum(len(part.notes) for part in self.parts)

    @property
    def duration_s(self) -> float:
        """Until a second after the last note, but not for ever where that one is held."""
        ends = [note.onset_s + note.duration_s for part in self.parts for note in part.notes]
        return min(max(ends, default=0.0) + 1.0, 1.2 * EXCERPT_S)

    @property
    def downbeats_s(self) -> Floats:
        return np.asarray(self.beats_s[self.positions == 0])


def cut(whole: Excerpt, start_s: float, *, drift: float = 0.0, phase: float = 0.0) -> Excerpt:
    """The EXCERPT_S of a song from `start_s` on, its tempo going up and down by `drift` (0.05 is 5%)."""
    grid = np.linspace(0.0, 3.0 * EXCERPT_S, 6000)
    rate = 1.0 + drift * np.sin(2.0 * np.pi * grid / EXCERPT_S + phase)
    warped = np.concatenate([[0.0], np.cumsum(np.diff(grid) / rate[:-1])])

    def moved(note: NoteEvent) -> NoteEvent:
        onset, end = np.interp([note.onset_s - start_s, note.onset_s - start_s + note.duration_s], grid, warped)
        return replace(note, onset_s=float(onset), duration_s=max(float(end - onset), 0.03))

    parts = tuple(
        replace(part, notes=tuple(moved(n) for n in part.notes if 0.0 <= n.onset_s - start_s < EXCERPT_S))
        for part in whole.parts
    )
    last_s = max((note.onset_s - start_s for part in whole.parts for note in part.notes), default=0.0)
    times = whole.beats_s - start_s
    kept = (times >= 0.0) & (times < EXCERPT_S) & (times <= last_s + 0.1)
    return replace(
        whole,
        parts=tuple(part for part in parts if part.notes),
        beats_s=np.interp(times[kept], grid, warped),
        positions=whole.positions[kept],
    )


def drifting(rng: random.Random) -> dict[str, float]:
    """How the tempo of an excerpt drifts, for `cut`: most do not."""
    return {"drift": _DRIFT if rng.random() < 1 / 3 else 0.0, "phase": rng.uniform(0.0, 2.0 * np.pi)}


def misheard(excerpt: Excerpt, rng: random.Random) -> Excerpt:
    """The notes as a transcription gives them: some missing, some made up, octaves off, onsets 12 ms astray."""
    return replace(
        excerpt,
        parts=tuple(
            replace(part, notes=_in_order([h for note in part.notes for h in _heard(note, part.is_drum, rng)]))
            for part in excerpt.parts
        ),
    )


def _in_order(notes: list[NoteEvent]) -> tuple[NoteEvent, ...]:
    return tuple(sorted(notes, key=lambda note: (note.onset_s, note.pitch)))


def _heard(note: NoteEvent, is_drum: bool, rng: random.Random) -> list[NoteEvent]:
    if rng.random() < 0.2:
        return []
    pitch = note.pitch
    if is_drum and rng.random() < 0.08:
        pitch = rng.choice(_KICK_SNARE_HAT)
    if not is_drum and rng.random() < 0.04:
        pitch = min(pitch + 12, 127)
    velocity = min(127, max(20, int(note.velocity * 0.5 + 50 + rng.gauss(0, 12))))
    onset_s = max(0.0, note.onset_s + rng.gauss(0, 0.012))
    out = [NoteEvent(onset_s, max(0.05, note.duration_s * rng.uniform(0.5, 1.1)), pitch, velocity)]
    if rng.random() < 0.08:
        ghost = pitch if is_drum else min(127, max(0, pitch + rng.choice((12, 7, -12))))
        out.append(NoteEvent(rng.uniform(0.0, EXCERPT_S), 0.15, ghost, 45))
    return out
