"""Mix: rendered tracks to one master, by the genre's mix table, through one graph of FFmpeg filters.

Every track is brought to the same loudness while it sounds (TRACK_LUFS) before it enters the desk. `level_db`
of a table is therefore a difference in loudness, whatever the soundfont. Several tracks of one role share its
level, and take turns on either side of the middle.

The mix is kept (in memory up to SPOOL_BYTES, then in a temporary file) while it is measured; then gain
and limiter bring it to the wanted loudness below the wanted true peak, and it is given to `write`.
The first sample is the timeline's 0 s; the end is where the last sound has died away.
"""

import logging
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import IO

import numpy as np
from numpy.typing import NDArray

from rearrange.errors import OutputError, TooLittleMusicError
from rearrange.mixtable import MixTable
from rearrange.progress import Progress, silent, span
from rearrange.score import Arrangement, Role
from rearrange.synth.desk import Channel, Desk
from rearrange.synth.effects import TRACK_LUFS, hiss
from rearrange.synth.levels import TrackSource, sounding_lufs
from rearrange.synth.master import LimiterGain, MasterMeter, find_gain

__all__ = ["VERSION", "MixReport", "MixSettings", "TrackSource", "mix"]

logger = logging.getLogger(__name__)

VERSION = 1
BLOCK = 16384  # samples that go through the graph at a time; larger ones leave the processor's cache
READ_BLOCKS = 2  # blocks that are decoded at a time: 1 costs a fifth more, 4 and 8 make the graph wait (measured)
SPOOL_BYTES = 256 * 2**20
# A track that is quieter than this allows is not brought up all the way: a stem that holds nothing but what
# leaked from others stays in the background.
MAX_TRACK_GAIN_DB, MAX_STEM_GAIN_DB = 30.0, 12.0
_TAIL_FLOOR = 10 ** (-66 / 20)  # of the mix's peak: what stays below it at the end is cut off
_FADE_S = 0.3
_NOISE_FADE_S = 2.0  # a record is not over before its needle is lifted
_CEILING_MARGIN_DB = 0.15  # for what 16 bits, or a meter of another kind, make of the peaks
_KICKS = (35, 36)  # General MIDI: acoustic bass drum, bass drum 1
_TIGHT_LU = 0.5


@dataclass(frozen=True, slots=True)
class MixSettings:
    """`sample_rate` in Hz is that of the tracks and of the mix."""

    loudness_lufs: float = -14.0
    true_peak_dbtp: float = -1.0
    sample_rate: int = 44100


@dataclass(frozen=True, slots=True)
class MixReport:
    """What came out. `limiting_db` is the most that the limiter took; `track_lufs` what went in."""

    loudness_lufs: float
    true_peak_dbtp: float
    duration_s: float
    limiting_db: float
    track_lufs: Mapping[str, float]


def mix(
    arrangement: Arrangement,
    table: MixTable,
    sources: Mapping[str, TrackSource],
    settings: MixSettings,
    write: Callable[[NDArray[np.float32]], None],
    *,
    track_lufs: Mapping[str, float] | None = None,
    progress: Progress = silent,
) -> MixReport:
    """Mix tracks and kept stems to a stereo master.

    Parameters
    ----------
    sources : by the names of tracks and kept stems; one that is missing is muted. Mono or stereo.
    write : takes the master as consecutive blocks (2, n)
    track_lufs : loudness of tracks while they sound, from `RenderSummary`; what lacks is measured here

    Raises
    ------
    TooLittleMusicError : all tracks are silent.
    RearrangeError : the filters cannot be built, or fail.
    OutputError : there is no room for the temporary file.
    """
    rate = settings.sample_rate
    unknown = set(sources) - {track.name for track in arrangement.tracks} - set(arrangement.kept_stems)
    if unknown:
        raise ValueError(f"the arrangement has no tracks {sorted(unknown)}")
    with ThreadPoolExecutor(max_workers=2) as pool, tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        progress(0.0, "measuring the tracks")
        expected_s = float(arrangement.timeline.seconds(arrangement.timeline.end_beat)) + 3.0
        loudness = {name: lufs for name, lufs in (track_lufs or {}).items() if name in sources}
        missing = [name for name in sources if name not in loudness]
        measured = pool.map(lambda name: sounding_lufs(sources[name], rate, expected_s=expected_s), missing)
        loudness |= dict(zip(missing, measured, strict=True))
        channels = _channels(arrangement, table, loudness)
        if not channels:
            raise TooLittleMusicError("there is nothing to mix: every track is silent")
        desk = Desk(
            channels,
            table,
            tempo_bpm=arrangement.timeline.mean_tempo_bpm,
            kicks_s=_kicks_s(arrangement),
            seed=arrangement.seed,
            sample_rate=rate,
            master_lufs=settings.loudness_lufs,
        )
        played = _played(desk, sources, pool, expected_s=expected_s, progress=span(progress, 0.05, 0.85))
        meter = _keep(played, spool, rate, pool)
        ceiling = 10 ** ((settings.true_peak_dbtp - _CEILING_MARGIN_DB) / 20)
        gain = find_gain(meter, target_lufs=settings.loudness_lufs, ceiling=ceiling)
        progress(0.85, "mastering")
        floor = max(_TAIL_FLOOR * meter.true_peak, 1.5 * desk.noise_peak)
        fade_s = _NOISE_FADE_S if desk.noise_peak > 0 else _FADE_S
        end = min(meter.sounding_end(floor) + round(fade_s * rate), meter.n_samples)
        report = _master(spool, meter, gain, write, end=end, fade_s=fade_s, track_lufs=loudness)
    if abs(report.loudness_lufs - settings.loudness_lufs) > _TIGHT_LU:
        message = "the mix has %.1f LUFS, not %.1f: its peaks leave no room for more"
        logger.warning(message, report.loudness_lufs, settings.loudness_lufs)
    progress(1.0, f"{report.loudness_lufs:.1f} LUFS, {report.true_peak_dbtp:.1f} dBTP")
    return report


