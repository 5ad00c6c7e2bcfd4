"""Training of the drum network: that a step is a step, a stopped run goes on, and thresholds are chosen well."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rearrange.models.drums import CLASSES, GROUPS, DrumsConfig, DrumsNetwork, build
from rearrange.training.drum_takes import DrumTake, drawn_crop, read_take, write_take
from rearrange.training.drums import Recipe, scores_of, train, tuned
from tests.training.resuming import assert_a_stopped_run_ends_where_it_would_have

CONFIG = DrumsConfig(n_bands=16, channels=(4, 4, 4), width=16, dilations=(1, 2))
RECIPE = Recipe(steps=6, batch=2, crop_frames=60, seed=1)


def drum_take(seed: int, *, n_frames: int = 300) -> DrumTake:
    """A kick in the low bands and a hat in the high ones, at times that are drawn, over a steady noise."""
    rng = np.random.default_rng(seed)
    power = np.full((n_frames, CONFIG.n_bands), 1e-4)
    onsets_s, classes = [], []
    for drum, bands in ((0, slice(0, 5)), (3, slice(11, 16))):
        for frame in np.arange(rng.integers(3, 12), n_frames - 12, 23 if drum == 0 else 17):
            power[frame : frame + 5, bands] += np.exp(-np.arange(5.0))[:, None]
            onsets_s.append(frame / 100)
            classes.append(drum)
    others = np.full_like(power, 1e-5)
    drums, mix = (np.log10(each).astype(np.float16) for each in (power, power + others))
    velocities = np.full(len(classes), 0.7, dtype=np.float32)
    beside = np.log10(others).astype(np.float16)
    songs = np.array([f"song {seed}"])
    return DrumTake(drums, beside, mix, np.array(onsets_s), np.array(classes), velocities, songs)


def test_takes_are_read_as_they_were_written(tmp_path: Path) -> None:
    take = drum_take(0)
    write_take(tmp_path / "take.npz", take)
    for name, array in vars(read_take(tmp_path / "take.npz")).items():
        np.testing.assert_array_equal(array, getattr(take, name))
    assert len(take.hits()) == len(take.classes)


def test_a_crop_says_where_strokes_begin() -> None:
    takes = [drum_take(0)]
    crop = drawn_crop(takes, np.random.default_rng(0), n_frames=300)
    assert crop.frames.shape == (300, CONFIG.n_bands)
    for onset_s, drum in zip(takes[0].onsets_s, takes[0].classes, strict=True):
        frame = round(100 * float(onset_s))
        assert crop.targets[drum, frame] == pytest.approx(1.0, abs=0.01)
        assert crop.targets[drum, frame + 1] == pytest.approx(0.5, abs=0.01)
        assert crop.velocities[drum, frame] == pytest.approx(0.7)
    assert not crop.targets[1].any()
    again = drawn_crop(takes, np.random.default_rng(0), n_frames=300)
    np.testing.assert_array_equal(again.frames, crop.frames)


def test_a_stopped_run_ends_where_it_would_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = [drum_take(seed) for seed in range(3)]
    assert_a_stopped_run_ends_where_it_would_have(
        lambda folder: train(takes, CONFIG, RECIPE, folder=folder), tmp_path, monkeypatch, after=4
    )


def test_it_learns_what_is_plain(tmp_path: Path) -> None:
    takes = [drum_take(seed) for seed in range(4)]
    recipe = Recipe(steps=120, batch=4, crop_frames=100, rate=1e-2, warm_up=10, decay=0.9)
    network = tuned(train(takes, CONFIG, recipe, folder=tmp_path), takes)
    scores = scores_of(network, [drum_take(99)], "drums")
    assert scores["kick"] > 0.9
    assert scores["hat"] > 0.9
    assert "snare" not in scores, "nobody plays it"
    chosen = dict(zip(GROUPS, network.config.picking.thresholds, strict=True))
    assert {t for group, t in chosen.items() if group not in ("kick", "hat")} == {0.5}, "as nobody plays them"
    assert max(chosen["kick"], chosen["hat"]) < 0.5, "of thresholds that are as good the lowest"


def test_no_takes_and_no_strokes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no takes"):
        train([], CONFIG, RECIPE, folder=tmp_path)
    silent = drum_take(0)
    empty = replace(silent, drums=silent.others, mix=silent.others, onsets_s=np.zeros(0), classes=np.zeros(0, int))
    empty = replace(empty, velocities=np.zeros(0, np.float32))
    assert not drawn_crop([empty], np.random.default_rng(0), n_frames=50).targets.any()
    untrained = DrumsNetwork(CONFIG, build(CONFIG).eval())
    assert scores_of(untrained, [empty], "mix") == {}
    assert len(CLASSES) == 10
