"""Sections of songs whose form is known."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearrange.analysis.form import bar_energies, find_sections
from rearrange.score import Bar, Metre


def bars(n: int, beats: int = 4) -> list[Bar]:
    return [Bar(i, float(i * beats), Metre(beats, 4)) for i in range(n)]


def features_of(form: str, bars_each: int = 8, noise: float = 0.1) -> np.ndarray:
    """A row per bar; sections of one letter have the same bars."""
    rng = np.random.default_rng(3)
    # Sections differ in a direction of their own; the bars inside one differ less.
    made = {
        letter: rng.normal(size=(bars_each, 24)) + 8.0 * np.eye(24)[i]
        for i, letter in enumerate(sorted(set(form)))
    }
    rows = np.concatenate([made[letter] for letter in form])
    return np.asarray(rows + noise * rng.normal(size=rows.shape))


def test_sections_begin_where_the_music_changes_and_share_labels_where_it_returns() -> None:
    form = "ABAB"
    energies = [0.3 if letter == "A" else 0.8 for letter in form for _ in range(8)]
    sections = find_sections(features_of(form), energies, bars(32))
    assert [section.onset_beat for section in sections] == [0.0, 32.0, 64.0, 96.0]
    assert [section.label for section in sections] == ["verse", "chorus", "verse", "chorus"]
    assert sections[1].energy > sections[0].energy


def test_a_quiet_beginning_and_end_are_named() -> None:
    form = "IABABO"
    loudness = {"I": 0.1, "A": 0.5, "B": 0.9, "O": 0.2}
    sections = find_sections(features_of(form), [loudness[letter] for letter in form for _ in range(8)], bars(48))
    labels = [section.label for section in sections]
    assert (labels[0], labels[-1]) == ("intro", "outro")
    assert labels[1:5] == ["verse", "chorus", "verse", "chorus"]


@given(st.integers(1, 70), st.integers(0, 50), st.sampled_from([3, 4]))
def test_sections_cover_the_song_without_gap_and_are_two_bars_or_more(n: int, seed: int, beats: int) -> None:
    rng = np.random.default_rng(seed)
    sections = find_sections(rng.normal(size=(n, 10)), rng.random(n).tolist(), bars(n, beats))
    assert sections[0].onset_beat == 0.0
    assert sections[-1].end_beat == n * beats
    assert all(a.end_beat == b.onset_beat for a, b in pairwise(sections))
    assert all(section.duration_beat >= min(2, n) * beats for section in sections)
    assert all(0.0 <= section.confidence <= 1.0 and 0.0 <= section.energy <= 1.0 for section in sections)


def test_a_song_that_never_changes_is_told_from_its_length_alone() -> None:
    sections = find_sections(np.ones((16, 5)), [0.5] * 16, bars(16))
    assert {section.label for section in sections} == {"A"}


def test_what_returns_has_borders_even_where_every_bar_is_another() -> None:
    rng = np.random.default_rng(5)
    made = {letter: rng.normal(size=(8, 24)) for letter in "ABC"}
    features = np.concatenate([made[letter] for letter in "ABAC"]) + 0.1 * rng.normal(size=(32, 24))
    sections = find_sections(features, [0.5] * 32, bars(32))
    starts = {section.onset_beat / 4: section.label for section in sections}
    assert {0.0, 8.0, 16.0, 24.0} <= set(starts)
    assert starts[0.0] == starts[16.0]
    assert len({starts[0.0], starts[8.0], starts[24.0]}) == 3


def test_a_section_with_an_upbeat_bar_more_is_the_same_section() -> None:
    rows = features_of("ABA")
    longer = np.concatenate([rows[:16], rows[15:16], rows[16:]])  # B is a bar longer, as if A began late
    sections = find_sections(longer, [0.5] * 25, bars(25))
    assert sections[0].label == sections[-1].label


def test_no_bars_have_no_sections_and_lengths_must_agree() -> None:
    assert find_sections(np.zeros((0, 4)), [], []) == ()
    with pytest.raises(ValueError, match="bars"):
        find_sections(np.zeros((3, 4)), [0.5] * 2, bars(3))


def test_energy_follows_loudness_and_not_the_recording_level() -> None:
    levels = np.array([0.1] * 8 + [0.4] * 8)
    quiet, loud = bar_energies(levels)[0], bar_energies(levels)[-1]
    assert loud > quiet + 0.3
    np.testing.assert_allclose(bar_energies(levels), bar_energies(levels / 50), atol=1e-9)


@given(st.lists(st.floats(0.0, 1.0), max_size=40))
def test_energy_is_between_nothing_and_all(levels: list[float]) -> None:
    energies = bar_energies(np.array(levels))
    assert len(energies) == len(levels)
    assert all(0.0 <= energy <= 1.0 for energy in energies)


def test_an_even_song_has_middling_energy_and_silence_none() -> None:
    assert bar_energies(np.full(8, 0.2)) == pytest.approx([0.5] * 8)
    assert bar_energies(np.zeros(3)) == (0.0, 0.0, 0.0)
    assert bar_energies(np.array([0.5, 0.5, 0.0]))[2] == 0.0
