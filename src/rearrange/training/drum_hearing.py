"""Set the thresholds of `models/drums` as it is used.

Training knows true stems. A song is heard otherwise: its drums come out of a separator, its mix beside them, and
templates (`analysis.drums`) have heard strokes of their own. So takes of validation songs are heard in that way,
and of every group of drums the threshold is the strictest one whose mean F1 is within _AS_GOOD of the best:
recordings have more that begins like a stroke than takes do.

Conventions: F1 at 50 ms, the mean over the takes that have the drum.

    python -m rearrange.training.drum_hearing --model out/drums/model --bank out/bank [--takes 24]

The bank has the takes `tuning` and `unseen` of `training.bank`; the font of the latter never trained, and
thresholds are those of both.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.drums import drum_hits
from rearrange.audio import Audio
from rearrange.errors import UsageError
from rearrange.evaluation.metrics.transcription import drum_onsets, drum_scores
from rearrange.models.drums import (
    GROUPS,
    SAMPLE_RATE,
    DrumsNetwork,
    Picking,
    heard_in_both,
    in_company,
    load,
    pick_hits,
    save,
    undoubted,
)
from rearrange.score import NoteEvent
from rearrange.stages.separate import separate
from rearrange.training.bank import SHARE_SEEDS, BankedTake, read_banked
from rearrange.training.start import start

__all__ = ["Heard", "heard_take", "main", "scores_at", "strictest"]

_THRESHOLDS = tuple(np.arange(0.3, 0.85, 0.05).round(2).tolist())
_AS_GOOD = 0.01


@dataclass(frozen=True, eq=False)
class Heard:
    """A take as it is heard.

    Parameters
    ----------
    activations : of the network, from stem and mix, (2, n_classes, n_frames)
    known : strokes of the templates
    truth : class of drum to the onsets that were played, in seconds
    """

    activations: NDArray[np.float32]
    known: tuple[NoteEvent, ...]
    truth: Mapping[str, Sequence[float] | NDArray[np.float64]]


def heard_take(network: DrumsNetwork, take: BankedTake) -> Heard:
    """Separate a take and hear its drums.

    Raises
    ------
    As `separate`.
    """
    mix = Audio(take.mix, SAMPLE_RATE)
    stem, whole = separate(mix)["drums"].mono().samples[0], mix.mono().samples[0]
    activations = heard_in_both(network.activations(stem), network.activations(whole))
    return Heard(activations, drum_hits(stem), drum_onsets(take.hits))


def scores_at(takes: Sequence[Heard], picking: Picking) -> dict[str, float]:
    """Mean F1 of each group that some take has."""
    found: dict[str, list[float]] = {}
    for take in takes:
        played = {group: times for group, times in take.truth.items() if group in GROUPS and len(times)}
        if not played:
            continue
        hits = in_company(pick_hits(take.activations, picking), picking.company)
        heard = drum_onsets((*hits, *undoubted(take.known, hits, take.activations, picking)))
        for group, score in drum_scores(played, {group: heard[group] for group in played}).items():
            found.setdefault(group, []).append(score)
    return {group: float(np.mean(found[group])) for group in GROUPS if group in found}


def strictest(takes: Sequence[Heard], picking: Picking) -> Picking:
    """Thresholds as the module says; a group that no take has keeps its own."""
    tried = [
        scores_at(takes, replace(picking, thresholds=(threshold,) * len(GROUPS))) for threshold in _THRESHOLDS
    ]
    chosen = []
    for group, old in zip(GROUPS, picking.thresholds, strict=True):
        scores = [each[group] for each in tried if group in each]
        good = [t for t, score in zip(_THRESHOLDS, scores, strict=False) if score >= max(scores) - _AS_GOOD]
        chosen.append(max(good, default=old))
    return replace(picking, thresholds=tuple(chosen))


def _banked(folder: Path, share: str, count: int) -> Iterator[BankedTake]:
    for index in range(count):
        path = folder / f"{SHARE_SEEDS[share][2]}-{index:05d}.npz"
        if not path.is_file():
            raise UsageError(f"{path} is missing", f"python -m rearrange.training.bank --share {share}")
        yield read_banked(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Set thresholds, print the figures, write the model where it was.

    Raises
    ------
    UsageError : a take is missing.
    ModelError : the model cannot be read.
    """
    parser = argparse.ArgumentParser(description="Set the thresholds of the drum network.")
    parser.add_argument("--model", type=Path, required=True, help="a folder that training wrote")
    parser.add_argument("--bank", type=Path, required=True, help="holds the takes `tuning` and `unseen`")
    parser.add_argument("--takes", type=int, default=24, help="how many of each")
    options = parser.parse_args(arguments)
    network = load(options.model)
    heard = {
        share: [heard_take(network, take) for take in _banked(options.bank, share, options.takes)]
        for share in ("tuning", "unseen")
    }
    picking = strictest([take for takes in heard.values() for take in takes], network.config.picking)
    for share, takes in heard.items():
        for name, each in (
            ("templates", replace(picking, thresholds=(2.0,) * len(GROUPS), doubt=0.0)),
            ("both", picking),
        ):
            figures = "".join(f" {group} {score:.3f}" for group, score in scores_at(takes, each).items())
            print(f"{share:8} {name:10}{figures}")
    print("thresholds", *picking.thresholds)
    save(options.model, replace(network.config, picking=picking), network.module.state_dict())
    return 0


if __name__ == "__main__":
    sys.exit(start(main))
