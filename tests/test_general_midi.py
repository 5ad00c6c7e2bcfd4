"""General MIDI names: the numbers that every synthesiser agrees on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearrange.general_midi import (
    DRUM_KITS,
    DRUM_PITCHES,
    PROGRAM_NAMES,
    drum_kit_number,
    pitch_name,
    pitch_number,
    program_number,
)


def test_there_are_128_programs_with_names_of_their_own() -> None:
    assert len(PROGRAM_NAMES) == len(set(PROGRAM_NAMES)) == 128


# The first program of each of the sixteen families: an error of one in the list shows in one of them.
@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("acoustic grand piano", 0),
        ("celesta", 8),
        ("drawbar organ", 16),
        ("nylon guitar", 24),
        ("acoustic bass", 32),
        ("violin", 40),
        ("string ensemble 1", 48),
        ("trumpet", 56),
        ("soprano sax", 64),
        ("piccolo", 72),
        ("square lead", 80),
        ("new age pad", 88),
        ("rain fx", 96),
        ("sitar", 104),
        ("tinkle bell", 112),
        ("guitar fret noise", 120),
        ("gunshot", 127),
        ("banjo", 105),
        ("timpani", 47),
    ],
)
def test_program_numbers(name: str, number: int) -> None:
    assert program_number(name) == number


@pytest.mark.parametrize("spelling", ["Acoustic Grand Piano", " acoustic-grand_piano ", "ACOUSTIC  GRAND PIANO"])
def test_names_are_read_in_any_case_and_spacing(spelling: str) -> None:
    assert program_number(spelling) == 0
    assert program_number("honky-tonk piano") == program_number("Honky tonk piano") == 3


@given(st.integers(0, 127))
def test_numbers_and_names_agree(number: int) -> None:
    assert program_number(number) == program_number(PROGRAM_NAMES[number]) == number


@pytest.mark.parametrize("name", ["kazoo", "", "128", 128, -1])
def test_an_unknown_instrument_is_named(name: str | int) -> None:
    with pytest.raises(ValueError, match="is not a General MIDI instrument"):
        program_number(name)


def test_kits() -> None:
    assert {name: drum_kit_number(name) for name in DRUM_KITS} == dict(DRUM_KITS)
    assert drum_kit_number("TR 808") == 25
    assert drum_kit_number(40) == DRUM_KITS["brush"]
    with pytest.raises(ValueError, match="'djembe' is not a drum kit; there are standard"):
        drum_kit_number("djembe")


def test_drum_voices_lie_in_the_percussion_map() -> None:
    assert len(set(DRUM_PITCHES.values())) == len(DRUM_PITCHES)
    assert all(35 <= pitch <= 82 for pitch in DRUM_PITCHES.values())
    assert (DRUM_PITCHES["kick"], DRUM_PITCHES["snare"], DRUM_PITCHES["closed_hat"]) == (36, 38, 42)


@pytest.mark.parametrize(
    ("name", "pitch"),
    [
        ("C4", 60),
        ("A4", 69),
        ("E1", 28),
        ("C-1", 0),
        ("G9", 127),
        ("Bb2", 46),
        ("c#4", 61),
        ("Cb4", 59),
        ("B#3", 60),
    ],
)
def test_pitch_names(name: str, pitch: int) -> None:
    assert pitch_number(name) == pitch


@given(st.integers(0, 127))
def test_pitch_names_round_trip(pitch: int) -> None:
    assert pitch_number(pitch_name(pitch)) == pitch


@pytest.mark.parametrize("name", ["H4", "C", "4", "C##4", "C10", "Cb-1", "G#9", ""])
def test_what_is_no_pitch_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not a pitch name|is outside the range of MIDI"):
        pitch_number(name)
