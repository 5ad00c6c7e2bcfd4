"""The words in which charts and parts are written for the arranger's transformer.

A word is `Type_Value`, as MidiTok spells its own. Conventions:

* Time: 24 positions a beat, so that sixteenths, triplets and 32nds are exact; `MicroTiming` is what a note is
  off its position, in half positions. Bars have at most six beats.
* Pitches are relative to the chord that sounds: `Pitch_0` is the chord's root nearest the middle of the keyboard's
  C, see `root_shift`; so a figure over another chord is the same words, and a style shown over one harmony can be
  played over another. Chord roots are relative to the key's tonic.
* Drums: `Hit_<pitch>.<velocity>` in one word, because kits have few voices and nearly every hit needs both.

Source: the words' types are MidiTok's (REMI with Program, MicroTiming and Chord); relative pitches and charts in
the sequence are ours.
"""

import hashlib
import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rearrange.general_midi import DRUM_PITCHES
from rearrange.score import Role

__all__ = [
    "BEAT",
    "DRUM_KIN",
    "DURATIONS",
    "ID",
    "METRES",
    "MOST_BEATS",
    "MOST_GENRES",
    "PITCH_SPAN",
    "PLACES",
    "PLAYED_ROLES",
    "QUALITY_OF",
    "TYPES",
    "TYPE_OF",
    "VELOCITIES",
    "VOCABULARY",
    "density_bin",
    "duration_bin",
    "energy_bin",
    "root_shift",
    "snapped",
    "tempo_bin",
    "velocity_bin",
    "vocabulary_digest",
]

BEAT = 24  # positions
MOST_BEATS = 6
_MOST_MICRO = 4  # half positions: what the grid below leaves, a twelfth of a beat, 40 ms at 125 bpm
# Positions of a beat that have a word, and what a note must be nearer by to stand on a finer one: a sixteenth that
# is a little late is a late sixteenth, not a triplet. By eye on human drumming; every onset keeps its own time.
_GRID_PRICE: Mapping[int, float] = {
    **dict.fromkeys((0, 6, 12, 18), 0.0),
    **dict.fromkeys((8, 16), 0.7),
    **dict.fromkeys((4, 20), 1.2),
    **dict.fromkeys((3, 9, 15, 21), 1.5),
}
DURATIONS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 30, 36, 48, 60, 72, 96, 120, 144, 192)  # positions
VELOCITIES = (16, 32, 46, 60, 74, 88, 102, 118)  # middles of the bins
PITCH_SPAN = (15, 113)  # a piano's, up to six semitones either way
METRES = ("4/4", "3/4", "2/4", "6/8", "5/4", "6/4", "12/8", "7/8", "9/8", "3/8", "2/2", "1/4", "4/8", "3/2")
PLACES = ("intro", "start", "inside", "fill", "ending")
_DENSITY_EDGES = (0.5, 1.0, 2.0, 3.0)  # onsets a beat
MOST_GENRES = 48  # slots; a model's config says whose each is, so that a genre may be added
_ENERGY_BINS = 5
_TEMPO_BPM, _TEMPO_BINS = (40.0, 240.0), 16
PLAYED_ROLES = tuple(role for role in Role if role is not Role.MELODY)

# What a chart tells of a chord: its third, fifth and seventh; colours are the style's own.
QUALITY_OF: Mapping[str, str] = {
    "maj": "maj",
    "min": "min",
    "7": "7",
    "maj7": "maj7",
    "min7": "min7",
    "dim": "dim",
    "aug": "aug",
    "sus4": "sus4",
    "sus2": "sus2",
    "min7b5": "min7b5",
    "dim7": "dim",
    "5": "5",
    "6": "maj",
    "min6": "min",
    "add9": "maj",
    "minadd9": "min",
    "9": "7",
    "maj9": "maj7",
    "min9": "min7",
    "69": "maj",
    "13": "7",
    "min11": "min7",
    "7sus4": "sus4",
}
_QUALITIES = tuple(dict.fromkeys(QUALITY_OF.values()))

_DRUMS = tuple(sorted(DRUM_PITCHES.values()))
# General MIDI's other percussion, each as the nearest voice that there is a word for.
DRUM_KIN: Mapping[int, int] = {
    **{pitch: pitch for pitch in _DRUMS},
    **{35: 36, 43: 41, 48: 50, 58: 56, 71: 67, 72: 68, 78: 77, 79: 76},
    **{27: 39, 28: 39, 29: 73, 30: 73, 31: 37, 32: 37, 33: 37, 34: 67, 83: 54, 84: 81, 85: 75, 86: 36, 87: 41},
}


def _bins(name: str, n: int, first: int = 0) -> list[str]:
    return [f"{name}_{value}" for value in range(first, first + n)]


