"""Train `models/drums`: `rearrange train drums --data FOLDER --out FOLDER`.

Takes of training audio become mel power once (`drum_takes`), kept in `--bank`; each step then draws crops from
them. The network is the moving average of the trained one. Thresholds are set per group of drums on takes of
validation songs with the fonts that train; figures are those of validation songs, and of a font that never trains.

Every step is drawn from the seed and its own number, and `loop` writes the state every two minutes: a run that is
stopped at any moment, and started again with the same arguments, ends where it would have ended.

Cost: a step of 8 crops of 4 s takes about 0.3 s of one core; a take takes 1.2 s. `--device cuda` trains on a GPU.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rearrange.evaluation.metrics.transcription import drum_scores
from rearrange.models.drums import CLASSES, GROUPS, DrumsConfig, DrumsNetwork, build, pick_hits, save
from rearrange.score import NoteEvent
from rearrange.training import loop
from rearrange.training.audio import Studio, make_take
from rearrange.training.drum_takes import VIEWS, DrumTake, drawn_crop, drum_take, read_take, write_take
from rearrange.training.fonts import HitKit, find_fonts, read_hits
from rearrange.training.loop import fitted
from rearrange.training.scenes import library
from rearrange.training.start import start

if TYPE_CHECKING:
    import torch

__all__ = ["TUNING_SEED", "UNSEEN_SEED", "Recipe", "main", "prepared", "scores_of", "train", "tuned"]

TUNING_SEED, UNSEEN_SEED = 1_000_001, 1_000_002  # of takes that are never trained on
_THRESHOLDS = np.arange(0.1, 0.75, 0.05)
_AS_GOOD = 0.02


@dataclass(frozen=True)
class Recipe(loop.Recipe):
    """How the network is trained; `decay` is the moving average's, `stroke_weight` of frames with a stroke."""

    steps: int = 12_000
    batch: int = 8
    crop_frames: int = 400
    rate: float = 2e-3
    warm_up: int = 100
    decay: float = 0.998
    stroke_weight: float = 3.0
    velocity_weight: float = 1.0


