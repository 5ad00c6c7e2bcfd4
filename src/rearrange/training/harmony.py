"""Train `models/harmony`: `python -m rearrange.training.harmony --data FOLDER`.

Songs, takes and charts are made into examples, which are kept in `--bank`; `harmony_fits` says what is fitted
to them. That takes two minutes of one core, and a run that is stopped starts it again. Figures are those of
songs and takes that nothing was fitted on: validation songs, and for `unseen` a font that is never trained on.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.progressions import NO_CHORD, QUALITIES
from rearrange.errors import RearrangeError
from rearrange.evaluation.corpora import training_songs, unpacked
from rearrange.evaluation.metrics.key import key_agreement
from rearrange.models.harmony import HarmonyConfig, HarmonyModel, save
from rearrange.score import Key
from rearrange.training.audio import Studio
from rearrange.training.bank import SHARE_SEEDS, studio_of
from rearrange.training.charts import read_billboard, read_openewld
from rearrange.training.harmony_fits import Recipe, fit
from rearrange.training.harmony_takes import (
    Example,
    noise_example,
    read_example,
    song_example,
    states_of,
    take_example,
    views,
    write_example,
)

__all__ = ["figures", "main", "songs_as_examples", "takes_as_examples"]

Floats = NDArray[np.float64]

_NOISES = 24


def figures(model: HarmonyModel, examples: Sequence[Example]) -> list[str]:
    """A table by kind and view: shares of beats with the right triad, seventh and bass; keys, weighted."""
    counted: dict[str, Floats] = defaultdict(lambda: np.zeros(8))
    for example in examples:
        for name, spans in views(example):
            n_beats = len(example.states)
            heard = model.hear(spans, np.arange(n_beats + 1.0))
            states, bass = states_of(heard.chords, n_beats)
            row = counted[f"{example.kind}, {name}"]
            row[:6] += _agreement(example, states, bass)
            if example.key is not None:
                row[6:] += key_agreement(example.key, Key(heard.key.tonic, heard.key.mode)), 1.0
    head = f"{'':28} {'majmin':>7} {'sevenths':>8} {'bass':>6} {'key':>6} {'keys':>5}"
    lines = [
        f"{name:28} {_share(row[0], row[1])} {_share(row[2], row[3]):>8} {_share(row[4], row[5]):>6}"
        f" {_share(row[6], row[7]):>6} {row[7]:5.0f}"
        for name, row in sorted(counted.items())
    ]
    return [head, *lines]


def _agreement(example: Example, states: NDArray[np.int64], bass: NDArray[np.int64]) -> Floats:
    """Beats that agree and beats that count: triads, sevenths, and bass where the root is right."""
    triads = {"maj": 0, "7": 0, "maj7": 0, "min": 1, "min7": 1}
    of_quality = np.array([triads.get(quality, -1) for quality in QUALITIES])
    root, other = example.states // len(QUALITIES), states // len(QUALITIES)
    nothing, silent = example.states == NO_CHORD, states == NO_CHORD
    triad = np.where(nothing, 2, of_quality[example.states % len(QUALITIES)])
    triad_heard = np.where(silent, 2, of_quality[states % len(QUALITIES)])
    counts = (example.states >= 0) & (triad >= 0)
    right_root = (root == other) & (example.states >= 0)
    with_bass = right_root & ~nothing & (example.bass >= 0)
    return np.array(
        [
            np.count_nonzero(counts & right_root & (triad == triad_heard)),
            np.count_nonzero(counts),
            np.count_nonzero(counts & (example.states == states)),
            np.count_nonzero(counts),
            np.count_nonzero(with_bass & (example.bass == bass)),
            np.count_nonzero(with_bass),
        ],
        dtype=np.float64,
    )


def _share(right: float, of: float) -> str:
    return f"{right / of:7.3f}" if of else "      -"


def songs_as_examples(data: Path, sets: Path, folder: Path, names: frozenset[str], *, seed: int) -> list[Example]:
    """POP909's songs among `names`, kept in `folder`.

    Raises
    ------
    UsageError : the archive is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for song in training_songs("pop909", unpacked(data, "pop909", sets)):
        path = folder / f"{seed}-{song.corpus}-{song.id}.npz"
        if f"{song.corpus}/{song.id}" not in names:
            continue
        if not path.is_file():
            try:
                write_example(path, song_example(song, seed))
            except RearrangeError as exc:
                print(f"left out: {exc}", flush=True)
                continue
        found.append(read_example(path))
    return found


