"""The classical separator: parts that are built to be told apart must be, and nothing may be lost."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.models.spectral import _NETWORKS, _median, spectral_blocks

SAMPLE_RATE = 44100
Stereo = NDArray[np.float32]


def separated(mix: Stereo, sample_rate: int = SAMPLE_RATE) -> dict[str, Stereo]:
    blocks = list(spectral_blocks(mix, sample_rate))
    return {name: np.concatenate([block[name] for block in blocks], axis=1) for name in blocks[0]}


def si_sdr_db(reference: Stereo, estimate: Stereo) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al., 2019)."""
    x, y = reference.ravel().astype(float), estimate.ravel().astype(float)
    target = (x @ y) / (x @ x) * x
    return float(10 * np.log10((target @ target) / ((y - target) @ (y - target))))


def notes(
    pitches_hz: tuple[float, ...], *, length_s: float, sample_rate: int = SAMPLE_RATE
) -> NDArray[np.float32]:
    """Notes one after another with six decaying overtones."""
    time_s = np.arange(int(length_s * sample_rate)) / sample_rate
    fade = np.minimum(1, np.minimum(time_s, length_s - time_s) / 0.02)
    tones = [sum(np.sin(2 * np.pi * f * k * time_s) / k**1.5 for k in range(1, 7)) * fade for f in pitches_hz]
    return np.concatenate(tones).astype(np.float32)


def band(duration_s: int = 8, sample_rate: int = SAMPLE_RATE) -> dict[str, Stereo]:
    """Kick and hat, a bass line, sustained side chords, and a moving voice in the centre."""
    rng = np.random.default_rng(0)
    n = duration_s * sample_rate
    time_s = np.arange(n) / sample_rate
    since_beat_s = time_s % 0.5
    kick = np.sin(2 * np.pi * 55 * since_beat_s) * np.exp(-since_beat_s / 0.05)
    since_eighth_s = time_s % 0.25
    hat = rng.normal(0, 1, n) * np.exp(-since_eighth_s / 0.02)
    bass = notes((55.0, 65.4, 73.4, 82.4), length_s=duration_s / 4, sample_rate=sample_rate)[:n]
    chord = sum(np.sin(2 * np.pi * f * time_s) for f in (330.0, 415.3, 493.9, 659.3))
    melody = (440.0, 554.4, 587.3, 523.3) * (duration_s * 3 // 4)
    voice = notes(melody[: duration_s * 3], length_s=1 / 3, sample_rate=sample_rate)
    voice = np.pad(voice, (0, n))[:n]
    left_chord = np.stack([chord, 0.1 * chord])
    parts = {
        "drums": np.stack([0.5 * kick + 0.1 * hat] * 2),
        "bass": np.stack([0.2 * bass] * 2),
        "other": 0.05 * left_chord,
        "vocals": np.stack([0.2 * voice] * 2),
    }
    return {name: samples.astype(np.float32) for name, samples in parts.items()}


def test_a_band_comes_apart() -> None:
    parts = band()
    mix = sum(parts.values())
    stems = separated(mix)
    for name, gain_db in (("drums", 6), ("bass", 6), ("vocals", 4), ("other", 4)):
        before, after = si_sdr_db(parts[name], mix), si_sdr_db(parts[name], stems[name])
        assert after > before + gain_db, name


def test_clicks_are_drums_and_a_held_chord_is_not() -> None:
    parts = band()
    drums_alone = separated(parts["drums"])
    assert np.sum(drums_alone["drums"] ** 2) > 0.7 * np.sum(parts["drums"] ** 2)
    assert si_sdr_db(parts["drums"], drums_alone["drums"]) > 10
    chord_alone = separated(parts["other"])
    assert np.sum(chord_alone["drums"] ** 2) < 0.02 * np.sum(parts["other"] ** 2)
    assert np.sum(chord_alone["bass"] ** 2) < 0.02 * np.sum(parts["other"] ** 2)


def test_in_stereo_the_centre_goes_to_the_voice_and_the_side_to_other() -> None:
    parts = band()
    centred = np.stack([parts["other"][0]] * 2)
    share = {}
    for place, chord in (("centre", centred), ("side", parts["other"])):
        stems = separated(chord)
        share[place] = np.sum(stems["vocals"] ** 2) / np.sum(stems["other"] ** 2)
    assert share["centre"] > 2 * share["side"]


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("sample_rate", [8000, 44100, 96000])
def test_stems_add_up_to_the_mix(channels: int, sample_rate: int) -> None:
    mix = np.random.default_rng(1).normal(0, 0.2, (channels, int(4.3 * sample_rate))).astype(np.float32)
    stems = separated(mix, sample_rate)
    assert {stem.shape for stem in stems.values()} == {mix.shape}
    residual = sum(stems.values()) - mix
    assert 10 * np.log10(np.mean(residual**2) / np.mean(mix**2)) < -120


@pytest.mark.parametrize("n_samples", [1, 2, 100, 1023, 4096, 8821])
def test_a_fraction_of_a_second_works(n_samples: int) -> None:
    mix = np.full((2, n_samples), 0.5, np.float32)
    np.testing.assert_allclose(sum(separated(mix).values()), mix, atol=1e-6)


@pytest.mark.parametrize("level", [0.0, 1e-6, 1.0, 50.0])
def test_silence_and_extreme_levels_stay_finite(level: float) -> None:
    mix = (level * band(2)["drums"]).astype(np.float32)
    stems = separated(mix)
    assert all(np.isfinite(stem).all() for stem in stems.values())
    if level:
        reference = separated(band(2)["drums"])
        np.testing.assert_allclose(stems["drums"] / level, reference["drums"], atol=1e-3)


def test_a_constant_offset_does_no_harm() -> None:
    parts = band(4)
    mix = sum(parts.values())
    shifted = separated(mix + np.float32(0.2))
    assert si_sdr_db(separated(mix)["vocals"], shifted["vocals"]) > 40


def test_blocks_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result must not depend on how the song is cut."""
    mix = sum(band(7).values())
    whole = separated(mix)
    monkeypatch.setattr("rearrange.models.spectral._BLOCK_FRAMES", 37)
    pieces = separated(mix)
    for name, stem in whole.items():
        # mirrored context at the ends depends on the block; the middle does not
        middle = slice(SAMPLE_RATE * 2, SAMPLE_RATE * 5)
        assert np.abs(stem[:, middle] - pieces[name][:, middle]).max() < 1e-5


@pytest.mark.parametrize("taps", sorted(_NETWORKS))
def test_sorting_networks_find_the_median(taps: int) -> None:
    rows = np.random.default_rng(taps).normal(size=(taps, 1000)).astype(np.float32)
    np.testing.assert_array_equal(_median(list(rows)), np.median(rows, axis=0))
