"""Do the metrics move the right way on real songs? Known damage, and every figure under it, as a Markdown table.

    python -m benchmarks.sanity --data ../shared/data/symbolic [--songs 6] [--unpacked FOLDER] [--swung blues]

The songs are test songs of the oracle set, as many of each corpus; their own notes are the reference, and damaged
the estimate. They are straight, so "swing removed" is measured on their arrangements in a swung genre, which stand
whole in the column before. A figure is the mean over the songs that have it. The arrow says what was declared to
happen (`evaluation/sanity.py`): down, up, or = for no change; without a sign either may happen. Below the table
stands every song that did otherwise.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.sanity import DAMAGES, Damage, Sample, figures
from rearrange.evaluation.songs import SongRef, load_song, oracle_songs, score_of
from rearrange.genre import load_genre
from rearrange.stages.arrange import ArrangeSettings, arrange

# What counts as a change: a thousandth of a share, and of an octave of velocities or of a millisecond.
_LEAST = 1e-3
SWING = "swing removed"

Values = Mapping[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets' archives")
    parser.add_argument("--songs", type=int, default=6, help="how many songs, in equal parts from each corpus")
    parser.add_argument("--unpacked", type=Path, default=None, help="where the sets lie unpacked, or shall")
    parser.add_argument("--swung", default="blues", help="the genre whose arrangements are to lose their swing")
    args = parser.parse_args()
    with TemporaryDirectory() as temporary:
        songs = _chosen(oracle_songs(args.data, args.unpacked or Path(temporary)), args.songs)
        measured = {f"{song.corpus} {song.id}": _song_figures(song, args.swung) for song in songs}
    print(_markdown(measured))
    print(f"\n{len(songs)} songs: {', '.join(measured)}\n")
    print(_otherwise(measured))


def _chosen(songs: Sequence[SongRef], n_songs: int) -> list[SongRef]:
    corpora = sorted({song.corpus for song in songs})
    of_each = max(n_songs // len(corpora), 1)
    return [song for name in corpora for song in [each for each in songs if each.corpus == name][:of_each]]


def _song_figures(ref: SongRef, swung: str) -> dict[str, tuple[Values, Values]]:
    """By damage: figures of the undamaged and of the damaged sample, where it can be damaged so."""
    score = score_of(load_song(ref))
    own = Sample(score.tracks, score.timeline)
    played = arrange(score, load_genre(swung), ArrangeSettings(seed=0))
    arranged = Sample(played.tracks, played.timeline)
    results = {}
    for damage in DAMAGES:
        sample = arranged if damage.name == SWING else own
        try:
            damaged = damage.apply(sample, np.random.default_rng(0))
        except NotMeasurable as exc:
            print(f"{ref.corpus} {ref.id}: {damage.name}: {exc}")
            continue
        results[damage.name] = (_values(sample, sample), _values(sample, damaged))
    return results


def _values(reference: Sample, damaged: Sample) -> Values:
    cells = figures(reference, damaged)
    return {name: cell.value for name, cell in cells.items() if cell.value is not None}


def _markdown(measured: Mapping[str, Mapping[str, tuple[Values, Values]]]) -> str:
    songs = list(measured.values())
    columns: list[tuple[str, Damage | None]] = []
    for damage in DAMAGES:
        columns += [("swung arrangement", None)] if damage.name == SWING else []
        columns.append((damage.name, damage))
    lines = [
        f"| figure | {' | '.join(heading for heading, _ in columns)} |",
        f"| --- |{' ---: |' * len(columns)}",
    ]
    for name in dict.fromkeys(name for song in songs for _, values in song.values() for name in values):
        cells = []
        for heading, damage in columns:
            # The undamaged arrangement is what the loss of swing is held against.
            at, side = (heading, 1) if damage else (SWING, 0)
            found = [song[at][side] for song in songs if at in song]
            values = [each[name] for each in found if name in each]
            cells.append(f"{np.mean(values):.3f}{_sign(damage, name)}" if values else "–")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _sign(damage: Damage | None, name: str) -> str:
    if damage is None:
        return ""
    if name in damage.falls:
        return " ↓"
    if name in damage.rises:
        return " ↑"
    return " =" if name in damage.stays else ""


def _otherwise(measured: Mapping[str, Mapping[str, tuple[Values, Values]]]) -> str:
    """What did not move as declared, song by song, and how many figures did."""
    lines, n_checked = [], 0
    for song, results in measured.items():
        for damage in DAMAGES:
            before, after = results.get(damage.name, ({}, {}))
            for name in sorted((damage.falls | damage.rises | damage.stays) & before.keys() & after.keys()):
                n_checked += 1
                change = after[name] - before[name]
                moved = "falls" if change < -_LEAST else "rises" if change > _LEAST else "stays"
                if name not in getattr(damage, moved):
                    lines.append(
                        f"- {song}, {damage.name}: {name} {moved}: {before[name]:.4f} → {after[name]:.4f}"
                    )
    return "\n".join([f"{n_checked - len(lines)} of {n_checked} figures moved as declared.", *lines])


if __name__ == "__main__":
    main()
