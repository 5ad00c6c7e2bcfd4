"""Trains the arranger's transformer on arrangements that `training/arrangements.py` prepares.

    rearrange train arranger --data FOLDER [--jobs N] [--steps N] [-- --prepare | --depth N ...]

On a GPU sequences are padded to one length and the network is compiled; where it is slower than it should be, the
share of the device's own speed that a run prints says so.

A step's sequences are drawn from its number alone; headers and charts are given, so that only what the model
writes itself counts. At the end it prints the loss on songs of the validation share, by type of word, in nats,
beside that of a table of how often each word follows the word before it, counted on as many training sequences.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
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
from rearrange.training.arrangement_windows import DRUMMING, Windows
from rearrange.training.arrangements import ENOUGH_CLIPS, SHARES, prepare
from rearrange.training.loop import Course, Schedule, trained_average
from rearrange.training.start import start

if TYPE_CHECKING:
    import torch

__all__ = ["Batch", "Recipe", "batch_of", "losses_by_type", "main", "train"]

_TRAINED, _VALIDATED, _COUNTED = 0, 1, 2  # what a generator is for
# How often kinds of arrangements are drawn. Human drumming, which nobody else teaches, is 1.4 % of the pack: so it
# is an eighth of what is drawn, and under arrangements a sixth.
_WEIGHTS = (("drumming", 10.0), ("drummer", 2.0), ("piano", 0.6), ("random", 0.8))
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


def batch_of(sequences: Sequence[NDArray[np.uint16]], *, length: int = 0) -> Batch:
    """Sequences side by side, padded to the longest, or to `length`."""
    longest = max(length, *map(len, sequences))
    ids = np.zeros((len(sequences), longest), dtype=np.int64)
    is_written = np.zeros(ids.shape, dtype=np.bool_)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        is_written[row, : len(sequence)] = is_predicted(sequence)
    return Batch(ids, is_written)


_Hidden = Callable[["torch.Tensor"], "torch.Tensor"]


def _word_losses(
    module: "torch.nn.Module", batch: Batch, device: str, hidden_of: _Hidden | None = None
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Loss in nats of each word that is to be written, and the words.

    Parameters
    ----------
    hidden_of : the network's `hidden`, compiled, if it is
    """
    import torch

    ids = torch.from_numpy(batch.ids).to(device)
    written = torch.from_numpy(batch.is_written[:, 1:]).to(device)
    with torch.autocast(device, torch.bfloat16):
        hidden = (hidden_of or module.hidden)(ids[:, :-1])[written]  # type: ignore[operator]
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
        n_words=len(VOCABULARY),
        depth=recipe.depth,
        genres=tuple(genre_names()),
        drummed=_drummed(windows.pack),
        vocabulary=vocabulary_digest(),
    )
    module = build(config).to(device)
    optimizers = _optimizers(module, recipe)

    is_compiled = device == "cuda"
    plain: _Hidden = module.hidden  # type: ignore[assignment]
    hidden_of = torch.compile(plain) if is_compiled else plain

    def drawn(step: int) -> Batch:
        rng = np.random.default_rng([recipe.seed, _TRAINED, step])
        length = recipe.context if is_compiled else 0
        return batch_of([windows.draw(rng) for _ in range(recipe.batch)], length=length)

    begun_s: list[float] = []

    def loss_of(step: int) -> torch.Tensor:
        begun_s.append(time.perf_counter())
        return _word_losses(module, drawn(step), device, hidden_of)[0].mean()

    course = Course(recipe.steps, recipe.rate_of, recipe.decay, longest_gradient=1.0)
    average = trained_average(module, optimizers, loss_of, course, folder=folder, device=device)
    save(folder / "model", config, average)
    if len(begun_s) > 2:
        step_s = float(np.median(np.diff(begun_s)))
        words, share = recipe.batch * recipe.context, _share_of_speed(config, recipe, step_s, device)
        print(f"{words / step_s:.0f} words a second, {share:.0%} of the speed at which the device multiplies")
    trained = build(config)
    trained.load_state_dict(average)
    return trained.to(device).eval()


def _drummed(pack: Pack) -> tuple[str, ...]:
    """The genres of which there are clips enough: two or three drummers are no genre."""
    genres, counts = np.unique(pack.genres[pack.kinds == DRUMMING], return_counts=True)
    return tuple(str(genre) for genre, n in zip(genres, counts, strict=True) if genre and n >= ENOUGH_CLIPS)


