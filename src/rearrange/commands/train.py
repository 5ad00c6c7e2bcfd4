"""`train`: our own networks, from the music and samples they are made of."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from rearrange.errors import UsageError

__all__ = ["COMMANDS"]

# Each is trained by `main` of the module of its name in `training/`.
_MODELS: Mapping[str, str] = {
    "separator": "Drums, bass, voice and the rest, out of a mix.",
    "drums": "Ten drums: when each is struck, and how hard.",
    "beats": "Beats and downbeats.",
    "harmony": "Chords and keys.",
    "notes": "Which of the notes heard in a stem are played.",
    "arranger": "What the parts of a genre play over a song's chords.",
}


def _trainable() -> Mapping[str, str]:
    return {name: text for name, text in _MODELS.items() if find_spec(f"rearrange.training.{name}") is not None}


@click.command()
@click.argument("model", required=False)
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", envvar="REARRANGE_SHARED",
    help="The folder that holds symbolic/ (sets as .tar.xz), samples/ and audio/.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Checkpoint and model. [out/MODEL]")
@click.option("--sets", type=click.Path(path_type=Path), metavar="DIR", help="Where sets are unpacked. [out/sets]")
@click.option("--bank", type=click.Path(path_type=Path), metavar="DIR", help="Keeps takes. [out/MODEL/takes]")
@click.option("--steps", type=click.IntRange(1), metavar="N", help="Steps of training. [the recipe's]")
@click.option("--takes", type=click.IntRange(1), metavar="N", help="Takes to train on. [the recipe's]")
@click.option("--held-out", type=click.IntRange(1), metavar="N", help="Takes to tune on, and as many to measure.")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Another seed, other takes and weights. [0]")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="Where it is trained. [cpu]")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes that make takes. [1]")
def train(model: str | None, more: tuple[str, ...], **chosen: object) -> None:
    """Train one of our networks; without MODEL, list them.

    Takes of training audio are made from the data by the sound fonts of this machine, and kept. A run that was
    stopped goes on when it is started again. The recipes that made the models shipped are in runs/; options that
    only one model has follow after --.

    \b
    Examples:
      rearrange train
      rearrange train drums --data ../shared/data --takes 360 --steps 8000 --jobs 2
    """
    known = _trainable()
    if model is None:
        for name, text in known.items():
            click.echo(f"{name:<12}{text}")
        return
    if model not in known:
        raise UsageError(f"there is no model {model!r} to train", f"one of {', '.join(known)}")
    if chosen["data"] is None:
        raise UsageError("--data is missing", "the folder that holds symbolic/, samples/ and audio/")
    given = [
        argument
        for name, value in chosen.items()
        if value is not None
        for argument in (f"--{name.replace('_', '-')}", str(value))
    ]
    code = import_module(f"rearrange.training.{model}").main([*given, *more])
    if code:
        raise click.exceptions.Exit(code)


COMMANDS = (train,)
