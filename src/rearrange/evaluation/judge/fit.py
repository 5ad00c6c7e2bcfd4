"""Fit the genre judge: `python -m rearrange.evaluation.judge.fit --data FOLDER`, wrapped by runs/judge.sh.

For each reader: `l2` is chosen by grouped cross-validation over all labelled pieces (smallest log-loss, classes
weighing the same, under the best temperature), classes that cannot be told from the rest are dropped, and the
weights are fitted on the judge's half alone. The other half, which the weights do not see, gives the
temperature and the figures of the weights that are shipped; cross-validation gives those of the method.

Limits: choosing one `l2` of five, and which classes stay, on the pieces that are then measured flatters the
figures of cross-validation a little; those of the other half share only the temperature, which changes no
accuracy.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rearrange.errors import RearrangeError
from rearrange.evaluation.judge.gather import READERS, Example, Labels, gather, read_labels
from rearrange.evaluation.judge.softmax import Softmax, fit_temperature, log_softmax
from rearrange.evaluation.judge.validation import (
    Judged,
    cross_validated,
    figures,
    fit_reader,
    judged,
    listed,
    mean_probability,
    separation,
    shuffled,
    with_temperature,
)
from rearrange.evaluation.judge.verdict import FEATURES, Judge, save_judge
from rearrange.evaluation.metrics.style import StyleHistograms, style_fit

__all__ = ["fit_judge", "main"]

L2 = (0.003, 0.01, 0.03, 0.1, 0.3)
FEWEST_GROUPS = 2
CHANCE = 0.5  # of separation


def fit_judge(
    examples: Mapping[str, Sequence[Example]], labels: Labels, *, seed: int
) -> tuple[Judge, dict[str, object]]:
    """The judge, and the figures of its readers as JSON.

    Parameters
    ----------
    examples : by reader
    """
    readers: dict[str, Softmax] = {}
    measured: dict[str, object] = {}
    styles: dict[str, StyleHistograms] = {}
    people: dict[str, float] = {}
    weak: set[str] = set()
    for reader in READERS:
        if reader in examples:
            model, said, told = _fit_reader(examples[reader], FEATURES[reader], seed)
            measured[reader] = told
            weak |= labels.reported[reader] & set(told["weak"])
            readers[reader] = model
            for name in sorted(labels.reported[reader] & set(model.classes)):
                styles[name] = _style(examples[reader], name)
                people[name] = round(mean_probability(said, name), 3)
    reported = {reader: labels.reported[reader] & set(model.classes) for reader, model in readers.items()}
    measured["style"] = _style_figures(examples, styles)
    return Judge(readers, reported, styles, people, frozenset(weak)), measured


def _style_figures(
    examples: Mapping[str, Sequence[Example]], styles: Mapping[str, StyleHistograms]
) -> dict[str, dict[str, float]]:
    """Mean style fit of each genre's unseen pieces with its own reference, and with the likest of the others."""
    out = {}
    for genre, reference in styles.items():
        unseen = [
            e.style
            for each in examples.values()
            for e in each
            if e.label == genre and not e.is_judges and e.style is not None
        ]
        # Only references of the same parts: drums with drums.
        rivals = [style for name, style in styles.items() if name != genre and style.parts() == reference.parts()]
        own = [style_fit(piece, reference).mean for piece in unseen]
        others = [max(style_fit(piece, rival).mean for rival in rivals) for piece in unseen if rivals]
        if own:
            out[genre] = {"own": round(float(np.mean(own)), 3)}
            if others:
                out[genre]["likest_other"] = round(float(np.mean(others)), 3)
    return out


