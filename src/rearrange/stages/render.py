"""Render: an arrangement to sound, one file per track, in parallel.

Every track is as long as the others: the song, and TAIL_S for what rings on. Kept stems (the song's own vocals)
are stretched to the arrangement's timeline and become tracks like the rest, so that the mix, a mute or a
solo treat all alike. Tracks are dry and at the level the soundfont gives them; the mix brings them to a
common loudness. Samples stay inside full scale.

Threads, not processes: FluidSynth and FLAC work outside the interpreter's lock, and the font is shared. Ten
dense tracks of three minutes take 0.04 s of processor time per second of song (Fluid R3), half of it
FluidSynth's and half FLAC's.
"""

import logging
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio
from rearrange.progress import Progress, silent
from rearrange.score import Arrangement, Timeline
from rearrange.synth.events import sounding_end_s
from rearrange.synth.fluidsynth import render_track
from rearrange.synth.levels import LevelMeter
from rearrange.synth.soundfonts import resolve_soundfont
from rearrange.synth.stretch import stretch_stem

__all__ = [
    "VERSION",
    "RenderSettings",
    "RenderSummary",
    "RenderedTrack",
    "TrackWriter",
    "arrangement_duration_s",
    "render",
]

logger = logging.getLogger(__name__)

VERSION = 1
TAIL_S = 3.0  # the longest release that is heard: a crash cymbal is 45 dB down after three seconds
CEILING = 0.98  # of full scale, in a track's file
_REPORT_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """`soundfont` is a name or a path, see `synth.soundfonts`; `sample_rate` in Hz, of the track files."""

    soundfont: str = "default"
    sample_rate: int = 44100


@dataclass(frozen=True, slots=True)
class RenderedTrack:
    """What became of one track.

    `lufs` is its loudness while it sounds, which spares the mix the measuring (-inf: silent); `peak` its
    largest sample; `turned_down_db` > 0 where it had to be.
    """

    name: str
    lufs: float
    peak: float
    turned_down_db: float = 0.0


@dataclass(frozen=True, slots=True)
class RenderSummary:
    """All tracks, in the arrangement's order, kept stems last."""

    duration_s: float
    tracks: tuple[RenderedTrack, ...]


class TrackWriter(Protocol):
    def write(self, samples: NDArray[np.float32]) -> None:
        """Append float samples (2, n)."""


class _Stopped(Exception):
    """Another track failed, or the user stopped the work."""


def arrangement_duration_s(arrangement: Arrangement) -> float:
    """Return the length of every rendered track: the song's bars, later notes, and the tail."""
    timeline = arrangement.timeline
    ends = [sounding_end_s(track, timeline) for track in arrangement.tracks]
    return max(float(timeline.seconds(timeline.end_beat)), *ends, 0.0) + TAIL_S


