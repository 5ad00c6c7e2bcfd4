"""The kinds of scenes, and a scene of a kind that is given or drawn.

Four kinds: `groove`, human drumming alone; `band`, a pop song with human drumming at a like tempo and a bass
under its annotated chords; `freedoom`, a band as its file has it; `patterns`, a song arranged by our own patterns
in some genre. Three more from written music, where the library has some: `sheet`, a lead sheet as one of `band` or
of `patterns`; `lied`, voice and piano; `quartet`, strings. Everything follows from the generator that is passed.
"""

from collections.abc import Callable, Mapping

import numpy as np

from rearrange.errors import UsageError
from rearrange.training.scene_scores import lied, quartet, sheet
from rearrange.training.scene_songs import band, freedoom, groove, patterns
from rearrange.training.scenes import Library, Scene

__all__ = ["KINDS", "WRITTEN_KINDS", "make_scene"]

# Kinds and how often each is drawn; human drumming first, because its timing is what drums are learnt from.
KINDS: Mapping[str, float] = {"groove": 0.35, "band": 0.3, "patterns": 0.2, "freedoom": 0.15}
# Kinds from written music, where the library has some: each takes this share of all scenes from those above.
WRITTEN_KINDS: Mapping[str, float] = {"sheet": 0.15, "lied": 0.06, "quartet": 0.06}

_MAKERS: Mapping[str, Callable[[Library, np.random.Generator], Scene | None]] = {
    "groove": groove,
    "band": band,
    "patterns": patterns,
    "freedoom": freedoom,
    "sheet": sheet,
    "lied": lied,
    "quartet": quartet,
}


def make_scene(songs: Library, rng: np.random.Generator, *, kind: str | None = None) -> Scene:
    """A scene; of a kind of KINDS or WRITTEN_KINDS, or of one that is drawn.

    Raises
    ------
    UsageError : the library has no song for it.
    """
    kind = kind or _drawn_kind(songs, rng)
    for _ in range(8):  # now and then a song will not do: no chords, or a metre that changes
        found = _MAKERS[kind](songs, rng)
        if found is not None and found.parts and len(found.beats_s) > found.beats_per_bar:
            return found
    raise UsageError(f"no song of the library makes a scene of kind {kind}")


def _drawn_kind(songs: Library, rng: np.random.Generator) -> str:
    written = {"sheet": songs.sheets, "lied": songs.lieder, "quartet": songs.quartets}
    shares = {kind: share for kind, share in WRITTEN_KINDS.items() if written[kind]}
    left = 1.0 - sum(shares.values())
    every = {**{kind: left * share for kind, share in KINDS.items()}, **shares}
    return str(rng.choice(list(every), p=list(every.values())))
