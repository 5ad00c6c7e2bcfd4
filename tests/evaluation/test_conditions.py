"""Conditions change the sound as they say, and move no onset."""

from pathlib import Path

import numpy as np
import pytest

from rearrange.audio import Audio
from rearrange.declared import read_table
from rearrange.errors import ConfigError
from rearrange.evaluation.conditions import Condition, add_noise, add_reverb, read_conditions, through_mp3
from rearrange.mixtable import Reverb

SAMPLE_RATE = 44100
HITS_S = np.arange(0.2, 3.8, 0.37)


def hits(channels: int = 2) -> Audio:
    """Short bursts of noise at HITS_S."""
    rng = np.random.default_rng(4)
    samples = np.zeros((channels, 4 * SAMPLE_RATE + 137), dtype=np.float32)
    n = np.arange(2000)
    for at_s in HITS_S:
        at = round(at_s * SAMPLE_RATE)
        samples[:, at : at + 2000] = 0.2 * rng.standard_normal(2000) * np.exp(-n / 300)
    return Audio(samples, SAMPLE_RATE)


def lag_s(reference: Audio, other: Audio) -> float:
    from scipy.signal import correlate

    a, b = (audio.mono().samples[0] for audio in (reference, other))
    return (int(np.argmax(correlate(b, a, method="fft"))) - len(a) + 1) / SAMPLE_RATE


def rms_db(samples: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64))))


@pytest.mark.parametrize("bitrate_kbps", [48, 128])
@pytest.mark.parametrize("channels", [1, 2])
def test_mp3_stays_in_time(bitrate_kbps: int, channels: int) -> None:
    dry = hits(channels)
    coded = through_mp3(dry, bitrate_kbps)
    assert coded.samples.shape == dry.samples.shape
    assert abs(lag_s(dry, coded)) < 0.001
    assert 0.05 < np.std(coded.samples - dry.samples) / np.std(dry.samples) < 1.0


def test_fewer_bits_do_more_harm() -> None:
    dry = hits()
    harm = [float(np.std(through_mp3(dry, kbps).samples - dry.samples)) for kbps in (48, 128, 320)]
    assert harm[0] > harm[1] > harm[2]


@pytest.mark.parametrize("snr_db", [20.0, 40.0])
def test_noise_is_pink_and_as_loud_as_asked_for(snr_db: float) -> None:
    dry = hits()
    noisy = add_noise(dry, snr_db, rng=np.random.default_rng(1))
    noise = noisy.samples - dry.samples
    assert rms_db(dry.samples) - rms_db(noise) == pytest.approx(snr_db, abs=0.01)
    power = np.square(np.abs(np.fft.rfft(noise[0])))
    hertz = np.fft.rfftfreq(noise.shape[1], 1 / SAMPLE_RATE)
    octaves = [power[(hertz >= low) & (hertz < 2 * low)].sum() for low in (125, 500, 2000, 8000)]
    assert max(octaves) / min(octaves) < 1.3
    assert abs(np.corrcoef(noise)[0, 1]) < 0.02


def test_reverb_adds_a_tail_and_keeps_the_attack() -> None:
    dry = hits()
    wet = add_reverb(dry, Reverb(kind="hall", decay_s=1.5), level_db=-6.0)
    assert wet.samples.shape == dry.samples.shape
    assert abs(lag_s(dry, wet)) < 0.001
    assert rms_db(wet.samples - dry.samples) == pytest.approx(rms_db(dry.samples) - 6.0, abs=0.01)
    assert np.abs(wet.samples[:, -8000:]).max() > 100 * np.abs(dry.samples[:, -8000:]).max()


def test_all_together_are_repeatable_and_inside_full_scale() -> None:
    loud = Audio(hits().samples * np.float32(6.0), SAMPLE_RATE)
    condition = Condition("all", Reverb(kind="room"), -3.0, noise_snr_db=20.0, mp3_kbps=128)
    one, other, another = (condition.applied(loud, seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one.samples, other.samples)
    assert not np.array_equal(one.samples, another.samples)
    assert np.abs(one.samples).max() < 1.1
    np.testing.assert_array_equal(Condition("dry").applied(hits(), seed=0).samples, hits().samples)


def test_silence_stays_silent() -> None:
    silence = Audio(np.zeros((2, SAMPLE_RATE), dtype=np.float32), SAMPLE_RATE)
    condition = Condition("all", Reverb(), noise_snr_db=20.0, mp3_kbps=128)
    assert np.abs(condition.applied(silence, seed=0).samples).max() < 1e-4


def test_conditions_are_read_and_mistakes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "set.toml"
    path.write_text('[[condition]]\nname = "hall"\nreverb = "hall"\ndecay_s = 2.0\nmp3_kbps = 48\n')
    (hall,) = read_conditions(read_table(path, ConfigError))
    assert hall == Condition("hall", Reverb(kind="hall", decay_s=2.0), mp3_kbps=48)
    path.write_text('[[condition]]\nname = "cave"\nreverb = "cave"\n')
    with pytest.raises(ConfigError, match="line 3"):
        read_conditions(read_table(path, ConfigError))
