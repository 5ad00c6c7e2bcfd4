"""The feel: hits written on a straight grid become notes with swing, accents and human timing.

Conventions: a `Hit` stands where the pattern writes it; its note's offset from there is swing plus the
groove's offset plus a little chance. Offsets in ms become beats at the local tempo.
Source: swing as in `swing_offset`; the groove's numbers come from the genre's file.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rearrange.genre import Groove
from rearrange.score import Note, Role, Timeline, sorted_notes

__all__ = ["Hit", "generator_for", "play", "swing_offset", "swung", "unswung", "without_overlaps"]

# A human player's timing errors are bounded: beyond two standard deviations a take is played again.
_MAX_DEVIATION = 2.0
_SHORTEST_BEAT = 0.06


@dataclass(frozen=True, slots=True)
class Hit:
    """A note before its feel: grid position in beats, level relative to the role's velocity."""

    onset_beat: float
    duration_beat: float
    pitch: int
    level: float
    swings: bool = True


def generator_for(seed: int, *names: object) -> np.random.Generator:
    """A random generator for one named purpose, so that parts do not disturb each other's chance."""
    text = "/".join(str(name) for name in names)
    return np.random.default_rng([seed, zlib.crc32(text.encode())])


def swing_offset(position_beat: float, ratio: float) -> float:
    """Delay of a straight position under eighth-note swing, in beats.

    Both halves of the beat stretch linearly; the middle moves to ratio / (1 + ratio).

    Parameters
    ----------
    position_beat : position within the beat, in [0, 1)
    ratio : long:short duration, >= 1 (1 is straight, 2 is triplet swing)

    Returns
    -------
    Offset in beats, in [0, 0.5); zero on the beat.

    Raises
    ------
    ValueError : an argument is out of range.

    Source: definition of the swing ratio; nothing fitted.
    """
    if not 0 <= position_beat < 1 or ratio < 1:
        raise ValueError(f"position {position_beat} or ratio {ratio} is out of range")
    middle = ratio / (1 + ratio)
    if position_beat < 0.5:
        return position_beat * 2 * middle - position_beat
    return middle + (position_beat - 0.5) * 2 * (1 - middle) - position_beat


def unswung(onset_beat: float, ratio: float) -> float:
    """The straight position of an onset played with eighth-note swing of that ratio; undoes `swing_offset`."""
    beat, within = divmod(onset_beat, 1.0)
    middle = ratio / (1 + ratio)
    if within < middle:
        return beat + 0.5 * within / middle
    return beat + 0.5 + 0.5 * (within - middle) / (1 - middle)


def swung(onset_beat: float, groove: Groove, amount: float = 1.0) -> float:
    """A straight position, in beats from anywhere on a beat, moved by the groove's swing times `amount`."""
    pair = 2 * groove.swing_unit_beat
    ratio = 1 + (groove.swing - 1) * amount
    within = (onset_beat / pair) % 1.0
    if within > 1 - 1e-9:  # rounding just below the beat
        within = 0.0
    return onset_beat + swing_offset(within, ratio) * pair


def play(
    hits: Sequence[Hit],
    groove: Groove,
    *,
    role: Role,
    velocity: float,
    timeline: Timeline,
    swing_amount: float,
    generator: np.random.Generator,
) -> tuple[Note, ...]:
    """Notes of a part: swing, the groove's accents and offsets, and human error.

    Parameters
    ----------
    velocity : MIDI velocity of a hit of level 1
    swing_amount : share of the groove's swing, 0 (straight) to 1

    Returns
    -------
    Notes sorted by onset, none before beat 0 unless its hit was.
    """
    notes = []
    shared: dict[float, float] = {}
    bar_onsets = np.array([bar.onset_beat for bar in timeline.bars] or [0.0])
    for hit in sorted(hits, key=lambda h: (h.onset_beat, h.pitch)):
        bar = bar_onsets[max(int(np.searchsorted(bar_onsets, hit.onset_beat + 1e-6, side="right")) - 1, 0)]
        accent, offset_ms = _template_at(groove, hit.onset_beat - bar)
        offset_ms += groove.role_offset_ms.get(role, 0.0)
        if hit.onset_beat not in shared:  # one hand plays a chord: its notes err together
            shared[hit.onset_beat] = _deviation(generator) * groove.humanize_ms / 2
        offset_ms += shared[hit.onset_beat]
        onset = swung(hit.onset_beat, groove, swing_amount) if hit.swings else hit.onset_beat
        end = hit.onset_beat + hit.duration_beat
        end = swung(end, groove, swing_amount) if hit.swings else end
        offset_beat = offset_ms / 1000 * timeline.tempo_bpm(onset) / 60
        level = hit.level * accent * velocity
        level += _deviation(generator) * groove.humanize_velocity / 2
        start = onset + offset_beat
        if hit.onset_beat >= 0:
            start = max(start, 0.0)
        notes.append(Note(start, max(end - onset, _SHORTEST_BEAT), hit.pitch, min(max(round(level), 1), 127)))
    return without_overlaps(notes)


def _deviation(generator: np.random.Generator) -> float:
    """Standard deviations that a hand is off by."""
    return min(max(generator.normal(), -_MAX_DEVIATION), _MAX_DEVIATION)


def _template_at(groove: Groove, position_beat: float) -> tuple[float, float]:
    """Velocity factor and offset of a position in the bar; positions between the written ones interpolate."""
    if not groove.template:
        return 1.0, 0.0
    at = [point.at_beat for point in groove.template]
    velocity = float(np.interp(position_beat, at, [point.velocity for point in groove.template]))
    offset_ms = float(np.interp(position_beat, at, [point.offset_ms for point in groove.template]))
    return velocity, offset_ms


def without_overlaps(notes: Sequence[Note]) -> tuple[Note, ...]:
    """End a note where the same pitch is struck again; of two strikes at one moment the louder stays."""
    kept: list[Note] = []
    last: dict[int, int] = {}
    for note in sorted_notes(notes):
        i = last.get(note.pitch)
        if i is not None:
            before = kept[i]
            gap = note.onset_beat - before.onset_beat
            if gap < _SHORTEST_BEAT / 2:
                louder = max(before.velocity, note.velocity)
                length = max(before.duration_beat, note.duration_beat)
                kept[i] = Note(before.onset_beat, length, note.pitch, louder)
                continue
            if before.duration_beat > gap:
                kept[i] = Note(before.onset_beat, gap, before.pitch, before.velocity)
        last[note.pitch] = len(kept)
        kept.append(note)
    return sorted_notes(kept)
