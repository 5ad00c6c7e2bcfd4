"""MIDI files to `Performance` (seconds) and `Track`s (beats), from any program.

Notes of one track that share a channel and a program are one part; a format-0 file is thus split by channel.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rearrange.errors import MidiFormatError
from rearrange.general_midi import PROGRAM_NAMES
from rearrange.midi.events import MidiEvents, RawNote, RawPart, parse_midi
from rearrange.midi.tempo import Lead, timeline_from
from rearrange.midi.text import key_from_sharps, note_of, parse_chords, parse_sections
from rearrange.score import (
    Chord,
    Key,
    Note,
    NoteEvent,
    Part,
    Performance,
    Role,
    Section,
    Timeline,
    Track,
    sorted_notes,
)

__all__ = ["MidiFile", "read_midi", "read_performance"]

_MAX_BYTES = 1 << 26  # 64 MiB: the largest MIDI files made (black MIDI apart) are below 10
_MAX_DURATION_S = 4 * 3600.0
# General MIDI programs by family, for guessing what a part does in the band.
_BASSES = range(32, 40)
_PADS = (*range(48, 55), *range(88, 96))
_LEADS = (*range(40, 43), *range(56, 88), 110, 111)
_SAME_BEAT = 0.01  # a DAW may save at fewer ticks per beat
_POLYPHONIC = 1.2  # mean number of notes that start together, above which a part plays chords


@dataclass(frozen=True)
class MidiFile:
    """What a MIDI file says.

    `performance` holds the notes in seconds and `tracks` the same notes in beats of `timeline`; a track's role is
    what our own file says, or what the track of that name in `known` had, or a guess. `lead` is what stands in
    front of beat 0. `key` is None where there is no key signature.
    """

    performance: Performance
    tracks: tuple[Track, ...]
    timeline: Timeline
    lead: Lead
    key: Key | None
    chords: tuple[Chord, ...]
    sections: tuple[Section, ...]
    title: str


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where the ticks of a file lie in the song."""

    ticks_per_beat: int
    lead_beat: float
    timeline: Timeline

    def beat(self, tick: int) -> float:
        return tick / self.ticks_per_beat - self.lead_beat

    def duration_beat(self, note: RawNote) -> float:
        return (note.end_tick - note.onset_tick) / self.ticks_per_beat

    def seconds(self, ticks: Iterable[int]) -> list[float]:
        return [float(time) for time in self.timeline.seconds([self.beat(tick) for tick in ticks])]


def read_midi(path: str | os.PathLike[str], *, known: Sequence[Track] = (), lead: Lead = Lead()) -> MidiFile:
    """Read a MIDI file of any origin.

    Parameters
    ----------
    path : format 0 or 1
    known : tracks whose roles and confidences hold for tracks of the same name that lost theirs in a DAW
    lead : what stands in front of beat 0, where the file has lost that too

    Raises
    ------
    MidiFormatError : no such file, or not one that can be read.
    """
    path = Path(path)
    try:
        events = parse_midi(_content(path))
    except MidiFormatError as exc:
        raise MidiFormatError(f"{path}: {exc.message}", exc.hint) from exc
    note = note_of(events.texts)
    lead = _lead_of(note, lead)
    last_tick = max((n.end_tick for part in events.parts for n in part.notes), default=0)
    last_beat = last_tick / events.ticks_per_beat - lead.lead_beat
    timeline = timeline_from(events, lead, last_beat)
    last_s = float(timeline.seconds(last_beat))
    if last_s > _MAX_DURATION_S:
        raise MidiFormatError(f"{path}: it lasts {last_s / 3600:.0f} hours", "is its tempo map damaged?")
    end_beat, written_last_beat = note.get("end_beat"), note.get("last_beat")
    if (
        isinstance(end_beat, int | float)
        and isinstance(written_last_beat, int | float)
        and abs(written_last_beat - last_beat) < _SAME_BEAT
    ):
        timeline = timeline_from(events, lead, float(end_beat))
    elif timeline.bars:  # the song ends with the bar of its last note
        timeline = timeline_from(events, lead, timeline.bars[-1].end_beat)
    grid = _Grid(events.ticks_per_beat, lead.lead_beat, timeline)
    by_name = {track.name: track for track in known}
    parts: list[Part] = []
    tracks: list[Track] = []
    for part, name in zip(events.parts, _names(events.parts), strict=True):
        parts.append(_part(part, name, grid))
        tracks.append(_track(part, by_name.get(name), name, grid))
    markers = sorted(((grid.beat(tick), text) for tick, text in events.markers), key=lambda marker: marker[0])
    duration_s = note.get("duration_s")
    return MidiFile(
        Performance(tuple(parts), float(duration_s) if isinstance(duration_s, int | float) else max(last_s, 0.0)),
        tuple(tracks),
        timeline,
        lead,
        key_from_sharps(*events.keys[0][1:]) if events.keys else None,
        parse_chords(markers, timeline.end_beat),
        parse_sections(markers, timeline.end_beat),
        _title(events),
    )


