"""Loudness of a track while it sounds."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.audio import Audio, loudness_lufs
from rearrange.synth.levels import LevelMeter, TrackSource, sounding_lufs

RATE = 44100


def source_of(sound: NDArray[np.float32]) -> TrackSource:
    def read(*, block_s: float = 10.0, start_s: float = 0.0) -> Iterator[NDArray[np.float32]]:
        n = round(block_s * RATE)
        for start in range(round(start_s * RATE), sound.shape[1], n):
            yield sound[:, start : start + n]

    return read


def rhythm(duration_s: float, every_s: float, *, sounding: float = 1.0) -> NDArray[np.float32]:
    """Decaying hits, from `sounding` of the time on silent."""
    t = np.arange(round(duration_s * RATE)) / RATE
    hits = 0.2 * np.exp(-(t % every_s) / 0.1) * np.sin(2 * np.pi * 330 * t)
    return np.stack([hits * (t < sounding * duration_s)] * 2).astype(np.float32)


@pytest.mark.parametrize("every_s", [0.25, 0.5, 4 / 3, 2.0])
@pytest.mark.parametrize("sounding", [1.0, 0.4, 0.05])
def test_agrees_with_the_integrated_loudness(every_s: float, sounding: float) -> None:
    sound = rhythm(60.0, every_s, sounding=sounding)
    whole = loudness_lufs(Audio(sound, RATE))
    tolerance = 1.5 if every_s >= 2.0 else 1.0  # of single hits, windows without overlap hear all or nothing
    assert sounding_lufs(source_of(sound), RATE, expected_s=60.0) == pytest.approx(whole, abs=tolerance)
    meter = LevelMeter(RATE)
    for block in source_of(sound)(block_s=0.743):
        meter.add(block)
    assert meter.lufs == pytest.approx(whole, abs=tolerance)


def test_rests_do_not_count() -> None:
    full, half = rhythm(60, 0.3), rhythm(60, 0.3, sounding=0.5)
    assert sounding_lufs(source_of(half), RATE, expected_s=60) == pytest.approx(
        sounding_lufs(source_of(full), RATE, expected_s=60), abs=0.3
    )


def test_mono_counts_as_played_on_both_sides() -> None:
    sound = rhythm(30, 0.3)
    stereo, mono = (sounding_lufs(source_of(channels), RATE, expected_s=30) for channels in (sound, sound[:1]))
    assert mono == pytest.approx(stereo, abs=0.01)


@pytest.mark.parametrize("n", [0, 100, RATE])
def test_silence_and_nothing_are_minus_infinity(n: int) -> None:
    assert sounding_lufs(source_of(np.zeros((2, n), np.float32)), RATE, expected_s=100) == float("-inf")


def test_a_fraction_of_a_second_is_measured() -> None:
    assert np.isfinite(sounding_lufs(source_of(rhythm(0.2, 0.1)), RATE, expected_s=1))