def _optimizers(module: "torch.nn.Module", recipe: Recipe) -> "list[torch.optim.Optimizer]":
    """Muon for the layers' matrices, AdamW for words and norms, at one rate: Muon's steps are made as long as
    AdamW's (J. Liu et al., "Muon is scalable for LLM training", 2025)."""
    import torch

    layers = [
        weight for name, weight in module.named_parameters() if weight.dim() > 1 and name.startswith("layers.")
    ]
    chosen = set(layers)
    others = [weight for weight in module.parameters() if weight not in chosen]
    return [
        torch.optim.Muon(layers, lr=recipe.rate, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=recipe.rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


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


def _share_of_speed(config: ArrangerConfig, recipe: Recipe, step_s: float, device: str) -> float:
    """Arithmetic of a training step against what the device does in that time multiplying large matrices."""
    import torch

    n, width, words = 8192 if device == "cuda" else 2048, config.width, recipe.batch * recipe.context
    weights = config.depth * (width * (2 * width + 2 * 64) + 3 * width * config.hidden) + config.n_words * width
    attention = 2 * config.depth * width * recipe.context  # multiplications of a word: causal, queries and values
    factors = torch.rand(2, n, n, device=device, dtype=torch.bfloat16)
    took_s = float("inf")
    for _ in range(5):
        started_s = time.perf_counter()
        float((factors[0] @ factors[1])[0, 0])  # waits for the device
        took_s = min(took_s, time.perf_counter() - started_s)
    return 6 * words * (weights + attention / 2) / step_s / (2 * n**3 / took_s)


def _pack(folder: Path, share: str) -> Pack:
    pack = read_pack(folder / f"{share}.npz")
    if pack is None:
        raise UsageError(
            f"{folder}: there is no {share}.npz of prepared arrangements", "--data makes them of the sets"
        )
    return pack


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare arrangements, train, say how good the network is, and write it.

    Raises
    ------
    UsageError : an archive or the arrangements are missing, or the device.
    """
    parser = argparse.ArgumentParser(description="Train the arranger's transformer.")
    parser.add_argument("--data", type=Path, help="holds symbolic/; not needed where arrangements are prepared")
    parser.add_argument("--sets", type=Path, default=Path("out/sets"), help="where the sets are unpacked")
    parser.add_argument("--bank", type=Path, default=Path("out/arranger/arrangements"), help="keeps arrangements")
    parser.add_argument("--out", type=Path, default=Path("out/arranger"), help="checkpoint and model")
    parser.add_argument("--depth", type=int, default=Recipe.depth, help="layers; the width is 32 times as much")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--context", type=int, default=Recipe.context, help="most words of a sequence")
    parser.add_argument("--rate", type=float, default=Recipe.rate)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--jobs", type=int, default=1, help="processes that prepare")
    parser.add_argument("--limit", type=int, help="prepare only so many songs of each set, for a trial")
    parser.add_argument("--prepare", action="store_true", help="prepare the arrangements, and stop")
    options = parser.parse_args(arguments)
    _check_device(options.device)
    if options.data is not None:
        for share, pack in prepare(
            options.data / "symbolic",
            options.sets,
            options.bank,
            seed=options.seed,
            jobs=options.jobs,
            limit=options.limit,
        ).items():
            print(
                f"{share}: {len(pack)} arrangements, {len(pack.bar_ends)} bars, {len(pack.ids)} words", flush=True
            )
    windows, checked = (Windows(_pack(options.bank, share), options.context, _WEIGHTS) for share in SHARES)
    if options.prepare:
        return 0
    recipe = replace(
        Recipe(),
        **{name: getattr(options, name) for name in ("depth", "steps", "batch", "context", "rate", "seed")},
    )
    trained = train(windows, recipe, options.out, options.device)
    print(f"\n{'words':<12}{'n':>9}{'network':>9}{'table':>9}")
    for name, (n, own, table) in losses_by_type(trained, windows, checked, recipe, options.device).items():
        print(f"{name:<12}{n:>9}{own:>9.3f}{table:>9.3f}")
    print(f"written to {options.out / 'model'}")
    return 0


def _check_device(device: str) -> None:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "this computer has no cuda device", "--device cpu trains the small one in under three hours"
        )


if __name__ == "__main__":
    sys.exit(start(main))
