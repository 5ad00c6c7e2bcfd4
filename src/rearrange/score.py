"""What was heard, what the song is, and what is to be played: the values that pass between stages.

Conventions: `*_s` are seconds from the start of the song; `*_beat` are quarter notes from its first
downbeat-aligned beat 0 (which need not be at 0 s, and pickup notes have negative beats); `pitch` is a MIDI
number (60 = C4, 440 Hz is 69); drum notes carry General MIDI percussion pitches; `velocity` is 1..127.
Seconds and beats are converted by `Timeline` (in `timeline.py`) and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rearrange.timeline import Bar, Metre, Timeline

__all__ = [
    "CHORD_INTERVALS",
    "PITCH_CLASSES",
    "Arrangement",
    "Bar",
    "Chord",
    "Key",
    "Metre",
    "Note",
    "NoteEvent",
    "Part",
    "Performance",
    "Role",
    "Score",
    "Section",
    "Timeline",
    "Track",
    "sorted_notes",
]

PITCH_CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

# Semitones above the root, root first. The names are those of chord symbols; `harte` spelling for
# mir_eval is made in `analysis/harmony.py`. The first ten are what analysis hears; the rest are colours
# that a genre may ask for.
CHORD_INTERVALS: Mapping[str, tuple[int, ...]] = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "min7b5": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
    "5": (0, 7),
    "6": (0, 4, 7, 9),
    "min6": (0, 3, 7, 9),
    "add9": (0, 4, 7, 2),
    "minadd9": (0, 3, 7, 2),
    "9": (0, 4, 7, 10, 2),
    "maj9": (0, 4, 7, 11, 2),
    "min9": (0, 3, 7, 10, 2),
    "69": (0, 4, 7, 9, 2),
    "13": (0, 4, 10, 2, 9),
    "min11": (0, 3, 7, 10, 5),
    "7sus4": (0, 5, 7, 10),
}


class Role(StrEnum):
    """What a track does in the band."""

    MELODY = "melody"
    BASS = "bass"
    CHORDS = "chords"
    PAD = "pad"
    ARPEGGIO = "arpeggio"
    COUNTER = "counter"
    DRUMS = "drums"
    PERCUSSION = "percussion"


@dataclass(frozen=True, slots=True)
class NoteEvent:
    """A note as heard, in seconds; `confidence` in [0, 1]."""

    onset_s: float
    duration_s: float
    pitch: int
    velocity: int
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Part:
    """The notes heard in one stem, or in one track of a MIDI file.

    `role` and `program` are None where nobody knows (a MIDI file's programs are known; a stem's are not).
    Notes are sorted by onset, then pitch.
    """

    name: str
    notes: tuple[NoteEvent, ...]
    is_drum: bool = False
    role: Role | None = None
    program: int | None = None


@dataclass(frozen=True, slots=True)
class Performance:
    """Everything heard in a song: one part per stem (vocals, bass, other, drums, or a MIDI file's tracks)."""

    parts: tuple[Part, ...]
    duration_s: float

    def part(self, name: str) -> Part | None:
        """The part of that name, or None."""
        return next((part for part in self.parts if part.name == name), None)


@dataclass(frozen=True, slots=True)
class Note:
    """A note to be played; micro-timing is the offset of `onset_beat` from the grid."""

    onset_beat: float
    duration_beat: float
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Track:
    """One instrument's notes, sorted by onset, then pitch. `program` is General MIDI, 0..127."""

    name: str
    role: Role
    program: int
    is_drum: bool
    notes: tuple[Note, ...]
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Key:
    """Tonic as a pitch class 0..11 (C = 0) and mode 'major' or 'minor'."""

    tonic: int
    mode: str
    confidence: float = 1.0

    def __str__(self) -> str:
        return f"{PITCH_CLASSES[self.tonic]} {self.mode}"


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord and how long it lasts. `root` and `bass` are pitch classes; `quality` is of CHORD_INTERVALS.

    Beats with no chord (silence, solo drums) carry no Chord: the list may have gaps.
    """

    onset_beat: float
    duration_beat: float
    root: int
    quality: str
    bass: int
    confidence: float = 1.0

    @property
    def end_beat(self) -> float:
        return self.onset_beat + self.duration_beat

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        return tuple((self.root + interval) % 12 for interval in CHORD_INTERVALS[self.quality])

    def __str__(self) -> str:
        quality = {"maj": "", "min": "m", "min7": "m7", "min7b5": "m7b5"}.get(self.quality, self.quality)
        over = "" if self.bass == self.root else f"/{PITCH_CLASSES[self.bass]}"
        return f"{PITCH_CLASSES[self.root]}{quality}{over}"


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the form. Sections of one label repeat each other; `energy` is in [0, 1] of the song's.

    Labels: intro, verse, chorus, bridge, outro where they can be told; A, B, C … where not.
    Sections start on bar lines, and follow each other without gap from beat 0 to the end.
    """

    onset_beat: float
    duration_beat: float
    label: str
    energy: float
    confidence: float = 1.0

    @property
    def end_beat(self) -> float:
        return self.onset_beat + self.duration_beat


@dataclass(frozen=True)
class Score:
    """What the song is: the lead sheet, plus the parts as heard.

    `chords` and `sections` are sorted; `tracks` holds at most one of each pitched role, and the drums.
    `bar_energy` has one value in [0, 1] per bar of `timeline.bars`.
    `swing` is the long:short ratio of eighths (1 = straight).
    """

    timeline: Timeline
    key: Key
    chords: tuple[Chord, ...]
    sections: tuple[Section, ...]
    tracks: tuple[Track, ...]
    bar_energy: tuple[float, ...] = ()
    swing: float = 1.0
    title: str = ""

    def track(self, role: Role) -> Track | None:
        """The first track with that role, or None."""
        return next((track for track in self.tracks if track.role is role), None)

    def chord_at(self, beat: float) -> Chord | None:
        """The chord sounding at a beat, or None."""
        return next((c for c in self.chords if c.onset_beat - 1e-9 <= beat < c.end_beat - 1e-9), None)


@dataclass(frozen=True)
class Arrangement:
    """What is to be played.

    `timeline` is the arrangement's own (its tempo may differ from the song's); `beat_ratio` is how many beats
    of it make one beat of the song (2 where a slow song is played in double time). `chords` are those
    really played, after reharmonisation. `kept_stems` names stems of the song that are mixed in as they are,
    stretched to `timeline`. `settings` is what was asked for, as plain JSON values.
    """

    timeline: Timeline
    genre: str
    style: str
    key: Key
    chords: tuple[Chord, ...]
    sections: tuple[Section, ...]
    tracks: tuple[Track, ...]
    seed: int
    beat_ratio: float = 1.0
    kept_stems: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)

    def track(self, role: Role) -> Track | None:
        """The first track with that role, or None."""
        return next((track for track in self.tracks if track.role is role), None)


def sorted_notes(notes: Sequence[Note]) -> tuple[Note, ...]:
    """Notes in the order that tracks keep: by onset, then pitch."""
    return tuple(sorted(notes, key=lambda note: (note.onset_beat, note.pitch, note.duration_beat)))
