"""Beats and bars out of what a network hears: the best way through tempo, beat and place in the bar.

A state is a beat: the frame it falls on, the tempo that led to it, the kind of bar and the place in it. From beat
to beat the tempo may drift by a few steps of 3%, and a beat may fall a frame beside where the tempo would have it;
the kind of bar is one for the song. A beat gains the log odds of the network's beat, a downbeat besides those of a
downbeat, and a tempo its share; the best path is found by dynamic programming (Viterbi), for all kinds of bar at
once.

Conventions: `BeatActivations` are frames at `frame_rate_hz`; beats come as frames too. Scores are natural
logarithms. Bars of six are six beats; a caller makes what music it likes of them.

Limits: tempi from SLOWEST_BPM to FASTEST_BPM; bars of another length within a song are found afterwards (`bars`).
Cost: some 1 kB and 20 us a frame.

Sources: state space of F. Krebs, S. Böck and G. Widmer, "An efficient state-space model for joint tempo and meter
tracking" (ISMIR 2015), here as a semi-Markov chain from beat to beat, whose states are a tenth as many.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FASTEST_BPM",
    "SLOWEST_BPM",
    "BarPath",
    "BeatActivations",
    "DecoderWeights",
    "decode",
    "downbeat_share",
]

Floats = NDArray[np.floating]

SLOWEST_BPM, FASTEST_BPM = 40.0, 240.0
_STEP = 0.03  # from tempo to tempo, in logarithms
_STEPS = 3  # by so many the tempo may change at a beat
_BESIDE = np.array([0, -1, 1])  # frames that a beat may fall beside its place; the likeliest first
_LEAST_SHARE = 1e-3
_DOUBT, _ANY_DOWNBEAT = 0.1, 0.3  # activations far below the first say nothing about downbeats
_NEVER = -1e9


@dataclass(frozen=True, eq=False)
class BeatActivations:
    """What was heard.

    Parameters
    ----------
    beat, downbeat : (n_frames,) in [0, 1], how likely one falls there; a downbeat is a beat
    tempo : (n_frames, n_tempi) shares of `tempi_bpm`
    metre : (n_frames, n_metres) shares of `metres`, in felt beats per bar
    """

    frame_rate_hz: float
    beat: Floats
    downbeat: Floats
    tempo: Floats
    tempi_bpm: NDArray[np.float64]
    metre: Floats
    metres: tuple[int, ...]


@dataclass(frozen=True)
class DecoderWeights:
    """What counts how much.

    Parameters
    ----------
    beat : added to each beat's log odds: above 0 for more beats
    least_odds, most_odds : log odds of a beat are kept within these
    downbeat : of the log odds of downbeats, against those of beats
    tempo : of the log share of the tempo, for each second
    metre : of the mean log share of the kind of bar, for each second up to a minute
    change : cost of a step of the tempo
    beside : cost of a frame beside the place
    """

    beat: float = 0.5
    least_odds: float = -4.0
    most_odds: float = 4.0
    downbeat: float = 1.0
    tempo: float = 0.3
    metre: float = 0.3
    change: float = 2.0
    beside: float = 0.5


@dataclass(frozen=True, eq=False)
class BarPath:
    """The best path for a kind of bar: (n_beats,) increasing frames, each one's place in its bar, the score."""

    beats_per_bar: int
    frames: NDArray[np.int64]
    positions: NDArray[np.int64]
    score: float


def decode(
    heard: BeatActivations,
    *,
    metres: Sequence[int] = (2, 3, 4),
    tempi_bpm: tuple[float, float] = (SLOWEST_BPM, FASTEST_BPM),
    weights: DecoderWeights = DecoderWeights(),
) -> tuple[BarPath, ...]:
    """The best path for each kind of bar, the best of all first; none in less than two beats' time.

    Parameters
    ----------
    metres : beats per bar that are tried
    tempi_bpm : the slowest and the fastest that are tried

    Raises
    ------
    ValueError : no metre, or one of fewer than two beats; or a range of tempi that is empty.
    """
    if not metres or min(metres) < 2 or not 0 < tempi_bpm[0] <= tempi_bpm[1]:
        raise ValueError(f"cannot look for bars of {tuple(metres)} between {tempi_bpm} beats per minute")
    n_tempi = max(1, int(np.ceil(np.log(tempi_bpm[1] / tempi_bpm[0]) / _STEP)) + 1)
    periods = heard.frame_rate_hz * 60.0 / np.geomspace(tempi_bpm[0], tempi_bpm[1], n_tempi)  # in frames
    n_frames = len(heard.beat)
    if n_frames < 2 * periods.min():
        return ()
    chain = _Chain(periods, tuple(metres), weights)
    scores, back = chain.forward(_gains(heard, weights), _tempo_gains(heard, periods, weights))
    paths = [chain.path(scores, back, n_frames, metre, _metre_gain(heard, metre, weights)) for metre in metres]
    return tuple(sorted(paths, key=lambda path: -path.score))


def _gains(heard: BeatActivations, weights: DecoderWeights) -> Floats:
    """(n_frames, 2): what a beat gains that is no downbeat, and one that is."""
    beat = np.clip(np.asarray(heard.beat, dtype=np.float64), 1e-6, 1 - 1e-6)
    odds = np.clip(np.log(beat / (1 - beat)), weights.least_odds, weights.most_odds) + weights.beat
    share = downbeat_share(heard)
    return np.stack([odds + weights.downbeat * np.log(1 - share), odds + weights.downbeat * np.log(share)], axis=1)


