"""The master: loudness and true peak come out as asked, whatever goes in."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.audio import Audio, loudness_lufs, true_peak_dbtp
from rearrange.synth.master import LimiterGain, MasterMeter, find_gain

RATE = 44100
N = 12 * RATE
T = np.arange(N) / RATE
CEILING_DBTP = -1.1


def stereo(*channels: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.stack([channels[0], channels[-1]]).astype(np.float32)


def noise(seed: int = 0) -> NDArray[np.float64]:
    """Music-like noise: nothing above 16 kHz."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(N))
    return np.asarray(np.fft.irfft(spectrum * (np.fft.rfftfreq(N, 1 / RATE) < 16000), N))


def hits(every_s: float, decay_s: float, hz: float) -> NDArray[np.float64]:
    since = T % every_s
    return np.asarray(np.exp(-since / decay_s) * np.sin(2 * np.pi * hz * since))


SIGNALS: dict[str, Callable[[], NDArray[np.float32]]] = {
    "sine, crest 3 dB": lambda: stereo(0.02 * np.sin(2 * np.pi * 997 * T)),
    "square bass": lambda: stereo(0.3 * np.sign(np.sin(2 * np.pi * 55 * T))),
    "noise, crest 13 dB": lambda: stereo(0.1 * noise(1), 0.1 * noise(2)),
    "drums over a pad": lambda: stereo(hits(0.5, 0.04, 90) + 0.05 * noise(3)),
    "short hits in silence, crest 20 dB": lambda: stereo(hits(0.5, 0.03, 180)),
    "far beyond full scale": lambda: stereo(40 * noise(4)),
    "quiet verse, loud chorus": lambda: stereo(noise(5) * np.where(T < 6, 0.01, 0.3)),
    "a quarter of the sample rate, between samples": lambda: stereo(np.sin(np.pi / 2 * np.arange(N) + np.pi / 4)),
    "one side only": lambda: stereo(0.2 * noise(6), 0 * T),
}


def mastered(
    sound: NDArray[np.float32], target_lufs: float, block: int
) -> tuple[NDArray[np.float32], LimiterGain]:
    meter = MasterMeter(RATE)
    for start in range(0, sound.shape[1], block):
        meter.add(sound[:, start : start + block])
    meter.finish()
    gain = find_gain(meter, target_lufs=target_lufs, ceiling=10 ** (CEILING_DBTP / 20))
    starts = range(0, sound.shape[1], block)
    return np.concatenate([gain.apply(sound[:, i : i + block], i) for i in starts], axis=1), gain


@pytest.mark.parametrize("name", SIGNALS)
def test_loudness_and_true_peak_are_met_for_every_crest_factor(name: str) -> None:
    sound, gain = mastered(SIGNALS[name](), -14.0, 10007)
    audio = Audio(sound.astype(np.float32), RATE)
    assert loudness_lufs(audio) == pytest.approx(-14.0, abs=0.3)
    assert gain.lufs == pytest.approx(loudness_lufs(audio), abs=0.3)
    assert true_peak_dbtp(audio) <= CEILING_DBTP + 0.1


def test_a_loud_master_is_limited_not_clipped() -> None:
    sound, gain = mastered(SIGNALS["drums over a pad"](), -9.0, 8192)
    audio = Audio(sound.astype(np.float32), RATE)
    assert loudness_lufs(audio) == pytest.approx(-9.0, abs=0.4)
    assert true_peak_dbtp(audio) <= CEILING_DBTP + 0.1
    assert gain.limiting_db > 1
    assert np.count_nonzero(np.abs(sound) >= 0.999 * np.abs(sound).max()) < 200  # no flat tops


def test_what_needs_no_limiting_only_gets_a_gain() -> None:
    quiet = SIGNALS["sine, crest 3 dB"]()
    sound, gain = mastered(quiet, -14.0, 4096)
    assert gain.limiting_db == 0
    ratio = sound[quiet != 0] / quiet[quiet != 0]
    assert ratio.max() - ratio.min() < 1e-4


def test_block_lengths_do_not_matter() -> None:
    drums = SIGNALS["drums over a pad"]()
    first, second = (mastered(drums, -12.0, block)[0] for block in (3333, 65536))
    np.testing.assert_allclose(first, second, atol=2e-4)


def test_a_few_clicks_in_silence_stop_at_the_ceiling() -> None:
    clicks = stereo((np.arange(N) % RATE == 5) * 0.5)
    sound, gain = mastered(clicks, -14.0, 8192)
    assert true_peak_dbtp(Audio(sound.astype(np.float32), RATE)) <= CEILING_DBTP + 0.1
    assert gain.lufs < -20


def test_silence_stays_silence() -> None:
    sound, gain = mastered(stereo(0 * T), -14.0, 8192)
    assert not sound.any()
    assert gain.lufs == float("-inf")


@pytest.mark.parametrize("rate", [22050, 44100, 48000, 96000])
def test_meter_agrees_with_the_audio_layer_at_any_rate(rate: int) -> None:
    rng = np.random.default_rng(rate)
    spectrum = np.fft.rfft(rng.standard_normal((2, 5 * rate + 123)), axis=1)
    spectrum[:, int(0.8 * spectrum.shape[1]) :] = 0
    sound = (0.1 * np.fft.irfft(spectrum, 5 * rate + 123, axis=1)).astype(np.float32)
    meter = MasterMeter(rate)
    for start in range(0, sound.shape[1], 9999):
        meter.add(sound[:, start : start + 9999])
    meter.finish()
    assert meter.n_samples == sound.shape[1]
    assert meter.lufs == pytest.approx(loudness_lufs(Audio(sound, rate)), abs=0.1)
    assert 20 * np.log10(meter.true_peak) == pytest.approx(true_peak_dbtp(Audio(sound, rate)), abs=0.1)


def test_full_scale_sine_at_1_khz_is_3_lufs_below_zero_on_both_sides() -> None:
    """BS.1770's own check: 997 Hz at 0 dBFS in one channel reads -3.01 LUFS."""
    meter = MasterMeter(48000)
    t = np.arange(48000 * 5) / 48000
    meter.add(stereo(np.sin(2 * np.pi * 997 * t), 0 * t))
    meter.finish()
    assert meter.lufs == pytest.approx(-3.01, abs=0.02)


def test_end_of_sound_is_found() -> None:
    sound = SIGNALS["noise, crest 13 dB"]()
    sound[:, 5 * RATE :] *= 1e-5
    meter = MasterMeter(RATE)
    meter.add(sound)
    meter.finish()
    assert meter.sounding_end(1e-4) == pytest.approx(5 * RATE, abs=200)
