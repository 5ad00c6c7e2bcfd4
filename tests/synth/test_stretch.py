"""A kept stem follows the arrangement's timeline, keeps its pitch, and is left alone where it can be."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.audio import Audio
from rearrange.score import Timeline
from rearrange.synth.stretch import stretch_stem

RATE = 22050
N_BEATS = 40


def clicks_at(times_s: NDArray[np.float64], duration_s: float) -> Audio:
    """A short decaying tone at each time."""
    sound = np.zeros((2, round(duration_s * RATE)), np.float32)
    n = np.arange(1000)
    burst = (0.8 * np.sin(2 * np.pi * 880 * n / RATE) * np.exp(-n / 200)).astype(np.float32)
    for time_s in times_s:
        at = round(time_s * RATE)
        sound[:, at : at + len(n)] += burst[: sound.shape[1] - at]
    return Audio(sound, RATE)


def stretched(
    stem: Audio, song: Timeline, arrangement: Timeline, duration_s: float, beat_ratio: float = 1.0
) -> NDArray[np.float32]:
    blocks = stretch_stem(stem, song, arrangement, beat_ratio=beat_ratio, sample_rate=RATE, duration_s=duration_s)
    return np.concatenate(list(blocks), axis=1)


def onset_errors_ms(sound: NDArray[np.float32], wanted_s: NDArray[np.float64]) -> NDArray[np.float64]:
    errors = []
    level = np.abs(sound).max(axis=0)
    for time_s in wanted_s:
        start = max(round((time_s - 0.08) * RATE), 0)
        window = level[start : start + round(0.16 * RATE)]
        assert window.max() > 0.2, f"no click near {time_s:.2f} s"
        errors.append(1000 * ((start + np.argmax(window > 0.25 * window.max())) / RATE - time_s))
    return np.array(errors)


STEADY = Timeline.constant(100, end_beat=N_BEATS, start_s=0.3)
_RNG = np.random.default_rng(0)
_BEATS = np.arange(N_BEATS + 1.0)
TRACKED = Timeline(
    tuple(_BEATS), tuple(STEADY.seconds(_BEATS) + _RNG.normal(0, 0.005, N_BEATS + 1)), end_beat=N_BEATS
)
DRIFTING = Timeline(tuple(_BEATS), tuple(0.3 + np.cumsum(60 / (92 + 14 * _BEATS / N_BEATS))), end_beat=N_BEATS)


@pytest.mark.parametrize(
    ("song", "arrangement", "beat_ratio", "tolerance_ms"),
    [
        (STEADY, Timeline.constant(120, end_beat=N_BEATS), 1.0, 4),
        (STEADY, Timeline.constant(84, end_beat=N_BEATS, start_s=1.0), 1.0, 4),
        (STEADY, Timeline.constant(190, end_beat=2 * N_BEATS), 2.0, 4),
        (STEADY, STEADY.scaled(1.1), 1.0, 4),
        (STEADY, Timeline.constant(100, end_beat=N_BEATS, start_s=0.7), 1.0, 4),  # only later
        (TRACKED, Timeline.constant(110, end_beat=N_BEATS), 1.0, 18),
        (DRIFTING, Timeline.constant(100, end_beat=N_BEATS), 1.0, 18),
    ],
)
def test_beats_of_the_stem_land_on_beats_of_the_arrangement(
    song: Timeline, arrangement: Timeline, beat_ratio: float, tolerance_ms: float
) -> None:
    beats = np.arange(N_BEATS)
    stem = clicks_at(song.seconds(beats), float(song.seconds(N_BEATS)) + 0.5)
    wanted_s = arrangement.seconds(beats * beat_ratio)
    out = stretched(stem, song, arrangement, float(wanted_s[-1]) + 1.0, beat_ratio)
    assert out.shape == (2, round((float(wanted_s[-1]) + 1.0) * RATE))
    assert np.abs(onset_errors_ms(out, wanted_s)).max() < tolerance_ms


def test_pitch_stays() -> None:
    t = np.arange(20 * RATE) / RATE
    stem = Audio(np.stack([0.5 * np.sin(2 * np.pi * 440 * t)]).astype(np.float32), RATE)
    out = stretched(stem, STEADY, STEADY.scaled(0.8), 24.0)
    middle = out[0, 5 * RATE : 15 * RATE]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert spectrum.argmax() / 10 == pytest.approx(440, abs=0.2)


def test_same_tempo_leaves_every_sample_as_it_is() -> None:
    stem = Audio(np.random.default_rng(0).normal(0, 0.1, (2, 10 * RATE)).astype(np.float32), RATE)
    out = stretched(stem, STEADY, STEADY, 12.0)
    np.testing.assert_array_equal(out[:, : 10 * RATE], stem.samples)
    assert not out[:, 10 * RATE :].any()


def test_cuts_are_not_heard_in_a_steady_sound() -> None:
    t = np.arange(60 * RATE) / RATE
    stem = Audio(np.stack([0.5 * np.sin(2 * np.pi * 220 * t)] * 2).astype(np.float32), RATE)
    song = Timeline.constant(100, end_beat=96)
    out = stretched(stem, song, song.scaled(1.15), 50.0)
    envelope = np.abs(out[0, RATE : 50 * RATE]).reshape(-1, RATE // 50).max(axis=1)
    assert envelope.min() > 0.2
    assert envelope.max() < 0.75


def test_deterministic_and_of_another_rate_resampled() -> None:
    stem = clicks_at(STEADY.seconds(np.arange(10)), 8.0)
    first, second = (stretched(stem, STEADY, STEADY.scaled(1.2), 7.0) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    double = Audio(np.repeat(stem.samples, 2, axis=1), 2 * RATE)
    assert stretched(double, STEADY, STEADY.scaled(1.2), 7.0).shape == first.shape
