"""Fills before new sections, and how the last bar ends."""

from collections.abc import Sequence

import numpy as np

from rearrange.evaluation.report.names import listed
from rearrange.evaluation.report.stretches import Onsets, Side, Stretch, onsets_of
from rearrange.score import Role

__all__ = ["ending_words", "fill_words"]

_UNLIKE = 0.6  # overlap (intersection over union) of the fill's strokes with the most similar other bar
_GRID_PER_BEAT = 4
_TOMS = (41, 43, 45, 47, 48, 50)
_CRASHES = (49, 52, 55, 57)
_MANY = 3
_HELD_BEATS = 1.5
_TOGETHER_BEAT = 0.1


def fill_words(song: Side, ours: Side, spans: Sequence[Stretch]) -> str:
    """The bars into which the drums lead with a fill, and the song's do not."""
    bars = sorted(_fills(ours, spans) - _fills(song, spans))
    if len(bars) >= _MANY and len(bars) == len(spans) - 1:
        return "a drum fill into every new section"
    if len(bars) > 2 * _MANY:
        return f"drum fills into {len(bars)} of {len(spans) - 1} new sections"
    return f"drum fill into bar{'s' if len(bars) > 1 else ''} {listed([str(bar) for bar in bars])}" if bars else ""


def _fills(side: Side, spans: Sequence[Stretch]) -> set[int]:
    """The first bars of stretches before which there is a fill."""
    drums = next((track for track in side.tracks if track.role is Role.DRUMS and track.notes), None)
    if drums is None:
        return set()
    return {span.last_bar + 1 for span in spans[:-1] if _ends_with_fill(onsets_of(drums.notes, side, span))}


def _ends_with_fill(drums: Onsets) -> bool:
    """Whether the last bar differs from every other one more than those do from each other, and is no rest."""
    rhythms = [
        frozenset(
            (round(at * _GRID_PER_BEAT), int(pitch))
            for at, pitch in zip(drums.at_beat[drums.bar == bar], drums.pitch[drums.bar == bar], strict=True)
        )
        for bar in range(int(drums.bar.max(initial=-1)) + 1)
    ]
    if len(rhythms) < 3 or not rhythms[-1]:
        return False
    others, last = rhythms[:-1], rhythms[-1]
    likeness = max(_overlap(last, other) for other in others)
    usual = float(
        np.median([max(_overlap(a, b) for j, b in enumerate(others) if j != i) for i, a in enumerate(others)])
    )
    has_toms = any(pitch in _TOMS for _, pitch in last) and not any(p in _TOMS for bar in others for _, p in bar)
    return has_toms or likeness < min(_UNLIKE, usual)


def _overlap(a: frozenset[tuple[int, int]], b: frozenset[tuple[int, int]]) -> float:
    return len(a & b) / len(a | b) if a | b else 1.0


def ending_words(song: Side, ours: Side) -> str:
    """How the arrangement ends, where the song ends otherwise."""
    before, now = _ending(song), _ending(ours)
    return now if now and now != before else ""


def _ending(side: Side) -> str:
    """ "ends on a held chord with a crash", "ends on beat 3", or nothing plain."""
    notes = [(track, note) for track in side.tracks for note in track.notes]
    pitched = [(track, note) for track, note in notes if not track.is_drum and track.role is not Role.MELODY]
    if not pitched or not side.timeline.bars:
        return ""
    last = max(note.onset_beat for _, note in pitched)
    together = [note for _, note in pitched if note.onset_beat > last - _TOGETHER_BEAT]
    if len(together) < 2:
        return ""
    crash = any(
        track.is_drum and note.pitch in _CRASHES and abs(note.onset_beat - last) < _TOGETHER_BEAT
        for track, note in notes
    )
    held = float(np.median([note.duration_beat for note in together])) >= _HELD_BEATS * max(side.beat_ratio, 1.0)
    return f"ends on a {'held' if held else 'short'} chord{' with a crash' if crash else ''}"
