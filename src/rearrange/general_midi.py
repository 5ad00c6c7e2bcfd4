"""General MIDI level 1: the names of programs, drum kits and percussion notes.

Names are accepted in any case, with spaces, hyphens and underscores alike.

Source: General MIDI 1 sound set; kits as in the GS/GM2 layout that General MIDI soundfonts follow in bank 128.
"""

import re
from collections.abc import Mapping

__all__ = [
    "DRUM_KITS",
    "DRUM_PITCHES",
    "PROGRAM_NAMES",
    "drum_kit_number",
    "pitch_name",
    "pitch_number",
    "program_number",
]

PROGRAM_NAMES: tuple[str, ...] = tuple(
    """acoustic grand piano, bright acoustic piano, electric grand piano, honky-tonk piano, electric piano 1,
    electric piano 2, harpsichord, clavinet, celesta, glockenspiel, music box, vibraphone, marimba, xylophone,
    tubular bells, dulcimer, drawbar organ, percussive organ, rock organ, church organ, reed organ, accordion,
    harmonica, tango accordion, nylon guitar, steel guitar, jazz guitar, clean guitar, muted guitar,
    overdriven guitar, distortion guitar, guitar harmonics, acoustic bass, finger bass, pick bass, fretless bass,
    slap bass 1, slap bass 2, synth bass 1, synth bass 2, violin, viola, cello, contrabass, tremolo strings,
    pizzicato strings, orchestral harp, timpani, string ensemble 1, string ensemble 2, synth strings 1,
    synth strings 2, choir aahs, voice oohs, synth voice, orchestra hit, trumpet, trombone, tuba, muted trumpet,
    french horn, brass section, synth brass 1, synth brass 2, soprano sax, alto sax, tenor sax, baritone sax,
    oboe, english horn, bassoon, clarinet, piccolo, flute, recorder, pan flute, blown bottle, shakuhachi, whistle,
    ocarina, square lead, saw lead, calliope lead, chiff lead, charang lead, voice lead, fifths lead,
    bass and lead, new age pad, warm pad, polysynth pad, choir pad, bowed pad, metallic pad, halo pad, sweep pad,
    rain fx, soundtrack fx, crystal fx, atmosphere fx, brightness fx, goblins fx, echoes fx, sci-fi fx, sitar,
    banjo, shamisen, koto, kalimba, bagpipe, fiddle, shanai, tinkle bell, agogo, steel drums, woodblock,
    taiko drum, melodic tom, synth drum, reverse cymbal, guitar fret noise, breath noise, seashore, bird tweet,
    telephone ring, helicopter, applause, gunshot""".replace("\n", " ").split(",")
)
PROGRAM_NAMES = tuple(" ".join(name.split()) for name in PROGRAM_NAMES)

DRUM_KITS: Mapping[str, int] = {
    "standard": 0,
    "room": 8,
    "power": 16,
    "electronic": 24,
    "tr-808": 25,
    "jazz": 32,
    "brush": 40,
    "orchestra": 48,
}

DRUM_PITCHES: Mapping[str, int] = {
    "kick": 36,
    "side_stick": 37,
    "snare": 38,
    "clap": 39,
    "electric_snare": 40,
    "floor_tom": 41,
    "closed_hat": 42,
    "pedal_hat": 44,
    "low_tom": 45,
    "open_hat": 46,
    "mid_tom": 47,
    "crash": 49,
    "high_tom": 50,
    "ride": 51,
    "china": 52,
    "ride_bell": 53,
    "tambourine": 54,
    "splash": 55,
    "cowbell": 56,
    "crash_2": 57,
    "ride_2": 59,
    "high_bongo": 60,
    "low_bongo": 61,
    "muted_conga": 62,
    "open_conga": 63,
    "low_conga": 64,
    "high_timbale": 65,
    "low_timbale": 66,
    "high_agogo": 67,
    "low_agogo": 68,
    "cabasa": 69,
    "maracas": 70,
    "short_guiro": 73,
    "long_guiro": 74,
    "claves": 75,
    "high_woodblock": 76,
    "low_woodblock": 77,
    "muted_triangle": 80,
    "triangle": 81,
    "shaker": 82,
}

_PITCH = re.compile(r"([A-Ga-g])([#b]?)(-?\d)")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", " ", name.strip().lower())


_PROGRAMS_BY_NAME = {_plain(name): number for number, name in enumerate(PROGRAM_NAMES)}
_KITS_BY_NAME = {_plain(name): number for name, number in DRUM_KITS.items()}


def program_number(name: str | int) -> int:
    """General MIDI program 0..127 of a name or number.

    Raises
    ------
    ValueError : no such program.
    """
    if isinstance(name, int) and 0 <= name <= 127:
        return name
    number = _PROGRAMS_BY_NAME.get(_plain(str(name)))
    if number is None:
        raise ValueError(f"{name!r} is not a General MIDI instrument")
    return number


def drum_kit_number(name: str | int) -> int:
    """Program of a drum kit's name or number.

    Raises
    ------
    ValueError : no such kit.
    """
    if isinstance(name, int) and 0 <= name <= 127:
        return name
    number = _KITS_BY_NAME.get(_plain(str(name)))
    if number is None:
        raise ValueError(f"{name!r} is not a drum kit; there are {', '.join(DRUM_KITS)}")
    return number


def pitch_number(name: str) -> int:
    """MIDI number of a pitch name such as E2, F#3 or Bb4 (C4 = 60).

    Raises
    ------
    ValueError : not a pitch name, or outside 0..127.
    """
    match = _PITCH.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not a pitch name such as E2 or F#3")
    step, accidental, octave = match.groups()
    pitch = 12 * (int(octave) + 1) + _STEPS[step.upper()] + {"#": 1, "b": -1, "": 0}[accidental]
    if not 0 <= pitch <= 127:
        raise ValueError(f"{name!r} is outside the range of MIDI")
    return pitch


def pitch_name(pitch: int) -> str:
    """Name of a MIDI number, the inverse of `pitch_number`."""
    names = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    return f"{names[pitch % 12]}{pitch // 12 - 1}"
