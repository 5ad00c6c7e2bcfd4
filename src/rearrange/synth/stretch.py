"""Stretch a kept stem of the song to the arrangement's timeline, without changing its pitch.

Time in the song goes to beats, beats to beats of the arrangement, and those to seconds. Where that map is
straight enough it is followed with one ratio (a phase vocoder does not like its ratio to wobble with
the jitter of tracked beats); where it bends, the stem is cut, at the quietest moment near by. Every cut lands
where the map says, so that nothing drifts.

Limits: ratios beyond 0.5 to 2 sound stretched. Needs the stem in memory, gives blocks.
Source: Signalsmith Stretch through python-stretch, whose `process` is exact in time for one piece.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio, resample
from rearrange.errors import DependencyError
from rearrange.score import Timeline

__all__ = ["stretch_stem"]

logger = logging.getLogger(__name__)

UNTOUCHED_S = 0.005  # a stem that is nowhere further off than this is left as it is
BEND_S = 0.012  # how far a piece may be off the map inside: well below what is heard as out of time
UNTOUCHED_RATIO = 0.001
MAX_PIECE_S = 20.0  # bounds memory, and the time between two progress reports
MIN_PIECE_S = 1.0
CUT_SEARCH_S = 0.3  # how far from a bend the quietest moment is looked for
CONTEXT_S = 0.25  # of sound on either side of a piece, so that the vocoder is settled at its ends
CROSSFADE_S = 0.03
OUTPUT_BLOCK_S = 1.0
_SEED = 1


@dataclass(frozen=True, slots=True)
class _Piece:
    """Seconds in the song, and where they go in the arrangement."""

    start_s: float
    end_s: float
    target_start_s: float
    target_end_s: float

    @property
    def ratio(self) -> float:
        """Length in the arrangement over length in the song."""
        return (self.target_end_s - self.target_start_s) / (self.end_s - self.start_s)


def stretch_stem(
    stem: Audio,
    song: Timeline,
    arrangement: Timeline,
    *,
    beat_ratio: float = 1.0,
    sample_rate: int = 44100,
    duration_s: float,
) -> Iterator[NDArray[np.float32]]:
    """Yield the stem in the arrangement's time from 0 s to `duration_s`, as stereo blocks (2, n).

    Parameters
    ----------
    beat_ratio : beats of the arrangement for one beat of the song
    sample_rate : of what is yielded, in Hz

    Raises
    ------
    DependencyError : python-stretch is not installed.
    """
    stem = resample(stem, sample_rate)
    left, right = stem.samples[0], stem.samples[min(stem.channels - 1, 1)]
    pieces = _pieces(stem, song, arrangement, beat_ratio)
    logger.info("stretching %d pieces, by %.3f on average", len(pieces), float(np.mean([p.ratio for p in pieces])))
    n_total = round(duration_s * sample_rate)
    fade = 2 * _half_fade(sample_rate)
    yielded = 0
    tail = np.zeros((2, 0), np.float32)
    for piece in pieces:
        first, last = piece is pieces[0], piece is pieces[-1]
        sound = _stretched(left, right, piece, sample_rate)  # from fade / 2 before the piece to fade / 2 after
        start = round(piece.target_start_s * sample_rate)
        end = round(piece.target_end_s * sample_rate)
        if first:
            sound = sound[:, fade // 2 :]
            if start > 0:
                sound = np.concatenate([np.zeros((2, start), np.float32), sound], axis=1)
            else:
                sound = sound[:, -start:]
        else:
            rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)).astype(np.float32)
            sound[:, :fade] *= rise
            sound[:, :fade] += tail * (1 - rise)
        upto = max(end - (0 if last else fade // 2) - yielded, 0)
        tail = sound[:, upto : upto + fade]
        sound = sound[:, : min(upto, n_total - yielded)]
        block = round(OUTPUT_BLOCK_S * sample_rate)
        for at in range(0, sound.shape[1], block):
            yield sound[:, at : at + block]
        yielded += sound.shape[1]
        if yielded >= n_total:
            return
    while yielded < n_total:
        n = min(n_total - yielded, round(OUTPUT_BLOCK_S * sample_rate))
        yield np.zeros((2, n), np.float32)
        yielded += n


def _pieces(stem: Audio, song: Timeline, arrangement: Timeline, beat_ratio: float) -> list[_Piece]:
    """Cut the stem where the map from song to arrangement bends."""

    def target_s(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return arrangement.seconds(song.beats(time_s) * beat_ratio)

    end_s = stem.duration_s
    beats = np.arange(math.ceil(song.beats(0.0)), math.floor(song.beats(end_s)) + 1)
    inside = song.seconds(beats)
    points = np.unique(np.concatenate([[0.0], inside[(inside > 0) & (inside < end_s)], [end_s]]))
    targets = target_s(points)
    if np.abs(targets - points).max() <= UNTOUCHED_S:
        return [_Piece(0.0, end_s, 0.0, end_s)]
    cuts = [0.0]
    start = 0
    for i in range(2, len(points)):
        straight = np.interp(points[start : i + 1], points[[start, i]], targets[[start, i]])
        bends = np.abs(straight - targets[start : i + 1]).max() > BEND_S
        if (bends or points[i] - points[start] > MAX_PIECE_S) and points[i - 1] - cuts[-1] >= MIN_PIECE_S:
            cuts.append(_quietest(stem, points[i - 1], cuts[-1]))
            start = i - 1
    if len(cuts) > 1 and end_s - cuts[-1] < MIN_PIECE_S:
        cuts.pop()
    times = np.array([*cuts, end_s])
    landed = target_s(times)
    return [
        _Piece(float(a), float(b), float(c), float(d))
        for a, b, c, d in zip(times[:-1], times[1:], landed[:-1], landed[1:], strict=True)
    ]


def _quietest(stem: Audio, near_s: float, after_s: float) -> float:
    """Return the quietest moment of the stem close to a time, and at least half a piece after another."""
    rate = stem.sample_rate
    hop = max(rate // 100, 1)
    low = max(near_s - CUT_SEARCH_S, after_s + MIN_PIECE_S / 2)
    high = min(near_s + CUT_SEARCH_S, stem.duration_s - CROSSFADE_S)
    around = stem.samples[:, round(low * rate) : round(high * rate)]
    n_hops = around.shape[1] // hop
    if n_hops < 5:
        return near_s
    power = np.square(around[:, : n_hops * hop]).reshape(len(around), n_hops, hop).sum(axis=(0, 2))
    smooth = np.convolve(power, np.ones(5), mode="valid")  # 50 ms, a little more than the crossfade
    return float(low + (np.argmin(smooth) + 2.5) * hop / rate)


def _stretched(
    left: NDArray[np.float32], right: NDArray[np.float32], piece: _Piece, sample_rate: int
) -> NDArray[np.float32]:
    """Return a piece in its new length, with half a crossfade more on either side: (2, n)."""
    n_out = round(piece.target_end_s * sample_rate) - round(piece.target_start_s * sample_rate)
    half = _half_fade(sample_rate)
    start, end = round(piece.start_s * sample_rate), round(piece.end_s * sample_rate)
    if abs(piece.ratio - 1) <= UNTOUCHED_RATIO and abs(n_out - (end - start)) <= UNTOUCHED_S * sample_rate:
        return _excerpt(left, right, start - half, start - half + n_out + 2 * half)
    try:
        from python_stretch.Signalsmith import Stretch
    except ImportError as exc:
        raise DependencyError(
            "the Python package python-stretch is missing", "pip install python-stretch"
        ) from exc
    context = round(CONTEXT_S * sample_rate)
    stretch = Stretch(_SEED)
    stretch.preset(2, float(sample_rate))
    stretch.setTimeFactor(1.0 / piece.ratio)
    excerpt = _excerpt(left, right, start - context, end + context)
    sound: NDArray[np.float32] = np.asarray(stretch.process(excerpt), dtype=np.float32)
    at = round(context * piece.ratio) - half
    return _excerpt(sound[0], sound[1], at, at + n_out + 2 * half)


def _half_fade(sample_rate: int) -> int:
    return round(CROSSFADE_S / 2 * sample_rate)


def _excerpt(left: NDArray[np.float32], right: NDArray[np.float32], start: int, end: int) -> NDArray[np.float32]:
    """Return samples `start` to `end` as (2, n), silence beyond the ends of the arrays."""
    excerpt = np.zeros((2, end - start), np.float32)
    low, high = max(start, 0), min(end, len(left))
    if low < high:
        excerpt[0, low - start : high - start] = left[low:high]
        excerpt[1, low - start : high - start] = right[low:high]
    return excerpt
