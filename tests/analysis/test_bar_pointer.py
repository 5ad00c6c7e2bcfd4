"""Beats and bars of activations made by hand: steady, drifting, in all kinds of bar, with gaps, and of nothing."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.analysis.bar_pointer import BarPath, BeatActivations, decode

RATE_HZ = 50.0
TEMPI_BPM = np.geomspace(36.0, 270.0, 32)
Times = NDArray[np.float64]


def heard(
    beats_s: Times,
    beats_per_bar: int,
    *,
    duration_s: float,
    strengths: NDArray[np.float64] | None = None,
    tempo_bpm: float | None = None,
    seed: int = 0,
) -> BeatActivations:
    """A bump for each beat, the first a downbeat, over a little noise; a tempo and a metre that nobody knows."""
    n_frames = round(duration_s * RATE_HZ)
    rng = np.random.default_rng(seed)
    beat, downbeat = 0.03 * rng.random(n_frames), 0.01 * rng.random(n_frames)
    for i, time_s in enumerate(beats_s):
        height = 0.85 if strengths is None else strengths[i]
        for frame in range(int(time_s * RATE_HZ) - 1, int(time_s * RATE_HZ) + 3):
            if 0 <= frame < n_frames:
                bump = height * max(1.0 - abs(frame - time_s * RATE_HZ) / 2.0, 0.0)
                beat[frame] = max(beat[frame], bump)
                downbeat[frame] = max(downbeat[frame], bump * (0.85 if i % beats_per_bar == 0 else 0.08))
    tempo = np.full((n_frames, len(TEMPI_BPM)), 1.0 / len(TEMPI_BPM))
    if tempo_bpm is not None:
        tempo = np.full_like(tempo, 0.01)
        tempo[:, np.abs(np.log(TEMPI_BPM / tempo_bpm)).argmin()] = 0.7
    metre = np.full((n_frames, 3), 1 / 3)
    return BeatActivations(RATE_HZ, beat, np.minimum(beat, downbeat), tempo, TEMPI_BPM, metre, (2, 3, 4))


def steady(bpm: float, *, duration_s: float, drift: float = 0.0, first_s: float = 0.2) -> Times:
    """Beats whose tempo goes up and down by `drift` every 20 s."""
    at = np.arange(0.0, duration_s - first_s, 0.001)
    passed = np.cumsum(bpm / 60.0 * (1 + drift * np.sin(2 * np.pi * at / 20.0))) * 0.001
    return np.interp(np.arange(0, int(passed[-1]) + 1), passed, at) + first_s


def check(path: BarPath, beats_s: Times, beats_per_bar: int) -> None:
    assert path.beats_per_bar == beats_per_bar
    times_s = path.frames / RATE_HZ
    assert np.all(np.diff(times_s) > 0)
    distance = np.abs(times_s[:, None] - beats_s[None, :])
    assert len(times_s) == pytest.approx(len(beats_s), abs=1)
    assert distance.min(axis=1).max() < 0.03
    assert np.array_equal(distance.argmin(axis=1) % beats_per_bar, path.positions)


@pytest.mark.parametrize(
    ("beats_per_bar", "bpm", "drift"),
    [(4, 120, 0.0), (4, 63, 0.0), (4, 97.3, 0.08), (3, 150, 0.04), (2, 66, 0.05), (6, 170, 0.0)],
)
def test_beats_and_bars_are_found(beats_per_bar: int, bpm: float, drift: float) -> None:
    beats_s = steady(bpm, duration_s=30.0, drift=drift)
    paths = decode(heard(beats_s, beats_per_bar, duration_s=30.0), metres=(2, 3, 4, 6))
    check(paths[0], beats_s, beats_per_bar)
    assert sorted(path.beats_per_bar for path in paths) == [2, 3, 4, 6]
    assert all(better.score >= worse.score for better, worse in pairwise(paths))


def test_beats_go_on_where_none_is_heard() -> None:
    beats_s = steady(110.0, duration_s=40.0, drift=0.02)
    strengths = np.full(len(beats_s), 0.8)
    strengths[20:28] = 0.0  # a break of two bars
    strengths[41::2] = 0.25  # half-time from here on
    activations = heard(beats_s, 4, duration_s=40.0, strengths=strengths, tempo_bpm=110.0)
    check(decode(activations)[0], beats_s, 4)


def test_the_tempo_decides_where_beats_do_not() -> None:
    beats_s = steady(150.0, duration_s=30.0)
    doubtful = np.where(np.arange(len(beats_s)) % 2 == 0, 0.8, 0.4)
    slow = decode(heard(beats_s, 8, duration_s=30.0, strengths=doubtful, tempo_bpm=75.0), metres=(4,))[0]
    fast = decode(heard(beats_s, 8, duration_s=30.0, strengths=doubtful, tempo_bpm=150.0), metres=(4,))[0]
    assert np.median(np.diff(slow.frames)) == pytest.approx(40, abs=1)
    assert np.median(np.diff(fast.frames)) == pytest.approx(20, abs=1)


def test_only_what_is_allowed_is_found() -> None:
    beats_s = steady(120.0, duration_s=20.0)
    activations = heard(beats_s, 4, duration_s=20.0)
    (path,) = decode(activations, metres=(3,), tempi_bpm=(55.0, 65.0))
    assert path.beats_per_bar == 3
    assert 44 < np.median(np.diff(path.frames)) < 56
    for metres, tempi_bpm in (((), (60.0, 120.0)), ((1,), (60.0, 120.0)), ((4,), (120.0, 60.0))):
        with pytest.raises(ValueError, match="cannot look"):
            decode(activations, metres=metres, tempi_bpm=tempi_bpm)


@pytest.mark.parametrize("duration_s", [0.02, 0.3, 1.0, 12.0])
def test_silence_is_gone_through(duration_s: float) -> None:
    paths = decode(heard(np.zeros(0), 4, duration_s=duration_s))
    assert all(np.all(np.diff(path.frames) > 0) for path in paths)
    assert bool(paths) == (duration_s > 0.5)
