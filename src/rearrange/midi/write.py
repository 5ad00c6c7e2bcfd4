"""`Performance`, `Score` and `Arrangement` to format-1 MIDI files; see the package's docstring for the layout."""

import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rearrange.audio import replacing
from rearrange.midi.tempo import TICKS_PER_BEAT, Lead, lead_for, tempo_map
from rearrange.midi.text import chord_markers, key_name, section_markers, text_of
from rearrange.score import Arrangement, Chord, Key, Note, Performance, Score, Section, Timeline, Track

__all__ = ["write_arrangement", "write_performance", "write_score"]

_DRUM_CHANNEL = 9
_PITCHED_CHANNELS = tuple(channel for channel in range(16) if channel != _DRUM_CHANNEL)
# A performance knows no beats: at 125 bpm and 960 ticks per beat a tick is exactly half a millisecond.
_PERFORMANCE_BPM = 125.0


@dataclass(frozen=True)
class _Voice:
    """What becomes one MIDI track; `note` is its `rearrange:` text."""

    name: str
    is_drum: bool
    program: int | None
    notes: Sequence[Note]
    note: dict[str, object]


@dataclass(frozen=True)
class _Sheet:
    """What becomes the conductor track."""

    timeline: Timeline
    title: str = ""
    key: Key | None = None
    chords: Sequence[Chord] = ()
    sections: Sequence[Section] = ()
    note: dict[str, object] = field(default_factory=dict)


def write_performance(path: str | os.PathLike[str], performance: Performance, *, title: str = "") -> None:
    """Write what was heard, at a steady 125 bpm (a tick is 0.5 ms). Confidences are not in the file.

    Raises
    ------
    OutputError : the file cannot be written.
    """
    beats_per_s = _PERFORMANCE_BPM / 60
    end_beat = performance.duration_s * beats_per_s
    timeline = Timeline.constant(_PERFORMANCE_BPM, end_beat=end_beat)
    voices = [
        _Voice(
            part.name,
            part.is_drum,
            part.program,
            [Note(n.onset_s * beats_per_s, n.duration_s * beats_per_s, n.pitch, n.velocity) for n in part.notes],
            {"role": part.role, "program": part.program},
        )
        for part in performance.parts
    ]
    _write(path, _Sheet(timeline, title, note={"duration_s": performance.duration_s}), voices)


def write_score(path: str | os.PathLike[str], score: Score) -> None:
    """Write the song as heard: lead sheet and parts.

    Raises
    ------
    OutputError : the file cannot be written.
    """
    sheet = _Sheet(score.timeline, score.title, score.key, score.chords, score.sections)
    _write(path, sheet, _voices(score.tracks))


def write_arrangement(path: str | os.PathLike[str], arrangement: Arrangement, *, title: str = "") -> Lead:
    """Write what is to be played. Returns what stands in front of beat 0, for `read_edited`.

    Raises
    ------
    OutputError : the file cannot be written.
    """
    sheet = _Sheet(
        arrangement.timeline, title, arrangement.key, arrangement.chords, arrangement.sections,
        {"genre": arrangement.genre, "style": arrangement.style},
    )  # fmt: skip
    return _write(path, sheet, _voices(arrangement.tracks))


def _voices(tracks: Iterable[Track]) -> list[_Voice]:
    return [
        _Voice(t.name, t.is_drum, t.program, t.notes, {"role": t.role, "confidence": t.confidence}) for t in tracks
    ]


def _write(path: str | os.PathLike[str], sheet: _Sheet, voices: Sequence[_Voice]) -> Lead:
    import mido

    first_beat = min((note.onset_beat for voice in voices for note in voice.notes), default=0.0)
    lead = lead_for(sheet.timeline, first_beat)
    spans = [_spans(voice.notes, lead) for voice in voices]
    last_tick = max((off for track in spans for _, off, _ in track), default=0)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, charset="utf-8")
    file.tracks.append(_track(_conductor_events(sheet, lead, last_tick)))
    pitched = 0
    for voice, notes in zip(voices, spans, strict=True):
        channel, port = _DRUM_CHANNEL, 0
        if not voice.is_drum:
            port, index = divmod(pitched, len(_PITCHED_CHANNELS))
            channel = _PITCHED_CHANNELS[index]
            pitched += 1
        file.tracks.append(_track(_voice_events(voice, notes, channel, port)))
    content = io.BytesIO()
    file.save(file=content)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())
    return lead


