"""Train `models/separator-small`: `python -m rearrange.training.separator --data FOLDER --out FOLDER`.

Takes of training audio are made once and kept (`bank`), recorded stems are brought to one form beside them
(`separator_clips`); each step mixes crops of them anew (`separator_crops`). The loss is the
logarithm of what is wrong in each stem, once as power and once as amplitude, where what is far below the mix
hardly counts (`Recipe.audible`); so a silent stem is learnt as well. Matrices are trained by Muon,
the rest by AdamW; the network is the moving average.

Every step is drawn from the seed and its own number, and `loop` writes the state every two minutes: a run that is
stopped at any moment, and started again with the same arguments, ends where it would have ended.

Cost: a step of 2 crops of 4 s takes 0.5 s of one core that multiplies matrices in bfloat16 (AMX). `--device
cuda` trains on a GPU.

Source of Muon: K. Jordan et al., 2024 (kellerjordan.github.io/posts/muon), as torch has it.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rearrange.audio import Audio
from rearrange.models.separation import separation_blocks
from rearrange.models.separator import (
    COMPRESSION,
    STEMS,
    TINY,
    SeparatorConfig,
    SeparatorNetwork,
    build,
    load,
    save,
)
from rearrange.training.bank import SHARE_SEEDS, banked, whole_studio
from rearrange.training.loop import Course, trained_average
from rearrange.training.separator_clips import recorded_songs
from rearrange.training.separator_crops import Crop, Shelf, banked_clips, drawn_crop, stacked
from rearrange.training.separator_scores import mean_scores

if TYPE_CHECKING:
    import torch

__all__ = ["Recipe", "main", "scores_of", "train"]


@dataclass(frozen=True)
class Recipe:
    """How the network is trained.

    Parameters
    ----------
    stop : a run that may not last until `steps` ends here
    batch, crop_frames : how many crops of a step, of how many frames
    amplitude : weight of errors of amplitude, which count at every frequency; that of errors of power is 1. As
        heavy, to be sure of silence paid more than to be right in sound: a bass was given to the drums
    audible : power of an error, as a share of the mix's, below which less of it hardly counts; at 0.001 the bass
        came out too quiet
    level_until : the rate is level until then, then falls towards `steps`
    decay : of the moving average
    """

    steps: int = 9000
    stop: int | None = None
    batch: int = 2
    amplitude: float = 0.3
    audible: float = 0.02
    crop_frames: int = 172
    rate: float = 2e-3
    warm_up: int = 100
    level_until: int = 4000
    weight_decay: float = 0.01
    decay: float = 0.997
    seed: int = 0


def train(
    shelf: Shelf,
    config: SeparatorConfig,
    recipe: Recipe,
    *,
    folder: Path,
    device: str = "cpu",
    start: SeparatorNetwork | None = None,
) -> SeparatorNetwork:
    """Train until the recipe's end, from where `folder`'s checkpoint stands; return the moving average.

    Parameters
    ----------
    start : a network whose weights the first step finds, in the place of random ones; of the same `config`
    """
    import torch

    torch.manual_seed(recipe.seed)
    module = build(config)
    if start is None:
        _set_scales(module, shelf, recipe)
    else:
        module.load_state_dict(start.module.state_dict())
    module = module.to(device)
    last = recipe.steps if recipe.stop is None else min(recipe.stop, recipe.steps)
    average = trained_average(
        module,
        _optimizers(module, recipe),
        lambda step: _loss_of_step(module, shelf, recipe, step=step, device=device),
        Course(last, partial(_rate, recipe), recipe.decay),
        folder=folder,
        device=device,
    )
    trained = build(config)
    trained.load_state_dict(average)
    return SeparatorNetwork(config, trained.eval())


def _set_scales(module: "torch.nn.Module", shelf: Shelf, recipe: Recipe) -> None:
    """Mean and deviation of what the network is shown, from a few crops."""
    import torch

    rng = np.random.default_rng([recipe.seed, 1 << 20])
    views = np.concatenate([drawn_crop(shelf, rng, n_frames=recipe.crop_frames).views for _ in range(24)])
    seen = (torch.from_numpy(views) + TINY) ** COMPRESSION
    # Cells alike: a band as a whole, not its every bin.
    mean, deviation = (
        torch.nn.functional.avg_pool1d(each[None], 33, 1, 16, count_include_pad=False)[0]
        for each in (seen.mean(0), seen.std(0))
    )
    module.get_buffer("mean").copy_(mean)
    module.get_buffer("deviation").copy_(deviation.clamp_min(0.05))


def _optimizers(module: "torch.nn.Module", recipe: Recipe) -> list[Any]:
    import torch

    matrices = [value for name, value in module.named_parameters() if value.ndim == 2 and "taps" not in name]
    others = [value for name, value in module.named_parameters() if value.ndim != 2 or "taps" in name]
    return [
        torch.optim.Muon(matrices, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, weight_decay=recipe.weight_decay, betas=(0.9, 0.98)),
    ]


def _rate(recipe: Recipe, step: int) -> float:
    """Up over `warm_up` steps, level until `level_until`, then down in a straight line to a hundredth."""
    if step < recipe.warm_up:
        return recipe.rate * (step + 1) / recipe.warm_up
    left = (recipe.steps - step) / max(recipe.steps - recipe.level_until, 1)
    return recipe.rate * max(min(1.0, left), 0.01)


def _loss_of_step(
    module: "torch.nn.Module", shelf: Shelf, recipe: Recipe, *, step: int, device: str
) -> "torch.Tensor":
    import torch

    rng = np.random.default_rng([recipe.seed, step])
    crop = stacked([drawn_crop(shelf, rng, n_frames=recipe.crop_frames) for _ in range(recipe.batch)])
    with torch.autocast(device, torch.bfloat16):
        logits = module(torch.from_numpy(crop.views).to(device))
    return _loss(logits.float(), crop, recipe)


def _loss(logits: "torch.Tensor", crop: Crop, recipe: Recipe) -> "torch.Tensor":
    """Mean over stems of the logarithms of relative errors, of power and of amplitude."""
    import torch

    mix, shared, stems = (torch.from_numpy(each).to(logits.device) for each in (crop.mix, crop.shared, crop.stems))
    mask = logits.softmax(2)  # (batch, frames, stems, 2, cells)
    wrong = torch.addcmul(stems, mask, torch.addcmul(-2.0 * shared, mask, mix)).abs()  # |m X - S|²
    power = wrong.sum((1, 3, 4)) / mix.sum((1, 3, 4))  # (batch, stems)
    amplitude = (wrong + TINY).sqrt().sum((1, 3, 4)) / (mix + TINY).sqrt().sum((1, 3, 4))
    logarithms = (power + recipe.audible).log() + recipe.amplitude * (amplitude + recipe.audible**0.5).log()
    loss: torch.Tensor = logarithms.mean() / (1.0 + recipe.amplitude / 2)
    return loss


def scores_of(network: SeparatorNetwork, takes: Sequence[Path]) -> dict[str, float]:
    """What `mean_scores` says of a network on banked takes."""

    def separated(mix: Audio) -> dict[str, Audio]:
        blocks = list(separation_blocks(mix.samples, mix.sample_rate, network))
        joined = {stem: np.concatenate([block[stem] for block in blocks], axis=1) for stem in STEMS}
        return {stem: Audio(samples, mix.sample_rate) for stem, samples in joined.items()}

    return mean_scores(takes, separated)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure, and write the model.

    Raises
    ------
    RearrangeError : an archive, a font, a synthesiser or a recording is missing.
    """
    parser = argparse.ArgumentParser(description="Train models/separator-small.")
    recipe = Recipe()
    parser.add_argument("--data", type=Path, required=True, help="holds symbolic/, samples/ and audio/")
    parser.add_argument("--sets", type=Path, default=Path("out/sets"), help="where sets are unpacked")
    parser.add_argument("--bank", type=Path, default=Path("out/separator/takes"), help="keeps takes and clips")
    parser.add_argument("--out", type=Path, default=Path("out/separator"))
    parser.add_argument("--steps", type=int, default=recipe.steps)
    parser.add_argument("--takes", type=int, default=600)
    parser.add_argument("--held-out", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--voices", type=Path, default=Path("out/voices.npz"), help="what singers are made of")
    parser.add_argument("--start", type=Path, help="a model that is to become better, such as the shipped one")
    parser.add_argument("--rate", type=float, default=recipe.rate)
    parser.add_argument("--level-until", type=int, default=recipe.level_until, help="step from which it falls")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    start = None if options.start is None else load(options.start)
    recipe = Recipe(steps=options.steps, seed=options.seed, rate=options.rate, level_until=options.level_until)
    counts = {"train": options.takes, "tuning": options.held_out, "unseen": options.held_out}
    paths = {
        share: list(
            banked(
                whole_studio(share, options.data, options.sets, options.voices),
                options.bank,
                seed=seed + (options.seed if share == "train" else 0),
                count=counts[share],
                jobs=options.jobs,
            )
        )
        for share, (_, _, seed) in SHARE_SEEDS.items()
    }
    print("the takes are there", flush=True)
    songs = recorded_songs(options.data / "audio", options.bank / "recorded")
    shelf = Shelf(tuple(take for path in paths["train"] if (take := banked_clips(path))), songs)
    print(f"and {len(songs)} songs", flush=True)
    config = SeparatorConfig() if start is None else start.config
    network = train(shelf, config, recipe, folder=options.out, device=options.device, start=start)
    for share in ("tuning", "unseen"):
        scores = scores_of(network, paths[share])
        print(f"{share:8}" + "".join(f" {key} {value:.2f}" for key, value in scores.items()))
    save(options.out / "model", network.config, network.module.state_dict())
    print(f"written to {options.out / 'model'}")
    return 0


if __name__ == "__main__":
    from rearrange.training.start import start

    sys.exit(start(main))
