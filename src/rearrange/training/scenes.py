"""What is played in training audio: some bars of music as notes with their beats, and the songs they are made of.

Conventions: times in seconds from the start of the scene, which lasts SCENE_S; parts know their role, melody being
what a singer may take.

Limits: songs in one metre. One song in VALIDATION_FOLDS, and Groove's own validation clips, are never shown for
training: what is tuned is tuned on them.

Sources: J. Gillick et al., ICML 2019 (Groove MIDI); Z. Wang et al., ISMIR 2020 (POP909); freedoom.github.io.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.evaluation.corpora import training_songs, unpacked
from rearrange.evaluation.songs import SongRef, SymbolicSong
from rearrange.score import Chord, Key, Part
from rearrange.training.clips import Clip, clips_of, name_of

__all__ = ["SCENE_S", "Library", "Scene", "library", "scene_of"]

Floats = NDArray[np.float64]

SCENE_S = 20.0
VALIDATION_FOLDS = 12
_SHARES = ("training", "validation")


@dataclass(frozen=True)
class Scene:
    """Some bars of music.

    Parameters
    ----------
    songs : what it was made from, by corpus and id
    parts : with role, program and notes; at most one of drums
    beats_s, positions : (n_beats,) felt beats, and each one's place in its bar, 0 for a downbeat
    chords : from beat to beat, the first being 0; none where only drums play, None where nobody knows them
    key : None where nobody knows it, or where it changes
    """

    kind: str
    songs: tuple[str, ...]
    parts: tuple[Part, ...]
    beats_s: Floats
    positions: NDArray[np.int64]
    beats_per_bar: int
    chords: tuple[Chord, ...] | None = None
    key: Key | None = None

    @property
    def downbeats_s(self) -> Floats:
        return np.asarray(self.beats_s[self.positions == 0])


def scene_of(kind: str, song: SymbolicSong, parts: Sequence[Part]) -> Scene:
    """The whole of a song, its beats counted from each bar's first."""
    n_beats = max(round(song.timeline.metres[0][1].beats_per_bar), 1)
    starts = {round(bar.onset_beat, 3) for bar in song.timeline.bars}
    beats = np.arange(int(song.timeline.end_beat) + 1, dtype=np.float64)
    positions = np.zeros(len(beats), dtype=np.int64)
    for i in range(1, len(beats)):
        positions[i] = 0 if float(beats[i]) in starts else positions[i - 1] + 1
    name = f"{song.corpus}/{song.id}"
    key = song.key if song.n_keys == 1 else None
    return Scene(kind, (name,), tuple(parts), song.timeline.seconds(beats), positions, n_beats, song.chords, key)


@dataclass(frozen=True)
class Library:
    """The songs of one share that scenes are made from."""

    pop909: tuple[SongRef, ...]
    freedoom: tuple[SongRef, ...]
    clips: tuple[Clip, ...]
    fills: tuple[Clip, ...]
    sheets: tuple[SongRef, ...] = ()
    lieder: tuple[SongRef, ...] = ()
    quartets: tuple[SongRef, ...] = ()

    @cached_property
    def names(self) -> frozenset[str]:
        """Of all its songs, by corpus and id."""
        written = (*self.sheets, *self.lieder, *self.quartets)
        songs = {name_of(song) for song in (*self.pop909, *self.freedoom, *written)}
        return frozenset(songs | {clip.name for clip in (*self.clips, *self.fills)})


def library(data: Path, folder: Path, share: str = "training", *, written: bool = False) -> Library:
    """The songs of a share, through the door that shows no held-out one.

    Parameters
    ----------
    data : holds gmd, pop909 and freedoom as .tar.xz
    folder : they are unpacked there, unless they are there
    share : training or validation
    written : whether lead sheets, songs with piano and string quartets are among them (openewld, openscore_lieder
        and openscore_quartets)

    Raises
    ------
    UsageError : an archive is missing.
    ValueError : another share.
    """
    if share not in _SHARES:
        raise ValueError(f"{share!r} is not one of {', '.join(_SHARES)}")
    wanted = share == "validation"

    def of(corpus: str) -> tuple[SongRef, ...]:
        songs = training_songs(corpus, unpacked(data, corpus, folder))
        return tuple(song for song in songs if _is_validation(song) is wanted)

    clips, fills = clips_of(unpacked(data, "gmd", folder), validation=wanted)
    found = Library(of("pop909"), of("freedoom"), clips, fills)
    if not written:
        return found
    return replace(found, sheets=of("openewld"), lieder=of("openscore_lieder"), quartets=of("openscore_quartets"))


def _is_validation(song: SongRef) -> bool:
    return zlib.crc32(f"{song.corpus}/{song.id}".encode()) % VALIDATION_FOLDS == 0