_Event = tuple[int, int, Any]  # tick, order within the tick, mido message
_Span = tuple[int, int, Note]  # on tick, off tick


def _track(events: Iterable[_Event]) -> object:
    import mido

    track = mido.MidiTrack()
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        message.time = tick - now
        track.append(message)
        now = tick
    return track


def _conductor_events(sheet: _Sheet, lead: Lead, last_tick: int) -> list[_Event]:
    from mido import MetaMessage

    note = {
        **sheet.note,
        "anchor_beat": lead.anchor_beat,
        "end_beat": sheet.timeline.end_beat,
        "last_beat": last_tick / TICKS_PER_BEAT - lead.lead_beat,
        "lead_beat": lead.lead_beat,
        "lead_s": lead.lead_s,
    }
    events: list[_Event] = [
        (0, 0, MetaMessage("track_name", name=_encodable(sheet.title))),
        (0, 1, MetaMessage("text", text=text_of(note))),
    ]
    if sheet.key is not None:
        events.append((0, 2, MetaMessage("key_signature", key=key_name(sheet.key))))
    for onset, metre in sheet.timeline.metres:
        tick = 0 if onset == 0.0 else _tick(onset, lead)
        message = MetaMessage("time_signature", numerator=metre.numerator, denominator=metre.denominator)
        events.append((tick, 3, message))
    for tick, tempo in tempo_map(sheet.timeline, lead):
        events.append((tick, 4, MetaMessage("set_tempo", tempo=tempo)))
    for onset, label in section_markers(sheet.sections):
        events.append((_tick(onset, lead), 5, MetaMessage("marker", text=label)))
    for onset, symbol in chord_markers(sheet.chords, sheet.timeline.end_beat):
        events.append((_tick(onset, lead), 6, MetaMessage("marker", text=symbol)))
    end_tick = max(_tick(sheet.timeline.end_beat, lead), *(event[0] for event in events))
    events.append((end_tick, 9, MetaMessage("end_of_track")))
    return events


def _voice_events(voice: _Voice, spans: Iterable[_Span], channel: int, port: int) -> list[_Event]:
    from mido import Message, MetaMessage

    events: list[_Event] = [
        (0, 0, MetaMessage("track_name", name=_encodable(voice.name))),
        (0, 1, MetaMessage("text", text=text_of(voice.note))),
    ]
    if port:
        events.append((0, 2, MetaMessage("midi_port", port=port)))
    if voice.program is not None:
        events.append((0, 3, Message("program_change", program=voice.program, channel=channel)))
    for on, off, note in spans:
        velocity = min(max(note.velocity, 1), 127)
        start = Message("note_on", note=note.pitch, velocity=velocity, channel=channel)
        events.append((on, 5, start))
        events.append((off, 4, Message("note_off", note=note.pitch, velocity=0, channel=channel)))
    return events


def _spans(notes: Iterable[Note], lead: Lead) -> list[_Span]:
    """The notes in ticks, so that no two notes of a pitch overlap: the earlier one is cut short."""
    next_on: dict[int, int] = {}
    spans: list[_Span] = []
    ordered = sorted(notes, key=lambda n: (n.onset_beat, n.pitch, n.velocity), reverse=True)
    for note in ordered:
        on = _tick(note.onset_beat, lead)
        off = max(_tick(note.onset_beat + note.duration_beat, lead), on + 1)
        limit = next_on.get(note.pitch)
        if limit is not None and limit <= on:  # struck twice at once: the louder one, met first, is kept
            continue
        spans.append((on, off if limit is None else min(off, limit), note))
        next_on[note.pitch] = on
    return spans[::-1]


def _tick(beat: float, lead: Lead) -> int:
    return max(round((beat + lead.lead_beat) * TICKS_PER_BEAT), 0)


def _encodable(name: str) -> str:
    """A name without what UTF-8 cannot hold: file names that are not UTF-8 reach Python as lone surrogates."""
    return name.encode("utf-8", "replace").decode("utf-8")
