"""Train `models/harmony`: `python -m rearrange.training.harmony --data FOLDER`.

Three things are fitted, one after the other, each from the seed alone: the network of chords, by gradient steps on
beats of songs and takes (`harmony_takes`); how chords follow each other in major and minor, by counting in POP909,
Billboard and OpenEWLD (`charts`); and the linear model of the key, by likelihood, on what the network makes of
songs, of takes and of cuttings from either, and on charts, of which only tonic or signature are known.

Examples are made once and kept in `--bank`; fitting takes two minutes of one core, and a run that is stopped
starts it again. Figures are those of songs and takes that nothing was fitted on: validation songs, and for
`unseen` a font that is never trained on.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.chroma import BeatChroma
from rearrange.analysis.progressions import DOWNBEAT, ELSEWHERE, MIDDLE, NO_CHORD, QUALITIES, bar_places
from rearrange.errors import RearrangeError
from rearrange.evaluation.corpora import training_songs, unpacked
from rearrange.evaluation.metrics.key import key_agreement
from rearrange.models.harmony import (
    N_STATES,
    HarmonyConfig,
    HarmonyModel,
    chord_input,
    key_input,
    save,
    turned,
)
from rearrange.score import CHORD_INTERVALS, Key
from rearrange.training.audio import Studio
from rearrange.training.bank import SHARE_SEEDS, studio_of
from rearrange.training.charts import Chart, read_billboard, read_openewld
from rearrange.training.harmony_takes import (
    Example,
    noise_example,
    paired,
    read_example,
    song_example,
    states_of,
    take_example,
    views,
    write_example,
)

__all__ = ["Recipe", "count_progressions", "figures", "fit", "fit_key", "fit_network", "main"]

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

_NOISES = 24
_MIDI_SHARE = 0.35  # of the beats of songs: they are many, and alike
_PAIRED_SHARE = 0.15
_GROOVE_WEIGHT = 0.4  # drums alone are easily told
_BASS_WEIGHT = 0.4
_CHART_WEIGHT = 0.25  # of a chart's evidence for keys, against that of a song with known notes
_CHART_SURE = 0.9  # how likely a written chord is, as if it had been heard
_EXCERPT_BEATS = (32, 160)
_TONE_LEVELS = (1.0, 0.85, 0.75, 0.6)  # of a chord's tones, root first, in the chroma of a chart


@dataclass(frozen=True)
class Recipe:
    """How the model is fitted.

    Parameters
    ----------
    steps, batch, rate : of the network
    l2 : on the weights of the key
    smoothing : how often a chord is taken to have been followed as any of its root is, and that one as any is
    """

    steps: int = 6000
    batch: int = 256
    rate: float = 2e-3
    l2: float = 0.008
    smoothing: tuple[float, float] = (10.0, 20.0)
    seed: int = 0


def fit(
    examples: Sequence[Example],
    charts: Sequence[Chart],
    config: HarmonyConfig,
    recipe: Recipe,
    device: str = "cpu",
) -> HarmonyModel:
    """The whole model.

    Raises
    ------
    ValueError : no examples.
    """
    weights = fit_network(examples, config, recipe, device)
    weights |= count_progressions(examples, charts, recipe)
    n_features = key_input(np.zeros((4, N_STATES)), BeatChroma(*np.zeros((2, 4, 12))), np.ones(4, bool)).shape[1]
    blank = {"key": np.zeros((n_features, 2), np.float32), "key.bias": np.zeros(2, np.float32)}
    weights |= fit_key(HarmonyModel(config, weights | blank), examples, charts, recipe)
    return HarmonyModel(config, weights)


def fit_network(
    examples: Sequence[Example], config: HarmonyConfig, recipe: Recipe, device: str = "cpu"
) -> dict[str, Array]:
    """The layers, trained on every view of the examples.

    Raises
    ------
    ValueError : no examples.
    """
    import torch
    from torch import nn

    if not examples:
        raise ValueError("there are no examples to train on")
    torch.manual_seed(recipe.seed)
    rows = list(_training_rows(examples, np.random.default_rng(recipe.seed)))
    chroma, flags, states, bass, weight = (np.concatenate(each) for each in zip(*rows, strict=True))
    print(f"{len(states)} beats to learn chords from", flush=True)
    shapes = (chroma.shape[1] * 12 + flags.shape[1], config.width, config.width, len(QUALITIES) + 2)
    layers = nn.ModuleList([nn.Linear(a, b) for a, b in pairwise(shapes)]).to(device)
    optimizer = torch.optim.AdamW(layers.parameters(), recipe.rate, weight_decay=1e-3)
    rng = np.random.default_rng([recipe.seed, 1])
    running = 0.0
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            warm = min(1.0, (step + 1) / 100)
            group["lr"] = recipe.rate * warm * (0.5 + 0.5 * np.cos(np.pi * step / recipe.steps))
        drawn = rng.integers(len(states), size=recipe.batch)
        crop = _strayed(chroma[drawn].astype(np.float32), rng)
        seen = torch.from_numpy(np.concatenate([turned(crop), np.repeat(flags[drawn, None], 12, 1)], axis=2))
        x = seen.to(device)
        for layer in layers[:-1]:
            x = torch.relu(layer(x))
        out = layers[-1](x)
        nothing = torch.logsumexp(out[:, :, -2], 1, keepdim=True)
        scores = torch.cat([out[:, :, :-2].flatten(1), nothing], 1)
        wanted = torch.from_numpy(states[drawn]).to(device)
        loss = nn.functional.cross_entropy(scores, wanted, reduction="none")
        loss = (loss * torch.from_numpy(weight[drawn]).to(device)).mean()
        if (bass[drawn] >= 0).any():
            low = nn.functional.cross_entropy(
                out[:, :, -1], torch.from_numpy(bass[drawn]).to(device), ignore_index=-1
            )
            loss = loss + _BASS_WEIGHT * low
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        running = loss.item() if step == 0 else 0.99 * running + 0.01 * loss.item()
        if step % 1000 == 999:
            print(f"step {step + 1} of {recipe.steps}: loss {running:.4f}", flush=True)
    out_weights: dict[str, Array] = {}
    for i, layer in enumerate(layers, start=1):
        out_weights[f"layer{i}"] = layer.weight.detach().cpu().numpy().T.copy()
        out_weights[f"layer{i}.bias"] = layer.bias.detach().cpu().numpy().copy()
    return out_weights


def _training_rows(
    examples: Sequence[Example], rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.generic], ...]]:
    """Chroma, flags, states, bass and weights of the beats of each view whose chord is known."""
    for example in examples:
        for _, whole in views(example):
            spans, states, bass = whole, example.states, example.bass
            if rng.random() < _PAIRED_SHARE and len(states) >= 8:
                spans, states, bass = paired(spans, states, bass, int(rng.integers(2)))
            kept = states >= 0
            if example.kind == "midi":
                kept &= rng.random(len(states)) < _MIDI_SHARE
            chroma, flags = chord_input(spans)
            weight = _GROOVE_WEIGHT if example.kind == "groove" else 1.0
            yield (
                chroma[kept].astype(np.float16),
                flags[kept],
                states[kept],
                bass[kept],
                np.full(int(kept.sum()), weight, dtype=np.float32),
            )


def _strayed(chroma: Array, rng: np.random.Generator) -> Array:
    """Chroma (n, rows, 12) a little louder or softer row by row, and a little off where anything sounds."""
    level = 1.0 + 0.15 * rng.standard_normal((*chroma.shape[:2], 1), dtype=np.float32)
    off = 0.03 * rng.standard_normal(chroma.shape, dtype=np.float32)
    return np.asarray(chroma * level + off * (chroma.max(axis=2, keepdims=True) > 0), dtype=np.float32)


def count_progressions(examples: Sequence[Example], charts: Sequence[Chart], recipe: Recipe) -> dict[str, Array]:
    """How chords follow each other in major and minor on C, and how often they change at each place of a bar."""
    followed = np.zeros((2, NO_CHORD, NO_CHORD))
    changed, stayed = np.ones(3), np.ones(3)
    for example in (each for each in examples if each.kind == "midi"):
        places = bar_places(example.downbeats)[1:]
        one, other = example.states[:-1], example.states[1:]
        known = (one >= 0) & (other >= 0) & (one < NO_CHORD) & (other < NO_CHORD)
        for place in (DOWNBEAT, MIDDLE, ELSEWHERE):
            at = known & (places == place)
            changed[place] += np.count_nonzero(one[at] != other[at])
            stayed[place] += np.count_nonzero(one[at] == other[at])
        if example.key is not None:
            _count(followed, example.states, example.key.tonic, int(example.key.mode == "minor"))
    for chart in charts:
        tonic, mode = _likely_key(chart)
        _count(followed, chart.states, tonic, mode)
    by_chord, by_root = recipe.smoothing
    tables = []
    for counts in followed:
        usual = counts.sum(axis=0) + 0.5
        usual /= usual.sum()
        of_root = counts.reshape(12, len(QUALITIES), -1).sum(axis=1)
        of_root = (of_root + by_root * usual) / (of_root.sum(axis=1, keepdims=True) + by_root)
        of_root = np.repeat(of_root, len(QUALITIES), axis=0)
        table = (counts + by_chord * of_root) / (counts.sum(axis=1, keepdims=True) + by_chord)
        np.fill_diagonal(table, 0.0)
        tables.append(table / table.sum(axis=1, keepdims=True))
    return {
        "progressions": np.stack(tables).astype(np.float32),
        "changes": (changed / (changed + stayed)).astype(np.float32),
    }


def _count(followed: Floats, states: NDArray[np.int64], tonic: int, mode: int) -> None:
    """Add the changes of chord of a song, moved to C; where a chord is unknown, the thread is lost."""
    moved = np.where((states >= 0) & (states < NO_CHORD), (states - tonic * len(QUALITIES)) % NO_CHORD, -1)
    sequence = moved[np.concatenate([[True], moved[1:] != moved[:-1]])]
    one, other = sequence[:-1], sequence[1:]
    known = (one >= 0) & (other >= 0)
    np.add.at(followed[mode], (one[known], other[known]), 1.0)


def _likely_key(chart: Chart) -> tuple[int, int]:
    """The key, of those a chart allows, whose tonic triad lasts longest."""
    known = chart.states[(chart.states >= 0) & (chart.states < NO_CHORD)]
    minor = np.array([3 in CHORD_INTERVALS[quality] for quality in QUALITIES])
    lasts = np.zeros((12, 2))
    np.add.at(lasts, (known // len(QUALITIES), minor[known % len(QUALITIES)].astype(int)), 1.0)
    tonic, mode = np.unravel_index(int(np.where(chart.keys, lasts, -1.0).argmax()), lasts.shape)
    return int(tonic), int(mode)


def fit_key(
    model: HarmonyModel, examples: Sequence[Example], charts: Sequence[Chart], recipe: Recipe
) -> dict[str, Array]:
    """Weights of the key: softmax regression over the 24 keys, L2 on the weights, from zero.

    Where a chart leaves several keys open, their probabilities together count.
    """
    from scipy.optimize import minimize

    rng = np.random.default_rng([recipe.seed, 2])
    rows = [row for example in examples if example.key for row in _key_rows(model, example, rng)]
    rows += [row for chart in charts for row in _chart_rows(chart, rng)]
    seen = np.stack([row.seen for row in rows])
    allowed = np.stack([row.allowed for row in rows]).reshape(len(rows), -1)
    weight = np.array([row.weight for row in rows])
    weight /= weight.sum()
    shape = (seen.shape[2], 2)

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights, bias = flat[:-2].reshape(shape), flat[-2:]
        scores = (seen @ weights + bias).reshape(len(seen), -1)
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        likely = raised / raised.sum(axis=1, keepdims=True)
        right = np.maximum((likely * allowed).sum(axis=1, keepdims=True), 1e-12)
        pull = (weight[:, None] * (likely - likely * allowed / right)).reshape(len(seen), 12, 2)
        value = -float(weight @ np.log(right[:, 0])) + recipe.l2 / shape[0] * float((weights**2).sum())
        gradient = np.tensordot(seen, pull, axes=((0, 1), (0, 1))) + 2 * recipe.l2 / shape[0] * weights
        return value, np.concatenate([gradient.ravel(), pull.sum(axis=(0, 1))])

    found = minimize(loss, np.zeros(shape[0] * 2 + 2), jac=True, method="L-BFGS-B", options={"maxiter": 150})
    print(f"{len(rows)} songs and cuttings to learn keys from: loss {found.fun:.4f}", flush=True)
    return {"key": found.x[:-2].reshape(shape).astype(np.float32), "key.bias": found.x[-2:].astype(np.float32)}


@dataclass(frozen=True, eq=False)
class _KeyRow:
    seen: Floats  # (12, n_features)
    allowed: NDArray[np.bool_]  # (12, 2)
    weight: float


def _key_rows(model: HarmonyModel, example: Example, rng: np.random.Generator) -> Iterator[_KeyRow]:
    assert example.key is not None
    allowed = np.zeros((12, 2), dtype=bool)
    allowed[example.key.tonic, int(example.key.mode == "minor")] = True
    heard = list(views(example))
    for _, spans in heard:
        likely, _ = model.chord_probabilities(spans)
        cuttings = list(_cuttings(len(likely), rng, 2 if example.kind == "midi" else 0))
        for part in cuttings:
            together = BeatChroma(spans.together.treble[part], spans.together.bass[part])
            seen = key_input(likely[part], together, spans.downbeats[part])
            yield _KeyRow(seen, allowed, 1.0 / len(cuttings) / len(heard))


def _chart_rows(chart: Chart, rng: np.random.Generator) -> Iterator[_KeyRow]:
    """A chart as if its chords had been heard, over their own roots."""
    states = np.where(chart.states >= 0, chart.states, NO_CHORD)
    likely = np.full((len(states), N_STATES), (1.0 - _CHART_SURE) / NO_CHORD)
    likely[np.arange(len(states)), states] += _CHART_SURE
    tones, roots = np.zeros((N_STATES, 12)), np.zeros((N_STATES, 12))
    for state in range(NO_CHORD):
        root, quality = divmod(state, len(QUALITIES))
        roots[state, root] = 1.0
        for interval, level in zip(CHORD_INTERVALS[QUALITIES[quality]], _TONE_LEVELS, strict=False):
            tones[state, (root + interval) % 12] = level
    treble = tones[states] + 0.1 * rng.random((len(states), 12)) + chart.melody
    treble /= np.maximum(treble.sum(axis=1, keepdims=True), 1e-9)
    for part in _cuttings(len(states), rng, 1):
        seen = key_input(likely[part], BeatChroma(treble[part], roots[states][part]), chart.downbeats[part])
        yield _KeyRow(seen, chart.keys, _CHART_WEIGHT)


def _cuttings(n_beats: int, rng: np.random.Generator, count: int) -> Iterator[slice]:
    """The whole, and `count` cuttings of some length from it."""
    yield slice(0, n_beats)
    for _ in range(count):
        length = int(rng.integers(*_EXCERPT_BEATS))
        if length < n_beats:
            first = int(rng.integers(n_beats - length))
            yield slice(first, first + length)


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
