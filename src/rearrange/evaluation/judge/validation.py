"""How good a reader is on what it has not seen: grouped cross-validation, intervals, confusion, and the floor.

Conventions: examples of one group never stand on both sides. Accuracy is that of whole pieces, the mean over
groups; `separation` is the chance that a piece of a genre is given more probability of it than a piece of
another (area under the ROC curve: 0.5 is chance). Intervals are 95 %, by bootstrap over groups.

Source: B. Efron and R. Tibshirani (1993) for the bootstrap; T. Fawcett 2006 for the area.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rearrange.evaluation.judge.gather import Example
from rearrange.evaluation.judge.softmax import Softmax, fit_softmax, fit_temperature, log_softmax
from rearrange.evaluation.statistics import Interval, bootstrap_interval

__all__ = [
    "Judged",
    "cross_validated",
    "figures",
    "fit_reader",
    "judged",
    "listed",
    "mean_probability",
    "separation",
    "shuffled",
    "with_temperature",
]

Floats = NDArray[np.float64]

N_FOLDS = 8
N_DRAWS = 400
_MOST_WINDOWS = 16  # a clip of ten minutes weighs no more than one of this many windows
_UNSEEN = -50.0  # log-odds of a class that the training folds lack


@dataclass(frozen=True)
class Judged:
    """What was said of pieces: mean log-odds (n, n_classes) and the truth."""

    classes: tuple[str, ...]
    logits: Floats
    labels: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def named(self) -> list[str]:
        """The likeliest class of each piece."""
        return [self.classes[i] for i in self.logits.argmax(axis=1)]


def fit_reader(examples: Sequence[Example], features: Sequence[str], *, l2: float) -> Softmax:
    """A reader of windows from labelled pieces."""
    rows = np.concatenate([example.rows for example in examples])
    labels = [example.label for example in examples for _ in range(len(example.rows))]
    importance = np.concatenate(
        [np.full(len(e.rows), min(len(e.rows), _MOST_WINDOWS) / len(e.rows)) for e in examples]
    )
    return fit_softmax(rows, labels, importance, features=features, l2=l2)


def judged(model: Softmax, examples: Sequence[Example], classes: Sequence[str] | None = None) -> Judged:
    """What a reader says of pieces, over `classes` (its own by default)."""
    classes = tuple(classes or model.classes)
    logits = np.full((len(examples), len(classes)), _UNSEEN)
    columns = [classes.index(name) for name in model.classes]
    for i, example in enumerate(examples):
        logits[i, columns] = model.logits(example.rows).mean(axis=0) / model.temperature
    return Judged(classes, logits, tuple(e.label for e in examples), tuple(e.group for e in examples))


def cross_validated(examples: Sequence[Example], features: Sequence[str], *, l2: float, seed: int) -> Judged:
    """What readers say of the pieces that they were not fitted on: N_FOLDS folds of whole groups."""
    classes = sorted({example.label for example in examples})
    fold = _folds(examples, seed)
    logits = np.zeros((len(examples), len(classes)))
    for k in sorted(set(fold.tolist())):
        model = fit_reader([e for e, f in zip(examples, fold, strict=True) if f != k], features, l2=l2)
        here = np.flatnonzero(fold == k)
        logits[here] = judged(model, [examples[int(i)] for i in here], classes).logits
    return Judged(tuple(classes), logits, tuple(e.label for e in examples), tuple(e.group for e in examples))


def _folds(examples: Sequence[Example], seed: int) -> NDArray[np.int64]:
    """A fold for each example, by group; each class's groups are dealt out in turn."""
    rng = np.random.default_rng(seed)
    dealt: dict[str, int] = {}
    for label in sorted({example.label for example in examples}):
        groups = sorted({example.group for example in examples if example.label == label} - set(dealt))
        for group in rng.permutation(groups):
            dealt[str(group)] = len(dealt) % N_FOLDS
    return np.array([dealt[example.group] for example in examples])


def separation(said: Judged, name: str, rng: np.random.Generator) -> Interval:
    """Area under the ROC curve of a class's probability, with its interval.

    A draw that holds no piece of the class, or no other, does not count; one group alone has no interval.
    """
    scores = log_softmax(said.logits)[:, said.classes.index(name)]
    true = np.array([label == name for label in said.labels])
    groups = np.array(said.groups)
    area = _area(scores[true], scores[~true])
    own, others = sorted(set(groups[true])), sorted(set(groups[~true]))
    if len(own) < 2 or len(others) < 2:
        return Interval(area, None, None)
    by_group = {g: scores[true & (groups == g)] for g in own}
    by_other = {g: scores[~true & (groups == g)] for g in others}
    areas = []
    for _ in range(N_DRAWS):
        mine = np.concatenate([by_group[own[i]] for i in rng.integers(len(own), size=len(own))])
        theirs = np.concatenate([by_other[others[i]] for i in rng.integers(len(others), size=len(others))])
        areas.append(_area(mine, theirs))
    low, high = np.quantile(areas, [0.025, 0.975])
    return Interval(area, float(low), float(high))


