"""Notes to sound with FluidSynth, offline: one track at a time, in blocks, as float samples.

Timing. FluidSynth starts and ends notes at multiples of its internal block of 64 samples, whatever lengths
are asked of it. So each event is put on the nearest such boundary: never more than 32 samples (0.73 ms at
44.1 kHz) from its beat, early as often as late. Times come from the arrangement's `Timeline` for each event
by itself; nothing accumulates. Fonts start their samples with up to several ms of near silence; each note
is struck earlier by what its instrument and pitch need to speak (measured when a track begins), so that
the attack, not the key, falls on the beat. A slow attack stays one.

Sound. Reverberation and chorus are off: space belongs to the mix. Samples are interpolated with 4th order
polynomials. Each track has a synthesiser of its own, because a used one sounds differently from a fresh one
(by up to -50 dB; measured), and a track must not depend on what was played before. That costs 13 ms: only
the instruments that are played are loaded, and their samples are shared within the process.

Limits: General MIDI programs and kits by number, no controllers, no bends. Polyphony is 256 voices.
Sources: FluidSynth API 2.x (fluid_synth_write_float, settings), measured with 2.3.1.
"""

import contextlib
import ctypes
import io
import logging
import os
import threading
from collections import deque
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rearrange.errors import DependencyError, SoundfontError
from rearrange.score import Timeline, Track
from rearrange.synth.events import NoteChange, note_changes

__all__ = ["SYNTH_BLOCK", "Synthesizer", "library_version", "render_track"]

logger = logging.getLogger(__name__)

SYNTH_BLOCK = 64  # FluidSynth's internal block, samples; compiled into the library
OUTPUT_BLOCK = 512 * SYNTH_BLOCK  # samples per yielded block: 0.74 s at 44.1 kHz, 256 KiB
# Twice FluidSynth's default: the loudest track of a dense ten-track arrangement then peaks at 0.27.
GAIN = 0.4
# A note has spoken where it passes this share of the largest sample of its first 30 ms.
SPEAKS_AT = 0.05
ATTACK_WINDOW_S = 0.03
MAX_LEAD_S = 0.015  # the slowest attack that is not meant: 12 ms, the bass guitar of Fluid R3
FADE_S = 0.5  # what still sounds at the end of a track is faded out over this
_DRUM_CHANNEL, _DRUM_BANK = 9, 128
_POLYPHONY = 256
_CHECK_EVERY = 128  # blocks between two looks at whether anything still sounds
_LOG_LEVELS = {0: logging.ERROR, 1: logging.ERROR, 2: logging.WARNING, 3: logging.DEBUG, 4: logging.DEBUG}

_SETTINGS: dict[str, int | float | str] = {
    "synth.reverb.active": 0,
    "synth.chorus.active": 0,
    "synth.polyphony": _POLYPHONY,
    "synth.dynamic-sample-loading": 1,
    "synth.lock-memory": 0,
    "synth.midi-bank-select": "gm",
}

_INSTALL = "Debian/Ubuntu: apt install libfluidsynth3; macOS: brew install fluid-synth; see fluidsynth.org"


_loading = threading.Lock()


def _library() -> "_Calls":
    """Return libfluidsynth's functions, loaded once, by one thread.

    Raises
    ------
    DependencyError : the library or its binding is not installed.
    """
    with _loading:
        return _load()


@cache
def _load() -> "_Calls":
    try:
        # Where the environment variable CI is set, the binding prints at import.
        chatty = contextlib.redirect_stdout(io.StringIO()) if os.getenv("CI") else contextlib.nullcontext()
        with chatty:
            import fluidsynth
    except ModuleNotFoundError as exc:
        raise DependencyError("the Python package pyfluidsynth is missing", "pip install pyfluidsynth") from exc
    except (ImportError, OSError) as exc:
        raise DependencyError(f"FluidSynth cannot be loaded: {exc}", _INSTALL) from exc
    calls = _Calls(fluidsynth)
    # The first synthesiser sets up what all share. A second one that is made meanwhile, by another thread,
    # would go without the default modulators, i.e. without velocity.
    calls.Synth().delete()
    return calls