def read_performance(path: str | os.PathLike[str]) -> Performance:
    """Read what `write_performance` wrote, or any MIDI file as if it had been heard. Confidences are 1.

    Raises
    ------
    MidiFormatError : no such file, or not one that can be read.
    """
    return read_midi(path).performance


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise MidiFormatError("it is too large for a MIDI file")
        return path.read_bytes()
    except OSError as exc:
        raise MidiFormatError(f"cannot be read: {exc.strerror or exc}") from exc


def _lead_of(note: Mapping[str, object], default: Lead) -> Lead:
    values = [note.get(name) for name in ("lead_beat", "lead_s", "anchor_beat")]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return Lead(*numbers) if len(numbers) == len(values) else default


def _title(events: MidiEvents) -> str:
    """The name of the first track, where that is a conductor track without notes."""
    name = events.titles[0]
    return "" if any(part.name == name for part in events.parts) else name


def _names(parts: Sequence[RawPart]) -> list[str]:
    """A name for each part, no two alike."""
    names: list[str] = []
    for part in parts:
        family = "drums" if part.is_drum else PROGRAM_NAMES[part.program or 0]
        base = part.name or family
        name, number = base, 1
        while name in names:
            number += 1
            name = f"{base} {number}"
        names.append(name)
    return names


def _part(part: RawPart, name: str, grid: _Grid) -> Part:
    onsets_s = grid.seconds(note.onset_tick for note in part.notes)
    ends_s = grid.seconds(note.end_tick for note in part.notes)
    notes = tuple(
        NoteEvent(onset, end - onset, note.pitch, note.velocity)
        for note, onset, end in zip(part.notes, onsets_s, ends_s, strict=True)
    )
    text = note_of(part.texts)
    program = part.program if "program" in text else part.program or 0
    return Part(name, notes, part.is_drum, _role_of(text), program)


def _track(part: RawPart, before: Track | None, name: str, grid: _Grid) -> Track:
    notes = [
        Note(grid.beat(note.onset_tick), grid.duration_beat(note), note.pitch, note.velocity)
        for note in part.notes
    ]
    text = note_of(part.texts)
    if before is not None and before.is_drum != part.is_drum:
        before = None
    role = _role_of(text) or (before.role if before else _guessed_role(part))
    confidence = text.get("confidence", before.confidence if before else 1.0)
    return Track(
        name,
        role,
        part.program or 0,
        part.is_drum,
        sorted_notes(notes),
        float(confidence) if isinstance(confidence, int | float) else 1.0,
    )


def _role_of(text: Mapping[str, object]) -> Role | None:
    role = text.get("role")
    return Role(role) if isinstance(role, str) and role in set(Role) else None


def _guessed_role(part: RawPart) -> Role:
    """What a part most likely does, by its instrument and by whether it plays chords."""
    if part.is_drum:
        return Role.DRUMS
    if part.program in _BASSES:
        return Role.BASS
    if part.program in _PADS:
        return Role.PAD
    onsets = len({note.onset_tick for note in part.notes})
    polyphony = len(part.notes) / max(onsets, 1)
    return Role.MELODY if part.program in _LEADS and polyphony < _POLYPHONIC else Role.CHORDS
