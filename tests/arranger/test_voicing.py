from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearrange.arranger.voicing import Voicer
from rearrange.genre import VOICINGS
from rearrange.score import CHORD_INTERVALS, Chord

NOTHING = np.zeros(12)


@given(
    st.integers(0, 11),
    st.sampled_from(sorted(CHORD_INTERVALS)),
    st.sampled_from(VOICINGS),
    st.integers(1, 5),
    st.integers(40, 60),
    st.integers(12, 30),
)
def test_every_voicing_is_inside_its_register_and_of_the_chord(
    root: int, quality: str, kind: str, voices: int, low: int, span: int
) -> None:
    voicer = Voicer(kind, (low, low + span))
    chord = Chord(0, 4, root, quality, root)
    pitches = voicer.voice(chord, voices, melody_pitch=None, evidence=NOTHING)
    assert pitches
    assert all(low <= pitch <= low + span for pitch in pitches)
    allowed = set(chord.pitch_classes) | ({(root + 7) % 12} if kind == "power" else set())
    assert {pitch % 12 for pitch in pitches} <= allowed


@pytest.mark.parametrize("kind", ["close", "drop2", "rootless", "open"])
def test_voices_move_little(kind: str) -> None:
    voicer = Voicer(kind, (48, 72))
    chords = [
        Chord(0, 4, root, quality, root) for root, quality in ((0, "maj7"), (9, "min7"), (2, "min7"), (7, "7"))
    ]
    voicings = [voicer.voice(c, 4, melody_pitch=None, evidence=NOTHING) for c in chords * 3]
    for before, after in pairwise(voicings[4:]):
        nearest = [min(abs(p - q) for q in before) for p in after]
        assert np.mean(nearest) <= 3.0


def test_rootless_leaves_the_root_to_the_bass() -> None:
    pitches = Voicer("rootless", (50, 74)).voice(Chord(0, 4, 0, "maj7", 0), 3, melody_pitch=None, evidence=NOTHING)
    assert 0 not in {pitch % 12 for pitch in pitches}


def test_power_chord_has_root_at_the_bottom_and_no_third() -> None:
    pitches = Voicer("power", (40, 64)).voice(Chord(0, 4, 4, "min", 4), 3, melody_pitch=None, evidence=NOTHING)
    assert pitches[0] % 12 == 4
    assert {pitch % 12 for pitch in pitches} == {4, 11}


def test_what_the_song_plays_is_added_but_a_trace_is_not() -> None:
    chord = Chord(0, 4, 0, "maj", 0)
    strong, weak = np.zeros(12), np.zeros(12)
    strong[[0, 4, 7, 9]] = 1.0
    weak[[0, 4, 7]] = 1.0
    weak[9] = 0.2
    classes = {p % 12 for p in Voicer("close", (48, 76)).voice(chord, 4, melody_pitch=None, evidence=strong)}
    assert classes == {0, 4, 7, 9}
    classes = {p % 12 for p in Voicer("close", (48, 76)).voice(chord, 4, melody_pitch=None, evidence=weak)}
    assert 9 not in classes


def test_the_melody_is_not_rubbed_by_a_semitone() -> None:
    chord = Chord(0, 4, 0, "maj7", 0)
    for melody_pitch in range(64, 76):
        pitches = Voicer("close", (48, 79)).voice(chord, 4, melody_pitch=melody_pitch, evidence=NOTHING)
        assert all(abs(pitch - melody_pitch) != 1 for pitch in pitches)
