"""When a synthesiser is told to start and to end a track's notes.

Times are counted in blocks of the synthesiser, which acts at no finer grain; each is rounded by itself, so
that nothing accumulates. MIDI cannot hold two notes of one pitch at once: the later one ends the earlier.
"""

from collections import deque
from collections.abc import Mapping

import numpy as np

from rearrange.score import Timeline, Track

__all__ = ["NoteChange", "note_changes", "sounding_end_s"]

# Block, on or off, pitch, velocity. In their order a note-off comes before a note-on of the same block, so
# that a repeated note starts anew.
NoteChange = tuple[int, bool, int, int]

# A drum rings as long as it rings, however short its note is written: some kits (the 808's bass drum) would
# be cut off. Hi-hats still choke one another, as the font says.
DRUM_RINGS_S = 1.0


def note_changes(
    track: Track, timeline: Timeline, *, blocks_per_s: float, lead_s: Mapping[int, float]
) -> deque[NoteChange]:
    """Return a track's note-ons and note-offs in order, on the grid of the synthesiser's blocks.

    Each note-on comes `lead_s` of its pitch early, never before 0 s by more than that.

    A note ends at the latest where the next of its pitch starts, because a note-off ends every note of its
    pitch. Of notes that start together at one pitch, the loudest is played. Each lasts at least one block.
    """
    notes = [note for note in track.notes if 0 <= note.pitch <= 127 and note.velocity > 0]
    if not notes:
        return deque()
    onsets = np.array([note.onset_beat for note in notes])
    ends = onsets + np.array([note.duration_beat for note in notes])
    leads = np.array([lead_s[note.pitch] for note in notes])
    starts = np.rint((np.maximum(timeline.seconds(onsets), 0.0) - leads) * blocks_per_s).astype(int)
    rings_s = DRUM_RINGS_S if track.is_drum else 0.0
    ends_s = np.maximum(timeline.seconds(ends), timeline.seconds(onsets) + rings_s)
    stops = np.rint(ends_s * blocks_per_s).astype(int)
    by_pitch: dict[int, dict[int, tuple[int, int]]] = {}
    for note, start, stop in zip(notes, starts.tolist(), stops.tolist(), strict=True):
        if stop <= 0:
            continue  # over before the song begins
        struck = by_pitch.setdefault(note.pitch, {})
        stop_so_far, velocity_so_far = struck.get(start, (start + 1, 0))
        struck[start] = max(stop, stop_so_far), max(min(note.velocity, 127), velocity_so_far)
    changes: list[NoteChange] = []
    for pitch, struck in by_pitch.items():
        order = sorted(struck)
        for start, following in zip(order, [*order[1:], None], strict=True):
            stop, velocity = struck[start]
            changes.append((start, True, pitch, velocity))
            changes.append((stop if following is None else min(stop, following), False, pitch, 0))
    return deque(sorted(changes))


def sounding_end_s(track: Track, timeline: Timeline) -> float:
    """Return when the last note of a track is let go, in seconds; 0 for an empty track."""
    if not track.notes:
        return 0.0
    return float(timeline.seconds([note.onset_beat + note.duration_beat for note in track.notes]).max())