class _Calls:
    """The functions of libfluidsynth used here that pyfluidsynth does not declare."""

    def __init__(self, module: Any) -> None:
        def declare(name: str, result: Any, *kinds: Any) -> Any:
            call = module.cfunc(name, result, *((f"a{i}", kind, 1) for i, kind in enumerate(kinds)))
            if call is None:
                raise DependencyError(f"this FluidSynth is too old: it has no {name}", _INSTALL)
            return call

        pointer, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
        self.Synth = module.Synth
        self.sfont_by_id = declare("fluid_synth_get_sfont_by_id", pointer, pointer, number)
        self.first_preset = declare("fluid_sfont_iteration_start", None, pointer)
        self.next_preset = declare("fluid_sfont_iteration_next", pointer, pointer)
        self.preset_bank = declare("fluid_preset_get_banknum", number, pointer)
        self.preset_program = declare("fluid_preset_get_num", number, pointer)
        self.preset_name = declare("fluid_preset_get_name", text, pointer)
        self.write_float = declare(
            "fluid_synth_write_float", number, pointer, number, pointer, number, number, pointer, number, number
        )
        self.version = declare("fluid_version_str", text)
        set_log = declare("fluid_set_log_function", pointer, number, pointer, pointer)
        self._log = ctypes.CFUNCTYPE(None, number, text, pointer)(_to_logger)  # kept alive with the library
        for level in _LOG_LEVELS:
            set_log(level, self._log, None)


def library_version() -> str:
    """Return the version of libfluidsynth.

    Raises
    ------
    DependencyError : the library or its binding is not installed.
    """
    return str(_library().version().decode())


def _to_logger(level: int, message: bytes, _: object) -> None:
    """FluidSynth's own messages, which would go to stderr."""
    logger.log(_LOG_LEVELS.get(level, logging.DEBUG), "fluidsynth: %s", message.decode(errors="replace"))