def downbeat_share(heard: BeatActivations) -> Floats:
    """How likely a beat at each frame would be a downbeat, (n_frames,); where none is heard, as any beat is."""
    share = (heard.downbeat + _DOUBT * _ANY_DOWNBEAT) / (heard.beat + _DOUBT)
    return np.clip(np.asarray(share, dtype=np.float64), 0.02, 0.98)


def _tempo_gains(heard: BeatActivations, periods: Floats, weights: DecoderWeights) -> Floats:
    """(n_frames, n_periods): what a beat gains by the tempo that led to it, for as long as that lasted."""
    at = np.interp(
        np.log(heard.frame_rate_hz * 60.0 / periods), np.log(heard.tempi_bpm), np.arange(len(heard.tempi_bpm))
    )
    low = np.minimum(at.astype(np.int64), len(heard.tempi_bpm) - 2)
    logs = np.log(np.maximum(heard.tempo, _LEAST_SHARE))
    logs = logs[:, low] * (1 - (at - low)) + logs[:, low + 1] * (at - low)
    return np.asarray(logs * weights.tempo * periods / heard.frame_rate_hz, dtype=np.float32)


def _metre_gain(heard: BeatActivations, metre: int, weights: DecoderWeights) -> float:
    """By how much a kind of bar is likelier; one that the network does not know is as likely as its half."""
    known = metre if metre in heard.metres else metre // 2
    if known not in heard.metres:
        return 0.0
    seconds = min(len(heard.metre) / heard.frame_rate_hz, 60.0)
    share = float(np.mean(heard.metre[:, heard.metres.index(known)]))
    return weights.metre * seconds * float(np.log(max(share, _LEAST_SHARE)))


class _Chain:
    """The states of a song: tempi, and for each kind of bar its places one after another."""

    def __init__(self, periods: Floats, metres: tuple[int, ...], weights: DecoderWeights) -> None:
        self.periods, self.metres = periods, metres
        self.first = dict(zip(metres, np.cumsum([0, *metres[:-1]]).tolist(), strict=True))
        self.n_places = sum(metres)
        self.before = np.concatenate([first + np.roll(np.arange(n), 1) for n, first in self.first.items()])
        self.is_downbeat = np.isin(np.arange(self.n_places), list(self.first.values())).astype(np.int64)
        self.lags = np.rint(periods)[:, None].astype(np.int64) + _BESIDE  # (tempi, beside)
        self.beside_cost = weights.beside * np.abs(self.lags - periods[:, None])
        self.change_cost = weights.change * np.abs(np.arange(-_STEPS, _STEPS + 1))

    def forward(self, gains: Floats, tempo_gains: Floats) -> tuple[Floats, NDArray[np.uint8]]:
        """Scores (frames, tempi, places) of the last beats, and the way back (n_frames, tempi, places)."""
        n_frames, n_tempi = tempo_gains.shape
        longest = int(self.lags.max())
        block = int(self.lags.min())  # frames that cannot follow one another
        # What a beat's score is worth to the next one, by the next one's tempo. A first beat costs nothing.
        worth = np.zeros((n_frames + longest, n_tempi, self.n_places), dtype=np.float32)
        back = np.zeros((n_frames, n_tempi, self.n_places), dtype=np.uint8)
        scores = np.empty((longest, n_tempi, self.n_places), dtype=np.float32)
        tempi = np.arange(n_tempi)[:, None]
        obs = np.asarray(gains[:, self.is_downbeat], dtype=np.float32)  # (frames, places)
        beside_cost = self.beside_cost[None, :, :, None].astype(np.float32)
        for start in range(0, n_frames, block):
            frames = np.arange(start, min(start + block, n_frames))
            values = worth[frames[:, None, None] + longest - self.lags, tempi] - beside_cost
            which = values.argmax(axis=2)  # (frames, tempi, places before)
            came = np.take_along_axis(values, which[:, :, None], axis=2)[:, :, 0]
            now = came[:, :, self.before] + obs[frames][:, None, :] + tempo_gains[frames][:, :, None]
            worth[frames + longest], step = self._worth(now)
            back[frames] = which[:, :, self.before]
            back[frames] |= (step << 2).astype(np.uint8)
            scores[frames % longest] = now
        return scores, back

    def _worth(self, now: Floats) -> tuple[Floats, NDArray[np.int64]]:
        """Of the scores of beats by tempo, the best for each tempo that follows, and from how many steps away."""
        padded = np.pad(now, ((0, 0), (_STEPS, _STEPS), (0, 0)), constant_values=_NEVER)
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _STEPS + 1, axis=1)
        values = windows - self.change_cost.astype(np.float32)
        step = values.argmax(axis=-1)
        return np.take_along_axis(values, step[..., None], axis=-1)[..., 0], step

    def path(self, scores: Floats, back: NDArray[np.uint8], n_frames: int, metre: int, gain: float) -> BarPath:
        """The best path for a kind of bar that ends within its last beat."""
        first, longest = self.first[metre], len(scores)
        ends = np.arange(max(n_frames - longest, 0), n_frames)
        last = scores[ends % longest][:, :, first : first + metre].astype(np.float64)
        ago = n_frames - ends
        last[ago[:, None] > self.periods[None, :] + 1] = _NEVER
        at, tempo, place = (int(index) for index in np.unravel_index(int(last.argmax()), last.shape))
        score = float(last[at, tempo, place]) + gain
        frame = int(ends[at])
        frames, positions = [], []
        while frame >= 0:
            frames.append(frame)
            positions.append(place)
            beside = int(back[frame, tempo, first + place]) & 3
            frame -= int(self.lags[tempo, beside])
            place = (place - 1) % metre
            if frame >= 0:
                tempo += (int(back[frame, tempo, first + place]) >> 2) - _STEPS
        return BarPath(metre, np.array(frames[::-1]), np.array(positions[::-1]), score)
