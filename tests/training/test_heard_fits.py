"""Weights of what is heard: the fit prefers right readings, and readings are listed with the truth about each."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.analysis.evidence import note_evidence
from rearrange.score import NoteEvent
from rearrange.training.heard_fits import (
    SHIPPED,
    HeardSong,
    cross_validate,
    read_heard,
    readings_of,
    scores,
    table,
    write_heard,
)
from rearrange.training.metre import fit
from rearrange.training.readings import Readings
from tests.analysis.test_bar_pointer import heard, steady

N_READINGS = 12


def song(number: int, *, telling: str) -> HeardSong:
    """Readings of which the first is right, the second twice as fast; only the feature `telling` tells."""
    rng = np.random.default_rng(number)
    features = rng.normal(0.0, 1.0, (N_READINGS, len(SHIPPED)))
    features[:, list(SHIPPED).index(telling)] = [1.0, *rng.uniform(-1.0, 0.5, N_READINGS - 1)]
    beat_f1 = np.array([0.98, 0.66, *rng.uniform(0.0, 0.7, N_READINGS - 2)])
    tempi_bpm = np.array([90.0, 180.0, *rng.uniform(110.0, 140.0, N_READINGS - 2)])
    kinds = np.full(N_READINGS, 4, dtype=np.int64)
    return HeardSong(f"{number}", "pop909", 90.0, tempi_bpm, Readings((features,), beat_f1, beat_f1, kinds))


@pytest.mark.parametrize("telling", ["notes", "tempo"])
def test_the_fit_prefers_the_right_reading(telling: str) -> None:
    songs = [song(number, telling=telling) for number in range(30)]
    weights = fit([(each.readings, 1.0) for each in songs], l2=0.003)
    assert list(SHIPPED)[int(np.argmax(np.abs(weights)))] == telling
    unseen = song(100, telling=telling)
    assert scores(unseen, weights).tolist() == pytest.approx([0.98, 1.0, 0.98, 1.0])
    assert scores(unseen, -weights)[1] == 0.0
    judged = cross_validate(songs, l2=0.003)
    assert judged.shape == (30, 4)
    assert judged[:, 1].mean() > 0.9


def test_the_table_has_a_line_for_both_weights_of_each_corpus() -> None:
    lines = table([song(number, telling="beats") for number in range(6)])
    assert [line.split()[:3] for line in lines[1:]] == [
        ["shipped", "pop909", "6"],
        ["fitted", "pop909", "6"],
        ["shipped", "all", "6"],
        ["fitted", "all", "6"],
    ]


def test_a_heard_song_is_kept_as_it_was(tmp_path: Path) -> None:
    before = song(3, telling="metre")
    write_heard(tmp_path / "song.npz", before)
    after = read_heard(tmp_path / "song.npz")
    assert (after.song, after.corpus, after.true_bpm) == ("3", "pop909", 90.0)
    assert np.array_equal(after.tempi_bpm, before.tempi_bpm)
    assert np.array_equal(after.readings.features[0], before.readings.features[0])
    assert np.array_equal(after.readings.right, before.readings.right)


def struck(beats_s: NDArray[np.float64]) -> tuple[list[NoteEvent], list[NoteEvent]]:
    """A chord on every downbeat; kick and snare in turns, a hat on every eighth."""
    eighths = np.sort(np.concatenate([beats_s, (beats_s[1:] + beats_s[:-1]) / 2]))
    hits = [NoteEvent(float(time), 0.1, (36, 38)[i % 2], 100) for i, time in enumerate(beats_s)]
    hits += [NoteEvent(float(time), 0.1, 42, 70) for time in eighths]
    roots = (48, 53, 55, 45)
    notes = [
        NoteEvent(float(time), 1.8, roots[i % 4] + step, 80)
        for i, time in enumerate(beats_s[::4])
        for step in (0, 4, 7)
    ]
    return notes, sorted(hits, key=lambda hit: hit.onset_s)


def test_readings_are_listed_with_the_truth_about_each() -> None:
    beats_s = steady(100.0, duration_s=24.0)
    notes, hits = struck(beats_s)
    of_notes = note_evidence(notes, hits, 24.0)
    both = (replace(of_notes, source="sound"), of_notes)
    activations = heard(beats_s, 4, duration_s=24.0, tempo_bpm=100.0)
    found = readings_of(activations, both, beats_s, beats_s[::4])
    assert found is not None
    readings, tempi_bpm = found
    assert readings.features[0].shape == (len(tempi_bpm), len(SHIPPED))
    best = int(np.argmax(readings.beat_f1 + readings.downbeat_f1))
    assert readings.right[best]
    assert tempi_bpm[best] == pytest.approx(100.0, rel=0.03)
    assert readings.beats_per_bar[best] == 4
    twice = np.abs(np.log2(tempi_bpm / 100.0) - 1.0) < 0.05
    assert twice.any()
    assert not readings.right[twice].any()
    columns = dict(zip(SHIPPED, readings.features[0].T, strict=True))
    assert columns["tempo"][best] > columns["tempo"][twice].max()