def render(
    arrangement: Arrangement,
    settings: RenderSettings,
    open_track: Callable[[str], AbstractContextManager[TrackWriter]],
    *,
    stems: Mapping[str, Audio] | None = None,
    song: Timeline | None = None,
    only: Collection[str] | None = None,
    progress: Progress = silent,
) -> RenderSummary:
    """Render the tracks and the kept stems of an arrangement.

    Parameters
    ----------
    open_track : gives the writer of a track by name; called, and written to, from several threads
    stems : the song's stems by name; needed where `arrangement.kept_stems` names some
    song : the song's own timeline, needed with `stems`
    only : names of the tracks (and stems) to render; None is all

    Raises
    ------
    SoundfontError, DependencyError, OutputError, AudioFormatError : nothing of the failed track is left.
    ValueError : a stem is kept but `stems` or `song` lacks.
    """
    duration_s = arrangement_duration_s(arrangement)
    jobs: dict[str, Callable[..., Iterator[NDArray[np.float32]]]] = {}
    weights: dict[str, int] = {}
    wanted = [track for track in arrangement.tracks if only is None or track.name in only]
    soundfont = resolve_soundfont(settings.soundfont) if wanted else None
    for name in arrangement.kept_stems:
        if only is None or name in only:
            if song is None or stems is None or name not in stems:
                raise ValueError(f"the arrangement keeps the stem {name!r}: stems and song must be given")
            jobs[name] = partial(_stem_blocks, stems, name, song, arrangement)
            weights[name] = 1_000_000  # stretching is the longest job: first
    for track in wanted:
        assert soundfont is not None
        jobs[track.name] = partial(render_track, track, arrangement.timeline, soundfont=soundfont)
        weights[track.name] = len(track.notes)

    done_s = dict.fromkeys(jobs, 0.0)
    stop = threading.Event()

    def work(name: str) -> RenderedTrack:
        guard, level = _FullScaleGuard(CEILING), LevelMeter(settings.sample_rate)
        with open_track(name) as writer:
            for block in guard.blocks(jobs[name](sample_rate=settings.sample_rate, duration_s=duration_s)):
                if stop.is_set():
                    raise _Stopped
                writer.write(block)
                level.add(block)
                done_s[name] += block.shape[1] / settings.sample_rate
        if guard.turned_down_db > 0.1:
            logger.warning(
                "the track %r was too loud for its file: turned down %.1f dB", name, guard.turned_down_db
            )
        return RenderedTrack(name, level.lufs, guard.peak, guard.turned_down_db)

    with ThreadPoolExecutor(max_workers=max(min(_cores(), len(jobs)), 1)) as pool:
        futures: dict[str, Future[RenderedTrack]] = {}
        try:
            for name in sorted(jobs, key=lambda name: -weights[name]):
                futures[name] = pool.submit(work, name)
            pending = set(futures.values())
            while pending:
                finished, pending = wait(pending, timeout=_REPORT_EVERY_S, return_when=FIRST_EXCEPTION)
                for future in finished:
                    future.result()
                total_s = sum(done_s.values()) / (duration_s * len(jobs))
                progress(min(total_s, 1.0), f"{len(futures) - len(pending)} of {len(jobs)} tracks")
        except BaseException:
            stop.set()
            for future in futures.values():
                future.cancel()
            raise
    order = [*(track.name for track in wanted), *(name for name in arrangement.kept_stems if name in futures)]
    return RenderSummary(duration_s, tuple(futures[name].result() for name in order))


def _stem_blocks(
    stems: Mapping[str, Audio],
    name: str,
    song: Timeline,
    arrangement: Arrangement,
    *,
    sample_rate: int,
    duration_s: float,
) -> Iterator[NDArray[np.float32]]:
    """Yield a kept stem; a lazy `stems` reads it only now."""
    return stretch_stem(
        stems[name],
        song,
        arrangement.timeline,
        beat_ratio=arrangement.beat_ratio,
        sample_rate=sample_rate,
        duration_s=duration_s,
    )


def _cores() -> int:
    """Number of processor cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class _FullScaleGuard:
    """Turns a track down around the places where it would pass full scale; leaves all else as it is."""

    def __init__(self, ceiling: float) -> None:
        self._ceiling = ceiling
        self.peak = 0.0
        self.turned_down_db = 0.0

    def blocks(self, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Yield the blocks, one later than they come, so that the gain can move over a whole block."""
        waiting: NDArray[np.float32] | None = None
        gain_before = gain_waiting = 1.0
        for block in blocks:
            peak = float(np.abs(block).max(initial=0.0))
            self.peak = max(self.peak, min(peak, self._ceiling))
            gain = min(1.0, self._ceiling / peak) if peak > 0 else 1.0
            self.turned_down_db = max(self.turned_down_db, -20 * float(np.log10(gain)))
            if waiting is not None:
                yield _ramped(waiting, min(gain_before, gain_waiting), min(gain_waiting, gain))
                gain_before = gain_waiting
            waiting, gain_waiting = block, gain
        if waiting is not None:
            yield _ramped(waiting, min(gain_before, gain_waiting), gain_waiting)


def _ramped(block: NDArray[np.float32], gain_start: float, gain_end: float) -> NDArray[np.float32]:
    """Return the block with a gain that moves evenly; neither end may be too loud for the block."""
    if gain_start == gain_end == 1.0:
        return block
    return block * np.linspace(gain_start, gain_end, block.shape[1], dtype=np.float32)
