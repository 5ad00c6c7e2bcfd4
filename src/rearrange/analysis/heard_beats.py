"""What a network hears of beats and bars, brought to the question which reading of the metre is right.

The network proposes beats (`bar_pointer`), beside those that onsets propose (`tempo`), and it has its say about
every reading: how likely its beats are, its downbeats, its tempo and its kind of bar. What it says is added to
what the linear model of `metre` says; where it hears little, that decides alone.

Conventions: as in `beats`: beats as frames of `onsets.FRAME_RATE_HZ`. A path with six beats to the bar is proposed
as it is, and, since those may be eighths, with every third of its beats.

Source: WEIGHTS and TRUST are fitted: softmax regression over the readings of 100 validation takes (50 with fonts
that train, 50 with the one that does not), L2 0.003. `_LEAST_METRE` is set: the network
learnt from few waltzes, and its word against one is worth no more. On the 48 excerpts of `training.heard_fits`,
nearly all in 4/4, every value up to 0.1 chooses readings that are as good.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.bar_pointer import (
    FASTEST_BPM,
    SLOWEST_BPM,
    BeatActivations,
    decode,
    downbeat_share,
)
from rearrange.analysis.metre import FEWEST_BEATS, Hypothesis
from rearrange.analysis.onsets import FRAME_RATE_HZ

__all__ = ["TRUST", "WEIGHTS", "heard_features", "heard_sequences", "place_gains", "plainness", "reading_score"]

Floats = NDArray[np.float64]

WEIGHTS: Mapping[str, float] = {"beats": 3.9, "evenness": 3.0, "downbeats": 0.79, "tempo": 0.19, "metre": 1.07}
# How much the linear model counts beside a network, by what it was told by.
TRUST: Mapping[str, float] = {"sound": 0.2, "notes": 0.72}
_PLAIN_RANGE = (0.3, 0.6)  # mean activation on the beats: 0.66 to 0.89 in a dozen bands
_DRIFT = 1.16  # how far a song may stray from a tempo that is known or tried
_RELATIVES = (2.0, 0.5, 1.5, 2 / 3, 3.0, 1 / 3)
_FAINT = 0.05  # an activation that is nothing beside this
_LEAST_TEMPO, _LEAST_METRE = 0.02, 0.1  # shares below which differences mean nothing
_TEMPO_RANGE = 0.1  # in logarithms: two or three classes of the network's
_NEAR_FRAMES = 2  # of the network's, within which a reading's beat is one that was heard


def heard_sequences(
    heard: BeatActivations, *, tempo_bpm: float | None, beats_per_bar: Sequence[int]
) -> list[Floats]:
    """Beats as the network would have them, for each kind of bar, and at tempi that the best is mistaken for."""
    tempi_bpm = (SLOWEST_BPM, FASTEST_BPM) if tempo_bpm is None else (tempo_bpm / _DRIFT, tempo_bpm * _DRIFT)
    six = (6,) if {2, 3} <= set(beats_per_bar) and tempo_bpm is None else ()
    paths = list(decode(heard, metres=(*beats_per_bar, *six), tempi_bpm=tempi_bpm))
    if paths and len(paths[0].frames) >= FEWEST_BEATS and tempo_bpm is None:
        best_bpm = 60.0 * heard.frame_rate_hz / float(np.median(np.diff(paths[0].frames)))
        for relative_bpm in (best_bpm * ratio for ratio in _RELATIVES):
            if SLOWEST_BPM <= relative_bpm <= FASTEST_BPM:
                around = (relative_bpm / _DRIFT, relative_bpm * _DRIFT)
                paths += decode(heard, metres=tuple(beats_per_bar), tempi_bpm=around)[:1]
    found: list[NDArray[np.int64]] = []
    for path in paths:
        thirds = [path.frames[path.positions % 3 == 0]] if path.beats_per_bar == 6 else []
        for frames in (path.frames, *thirds):
            if len(frames) >= FEWEST_BEATS and not any(np.array_equal(frames, other) for other in found):
                found.append(frames)
    return [np.asarray(frames * (FRAME_RATE_HZ / heard.frame_rate_hz)) for frames in found]


def reading_score(heard: BeatActivations, reading: Hypothesis) -> float:
    """Log odds of a reading by what was heard, up to a constant of the song."""
    return sum(WEIGHTS[name] * value for name, value in heard_features(heard, reading).items())


def heard_features(heard: BeatActivations, reading: Hypothesis) -> dict[str, float]:
    """What was heard of a reading: its beats, the weaker half of them (every other one) against the stronger, its
    downbeats against other beats, its tempo, its kind of bar."""
    n_frames, n = len(heard.beat), reading.beats_per_bar
    at = np.rint(reading.beat_frames * (heard.frame_rate_hz / FRAME_RATE_HZ)).astype(np.int64)
    near = np.clip(at[:, None] + np.arange(-_NEAR_FRAMES, _NEAR_FRAMES + 1), 0, n_frames - 1)
    downbeat = heard.downbeat[near].max(axis=1)
    beat = heard.beat[near].max(axis=1)
    every_other = sorted((float(np.mean(beat[::2])), float(np.mean(beat[1::2]))))
    is_first = (np.arange(len(at)) - reading.phase) % n == 0
    alike = np.abs(np.log(heard.tempi_bpm * reading.period_s / 60.0)) < _TEMPO_RANGE
    metre = float(np.mean(heard.metre[:, heard.metres.index(n)])) if n in heard.metres else 0.0
    return {
        "beats": float(np.mean(beat)),
        "evenness": float(np.log((every_other[0] + _FAINT) / (every_other[1] + _FAINT))),
        "downbeats": float(np.mean(downbeat[is_first]) - np.mean(downbeat[~is_first])),
        "tempo": float(np.log(max(float(np.mean(heard.tempo[:, alike].sum(axis=1))), _LEAST_TEMPO))),
        "metre": float(np.log(max(metre, _LEAST_METRE))),
    }


def plainness(heard: BeatActivations, reading: Hypothesis) -> float:
    """How plainly the beats of a reading were heard, in [0, 1]: 0 of a tone that is held, 1 of most songs."""
    low, high = _PLAIN_RANGE
    return float(np.clip((heard_features(heard, reading)["beats"] - low) / (high - low), 0.0, 1.0))


def place_gains(heard: BeatActivations, beat_frames: Floats, beats_per_bar: int) -> Floats:
    """How well each beat fits each place in the bar by what was heard, (n_beats, beats_per_bar)."""
    at = np.rint(beat_frames * (heard.frame_rate_hz / FRAME_RATE_HZ)).astype(np.int64)
    share = downbeat_share(heard)[np.clip(at, 0, len(heard.beat) - 1)]
    share = np.where((at >= 0) & (at < len(heard.beat)), share, 1.0 / beats_per_bar)
    gains = np.repeat(np.log(1 - share)[:, None], beats_per_bar, axis=1)
    gains[:, 0] = np.log(share)
    return np.asarray(gains - gains.mean(axis=1, keepdims=True))
