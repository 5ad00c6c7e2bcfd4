"""A Timeline as a MIDI tempo map, and back.

A MIDI file begins at tick 0 and second 0; a song's beat 0 may lie later, and pickup notes before it. So whole
bars are put in front of beat 0, and the tempo of the part of them that holds no notes is chosen such that
second 0 of the song is tick 0: audio and MIDI line up in a DAW. Only where notes lie before second 0 itself, or
where a bar would have to rush by faster than any DAW allows, does the file start earlier than the song, by
`Lead.lead_s`.

MIDI tempos are whole microseconds per quarter note. Each is chosen from the time the file has reached, so
that rounding does not add up, and long stretches are split: the map is within 0.3 ms everywhere.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rearrange.midi.events import MidiEvents
from rearrange.score import Metre, Timeline

__all__ = ["TICKS_PER_BEAT", "Lead", "lead_for", "tempo_map", "timeline_from"]

TICKS_PER_BEAT = 960
_SLOWEST_US = (1 << 24) - 1  # of a tempo event's three bytes: 3.6 bpm
_DEFAULT_US = 500_000  # what MIDI assumes where no tempo is given: 120 bpm
_FASTEST_LEAD_BPM = 900.0  # DAWs stop at 960 to 999
_SPLIT_BEAT = 512.0  # half a microsecond of rounding per beat stays below 0.26 ms
_MERGE_BEAT = 1 / 16  # a time signature this near to a bar line belongs on it


@dataclass(frozen=True, slots=True)
class Lead:
    """What stands in front of the song in its file.

    lead_beat : beats of the whole bars before beat 0
    lead_s : seconds of the file before second 0 of the song
    anchor_beat : from here on (the song's beats) the file's tempo map is the song's
    """

    lead_beat: float = 0.0
    lead_s: float = 0.0
    anchor_beat: float = 0.0


def lead_for(timeline: Timeline, first_beat: float) -> Lead:
    """How much to put in front, given the first note's onset."""
    bar = timeline.metres[0][1].beats_per_bar
    anchor = float(min(math.floor(first_beat + 1e-9), 0))
    anchor_s = float(timeline.seconds(anchor))
    if anchor_s <= 1e-6 and first_beat < 0:  # no room for a whole beat: the note itself, if that fits
        anchor = math.floor(first_beat * TICKS_PER_BEAT) / TICKS_PER_BEAT
        anchor_s = float(timeline.seconds(anchor))
    pickup_bars = -anchor / bar
    if anchor_s <= 1e-6:
        lead_beat = math.ceil(pickup_bars - 1e-9) * bar
        return Lead(lead_beat, max(-float(timeline.seconds(-lead_beat)), 0.0), -lead_beat)
    # The bars before the anchor must have some beats to fill, and are best filled at the song's own tempo.
    natural_bars = pickup_bars + anchor_s * timeline.tempo_bpm(anchor) / 60 / bar
    bars = max(math.floor(pickup_bars + 1e-9) + 1, round(natural_bars))
    if (bars * bar + anchor) * 60 / anchor_s > _FASTEST_LEAD_BPM:
        return Lead(bars * bar, max(-float(timeline.seconds(-bars * bar)), 0.0), -bars * bar)
    return Lead(bars * bar, 0.0, anchor)


def tempo_map(timeline: Timeline, lead: Lead) -> list[tuple[int, int]]:
    """(tick, microseconds per quarter note) of each tempo event, the first at tick 0.

    Raises
    ------
    ValueError : somewhere slower than the 3.6 bpm that MIDI can hold.
    """
    first = -lead.lead_beat
    beats = [first, lead.anchor_beat, *(beat for beat in timeline.knots_beat if beat > lead.anchor_beat)]
    ticks = sorted({round((beat + lead.lead_beat) * TICKS_PER_BEAT) for beat in beats})
    if len(ticks) == 1:
        ticks.append(ticks[0] + TICKS_PER_BEAT)
    ticks = _split(ticks)
    tempos: list[tuple[int, int]] = []
    reached_us = 0.0
    for start, end in pairwise(ticks):
        target_us = (float(timeline.seconds(end / TICKS_PER_BEAT - lead.lead_beat)) + lead.lead_s) * 1e6
        beats_here = (end - start) / TICKS_PER_BEAT
        tempo = max(round((target_us - reached_us) / beats_here), 1)
        if tempo > _SLOWEST_US:
            raise ValueError(f"{60e6 / tempo:.2f} bpm at tick {start} is slower than MIDI can hold")
        if not tempos or tempos[-1][1] != tempo:
            tempos.append((start, tempo))
        reached_us += tempo * beats_here
    return tempos


def _split(ticks: Sequence[int]) -> list[int]:
    """More points, none further apart than `_SPLIT_BEAT`."""
    step = round(_SPLIT_BEAT * TICKS_PER_BEAT)
    points = [tick for start, end in pairwise(ticks) for tick in range(start, end, step)]
    return [*points, ticks[-1]]


def timeline_from(events: MidiEvents, lead: Lead, end_beat: float) -> Timeline:
    """The Timeline of a file: its tempo map and time signatures, from `lead.anchor_beat` on."""
    if events.seconds_per_tick is not None:
        tempos = [(0, round(events.seconds_per_tick * events.ticks_per_beat * 1e6))]
    else:
        tempos = sorted(dict(events.tempos).items())
    if not tempos or tempos[0][0] > 0:
        tempos.insert(0, (0, _DEFAULT_US))
    knots = [(-lead.lead_beat, -lead.lead_s)]
    for (before_tick, before_tempo), (tick, _) in pairwise(tempos):
        reached_s = knots[-1][1] + (tick - before_tick) / events.ticks_per_beat * before_tempo * 1e-6
        knots.append((tick / events.ticks_per_beat - lead.lead_beat, reached_s))
    reached_beat, reached_s = knots[-1]
    last_beat = max(end_beat, reached_beat + 1.0)
    knots.append((last_beat, reached_s + (last_beat - reached_beat) * tempos[-1][1] * 1e-6))
    if lead.lead_beat:  # leave out the tempo that only fills the bars in front
        whole = Timeline(tuple(b for b, _ in knots), tuple(s for _, s in knots))
        anchor = (lead.anchor_beat, float(whole.seconds(lead.anchor_beat)))
        knots = [anchor, *(knot for knot in knots if knot[0] > lead.anchor_beat + 1e-9)]
    metres = _metres(events, lead.lead_beat)
    return Timeline(tuple(b for b, _ in knots), tuple(s for _, s in knots), metres, end_beat)


def _metres(events: MidiEvents, lead_beat: float) -> tuple[tuple[float, Metre], ...]:
    """Time signatures on bar lines; a change inside a bar makes a short bar of its own."""
    metres: list[tuple[float, Metre]] = [(0.0, Metre())]
    for tick, (numerator, denominator) in sorted({t: (n, d) for t, n, d in events.metres}.items()):
        onset = tick / events.ticks_per_beat - lead_beat
        metre = Metre(numerator, denominator)
        since, before = metres[-1]
        if onset <= since + _MERGE_BEAT:
            metres[-1] = (since, metre)
            continue
        if metre == before:
            continue
        bars, rest = divmod(onset - since + 1e-9, before.beats_per_bar)
        line = since + bars * before.beats_per_bar
        if rest <= _MERGE_BEAT:
            onset = line
        elif before.beats_per_bar - rest <= _MERGE_BEAT:
            onset = line + before.beats_per_bar
        else:
            sixteenths = max(round(rest * 4), 1)
            short = (line, Metre(sixteenths, 16))
            metres = [*(m for m in metres if m[0] < line - 1e-9), short]
            onset = line + sixteenths / 4
        metres.append((onset, metre))
    return tuple(metres)
