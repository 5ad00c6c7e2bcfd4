"""Where the beats are: dynamic programming along a drifting tempo, and beat times that can be played on.

Conventions: beats are *felt* beats (the quarter of 4/4 and 3/4, the dotted quarter of 6/8), as frames of
`FRAME_RATE_HZ` inside this file and as seconds in `BeatTrack`.

Limits: one tempo family per song (a tempo may drift by a sixth, not jump); below 46 and above 220 bpm the beat is
taken an octave off.

Sources: D. P. W. Ellis, "Beat tracking by dynamic programming", JNMR 2007, here with a local period, for all
candidate tempos at once; smoothing after E. T. Whittaker, "On a new method of graduation", 1923.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.bar_pointer import BeatActivations
from rearrange.analysis.bars import bar_starts
from rearrange.analysis.evidence import Evidence
from rearrange.analysis.heard_beats import TRUST, heard_sequences, place_gains, plainness, reading_score
from rearrange.analysis.metre import FEWEST_BEATS, MetreChoice, choose_metre
from rearrange.analysis.onsets import FRAME_RATE_HZ
from rearrange.analysis.tempo import HOP_S, candidate_periods, period_path, pulse_salience, tempogram

__all__ = ["BeatTrack", "beat_paths", "smooth_beats", "track_beats"]

Floats = NDArray[np.float64]

_TIGHTNESS = 150.0  # cost of a squared log deviation from the local period, in units of onset strength
_RATIOS = np.exp(np.linspace(-0.28, 0.28, 33))  # beat-to-beat intervals tried, as multiples of the local period
_STIFFNESS_BEATS = 3.0  # smoothing keeps tempo changes slower than about this many beats on either side
_JITTER_S = 0.02  # deviations beyond this are a misplaced beat rather than a player's push
# Clarity is the mean comb salience of the chosen tempo. Below the first value nothing repeats (noise measures
# 0.02 to 0.06); from the second up the pulse is plain (pop 0.25 to 0.6).
_CLARITY_RANGE = (0.05, 0.2)
_STEADY_BPM = 90.0  # the fallback grid, where nothing tells a tempo


@dataclass(frozen=True)
class BeatTrack:
    """Felt beats of a song.

    Parameters
    ----------
    times_s : (n_beats,) increasing, over the whole song
    beats_per_bar : felt beats: 4, 3, or 2 for 6/8
    phase : index of the first downbeat among `times_s`
    bar_starts : (n_bars,) indices of all downbeats; `beats_per_bar` apart but for a few bars of another length
    tempo_confidence, beat_confidence, bar_confidence : in [0, 1]; of the metrical level, of the beats, and of the
        bars if the beats are right
    """

    times_s: Floats
    beats_per_bar: int
    phase: int
    bar_starts: NDArray[np.int64]
    tempo_confidence: float
    beat_confidence: float
    bar_confidence: float

    @property
    def period_s(self) -> float:
        return float(np.median(np.diff(self.times_s)))


def track_beats(
    evidence: Sequence[Evidence],
    *,
    tempo_bpm: float | None = None,
    beats_per_bar: Sequence[int] = (2, 3, 4),
    heard: BeatActivations | None = None,
) -> BeatTrack:
    """Beats and bars of a song; a steady grid of no confidence where nothing tells them.

    Parameters
    ----------
    evidence : of the sound, of the notes, or both, of equal length
    heard : what a network heard in the sound, if it was asked
    tempo_bpm : felt beats per minute, if the user knows it
    beats_per_bar : the kinds of bar allowed: 4, 3, and 2 for 6/8
    """
    strength = np.asarray(np.mean([each.strength for each in evidence], axis=0), dtype=np.float64)
    duration_s = len(strength) / FRAME_RATE_HZ
    correlations = tempogram(strength)
    wanted = [60.0 / tempo_bpm] if tempo_bpm else []
    periods = np.asarray(wanted) if wanted else candidate_periods(correlations)
    if len(periods) == 0:
        return _steady_track(duration_s, tempo_bpm, beats_per_bar[-1])
    paths = np.stack([period_path(correlations, float(period)) for period in periods])
    sequences = beat_paths(strength, paths)
    besides, trust = None, None
    if heard is not None:
        sequences += heard_sequences(heard, tempo_bpm=tempo_bpm, beats_per_bar=beats_per_bar)
        besides, trust = partial(reading_score, heard), TRUST
    choice = choose_metre(evidence, sequences, beats_per_bar=beats_per_bar, besides=besides, trust=trust)
    if choice is None:
        return _steady_track(duration_s, tempo_bpm or 60.0 / float(periods[0]), beats_per_bar[-1])
    clarity = _clarity(correlations, choice.best.period_s)
    if heard is not None:
        clarity *= plainness(heard, choice.best)
    return _finished(evidence, strength, choice, clarity, heard)


def _clarity(correlations: Floats, period_s: float) -> float:
    """How plainly a period repeats, in [0, 1]."""
    low, high = _CLARITY_RANGE
    return float(np.clip((pulse_salience(correlations, period_s) - low) / (high - low), 0.0, 1.0))


def _steady_track(duration_s: float, tempo_bpm: float | None, beats_per_bar: int) -> BeatTrack:
    """A grid from 0 s on, with no confidence: what else would place the bars?"""
    period_s = 60.0 / (tempo_bpm or _STEADY_BPM)
    n_beats = max(FEWEST_BEATS, int(np.ceil(duration_s / period_s)) + 1)
    times_s = np.asarray(np.arange(n_beats) * period_s, dtype=np.float64)
    known = 1.0 if tempo_bpm else 0.0
    starts = np.arange(0, n_beats, beats_per_bar, dtype=np.int64)
    return BeatTrack(times_s, beats_per_bar, 0, starts, known, 0.0, 0.0)


def _finished(
    evidence: Sequence[Evidence],
    strength: Floats,
    choice: MetreChoice,
    clarity: float,
    heard: BeatActivations | None,
) -> BeatTrack:
    """The chosen beats refined, smoothed, and carried on to both ends of the song."""
    frames = choice.best.beat_frames
    refined, weights = _refined(strength, frames)
    times = smooth_beats(refined / FRAME_RATE_HZ, weights)
    first_period, last_period = (float(np.median(np.diff(part))) for part in (times[:5], times[-5:]))
    n_before = max(0, int(np.floor(times[0] / first_period)))
    duration_s = len(strength) / FRAME_RATE_HZ
    n_after = max(0, int(np.ceil((duration_s - times[-1]) / last_period)))
    before = times[0] - first_period * np.arange(n_before, 0, -1, dtype=np.float64)
    after = times[-1] + last_period * np.arange(1, n_after + 1, dtype=np.float64)
    everywhere = np.concatenate([before, times, after]).astype(np.float64)
    n_beats, phase = choice.best.beats_per_bar, (choice.best.phase + n_before) % choice.best.beats_per_bar
    frames = everywhere * FRAME_RATE_HZ
    besides = place_gains(heard, frames, n_beats) if heard is not None else None
    return BeatTrack(
        everywhere,
        n_beats,
        phase,
        bar_starts(evidence, frames, n_beats, phase, besides=besides),
        choice.beat_confidence,
        choice.beat_confidence * clarity,
        choice.bar_confidence,
    )


def beat_paths(strength: Floats, periods_s: Floats) -> list[Floats]:
    """The strongest sequence of beats along each tempo path.

    Parameters
    ----------
    strength : (n_frames,) onset strength
    periods_s : (n_paths, n_windows) local periods, a window every `HOP_S`

    Returns
    -------
    Beat frames of each path, increasing.
    """
    n_frames, n_paths = len(strength), len(periods_s)
    hop = int(HOP_S * FRAME_RATE_HZ)
    longest = int(np.ceil(periods_s.max() * FRAME_RATE_HZ * _RATIOS[-1])) + 1
    # The scores start with `longest` zeros, so that a first beat costs nothing.
    width = n_frames + longest
    scores = np.zeros((n_paths, width))
    flat = scores.reshape(-1)
    back = np.zeros((n_paths, n_frames), dtype=np.int32)
    cost = _TIGHTNESS * np.log(_RATIOS) ** 2
    rows = np.arange(n_paths)
    lags = np.zeros((n_paths, len(_RATIOS)), dtype=np.int64)
    for frame in range(n_frames):
        if frame == 0 or (frame + hop // 2) % hop == 0:
            window = min((frame + hop // 2) // hop, periods_s.shape[1] - 1)
            lags = np.rint(periods_s[:, window, None] * FRAME_RATE_HZ * _RATIOS).astype(np.int64)
            offsets = (rows * width + longest)[:, None] - lags
        values = flat[offsets + frame] - cost
        best = values.argmax(axis=1)
        scores[:, frame + longest] = values[rows, best] + strength[frame]
        back[:, frame] = lags[rows, best]
    return [_backtrack(scores[i, longest:], back[i], periods_s[i, -1]) for i in range(n_paths)]


def _backtrack(scores: Floats, back: NDArray[np.int32], last_period_s: float) -> Floats:
    """The path that ends best within the last beat."""
    start = max(0, len(scores) - max(1, int(last_period_s * FRAME_RATE_HZ)))
    frame = start + int(np.argmax(scores[start:]))
    path = []
    while frame >= 0:
        path.append(frame)
        frame -= int(back[frame])
    return np.asarray(path[::-1], dtype=np.float64)


def _refined(strength: Floats, frames: Floats) -> tuple[Floats, Floats]:
    """Beats moved to the centre of the onset within 30 ms, and the strength there."""
    shifts = np.arange(-3, 4)
    index = np.clip(np.rint(frames)[:, None].astype(int) + shifts, 0, len(strength) - 1)
    local = strength[index] ** 2
    weight = local.max(axis=1)
    total = local.sum(axis=1)
    moved = frames + np.where(total > 1e-9, (local * shifts).sum(axis=1) / np.maximum(total, 1e-9), 0.0)
    return np.asarray(moved), np.asarray(weight)


def smooth_beats(times_s: Floats, weights: Floats | None = None) -> Floats:
    """Beat times without the jitter of detection, with the drift of the music.

    Minimises the weighted squared deviation plus a penalty on changes of tempo (second differences);
    misplaced beats lose their weight in three rounds.

    Parameters
    ----------
    times_s : (n_beats,) increasing
    weights : (n_beats,) how sure each is; all alike if None
    """
    from scipy.linalg import solveh_banded

    n_beats = len(times_s)
    if n_beats < 4:
        return times_s
    base = np.ones(n_beats) if weights is None else 0.1 + weights / max(float(np.mean(weights)), 1e-9)
    base = np.minimum(base, 3.0)
    stiffness = _STIFFNESS_BEATS**4
    bands = _second_difference_bands(n_beats) * stiffness
    smooth = times_s
    robust = np.ones(n_beats)
    for _ in range(3):
        weight = base * robust
        system = bands.copy()
        system[2] += weight
        smooth = solveh_banded(system, weight * times_s)
        robust = 1.0 / (1.0 + ((times_s - smooth) / _JITTER_S) ** 2)
    # The penalty cannot make beats cross, but nothing later may divide by a zero interval.
    return np.asarray(smooth if np.all(np.diff(smooth) > 1e-3) else times_s)


def _second_difference_bands(n: int) -> Floats:
    """Upper bands (3, n) of D'D for the second-difference matrix D, as `solveh_banded` takes them."""
    bands = np.zeros((3, n))
    coefficients = (1.0, -2.0, 1.0)
    for i, a in enumerate(coefficients):
        for j, b in enumerate(coefficients[i:], start=i):
            bands[2 - (j - i), np.arange(n - 2) + j] += a * b
    return bands
