"""Multinomial logistic regression on standardised features, fitted with L-BFGS: the judge's only learning.

Conventions: a model reads windows and speaks of songs: the mean of its windows' log-odds, divided by a
temperature that was fitted on songs it had not seen. Features are clipped at `CLIP` deviations, so that what no
drummer played cannot outweigh everything else. Classes weigh the same however many examples they have: the
prior is uniform.

Source: J. Platt 1999 and C. Guo et al., ICML 2017 (temperature); the rest is textbook.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLIP", "Softmax", "fit_softmax", "fit_temperature", "log_softmax"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLIP = 3.0
_ITERATIONS = 300
_LEAST_DEVIATION = 1e-3  # of features that lie within 0 and about 1
_TEMPERATURES = np.geomspace(0.2, 5.0, 200)


@dataclass(frozen=True)
class Softmax:
    """A fitted reader: `weights` (n_features + 1, n_classes), the last row the bias; the others (n_features,)."""

    classes: tuple[str, ...]
    features: tuple[str, ...]
    weights: Floats
    mean: Floats
    deviation: Floats
    temperature: float = 1.0

    def logits(self, rows: Floats) -> Floats:
        """Log-odds of windows, up to a constant: (n_windows, n_features) to (n_windows, n_classes)."""
        scaled = np.clip((rows - self.mean) / self.deviation, -CLIP, CLIP)
        return np.asarray(scaled @ self.weights[:-1] + self.weights[-1])

    def song(self, rows: Floats) -> dict[str, float] | None:
        """Log-probability of each class for a song's windows; None if there are none."""
        if not len(rows):
            return None
        scores = log_softmax(self.logits(rows).mean(axis=0) / self.temperature)
        return dict(zip(self.classes, scores.tolist(), strict=True))

    def arrays(self) -> dict[str, Floats]:
        """What is stored as arrays."""
        return {"weights": self.weights, "mean": self.mean, "deviation": self.deviation}

    def described(self) -> dict[str, object]:
        """What is stored as JSON."""
        return {"classes": list(self.classes), "features": list(self.features), "temperature": self.temperature}

    @classmethod
    def restored(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> "Softmax":
        """From `described` and `arrays`.

        Raises
        ------
        ValueError : shapes do not fit the names.
        """
        classes, features = tuple(described["classes"]), tuple(described["features"])
        stored = {name: np.asarray(arrays[name], dtype=np.float64) for name in ("weights", "mean", "deviation")}
        if stored["weights"].shape != (len(features) + 1, len(classes)) or len(stored["mean"]) != len(features):
            raise ValueError(f"weights of shape {stored['weights'].shape} for {len(features)} features")
        return cls(classes, features, **stored, temperature=float(described["temperature"]))


def fit_softmax(
    rows: Floats, labels: Sequence[str], importance: Floats, *, features: Sequence[str], l2: float
) -> Softmax:
    """Fit by maximum likelihood with `l2` times the mean squared weight; classes are made equally important.

    Parameters
    ----------
    rows : (n, n_features)
    labels : n names
    importance : (n,) of each row within its class, any scale

    Raises
    ------
    ValueError : not as many names as features.
    """
    if rows.shape[1] != len(features):
        raise ValueError(f"{rows.shape[1]} features have {len(features)} names")
    from scipy.optimize import minimize

    classes = tuple(sorted(set(labels)))
    index = np.array([classes.index(label) for label in labels])
    weight = np.asarray(importance, dtype=np.float64).copy()
    for i in range(len(classes)):
        weight[index == i] /= weight[index == i].sum() * len(classes)
    mean = weight @ rows
    deviation = np.maximum(np.sqrt(weight @ (rows - mean) ** 2), _LEAST_DEVIATION)
    scaled = np.clip((rows - mean) / deviation, -CLIP, CLIP)
    design = np.hstack([scaled, np.ones((len(rows), 1))])
    target = np.eye(len(classes))[index]
    shape = (design.shape[1], len(classes))

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(shape)
        logs = log_softmax(design @ weights)
        gradient = design.T @ (weight[:, None] * (np.exp(logs) - target))
        gradient[:-1] += 2 * l2 * weights[:-1]
        value = -float(weight @ (logs * target).sum(axis=1)) + l2 * float((weights[:-1] ** 2).sum())
        return value, gradient.ravel()

    found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS})
    return Softmax(classes, tuple(features), found.x.reshape(shape), mean, deviation)


def fit_temperature(model: Softmax, song_logits: Floats, labels: Sequence[str]) -> Softmax:
    """The model with the temperature under which songs it has not seen are likeliest, classes weighing the same.

    Parameters
    ----------
    song_logits : (n_songs, n_classes) mean log-odds of held-out songs, in the order of `model.classes`
    """
    index = np.array([model.classes.index(label) for label in labels])
    weight = 1.0 / np.bincount(index, minlength=len(model.classes))[index]
    losses = [-float(weight @ log_softmax(song_logits / t)[np.arange(len(index)), index]) for t in _TEMPERATURES]
    return replace(model, temperature=float(_TEMPERATURES[int(np.argmin(losses))]))


def log_softmax(logits: Floats) -> Floats:
    """Log-probabilities along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