def _area(positive: Floats, negative: Floats) -> float:
    pairs = positive[:, None] - negative[None, :]
    return float((pairs > 0).mean() + 0.5 * (pairs == 0).mean())


def figures(said: Judged, rng: np.random.Generator) -> dict[str, object]:
    """Accuracy, separation and mean probability per class, macro accuracy, chance and the confusion, as JSON."""
    right = np.array([a == b for a, b in zip(said.named, said.labels, strict=True)], dtype=np.float64)
    classes: dict[str, object] = {}
    for name in said.classes:
        own = [i for i, label in enumerate(said.labels) if label == name]
        by_group = _by_group(said, own, right)
        classes[name] = {
            "pieces": len(own),
            "groups": len(by_group),
            "accuracy": listed(bootstrap_interval(by_group, rng=rng, n=N_DRAWS)) if own else None,
            "separation": listed(separation(said, name, rng)) if own else None,
            "probability": round(mean_probability(said, name), 3) if own else None,
        }
    confusion = {
        name: {
            other: sum(a == name and b == other for a, b in zip(said.labels, said.named, strict=True))
            for other in said.classes
        }
        for name in said.classes
    }
    return {
        "macro_accuracy": listed(_macro(said, right, rng)),
        "chance": round(1.0 / len(said.classes), 3),
        "classes": classes,
        "confusion": confusion,
    }


def mean_probability(said: Judged, name: str) -> float:
    """Of a class, in the mean over its own groups."""
    column = np.exp(log_softmax(said.logits))[:, said.classes.index(name)]
    own = [i for i, label in enumerate(said.labels) if label == name]
    return float(np.mean([np.mean(values) for values in _by_group(said, own, column).values()]))


def _by_group(said: Judged, chosen: Sequence[int], values: Floats) -> Mapping[str, Sequence[float]]:
    out: dict[str, list[float]] = {}
    for i in chosen:
        out.setdefault(said.groups[i], []).append(float(values[i]))
    return out


def _macro(said: Judged, right: Floats, rng: np.random.Generator) -> Interval:
    """Mean over classes of the mean over groups; groups are drawn again within each class."""
    per_class = []
    for name in sorted(set(said.labels)):
        own = [i for i, label in enumerate(said.labels) if label == name]
        per_class.append(np.array([np.mean(v) for v in _by_group(said, own, right).values()]))
    draws = np.mean(
        [means[rng.integers(len(means), size=(N_DRAWS, len(means)))].mean(axis=1) for means in per_class], axis=0
    )
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(float(np.mean([means.mean() for means in per_class])), float(low), float(high))


def listed(interval: Interval) -> list[float | None]:
    """[value, low, high]"""
    return [None if x is None else round(x, 3) for x in (interval.mean, interval.low, interval.high)]


def shuffled(
    examples: Sequence[Example], features: Sequence[str], *, l2: float, seed: int, repeats: int = 5
) -> dict[str, object]:
    """The floor: cross-validation after the groups' labels were dealt out anew. It must lie at chance."""
    rng = np.random.default_rng(seed)
    groups = sorted({example.group for example in examples})
    of_group = {example.group: example.label for example in examples}
    macros: list[float] = []
    for i in range(repeats):
        dealt = dict(zip(groups, rng.permutation([of_group[group] for group in groups]).tolist(), strict=True))
        mixed = [replace(example, label=dealt[example.group]) for example in examples]
        said = cross_validated(mixed, features, l2=l2, seed=seed + i)
        right = np.array([a == b for a, b in zip(said.named, said.labels, strict=True)], dtype=np.float64)
        macros.append(_macro(said, right, rng).mean)
    return {
        "macro_accuracy": round(float(np.mean(macros)), 3),
        "runs": [round(value, 3) for value in macros],
        "chance": round(1.0 / len(set(of_group.values())), 3),
    }


def with_temperature(model: Softmax, unseen: Sequence[Example]) -> Softmax:
    """The reader calibrated on pieces that it was not fitted on; classes that it lacks are passed over."""
    known = [example for example in unseen if example.label in model.classes]
    said = judged(replace(model, temperature=1.0), known)
    return fit_temperature(model, said.logits, said.labels)
