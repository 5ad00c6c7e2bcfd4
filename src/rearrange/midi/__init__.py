"""MIDI in and out: `Performance`, `Score` and `Arrangement` as files that any DAW opens, and any MIDI file back.

Written files are format 1 at 960 ticks per quarter note: a conductor track (tempo map, time and key
signatures, a marker for each chord and `[label]` for each section), then one named track per part with its
program, drums on channel 10. Second 0 of the song is tick 0: bars are put in front of beat 0 where the song
does not start with it, and the first tempo fills them. What General MIDI has no word for (roles,
confidences, the bars in front) stands in text events that start with `rearrange:`; a file that lost them in
a DAW still reads. The same values give the same bytes.

Limits: sustain pedals and controllers are not read; two notes of one pitch cannot overlap on a track (the
earlier is cut short).
"""

from rearrange.midi.read import MidiFile, read_midi, read_performance
from rearrange.midi.tempo import Lead
from rearrange.midi.write import write_arrangement, write_performance, write_score

__all__ = [
    "Lead",
    "MidiFile",
    "read_midi",
    "read_performance",
    "write_arrangement",
    "write_performance",
    "write_score",
]
