"""The symbolic sets that the metre is fitted on, as excerpts: Groove MIDI, Freedoom, POP909, OpenScore Lieder.

Only songs that are not held out are seen: `evaluation.corpora.training_songs` is the one door to them.

Conventions: what is chosen at random comes from the seed and the name of the song alone, so that an excerpt is the
same whatever was made before it. `band` is POP909 with Groove's drums and a bass; in half of those, chords and
melody anticipate some beats by half a beat.

Limits: songs in one metre. Freedoom's and Groove's beats are the file's own; POP909's are annotated.

Sources: J. Gillick et al., ICML 2019 (Groove MIDI); Z. Wang et al., ISMIR 2020 (POP909); freedoom.github.io;
openscore.cc.
"""

import csv
import itertools
import random
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.evaluation.corpora import training_songs, unpacked
from rearrange.midi import read_midi
from rearrange.score import NoteEvent, Part
from rearrange.training.clips import groove_hits
from rearrange.training.dances import dance, drummed
from rearrange.training.excerpts import EXCERPT_S, Excerpt, cut, drifting
from rearrange.training.lieder import lied, written_metre

__all__ = ["COUNTS", "excerpts_of"]

Floats = NDArray[np.float64]

# Of the kinds but the last, as many as are behind the weights that are shipped.
COUNTS = {"groove": 90, "freedoom": 118, "songs": 41, "band": 101, "lieder": 97, "dances": 60}
FEWEST_NOTES = 10
_ARCHIVES = {
    "groove": "gmd",
    "freedoom": "freedoom",
    "songs": "pop909",
    "band": "pop909",
    "lieder": "openscore_lieder",
}
_FELT_QUARTERS = {"4-4": (4, 1.0), "3-4": (3, 1.0), "6-8": (2, 1.5)}
_POP909_PROGRAMS = {"MELODY": 52, "BRIDGE": 25, "PIANO": 0}
_LIEDER_SHARES = {(4, 4): 0.26, (3, 4): 0.39, (6, 8): 0.35}  # most songs are in 4/4; the others are what lacks
_PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_LOWEST_BASS = 28
_ANTICIPATED = ((0,), (0, 2), (2,), (0,), (0, 1, 2, 3))


def excerpts_of(kind: str, data: Path, folder: Path, *, count: int, seed: int) -> Iterator[Excerpt]:
    """Up to `count` excerpts of a kind of COUNTS, their songs in an order that the seed decides.

    Raises
    ------
    UsageError : its archive is not in `data`.
    """
    if kind == "dances":
        found = _dances(seed)
    else:
        root = unpacked(data, _ARCHIVES[kind], folder)
        if kind == "lieder":
            found = _lieder(root, seed, count)
        elif kind == "band":
            found = _bands(root, unpacked(data, "gmd", folder), seed)
        else:
            found = {"groove": _groove, "freedoom": _freedoom, "songs": _songs}[kind](root, seed)
    done = 0
    while done < count and (excerpt := next(found, None)) is not None:
        if excerpt.n_notes >= FEWEST_NOTES and len(excerpt.beats_s) > excerpt.beats_per_bar:
            done += 1
            yield excerpt


def _random(seed: int, name: str) -> random.Random:
    return random.Random(f"{seed}/{name}")


def _shuffled(paths: Sequence[Path], seed: int) -> list[Path]:
    out = sorted(paths)
    random.Random(seed).shuffle(out)
    return out


def _clips(root: Path) -> dict[Path, dict[str, str]]:
    """The beats (not fills) of Groove MIDI, with what its table says of them."""
    with (root / "info.csv").open(encoding="utf-8") as file:
        rows = {root / row["midi_filename"]: row for row in csv.DictReader(file)}
    clips = {song.path: rows[song.path] for song in training_songs("gmd", root) if song.path in rows}
    return {path: row for path, row in clips.items() if row["beat_type"] == "beat" and float(row["duration"]) > 12}


