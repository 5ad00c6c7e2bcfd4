import importlib.util
from pathlib import Path

import numpy as np
import pytest

from rearrange.audio import loudness_lufs
from rearrange.evaluation.baselines.exemplar import example_score, exemplar, middle_bars
from rearrange.evaluation.baselines.symbolic import copy
from rearrange.genre import load_genre
from rearrange.score import Role
from tests.songs import band_song

COMPOSE = Path(__file__).parents[3] / "examples" / "compose.py"


def test_the_file_is_the_example_song() -> None:
    spec = importlib.util.spec_from_file_location("compose", COMPOSE)
    assert spec is not None
    assert spec.loader is not None
    compose = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compose)
    score = example_score()
    for track in compose.song().tracks:
        ours = score.track(Role.CHORDS if track.name == "piano" else track.role)
        assert ours is not None
        assert [n.pitch for n in ours.notes] == [n.pitch for n in track.notes]
        assert np.allclose([n.onset_beat for n in ours.notes], [n.onset_beat for n in track.notes], atol=0.01)
    assert score.timeline.mean_tempo_bpm == pytest.approx(compose.TEMPO_BPM, abs=0.1)


def test_the_middle_lasts_as_long_as_asked() -> None:
    song = copy(band_song(n_bars=16, tempo_bpm=120.0), load_genre("jazz"))  # a bar is 2 s
    bars = middle_bars(song, 7.0)
    assert [bar.index for bar in bars] == [6, 7, 8, 9]
    assert len(middle_bars(song, 100.0)) == 16


def test_it_sounds_and_the_seed_decides() -> None:
    genre = load_genre("rock")
    sound = exemplar(genre, 0)
    assert 20.0 <= sound.duration_s < 29.0
    assert sound.channels == 2
    assert loudness_lufs(sound) == pytest.approx(-14.0, abs=0.3)
    assert exemplar(genre, 1).samples.shape != sound.samples.shape or not np.array_equal(
        exemplar(genre, 1).samples, sound.samples
    )
