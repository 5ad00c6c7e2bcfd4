"""How much of the song is left, and how much genre there is, with MIDI in place of ears.

Every song x every genre through `analyse` and `arrange`; prints one table and writes JSON. The songs are those of
POP909 whose number leaves 3 on division by 20 (the arranger was tuned on none of them), with the set's own chords
as the reference, and every eighth full-band song of Freedoom, with the chords that `analyse` hears as the
reference.

    python benchmarks/oracle.py --data ../shared/data/symbolic [--strength 0.5] [--seed 0] [--json out.json]

Columns: content (chroma similarity to the source, melody included), melody note F1, chords (majmin of the chords
heard in the arrangement's notes, and of the chords it says it plays), distinct rhythm bars per part, and, from
half the songs to the other half, how often a nearest-neighbour classifier names the genre from rhythm and
instrumentation, and from rhythm alone.
"""

import argparse
import json
import sys
import tarfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.groove import distinct_rhythm_share, onset_histogram
from rearrange.evaluation.metrics import chord_agreement, content_similarity, heard_chords, melody_f1
from rearrange.genre import genre_names, load_genre
from rearrange.midi import read_midi
from rearrange.score import Arrangement, Chord, Note, Role, Score, Track
from rearrange.stages.analyse import analyse
from rearrange.stages.arrange import ArrangeSettings, arrange

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_QUALITIES = {
    "maj": "maj", "min": "min", "7": "7", "maj7": "maj7", "min7": "min7", "dim": "dim", "aug": "aug",
    "sus4": "sus4", "sus2": "sus2", "hdim7": "min7b5", "dim7": "dim7", "maj6": "6", "min6": "min6",
    "sus4(b7)": "7sus4", "maj9": "maj9", "9": "9", "min9": "min9", "11": "9", "13": "13",
}  # fmt: skip
_DRUM_GROUPS = {"kick": (35, 36), "snare": (37, 38, 39, 40), "hat": (42, 44, 46), "cymbal": (49, 51, 53, 57, 59)}


