"""Written music (MusicXML) as tracks and chords in beats: the judge's lead sheets and ensembles.

Conventions: beats are quarter notes from the first full bar line; a pickup lies before 0. Tied notes are one.

Limits: repeats are read once; grace notes, dynamics and tempo marks are left out, and velocities are all alike;
a chord of a kind that is not of CHORD_INTERVALS is the nearest that is.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rearrange.errors import UsageError
from rearrange.score import Chord, Note, Role, Track, sorted_notes
from rearrange.timeline import Metre, Timeline

__all__ = ["WrittenSong", "read_written"]

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_QUALITIES = {
    "major": "maj", "minor": "min", "dominant": "7", "major-seventh": "maj7", "minor-seventh": "min7",
    "diminished": "dim", "augmented": "aug", "suspended-fourth": "sus4", "suspended-second": "sus2",
    "half-diminished": "min7b5", "diminished-seventh": "dim7", "power": "5", "major-sixth": "6",
    "minor-sixth": "min6", "dominant-ninth": "9", "major-ninth": "maj9", "minor-ninth": "min9",
    "dominant-13th": "13", "dominant-11th": "9", "minor-11th": "min11", "minor-13th": "min11", "maj69": "69",
    "augmented-seventh": "7", "augmented-ninth": "9", "major-minor": "min7", "minor-major": "min",
}  # fmt: skip
_VELOCITY, _TEMPO_BPM = 80, 100.0  # nobody wrote any; no feature reads them


@dataclass(frozen=True)
class WrittenSong:
    """A piece as written: a track for each part, the first one the melody where there are several."""

    tracks: tuple[Track, ...]
    chords: tuple[Chord, ...]
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class _Read:
    """One part in quarters from its first bar, pickup or not."""

    notes: list[tuple[float, float, int]]
    symbols: list[tuple[float, int, str]]
    bars: list[tuple[float, float]]
    metres: list[tuple[float, Metre]]


def read_written(path: Path) -> WrittenSong:
    """Read a MusicXML score of parts (not of measures), uncompressed.

    Raises
    ------
    UsageError : it is not such a file, or has no bar.
    """
    try:
        root = ET.parse(path).getroot()
        read = [_part(part) for part in root.findall("part")]
    except (ET.ParseError, OSError, ValueError) as exc:
        raise UsageError(f"{path}: cannot be read as MusicXML: {exc}") from exc
    if not read or not read[0].bars or not read[0].metres:
        raise UsageError(f"{path}: holds no bar with a time signature")
    _, length = read[0].bars[0]
    pickup = length if length < read[0].metres[0][1].beats_per_bar - 1e-6 and len(read[0].bars) > 1 else 0.0
    end = read[0].bars[-1][0] + read[0].bars[-1][1] - pickup
    tracks = []
    for i, part in enumerate(read):
        notes = [Note(onset - pickup, duration, pitch, _VELOCITY) for onset, duration, pitch in part.notes]
        role = Role.MELODY if i == 0 else Role.CHORDS
        tracks.append(Track(f"part {i + 1}", role, 0, False, sorted_notes(notes)))
    symbols = [(onset - pickup, root_pitch, quality) for onset, root_pitch, quality in read[0].symbols]
    ends = [*(onset for onset, _, _ in symbols), end][1:]
    chords = tuple(
        Chord(onset, stop - onset, pitch, quality, pitch)
        for (onset, pitch, quality), stop in zip(symbols, ends, strict=True)
        if stop - onset > 1e-6
    )
    metres = _metres(read[0], pickup)
    whole = max(end, metres[-1][0] + metres[-1][1].beats_per_bar)
    timeline = Timeline((0.0, whole), (0.0, whole * 60.0 / _TEMPO_BPM), metres, whole)
    return WrittenSong(tuple(tracks), chords, timeline)


def _metres(part: _Read, pickup: float) -> tuple[tuple[float, Metre], ...]:
    """Changes of metre, the first at beat 0; one in the pickup is that of the first bar."""
    out: list[tuple[float, Metre]] = []
    for onset, metre in part.metres:
        beat = max(onset - pickup, 0.0) if out else 0.0
        if out and out[-1][0] == beat:
            out.pop()
        if not out or out[-1][1] != metre:
            out.append((beat, metre))
    return tuple(out)


def _part(part: ET.Element) -> _Read:
    divisions, start = 1.0, 0.0
    read = _Read([], [], [], [])
    open_ties: dict[int, int] = {}
    for measure in part.findall("measure"):
        end = start
        for onset, duration, element in _timed(measure, start, divisions):
            if element.tag == "attributes":
                divisions = float(element.findtext("divisions") or divisions)
                beats, unit = element.findtext("time/beats"), element.findtext("time/beat-type")
                if beats and unit:
                    read.metres.append((start, Metre(sum(map(int, beats.split("+"))), int(unit))))
            elif element.tag == "harmony":
                symbol = _symbol(element)
                if symbol is not None:
                    read.symbols.append((onset, *symbol))
            elif element.tag == "note":
                _add_note(read, open_ties, onset, duration, element)
            end = max(end, onset + duration)
        read.bars.append((start, end - start))
        start = end
    return read


def _timed(measure: ET.Element, start: float, divisions: float) -> Iterator[tuple[float, float, ET.Element]]:
    """A bar's elements with onset and duration in quarters."""
    cursor = last = start
    for element in measure:
        if element.tag == "attributes":
            divisions = float(element.findtext("divisions") or divisions)
        duration = float(element.findtext("duration") or 0) / divisions
        if element.tag == "backup":
            cursor -= duration
        elif element.tag in ("forward", "note") and element.find("grace") is None:
            in_chord = element.find("chord") is not None
            yield (last if in_chord else cursor), duration, element
            if not in_chord:
                last, cursor = cursor, cursor + duration
        elif element.tag in ("attributes", "harmony"):
            yield cursor, 0.0, element


def _add_note(read: _Read, open_ties: dict[int, int], onset: float, duration: float, element: ET.Element) -> None:
    pitch = element.find("pitch")
    if pitch is None:
        return
    octave, alter = int(pitch.findtext("octave") or 4), float(pitch.findtext("alter") or 0)
    number = min(max(12 * (octave + 1) + _STEPS[pitch.findtext("step") or "C"] + int(alter), 0), 127)
    ties = {tie.get("type") for tie in element.findall("tie")}
    if "stop" in ties and number in open_ties:
        before = read.notes[open_ties[number]]
        read.notes[open_ties[number]] = (before[0], onset + duration - before[0], number)
    else:
        read.notes.append((onset, duration, number))
        open_ties[number] = len(read.notes) - 1
    if "start" not in ties:
        open_ties.pop(number, None)


def _symbol(harmony: ET.Element) -> tuple[int, str] | None:
    step, quality = harmony.findtext("root/root-step"), _QUALITIES.get(harmony.findtext("kind") or "")
    if step not in _STEPS or quality is None:
        return None
    return (_STEPS[step] + int(float(harmony.findtext("root/root-alter") or 0))) % 12, quality
