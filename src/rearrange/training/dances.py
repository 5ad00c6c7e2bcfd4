"""Songs in 3/4 and 6/8 made from nothing, and drums for songs that have none: what the sets lack.

A dance is four chords over and over with a bass, an accompaniment and a tune, each in one of a few ways that such
music is commonly played, and mostly with drums. The tune keeps its rhythm for some bars.

Conventions: a bar of 3/4 has three felt beats of two eighths, a bar of 6/8 two of three. Everything comes from the
generator that is passed.

Limits: major keys, one metre, no chord shorter than a bar. No song of anybody's, and nothing fitted.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rearrange.score import NoteEvent, Part
from rearrange.training.excerpts import EXCERPT_S, Excerpt, cut, drifting

__all__ = ["dance", "drummed"]

_KICK, _SNARE, _STICK, _HAT, _OPEN_HAT, _CRASH, _RIDE, _TOM = 36, 38, 37, 42, 46, 49, 51, 45
_SCALE = (0, 2, 4, 5, 7, 9, 11)
_PROGRESSIONS = (
    (0, 5, 3, 4),
    (0, 3, 4, 0),
    (0, 4, 5, 3),
    (0, 0, 3, 4),
    (5, 3, 0, 4),
    (0, 1, 4, 0),
)  # scale degrees
_TEMPI_BPM = {3: (80.0, 180.0), 2: (44.0, 92.0)}  # felt beats per minute, of 3/4 and of 6/8
_PLAYED_S = 0.007  # how far onsets stray from the grid, one standard deviation
_FILL_BARS = 8

# Drums by felt beats per bar, each a choice of positions in felt beats.
_KICKS: dict[int, tuple[tuple[float, ...], ...]] = {
    2: ((0.0,), (0.0, 5 / 3), (0.0, 2 / 3), (0.0, 1.0), (0.0, 4 / 3, 5 / 3)),
    3: ((0.0,), (0.0, 2.5), (0.0, 1.5), (0.0, 2.0), (0.0,)),
    4: ((0.0, 2.0), (0.0, 2.5), (0.0, 1.5, 2.0), (0.0, 1.0, 2.0, 3.0)),
}
_SNARES: dict[int, tuple[tuple[float, ...], ...]] = {
    2: ((1.0,), (1.0,), (1.0, 5 / 3), ()),
    3: ((1.0, 2.0), (2.0,), (1.0, 2.0), (1.0,), ()),
    4: ((1.0, 3.0), (1.0, 3.0), (2.0,), ()),
}
_PARTS_OF_BEAT = {2: 3, 3: 2, 4: 2}
# The accompaniment's positions: struck chords, or single tones of an arpeggio.
_CHORDS: dict[int, tuple[tuple[float, ...], ...]] = {
    2: ((0.0,), (0.0, 1.0), (1 / 3, 2 / 3, 4 / 3, 5 / 3), (0.0, 2 / 3, 1.0, 5 / 3)),
    3: ((1.0, 2.0), (0.0,), (0.0, 1.0, 2.0), (1.0, 2.0), (0.0, 1.5)),
}


def dance(name: str, rng: random.Random) -> Excerpt:
    """EXCERPT_S of a song in 3/4 or 6/8."""
    n_beats = rng.choice((2, 3))
    period_s = 60.0 / rng.uniform(*_TEMPI_BPM[n_beats])
    n_bars = int(1.5 * EXCERPT_S / (n_beats * period_s)) + 2
    key, chords = rng.randrange(12), rng.choice(_PROGRESSIONS)
    bars_per_chord = rng.choice((1, 1, 2))
    degrees = [chords[bar // bars_per_chord % len(chords)] for bar in range(n_bars)]
    makers = (_bass, _accompaniment, _tune)
    programs = (rng.choice((32, 33, 58)), rng.choice((0, 21, 24, 25, 48)), rng.choice((0, 40, 65, 73, 52)))
    parts = []
    for make, program, role in zip(makers, programs, ("bass", "accompaniment", "tune"), strict=True):
        written = make(n_beats, degrees, key, rng)
        parts.append(Part(role, _played(written, n_beats * period_s, period_s, rng), program=program))
    beats = np.arange(n_bars * n_beats)
    times_s: NDArray[np.float64] = np.asarray(beats * period_s, dtype=np.float64)
    whole = Excerpt(name, name, "dances", tuple(parts), times_s, beats % n_beats, n_beats)
    excerpt = cut(whole, rng.uniform(0.0, 2.0 * n_beats * period_s), **drifting(rng))
    return drummed(excerpt, rng) if rng.random() < 0.8 else excerpt


def drummed(excerpt: Excerpt, rng: random.Random) -> Excerpt:
    """The excerpt with drums on its beats: a pattern, a fill every eight bars, a crash after it."""
    n, parts_of_beat = excerpt.beats_per_bar, _PARTS_OF_BEAT[excerpt.beats_per_bar]
    snare, top = rng.choice((_SNARE, _SNARE, _STICK)), rng.choice((_HAT, _HAT, _RIDE))
    kicks, snares = rng.choice(_KICKS[n]), rng.choice(_SNARES[n])
    step = rng.choice((1.0, 1.0 / parts_of_beat))
    tops = [i * step for i in range(round(n / step))]
    opened = tops[-1] if rng.random() < 0.3 else None
    loose = _fill(n, parts_of_beat, rng)
    index = np.arange(len(excerpt.beats_s))
    hits: list[NoteEvent] = []
    for number, first in enumerate(np.flatnonzero(excerpt.positions == 0)[:-1]):
        bar = [(at, _KICK, 100) for at in kicks] + [(at, snare, 96) for at in snares]
        bar += [(at, _OPEN_HAT if at == opened else top, 78 if at % 1.0 == 0 else 58) for at in tops]
        if number % _FILL_BARS == _FILL_BARS - 1:
            bar = [hit for hit in bar if hit[0] < n - 1] + loose
        elif number % _FILL_BARS == 0 and number:
            bar.append((0.0, _CRASH, 100))
        for at, pitch, velocity in bar:
            time_s = float(np.interp(first + at, index, excerpt.beats_s)) + rng.gauss(0.0, _PLAYED_S)
            hits.append(NoteEvent(max(time_s, 0.0), 0.1, pitch, min(127, max(1, velocity + rng.randint(-9, 9)))))
    hits.sort(key=lambda note: (note.onset_s, note.pitch))
    return replace(excerpt, parts=(*excerpt.parts, Part("drums", tuple(hits), is_drum=True)))


_Written = list[tuple[float, float, int, int]]  # onset and duration in felt beats from the start, pitch, velocity


def _played(written: _Written, bar_s: float, period_s: float, rng: random.Random) -> tuple[NoteEvent, ...]:
    notes = [
        NoteEvent(
            max(0.0, onset * period_s + rng.gauss(0.0, _PLAYED_S)),
            max(0.05, min(0.92 * duration * period_s, bar_s)),
            pitch,
            min(127, max(1, velocity + rng.randint(-8, 8))),
        )
        for onset, duration, pitch, velocity in written
    ]
    return tuple(sorted(notes, key=lambda note: (note.onset_s, note.pitch)))


def _fill(n: int, parts_of_beat: int, rng: random.Random) -> list[tuple[float, int, int]]:
    """Strokes in the last beat of a bar."""
    drums = [rng.choice((_SNARE, _SNARE, _TOM)) for _ in range(parts_of_beat)]
    return [(n - 1 + i / parts_of_beat, drum, 90 + 8 * i) for i, drum in enumerate(drums)]


def _chord(degree: int, key: int) -> tuple[int, ...]:
    """Pitches of a triad around middle C."""
    pitches = [key + _SCALE[(degree + third) % 7] for third in (0, 2, 4)]
    return tuple(sorted(55 + (pitch - 55) % 12 for pitch in pitches))


def _bass(n: int, degrees: Sequence[int], key: int, rng: random.Random) -> _Written:
    second = rng.choice((None, None, 1.0 if n == 2 else 2.0))  # where the fifth is played, if it is
    out: _Written = []
    for bar, degree in enumerate(degrees):
        root = 31 + (key + _SCALE[degree] - 31) % 12
        out.append((bar * n, second or n, root, 92))
        if second is not None:
            out.append((bar * n + second, n - second, root + 7, 80))
    return out


def _accompaniment(n: int, degrees: Sequence[int], key: int, rng: random.Random) -> _Written:
    if rng.random() < 0.4:  # an arpeggio in eighths
        parts_of_beat = _PARTS_OF_BEAT[n]
        order = rng.choice(((0, 1, 2, 1, 2, 1), (0, 1, 2, 2, 1, 0), (0, 2, 1, 2, 1, 2)))
        return [
            (bar * n + i / parts_of_beat, 1.0 / parts_of_beat, _chord(degree, key)[order[i]], 74 if i else 84)
            for bar, degree in enumerate(degrees)
            for i in range(n * parts_of_beat)
        ]
    onsets = rng.choice(_CHORDS[n])
    lengths = np.diff([*onsets, float(n)])
    return [
        (bar * n + at, float(length), pitch, 78)
        for bar, degree in enumerate(degrees)
        for at, length in zip(onsets, lengths, strict=True)
        for pitch in _chord(degree, key)
    ]


def _tune(n: int, degrees: Sequence[int], key: int, rng: random.Random) -> _Written:
    """A line that keeps a bar's rhythm for some bars, on chord tones at bar lines."""
    parts_of_beat = _PARTS_OF_BEAT[n]
    out: _Written = []
    rhythm: list[int] = []
    height, kept_bars = rng.randrange(3, 10), rng.choice((1, 2, 4))
    for bar, degree in enumerate(degrees):
        if bar % kept_bars == 0:
            likely = [0.8 if i == 0 else 0.6 if i % parts_of_beat == 0 else 0.3 for i in range(n * parts_of_beat)]
            rhythm = [i for i, chance in enumerate(likely) if rng.random() < chance] or [0]
        for i, step in enumerate(rhythm):
            height = min(14, max(0, height + rng.choice((-2, -1, -1, 0, 1, 1, 2))))
            if i == 0:  # the nearest tone of the chord
                height = min(range(15), key=lambda h: ((h - degree) % 7 not in (0, 2, 4), abs(h - height)))
            octave, tone = divmod(height, 7)
            until = rhythm[i + 1] if i + 1 < len(rhythm) else n * parts_of_beat
            duration = (until - step) / parts_of_beat
            out.append((bar * n + step / parts_of_beat, duration, 60 + key % 12 + 12 * octave + _SCALE[tone], 88))
    return out
