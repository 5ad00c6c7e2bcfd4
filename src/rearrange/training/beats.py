"""Train `models/beats`: `python -m rearrange.training.beats --data FOLDER`.

Takes of training audio become mel power once (`beat_takes`), kept in `--bank`; each step then draws crops from
them. The network is the moving average of the trained one. Figures are those of validation songs, with the fonts
that train and with the one that is never trained on, whole takes of 20 s through `analysis.bar_pointer`.

Every step is drawn from the seed and its own number, and the state is written every CHECKPOINT_S: a run that is
stopped at any moment, and started again with the same arguments, ends where it would have ended.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rearrange.analysis.bar_pointer import decode
from rearrange.evaluation.metrics.beats import beat_scores, downbeat_f1, tempo_acc1
from rearrange.models.beats import FRAME_RATE_HZ, METRES, TEMPI_BPM, BeatsConfig, BeatsNetwork, build, save
from rearrange.training.bank import SHARE_SEEDS, studio_of
from rearrange.training.beat_takes import BeatTake, drawn_crop, prepared

if TYPE_CHECKING:
    import torch

__all__ = ["Recipe", "main", "scores_of", "train"]

CHECKPOINT_S = 120.0
_FEWEST_BEATS = 4


@dataclass(frozen=True)
class Recipe:
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
    seed: int = 0


def train(
    takes: Sequence[BeatTake], config: BeatsConfig, recipe: Recipe, *, folder: Path, device: str = "cpu"
) -> BeatsNetwork:
    """Train until `recipe.steps`, from where `folder`'s checkpoint stands; return the moving average.

    Raises
    ------
    ValueError : no takes.
    """
    import torch

    if not takes:
        raise ValueError("there are no takes to train on")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    module = build(config).to(device)
    optimizer = torch.optim.AdamW(module.parameters(), lr=recipe.rate, weight_decay=1e-3)
    average = {name: value.detach().clone() for name, value in module.state_dict().items()}
    state = _State(module, optimizer, average)
    checkpoint = folder / "checkpoint.pt"
    first = state.read(checkpoint, device) if checkpoint.is_file() else 0
    written_s, started_s, running = time.monotonic(), time.monotonic(), 0.0
    for step in range(first, recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = _rate(recipe, step)
        loss = _step(state, takes, recipe, step=step, device=device)
        running = loss if step == first else 0.98 * running + 0.02 * loss
        with torch.no_grad():
            for name, value in module.state_dict().items():
                if value.is_floating_point():
                    average[name].lerp_(value, 1.0 - min(recipe.decay, (step + 1) / (step + 10)))
                else:
                    average[name].copy_(value)
        if step % 100 == 99:
            spent_s = (time.monotonic() - started_s) / (step + 1 - first)
            print(f"step {step + 1} of {recipe.steps}: loss {running:.4f}, {spent_s:.2f} s a step", flush=True)
        if time.monotonic() - written_s > CHECKPOINT_S or step + 1 == recipe.steps:
            state.write(checkpoint, step + 1)
            written_s = time.monotonic()
    trained = build(config)
    trained.load_state_dict({name: value.cpu() for name, value in average.items()})
    return BeatsNetwork(config, trained.eval())


@dataclass(frozen=True, eq=False)
class _State:
    module: "torch.nn.Module"
    optimizer: Any
    average: dict[str, "torch.Tensor"]

    def read(self, path: Path, device: str) -> int:
        import torch

        kept = torch.load(path, map_location=device, weights_only=True)
        self.module.load_state_dict(kept["module"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.average.update(kept["average"])
        return int(kept["step"])

    def write(self, path: Path, step: int) -> None:
        import torch

        kept = {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "step": step,
        }
        torch.save(kept, path.with_suffix(".partial"))
        path.with_suffix(".partial").replace(path)


def _rate(recipe: Recipe, step: int) -> float:
    """Up over `warm_up` steps, then down as half a cosine to a hundredth."""
    if step < recipe.warm_up:
        return recipe.rate * (step + 1) / recipe.warm_up
    done = (step - recipe.warm_up) / max(recipe.steps - recipe.warm_up, 1)
    return recipe.rate * float(0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * min(done, 1.0))))


def _step(state: _State, takes: Sequence[BeatTake], recipe: Recipe, *, step: int, device: str) -> float:
    import torch
    from torch.nn import functional

    rng = np.random.default_rng([recipe.seed, step])
    torch.manual_seed(int(rng.integers(1 << 31)))  # of what is dropped out
    crops = [drawn_crop(takes, rng, n_frames=recipe.crop_frames) for _ in range(recipe.batch)]

    def stacked(arrays: Sequence[Any]) -> "torch.Tensor":
        return torch.from_numpy(np.ascontiguousarray(np.stack(arrays))).to(device)

    module, optimizer = state.module.train(), state.optimizer
    heard = module(stacked([crop.frames.T for crop in crops]))  # (batch, 2 + tempi + metres, time)
    beats, tempo, metre = heard.split([2, len(TEMPI_BPM), len(METRES)], dim=1)
    targets = stacked([crop.targets for crop in crops])
    extra = torch.tensor([recipe.beat_weight, recipe.downbeat_weight], device=device)[:, None]
    loss: Any = functional.binary_cross_entropy_with_logits(beats, targets, weight=1.0 + extra * targets)
    for logits, classes in ((tempo, [c.tempo for c in crops]), (metre, [c.metre for c in crops])):
        known = stacked(classes)
        if bool((known >= 0).any()):
            loss = loss + recipe.class_weight * functional.cross_entropy(logits, known, ignore_index=-1)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), 5.0)
    optimizer.step()
    return float(loss.detach())


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
