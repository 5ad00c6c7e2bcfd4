"""How well drums are heard: the network against the transcriber without one, on renders and on real recordings.

    python -m benchmarks.drums --data ../shared/data --sets out/sets [--model models/drums] [--takes 20] [--real]

Rendered: takes of training audio from validation songs, played by the font that is never trained on. Real
(`--real`, for a model that is done: nothing may be tuned on it): the recordings whose hits are annotated. Each
is heard from its drum stem, and from its mix: through a separator (both), as it is (the network), and both at
once (the network, as `convert` hears). Figures are F1 at 50 ms, each the mean over the recordings that have the
drum.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import table
from rearrange.analysis.drums import drum_hits
from rearrange.audio import Audio
from rearrange.errors import RearrangeError
from rearrange.evaluation.metrics.transcription import drum_onsets, drum_scores
from rearrange.evaluation.recordings import recordings
from rearrange.models.drums import DrumsNetwork, heard_in_both, in_company, load, pick_hits
from rearrange.models.mel import SAMPLE_RATE
from rearrange.score import NoteEvent
from rearrange.stages.separate import separate
from rearrange.training.audio import Studio, make_take
from rearrange.training.drums import UNSEEN_SEED
from rearrange.training.fonts import find_fonts
from rearrange.training.scenes import library

_DRUMS = ("kick", "snare", "hat", "tom", "crash", "ride")
_MEAN = ("kick", "snare", "hat")


@dataclass(frozen=True)
class Recorded:
    """A mix, its drum stem, and its hits by class in seconds."""

    kind: str
    mix: Audio
    drums: Audio
    hits: Mapping[str, Sequence[float] | NDArray[np.float64]]


def rendered(data: Path, sets: Path, count: int) -> Iterator[Recorded]:
    """Takes that nothing was trained on, by a font that nothing is trained on."""
    studio = Studio(library(data / "symbolic", sets, "validation"), find_fonts("unseen"))
    for index in range(count):
        take = make_take(studio, seed=UNSEEN_SEED, index=index)
        if take.hits:
            kind = "rendered, drums alone" if take.scene.kind == "groove" else "rendered, bands"
            stem = Audio(take.stems["drums"], SAMPLE_RATE)
            yield Recorded(kind, Audio(take.mix, SAMPLE_RATE), stem, drum_onsets(take.hits))


def real(data: Path) -> Iterator[Recorded]:
    """Annotated recordings."""
    for each in recordings(data / "audio"):
        stems = each.stems()
        if each.drum_hits is not None and stems is not None:
            yield Recorded("real", each.mix(), stems["drums"], each.drum_hits)


def _mono(audio: Audio) -> NDArray[np.float32]:
    return np.ascontiguousarray(audio.mono().samples[0])


def heard(song: Recorded, network: DrumsNetwork | None) -> dict[tuple[str, str], tuple[NoteEvent, ...]]:
    """Hits by what was heard and by whom."""
    stems = separate(song.mix)
    apart = _mono(stems["drums"])
    found = {
        ("drum stem", "without network"): drum_hits(_mono(song.drums)),
        ("mix", "without network"): drum_hits(apart),
    }
    if network is not None:
        picking = network.config.picking
        whole, part = (network.activations(samples) for samples in (_mono(song.mix), apart))
        found["drum stem", "network"] = network.hits(_mono(song.drums))
        found["mix", "network, separated"] = pick_hits(part, picking)
        found["mix", "network, as it is"] = pick_hits(whole, picking)
        found["mix", "network, both"] = in_company(pick_hits(heard_in_both(part, whole), picking), picking.company)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Drums heard with and without a network.")
    parser.add_argument("--data", type=Path, required=True, help="holds symbolic/ and audio/")
    parser.add_argument("--sets", type=Path, default=Path("out/sets"), help="where the sets are unpacked")
    parser.add_argument("--model", type=Path, help="the network's folder")
    parser.add_argument("--takes", type=int, default=20)
    parser.add_argument("--real", action="store_true", help="the real recordings, and not the rendered ones")
    options = parser.parse_args(arguments)
    found: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    try:
        network = load(options.model) if options.model is not None else None
        songs = real(options.data) if options.real else rendered(options.data, options.sets, options.takes)
        for song in songs:
            for (view, who), hits in heard(song, network).items():
                scores = drum_scores(song.hits, drum_onsets(hits))
                kept = found.setdefault((song.kind, view, who), {})
                for drum, score in scores.items():
                    kept.setdefault(drum, []).append(score)
                kept.setdefault("songs", []).append(1.0)
    except RearrangeError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
    rows = []
    for (kind, view, who), scores in sorted(found.items()):
        means = {drum: float(np.mean(scores[drum])) for drum in _DRUMS if drum in scores}
        mean = np.mean([means[drum] for drum in _MEAN if drum in means]) if means else np.nan
        row = [f"{means[drum]:.3f}" if drum in means else "–" for drum in _DRUMS]
        rows.append([kind, view, who, str(len(scores["songs"])), f"{mean:.3f}", *row])
    print(table(("what", "heard from", "by", "songs", "mean", *_DRUMS), rows, left=(0, 1, 2)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
