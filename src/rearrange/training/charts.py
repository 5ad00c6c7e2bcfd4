"""Charts: songs of which the chords are written and the notes are not, or only the melody.

Billboard's say the chords of every bar and the tonic, but not the mode; OpenEWLD's lead sheets chords, melody and
key signature (their mode is not to be relied on: nearly all say major).

Conventions: a state a beat, as in `analysis.progressions`; -1 where it is unknown or of no quality of QUALITIES.
`keys` (12, 2) has the keys that the chart allows: both modes of a tonic, or a signature's major and minor.

Sources: J. A. Burgoyne et al., ISMIR 2011 (Billboard); F. Simonetta, OpenEWLD.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.progressions import QUALITIES

__all__ = ["Chart", "read_billboard", "read_openewld"]

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# Harte's shorthands, and the kinds of MusicXML, as the qualities that are told apart.
_SHORTHANDS = {
    **{quality: quality for quality in QUALITIES},
    "maj6": "maj", "min6": "min", "minmaj7": "min", "maj9": "maj7", "maj13": "maj7", "9": "7", "13": "7",
    "11": "sus4", "min9": "min7", "min11": "min7", "min13": "min7", "hdim7": "min7b5", "dim7": "dim",
}  # fmt: skip
_KINDS = {
    "major": "maj", "major-sixth": "maj", "minor": "min", "minor-sixth": "min", "minor-major": "min",
    "dominant": "7", "dominant-ninth": "7", "dominant-13th": "7", "dominant-11th": "sus4",
    "major-seventh": "maj7", "major-ninth": "maj7", "minor-seventh": "min7", "minor-ninth": "min7",
    "minor-11th": "min7", "diminished": "dim", "diminished-seventh": "dim", "half-diminished": "min7b5",
    "augmented": "aug", "augmented-seventh": "aug", "suspended-fourth": "sus4", "suspended-second": "sus2",
}  # fmt: skip
_LINE = re.compile(r"[0-9.]+\t(?:([A-Z]'*), )?([a-zA-Z][a-zA-Z -]*)?")


@dataclass(frozen=True, eq=False)
class Chart:
    """A song's chords, beat by beat.

    Parameters
    ----------
    states, downbeats : (n_beats,)
    melody : (n_beats, 12) how long each pitch class sounds in each beat; 0 where no melody is written
    keys : (12, 2) which keys it may have, major and minor
    sections : the beat and the letter of each section that is marked, in order
    """

    song: str
    states: NDArray[np.int64]
    downbeats: NDArray[np.bool_]
    melody: NDArray[np.float64]
    keys: NDArray[np.bool_]
    sections: tuple[tuple[int, str], ...]


def read_billboard(path: Path) -> Chart | None:
    """A chart of Billboard; None if its tonic changes."""
    tonics: set[int] = set()
    metre = 4
    bars: list[list[int]] = []
    sections: list[tuple[int, str]] = []
    n_beats = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# tonic:"):
            tonics.add(_pitch_class(line.partition(":")[2].strip()))
        elif line.startswith("# metre:"):
            metre = _felt_beats(line.partition(":")[2].strip())
        match = _LINE.match(line)
        if match is None or "|" not in line:
            continue
        if match[1] or match[2]:
            sections.append((n_beats, match[1] or match[2].strip()))
        again = re.search(r"\|\s*x(\d+)", line)
        written = [list(_bar(bar, metre)) for bar in line[line.index("|") + 1 : line.rindex("|")].split("|")]
        for _ in range(int(again[1]) if again else 1):
            bars += written
            n_beats += sum(map(len, written))
    if len(tonics) != 1 or not bars:
        return None
    keys = np.zeros((12, 2), dtype=bool)
    keys[tonics.pop()] = True
    return Chart(
        song=f"billboard/{path.stem}",
        states=np.array([state for bar in bars for state in bar]),
        downbeats=np.array([i == 0 for bar in bars for i in range(len(bar))]),
        melody=np.zeros((n_beats, 12)),
        keys=keys,
        sections=tuple(sections),
    )


def read_openewld(path: Path) -> Chart | None:
    """A lead sheet; None if its signature changes, or it has no chords."""
    part = ET.parse(path).getroot().find("part")
    measures = part.findall("measure") if part is not None else []
    fifths = {int(each.text or 0) for measure in measures for each in measure.iter("fifths")}
    states: list[int] = []
    downbeats: list[bool] = []
    melody: list[NDArray[np.float64]] = []
    divisions, sounding = 1, -1
    for measure in measures:
        divisions = int(measure.findtext("attributes/divisions") or divisions)
        chords, notes, length = _written(measure, divisions)
        n_beats = max(round(length), 1)
        sung = np.zeros((n_beats, 12))
        for beat in range(n_beats):
            for onset, state in chords:
                if onset < beat + 0.5:
                    sounding = state
            states.append(sounding)
            downbeats.append(beat == 0)
            for onset, end, pitch_class in notes:
                sung[beat, pitch_class] += max(min(end, beat + 1.0) - max(onset, float(beat)), 0.0)
        melody.append(sung)
    if len(fifths) != 1 or max(states, default=-1) < 0:
        return None
    major = 7 * fifths.pop() % 12
    keys = np.zeros((12, 2), dtype=bool)
    keys[major, 0] = keys[(major + 9) % 12, 1] = True
    name = f"openewld/{path.parent.name}/{path.stem}"
    return Chart(name, np.array(states), np.array(downbeats), np.concatenate(melody), keys, ())


def _bar(text: str, metre: int) -> Iterator[int]:
    """The state of each beat of a bar of Billboard: `A:min . D:7 .`, or one chord for all of it."""
    words = text.split()
    if words and re.fullmatch(r"\(\d+/\d+\)", words[0]):
        metre = _felt_beats(words.pop(0).strip("()"))
    states: list[int] = []
    for word in words or ["."]:
        root, colon, colour = word.partition(":")
        quality = _SHORTHANDS.get(re.split(r"[/(]", colour)[0]) if colon else None
        if word == "." and states:
            states.append(states[-1])
        else:
            states.append(-1 if quality is None else _state(_pitch_class(root), quality))
    for beat in range(metre):
        yield states[min(beat * len(states) // metre, len(states) - 1)]


def _written(
    measure: ET.Element, divisions: int
) -> tuple[list[tuple[float, int]], list[tuple[float, float, int]], float]:
    """Chords (onset, state), notes (onset, end, pitch class) and the length of a bar, in quarters."""
    at = last = 0.0
    chords: list[tuple[float, int]] = []
    notes: list[tuple[float, float, int]] = []
    for element in measure:
        long = int(element.findtext("duration") or 0) / divisions
        if element.tag == "harmony" and element.find("root") is not None:
            quality = _KINDS.get((element.findtext("kind") or "").strip())
            root = _STEPS[element.findtext("root/root-step") or "C"]
            root += int(float(element.findtext("root/root-alter") or 0))
            onset = at + int(element.findtext("offset") or 0) / divisions
            chords.append((onset, -1 if quality is None else _state(root % 12, quality)))
        elif element.tag == "note" and element.find("grace") is None:
            onset = last if element.find("chord") is not None else at
            pitch = element.find("pitch")
            if pitch is not None:
                step = _STEPS[pitch.findtext("step") or "C"] + int(float(pitch.findtext("alter") or 0))
                notes.append((onset, onset + long, step % 12))
            if element.find("chord") is None:
                last, at = at, at + long
        elif element.tag == "backup":
            at -= long
        elif element.tag == "forward":
            at += long
    return chords, notes, at


def _felt_beats(metre: str) -> int:
    numerator, denominator = (int(each) for each in metre.split("/"))
    return numerator if denominator == 4 else max(numerator // 3, 1)


def _pitch_class(name: str) -> int:
    return (_STEPS[name[0]] + name.count("#") - name[1:].count("b")) % 12


def _state(root: int, quality: str) -> int:
    return root * len(QUALITIES) + QUALITIES.index(quality)
