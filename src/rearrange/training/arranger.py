"""Trains the arranger's transformer on arrangements that `training/arrangements.py` has prepared.

    python -m rearrange.training.arranger --pack FOLDER [--out FOLDER] [--depth N] [--steps N] [--device cpu|cuda]

A step's sequences are drawn from its number alone; headers and charts are given, so that only what the model
writes itself counts. At the end it prints the loss on songs of the validation share, by type of word, in nats,
beside that of a table of how often each word follows the word before it, counted on as many training sequences.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rearrange.arranger.tokens import is_predicted
from rearrange.arranger.vocabulary import TYPE_OF, TYPES, VOCABULARY, vocabulary_digest
from rearrange.errors import UsageError
from rearrange.genre import genre_names
from rearrange.models.arranger import ArrangerConfig, build, save
from rearrange.training.arrangement_pack import Pack, read_pack
from rearrange.training.arrangement_windows import Windows
from rearrange.training.loop import Course, Schedule, trained_average
from rearrange.training.start import start

if TYPE_CHECKING:
    import torch

__all__ = ["Batch", "Recipe", "batch_of", "losses_by_type", "main", "train"]

_TRAINED, _VALIDATED, _COUNTED = 0, 1, 2  # what a generator is for
_FEW = 0.05  # added to every count of a follower


@dataclass(frozen=True)
class Recipe(Schedule):
    """How the arranger is trained.

    Parameters
    ----------
    batch, context : sequences of a step, and most words of each
    weight_decay : of matrices; norms have none
    checked : sequences of the validation share
    """

    depth: int = 8
    steps: int = 5000
    context: int = 1024
    warm_up: int = 100
    decay: float = 0.997
    weight_decay: float = 0.05
    checked: int = 96


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences of one step: words (rows, n) int64, padded, and which of them the model is to write (rows, n)."""

    ids: NDArray[np.int64]
    is_written: NDArray[np.bool_]


def batch_of(sequences: Sequence[NDArray[np.uint16]]) -> Batch:
    """Sequences side by side."""
    longest = max(map(len, sequences))
    ids = np.zeros((len(sequences), longest), dtype=np.int64)
    is_written = np.zeros(ids.shape, dtype=np.bool_)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        is_written[row, : len(sequence)] = is_predicted(sequence)
    return Batch(ids, is_written)


def _word_losses(module: "torch.nn.Module", batch: Batch, device: str) -> "tuple[torch.Tensor, torch.Tensor]":
    """Loss in nats of each word that is to be written, and the words."""
    import torch

    ids = torch.from_numpy(batch.ids).to(device)
    written = torch.from_numpy(batch.is_written[:, 1:]).to(device)
    with torch.autocast(device, torch.bfloat16):
        hidden = module.hidden(ids[:, :-1])[written]  # type: ignore[operator]
        logits = module.logits(hidden)  # type: ignore[operator]
    words = ids[:, 1:][written]
    return torch.nn.functional.cross_entropy(logits.float(), words, reduction="none"), words


def train(windows: Windows, recipe: Recipe, folder: Path, device: str = "cpu") -> "torch.nn.Module":
    """The network after `recipe`, its moving average; written to `folder/model`, and taken up where it stood.

    Parameters
    ----------
    windows : of the training share
    """
    import torch

    torch.manual_seed(recipe.seed)
    config = ArrangerConfig(
        n_words=len(VOCABULARY), depth=recipe.depth, genres=tuple(genre_names()), vocabulary=vocabulary_digest()
    )
    module = build(config).to(device)
    shaped = [weight for weight in module.parameters() if weight.dim() > 1]
    others = [weight for weight in module.parameters() if weight.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": shaped, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.rate,
        betas=(0.9, 0.95),
    )

    def loss_of(step: int) -> torch.Tensor:
        rng = np.random.default_rng([recipe.seed, _TRAINED, step])
        batch = batch_of([windows.draw(rng) for _ in range(recipe.batch)])
        return _word_losses(module, batch, device)[0].mean()

    course = Course(recipe.steps, recipe.rate_of, recipe.decay, longest_gradient=1.0)
    average = trained_average(module, [optimizer], loss_of, course, folder=folder, device=device)
    save(folder / "model", config, average)
    trained = build(config)
    trained.load_state_dict(average)
    return trained.to(device).eval()


def losses_by_type(
    module: "torch.nn.Module", trained_on: Windows, checked: Windows, recipe: Recipe, device: str = "cpu"
) -> dict[str, tuple[int, float, float]]:
    """Of each type of word: how many, loss of the network, loss of the table of followers; `all` first."""
    import torch

    followers = np.full((len(VOCABULARY), len(VOCABULARY)), _FEW)
    for i in range(recipe.checked):
        shown = trained_on.draw(np.random.default_rng([recipe.seed, _COUNTED, i])).astype(np.int64)
        own = is_predicted(shown)[1:]
        np.add.at(followers, (shown[:-1][own], shown[1:][own]), 1.0)
    odds = np.log(followers / followers.sum(axis=1, keepdims=True))
    rows = []
    for i in range(recipe.checked):
        batch = batch_of([checked.draw(np.random.default_rng([recipe.seed, _VALIDATED, i]))])
        with torch.inference_mode():
            loss, word = (each.cpu().numpy() for each in _word_losses(module, batch, device))
        before = batch.ids[0, :-1][batch.is_written[0, 1:]]
        rows.append(np.stack([TYPE_OF[word], loss, -odds[before, word]]))
    kinds, *losses = np.concatenate(rows, axis=1)
    found = {}
    for kind in (None, *range(len(TYPES))):
        among = np.ones(len(kinds), dtype=np.bool_) if kind is None else kinds == kind
        if among.any():
            ours, table = (float(loss[among].mean()) for loss in losses)
            found["all" if kind is None else TYPES[kind]] = (int(among.sum()), ours, table)
    return found


def _pack(folder: Path, share: str) -> Pack:
    pack = read_pack(folder / f"{share}.npz")
    if pack is None:
        raise UsageError(
            f"{folder}: there is no {share}.npz of prepared arrangements",
            "make it with python -m rearrange.training.arrangements",
        )
    return pack


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--pack", type=Path, required=True, help="the folder of training.npz and validation.npz")
    parser.add_argument("--out", type=Path, default=Path("out/arranger"))
    parser.add_argument("--depth", type=int, default=Recipe.depth)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--context", type=int, default=Recipe.context, help="most words of a sequence")
    parser.add_argument("--rate", type=float, default=Recipe.rate)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    asked = parser.parse_args(arguments)
    recipe = replace(
        Recipe(),
        **{name: getattr(asked, name) for name in ("depth", "steps", "batch", "context", "rate", "seed")},
    )
    windows, checked = (Windows(_pack(asked.pack, share), recipe.context) for share in ("training", "validation"))
    trained = train(windows, recipe, asked.out, asked.device)
    print(f"\n{'words':<12}{'n':>9}{'network':>9}{'table':>9}")
    for name, (n, own, table) in losses_by_type(trained, windows, checked, recipe, asked.device).items():
        print(f"{name:<12}{n:>9}{own:>9.3f}{table:>9.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(start(main))
