"""How the parts of `models/harmony` are fitted, each from the seed alone.

The network of chords is trained by gradient steps on beats of songs and takes (`harmony_takes`); how chords
follow each other in major and minor is counted in POP909, Billboard and OpenEWLD (`charts`); the linear model
of the key is fitted by likelihood, on what the network makes of songs, of takes and of cuttings from either,
and on charts, of which only tonic or signature are known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.chroma import BeatChroma
from rearrange.analysis.progressions import DOWNBEAT, ELSEWHERE, MIDDLE, NO_CHORD, QUALITIES, bar_places
from rearrange.models.harmony import N_STATES, HarmonyConfig, HarmonyModel, chord_input, key_input, turned
from rearrange.score import CHORD_INTERVALS
from rearrange.training.charts import Chart
from rearrange.training.harmony_takes import Example, paired, views

__all__ = ["Recipe", "count_progressions", "fit", "fit_key", "fit_network"]

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

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
    layers = [nn.Linear(a, b).to(device) for a, b in pairwise(shapes)]
    parameters = [each for layer in layers for each in layer.parameters()]
    optimizer = torch.optim.AdamW(parameters, recipe.rate, weight_decay=1e-3)
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
