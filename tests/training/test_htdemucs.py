"""Training of the small HTDemucs: what a batch is, that a stopped run goes on, and that Demucs loads the model."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from rearrange.audio import Audio
from rearrange.errors import ModelError
from rearrange.models.separator import SAMPLE_RATE, STEMS
from rearrange.stages.separate import SeparateSettings, separate
from rearrange.training import htdemucs
from rearrange.training.htdemucs import loss_of, train
from rearrange.training.htdemucs_batches import Drawn, drawn_batches, mixed
from rearrange.training.htdemucs_state import HTDemucsConfig, Recipe, Trained, begun, export
from rearrange.training.separator_crops import Clip, Shelf

CONFIG = HTDemucsConfig(channels=8, depth=3, t_layers=1, t_heads=2, nfft=512, segment_s=1)
RECIPE = Recipe(steps=3, batch=1, warm_up=1, windows=(256,), seed=1)


def shelf() -> Shelf:
    """Two takes of 3 s, each stem a sine of its own."""
    takes = []
    for take in range(2):
        times = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
        clips = {}
        for i, stem in enumerate(STEMS):
            wave = 8000 * np.sin(2 * np.pi * (110 * (i + 1) + 30 * take) * times)
            samples = np.stack([wave, wave]).astype(np.int16)
            clips[stem] = Clip(samples, 1 / 32_000, np.ones(3, dtype=bool))
        takes.append(clips)
    return Shelf(tuple(takes))


def fresh(checkpoint: Path, recipe: Recipe = RECIPE, start: Path | None = None) -> Trained:
    return begun(CONFIG, recipe, checkpoint, device="cpu", start=start)


def trained(folder: Path, recipe: Recipe = RECIPE) -> Trained:
    folder.mkdir(exist_ok=True)
    checkpoint = folder / "checkpoint.pt"
    return train(fresh(checkpoint, recipe), shelf(), checkpoint=checkpoint, device="cpu", threads=1)


def test_a_batch_adds_up_and_does_not_depend_on_threads() -> None:
    def drawn(first: int, threads: int) -> list[Drawn]:
        batches = drawn_batches(shelf(), seed=3, first=first, batch=2, n_samples=SAMPLE_RATE, threads=threads)
        return list(islice(batches, 3))

    one, many = drawn(0, 1), drawn(1, 4)
    for here, there in zip(one[1:], many, strict=False):
        np.testing.assert_array_equal(here.stems, there.stems)
        np.testing.assert_array_equal(here.gains, there.gains)
    clean = replace(one[0], noise=np.zeros_like(one[0].noise))
    batch = mixed(clean, seed=3, device="cpu")
    np.testing.assert_allclose(batch.stems.sum(1).numpy(), batch.mix.numpy(), atol=1e-5)
    np.testing.assert_allclose(batch.mix.std((1, 2)).numpy(), 1.0, atol=1e-3)
    noisy = mixed(replace(clean, noise=np.array([0.0, 0.1], np.float32)), seed=3, device="cpu")
    hiss = (noisy.mix - batch.mix).std((1, 2)).numpy()
    np.testing.assert_allclose(hiss, [0.0, 0.1], atol=2e-3)


def test_equalisers_do_what_their_gains_say() -> None:
    """A gain for the lower half of the bins alone leaves the low one of two sines."""
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    low, high = np.sin(2 * np.pi * 1000 * times), np.sin(2 * np.pi * 15000 * times)
    stems = np.broadcast_to(low + high, (1, 4, 2, SAMPLE_RATE)).astype(np.float32)
    gains = np.zeros((1, 4, 1024), np.float32)
    gains[..., :512] = 1.0
    batch = mixed(Drawn(stems, gains, np.zeros(1, np.float32), 0), seed=0, device="cpu")
    heard = batch.stems[0, 0, 0].numpy()
    np.testing.assert_allclose(heard / np.abs(heard).max(), low, atol=1e-3)


def test_the_loss_of_the_truth_is_nothing_and_grows_with_the_error() -> None:
    batch = mixed(
        next(drawn_batches(shelf(), seed=0, first=0, batch=1, n_samples=8192, threads=1)), seed=0, device="cpu"
    )
    assert float(loss_of(batch.stems, batch.stems, RECIPE)) == 0.0
    small, large = (float(loss_of(batch.stems * gain, batch.stems, RECIPE)) for gain in (0.9, 0.5))
    assert large == pytest.approx(5 * small, rel=1e-3)


def test_a_stopped_run_ends_where_it_would_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(htdemucs, "halving_is_safe", lambda *_, **__: False)
    whole = trained(tmp_path / "whole")
    assert whole.step == RECIPE.steps
    step, left = htdemucs._step, 1

    def stopped(*arguments: object, **named: object) -> float:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        return step(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(htdemucs, "CHECKPOINT_S", 0.0)
    monkeypatch.setattr(htdemucs, "_step", stopped)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped")
    monkeypatch.setattr(htdemucs, "_step", step)
    resumed = trained(tmp_path / "stopped")
    for name, value in resumed.average.items():
        np.testing.assert_allclose(value.numpy(), whole.average[name].numpy(), atol=1e-7)


def test_bfloat16_is_not_used_where_its_gradients_are_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = fresh(tmp_path / "none.pt")
    backward = htdemucs._backward

    def turned(part: str) -> object:
        def wrong(state: Trained, batch: object, *, device: str, half: bool) -> float:
            loss = backward(state, batch, device=device, half=False)  # type: ignore[arg-type]
            for name, value in state.module.named_parameters():
                if half and name.startswith(part) and value.grad is not None:
                    value.grad.neg_()
            return loss

        return wrong

    monkeypatch.setattr(htdemucs, "_backward", turned("nothing"))
    assert htdemucs.halving_is_safe(state, shelf(), device="cpu")
    monkeypatch.setattr(htdemucs, "_backward", turned("tencoder.1"))
    assert not htdemucs.halving_is_safe(state, shelf(), device="cpu")
    assert all(value.grad is None for value in state.module.parameters())


def test_a_run_ends_by_the_clock(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    state = train(fresh(checkpoint), shelf(), checkpoint=checkpoint, device="cpu", threads=1, until_s=0.0)
    assert state.step == 0
    assert fresh(checkpoint).step == 0


def test_the_last_run_cools_down() -> None:
    recipe = Recipe(steps=1000, warm_up=10, cooling=0.25, rate=1.0)
    rates = [htdemucs._rate(recipe, step) for step in (0, 9, 500, 750, 875, 999)]
    assert rates == pytest.approx([0.1, 1.0, 1.0, 1.0, 0.505, 0.014], abs=0.01)


def test_demucs_own_repository_loads_what_was_trained(tmp_path: Path) -> None:
    state = trained(tmp_path / "run", replace(RECIPE, steps=2))
    model = tmp_path / "model"
    export(state, model)
    written = export(state, model)
    assert [path.name for path in model.iterdir()] == [written.name], "one of a name"
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 3 * SAMPLE_RATE)).astype(np.float32)
    stems = separate(Audio(noise, SAMPLE_RATE), SeparateSettings(separator=str(model), device="cpu"))
    assert list(stems) == ["drums", "bass", "other", "vocals"]
    np.testing.assert_allclose(sum(stem.samples for stem in stems.values()), noise, atol=1e-5)
    assert all(stem.samples.any() for stem in stems.values())
    again = fresh(tmp_path / "none.pt", start=model)
    assert again.step == 2
    for name, value in again.average.items():
        np.testing.assert_allclose(value.numpy(), state.average[name].numpy(), atol=2e-3)
    with pytest.raises(ModelError, match="another configuration"):
        begun(replace(CONFIG, t_layers=2), RECIPE, tmp_path / "none.pt", device="cpu", start=model)
    with pytest.raises(ModelError, match="holds no"):
        fresh(tmp_path / "none.pt", start=tmp_path)
