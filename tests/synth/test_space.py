"""Reverbs decay as long as they say, echoes come on the beat, and neither changes from run to run."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from rearrange.mixtable import Delay, Reverb
from rearrange.synth.space import echo_response, reverb_response

RATE = 44100
KINDS = ("room", "hall", "plate", "spring")


def rt60_s(response: NDArray[np.floating]) -> float:
    """Twice the time from -5 to -35 dB of the backward-integrated energy (Schroeder)."""
    energy = np.cumsum(np.square(response.astype(np.float64))[::-1])[::-1]
    level_db = 10 * np.log10(energy / energy[0] + 1e-12)
    return float(2 * (np.argmax(level_db < -35) - np.argmax(level_db < -5)) / RATE)


def band(response: NDArray[np.float32], low_hz: float, high_hz: float) -> NDArray[np.float64]:
    filters = butter(4, (low_hz, high_hz), "bandpass", fs=RATE, output="sos")
    return np.asarray(sosfilt(filters, response.astype(np.float64)))


@pytest.mark.parametrize("kind", ["room", "hall", "plate"])
@pytest.mark.parametrize("decay_s", [0.6, 2.0])
def test_middle_frequencies_decay_in_the_wanted_time(kind: str, decay_s: float) -> None:
    response = reverb_response(Reverb(kind, decay_s, damping_hz=20000), RATE)
    for side in response:
        assert rt60_s(band(side, 400, 1000)) == pytest.approx(decay_s, rel=0.2)


def test_damping_shortens_the_high_frequencies() -> None:
    dull = reverb_response(Reverb("hall", 2.0, damping_hz=2000), RATE)[0]
    assert rt60_s(band(dull, 6000, 12000)) < 0.5 * rt60_s(band(dull, 300, 1000))


@pytest.mark.parametrize("kind", KINDS)
def test_energy_is_one_on_either_side_and_the_sides_differ(kind: str) -> None:
    response = reverb_response(Reverb(kind, 1.0), RATE)
    assert response.dtype == np.float32
    np.testing.assert_allclose(np.square(response).sum(axis=1), 1.0, rtol=1e-3)
    assert abs(np.corrcoef(response)[0, 1]) < (0.9 if kind == "spring" else 0.1)


def test_pre_delay_and_low_cut_are_part_of_it() -> None:
    response = reverb_response(Reverb("plate", 1.0, pre_delay_ms=50, low_cut_hz=400), RATE)
    assert not response[:, : round(0.05 * RATE)].any()
    low, high = (np.square(band(response[0], *edges)).sum() for edges in ((30, 100), (1000, 2000)))
    assert low < 1e-3 * high


def test_a_spring_speaks_low_before_high() -> None:
    response = reverb_response(Reverb("spring", 1.0, pre_delay_ms=0, low_cut_hz=50), RATE)[0][: round(0.07 * RATE)]
    low, high = (np.abs(band(response, *edges)).argmax() for edges in ((300, 800), (3000, 4000)))
    assert high > low + 0.004 * RATE


@pytest.mark.parametrize("kind", KINDS)
def test_always_the_same(kind: str) -> None:
    first, second = (reverb_response(Reverb(kind, 0.5), RATE) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_echoes_come_on_the_beat_ever_softer_and_duller() -> None:
    response = echo_response(Delay(beats=0.75, feedback=0.5, low_pass_hz=3000), 120.0, RATE)
    spacing = round(0.375 * RATE)
    for i in range(4):
        at = round((i + 1) * 0.375 * RATE)
        assert not response[:, at - 500 : at].any()
        near, far = response[i % 2, at : at + 600], response[1 - i % 2, at : at + 600]
        assert near.sum() == pytest.approx(0.5**i, rel=0.02)  # level at low frequencies
        assert far.sum() == pytest.approx(0.5 * 0.5**i, rel=0.02)
    assert np.abs(response[1, 2 * spacing :]).max() < 0.4 * np.abs(response[0, spacing:]).max()


def test_an_echo_without_feedback_is_one() -> None:
    response = echo_response(Delay(beats=1.0, feedback=0.0), 60.0, RATE)
    assert response.shape[1] < 1.1 * RATE
