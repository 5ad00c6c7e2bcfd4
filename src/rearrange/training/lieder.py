"""Written songs (MusicXML) as they might be played: a tempo of our own, beats a little louder, onsets 8 ms astray.

Limits: one time signature of 4/4, 3/4 or 6/8 throughout; repeats, grace notes and tempo marks are left out.
"""

import random
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rearrange.score import NoteEvent, Part
from rearrange.training.excerpts import Excerpt, cut, drifting

__all__ = ["lied", "written_metre"]

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_VOICE, _PIANO = 52, 0  # General MIDI programs


def written_metre(root: ET.Element) -> tuple[int, int] | None:
    """The time signature of a score that has only one."""
    found = {(time.findtext("beats"), time.findtext("beat-type")) for time in root.iter("time")}
    if len(found) != 1:
        return None
    beats, unit = found.pop()
    return (int(beats), int(unit)) if beats and unit and beats.isdigit() and unit.isdigit() else None


def lied(path: Path, root: ET.Element, rng: random.Random) -> Excerpt | None:
    """An excerpt from the fifth bar on; None if too many bars are not full."""
    metre = written_metre(root)
    if metre is None:
        return None
    felt, low_bpm, high_bpm = (1.5, 45, 75) if metre == (6, 8) else (1.0, 75, 130)
    bar = metre[0] * 4 / metre[1]
    n_beats = round(bar / felt)
    second = 60.0 / rng.uniform(low_bpm, high_bpm) / felt  # seconds per quarter
    bars: list[tuple[float, float]] = []
    parts = []
    for index, part in enumerate(root.findall("part")):
        written, own_bars = _read_part(part)
        bars = bars or own_bars
        starts = [start for start, length in bars if abs(length - bar) < 1e-6]
        if not starts or len(starts) < 0.95 * len(bars):
            return None
        played = []
        for onset, duration, pitch in written:
            accent = 15 if (onset - starts[0]) % felt < 1e-6 else 0
            velocity = 70 + accent + rng.randint(-8, 8)
            onset_s = max(0.0, onset * second + rng.gauss(0, 0.008))
            played.append(NoteEvent(onset_s, 0.95 * duration * second, pitch, velocity))
        notes = tuple(sorted(played, key=lambda note: (note.onset_s, note.pitch)))
        parts.append(Part(f"part {index}", notes, program=_PIANO if index else _VOICE))
    beats = np.array([(start + i * felt) * second for start in starts for i in range(n_beats)])
    positions = np.tile(np.arange(n_beats), len(starts))
    whole = Excerpt(f"lied-{path.stem}", path.stem, "lieder", tuple(parts), beats, positions, n_beats)
    return cut(whole, bars[min(4, len(bars) - 1)][0] * second, **drifting(rng))


def _read_part(part: ET.Element) -> tuple[list[tuple[float, float, int]], list[tuple[float, float]]]:
    """Notes (onset, duration, pitch) and bars (onset, length), all in quarters."""
    divisions, start = 1, 0.0
    notes: list[tuple[float, float, int]] = []
    bars = []
    for measure in part.findall("measure"):
        divisions = int(measure.findtext("attributes/divisions") or divisions)
        end = start
        for onset, duration, element in _timed(measure, start, divisions):
            end = max(end, onset + duration)
            pitch = element.find("pitch")
            if pitch is not None and "stop" not in {tie.get("type") for tie in element.findall("tie")}:
                notes.append((onset, duration, _pitch(pitch)))
        bars.append((start, end - start))
        start = end
    return notes, bars


def _timed(measure: ET.Element, start: float, divisions: int) -> Iterator[tuple[float, float, ET.Element]]:
    """Notes and rests of a bar with their onset and duration; what moves the cursor forward counts as a rest."""
    cursor = last = start
    for element in measure:
        duration = int(element.findtext("duration") or 0) / divisions
        if element.tag == "backup":
            cursor -= duration
        elif element.tag == "forward" or (element.tag == "note" and element.find("grace") is None):
            in_chord = element.find("chord") is not None
            yield (last if in_chord else cursor), duration, element
            if not in_chord:
                last = cursor
                cursor += duration


def _pitch(pitch: ET.Element) -> int:
    octave, alter = int(pitch.findtext("octave") or 4), float(pitch.findtext("alter") or 0)
    return 12 * (octave + 1) + _STEPS[pitch.findtext("step") or "C"] + int(alter)
