"""What MIDI has no event for, as text: keys, chord and section markers, and our own `rearrange:` notes.

A chord marker is its symbol (`Am7`, `C/E`; `N.C.` where none sounds), a section marker its label in square
brackets (`[chorus]`). `rearrange:` is followed by a JSON object.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rearrange.score import CHORD_INTERVALS, PITCH_CLASSES, Chord, Key, Section

__all__ = [
    "chord_markers",
    "key_from_sharps",
    "key_name",
    "note_of",
    "parse_chords",
    "parse_sections",
    "section_markers",
    "text_of",
]

NO_CHORD = "N.C."
_PREFIX = "rearrange:"
# The usual spelling of each key, of the two that sound alike the one with fewer accidentals.
_MAJOR_KEYS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR_KEYS = ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")
_QUALITIES: Mapping[str, str] = {name: name for name in CHORD_INTERVALS} | {
    "": "maj",
    "m": "min",
    "m7": "min7",
    "m7b5": "min7b5",
}
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_CHORD = re.compile(r"([A-G])([#b]?)([^/]*)(?:/([A-G])([#b]?))?")
_GAP_BEAT = 1e-3


def text_of(note: Mapping[str, object]) -> str:
    """A `rearrange:` text event; keys are sorted, so that the same note gives the same text."""
    return _PREFIX + json.dumps(note, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def note_of(texts: Iterable[str]) -> dict[str, object]:
    """The first readable `rearrange:` note among text events; empty if there is none."""
    for text in texts:
        if text.startswith(_PREFIX):
            try:
                note = json.loads(text[len(_PREFIX) :])
            except ValueError:
                continue
            if isinstance(note, dict):
                return note
    return {}


def key_name(key: Key) -> str:
    """The key as mido spells it, e.g. `Eb` or `F#m`."""
    return (_MINOR_KEYS if key.mode == "minor" else _MAJOR_KEYS)[key.tonic % 12]


def key_from_sharps(sharps: int, is_minor: bool) -> Key:
    """The key of a signature; flats are negative sharps."""
    return Key((sharps * 7 + (9 if is_minor else 0)) % 12, "minor" if is_minor else "major")


def chord_markers(chords: Sequence[Chord], end_beat: float) -> list[tuple[float, str]]:
    """(beat, symbol) of each chord, and of each gap between chords and before `end_beat`."""
    markers: list[tuple[float, str]] = []
    ends = [chord.onset_beat for chord in chords[1:]] + [end_beat]
    for chord, next_onset in zip(chords, ends, strict=bool(chords)):
        markers.append((chord.onset_beat, str(chord)))
        if next_onset > chord.end_beat + _GAP_BEAT:
            markers.append((chord.end_beat, NO_CHORD))
    return markers


def section_markers(sections: Sequence[Section]) -> list[tuple[float, str]]:
    """(beat, `[label]`) of each section."""
    return [(section.onset_beat, f"[{section.label}]") for section in sections]


def parse_chords(markers: Sequence[tuple[float, str]], end_beat: float) -> tuple[Chord, ...]:
    """Chords from markers in beats; each lasts until the next chord marker. Other markers are passed over."""
    symbols = [(beat, _parse_chord(text)) for beat, text in markers if _is_chord(text)]
    spans = pairwise([*symbols, (end_beat, None)])
    return tuple(
        Chord(beat, end - beat, *parsed) for (beat, parsed), (end, _) in spans if parsed is not None and end > beat
    )


def parse_sections(markers: Sequence[tuple[float, str]], end_beat: float) -> tuple[Section, ...]:
    """Sections from `[label]` markers in beats. Their energy is not in the file: 0.5."""
    labels = [(beat, text[1:-1]) for beat, text in markers if text.startswith("[") and text.endswith("]")]
    spans = pairwise([*labels, (end_beat, "")])
    return tuple(Section(beat, end - beat, label, 0.5) for (beat, label), (end, _) in spans if end > beat)


def _is_chord(text: str) -> bool:
    return text == NO_CHORD or _parse_chord(text) is not None


def _parse_chord(symbol: str) -> tuple[int, str, int] | None:
    """Root, quality and bass of a chord symbol; None where it is not one."""
    match = _CHORD.fullmatch(symbol)
    if match is None or match[3] not in _QUALITIES:
        return None
    root = _pitch_class(match[1], match[2])
    return root, _QUALITIES[match[3]], _pitch_class(match[4], match[5]) if match[4] else root


def _pitch_class(step: str, accidental: str) -> int:
    return (_STEPS[step] + {"#": 1, "b": -1, "": 0}[accidental]) % len(PITCH_CLASSES)
