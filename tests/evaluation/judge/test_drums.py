"""What the drum reader sees: the figures that a drummer would name, and nothing of the tempo."""

from dataclasses import replace

import numpy as np
import pytest

from rearrange.evaluation.judge.drums import DRUM_FEATURES, drum_windows, windows_of
from rearrange.score import Metre, Note, Role, Timeline, Track
from tests.evaluation.judge.clips import drums, timeline


def feature(rows: np.ndarray, name: str) -> float:
    return float(rows[0, DRUM_FEATURES.index(name)])


def test_each_style_shows_its_figure() -> None:
    floor, straight, swung = (drum_windows((drums(s),), timeline()) for s in ("floor", "straight", "swung"))
    assert floor.shape == (1, len(DRUM_FEATURES))
    assert feature(floor, "four on the floor") == pytest.approx(1.0)
    assert feature(straight, "four on the floor") == 0.0
    assert feature(floor, "offbeat open") == pytest.approx(1.0)
    assert feature(straight, "backbeat share") == pytest.approx(1.0)
    assert feature(swung, "triplet share") > 0.2
    assert feature(straight, "triplet share") < 0.01
    assert feature(swung, "ride share") == pytest.approx(1.0)
    assert feature(straight, "beat time 0.50") > 0.6
    assert feature(swung, "beat time 0.50") == 0.0


def test_whole_windows_later_is_the_same() -> None:
    later = drum_windows((drums("swung", shift=8),), timeline(16))
    np.testing.assert_allclose(later, drum_windows((drums("swung"),), timeline()), atol=1e-6)


def test_tempo_is_not_seen() -> None:
    slow = Timeline.constant(50.0, end_beat=32.0)
    np.testing.assert_allclose(drum_windows((drums("floor"),), slow), drum_windows((drums("floor"),), timeline()))


def test_a_hair_before_the_bar_line_is_on_it() -> None:
    early = tuple(Note(max(n.onset_beat - 0.01, 0.0), 0.1, n.pitch, n.velocity) for n in drums("floor").notes)
    track = Track("drums", Role.DRUMS, 0, True, early)
    moved, exact = drum_windows((track,), timeline()), drum_windows((drums("floor"),), timeline())

    np.testing.assert_allclose(moved, exact)


def test_looseness_is_not_seen() -> None:
    """A player up to 20 thousandths of a beat astray reads like a machine."""
    rng = np.random.default_rng(1)
    exact = drums("swung")
    loose = tuple(replace(note, onset_beat=note.onset_beat + rng.uniform(-0.02, 0.02)) for note in exact.notes)
    rows = drum_windows((replace(exact, notes=loose),), timeline())
    np.testing.assert_allclose(rows, drum_windows((exact,), timeline()), atol=1e-6)


def test_nothing_to_read_gives_no_rows() -> None:
    assert drum_windows((), timeline()).shape == (0, len(DRUM_FEATURES))
    few = Track("drums", Role.DRUMS, 0, True, tuple(Note(float(i), 0.1, 36, 90) for i in range(5)))
    assert len(drum_windows((few,), timeline())) == 0
    assert len(drum_windows((drums("floor"),), Timeline.constant(120.0, end_beat=0.0))) == 0
    pitched = Track("bass", Role.BASS, 33, False, drums("floor").notes)
    assert len(drum_windows((pitched,), timeline())) == 0


def test_other_metres_are_read() -> None:
    for metre in (Metre(3, 4), Metre(6, 8), Metre(5, 4)):
        bars = Timeline.constant(120.0, end_beat=metre.beats_per_bar * 8, metre=metre)
        rows = drum_windows((drums("straight"),), bars)
        assert len(rows) >= 1
        assert np.isfinite(rows).all()


def test_windows_count_their_bars() -> None:
    where, kept = windows_of(np.array([-1.0, 0.0, 15.99, 16.0, 23.0, 24.5]), timeline(6), window_bars=4)
    assert where.bars.tolist() == [4, 2]
    assert kept.tolist() == [1, 2, 3, 4]
    assert where.window.tolist() == [0, 1, 1, 1]  # 15.99 is the next bar's first beat
