"""Who plays training audio: FluidSynth where it is, else TinySoundFont, with one signature.

Which of the two it is, is logged once: their sounds differ, so training audio is the same on two machines only if
both have the same one.

FluidSynth unpacks an instrument's samples when it is first chosen, and forgets them with the last synthesiser that
has chosen it: for compressed fonts that is most of the work. So one of each instrument is kept: up to 0.8 GB.
"""

import logging
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.errors import DependencyError
from rearrange.models.mel import SAMPLE_RATE
from rearrange.score import Note, Role, Timeline, Track
from rearrange.synth import fluidsynth, tinysoundfont

__all__ = ["play_track", "player_name"]

logger = logging.getLogger(__name__)

_Renderer = Callable[..., Iterator[NDArray[np.float32]]]
_MOST_KEPT = 400  # of the three fonts that train: all that takes draw from


@cache
def player_name() -> str:
    """`fluidsynth` or `tinysoundfont`."""
    try:
        fluidsynth.library_version()
    except DependencyError as exc:
        logger.warning("training audio is played by TinySoundFont: %s", exc.message)
        return "tinysoundfont"
    return "fluidsynth"


def play_track(track: Track, timeline: Timeline, *, soundfont: Path, duration_s: float) -> NDArray[np.float32]:
    """A track as samples (2, n) at SAMPLE_RATE.

    Raises
    ------
    DependencyError : neither synthesiser is installed.
    SoundfontError : the font does not load.
    """
    if player_name() == "fluidsynth":
        _kept(soundfont, track.program, track.is_drum)
    renderer: _Renderer = fluidsynth.render_track if player_name() == "fluidsynth" else tinysoundfont.render_track
    blocks = renderer(track, timeline, soundfont=soundfont, sample_rate=SAMPLE_RATE, duration_s=duration_s)
    return np.concatenate(list(blocks), axis=1)


@lru_cache(maxsize=_MOST_KEPT)
def _kept(soundfont: Path, program: int, is_drum: bool) -> fluidsynth.Synthesizer:
    """A synthesiser that has chosen an instrument, so that its samples stay in memory."""
    synthesizer = fluidsynth.Synthesizer(soundfont, SAMPLE_RATE)
    click = Track("kept", Role.DRUMS if is_drum else Role.CHORDS, program, is_drum, (Note(0.0, 0.01, 60, 1),))
    for _ in synthesizer.blocks(click, Timeline.constant(60.0, end_beat=1.0), duration_s=0.01):
        pass
    return synthesizer