@dataclass(frozen=True)
class Result:
    """One song in one genre."""

    song: str
    genre: str
    content: float
    melody: float
    chords_heard: float
    chords_said: float
    distinct: dict[str, float]
    rhythm: list[float]
    instruments: list[float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with pop909.tar.xz and freedoom.tar.xz")
    parser.add_argument("--strength", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--genres", nargs="*", default=list(genre_names()))
    parser.add_argument("--songs", type=int, default=None, help="only so many songs of each set")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    started = time.perf_counter()
    with TemporaryDirectory() as folder:
        files = _unpacked(args.data, Path(folder), args.songs)
        work = partial(_song_results, genres=args.genres, strength=args.strength, seed=args.seed)
        with ProcessPoolExecutor() as pool:
            results = [result for results in pool.map(work, files) for result in results]
    _print_table(results, args.genres)
    print(f"{len(files)} songs, strength {args.strength}, seed {args.seed}: {time.perf_counter() - started:.0f} s")
    if args.json:
        args.json.write_text(json.dumps([asdict(result) for result in results]))


def _unpacked(data: Path, folder: Path, limit: int | None) -> list[Path]:
    """The MIDI files of both sets, unpacked."""
    for name in ("pop909", "freedoom"):
        with tarfile.open(data / f"{name}.tar.xz") as archive:
            archive.extractall(folder / name, filter="data")
    pop = sorted((folder / "pop909").rglob("[0-9][0-9][0-9].mid"))
    doom = sorted((folder / "freedoom").rglob("*.mid"))
    return [*[file for file in pop if int(file.stem) % 20 == 3][:limit], *doom[::8][:limit]]


def _song_results(file: Path, *, genres: Sequence[str], strength: float, seed: int) -> list[Result]:
    midi = read_midi(file)
    score = analyse(midi.performance, None, timeline=midi.timeline)
    if not score.chords or score.track(Role.MELODY) is None:
        print(f"{file.name}: left out: it has no harmony or no melody", file=sys.stderr)
        return []
    reference = _annotated_chords(file.with_name("chord_midi.txt"), score) or score.chords
    tune = score.track(Role.MELODY)
    results = []
    for name in genres:
        arrangement = arrange(score, load_genre(name), ArrangeSettings(seed=seed, strength=strength))
        ratio = arrangement.beat_ratio
        ours = arrangement.track(Role.MELODY)
        bars = arrangement.timeline.bars
        results.append(
            Result(
                song=file.stem,
                genre=name,
                content=content_similarity(
                    score.tracks, arrangement.tracks, int(score.timeline.end_beat), beat_ratio=ratio
                ),
                melody=melody_f1(tune.notes if tune else (), ours.notes if ours else (), beat_ratio=ratio),
                chords_heard=chord_agreement(
                    reference,
                    heard_chords(arrangement.tracks, arrangement.timeline, arrangement.key),
                    beat_ratio=ratio,
                ),
                chords_said=chord_agreement(reference, arrangement.chords, beat_ratio=ratio),
                distinct={
                    track.name: distinct_rhythm_share(track, bars)
                    for track in arrangement.tracks
                    if track.role is not Role.MELODY and "double" not in track.name
                },
                rhythm=_rhythm_features(arrangement),
                instruments=_instrument_features(arrangement),
            )
        )
    return results


def _annotated_chords(file: Path, score: Score) -> tuple[Chord, ...]:
    """POP909's chords in the score's beats; none if the set has no annotation for the song."""
    if not file.is_file():
        return ()
    chords = []
    for line in file.read_text().splitlines():
        start, end, label = line.split()[:3]
        if label == "N":
            continue
        name, _, quality = label.partition(":")
        quality = quality.partition("/")[0]
        root = (_STEPS[name[0]] + name.count("#") - name.count("b")) % 12
        onset, stop = (float(score.timeline.beats(float(time_s))) for time_s in (start, end))
        if stop > onset >= 0:
            known = _QUALITIES.get(quality) or _QUALITIES.get(quality.partition("(")[0], "maj")
            chords.append(Chord(onset, stop - onset, root, known, root))
    return tuple(chords)


def _rhythm_features(arrangement: Arrangement) -> list[float]:
    """Onset histograms of kick, snare, hat, cymbal, other drums, bass and chords; no programs, no pitches."""
    bars = arrangement.timeline.bars
    histograms = []
    drums = [note for t in arrangement.tracks if t.is_drum for note in t.notes]
    grouped = {p for pitches in _DRUM_GROUPS.values() for p in pitches}
    for pitches in (*_DRUM_GROUPS.values(), None):
        chosen = [n for n in drums if (n.pitch in pitches if pitches else n.pitch not in grouped)]
        histograms.append(_histogram(chosen, bars))
    for role in (Role.BASS, Role.CHORDS):
        track = arrangement.track(role)
        histograms.append(_histogram(track.notes if track else (), bars))
    return [float(x) for x in np.sqrt(np.concatenate(histograms))]


def _histogram(notes: Sequence[Note], bars: Sequence) -> NDArray[np.float64]:  # type: ignore[type-arg]
    """Onsets per bar of the song on the grid."""
    track = Track("", Role.CHORDS, 0, False, tuple(notes))
    played = onset_histogram(track, bars)
    n_played = len({int(note.onset_beat // 4) for note in notes})
    return played * min(n_played / max(len(bars), 1), 1.0)


def _instrument_features(arrangement: Arrangement) -> list[float]:
    families = np.zeros(16 + 1)
    for track in arrangement.tracks:
        families[16 if track.is_drum else track.program // 8] += 1
    return [float(x) for x in families]


def _accuracy(results: Sequence[Result], *, with_instruments: bool) -> float:
    """Nearest neighbour from the songs at even places to those at odd places, mean over both directions."""
    songs = sorted({result.song for result in results})
    half = {song: i % 2 for i, song in enumerate(songs)}
    rows = np.array([r.rhythm + (r.instruments if with_instruments else []) for r in results])
    labels = np.array([r.genre for r in results])
    side = np.array([half[r.song] for r in results])
    right = []
    for test in (0, 1):
        train_rows, train_labels = rows[side != test], labels[side != test]
        for row, label in zip(rows[side == test], labels[side == test], strict=True):
            right.append(train_labels[np.argmin(np.sum((train_rows - row) ** 2, axis=1))] == label)
    return float(np.mean(right))


def _print_table(results: Sequence[Result], genres: Sequence[str]) -> None:
    print(f"{'genre':12s} content  melody  chords heard/said  distinct rhythm bars (mean; least part)")
    for genre in [*genres, "all"]:
        chosen = [r for r in results if genre in ("all", r.genre)]
        if not chosen:
            continue
        parts: dict[str, list[float]] = {}
        for r in chosen:
            for name, share in r.distinct.items():
                parts.setdefault(name, []).append(share)
        means = {name: float(np.mean(shares)) for name, shares in parts.items()}
        least = min(means, key=lambda name: means[name])
        print(
            f"{genre:12s} {np.mean([r.content for r in chosen]):.3f}    "
            f"{np.mean([r.melody for r in chosen]):.3f}   "
            f"{np.mean([r.chords_heard for r in chosen]):.3f} / "
            f"{np.mean([r.chords_said for r in chosen]):.3f}      "
            f"{np.mean([s for shares in parts.values() for s in shares]):.2f}; {least} {means[least]:.2f}"
        )
    if len(genres) > 1:
        print(f"genre named from rhythm and instrumentation: {_accuracy(results, with_instruments=True):.3f}")
        print(f"genre named from rhythm alone:               {_accuracy(results, with_instruments=False):.3f}")


if __name__ == "__main__":
    main()