def _channels(arrangement: Arrangement, table: MixTable, loudness: Mapping[str, float]) -> list[Channel]:
    """Return a channel per sounding track, with its role's mix."""

    def sounds(name: str) -> bool:
        return math.isfinite(loudness.get(name, -math.inf))

    channels = []
    sounding = [track for track in arrangement.tracks if sounds(track.name)]
    for track in sounding:
        role = table.role(track.role)
        same = [other.name for other in sounding if other.role is track.role]
        side = -1 if same.index(track.name) % 2 else 1
        gain_db = min(TRACK_LUFS - loudness[track.name], MAX_TRACK_GAIN_DB)
        level_db = role.level_db - 10 * math.log10(len(same))
        channels.append(Channel(track.name, track.role, replace(role, pan=side * role.pan), gain_db, level_db))
    for name in arrangement.kept_stems:
        if sounds(name):
            gain_db = min(TRACK_LUFS - loudness[name], MAX_STEM_GAIN_DB)
            channels.append(Channel(name, None, table.vocals, gain_db, table.vocals.level_db))
    return channels


def _kicks_s(arrangement: Arrangement) -> list[float]:
    """When the bass drum is struck, in seconds, in order."""
    beats = [
        note.onset_beat
        for track in arrangement.tracks
        if track.role is Role.DRUMS and track.is_drum
        for note in track.notes
        if note.pitch in _KICKS
    ]
    return [float(time_s) for time_s in np.unique(arrangement.timeline.seconds(beats))] if beats else []


def _played(
    desk: Desk, sources: Mapping[str, TrackSource], pool: Executor, *, expected_s: float, progress: Progress
) -> Iterator[NDArray[np.float32]]:
    """Yield the mix before mastering: all tracks, then silence until the effects have died away.

    Tracks are decoded ahead, in other threads, in pieces of several blocks.
    """
    piece = READ_BLOCKS * BLOCK
    readers = {name: sources[name](block_s=piece / desk.sample_rate) for name in desk.names}

    def read() -> dict[str, Future[tuple[NDArray[np.float32], int]]]:
        return {name: pool.submit(_next_piece, reader, piece) for name, reader in readers.items()}

    # A reader is one generator: its pieces must be asked for one after the other.
    ahead = read()
    position, left = 0, desk.tail
    while True:
        pieces = {name: future.result() for name, future in ahead.items()}
        n = max(length for _, length in pieces.values())
        if n:
            ahead = read()
        else:
            n = min(left, piece)
            left -= n
            if not n:
                break
        for start in range(0, n, BLOCK):
            stop = min(start + BLOCK, n)
            yield from desk.play({name: sound[:, start:stop] for name, (sound, _) in pieces.items()})
            position += stop - start
            progress(min(position / desk.sample_rate / expected_s, 1.0), "mixing")
    yield from desk.end()


def _next_piece(reader: Iterator[NDArray[np.float32]], n: int) -> tuple[NDArray[np.float32], int]:
    """Return the next samples as (2, n), mono on both sides, with hiss; and how many of them are the track's."""
    piece = hiss(n)
    block = next(reader, None)
    if block is None:
        return piece, 0
    piece[:, : block.shape[1]] += block
    return piece, block.shape[1]


def _keep(
    played: Iterator[NDArray[np.float32]], spool: IO[bytes], sample_rate: int, pool: Executor
) -> MasterMeter:
    """Write the mix to the spool, interleaved, and measure it meanwhile.

    Raises
    ------
    OutputError : there is no room for it.
    """
    meter = MasterMeter(sample_rate)
    measuring: Future[None] | None = None
    for block in played:
        try:
            spool.write(np.ascontiguousarray(block.T).data)
        except OSError as exc:
            folder = tempfile.gettempdir()
            raise OutputError(
                f"no room for the mix in {folder}: {exc.strerror or exc}", "set TMPDIR to a folder with room"
            ) from exc
        if measuring is not None:
            measuring.result()
        measuring = pool.submit(meter.add, block)
    if measuring is not None:
        measuring.result()
    meter.finish()
    return meter


def _master(
    spool: IO[bytes],
    meter: MasterMeter,
    gain: LimiterGain,
    write: Callable[[NDArray[np.float32]], None],
    *,
    end: int,
    fade_s: float,
    track_lufs: Mapping[str, float],
) -> MixReport:
    """Apply gain, limiter and fade to what was kept, up to the sample `end`, and write it."""
    rate = meter.sample_rate
    fade = max(min(round(fade_s * rate), end), 1)
    achieved = MasterMeter(rate, peaks=False)
    spool.seek(0)
    for start in range(0, end, BLOCK):
        n = min(BLOCK, end - start)
        kept = np.frombuffer(spool.read(n * 2 * 4), np.float32).reshape(-1, 2).T
        block = gain.apply(kept, start)
        if start + n > end - fade:
            left = end - np.arange(start, start + n)
            block = block * np.minimum(left / fade, 1.0).astype(np.float32)
        achieved.add(block)
        write(np.ascontiguousarray(block))
    achieved.finish()
    peak = float(gain.peaks(meter.bin_peaks).max(initial=0.0))
    peak_dbtp = 20 * math.log10(peak) if peak > 0 else -math.inf
    logger.info("mixed: %.1f LUFS, %.1f dBTP, limited by %.1f dB", achieved.lufs, peak_dbtp, gain.limiting_db)
    return MixReport(achieved.lufs, peak_dbtp, end / rate, gain.limiting_db, track_lufs)