def _vocabulary() -> tuple[str, ...]:
    return (
        *("PAD_None", "BOS_None", "EOS_None", "Target_None", "Bar_None", "Next_None"),
        *("Genre_None", *_bins("Genre", MOST_GENRES)),
        *(f"TimeSig_{metre}" for metre in METRES),
        *_bins("Tempo", _TEMPO_BINS),
        *("Mode_major", "Mode_minor"),
        *(f"Track_{role.value}" for role in PLAYED_ROLES),
        *_bins("Program", 128),
        *_bins("Density", len(_DENSITY_EDGES) + 1),
        *(f"Place_{place}" for place in PLACES),
        *_bins("Energy", _ENERGY_BINS),
        *_bins("ChordRoot", 12),
        *(f"ChordQuality_{quality}" for quality in _QUALITIES),
        *_bins("ChordBass", 12),
        *("Tune_rest", *_bins("Tune", 12)),
        *_bins("TuneNotes", 4),
        *(f"Position_{BEAT * beat + at}" for beat in range(MOST_BEATS) for at in sorted(_GRID_PRICE)),
        *(f"MicroTiming_{m}" for m in range(-_MOST_MICRO, _MOST_MICRO + 1) if m),
        *_bins("Velocity", len(VELOCITIES)),
        *(f"Duration_{d}" for d in DURATIONS),
        *_bins("Pitch", PITCH_SPAN[1] - PITCH_SPAN[0] + 1, PITCH_SPAN[0]),
        *(f"Hit_{pitch}.{v}" for pitch in _DRUMS for v in range(len(VELOCITIES))),
    )


VOCABULARY: tuple[str, ...] = _vocabulary()
ID: Mapping[str, int] = {word: number for number, word in enumerate(VOCABULARY)}
TYPES: tuple[str, ...] = tuple(dict.fromkeys(word.split("_")[0] for word in VOCABULARY))
TYPE_OF: NDArray[np.int64] = np.array([TYPES.index(word.split("_")[0]) for word in VOCABULARY])  # (n_words,)

# The position that each half position of a beat stands on; BEAT is the next beat's first.
_SNAPPED = np.array(
    [
        min((*_GRID_PRICE, BEAT), key=lambda at: (abs(half / 2 - at) + _GRID_PRICE[at % BEAT], at))
        for half in range(2 * BEAT)
    ]
)


_LOG_DURATIONS = tuple(map(math.log, DURATIONS))


def snapped(onset_beat: float) -> tuple[int, int]:
    """Position and micro-timing of an onset: positions from beat 0 on, and half positions off that.

    What it gives for an onset that it has given is the same again.
    """
    half = math.floor(onset_beat * 2 * BEAT + 0.5)
    beat, rest = divmod(half, 2 * BEAT)
    position = beat * BEAT + int(_SNAPPED[rest])
    return position, half - 2 * position


def root_shift(root: int) -> int:
    """Semitones from C to a chord's root, -5 to 6: what is taken off a pitch that sounds over it."""
    return (root + 5) % 12 - 5


def tempo_bin(tempo_bpm: float) -> int:
    """One of 16 tempi, 12 % apart, from 40 to 240 quarter notes a minute; what is outside goes to the ends."""
    low, high = (math.log(bpm) for bpm in _TEMPO_BPM)
    share = (math.log(max(tempo_bpm, 1.0)) - low) / (high - low)
    return min(max(round(share * (_TEMPO_BINS - 1)), 0), _TEMPO_BINS - 1)


def density_bin(onsets_per_beat: float) -> int:
    """How busy a part is, 0 to 4."""
    return sum(onsets_per_beat >= edge for edge in _DENSITY_EDGES)


def energy_bin(energy: float) -> int:
    """How loud a bar is, 0 to 4, of an energy in [0, 1]."""
    return min(max(int(energy * _ENERGY_BINS), 0), _ENERGY_BINS - 1)


@lru_cache(maxsize=1024)
def velocity_bin(velocity: float) -> int:
    """Index in VELOCITIES of the nearest."""
    return min(range(len(VELOCITIES)), key=lambda i: abs(VELOCITIES[i] - velocity))


def duration_bin(duration_beat: float) -> int:
    """Index in DURATIONS of the nearest by ratio; eight beats at most."""
    length = math.log(max(duration_beat * BEAT, 0.5))
    return min(range(len(DURATIONS)), key=lambda i: abs(_LOG_DURATIONS[i] - length))


def vocabulary_digest() -> str:
    """Tells one vocabulary from another: a network is of no use with words that it has not learnt."""
    return hashlib.sha256("\n".join(VOCABULARY).encode()).hexdigest()[:16]
