"""Train `models/notes`: `python -m rearrange.training.notes --data FOLDER --out FOLDER`.

Takes of training audio are heard by Basic Pitch once (`note_takes`), and kept in `--bank`; each step draws crops
from them. The network is the moving average of the trained one. Thresholds are set per line on takes of validation
songs with the fonts that train; figures are those of validation songs with the font that is never trained on.

Every step is drawn from the seed and its own number, and `loop` writes the state every two minutes: a run that is
stopped at any moment, and started again with the same arguments, ends where it would have ended.

Cost: a step of 4 crops of 6 s takes half a second of one core that has AMX, hearing a take two seconds, and
separating it one more. `--device cuda` trains on a GPU.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rearrange.analysis.decoding import Activations, HeardNote, one_at_a_time, picked_notes
from rearrange.audio import Audio
from rearrange.evaluation.metrics.transcription import note_scores
from rearrange.models import basic_pitch
from rearrange.models.mel import SAMPLE_RATE
from rearrange.models.notes import LINES, NotesConfig, NotesNetwork, build, save
from rearrange.score import NoteEvent
from rearrange.stages.separate import SeparateSettings, separate
from rearrange.training import loop
from rearrange.training.audio import Studio, make_take
from rearrange.training.bank import SHARE_SEEDS, whole_studio
from rearrange.training.loop import fitted
from rearrange.training.note_takes import (
    Crop,
    NoteTake,
    drawn_crop,
    leading_notes,
    leaking,
    mono,
    note_take,
    read_take,
    write_take,
)
from rearrange.training.start import start

if TYPE_CHECKING:
    import torch

__all__ = ["Recipe", "main", "prepared", "scores_of", "train", "tuned"]

_THRESHOLDS = np.arange(0.15, 0.65, 0.05)
_QUIET_KIND, _QUIET_STEP = (
    "groove",
    10,
)  # of takes of drums alone, one in ten: there is nothing to hear


@dataclass(frozen=True)
class Recipe(loop.Recipe):
    """How the network is trained; `decay` is the moving average's, `onset_weight` of frames with an onset."""

    steps: int = 3000
    batch: int = 4
    crop_frames: int = 256
    rate: float = 2.5e-3
    warm_up: int = 50
    decay: float = 0.995
    onset_weight: float = 2.0


