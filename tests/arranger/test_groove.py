import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearrange.arranger.groove import Hit, generator_for, play, swing_offset, swung, unswung, without_overlaps
from rearrange.genre import Groove, GroovePoint
from rearrange.score import Note, Role, Timeline

STRAIGHT = Groove(1.0, 0.5, 0.0, 0.0, (), {})
TIMELINE = Timeline.constant(120.0, end_beat=64)


def played(hits: list[Hit], groove: Groove, swing_amount: float = 1.0) -> tuple[Note, ...]:
    return play(
        hits,
        groove,
        role=Role.CHORDS,
        velocity=80,
        timeline=TIMELINE,
        swing_amount=swing_amount,
        generator=generator_for(1, "test"),
    )


@given(st.floats(0, 0.999))
def test_swing_of_one_is_identity(position: float) -> None:
    assert swing_offset(position, 1.0) == pytest.approx(0.0, abs=1e-12)


@given(st.floats(0, 63), st.floats(1, 3), st.sampled_from([0.25, 0.5]))
def test_swing_keeps_order_and_the_beat(onset: float, ratio: float, unit: float) -> None:
    groove = Groove(ratio, unit, 0, 0, (), {})
    assert swung(onset, groove) <= swung(onset + 0.01, groove) + 1e-9
    assert swung(np.floor(onset), groove) == pytest.approx(np.floor(onset))
    assert 0 <= swung(onset, groove) - onset <= unit


@given(st.floats(0, 63), st.floats(1, 3))
def test_unswung_takes_swing_out_again(onset: float, ratio: float) -> None:
    groove = Groove(ratio, 0.5, 0, 0, (), {})
    assert unswung(swung(onset, groove), ratio) == pytest.approx(onset, abs=1e-6)


def test_triplet_swing_puts_the_offbeat_on_the_third_triplet() -> None:
    assert 0.5 + swing_offset(0.5, 2.0) == pytest.approx(2 / 3)


def test_swing_rejects_nonsense() -> None:
    with pytest.raises(ValueError):
        swing_offset(1.0, 2.0)
    with pytest.raises(ValueError):
        swing_offset(0.5, 0.9)


def test_without_feel_hits_stay_where_they_are_written() -> None:
    hits = [Hit(0.0, 1.0, 60, 1.0), Hit(1.5, 0.5, 62, 0.5)]
    notes = played(hits, STRAIGHT)
    assert [(n.onset_beat, n.duration_beat, n.pitch) for n in notes] == [(0.0, 1.0, 60), (1.5, 0.5, 62)]
    assert notes[0].velocity == 80
    assert notes[1].velocity == 40


def test_triplet_hits_do_not_swing() -> None:
    groove = Groove(2.0, 0.5, 0, 0, (), {})
    notes = played([Hit(1 / 3, 0.2, 60, 1.0, swings=False), Hit(1.5, 0.2, 60, 1.0)], groove)
    assert notes[0].onset_beat == pytest.approx(1 / 3)
    assert notes[1].onset_beat == pytest.approx(1 + 2 / 3)


def test_template_and_role_offset_are_in_milliseconds() -> None:
    groove = Groove(1.0, 0.5, 0, 0, (GroovePoint(0.0, 1.0, 0.0), GroovePoint(1.0, 1.2, 20.0)), {Role.CHORDS: 5.0})
    note = played([Hit(5.0, 0.5, 60, 1.0)], groove)[0]
    assert (float(TIMELINE.seconds(note.onset_beat)) - 2.5) * 1000 == pytest.approx(25.0)
    assert note.velocity == 96


def test_a_chord_is_struck_together_and_chance_is_bounded() -> None:
    groove = Groove(1.0, 0.5, 20.0, 10.0, (), {})
    hits = [Hit(float(beat), 0.5, pitch, 1.0) for beat in range(60) for pitch in (60, 64, 67)]
    notes = played(hits, groove)
    onsets = np.array([n.onset_beat for n in notes]).reshape(-1, 3)
    assert np.ptp(onsets, axis=1).max() == 0
    off_ms = (onsets[:, 0] - np.arange(60)) * 500
    assert np.abs(off_ms).max() <= 20.0 + 1e-6
    assert np.std(off_ms) > 3
    assert len({n.velocity for n in notes}) > 5


def test_nothing_is_pulled_before_the_song() -> None:
    groove = Groove(1.0, 0.5, 0, 0, (), {Role.CHORDS: -30.0})
    assert played([Hit(0.0, 0.5, 60, 1.0)], groove)[0].onset_beat == 0.0


def test_restruck_pitch_ends_the_note_before() -> None:
    notes = without_overlaps([Note(0, 2, 60, 70), Note(1, 1, 60, 80), Note(1.001, 2, 60, 90)])
    assert notes == (Note(0, 1, 60, 70), Note(1, 2, 60, 90))


def test_named_generators_do_not_depend_on_each_other() -> None:
    assert generator_for(1, "a").random() == generator_for(1, "a").random()
    assert generator_for(1, "a").random() != generator_for(1, "b").random()
    assert generator_for(1, "a").random() != generator_for(2, "a").random()
