"""Clips of human drumming (Groove MIDI), as the drums of scenes: whole, or repeated on a song's beats, with fills.

Conventions: pitches are folded to General MIDI's. A clip's tempo is its click's, in quarter notes; `felt_quarters`
is how many of them a felt beat lasts.

Limits: clips in 2/4, 3/4, 4/4 and 6/8.

Source: J. Gillick et al., "Learning to Groove with Inverse Sequence Transformations", ICML 2019.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import numpy as np

from rearrange.errors import UsageError
from rearrange.evaluation.corpora import training_songs
from rearrange.evaluation.songs import SongRef
from rearrange.midi import read_midi
from rearrange.score import NoteEvent, Timeline

__all__ = ["Clip", "clips_of", "drawn", "drumming", "fills_for", "groove_hits", "name_of", "repeated"]

Drawn = TypeVar("Drawn")

_ROLAND_TO_GM = {22: 42, 26: 46, 58: 43}  # edges of the hi-hat, rim of the floor tom
_FELT_QUARTERS = {"4-4": (4, 1.0), "3-4": (3, 1.0), "6-8": (2, 1.5), "2-4": (2, 1.0)}
_SHORTEST_CLIP_S = 12.0
_FILLS = 4  # that a drummer plays in one scene


def name_of(song: SongRef) -> str:
    """Corpus and id, as they stand in what is kept of a scene."""
    return f"{song.corpus}/{song.id}"


def drawn(songs: Sequence[Drawn], name: Callable[[Drawn], str], rng: np.random.Generator) -> Drawn:
    """One of some songs. Where a song leaves the set, the others stay drawn as they were.

    Raises
    ------
    UsageError : there are none.
    """
    if not songs:
        raise UsageError("the library has no song for this kind of scene")
    key = int(rng.integers(1 << 62)).to_bytes(8, "big")
    return min(songs, key=lambda song: blake2b(name(song).encode(), key=key, digest_size=8).digest())


@dataclass(frozen=True)
class Clip:
    """A clip of Groove MIDI and what its table says of it; `style` is its drummer's word."""

    song: SongRef
    tempo_bpm: float
    beats_per_bar: int
    felt_quarters: float
    style: str = ""

    @property
    def name(self) -> str:
        return name_of(self.song)


def clips_of(root: Path, *, validation: bool) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """The beats and the fills of the unpacked set that are not held out; or those that it keeps for validation."""
    with (root / "info.csv").open(encoding="utf-8") as file:
        rows = {root / row["midi_filename"]: row for row in csv.DictReader(file)}
    clips: list[Clip] = []
    fills: list[Clip] = []
    for song in training_songs("gmd", root):
        row = rows.get(song.path)
        if row is None or row["time_signature"] not in _FELT_QUARTERS:
            continue
        if (row.get("split") == "validation") is validation:
            felt = _FELT_QUARTERS[row["time_signature"]]
            clip = Clip(song, float(row["bpm"]), *felt, style=row.get("style") or "")
            if row["beat_type"] == "fill":
                fills.append(clip)
            elif float(row["duration"]) >= _SHORTEST_CLIP_S:
                clips.append(clip)
    return tuple(clips), tuple(fills)


@lru_cache(maxsize=512)
def drumming(clip: Clip) -> tuple[NoteEvent, ...]:
    """The hits of a clip, read once."""
    return groove_hits(clip.song.path)


def groove_hits(path: Path) -> tuple[NoteEvent, ...]:
    """A file of Groove MIDI, its pitches those of General MIDI."""
    return tuple(
        replace(note, pitch=_ROLAND_TO_GM.get(note.pitch, note.pitch))
        for part in read_midi(path).performance.parts
        for note in part.notes
    )


def fills_for(clip: Clip, fills: Sequence[Clip], rng: np.random.Generator) -> tuple[Clip, ...]:
    """Some fills in a clip's metre; none where there are none."""
    like = [
        fill
        for fill in fills
        if (fill.beats_per_bar, fill.felt_quarters) == (clip.beats_per_bar, clip.felt_quarters)
    ]
    return tuple(drawn(like, lambda fill: fill.name, rng) for _ in range(_FILLS)) if like else ()


def repeated(
    clip: Clip, timeline: Timeline, fills: Sequence[Clip], rng: np.random.Generator
) -> tuple[NoteEvent, ...]:
    """Whole bars of a clip over and over, on the beats of a song; every few bars one gives way to a fill."""
    n_beats = clip.beats_per_bar * clip.felt_quarters
    hits = [(hit.onset_s * clip.tempo_bpm / 60.0, hit) for hit in drumming(clip)]
    length = max(int(max((beat for beat, _ in hits), default=0.0) / n_beats), 1) * n_beats
    every = int(rng.choice((2, 4, 8)))
    out: list[NoteEvent] = []
    for bar in range(int(timeline.end_beat / n_beats) + 1):
        start = bar * n_beats % length
        played, source = hits, start
        if fills and bar % every == every - 1:
            fill = fills[int(rng.integers(len(fills)))]
            played, source = [(hit.onset_s * fill.tempo_bpm / 60.0, hit) for hit in drumming(fill)], 0.0
        out += [
            replace(hit, onset_s=float(timeline.seconds(bar * n_beats + beat - source)), duration_s=0.1)
            for beat, hit in played
            if source <= beat < source + n_beats
        ]
    return tuple(sorted(out, key=lambda hit: (hit.onset_s, hit.pitch)))
