"""Separation: decibels of sines, worked by hand; the rule for silent stems."""

import numpy as np
import pytest

from rearrange.audio import Audio
from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics import SDR_CEILING_DB, SDR_FLOOR_DB, separation_sdr, si_sdr

RATE = 8000
TIME_S = np.arange(2 * RATE) / RATE
# Whole periods of sine and cosine are orthogonal, and each has power 1/2.
SINE, COSINE = np.sin(2 * np.pi * 100 * TIME_S), np.cos(2 * np.pi * 100 * TIME_S)


def audio(samples: np.ndarray, channels: int = 1) -> Audio:
    return Audio(np.tile(samples.astype(np.float32), (channels, 1)), RATE)


def test_decibels_by_hand() -> None:
    # A tenth of another tone: power 1 against 0.01, 20 dB. As much of it: 0 dB. Gain changes nothing.
    assert si_sdr(SINE, SINE + 0.1 * COSINE) == pytest.approx(20.0, abs=1e-6)
    assert si_sdr(SINE, SINE + COSINE) == pytest.approx(0.0, abs=1e-6)
    assert si_sdr(SINE, 0.3 * (SINE + 0.1 * COSINE)) == pytest.approx(20.0, abs=1e-6)
    assert si_sdr(SINE, -2.0 * (SINE + 0.1 * COSINE)) == pytest.approx(20.0, abs=1e-6)


def test_ceiling_and_floor() -> None:
    assert si_sdr(SINE, SINE) == SDR_CEILING_DB
    assert si_sdr(SINE, np.zeros_like(SINE)) == SDR_FLOOR_DB
    assert si_sdr(SINE, COSINE) == SDR_FLOOR_DB


def test_stereo_has_one_gain() -> None:
    # The right channel is lost: target and rest have equal power, a = 1/2: 2 (1/2)² against 2 (1/2)²: 0 dB.
    assert si_sdr(np.stack([SINE, SINE]), np.stack([SINE, 0 * SINE])) == pytest.approx(0.0, abs=1e-6)


def test_the_mix_as_every_stem() -> None:
    truth = {"bass": audio(SINE), "other": audio(0.1 * COSINE)}
    mix = audio(SINE + 0.1 * COSINE)
    scores = separation_sdr(truth, {"bass": mix, "other": mix})
    assert scores == {"bass": pytest.approx(20.0, abs=1e-3), "other": pytest.approx(-20.0, abs=1e-3)}


def test_silent_stems_are_left_out_and_missing_ones_score_the_floor() -> None:
    truth = {"bass": audio(SINE), "drums": audio(0 * SINE), "hiss": audio(1e-4 * SINE), "vocals": audio(COSINE)}
    assert separation_sdr(truth, {"bass": audio(SINE), "drums": audio(SINE)}) == {
        "bass": SDR_CEILING_DB,
        "vocals": SDR_FLOOR_DB,
    }


def test_what_leaks_into_a_rest_counts() -> None:
    # The stem rests in its second half; as much of another tone there as of the stem before: 0 dB.
    half = np.where(TIME_S < 1.0, SINE, 0.0)
    leaking = np.where(TIME_S < 1.0, SINE, COSINE)
    assert separation_sdr({"a": audio(half)}, {"a": audio(leaking)})["a"] == pytest.approx(0.0, abs=1e-3)


def test_padding_and_channels_are_levelled() -> None:
    longer = audio(np.append(SINE, np.zeros(100)), channels=2)
    assert separation_sdr({"a": audio(SINE)}, {"a": longer})["a"] == SDR_CEILING_DB
    shorter = audio(SINE[:-100])
    # The last 100 samples hold 1.25 of 200 periods: about 1/160 of the power is gone, some 22 dB.
    assert 20.0 < separation_sdr({"a": audio(SINE)}, {"a": shorter})["a"] < 24.0


def test_bad_input() -> None:
    with pytest.raises(NotMeasurable, match="silent"):
        separation_sdr({"a": audio(0 * SINE)}, {"a": audio(SINE)})
    with pytest.raises(NotMeasurable, match="silent"):
        separation_sdr({}, {})
    with pytest.raises(NotMeasurable, match="silent"):
        si_sdr(0 * SINE, SINE)
    broken = SINE.copy()
    broken[3] = np.nan
    with pytest.raises(NotMeasurable, match="not a number"):
        separation_sdr({"a": audio(broken)}, {"a": audio(SINE)})
    with pytest.raises(NotMeasurable, match="not a number"):
        separation_sdr({"a": audio(SINE)}, {"a": audio(broken)})
    with pytest.raises(ValueError, match="shape"):
        si_sdr(SINE, SINE[1:])
    with pytest.raises(ValueError, match="sample rates"):
        separation_sdr({"a": audio(SINE)}, {"a": Audio(audio(SINE).samples, 2 * RATE)})
    with pytest.raises(ValueError, match="differ by"):
        separation_sdr({"a": audio(SINE)}, {"a": audio(SINE[:100])})
