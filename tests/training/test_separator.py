"""Training of the separator: crops that are what they say, steps that follow from the seed, a stopped run goes
on."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rearrange.audio import Audio, write_audio
from rearrange.models.separator import N_CELLS, STEMS, SeparatorConfig
from rearrange.training.separator import Recipe, scores_of, train
from rearrange.training.separator_clips import SONGS, recorded_songs
from rearrange.training.separator_crops import Clip, Crop, Shelf, banked_clips, drawn_crop, stacked

RATE = 44100
SMALL = SeparatorConfig(bands=((8, 64), (4, 128)), width=8, narrow=2, hidden=8, dilations=(1, 2))
RECIPE = Recipe(steps=5, batch=1, crop_frames=12, warm_up=2, level_until=3, seed=1)


def clip(seed: int, duration_s: float = 3.0, *, is_voice: bool = False, low_cut_hz: float = 0.0) -> Clip:
    """A second of silence, then noise."""
    samples = np.random.default_rng(seed).normal(0, 3000, (2, round(duration_s * RATE))).astype(np.int16)
    samples[:, :RATE] = 0
    loud = np.arange(int(duration_s)) > 0
    return Clip(samples, 1 / 16000, loud, low_cut_hz=low_cut_hz, is_voice=is_voice)


def takes(count: int = 2) -> tuple[Mapping[str, Clip], ...]:
    return tuple({stem: clip(10 * i + j) for j, stem in enumerate(STEMS)} for i in range(count))


def write_take(path: Path, seed: int, *, is_sung: bool = False) -> NDArray[np.int16]:
    """A take as a bank keeps it, whose bass rests; the vocals sing in the second second."""
    rng = np.random.default_rng(seed)
    stems = rng.integers(-20000, 20000, (4, 2, 3 * RATE)).astype(np.int16)
    stems[1] = 0
    notes = [(0, 0.0, 2.9, 36, 90), (2, 0.0, 2.9, 60, 90), (3, 1.1, 0.5, 64, 90), (4, 2.0, 0.1, 38, 90)]
    with path.open("wb") as file:
        np.savez(
            file, stems=stems, mix=stems.sum(axis=0).astype(np.int16), scale=np.float32(1e-5),
            notes=np.array(notes), beats_s=np.arange(4.0), positions=np.arange(4), beats_per_bar=np.int64(4),
            kind=np.array("band"), is_sung=np.bool_(is_sung), songs=np.array(["a/1"]),
        )  # fmt: skip
    return stems


def same(one: Crop, other: Crop) -> bool:
    return all(np.array_equal(value, vars(other)[name]) for name, value in vars(one).items())


def test_a_banked_take_is_read_where_it_lies(tmp_path: Path) -> None:
    stems = write_take(tmp_path / "0-00000.npz", 0)
    clips = banked_clips(tmp_path / "0-00000.npz")
    assert sorted(clips) == ["drums", "other", "vocals"]
    np.testing.assert_array_equal(clips["vocals"].samples, stems[3])
    assert clips["vocals"].loud.tolist() == [False, True, False]
    assert clips["drums"].scale == pytest.approx(1e-5)
    assert not clips["vocals"].is_voice
    write_take(tmp_path / "0-00001.npz", 0, is_sung=True)
    sung = banked_clips(tmp_path / "0-00001.npz")
    assert [stem for stem, each in sung.items() if each.is_voice] == ["vocals"]


def test_crops_follow_from_the_generator() -> None:
    shelf = Shelf(takes())
    one, again, other = (drawn_crop(shelf, np.random.default_rng(seed), n_frames=8) for seed in (0, 0, 1))
    assert same(one, again)
    assert not same(one, other)
    assert one.views.shape == (8, 4, N_CELLS)
    assert one.stems.shape == one.shared.shape == (8, 4, 2, N_CELLS)
    assert stacked([one, other]).mix.shape == (2, 8, 1, 2, N_CELLS)


def test_a_crop_holds_what_masks_are_judged_by() -> None:
    """Where no noise was added, the stems' shares add up to the mix."""
    n_alone = 0
    for seed in range(8):
        crop = drawn_crop(Shelf(takes(1)), np.random.default_rng(seed), n_frames=6)
        assert all(np.isfinite(value).all() for value in vars(crop).values())
        gap = np.abs(crop.shared.sum(axis=1, keepdims=True) - crop.mix).sum() / crop.mix.sum()
        if gap < 1e-4:
            n_alone += 1
            left_and_right = crop.views[:, :2].sum(axis=1)
            np.testing.assert_allclose(left_and_right, crop.mix[:, 0].sum(axis=1), rtol=1e-3, atol=1e-2)
        error = crop.mix - 2 * crop.shared + crop.stems  # of a mask of 1
        assert error.min() > -1e-3 * crop.mix.max()
    assert n_alone >= 4