def _fit_reader(
    examples: Sequence[Example], features: Sequence[str], seed: int
) -> tuple[Softmax, Judged, dict[str, Any]]:
    """The reader, what cross-validation says, and the figures."""
    rng = np.random.default_rng(seed)
    l2, said = _best_l2(examples, features, seed)
    dropped: dict[str, object] = {}
    for name in said.classes:
        groups = {e.group for e in examples if e.label == name}
        found = separation(said, name, rng)
        if len(groups) < FEWEST_GROUPS or found.low is None or found.low <= CHANCE:
            dropped[name] = listed(found)
    kept = [example for example in examples if example.label not in dropped]
    if dropped:
        l2, said = _best_l2(kept, features, seed)
    own, others = [e for e in kept if e.is_judges], [e for e in kept if not e.is_judges]
    model = with_temperature(fit_reader(own, features, l2=l2), others)
    measured: dict[str, Any] = {
        "l2": l2,
        "temperature": round(model.temperature, 3),
        "dropped_for_their_separation": dropped,
        "pieces": {"judges": len(own), "others": len(others)},
        "cross_validation": figures(said, rng),
        "other_half": figures(judged(model, others), rng),
        "shuffled_labels": shuffled(kept, features, l2=l2, seed=seed),
    }
    measured["weak"], unheard = _weak(kept, features, l2, seed)
    if unheard is not None:
        measured["players_unheard"] = figures(unheard, rng)
    return model, said, measured


def _weak(
    examples: Sequence[Example], features: Sequence[str], l2: float, seed: int
) -> tuple[list[str], Judged | None]:
    """Classes of one player, or not surely told when players are new; and what is said then."""
    players: dict[str, set[str]] = {}
    for example in examples:
        players.setdefault(example.label, set()).add(example.player)
    if any("" in each for each in players.values()):
        return [], None
    alone = {name for name, each in players.items() if len(each) < FEWEST_GROUPS}
    strangers = [replace(each, group=each.player) for each in examples if each.label not in alone]
    unheard = cross_validated(strangers, features, l2=l2, seed=seed)
    unheard = replace(unheard, logits=unheard.logits / _temperature(unheard))
    rng = np.random.default_rng(seed)
    spans = {name: separation(unheard, name, rng) for name in unheard.classes}
    unsure = {name for name, span in spans.items() if span.low is None or span.low <= CHANCE}
    return sorted(alone | unsure), unheard


def _best_l2(examples: Sequence[Example], features: Sequence[str], seed: int) -> tuple[float, Judged]:
    """The strength of L2 and what cross-validation says under it, calibrated."""
    tried = []
    for l2 in L2:
        said = cross_validated(examples, features, l2=l2, seed=seed)
        tried.append((_loss(said), l2, said))
    _, l2, said = min(tried, key=lambda each: each[0])
    return l2, replace(said, logits=said.logits / _temperature(said))


def _temperature(said: Judged) -> float:
    empty = np.zeros(0)
    blank = Softmax(said.classes, (), empty, empty, empty)
    return fit_temperature(blank, said.logits, said.labels).temperature


def _loss(said: Judged) -> float:
    """Log-loss per piece under the best temperature, classes weighing the same."""
    index = np.array([said.classes.index(label) for label in said.labels])
    logs = log_softmax(said.logits / _temperature(said))[np.arange(len(index)), index]
    return -float(np.mean([logs[index == k].mean() for k in range(len(said.classes)) if (index == k).any()]))


def _style(examples: Sequence[Example], name: str) -> StyleHistograms:
    """The mean histograms of a class, of the judge's half; each group weighs the same, each piece within it."""
    own = [e for e in examples if e.is_judges and e.label == name and e.style is not None]
    groups: dict[str, list[StyleHistograms]] = {}
    for example in own:
        assert example.style is not None
        groups.setdefault(example.group, []).append(example.style)
    total = StyleHistograms({})
    for styles in groups.values():
        mean = StyleHistograms({})
        for style in styles:
            mean = mean + style
        total = total + mean.normalised()
    return total.normalised()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="rearrange.evaluation.judge.fit", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets as .tar.xz")
    parser.add_argument("--unpacked", type=Path, default=Path("out/judge"), help="where they are unpacked")
    parser.add_argument("--out", type=Path, default=Path("models/judge"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        labels = read_labels()
        examples = {}
        for reader in READERS:
            print(f"reading for the {reader} reader", file=sys.stderr)
            examples[reader] = gather(reader, labels, options.data, options.unpacked)
        judge, measured = fit_judge(examples, labels, seed=options.seed)
    except RearrangeError as exc:
        print(exc, file=sys.stderr)
        return 1
    save_judge(judge, options.out, settings={"seed": options.seed, "l2": list(L2)})
    (options.out / "figures.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    for reader, told in measured.items():
        print(reader, json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