def train(
    takes: Sequence[NoteTake], config: NotesConfig, recipe: Recipe, *, folder: Path, device: str = "cpu"
) -> NotesNetwork:
    """Train until `recipe.steps`, from where `folder`'s checkpoint stands; return the moving average.

    Raises
    ------
    ValueError : no takes.
    """
    import torch

    if not takes:
        raise ValueError("there are no takes to train on")

    def built() -> torch.nn.Module:
        module: torch.nn.Module = build(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module

    module = fitted(
        built,
        lambda module, step: _loss(module, takes, recipe, step=step, device=device),
        recipe,
        folder=folder,
        device=device,
        longest_gradient=1.0,
    )
    return NotesNetwork(config, module)


def _loss(
    module: "torch.nn.Module", takes: Sequence[NoteTake], recipe: Recipe, *, step: int, device: str
) -> "torch.Tensor":
    import torch
    from torch.nn import functional

    rng = np.random.default_rng([recipe.seed, step])
    crops: list[Crop] = [
        drawn_crop(takes[int(rng.integers(len(takes)))], rng, n_frames=recipe.crop_frames)
        for _ in range(recipe.batch)
    ]

    def stacked(arrays: Sequence[Any]) -> "torch.Tensor":
        return torch.from_numpy(np.stack(arrays)).to(device)

    seen = stacked([crop.seen for crop in crops]).to(memory_format=torch.channels_last)
    # Half the time in bfloat16 where the processor multiplies matrices of it.
    with torch.autocast(device, torch.bfloat16):
        heard = module(seen)  # (batch, lines, outputs, time, pitches)
    heard = heard.float()
    onset, sustain = (stacked([getattr(crop, name) for crop in crops]) for name in ("onset", "sustain"))
    starts = functional.binary_cross_entropy_with_logits(
        heard[:, :, 0], onset, weight=1.0 + recipe.onset_weight * onset, reduction="sum"
    )
    sounds = functional.binary_cross_entropy_with_logits(heard[:, :, 1], sustain, reduction="sum")
    # A note sounds for ten times as many frames as it starts in.
    return (starts + 0.3 * sounds) / (recipe.batch * recipe.crop_frames * len(LINES))


def prepared(
    studio: Studio, folder: Path, *, seed: int, count: int, separators: Sequence[str]
) -> Iterator[NoteTake]:
    """Takes 0 to `count` of a seed, heard where `folder` does not have them yet.

    Parameters
    ----------
    separators : that take turns; "" is stems that leak into each other

    Raises
    ------
    As `make_take` and `separate`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network = basic_pitch.load()
    for index in range(count):
        separator = separators[index % len(separators)]
        path = folder / f"{seed}-{index:05d}-{Path(separator).name or 'leaking'}.npz"
        kept = read_take(path) if path.is_file() else None
        if kept is None or not studio.songs.names.issuperset(kept.songs):
            kept = _heard(studio, network, separator, seed=seed, index=index)
            write_take(path, kept)
        if kept.kind != _QUIET_KIND or index % _QUIET_STEP == 0:
            yield kept


def _heard(studio: Studio, network: basic_pitch.BasicPitch, separator: str, *, seed: int, index: int) -> NoteTake:
    take = make_take(studio, seed=seed, index=index)
    if separator:
        parts = separate(Audio(take.mix, SAMPLE_RATE), SeparateSettings(separator=separator))
        stems = {name: mono(part.samples, SAMPLE_RATE) for name, part in parts.items()}
    else:
        dry = {name: mono(samples, SAMPLE_RATE) for name, samples in take.stems.items()}
        stems = leaking(dry, np.random.default_rng([seed, index, 1]))
    return note_take(network, take, leading_notes(take.scene, studio.songs), stems)


def scores_of(network: NotesNetwork, takes: Sequence[NoteTake]) -> dict[str, float]:
    """Mean onset F1 of each line over the takes that have it, at the network's thresholds."""
    found: dict[str, list[float]] = {}
    for take in takes:
        for name, activations in network.read(take.features).items():
            if truth := _played(take, name):
                heard = _picked(network.config, name, activations)
                found.setdefault(name, []).append(note_scores(truth, heard).onset_f1)
    return {name: float(np.mean(found[name])) for name in LINES if name in found}


def tuned(network: NotesNetwork, takes: Sequence[NoteTake]) -> NotesNetwork:
    """The network with the onset threshold for each line that has the best mean F1; without the line, its own."""
    heard = [(take, network.read(take.features)) for take in takes]
    best = list(network.config.onset_thresholds)
    for i, name in enumerate(LINES):
        scores = []
        for threshold in _THRESHOLDS.tolist():
            config = replace(network.config, onset_thresholds=(threshold,) * len(LINES))
            scores.append(
                [
                    note_scores(truth, _picked(config, name, activations[name])).onset_f1
                    for take, activations in heard
                    if (truth := _played(take, name))
                ]
            )
        if scores[0]:
            best[i] = round(float(_THRESHOLDS[np.mean(scores, axis=1).argmax()]), 3)
    return NotesNetwork(replace(network.config, onset_thresholds=tuple(best)), network.module)


def _played(take: NoteTake, line: str) -> list[NoteEvent]:
    rows = take.notes[take.notes[:, 0] == LINES.index(line), 1:].tolist()
    return [NoteEvent(onset_s, end_s - onset_s, int(pitch), 80) for onset_s, end_s, pitch in rows]


def _picked(config: NotesConfig, line: str, activations: Activations) -> list[NoteEvent]:
    notes: Sequence[HeardNote] = picked_notes(activations, config.limits(line))
    if line != "other":
        notes = one_at_a_time(notes)
    return [NoteEvent(note.onset_s, note.end_s - note.onset_s, note.pitch, 80) for note in notes]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare takes, train, set thresholds, say how good it is, and write the model.

    Raises
    ------
    UsageError : an archive is missing, or there is no such separator.
    SoundfontError : no font of a use is here.
    DependencyError : Basic Pitch is not installed.
    """
    parser = argparse.ArgumentParser(description="Train the note network.")
    parser.add_argument("--data", type=Path, required=True, help="holds symbolic/ and samples/")
    parser.add_argument("--sets", type=Path, default=Path("out/sets"), help="where the sets are unpacked")
    parser.add_argument("--voices", type=Path, default=Path("out/voices.npz"), help="what singers are made of")
    parser.add_argument("--bank", type=Path, default=Path("out/notes/takes"), help="keeps what was heard")
    parser.add_argument("--out", type=Path, default=Path("out/notes"), help="checkpoint and model")
    parser.add_argument("--takes", type=int, default=400)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--held-out", type=int, default=24, help="takes to tune on, and as many to measure")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--jobs", type=int, default=1, help="threads that hear")
    parser.add_argument(
        "--separators", default="spectral,separator-small", help="that take turns with stems that leak, by commas"
    )
    options = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(options.jobs)
    ways = ("", *options.separators.split(","))

    def made(share: str, seed: int, count: int, separators: Sequence[str]) -> list[NoteTake]:
        studio = whole_studio(share, options.data, options.sets, options.voices)
        return list(prepared(studio, options.bank, seed=seed, count=count, separators=separators))

    held_out = {
        share: made(share, SHARE_SEEDS[share][2], options.held_out, ways[-1:]) for share in ("tuning", "unseen")
    }
    takes = made("train", options.seed, options.takes, ways)
    recipe = Recipe(steps=options.steps, batch=options.batch, seed=options.seed)
    network = train(takes, NotesConfig(), recipe, folder=options.out, device=options.device)
    network = tuned(network, held_out["tuning"])
    for share, each in held_out.items():
        print(f"{share:8}" + "".join(f" {name} {value:.3f}" for name, value in scores_of(network, each).items()))
    save(options.out / "model", network.config, network.module.state_dict())
    print(f"written to {options.out / 'model'}")
    return 0


if __name__ == "__main__":
    sys.exit(start(main))
