"""Train a small HTDemucs, in Demucs' own class: `python -m rearrange.training.htdemucs --data FOLDER`.

It learns from the crops of the small separator (`htdemucs_batches`) by the mean absolute error of its stems, as
waves and as spectra of three resolutions. When a run ends, the moving average is written as a Demucs repository
(`htdemucs_state`), which `rearrange separate --separator FOLDER` loads, and measured on takes of validation songs
beside the classical separator.

Made for a GPU that is there for minutes: `--minutes` ends a run by the clock, a checkpoint every CHECKPOINT_S lets
the next one go on, and `--finish` tells the last one to lower the rate in the time that it has. Where the
checkpoint did not come along, `--start` takes the weights of a written repository.

Every batch is drawn from the seed and its step's number. Sums on a GPU depend on their order: two runs of the same
seed are alike, not the same.

Source: Rouard, Massa, Défossez, "Hybrid Transformers for music source separation", ICASSP 2023.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rearrange.errors import ModelError, UsageError
from rearrange.models.separator import SAMPLE_RATE
from rearrange.stages.separate import SeparateSettings, separate
from rearrange.training.bank import SHARE_SEEDS, banked, studio_of
from rearrange.training.htdemucs_batches import Batch, drawn_batches, mixed
from rearrange.training.htdemucs_state import NAME, HTDemucsConfig, Recipe, Trained, begun, export
from rearrange.training.separator_clips import recorded_songs
from rearrange.training.separator_crops import Shelf, banked_clips
from rearrange.training.separator_scores import mean_scores

if TYPE_CHECKING:
    import torch

__all__ = ["loss_of", "main", "train"]

CHECKPOINT_S = 120.0
_PACED = (10, 50)  # steps of a run between which its pace is taken
_ALIKE = 0.9  # cosine of gradients; where sums are right, it is 0.999


def train(
    begin: Trained,
    shelf: Shelf,
    *,
    checkpoint: Path,
    device: str,
    threads: int,
    until_s: float = float("inf"),
    finish: bool = False,
) -> Trained:
    """Train until the recipe's last step, or until `until_s` of the monotonic clock; write and return the state.

    Parameters
    ----------
    finish : choose the last step so that it is reached by then, at the pace of this run

    Raises
    ------
    ModelError : the device has not enough memory.
    """
    import torch

    state, first = begin, begin.step
    n_samples = begin.config.segment_s * SAMPLE_RATE
    batches = drawn_batches(
        shelf, seed=begin.recipe.seed, first=first, batch=begin.recipe.batch, n_samples=n_samples, threads=threads
    )
    half = halving_is_safe(begin, shelf, device=device)
    print("trained in bfloat16" if half else "trained in single precision: bfloat16 goes wrong here", flush=True)
    written_s, paced_s, running = time.monotonic(), 0.0, 0.0
    try:
        while state.step < state.recipe.steps and time.monotonic() < until_s:
            done = state.step - first
            if done == _PACED[0]:
                paced_s = time.monotonic()
            if done == _PACED[1]:
                pace_s = (time.monotonic() - paced_s) / (_PACED[1] - _PACED[0])
                if finish:
                    left = max(int((until_s - time.monotonic()) / pace_s), 1)
                    state = replace(state, recipe=replace(state.recipe, steps=state.step + left))
                print(f"{pace_s:.3f} s a step; the last is {state.recipe.steps}", flush=True)
            batch = mixed(next(batches), seed=state.recipe.seed, device=device)
            loss = _step(state, batch, device=device, half=half)
            running = loss if state.step == first else 0.98 * running + 0.02 * loss
            state = replace(state, step=state.step + 1)
            if state.step % 100 == 0:
                print(f"step {state.step} of {state.recipe.steps}: loss {running:.4f}", flush=True)
            if time.monotonic() - written_s > CHECKPOINT_S:
                state.write(checkpoint)
                written_s = time.monotonic()
    except torch.OutOfMemoryError as exc:
        raise ModelError(f"not enough memory on {device}", "a smaller --batch") from exc
    finally:
        batches.close()
    state.write(checkpoint)
    return state


def _rate(recipe: Recipe, step: int) -> float:
    """Up over `warm_up` steps, level, then down in a straight line to a hundredth."""
    left = (recipe.steps - step) / max(recipe.cooling * recipe.steps, 1.0)
    return recipe.rate * min((step + 1) / recipe.warm_up, 1.0, 0.01 + 0.99 * left)


def halving_is_safe(state: Trained, shelf: Shelf, *, device: str) -> bool:
    """Whether in every part of the network gradients in bfloat16 point where those in single precision do.

    They do not on every machine: of a transposed convolution, torch 2.13 gives wrong ones on processors with AMX
    (cosine 0.14), and training goes off after a dozen steps.
    """
    import torch

    drawn = drawn_batches(
        shelf, seed=state.recipe.seed, first=0, batch=1, n_samples=state.config.segment_s * SAMPLE_RATE, threads=1
    )
    batch = mixed(next(drawn), seed=state.recipe.seed, device=device)
    drawn.close()
    gradients: list[dict[str, list[torch.Tensor]]] = []
    for half in (False, True):
        state.module.zero_grad(set_to_none=True)
        _backward(state, batch, device=device, half=half)
        parts: dict[str, list[torch.Tensor]] = {}
        for name, value in state.module.named_parameters():
            if value.grad is not None:
                parts.setdefault(".".join(name.split(".")[:2]), []).append(value.grad.flatten())
        gradients.append(parts)
    state.module.zero_grad(set_to_none=True)
    single, halved = gradients
    alike = [torch.cosine_similarity(torch.cat(single[part]), torch.cat(halved[part]), dim=0) for part in single]
    return bool(torch.stack(alike).min() > _ALIKE)


def _backward(state: Trained, batch: Batch, *, device: str, half: bool) -> float:
    import torch

    # Spectra, and what is made of them, stay in single precision: autocast knows.
    with torch.autocast(device, torch.bfloat16, enabled=half):
        heard = state.module.train()(batch.mix)
    loss = loss_of(heard.float(), batch.stems, state.recipe)
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())


def _step(state: Trained, batch: Batch, *, device: str, half: bool) -> float:
    import torch
    from torch.optim.swa_utils import get_ema_multi_avg_fn

    module, optimizer, recipe = state.module, state.optimizer, state.recipe
    for group in optimizer.param_groups:
        group["lr"] = _rate(recipe, state.step)
    optimizer.zero_grad(set_to_none=True)
    loss = _backward(state, batch, device=device, half=half)
    torch.nn.utils.clip_grad_norm_(module.parameters(), 5.0)
    optimizer.step()
    keep = min(recipe.decay, (state.step + 1) / (state.step + 10))
    averaged = get_ema_multi_avg_fn(keep)  # type: ignore[no-untyped-call]
    averaged(list(state.average.values()), list(module.state_dict().values()), 0)
    return loss


def loss_of(heard: "torch.Tensor", stems: "torch.Tensor", recipe: Recipe) -> "torch.Tensor":
    """Mean absolute error of stems (batch, 4, 2, n_samples), and of their spectra."""
    import torch

    wrong = heard - stems
    loss = wrong.abs().mean()
    flat = wrong.flatten(0, 2)  # (batch * 8, n_samples)
    for n_fft in recipe.windows:
        window = torch.hann_window(n_fft, device=flat.device)
        spectra = torch.stft(flat, n_fft, n_fft // 4, window=window, normalized=True, return_complex=True)
        loss = loss + recipe.spectral_weight * torch.view_as_real(spectra).abs().mean()
    return loss


def main(arguments: Sequence[str] | None = None) -> int:
    """Make takes, train, write the model, and measure it.

    Raises
    ------
    RearrangeError : an archive, a font, a synthesiser or the device is missing, or is too small.
    """
    started_s, recipe = time.monotonic(), Recipe()
    parser = argparse.ArgumentParser(description="Train a small HTDemucs.")
    parser.add_argument("--data", type=Path, required=True, help="holds symbolic/, samples/ and audio/")
    parser.add_argument("--sets", type=Path, default=Path("out/sets"), help="where sets are unpacked")
    parser.add_argument("--bank", type=Path, default=Path("out/htdemucs/takes"), help="keeps takes and clips")
    parser.add_argument("--out", type=Path, default=Path("out/htdemucs"), help="checkpoint and model")
    parser.add_argument("--steps", type=int, default=recipe.steps, help="of all runs together")
    parser.add_argument("--takes", type=int, default=1000)
    parser.add_argument("--held-out", type=int, default=12, help="takes to measure")
    parser.add_argument("--seed", type=int, default=recipe.seed)
    parser.add_argument("--batch", type=int, default=recipe.batch)
    parser.add_argument("--rate", type=float, default=recipe.rate)
    parser.add_argument("--minutes", type=float, help="stop training so long after the start")
    parser.add_argument(
        "--finish", action="store_true", help="end in this run: the rate falls as the time runs out"
    )
    parser.add_argument("--start", type=Path, help="an earlier run's model, where its checkpoint is gone")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--jobs", type=int, default=1, help="processes that make takes, threads that draw crops")
    options = parser.parse_args(arguments)
    if options.finish and options.minutes is None:
        raise UsageError("--finish needs to know when", "give --minutes too")
    _prepare_device(options.device)
    counts = {"train": options.takes, "tuning": options.held_out}
    hits = options.data / "samples" / "drum_hits"
    takes = {
        share: list(
            banked(
                studio_of(share, options.data / "symbolic", options.sets, hits if hits.is_dir() else None),
                options.bank,
                seed=SHARE_SEEDS[share][2] + (options.seed if share == "train" else 0),
                count=count,
                jobs=options.jobs,
            )
        )
        for share, count in counts.items()
    }
    songs = recorded_songs(options.data / "audio", options.bank / "recorded")
    shelf = Shelf(tuple(clips for path in takes["train"] if (clips := banked_clips(path))), songs)
    options.out.mkdir(parents=True, exist_ok=True)
    recipe = replace(recipe, steps=options.steps, batch=options.batch, rate=options.rate, seed=options.seed)
    checkpoint = options.out / "checkpoint.pt"
    state = begun(HTDemucsConfig(), recipe, checkpoint, device=options.device, start=options.start)
    spent_s = time.monotonic() - started_s
    print(f"{options.takes} takes, {len(songs)} songs, {spent_s:.0f} s: from step {state.step}", flush=True)
    state = train(
        state,
        shelf,
        checkpoint=checkpoint,
        device=options.device,
        threads=options.jobs,
        until_s=started_s + 60 * options.minutes if options.minutes is not None else float("inf"),
        finish=options.finish,
    )
    written = export(state, options.out / "model")
    for name, separator in (("spectral", "spectral"), (NAME, str(written.parent))):
        settings = SeparateSettings(separator=separator, device=options.device)
        scores = mean_scores(takes["tuning"], partial(separate, settings=settings))
        print(f"tuning {name:14}" + "".join(f" {key} {value:.2f}" for key, value in scores.items()), flush=True)
    print(f"step {state.step} of {state.recipe.steps}, written to {written.parent}")
    return 0


def _prepare_device(device: str) -> None:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("this computer has no cuda device", "--device cpu trains too, for days")
    torch.set_float32_matmul_precision("high")  # on a GPU, what is not in bfloat16 is in TF32


if __name__ == "__main__":
    from rearrange.training.start import start

    sys.exit(start(main))
