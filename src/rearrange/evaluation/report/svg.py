"""Notes, tempo and bar lines as SVG paths on the bar axis: one path per role, however many notes it has.

Conventions: x counts TICKS_PER_BEAT from the axis' start, y counts down. The pictures are stretched to the width
at hand (`preserveAspectRatio="none"`), so that text and whatever must keep its shape is laid over them as HTML.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rearrange.evaluation.report.axis import BarAxis
from rearrange.general_midi import pitch_name
from rearrange.score import Role, Track
from rearrange.timeline import Timeline

__all__ = ["Roll", "RowMark", "bar_lines", "drum_roll", "pitch_range", "pitch_roll", "tempo_line", "tempo_range"]

TICKS_PER_BEAT = 24
ROW = 5  # height of a row
_NOTE = 6  # of a note, which overlaps its neighbours a little: a row is hardly three pixels high
_SHORTEST_TICKS = 2  # what is shorter is not seen
_HIT_TICKS = 4  # of a drum, in its own beats: sixteenths stay apart
TEMPO_HEIGHT = 100

# The rows of the drums, from top to bottom, and the General MIDI percussion in each; the rest goes to the last.
DRUM_ROWS: tuple[tuple[str, frozenset[int]], ...] = (
    ("cymbals", frozenset({49, 51, 52, 53, 55, 57, 59})),
    ("hi-hat", frozenset({42, 44, 46})),
    ("toms", frozenset({41, 43, 45, 47, 48, 50})),
    ("snare", frozenset({37, 38, 39, 40})),
    ("kick", frozenset({35, 36})),
    ("other", frozenset()),
)


@dataclass(frozen=True, slots=True)
class RowMark:
    """A label at a row, `top` in [0, 1] from the picture's upper edge."""

    label: str
    top: float


@dataclass(frozen=True, slots=True)
class Roll:
    """A piano roll: a path per role, in the order of drawing, in a box `width` × `height`."""

    width: int
    height: int
    paths: tuple[tuple[Role, str], ...]
    marks: tuple[RowMark, ...]


def pitch_range(tracks: Iterable[Track]) -> tuple[int, int]:
    """Lowest and highest pitch of all pitched tracks, to whole octaves; one octave where there are no notes."""
    pitches = [note.pitch for track in tracks if not track.is_drum for note in track.notes]
    if not pitches:
        return 60, 72
    return min(pitches) // 12 * 12, -(-(max(pitches) + 1) // 12) * 12


def pitch_roll(tracks: Sequence[Track], axis: BarAxis, pitches: tuple[int, int], *, beat_ratio: float) -> Roll:
    """The pitched notes of tracks whose beats are `beat_ratio` to a beat of the song."""
    low, high = pitches
    n_rows = high - low + 1
    paths: dict[Role, list[str]] = {}
    for track in tracks:
        if track.is_drum:
            continue
        for note in track.notes:
            start, end = note.onset_beat / beat_ratio, (note.onset_beat + note.duration_beat) / beat_ratio
            box = _box(axis, start, end, (high - note.pitch) * ROW)
            paths.setdefault(track.role, []).append(box)
    marks = tuple(RowMark(pitch_name(pitch), (high - pitch + 0.5) / n_rows) for pitch in range(low, high + 1, 12))
    return Roll(_width(axis), n_rows * ROW, _in_order(paths), marks)


def drum_roll(tracks: Sequence[Track], axis: BarAxis, *, beat_ratio: float) -> Roll:
    """The drums, a row per kind."""
    paths: dict[Role, list[str]] = {}
    for track in tracks:
        if track.is_drum:
            for note in track.notes:
                row = next((i for i, (_, kind) in enumerate(DRUM_ROWS) if note.pitch in kind), len(DRUM_ROWS) - 1)
                start = note.onset_beat / beat_ratio
                box = _box(axis, start, start + _HIT_TICKS / TICKS_PER_BEAT / beat_ratio, row * ROW)
                paths.setdefault(track.role, []).append(box)
    marks = tuple(RowMark(name, (i + 0.5) / len(DRUM_ROWS)) for i, (name, _) in enumerate(DRUM_ROWS))
    return Roll(_width(axis), len(DRUM_ROWS) * ROW, _in_order(paths), marks)


def bar_lines(axis: BarAxis, *, every: int) -> str:
    """A path of the lines at every so many bars, in a box 1 high."""
    return "".join(f"M{_x(axis, bar.onset_beat)} 0v1" for bar in axis.bars if bar.index % every == 0)


def tempo_range(timelines: Iterable[Timeline]) -> tuple[float, float]:
    """Slowest and fastest bar of all, with room around them, in beats per minute."""
    tempos = [bpm for timeline in timelines for _, bpm in _bar_tempos(timeline)] or [120.0]
    room = max(0.5 * (max(tempos) - min(tempos)), 5.0)  # a label stands above the faster and below the slower one
    return max(min(tempos) - room, 0.0), max(tempos) + room


def tempo_line(timeline: Timeline, axis: BarAxis, limits: tuple[float, float], *, beat_ratio: float) -> str:
    """The tempo of every bar, in a box TEMPO_HEIGHT high between the limits."""
    low, high = limits
    steps = []
    for onset, bpm in _bar_tempos(timeline):
        y = round(TEMPO_HEIGHT * (high - bpm) / (high - low))
        steps.append(f"{_x(axis, onset / beat_ratio)} {y}")
    if not steps:
        return ""
    return f"M{'L'.join(steps)}H{_x(axis, timeline.end_beat / beat_ratio)}"


def _bar_tempos(timeline: Timeline) -> list[tuple[float, float]]:
    """Onset in beats and mean tempo of every bar."""
    onsets = np.array([bar.onset_beat for bar in timeline.bars])
    ends = np.array([bar.end_beat for bar in timeline.bars])
    seconds = timeline.seconds(ends) - timeline.seconds(onsets)
    return [
        (float(onset), float(60 * beats / s))
        for onset, beats, s in zip(onsets, ends - onsets, seconds, strict=True)
    ]


def _box(axis: BarAxis, start_beat: float, end_beat: float, y: int) -> str:
    x = _x(axis, start_beat)
    width = max(_x(axis, end_beat) - x, _SHORTEST_TICKS)
    return f"M{x} {y}h{width}v{_NOTE}h-{width}z"


def _x(axis: BarAxis, beat: float) -> int:
    return round((beat - axis.start_beat) * TICKS_PER_BEAT)


def _width(axis: BarAxis) -> int:
    return max(round(axis.length_beat * TICKS_PER_BEAT), 1)


def _in_order(paths: dict[Role, list[str]]) -> tuple[tuple[Role, str], ...]:
    """Accompaniment first, so that the tune lies on top."""
    order = [
        Role.PAD,
        Role.CHORDS,
        Role.ARPEGGIO,
        Role.COUNTER,
        Role.BASS,
        Role.PERCUSSION,
        Role.DRUMS,
        Role.MELODY,
    ]
    return tuple((role, "".join(paths[role])) for role in order if role in paths)
