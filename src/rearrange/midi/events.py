"""Standard MIDI file bytes to events, forgiving.

A file is read as far as it goes: a track that is cut short or damaged keeps what stands before the damage,
an impossible key signature or an unknown chunk is skipped. (mido, which writes our files, refuses such a
file whole, and symusic drops zero-length notes and all text; files in the wild have all of these.)

Conventions: ticks are absolute. Notes are paired as pretty_midi does: a note-off ends every sounding note of its
pitch that began before it. A note of no length gets `_SHORTEST_BEAT`; one that is never ended lasts at most
`_HANGING_BEAT`; one whose pitch is struck again ends there.

Source: Standard MIDI Files 1.0 (RP-001).
"""

import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from rearrange.errors import MidiFormatError

__all__ = ["MidiEvents", "RawNote", "RawPart", "parse_midi"]

logger = logging.getLogger(__name__)

_SHORTEST_BEAT = 0.125  # a thirty-second note: a zero-length hit in a drum editor is still a hit
_HANGING_BEAT = 4.0
_DRUM_CHANNEL = 9
_HEADER_SEARCH_BYTES = 1 << 16  # a RIFF (.rmi) or MacBinary header may stand in front
_DEFAULT_TICKS_PER_BEAT = 480

_META_TEXT, _META_TRACK_NAME, _META_MARKER = 0x01, 0x03, 0x06
_META_TEMPO, _META_METRE, _META_KEY, _META_END = 0x51, 0x58, 0x59, 0x2F
_ALL_SOUND_OFF, _ALL_NOTES_OFF = 120, 123
# Data bytes after each kind of channel message's status.
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}


@dataclass(frozen=True, slots=True)
class RawNote:
    """A note in ticks."""

    onset_tick: int
    end_tick: int
    pitch: int
    velocity: int


@dataclass(frozen=True)
class RawPart:
    """The notes of one track that share a channel and a program; program is None where none was set."""

    name: str
    texts: tuple[str, ...]
    channel: int
    program: int | None
    notes: tuple[RawNote, ...]

    @property
    def is_drum(self) -> bool:
        return self.channel == _DRUM_CHANNEL


@dataclass
class MidiEvents:
    """A whole file in ticks, in file order.

    `seconds_per_tick` is set where the file counts film frames (SMPTE) and not beats; its tempos then mean
    nothing. `titles` holds the name of every track, `texts` the text events of every track.
    """

    ticks_per_beat: int
    seconds_per_tick: float | None = None
    tempos: list[tuple[int, int]] = field(default_factory=list)  # tick, microseconds per quarter note
    metres: list[tuple[int, int, int]] = field(default_factory=list)  # tick, numerator, denominator
    keys: list[tuple[int, int, bool]] = field(default_factory=list)  # tick, sharps (flats < 0), is minor
    markers: list[tuple[int, str]] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    parts: list[RawPart] = field(default_factory=list)


class _DamagedTrackError(Exception):
    """The rest of a track cannot be read."""


def parse_midi(content: bytes) -> MidiEvents:
    """Read the bytes of a MIDI file.

    Raises
    ------
    MidiFormatError : there is no MIDI header, no track can be read, or it is of format 2.
    """
    start = content.find(b"MThd", 0, _HEADER_SEARCH_BYTES)
    if start < 0 or len(content) < start + 14:
        raise MidiFormatError("it has no MIDI header", "is it really a MIDI file?")
    length, kind, _, division = struct.unpack(">IHHh", content[start + 4 : start + 14])
    if kind == 2:
        raise MidiFormatError("MIDI format 2 (independent sequences) is not read", "save it as format 1")
    if division == 0:
        raise MidiFormatError("its header gives no time division", "save it again from the program it came from")
    if division > 0:
        events = MidiEvents(division)
    else:  # the high byte is minus the frames per second, the low one ticks per frame
        frames_per_s, ticks_per_frame = -(division >> 8), max(division & 0xFF, 1)
        rate = 29.97 if frames_per_s == 29 else float(frames_per_s)
        events = MidiEvents(_DEFAULT_TICKS_PER_BEAT, seconds_per_tick=1.0 / (rate * ticks_per_frame))
    for number, track in enumerate(_track_chunks(content, start + 8 + length)):
        try:
            _TrackReader(events, number).read(track)
        except _DamagedTrackError as exc:
            logger.warning("MIDI track %d is damaged (%s): the rest of it is left out", number + 1, exc)
    if not events.titles:
        raise MidiFormatError("it has a MIDI header but no track", "the file may be cut short")
    return events


def _track_chunks(content: bytes, at: int) -> Iterator[bytes]:
    """The MTrk chunks; other chunks are skipped, a last one that is cut short is given as it is."""
    while at + 8 <= len(content):
        tag, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "big")
        if tag == b"MTrk":
            yield content[at + 8 : at + 8 + length]
        at += 8 + length