class Synthesizer:
    """A FluidSynth with one font loaded, for one track. A context manager; `close` frees the memory.

    Raises
    ------
    DependencyError : libfluidsynth is not installed.
    SoundfontError : the font does not load, or holds no instrument.
    """

    def __init__(self, soundfont: Path, sample_rate: int = 44100) -> None:
        if not 8000 <= sample_rate <= 96000:
            raise ValueError(f"FluidSynth renders at 8 to 96 kHz, not at {sample_rate} Hz")
        self._calls = _library()
        self.soundfont, self.sample_rate = soundfont, sample_rate
        self._synth: Any = self._calls.Synth(GAIN, float(sample_rate), channels=16, **_SETTINGS)
        self._font = self._synth.sfload(str(soundfont))
        if self._font < 0:
            self.close()
            raise SoundfontError(f"{soundfont}: FluidSynth cannot load this soundfont", "try another one")
        self._presets = self._list_presets()
        if not self._presets:
            self.close()
            raise SoundfontError(f"{soundfont}: there is no instrument in this soundfont", "try another one")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the synthesiser. Closing twice does nothing."""
        if self._synth is not None:
            self._synth.delete()
            self._synth = None

    def _list_presets(self) -> dict[tuple[int, int], str]:
        """Names by (bank, program)."""
        font = self._calls.sfont_by_id(self._synth.synth, self._font)
        presets: dict[tuple[int, int], str] = {}
        self._calls.first_preset(font)
        while preset := self._calls.next_preset(font):
            place = (self._calls.preset_bank(preset), self._calls.preset_program(preset))
            presets[place] = self._calls.preset_name(preset).decode("latin-1").strip()
        return presets

    def preset_for(self, track: Track) -> tuple[int, int]:
        """Return (bank, program) of the preset that plays a track: its own, or the closest there is.

        Closest is: the same family of eight programs (the same group of kits), then the first of the bank,
        then the first of the font.
        """
        bank = _DRUM_BANK if track.is_drum else 0
        if (bank, track.program) in self._presets:
            return bank, track.program
        here = sorted(program for other, program in self._presets if other == bank)
        family = [program for program in here if program // 8 == track.program // 8]
        chosen = (bank, (family or here)[0]) if here else min(self._presets)
        logger.warning(
            "%s has no %s %d: %r is played by %r",
            self.soundfont.name,
            "drum kit" if track.is_drum else "program",
            track.program,
            track.name,
            self._presets[chosen],
        )
        return chosen

    def blocks(self, track: Track, timeline: Timeline, *, duration_s: float) -> Iterator[NDArray[np.float32]]:
        """Yield the track; see `render_track`."""
        channel = _DRUM_CHANNEL if track.is_drum else 0
        bank, program = self.preset_for(track)
        self._synth.program_select(channel, self._font, bank, program)
        pitches = sorted({note.pitch for note in track.notes})
        for pitch in pitches[:1]:
            self._lead(channel, pitch)  # a voice's very first note starts softer: not one to measure by
        lead = {pitch: self._lead(channel, pitch) for pitch in pitches}
        events = note_changes(track, timeline, blocks_per_s=self.sample_rate / SYNTH_BLOCK, lead_s=lead)
        n_samples = round(duration_s * self.sample_rate)
        self._span(channel, events, -self._max_lead * SYNTH_BLOCK, self._max_lead * SYNTH_BLOCK)
        for start in range(0, n_samples, OUTPUT_BLOCK):
            block = self._span(channel, events, start, OUTPUT_BLOCK)
            yield _faded(block[:, : n_samples - start], start, n_samples, self.sample_rate)

    @property
    def _max_lead(self) -> int:
        return int(MAX_LEAD_S * self.sample_rate / SYNTH_BLOCK)

    def _lead(self, channel: int, pitch: int) -> float:
        """Return how long the instrument takes to speak at a pitch, in seconds, at most MAX_LEAD_S."""
        self._synth.noteon(channel, pitch, 100)
        n_blocks = int(ATTACK_WINDOW_S * self.sample_rate / SYNTH_BLOCK) + 1
        attack = np.zeros((2, n_blocks * SYNTH_BLOCK), dtype=np.float32)
        self._play(attack, 0, n_blocks)
        self._hush(channel)
        level = np.abs(attack).max(axis=0)
        if level.max() == 0.0:
            return 0.0
        return min(float(np.argmax(level >= SPEAKS_AT * level.max())) / self.sample_rate, MAX_LEAD_S)

    def _hush(self, channel: int) -> None:
        """End every sound; FluidSynth fades them out within its next block, which is thrown away."""
        self._synth.all_sounds_off(channel)
        self._write(np.zeros((2, SYNTH_BLOCK), dtype=np.float32), 0, 1)

    def _span(self, channel: int, events: deque[NoteChange], start: int, n_samples: int) -> NDArray[np.float32]:
        """Play the events that fall into a stretch of time, and take them off the queue."""
        block: NDArray[np.float32] = np.zeros((2, n_samples), dtype=np.float32)
        first, n_blocks = start // SYNTH_BLOCK, n_samples // SYNTH_BLOCK
        position = 0
        while events and events[0][0] < first + n_blocks:
            at, on, pitch, velocity = events.popleft()
            self._play(block, position, at - first)
            position = at - first
            if on:
                self._synth.noteon(channel, pitch, velocity)
            else:
                self._synth.noteoff(channel, pitch)
        self._play(block, position, n_blocks)
        return block

    def _play(self, block: NDArray[np.float32], start: int, stop: int) -> None:
        """Render into `block` between two positions in synth blocks; silence costs nothing."""
        while start < stop and self._synth.get_active_voice_count():
            n = min(stop - start, _CHECK_EVERY)
            self._write(block, start, n)
            start += n

    def _write(self, block: NDArray[np.float32], start: int, n_blocks: int) -> None:
        at = start * SYNTH_BLOCK
        left, right = block[0].ctypes.data, block[1].ctypes.data
        self._calls.write_float(self._synth.synth, n_blocks * SYNTH_BLOCK, left, at, 1, right, at, 1)


def _faded(block: NDArray[np.float32], start: int, n_samples: int, sample_rate: int) -> NDArray[np.float32]:
    """Return the block, with its share of the fade at the end of the track."""
    fade = round(FADE_S * sample_rate)
    if start + block.shape[1] > n_samples - fade:
        left = n_samples - np.arange(start, start + block.shape[1])
        block *= np.minimum(left / fade, 1.0).astype(np.float32)
    return block


def render_track(
    track: Track, timeline: Timeline, *, soundfont: Path, sample_rate: int = 44100, duration_s: float
) -> Iterator[NDArray[np.float32]]:
    """Yield one track from 0 s to `duration_s` as blocks (2, n), float32, n at most OUTPUT_BLOCK.

    What still sounds at the end is faded out. Notes before 0 s start at 0 s. Samples may pass full scale.

    Raises
    ------
    DependencyError : libfluidsynth is not installed.
    SoundfontError : the font does not load.
    """
    with Synthesizer(soundfont, sample_rate) as synthesizer:
        yield from synthesizer.blocks(track, timeline, duration_s=duration_s)