def takes_as_examples(studio: Studio, folder: Path, *, seed: int, count: int, jobs: int) -> list[Example]:
    """Takes 0 to `count` of a seed whose chords are known, kept in `folder`; made by `jobs` processes if missing.

    Raises
    ------
    As `make_take`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {index: folder / f"{seed}-{index:05d}.npz" for index in range(count)}
    missing = [index for index, path in paths.items() if not _is_good(path, studio)]
    if jobs > 1 and len(missing) > 1:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            for made in [pool.submit(_make, studio, paths[index], seed, index) for index in missing]:
                made.result()
    else:
        for index in missing:
            _make(studio, paths[index], seed, index)
    return [read_example(path) for path in paths.values() if not _unknown(path).is_file()]


def _unknown(path: Path) -> Path:
    """Marks a take whose chords nobody knows."""
    return path.with_suffix(".unknown")


def _is_good(path: Path, studio: Studio) -> bool:
    """Whether a take is there, and of songs that may still be used: a song can be held out later."""
    if _unknown(path).is_file():
        return True
    return path.is_file() and studio.songs.names.issuperset(read_example(path).songs)


def _make(studio: Studio, path: Path, seed: int, index: int) -> None:
    example = take_example(studio, seed=seed, index=index, transcribed=True)
    if example is None:
        _unknown(path).touch()
    else:
        write_example(path, example)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the recipe; returns the exit status.

    Raises
    ------
    RearrangeError : an archive or every font is missing, or a take cannot be made.
    """
    parser = argparse.ArgumentParser(prog="rearrange.training.harmony", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds symbolic/ and samples/")
    parser.add_argument("--sets", type=Path, default=Path("out/sets"), help="where the sets are unpacked")
    parser.add_argument("--bank", type=Path, default=Path("out/harmony/takes"), help="keeps the examples")
    parser.add_argument("--out", type=Path, default=Path("out/harmony"), help="model/ is written there")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--takes", type=int, default=600)
    parser.add_argument("--held-out", type=int, default=24, help="takes to tune on, and as many to measure")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--jobs", type=int, default=1, help="processes that make takes")
    parser.add_argument("--width", type=int, default=HarmonyConfig.width)
    options = parser.parse_args(arguments)
    symbolic = options.data / "symbolic"
    counts = {"train": options.takes, "tuning": options.held_out, "unseen": options.held_out}
    shares: dict[str, list[Example]] = {}
    for share, count in counts.items():
        studio = studio_of(share, symbolic, options.sets, options.data / "samples" / "drum_hits")
        seed = options.seed if share == "train" else SHARE_SEEDS[share][2]
        shares[share] = takes_as_examples(studio, options.bank, seed=seed, count=count, jobs=options.jobs)
        if share != "unseen":
            shares[share] += songs_as_examples(
                symbolic, options.sets, options.bank, studio.songs.names, seed=options.seed
            )
        print(f"{share}: {len(shares[share])} songs and takes", flush=True)
    rng = np.random.default_rng([options.seed, 3])
    shares["train"] += [noise_example(rng) for _ in range(_NOISES)]
    charts = [
        chart
        for corpus, read in (("billboard", read_billboard), ("openewld", read_openewld))
        for song in training_songs(corpus, unpacked(symbolic, corpus, options.sets))
        if (chart := read(song.path)) is not None
    ]
    print(f"{len(charts)} charts", flush=True)
    recipe = Recipe(steps=options.steps, seed=options.seed)
    model = fit(shares["train"], charts, HarmonyConfig(width=options.width), recipe, options.device)
    for share in ("tuning", "unseen"):
        print(f"{share}\n" + "\n".join(figures(model, shares[share])), flush=True)
    save(options.out / "model", model)
    print(f"written to {options.out / 'model'}", flush=True)
    return 0


if __name__ == "__main__":
    from rearrange.training.start import start

    sys.exit(start(main))
