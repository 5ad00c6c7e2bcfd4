import numpy as np
import pytest
import torch

from rearrange.evaluation.baselines.spectrogram import MelScale, griffin_lim, log_mel, mel_bands, spectrum_of
from tests.tones import placed, snare, tone

SCALE = MelScale(sample_rate=8000, n_fft=512, hop_length=128, n_mels=64)


def music() -> torch.Tensor:
    rng = np.random.default_rng(0)
    sounds = [(i * 0.25, tone(60 + 4 * i, 0.5, 8000)) for i in range(6)]
    sounds += [(0.5 * i, snare(8000 * 3, rng)[::3]) for i in range(4)]
    return torch.from_numpy(placed(sounds, 2.0, 8000))


@pytest.mark.parametrize("n_mels", [40, 128, 400])
def test_bands_cover_everything_and_none_is_empty(n_mels: int) -> None:
    bands = mel_bands(MelScale(n_mels=n_mels))
    assert bands.shape == (n_mels, 1025)
    assert torch.all(bands >= 0)
    assert torch.allclose(bands.sum(dim=1), torch.ones(n_mels))
    centres = bands.argmax(dim=1)
    assert torch.all(centres[1:] >= centres[:-1])


def test_a_tone_stands_in_the_band_at_its_pitch() -> None:
    time_s = torch.arange(8000) / 8000
    mel = log_mel(torch.sin(2 * torch.pi * 1000 * time_s), SCALE)
    assert mel.shape == (64, 1 + 8000 // 128)
    band = int(mel[:, 30].argmax())
    centre_hz = float(mel_bands(SCALE)[band].argmax()) * 8000 / 512
    assert centre_hz == pytest.approx(1000, rel=0.03)


def test_the_way_back_has_the_same_bands() -> None:
    mel = log_mel(8 * music(), SCALE)
    spectrum = spectrum_of(mel, SCALE)
    assert torch.all(spectrum >= 0)
    again = torch.log1p(mel_bands(SCALE) @ spectrum)
    assert float((again - mel).norm() / mel.norm()) < 0.05


def test_phases_are_found_that_fit_the_spectrum() -> None:
    samples = 8 * music()
    mel = log_mel(samples, SCALE)

    def error(iterations: int) -> float:
        generator = torch.Generator().manual_seed(0)
        found = griffin_lim(
            spectrum_of(mel, SCALE),
            SCALE,
            n_samples=len(samples),
            iterations=iterations,
            momentum=0.99,
            generator=generator,
        )
        assert found.shape == samples.shape
        return float((log_mel(found, SCALE) - mel).norm() / mel.norm())

    assert error(0) > 0.15
    assert error(60) < 0.1
