"""Notes to sound with TinySoundFont, whose wheel carries its synthesiser: for machines without libfluidsynth.

The signature of `synth.fluidsynth.render_track`, and its conventions: each event is put on a boundary of
SYNTH_BLOCK samples, notes before 0 s start at 0 s. What still sounds at the end is cut off.

Limits: no interpolation but linear, no modulators: softer strokes are not duller. Attacks are not brought forward
to the beat. Good for training audio, not for what people listen to.

Source: github.com/schellingb/TinySoundFont; bindings by N. Whitehead, 0.3.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearrange.errors import DependencyError, SoundfontError
from rearrange.score import Timeline, Track
from rearrange.synth.events import note_changes

__all__ = ["SYNTH_BLOCK", "render_track"]

SYNTH_BLOCK = 64
OUTPUT_BLOCK = 512 * SYNTH_BLOCK  # samples per yielded block, as FluidSynth's adapter
_DRUM_CHANNEL = 9
_GAIN_DB = -10.0  # about as loud as FluidSynth's adapter
_QUIET_S = 0.1  # in which what another track left has died away


@lru_cache(maxsize=3)
def _loaded(soundfont: Path, sample_rate: int) -> tuple[Any, int]:
    """A synthesiser with a font, and the font's number; loading takes a second, so it is kept."""
    try:
        import tinysoundfont
    except ImportError as exc:
        raise DependencyError("TinySoundFont is missing", "pip install tinysoundfont==0.3.7 --no-deps") from exc
    synth = tinysoundfont.Synth(gain=_GAIN_DB, samplerate=sample_rate)
    try:
        return synth, int(synth.sfload(str(soundfont)))
    except (RuntimeError, OSError) as exc:
        raise SoundfontError(f"{soundfont}: TinySoundFont cannot load this soundfont", "try another one") from exc


def render_track(
    track: Track, timeline: Timeline, *, soundfont: Path, sample_rate: int = 44100, duration_s: float
) -> Iterator[NDArray[np.float32]]:
    """Yield one track from 0 s to `duration_s` as blocks (2, n), float32, n at most OUTPUT_BLOCK.

    Raises
    ------
    DependencyError : TinySoundFont is not installed.
    SoundfontError : the font does not load, or has no such preset.
    """
    synth, font = _loaded(soundfont, sample_rate)
    channel = _DRUM_CHANNEL if track.is_drum else 0
    synth.sounds_off()
    synth.generate_simple(int(_QUIET_S * sample_rate))
    try:
        synth.program_select(channel, font, 0, track.program, track.is_drum)
    except RuntimeError as exc:
        kind = "drum kit" if track.is_drum else "program"
        raise SoundfontError(f"{soundfont}: there is no {kind} {track.program} in this soundfont") from exc
    at_once = dict.fromkeys({note.pitch for note in track.notes}, 0.0)
    events = note_changes(track, timeline, blocks_per_s=sample_rate / SYNTH_BLOCK, lead_s=at_once)
    n_samples = round(duration_s * sample_rate)
    position = 0
    for start in range(0, n_samples, OUTPUT_BLOCK):
        n = min(OUTPUT_BLOCK, n_samples - start)
        block: NDArray[np.float32] = np.zeros((2, n), dtype=np.float32)
        while position < start + n:
            while events and events[0][0] * SYNTH_BLOCK <= position:
                _, on, pitch, velocity = events.popleft()
                if on:
                    synth.noteon(channel, pitch, velocity)
                else:
                    synth.noteoff(channel, pitch)
            stop = min(events[0][0] * SYNTH_BLOCK if events else start + n, start + n)
            sound = np.frombuffer(synth.generate_simple(stop - position), dtype=np.float32)
            block[:, position - start : stop - start] = sound.reshape(-1, 2).T
            position = stop
        yield block
