"""Training of the beat network: that crops tell the truth, a step is a step, and a stopped run goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rearrange.models.beats import GRID, TEMPI_BPM, BeatsConfig, build
from rearrange.training import beat_takes
from rearrange.training.beat_takes import BeatTake, drawn_crop, read_take, write_take
from rearrange.training.beats import Recipe, scores_of, train
from tests.training.resuming import assert_a_stopped_run_ends_where_it_would_have, weights_of

CONFIG = BeatsConfig(n_bands=16, channels=(4, 4, 4), width=16, dilations=(1, 2, 4))
RECIPE = Recipe(steps=3, batch=2, crop_frames=120, seed=1)
RATE_HZ = GRID.frame_rate_hz


def beat_take(seed: int, *, n_frames: int = 600, bpm: float = 120.0) -> BeatTake:
    """A burst on every beat, in the low bands on downbeats, in the high ones on others, over a steady hiss."""
    rng = np.random.default_rng(seed)
    beats = np.arange(rng.uniform(2, 20), n_frames - 6, RATE_HZ * 60.0 / bpm)
    power = np.full((n_frames, CONFIG.n_bands), 1e-4)
    for i, at in enumerate(beats):
        bands = slice(0, 6) if i % 4 == 0 else slice(10, 16)
        power[round(at) : round(at) + 4, bands] += np.exp(-np.arange(4.0))[:, None]
    drums, hiss = (np.log10(each).astype(np.float16) for each in (power, np.full_like(power, 1e-9)))
    songs = np.array([f"song {seed}"])
    return BeatTake(drums, hiss, drums, beats / RATE_HZ, np.arange(len(beats)) % 4, 2, "groove", songs)


def test_takes_are_read_as_they_were_written(tmp_path: Path) -> None:
    take = beat_take(0)
    write_take(tmp_path / "take.npz", take)
    for name, value in vars(read_take(tmp_path / "take.npz")).items():
        np.testing.assert_array_equal(value, getattr(take, name))


@pytest.mark.parametrize("seed", range(6))
def test_a_crop_says_where_beats_are_at_any_speed(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for masking in ("_NOISE_SHARE", "_DULL_SHARE"):
        monkeypatch.setattr(beat_takes, masking, 0.0)
    crop = drawn_crop([beat_take(0)], np.random.default_rng(seed), n_frames=250)
    assert crop.frames.shape == (250, CONFIG.n_bands)
    loud = crop.frames.max(axis=1)
    onsets = np.flatnonzero(loud[1:] > loud[:-1] + 0.3) + 1
    told = np.flatnonzero(crop.targets[0] >= 0.5)
    assert len(onsets) >= 4
    assert np.abs(onsets[:, None] - told[None, :]).min(axis=1).max() <= 1
    assert np.all(crop.targets[1] <= crop.targets[0])
    assert 0 < np.count_nonzero(crop.targets[1]) < np.count_nonzero(crop.targets[0])
    heard_bpm = 60.0 * RATE_HZ / np.median(np.diff(told[np.insert(np.diff(told) > 3, 0, True)]))
    classes = crop.tempo[crop.tempo >= 0]
    assert heard_bpm == pytest.approx(TEMPI_BPM[int(np.median(classes))], rel=0.12)
    assert set(crop.metre.tolist()) <= {2, -1}
    again = drawn_crop([beat_take(0)], np.random.default_rng(seed), n_frames=250)
    np.testing.assert_array_equal(again.frames, crop.frames)


def test_a_stopped_run_ends_where_it_would_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = [beat_take(seed) for seed in range(3)]
    whole = assert_a_stopped_run_ends_where_it_would_have(
        lambda folder: train(takes, CONFIG, RECIPE, folder=folder), tmp_path, monkeypatch, after=2
    )
    untrained = build(CONFIG).state_dict()
    assert any(not np.allclose(weights_of(whole)[name], untrained[name].numpy()) for name in untrained)


def test_it_learns_what_is_plain(tmp_path: Path) -> None:
    takes = [beat_take(seed, bpm=bpm) for seed, bpm in enumerate((100.0, 120.0, 140.0))]
    recipe = Recipe(steps=80, batch=4, crop_frames=150, rate=1e-2, warm_up=10, decay=0.9)
    network = train(takes, CONFIG, recipe, folder=tmp_path)
    scores = scores_of(network, [beat_take(99, n_frames=900, bpm=110.0)])
    assert scores["beats"] > 0.9
    assert scores["downbeats"] > 0.9
    assert scores["tempo"] == 1.0


def test_takes_that_say_nothing_do_no_harm(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no takes"):
        train([], CONFIG, RECIPE, folder=tmp_path)
    odd = replace(beat_take(0), metre=-1, beats_s=np.zeros(0), positions=np.zeros(0, dtype=np.int64))
    crop = drawn_crop([odd], np.random.default_rng(0), n_frames=100)
    assert not crop.targets.any()
    assert np.all(crop.tempo == -1)
    network = train([odd], CONFIG, RECIPE, folder=tmp_path)
    assert all(np.isfinite(value).all() for value in weights_of(network).values())
    assert scores_of(network, [odd]) == {}
