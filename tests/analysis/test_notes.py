import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearrange.analysis.decoding import HeardNote
from rearrange.analysis.notes import (
    SILENCE_DB,
    audible,
    leading_line,
    level_curve,
    sum_of_levels,
    to_events,
)
from rearrange.score import NoteEvent
from tests.tones import placed, tone

RATE = 22_050


def test_level_of_a_full_scale_square_wave_is_zero() -> None:
    curve = level_curve(np.ones(RATE, np.float32), RATE)
    assert curve.level_db == pytest.approx(0.0, abs=1e-4)
    assert curve.hop_s == pytest.approx(0.02)
    assert level_curve(np.zeros(RATE, np.float32), RATE).level_db == pytest.approx(SILENCE_DB)
    assert len(level_curve(np.zeros(0, np.float32), RATE).level_db) == 0


def test_levels_add_by_power() -> None:
    half = level_curve(np.full(RATE, 0.5, np.float32), RATE)
    longer = level_curve(np.full(2 * RATE, 0.5, np.float32), RATE)
    total = sum_of_levels([half, longer], smooth_s=0.0)
    assert total.level_db[10] == pytest.approx(half.level_db[10] + 3.01, abs=0.01)
    assert total.level_db[-1] == pytest.approx(half.level_db[10], abs=0.01)
    with pytest.raises(ValueError, match="hop"):
        sum_of_levels([])


def test_velocity_follows_the_level() -> None:
    heard = [HeardNote(i + 0.5, i + 1.0, 60, 0.6, 0.8) for i in range(5)]
    velocities = [event.velocity for event in to_events(heard, np.array([-32.0, -26.0, -20.0, -14.0, 20.0]))]
    assert velocities[2] == 80
    assert velocities[1] / velocities[0] == pytest.approx(2**0.5, rel=0.05)  # 6 dB, General MIDI 2
    assert velocities[4] == 120, "the loudest that is written"
    assert velocities == sorted(velocities)


def test_a_note_keeps_its_times_and_how_sure_it_is() -> None:
    heard = HeardNote(-0.01, 1.0, 60, 0.6, 0.8)
    (event,) = to_events([heard], np.array([-20.0]))
    assert (event.onset_s, event.duration_s, event.pitch) == (0.0, 1.0, 60)
    assert event.confidence == pytest.approx(heard.confidence)
    assert to_events([], np.zeros(0)) == ()


def test_what_another_stem_masks_is_not_audible() -> None:
    loud, soft = (placed([(0.5, tone(60, 1.0, RATE, gain=gain))], 2.0, RATE) for gain in (0.3, 0.003))
    levels = [level_curve(samples, RATE) for samples in (loud, soft)]
    note = NoteEvent(0.5, 0.9, 60, 80)
    assert audible([note], levels[0], sum_of_levels(levels)) == (note,)
    assert audible([note], levels[1], sum_of_levels(levels)) == ()
    assert audible([note], levels[1], sum_of_levels(levels[1:])) == (note,)
    assert audible([], levels[1], sum_of_levels(levels)) == ()


def arranged(melody: list[int], *, beat_s: float = 0.5) -> list[NoteEvent]:
    """A melody over broken chords and a bass."""
    notes = [NoteEvent(i * beat_s, beat_s, pitch, 90) for i, pitch in enumerate(melody)]
    for i in range(len(melody)):
        notes += [NoteEvent(i * beat_s + 0.25 * k * beat_s, 0.2, 52 + 4 * k, 60) for k in range(4)]
        notes.append(NoteEvent(i * beat_s, beat_s, 36, 80))
    return sorted(notes, key=lambda note: (note.onset_s, note.pitch))


def test_the_melody_leads() -> None:
    melody = [72, 74, 76, 77, 79, 77, 76, 74, 72, 71, 72, 76, 74, 72, 71, 72]
    assert [note.pitch for note in leading_line(arranged(melody))] == melody


def test_a_single_high_note_does_not_take_the_line() -> None:
    melody = [67, 69, 71, 72, 71, 69, 67, 69]
    notes = arranged(melody)
    notes.append(NoteEvent(2.02, 0.1, 96, 50, 0.3))
    assert 96 not in [note.pitch for note in leading_line(notes)]


def test_a_solo_is_its_own_line() -> None:
    solo = [NoteEvent(0.4 * i, 0.35, 60 + (i * 5) % 12, 70 + i) for i in range(12)]
    assert leading_line(solo) == tuple(solo)
    assert leading_line([]) == ()


@given(
    st.lists(
        st.builds(
            NoteEvent,
            st.floats(0, 30),
            st.floats(0.01, 5),
            st.integers(21, 108),
            st.integers(1, 127),
            st.floats(0, 1),
        ),
        max_size=40,
    )
)
def test_a_line_is_a_line(notes: list[NoteEvent]) -> None:
    line = leading_line(notes)
    assert bool(line) == bool(notes)
    assert all(note.duration_s > 0 for note in line)
    ends = [note.onset_s + note.duration_s for note in line]
    assert all(end <= note.onset_s + 1e-9 for end, note in zip(ends, line[1:], strict=False))
    heard = {(note.onset_s, note.pitch) for note in notes}
    assert all((note.onset_s, note.pitch) in heard for note in line)
