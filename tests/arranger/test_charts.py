import numpy as np
import pytest

from rearrange.arranger.charts import changes_between, chord_lookup, in_beat_ratio, make_chart
from rearrange.score import Chord, Metre, Role
from tests.songs import band_song


def test_chart_follows_the_form() -> None:
    song = band_song(sections=(("intro", 4, 0.2), ("verse", 8, 0.4), ("chorus", 8, 0.9), ("outro", 2, 0.3)))
    chart = make_chart(song)
    assert [bar.variation for bar in chart.bars] == ["intro"] * 4 + ["A"] * 8 + ["B"] * 8 + ["A", "ending"]
    assert [bar.index for bar in chart.bars if bar.is_fill] == [3, 11, 19]
    assert chart.bars[5].chords[0].root == song.chords[5].root
    assert len(chart.bars[5].melody) == 3


def test_long_sections_breathe_every_eight_bars() -> None:
    chart = make_chart(band_song(sections=(("A", 24, 0.5), ("B", 8, 0.6))))
    assert [bar.index for bar in chart.bars if bar.is_fill] == [7, 15, 23]


def test_equal_sections_are_told_apart_by_their_own_median() -> None:
    chart = make_chart(band_song(sections=(("A", 4, 0.1), ("B", 4, 0.3), ("A", 4, 0.1), ("B", 4, 0.3))))
    assert [chart.bars[i].variation for i in (0, 4, 8, 12)] == ["A", "B", "A", "B"]


def test_energy_offset_moves_energy_within_bounds() -> None:
    song = band_song()
    louder, plain = make_chart(song, energy_offset=1.0), make_chart(song)
    assert all(a.energy >= b.energy for a, b in zip(louder.bars, plain.bars, strict=True))
    assert max(bar.energy for bar in louder.bars) <= 1.0


def test_evidence_is_what_the_tracks_play() -> None:
    chart = make_chart(band_song())
    heard = chart.heard_at(0.0)
    assert set(np.flatnonzero(heard)) == {0, 4, 7}
    assert chart.heard_between(0.0, 8.0)[9] > 0


def test_chords_are_found_and_gaps_are_gaps() -> None:
    chord_at = chord_lookup([Chord(0, 2, 0, "maj", 0), Chord(4, 2, 7, "maj", 7)])
    assert [c.root if (c := chord_at(beat)) else None for beat in (0.0, 1.9, 2.0, 4.0, 6.0)] == [
        0,
        0,
        None,
        7,
        None,
    ]


def test_changes_inside_a_held_note() -> None:
    chords = [Chord(float(i), 1, i, "maj", i) for i in range(6)]
    assert changes_between(chords, 0.0, 3.0) == [1.0, 2.0]
    assert changes_between(chords, 0.9, 2.1) == [2.0] or changes_between(chords, 0.9, 2.1) == []


def test_double_time_doubles_bars_and_keeps_seconds() -> None:
    song = band_song(n_bars=8)
    doubled = in_beat_ratio(song, 2)
    assert len(doubled.timeline.bars) == 16
    assert len(doubled.bar_energy) == 16
    melody, before = doubled.track(Role.MELODY), song.track(Role.MELODY)
    assert melody is not None
    assert before is not None
    for a, b in zip(melody.notes, before.notes, strict=True):
        assert float(doubled.timeline.seconds(a.onset_beat)) == pytest.approx(
            float(song.timeline.seconds(b.onset_beat))
        )


def test_half_time_keeps_odd_sections_on_bar_lines() -> None:
    song = band_song(sections=(("A", 5, 0.4), ("B", 4, 0.8)))
    halved = in_beat_ratio(song, 0.5)
    metres = [bar.metre for bar in halved.timeline.bars]
    assert metres == [Metre(4, 4), Metre(4, 4), Metre(2, 4), Metre(4, 4), Metre(4, 4)]
    assert halved.sections[1].onset_beat == halved.timeline.bars[3].onset_beat


def test_half_time_of_a_waltz_is_refused() -> None:
    with pytest.raises(ValueError):
        in_beat_ratio(band_song(metre=Metre(3, 4)), 0.5)
