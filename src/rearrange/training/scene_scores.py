"""Scenes of written music (`sheets`): lead sheets with a band or in our patterns, songs with piano, quartets.

Conventions: makers are as in `scene_songs`.
"""

from dataclasses import replace

import numpy as np

from rearrange.evaluation.songs import SymbolicSong
from rearrange.score import Role
from rearrange.training.clips import drawn, name_of
from rearrange.training.scene_excerpts import excerpt
from rearrange.training.scene_songs import arranged, with_drummer
from rearrange.training.scenes import Library, Scene, scene_of
from rearrange.training.sheets import lead_sheet, written_song

__all__ = ["lied", "quartet", "sheet"]


def sheet(songs: Library, rng: np.random.Generator) -> Scene | None:
    """A lead sheet: comped, with human drumming and a bass, or arranged by our patterns."""
    song = lead_sheet(drawn(songs.sheets, name_of, rng), rng)
    if song is None:
        return None
    return with_drummer("sheet", song, songs, rng) if rng.random() < 0.5 else arranged("sheet", song, rng)


def lied(songs: Library, rng: np.random.Generator) -> Scene | None:
    """A song for voice and piano; the voice may be sung."""
    song = written_song(drawn(songs.lieder, name_of, rng), rng)
    return None if song is None else _as_written("lied", song, rng, first=Role.MELODY)


def quartet(songs: Library, rng: np.random.Generator) -> Scene | None:
    """Strings."""
    song = written_song(drawn(songs.quartets, name_of, rng), rng)
    return None if song is None else _as_written("quartet", song, rng, first=Role.CHORDS)


def _as_written(kind: str, song: SymbolicSong, rng: np.random.Generator, *, first: Role) -> Scene:
    """The parts of a score, the first in a role, the others in `other`."""
    parts = [replace(part, role=Role.CHORDS if i else first) for i, part in enumerate(song.performance.parts)]
    return excerpt(scene_of(kind, song, parts), rng, is_quantised=True)