def _groove(root: Path, seed: int) -> Iterator[Excerpt]:
    """Drums alone, those in 3/4 and 6/8 first: there are few."""
    clips = {path: row for path, row in _clips(root).items() if row["time_signature"] in _FELT_QUARTERS}
    for path in sorted(_shuffled(list(clips), seed), key=lambda path: clips[path]["time_signature"] == "4-4"):
        n_beats, quarters = _FELT_QUARTERS[clips[path]["time_signature"]]
        period_s = quarters * 60.0 / float(clips[path]["bpm"])
        beats = np.arange(int(3 * EXCERPT_S / period_s))
        name = "groove-" + "-".join(path.relative_to(root).with_suffix("").parts)
        drums = (Part("drums", groove_hits(path), is_drum=True),)
        times: Floats = np.asarray(beats * period_s, dtype=np.float64)
        whole = Excerpt(name, name, "groove", drums, times, beats % n_beats, n_beats)
        yield cut(whole, _random(seed, name).uniform(0.0, 1.5 * period_s))


def _freedoom(root: Path, seed: int) -> Iterator[Excerpt]:
    """Full bands: from a quarter of each song on, then from half."""
    for share in (0.25, 0.5):
        for path in _shuffled([song.path for song in training_songs("freedoom", root)], seed):
            file = read_midi(path)
            metres = {str(metre) for _, metre in file.timeline.metres}
            if metres not in ({"4/4"}, {"3/4"}):
                continue
            n_beats = 4 if metres == {"4/4"} else 3
            beats = np.arange(int(file.timeline.end_beat) + 1)
            parts = file.performance.parts
            times: Floats = np.asarray(file.timeline.seconds(beats), dtype=np.float64)
            name = f"freedoom-{path.stem}-{share}"
            song = Excerpt(name, path.stem, "freedoom", parts, times, beats % n_beats, n_beats)
            rng = _random(seed, name)
            last_s = max((note.onset_s for part in parts for note in part.notes), default=0.0)
            yield cut(song, min(100.0 * share, share * last_s) + rng.uniform(0.0, 2.0), **drifting(rng))


def _pop909(folder: Path) -> Excerpt | None:
    """A whole song; None if a downbeat is never, or too rarely, every fourth beat."""
    table = np.loadtxt(folder / "beat_midi.txt")
    positions = np.empty(len(table), dtype=np.int64)
    for i, is_downbeat in enumerate(table[:, 2] == 1):
        positions[i] = 0 if is_downbeat or i == 0 else positions[i - 1] + 1
    if positions[4:].max() != 3 or np.bincount(positions, minlength=4).min() < 0.2 * len(positions):
        return None
    performance = read_midi(folder / f"{folder.name}.mid").performance
    parts = tuple(replace(part, program=_POP909_PROGRAMS.get(part.name, 0)) for part in performance.parts)
    return Excerpt(f"songs-{folder.name}", folder.name, "songs", parts, table[:, 0], positions, 4)


def _folders(root: Path, seed: int) -> list[Path]:
    folders = [song.path.parent for song in training_songs("pop909", root)]
    return _shuffled([folder for folder in folders if (folder / "beat_midi.txt").is_file()], seed)


def _songs(root: Path, seed: int) -> Iterator[Excerpt]:
    for folder in _folders(root, seed):
        song = _pop909(folder)
        if song is not None:
            yield cut(song, 45.0 + _random(seed, song.name).uniform(-15.0, 18.0))


def _bands(root: Path, groove: Path, seed: int) -> Iterator[Excerpt]:
    """POP909 with a clip of Groove at a like tempo, repeated in whole bars, and a bass that follows its kick."""
    clips = {path: float(row["bpm"]) for path, row in _clips(groove).items() if row["time_signature"] == "4-4"}
    for i, folder in enumerate(reversed(_folders(root, seed))):  # other songs than `_songs` has
        song, rng = _pop909(folder), _random(seed, f"band-{folder.name}")
        if song is None:
            continue
        tempo_bpm = 60.0 / float(np.median(np.diff(song.beats_s)))
        like = [path for path, bpm in clips.items() if abs(np.log(bpm / tempo_bpm)) < 0.2]
        starts = np.flatnonzero((song.beats_s >= 30.0) & (song.positions == 0))
        if not like or len(starts) == 0 or starts[0] + 20 > len(song.beats_s):
            continue
        path = rng.choice(sorted(like))
        drums = _repeated(groove_hits(path), clips[path] / 60.0, song.beats_s[starts[0] :])
        bass = () if rng.random() < 0.25 else _bass(drums, _chord_roots(folder / "chord_midi.txt"))
        pitched = _anticipating(song, rng) if i % 2 else song.parts
        added = (Part("bass", bass, program=33), Part("drums", drums, is_drum=True))
        band = replace(song, name=f"band-{folder.name}", kind="band", parts=(*pitched, *added))
        yield cut(band, song.beats_s[starts[0]] - rng.uniform(0.0, 2.5), **drifting(rng))


