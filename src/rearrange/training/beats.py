"""Train `models/beats`: `python -m rearrange.training.beats --data FOLDER`.

Takes of training audio become mel power once (`beat_takes`), kept in `--bank`; each step then draws crops from
them. The network is the moving average of the trained one. Figures are those of validation songs, with the fonts
that train and with the one that is never trained on, whole takes of 20 s through `analysis.bar_pointer`.

Every step is drawn from the seed and its own number, and `loop` writes the state every two minutes: a run that is
stopped at any moment, and started again with the same arguments, ends where it would have ended.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rearrange.analysis.bar_pointer import decode
from rearrange.evaluation.metrics.beats import beat_scores, downbeat_f1, tempo_acc1
from rearrange.models.beats import FRAME_RATE_HZ, METRES, TEMPI_BPM, BeatsConfig, BeatsNetwork, build, save
from rearrange.training import loop
from rearrange.training.bank import SHARE_SEEDS, studio_of
from rearrange.training.beat_takes import BeatTake, drawn_crop, prepared
from rearrange.training.loop import fitted

if TYPE_CHECKING:
    import torch

__all__ = ["Recipe", "main", "scores_of", "train"]

_FEWEST_BEATS = 4


@dataclass(frozen=True)
class Recipe(loop.Recipe):
    """How the network is trained.

    Parameters
    ----------
    beat_weight, downbeat_weight : of frames with one, against those without
    class_weight : of the losses of tempo and metre
    decay : of the moving average
    """

    steps: int = 2600
    batch: int = 8
    crop_frames: int = 768
    rate: float = 3e-3
    warm_up: int = 50
    decay: float = 0.995
    beat_weight: float = 4.0
    downbeat_weight: float = 8.0
    class_weight: float = 0.1


def train(
    takes: Sequence[BeatTake], config: BeatsConfig, recipe: Recipe, *, folder: Path, device: str = "cpu"
) -> BeatsNetwork:
    """Train until `recipe.steps`, from where `folder`'s checkpoint stands; return the moving average.

    Raises
    ------
    ValueError : no takes.
    """
    if not takes:
        raise ValueError("there are no takes to train on")
    module = fitted(
        partial(build, config),
        lambda module, step: _loss(module, takes, recipe, step=step, device=device),
        recipe,
        folder=folder,
        device=device,
    )
    return BeatsNetwork(config, module)


def _loss(
    module: "torch.nn.Module", takes: Sequence[BeatTake], recipe: Recipe, *, step: int, device: str
) -> "torch.Tensor":
    import torch
    from torch.nn import functional

    rng = np.random.default_rng([recipe.seed, step])
    torch.manual_seed(int(rng.integers(1 << 31)))  # of what is dropped out
    crops = [drawn_crop(takes, rng, n_frames=recipe.crop_frames) for _ in range(recipe.batch)]

    def stacked(arrays: Sequence[Any]) -> "torch.Tensor":
        return torch.from_numpy(np.ascontiguousarray(np.stack(arrays))).to(device)

    heard = module(stacked([crop.frames.T for crop in crops]))  # (batch, 2 + tempi + metres, time)
    beats, tempo, metre = heard.split([2, len(TEMPI_BPM), len(METRES)], dim=1)
    targets = stacked([crop.targets for crop in crops])
    extra = torch.tensor([recipe.beat_weight, recipe.downbeat_weight], device=device)[:, None]
    loss: torch.Tensor = functional.binary_cross_entropy_with_logits(beats, targets, weight=1.0 + extra * targets)
    for logits, classes in ((tempo, [c.tempo for c in crops]), (metre, [c.metre for c in crops])):
        known = stacked(classes)
        if bool((known >= 0).any()):
            loss = loss + recipe.class_weight * functional.cross_entropy(logits, known, ignore_index=-1)
    return loss


def scores_of(network: BeatsNetwork, takes: Sequence[BeatTake]) -> dict[str, float]:
    """Mean beat F1, downbeat F1, tempo accuracy 1 and share of right metres; nothing of takes without beats."""
    rows: list[tuple[float, float, float, float]] = []
    for take in takes:
        if len(take.beats_s) < _FEWEST_BEATS:
            continue
        paths = decode(network.hear(take.frames()))
        times_s = paths[0].frames / FRAME_RATE_HZ
        bpm, true_bpm = (60.0 / float(np.median(np.diff(each))) for each in (times_s, take.beats_s))
        rows.append(
            (
                beat_scores(take.beats_s, times_s).f1,
                downbeat_f1(take.beats_s[take.positions == 0], times_s[paths[0].positions == 0]),
                tempo_acc1(true_bpm, bpm),
                float(take.metre < 0 or METRES[take.metre] == paths[0].beats_per_bar),
            )
        )
    if not rows:
        return {}
    names = ("beats", "downbeats", "tempo", "metre")
    return {name: float(np.mean(column)) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare takes, train, say how good it is, and write the model.

    Raises
    ------
    RearrangeError : an archive or every font is missing.
    """
    parser = argparse.ArgumentParser(description="Train the beat network.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds symbolic and samples")
    parser.add_argument("--sets", type=Path, default=Path("out/sets"), help="where the sets are unpacked")
    parser.add_argument("--bank", type=Path, default=Path("out/beats/takes"), help="keeps the takes")
    parser.add_argument("--audio", type=Path, help="a bank of takes as sound, which need not be made again")
    parser.add_argument("--out", type=Path, default=Path("out/beats"), help="checkpoint and model")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--takes", type=int, default=600, help="to train on, and two fifths more made for beats")
    parser.add_argument("--held-out", type=int, default=24, help="takes of each kind of held-out ones to measure")
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--jobs", type=int, default=1, help="processes that make takes")
    options = parser.parse_args(arguments)
    config = BeatsConfig()
    recipe = Recipe(steps=options.steps, batch=options.batch, seed=options.seed)

    def made(share: str, seed: int, count: int) -> Iterator[BeatTake]:
        hits = options.data / "samples" / "drum_hits"
        studio = studio_of(share, options.data / "symbolic", options.sets, hits if hits.is_dir() else None)
        return prepared(
            studio,
            options.bank,
            seed=seed,
            count=count,
            n_bands=config.n_bands,
            bank=options.audio,
            jobs=options.jobs,
        )

    takes = list(made("train", options.seed, options.takes))
    network = train(takes, config, recipe, folder=options.out, device=options.device)
    for share in ("tuning", "unseen"):
        scores = scores_of(network, list(made(share, SHARE_SEEDS[share][2], options.held_out)))
        print(f"{share:8}" + "".join(f" {key} {value:.3f}" for key, value in scores.items()), flush=True)
    save(options.out / "model", network.config, network.module.state_dict())
    print(f"written to {options.out / 'model'}")
    return 0


if __name__ == "__main__":
    from rearrange.training.start import start

    sys.exit(start(main))