def prepared(
    studio: Studio, folder: Path, *, seed: int, count: int, n_bands: int, jobs: int = 1
) -> Iterator[DrumTake]:
    """Takes 0 to `count` of a seed, made by `jobs` processes where `folder` does not have them yet.

    Raises
    ------
    As `make_take`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{seed}-{index:05d}-{n_bands}.npz" for index in range(count)]
    missing = [index for index, path in enumerate(paths) if not _is_good(path, studio)]
    for index in missing:
        paths[index].unlink(missing_ok=True)
    if jobs > 1 and len(missing) > 1:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            made = [pool.submit(_make, studio, paths[index], seed, index, n_bands) for index in missing]
            for each in made:
                each.result()
    for index, path in enumerate(paths):
        if not path.is_file():
            _make(studio, path, seed, index, n_bands)
        yield read_take(path)


def _is_good(path: Path, studio: Studio) -> bool:
    """Whether a take is there, and of songs that may still be used: a song can be held out later."""
    return path.is_file() and studio.songs.names.issuperset(read_take(path).songs.tolist())


def _make(studio: Studio, path: Path, seed: int, index: int, n_bands: int) -> None:
    write_take(path, drum_take(make_take(studio, seed=seed, index=index), n_bands))


def train(
    takes: Sequence[DrumTake], config: DrumsConfig, recipe: Recipe, *, folder: Path, device: str = "cpu"
) -> DrumsNetwork:
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
    return DrumsNetwork(config, module)


def _loss(
    module: "torch.nn.Module", takes: Sequence[DrumTake], recipe: Recipe, *, step: int, device: str
) -> "torch.Tensor":
    import torch
    from torch.nn import functional

    rng = np.random.default_rng([recipe.seed, step])
    crops = [drawn_crop(takes, rng, n_frames=recipe.crop_frames) for _ in range(recipe.batch)]

    def stacked(arrays: Sequence[Any]) -> "torch.Tensor":
        return torch.from_numpy(np.ascontiguousarray(np.stack(arrays))).to(device)

    heard = module(stacked([crop.frames.T for crop in crops]))  # (batch, 2, classes, time)
    targets = stacked([crop.targets for crop in crops])
    hard = stacked([crop.velocities for crop in crops])
    weight = 1.0 + recipe.stroke_weight * targets
    struck = (hard > 0).float()
    stroke = functional.binary_cross_entropy_with_logits(heard[:, 0], targets, weight=weight)
    velocity = ((heard[:, 1] - hard).square() * struck).sum() / struck.sum().clamp(min=1.0)
    # Strokes are rare: times the number of classes, the first is about as large as what one frame has.
    loss: torch.Tensor = len(CLASSES) * stroke + recipe.velocity_weight * velocity
    return loss


def _times(hits: Sequence[NoteEvent], names: Sequence[str]) -> list[float]:
    pitches = {pitch for name in names for pitch in CLASSES[name]}
    return sorted(hit.onset_s for hit in hits if hit.pitch in pitches)


def scores_of(network: DrumsNetwork, takes: Sequence[DrumTake], view: str) -> dict[str, float]:
    """Mean F1 over takes at 50 ms: of every group of drums, and of every drum."""
    groups = {**GROUPS, **{f"({name})": (name,) for name in CLASSES}}
    found: dict[str, list[float]] = {}
    for take in takes:
        hits = pick_hits(network.hear(take.frames(view)), network.config.picking)
        truth = take.hits()
        reference = {name: _times(truth, members) for name, members in groups.items()}
        if not any(reference.values()):
            continue
        estimate = {name: _times(hits, members) for name, members in groups.items()}
        for name, score in drum_scores(reference, estimate).items():
            found.setdefault(name, []).append(score)
    return {name: float(np.mean(found[name])) for name in groups if name in found}


def tuned(network: DrumsNetwork, takes: Sequence[DrumTake]) -> DrumsNetwork:
    """The network with thresholds set on takes: per group the lowest whose F1 is as good as any, both views alike.

    F1 hardly depends on the threshold where the sounds are those of training. Drums that were never heard make
    the network less sure, as does hearing a song twice (`heard_in_both`): of thresholds within _AS_GOOD of the
    best the lowest is taken. A group that no take has keeps its threshold.
    """
    every = replace(network.config.picking, thresholds=(float(_THRESHOLDS[0]),) * len(GROUPS))
    heard = [(take.hits(), pick_hits(network.hear(take.frames(view)), every)) for take in takes for view in VIEWS]
    chosen = []
    for (group, members), old in zip(GROUPS.items(), network.config.picking.thresholds, strict=True):
        if not any(_times(truth, members) for truth, _ in heard):
            chosen.append(old)
            continue
        f1s = []
        for threshold in _THRESHOLDS:
            counts = np.zeros(2)  # strokes matched, and strokes of both
            for truth, hits in heard:
                theirs = _times(truth, members)
                ours = _times([hit for hit in hits if hit.confidence >= threshold], members)
                f1 = drum_scores({group: theirs}, {group: ours})[group] if theirs else 0.0
                counts += f1 * (len(theirs) + len(ours)), len(theirs) + len(ours)
            f1s.append(counts[0] / max(counts[1], 1.0))
        lowest = int(np.flatnonzero(np.array(f1s) >= max(f1s) - _AS_GOOD)[0])
        chosen.append(round(float(_THRESHOLDS[lowest]), 3))
    picking = replace(network.config.picking, thresholds=tuple(chosen))
    return DrumsNetwork(replace(network.config, picking=picking), network.module)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare takes, train, set thresholds, say how good it is, and write the model.

    Raises
    ------
    UsageError : an archive is missing.
    SoundfontError : no font of a use is here, or a recording of a hit is missing.
    """
    parser = argparse.ArgumentParser(description="Train the drum network.")
    parser.add_argument("--data", type=Path, required=True, help="holds symbolic/ and samples/drum_hits")
    parser.add_argument("--sets", type=Path, default=Path("out/sets"), help="where the sets are unpacked")
    parser.add_argument("--bank", type=Path, default=Path("out/drums/takes"), help="keeps the takes")
    parser.add_argument("--out", type=Path, default=Path("out/drums"), help="checkpoint and model")
    parser.add_argument("--takes", type=int, default=1500)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--held-out", type=int, default=40, help="takes to tune on, and as many to measure")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--jobs", type=int, default=1, help="processes that make takes")
    parser.add_argument("--prepare-only", action="store_true", help="make the takes, and stop")
    options = parser.parse_args(arguments)
    config = DrumsConfig()
    songs = {
        share: library(options.data / "symbolic", options.sets, share) for share in ("training", "validation")
    }
    hits = _recorded_hits(options.data / "samples" / "drum_hits")
    fonts = find_fonts()

    def made(studio: Studio, seed: int, count: int) -> list[DrumTake]:
        return list(
            prepared(studio, options.bank, seed=seed, count=count, n_bands=config.n_bands, jobs=options.jobs)
        )

    held_out = {
        "tuning": made(Studio(songs["validation"], fonts, hits), TUNING_SEED, options.held_out),
        "unseen font": made(Studio(songs["validation"], find_fonts("unseen")), UNSEEN_SEED, options.held_out),
    }
    takes = made(Studio(songs["training"], fonts, hits), options.seed, options.takes)
    if options.prepare_only:
        print(f"{len(takes)} takes are there")
        return 0
    recipe = Recipe(steps=options.steps, batch=options.batch, seed=options.seed)
    network = tuned(train(takes, config, recipe, folder=options.out, device=options.device), held_out["tuning"])
    for name, each in held_out.items():
        for view in VIEWS:
            scores = scores_of(network, each, view)
            print(f"{name:12} {view:6}" + "".join(f" {key} {value:.3f}" for key, value in scores.items()))
    save(options.out / "model", network.config, network.module.state_dict())
    print(f"written to {options.out / 'model'}")
    return 0


def _recorded_hits(folder: Path) -> tuple[HitKit, ...]:
    if folder.is_dir():
        return read_hits(folder)
    print(f"without recorded hits: there is no {folder}")
    return ()


if __name__ == "__main__":
    sys.exit(start(main))
