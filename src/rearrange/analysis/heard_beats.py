"""What a network hears of beats and bars, brought to the question which reading of the metre is right.

The network proposes beats (`bar_pointer`), beside those that onsets propose (`tempo`), and it has its say about
every reading: how likely its beats are, its downbeats, its tempo and its kind of bar. What it says is added to
what the linear model of `metre` says; where it hears little, that decides alone.

Conventions: as in `beats`: beats as frames of `onsets.FRAME_RATE_HZ`. A path with six beats to the bar is proposed
as it is, and, since those may be eighths, with every third of its beats.

Source: WEIGHTS are fitted: log odds of a reading, by softmax regression over the readings of validation takes.
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

__all__ = ["WEIGHTS", "heard_features", "heard_sequences", "place_gains", "reading_score"]

Floats = NDArray[np.float64]

WEIGHTS: Mapping[str, float] = {
    "beats": 4.0,
    "missed": -4.0,
    "downbeats": 8.0,
    "tempo": 1.0,
    "metre": 1.0,
}
_DRIFT = 1.16  # how far a song may stray from a tempo that is known or tried
_RELATIVES = (2.0, 0.5, 1.5, 2 / 3, 3.0, 1 / 3)
_LEAST = 0.02  # shares below which differences mean nothing
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
    """What was heard of a reading: means over its beats, and the share of beats heard that it misses."""
    at = reading.beat_frames * (heard.frame_rate_hz / FRAME_RATE_HZ)
    frames = np.clip(np.rint(at).astype(np.int64), 0, len(heard.beat) - 1)
    near = np.clip(frames[:, None] + np.arange(-_NEAR_FRAMES, _NEAR_FRAMES + 1), 0, len(heard.beat) - 1)
    beat = heard.beat[near].max(axis=1)
    share = downbeat_share(heard)[near[np.arange(len(near)), heard.beat[near].argmax(axis=1)]]
    places = (np.arange(len(frames)) - reading.phase) % reading.beats_per_bar
    fits = np.where(places == 0, np.log(share), np.log(1 - share))
    bpm = 60.0 / reading.period_s
    tempo = np.sum(heard.tempo * (np.abs(np.log(heard.tempi_bpm / bpm)) < _TEMPO_RANGE), axis=1)
    peaks = heard.beat * (heard.beat >= np.maximum(np.roll(heard.beat, 1), np.roll(heard.beat, -1)))
    told = float(np.sum(peaks))
    inside = np.zeros(len(peaks), dtype=bool)
    inside[near] = True
    known = reading.beats_per_bar in heard.metres
    of_metre = heard.metre[:, heard.metres.index(reading.beats_per_bar)] if known else np.full(1, _LEAST)
    return {
        "beats": float(np.mean(beat)),
        "missed": 1.0 - float(np.sum(peaks * inside)) / max(told, 1e-9),
        "downbeats": float(np.mean(fits)),
        "tempo": float(np.log(max(float(np.mean(tempo)), _LEAST))),
        "metre": float(np.log(max(float(np.mean(of_metre)), _LEAST))),
    }


def place_gains(heard: BeatActivations, beat_frames: Floats, beats_per_bar: int) -> Floats:
    """How well each beat fits each place in the bar by what was heard, (n_beats, beats_per_bar)."""
    at = np.rint(beat_frames * (heard.frame_rate_hz / FRAME_RATE_HZ)).astype(np.int64)
    share = downbeat_share(heard)[np.clip(at, 0, len(heard.beat) - 1)]
    share = np.where((at >= 0) & (at < len(heard.beat)), share, 1.0 / beats_per_bar)
    gains = np.repeat(np.log(1 - share)[:, None], beats_per_bar, axis=1)
    gains[:, 0] = np.log(share)
    return np.asarray(gains - gains.mean(axis=1, keepdims=True))