def test_a_recorded_voice_is_the_stem_of_vocals_and_the_melody_is_not() -> None:
    """Takes have a melody low down, the voice is high up: where there is a voice, vocals have no low sound."""
    time_s = np.arange(3 * RATE) / RATE
    low, high = (
        Clip(
            (8000 * np.sin(2 * np.pi * hz * time_s))[None].repeat(2, 0).astype(np.int16),
            1 / 16000,
            np.ones(3, bool),
        )
        for hz in (330.0, 3000.0)
    )
    shelf = Shelf(({"vocals": low}, {"vocals": replace(high, is_voice=True)}))
    shares = []
    for seed in range(40):
        crop = drawn_crop(shelf, np.random.default_rng(seed), n_frames=6)
        sung, played = crop.stems[:, 3, :, 200:].sum(), crop.stems[:, 3, :, :100].sum()
        if sung > played:
            shares.append(float(played / sung))
    assert len(shares) > 8
    assert max(shares) < 0.05


def test_below_its_low_cut_a_clip_is_not_heard() -> None:
    shelf = Shelf(({"drums": clip(0)},), ({"other": clip(1, low_cut_hz=220.0)},))
    heard = [drawn_crop(shelf, np.random.default_rng(seed), n_frames=6).stems[:, 2] for seed in range(60)]
    heard = [power for power in heard if power.sum() > 0]
    assert heard
    for power in heard:
        assert power[..., :10].mean() < 1e-3 * power[..., 30:60].mean()


def test_songs_that_may_train_are_read_and_lithium_is_not(tmp_path: Path) -> None:
    assert "lithium" not in SONGS
    for song in ("lithium", SONGS[0]):
        folder = tmp_path / "audio" / "eir" / song
        folder.mkdir(parents=True)
        for i, stem in enumerate(("drums", "other", "vocals")):
            sound = np.random.default_rng(i).normal(0, 0.1, (2, 2 * RATE)).astype(np.float32)
            write_audio(folder / f"{stem}.wav", Audio(sound, RATE))
            (folder / f"{stem}.wav").rename(folder / f"{stem}.opus")  # its name says nothing to a reader
    (song,) = recorded_songs(tmp_path / "audio", tmp_path / "cache")
    assert sorted(song) == ["drums", "other", "vocals"]
    assert song["vocals"].is_voice
    assert song["other"].low_cut_hz > 0, "its bass is in there"
    assert not list((tmp_path / "cache").glob("lithium*"))
    again = recorded_songs(tmp_path / "nowhere", tmp_path / "cache")
    assert again == ()


def test_without_takes_there_is_nothing_to_train_on() -> None:
    with pytest.raises(ValueError, match="no takes"):
        Shelf(())


def test_a_stopped_run_ends_where_it_would_have_ended(tmp_path: Path) -> None:
    shelf = Shelf(takes())
    whole = train(shelf, SMALL, RECIPE, folder=tmp_path / "whole")
    kept = torch.load(tmp_path / "whole" / "checkpoint.pt", weights_only=True)
    assert kept["step"] == 5
    train(shelf, SMALL, replace(RECIPE, stop=2), folder=tmp_path / "parts")
    assert torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)["step"] == 2
    resumed = train(shelf, SMALL, RECIPE, folder=tmp_path / "parts")
    for name, value in whole.module.state_dict().items():
        np.testing.assert_array_equal(value, resumed.module.state_dict()[name], err_msg=name)


def test_a_run_may_start_from_a_model(tmp_path: Path) -> None:
    shelf = Shelf(takes())
    start = train(shelf, SMALL, RECIPE, folder=tmp_path / "first")
    # A rate too small to move a weight: what comes out is what went in, scales and all.
    still = replace(RECIPE, rate=1e-12, weight_decay=0.0, seed=RECIPE.seed + 1)
    again = train(shelf, SMALL, still, folder=tmp_path / "second", start=start)
    for name, value in start.module.state_dict().items():
        np.testing.assert_allclose(value, again.module.state_dict()[name], atol=1e-6, err_msg=name)


def test_training_learns_and_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stems that never share a frequency can be told apart after a few steps."""
    time_s = np.arange(3 * RATE) / RATE
    tones = {
        stem: Clip(
            (8000 * np.sin(2 * np.pi * hz * time_s))[None].repeat(2, 0).astype(np.int16),
            1 / 16000,
            np.ones(3, bool),
        )
        for stem, hz in zip(STEMS, (6000.0, 80.0, 2500.0, 700.0), strict=True)
    }
    recipe = replace(RECIPE, steps=100, warm_up=5, rate=2e-2, decay=0.5, level_until=60)
    train(Shelf((tones,)), SMALL, recipe, folder=tmp_path)
    assert float(capsys.readouterr().out.split("loss ")[1].split(",")[0]) < -3.0
    write_take(tmp_path / "1-00000.npz", 3)
    network = train(Shelf((tones,)), SMALL, recipe, folder=tmp_path)
    scores = scores_of(network, [tmp_path / "1-00000.npz"])
    assert set(scores) == {"drums", "other", "vocals", "all"}
    assert all(np.isfinite(score) for score in scores.values())