class _TrackReader:
    """Reads one track chunk into a MidiEvents."""

    def __init__(self, events: MidiEvents, number: int) -> None:
        self._events = events
        self._number = number
        self._name = ""
        self._texts: list[str] = []
        self._programs: dict[int, int] = {}
        self._sounding: dict[tuple[int, int], list[tuple[int, int, int | None]]] = {}
        self._parts: dict[tuple[int, int | None], list[RawNote]] = {}

    def read(self, chunk: bytes) -> None:
        """Read a chunk; what stands before damage is kept.

        Raises
        ------
        _DamagedTrackError : the chunk ends inside an event, or holds what is none.
        """
        tick = 0
        try:
            for tick, status, data in _messages(chunk):
                if status >= 0x100:
                    self._meta(tick, status - 0x100, data)
                else:
                    self._channel_message(tick, status, data)
        finally:
            self._end(tick)

    def _meta(self, tick: int, kind: int, data: bytes) -> None:
        if kind == _META_TRACK_NAME and not self._name:
            self._name = _text(data).strip()
        elif kind == _META_TEXT:
            self._texts.append(_text(data))
        elif kind == _META_MARKER:
            self._events.markers.append((tick, _text(data).strip()))
        elif kind == _META_TEMPO and len(data) >= 3 and any(data[:3]):
            self._events.tempos.append((tick, int.from_bytes(data[:3], "big")))
        elif kind == _META_METRE and len(data) >= 2 and data[0] > 0 and data[1] <= 6:
            self._events.metres.append((tick, data[0], 1 << data[1]))
        elif kind == _META_KEY and len(data) >= 2 and data[1] <= 1:
            sharps = data[0] - 256 if data[0] > 127 else data[0]
            if -7 <= sharps <= 7:
                self._events.keys.append((tick, sharps, data[1] == 1))

    def _channel_message(self, tick: int, status: int, data: bytes) -> None:
        kind, channel = status >> 4, status & 0xF
        if kind == 0x9 and data[1] > 0:
            sounding = self._sounding.setdefault((channel, data[0]), [])
            sounding.append((tick, data[1], self._programs.get(channel)))
        elif kind in (0x8, 0x9):
            self._release(tick, channel, data[0])
        elif kind == 0xC:
            self._programs[channel] = data[0]
        elif kind == 0xB and data[0] in (_ALL_SOUND_OFF, _ALL_NOTES_OFF):
            for other, pitch in list(self._sounding):
                if other == channel:
                    self._release(tick, channel, pitch)

    def _release(self, tick: int, channel: int, pitch: int) -> None:
        """End the sounding notes of a pitch; those struck at this very tick only if there are no others."""
        sounding = self._sounding.get((channel, pitch), [])
        older = [note for note in sounding if note[0] < tick]
        for onset, velocity, program in older or sounding:
            note = RawNote(onset, tick, pitch, velocity)
            self._parts.setdefault((channel, program), []).append(note)
        self._sounding[channel, pitch] = [note for note in sounding if note[0] == tick] if older else []

    def _end(self, tick: int) -> None:
        hanging = round(_HANGING_BEAT * self._events.ticks_per_beat)
        for (channel, pitch), sounding in self._sounding.items():
            for onset, velocity, program in sounding:
                note = RawNote(onset, min(max(tick, onset), onset + hanging), pitch, velocity)
                self._parts.setdefault((channel, program), []).append(note)
        shortest = max(round(_SHORTEST_BEAT * self._events.ticks_per_beat), 1)
        self._events.titles.append(self._name)
        self._events.texts += self._texts
        for (channel, program), notes in self._parts.items():
            repaired = tuple(_without_overlaps(notes, shortest))
            self._events.parts.append(RawPart(self._name, tuple(self._texts), channel, program, repaired))


def _messages(chunk: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(tick, status, data bytes) of each channel message; of each meta event, with 0x100 + its type."""
    at, tick, running = 0, 0, 0
    end = len(chunk)
    while at < end:
        delta, at = _variable_length(chunk, at)
        tick += delta
        if at >= end:
            raise _DamagedTrackError("it ends inside an event")
        status = chunk[at]
        if status >= 0x80:
            at += 1
        elif not running:
            raise _DamagedTrackError("a data byte stands where an event should")
        else:
            status = running
        if status == 0xFF:
            if at >= end:
                raise _DamagedTrackError("it ends inside an event")
            kind = chunk[at]
            length, at = _variable_length(chunk, at + 1)
            if kind == _META_END:
                return
            yield tick, 0x100 + kind, chunk[at : at + length]
            at += length
        elif status in (0xF0, 0xF7):
            length, at = _variable_length(chunk, at)
            at += length
        elif status > 0xF0:
            raise _DamagedTrackError(f"0x{status:02x} is no event of a file")
        else:
            running = status
            data = chunk[at : at + _DATA_BYTES[status >> 4]]
            at += len(data)
            if len(data) < _DATA_BYTES[status >> 4]:
                raise _DamagedTrackError("it ends inside an event")
            if max(data) > 127:
                raise _DamagedTrackError("a status byte stands inside an event")
            yield tick, status, data


def _variable_length(chunk: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where it ends."""
    number = 0
    for i in range(at, min(at + 4, len(chunk))):
        number = (number << 7) | (chunk[i] & 0x7F)
        if chunk[i] < 0x80:
            return number, i + 1
    raise _DamagedTrackError("it ends inside an event" if at + 4 > len(chunk) else "a number has no end")


def _text(data: bytes) -> str:
    """Text of a meta event: UTF-8 where it is that, else Latin-1, which never fails."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _without_overlaps(notes: list[RawNote], shortest_tick: int) -> Iterator[RawNote]:
    """Notes by onset, then pitch; each ends where its pitch is struck again, and has some length."""
    next_onset: dict[int, int] = {}
    repaired: list[RawNote] = []
    for note in sorted(notes, key=lambda n: (n.onset_tick, n.pitch, n.velocity), reverse=True):
        limit = next_onset.get(note.pitch)
        if limit == note.onset_tick:  # struck twice at once: the louder one, met first, stands for both
            continue
        end = note.end_tick if note.end_tick > note.onset_tick else note.onset_tick + shortest_tick
        end = end if limit is None else min(end, limit)
        repaired.append(RawNote(note.onset_tick, end, note.pitch, note.velocity))
        next_onset[note.pitch] = note.onset_tick
    return reversed(repaired)