def _repeated(clip: Sequence[NoteEvent], beats_per_s: float, beats_s: Floats) -> tuple[NoteEvent, ...]:
    """Whole bars of a clip over and over, on the beats of a song."""
    last_beat = max((note.onset_s for note in clip), default=0.0) * beats_per_s
    length = max(4, int(last_beat / 4) * 4)
    ends = min(len(beats_s) - 1, 200)
    index = np.arange(len(beats_s))
    out = []
    for note in clip:
        beat = note.onset_s * beats_per_s
        for at in np.arange(beat, ends, length) if beat < length else ():
            out.append(replace(note, onset_s=float(np.interp(at, index, beats_s)), duration_s=0.1))
    return tuple(sorted(out, key=lambda note: (note.onset_s, note.pitch)))


def _chord_roots(path: Path) -> list[tuple[float, float, int]]:
    """Onset and end in seconds, and the pitch class of the root."""
    out = []
    for line in path.read_text(encoding="utf-8").splitlines():
        start, end, label = line.split()
        if label != "N":
            name = label.split(":")[0]
            root = _PITCH_CLASSES[name[0]] + name.count("#") - name.count("b")
            out.append((float(start), float(end), root % 12))
    return out


def _bass(drums: Sequence[NoteEvent], roots: Sequence[tuple[float, float, int]]) -> tuple[NoteEvent, ...]:
    out: list[NoteEvent] = []
    for hit in drums:
        at = hit.onset_s + 0.04  # a chord that starts with the kick counts
        root = next((root for start, end, root in roots if start <= at < end), None)
        if hit.pitch in (35, 36) and root is not None and (not out or hit.onset_s - out[-1].onset_s > 0.18):
            out.append(NoteEvent(hit.onset_s, 0.3, _LOWEST_BASS + (root - _LOWEST_BASS) % 12, 90))
    return tuple(out)


def _anticipating(song: Excerpt, rng: random.Random) -> tuple[Part, ...]:
    """Parts whose notes on some beats come half a beat early, as bands play them."""
    which, every, share = rng.choice(_ANTICIPATED), rng.choice((1, 1, 2)), rng.choice((1.0, 0.8, 0.6))
    beats = song.beats_s
    early = np.zeros(len(beats))
    for k in range(1, len(beats)):
        if song.positions[k] in which and (k // 4) % every == 0 and rng.random() < share:
            early[k] = (beats[k] - beats[k - 1]) / 2

    def moved(note: NoteEvent) -> NoteEvent:
        k = int(np.argmin(np.abs(beats - note.onset_s)))
        shift = float(early[k]) if abs(beats[k] - note.onset_s) < 0.07 else 0.0
        return replace(note, onset_s=max(0.0, note.onset_s - shift), duration_s=note.duration_s + shift)

    return tuple(replace(part, notes=tuple(moved(note) for note in part.notes)) for part in song.parts)


def _lieder(root: Path, seed: int, count: int) -> Iterator[Excerpt]:
    """Voice and piano, half of them with drums: a share of each metre, as long as there are songs in it."""
    wanted = {metre: round(share * count + 0.5) for metre, share in _LIEDER_SHARES.items()}
    had: Counter[tuple[int, int]] = Counter()
    for path in _shuffled([song.path for song in training_songs("openscore_lieder", root)], seed):
        score = ET.parse(path).getroot()
        metre = written_metre(score)
        if metre is None or had[metre] >= wanted.get(metre, 0):
            continue
        rng = _random(seed, path.stem)
        excerpt = lied(path, score, rng)
        if excerpt is not None:
            had[metre] += 1
            yield drummed(excerpt, rng) if had[metre] % 2 else excerpt


def _dances(seed: int) -> Iterator[Excerpt]:
    for number in itertools.count():
        name = f"dance-{number}"
        yield dance(name, _random(seed, name))
