"""Bass lines: degrees, walking and approach notes, always leading somewhere.

A walking note moves on in its direction by step or chord tone and turns at the register's ends; an approach
note leads into the next chord's root by semitone, scale step or fifth. A note held over a chord change is struck
again on the new root.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rearrange.arranger.charts import Chart, changes_between
from rearrange.arranger.groove import Hit
from rearrange.arranger.rhythm import Placed
from rearrange.genre import RoleSpec
from rearrange.score import CHORD_INTERVALS, Chord, Key

__all__ = ["bass_line", "scale_classes"]

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_MINOR = (0, 2, 3, 5, 7, 8, 10)
_DEAD_NOTE_BEAT = 0.12
_LEVELS = {"X": 1.12, "o": 0.72, "x": 0.55, "?": 0.8}


def scale_classes(key: Key) -> frozenset[int]:
    """Pitch classes of the key's diatonic scale (natural minor)."""
    steps = _MAJOR if key.mode == "major" else _MINOR
    return frozenset((key.tonic + step) % 12 for step in steps)


@dataclass
class _Line:
    """Where the line is, where it is heading (+1 up, −1 down), and what it may use."""

    pitch: int
    spec: RoleSpec
    scale: frozenset[int]
    generator: np.random.Generator
    direction: int = 1
    heard: NDArray[np.float64] = field(default_factory=lambda: np.zeros(12))

    def move_to(self, pitch: int) -> None:
        low, high = self.spec.register
        if pitch <= low + 3:
            self.direction = 1
        elif pitch >= high - 3:
            self.direction = -1
        elif pitch != self.pitch:
            self.direction = 1 if pitch > self.pitch else -1
        self.pitch = pitch


def bass_line(
    placed: Sequence[Placed],
    chart: Chart,
    spec: RoleSpec,
    *,
    chords: Sequence[Chord],
    chord_at: Callable[[float], Chord | None],
    generator: np.random.Generator,
) -> list[Hit]:
    """Hits of the bass for placed pattern steps.

    Parameters
    ----------
    placed : steps in song order
    chords : the chords played, for held notes that cross a change
    chord_at : chord sounding at a beat
    """
    low, high = spec.register
    line = _Line((low + high) // 2, spec, scale_classes(chart.key), generator)
    changes = frozenset(round(chord.onset_beat, 3) for chord in chords)
    hits: list[Hit] = []
    for step in placed:
        chord = chord_at(step.onset_beat + 1e-4)
        if chord is None:
            continue
        following = chord_at(step.next_beat) or chord
        starts_chord = round(step.onset_beat, 3) in changes
        line.move_to(
            _pitch(step.symbol, chord, following, line, chart.heard_at(step.onset_beat), starts_chord=starts_chord)
        )
        hits.extend(_struck_at_changes(step, line, chords, chord_at))
        if step.symbol == "8" and line.pitch - 12 >= spec.register[0]:
            line.pitch -= 12  # an octave is a leap away and back: the line goes on from below
    return hits


def _pitch(
    symbol: str, chord: Chord, following: Chord, line: _Line, heard: NDArray[np.float64], *, starts_chord: bool
) -> int:
    if symbol == "p":
        return _near(following.bass, line)
    if symbol == "a":
        return _approach(following.bass, line)
    if symbol == "w":
        return _near(chord.bass, line) if starts_chord else _walk(chord, line)
    if symbol == "?" and line.pitch % 12 in chord.pitch_classes:  # one more of the same
        return line.pitch
    if symbol == "8":
        octave = _near(chord.bass, line) + 12
        return octave if octave <= line.spec.range[1] else octave - 12
    if symbol in "1Xox?":
        return _near(chord.bass, line)
    return _near(_degree(chord, symbol, line.scale), line)


def _degree(chord: Chord, symbol: str, scale: frozenset[int]) -> int:
    """Pitch class of a chord degree: the chord's own tone where it has one, else the scale's."""
    semitones = {"3": (3, 4), "4": (5, 6), "5": (6, 7, 8), "6": (8, 9), "7": (9, 10, 11), "9": (2, 1)}[symbol]
    own = [i for i in CHORD_INTERVALS[chord.quality] if i in semitones]
    if own:
        return (chord.root + own[0]) % 12
    preferred = {"3": 4, "4": 5, "5": 7, "6": 9, "7": 10, "9": 2}[symbol]
    diatonic = [i for i in semitones if (chord.root + i) % 12 in scale]
    return (chord.root + (preferred if preferred in diatonic or not diatonic else diatonic[0])) % 12


def _near(pitch_class: int, line: _Line) -> int:
    """The note of that class in the register nearest to the last one, leaning to the register's lower half."""
    low, high = line.spec.register
    options = [p for p in range(low, high + 1) if p % 12 == pitch_class]
    lower_half = low + (high - low) * 0.4
    return min(options, key=lambda p: (abs(p - line.pitch) + 0.4 * max(p - lower_half, 0), p))


def _approach(target_class: int, line: _Line) -> int:
    target = _near(target_class, line)
    kind = line.spec.approach
    if kind == "mixed":
        kind = str(line.generator.choice(["chromatic", "scale", "fifth"]))
    side = 1 if line.pitch > target else -1
    if kind == "fifth":
        pitch = target + 7 if target + 7 <= line.spec.register[1] else target - 5
    elif kind == "scale":
        pitch = next((target + side * i for i in (1, 2) if (target + side * i) % 12 in line.scale), target + side)
    else:
        pitch = target + side
    low, high = line.spec.range
    return pitch if low <= pitch <= high else target - side


def _walk(chord: Chord, line: _Line) -> int:
    """The next note of a walking line: onward by steps and chord tones, rather those that the song plays."""
    low, high = line.spec.register
    tones = set(chord.pitch_classes)
    total = float(line.heard.sum()) or 1.0
    options, weights = [], []
    for distance in range(1, 6):
        for side in (1, -1):
            pitch = line.pitch + side * distance
            if not low <= pitch <= high or (pitch % 12 not in tones and pitch % 12 not in line.scale):
                continue
            weight = 1 + 8 * float(line.heard[pitch % 12]) / total
            weight *= (3.0 if pitch % 12 in tones else 1.0) * (2.5 if side == line.direction else 1.0)
            options.append(pitch)
            weights.append(weight / (1 + 0.25 * (distance - 1)))
    if not options:
        return _near(chord.root, line)
    share = np.array(weights) / sum(weights)
    return int(line.generator.choice(options, p=share))


def _struck_at_changes(
    step: Placed, line: _Line, chords: Sequence[Chord], chord_at: Callable[[float], Chord | None]
) -> list[Hit]:
    """One hit, or one more for each chord change that a held note crosses."""
    level = _LEVELS.get(step.symbol, 1.0) * step.level
    if step.symbol == "x":
        return [Hit(step.onset_beat, min(step.duration_beat, _DEAD_NOTE_BEAT), line.pitch, level, step.swings)]
    end = step.onset_beat + step.duration_beat
    held_from = step.next_beat if step.symbol == "p" else step.onset_beat
    hits = []
    onset = step.onset_beat
    for cut in changes_between(chords, held_from, end):
        chord = chord_at(cut + 1e-4)
        if chord is None or chord.bass == line.pitch % 12:
            continue
        hits.append(Hit(onset, cut - onset, line.pitch, level, step.swings))
        line.move_to(_near(chord.bass, line))
        onset = cut
    hits.append(Hit(onset, end - onset, line.pitch, level, step.swings))
    return hits
