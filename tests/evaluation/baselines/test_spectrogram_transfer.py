from dataclasses import replace

import numpy as np
import pytest
import torch

from rearrange.audio import Audio, loudness_lufs, true_peak_dbtp
from rearrange.evaluation.baselines.spectrogram import MelScale, log_mel
from rearrange.evaluation.baselines.spectrogram_transfer import TransferSettings, losses_of, redraw, transfer
from rearrange.evaluation.measure import NotMeasurable
from tests.tones import hat, placed, tone

RATE = 8000
SETTINGS = TransferSettings(
    scale=MelScale(RATE, n_fft=512, hop_length=128, n_mels=40),
    n_filters=128,
    kernel_frames=5,
    iterations=60,
    griffin_lim_iterations=20,
)


def melody() -> Audio:
    sounds = [(i * 0.25, tone(60 + pitch, 0.3, RATE)) for i, pitch in enumerate((0, 4, 7, 12, 7, 4, 0, 4))]
    return Audio(placed(sounds, 2.0, RATE)[np.newaxis], RATE)


def hats() -> Audio:
    rng = np.random.default_rng(0)
    sounds = [(i * 0.125, hat(RATE * 3, rng)[::3]) for i in range(12)]
    return Audio(placed(sounds, 1.5, RATE)[np.newaxis], RATE)


def mel(audio: Audio) -> torch.Tensor:
    return log_mel(8 * torch.from_numpy(audio.samples[0]), SETTINGS.scale)


def test_the_losses_fall_towards_what_is_weighed() -> None:
    drawn = redraw(mel(melody()), mel(hats()), SETTINGS)
    assert drawn.before.content == 0.0  # it starts from the content
    assert drawn.after.style < 0.1 * drawn.before.style
    more_style = redraw(mel(melody()), mel(hats()), replace(SETTINGS, style_weight=1000.0))
    assert more_style.after.style < drawn.after.style
    assert more_style.after.content > drawn.after.content
    assert losses_of(drawn.log_mel, mel(melody()), mel(hats()), SETTINGS) == drawn.after


@pytest.mark.parametrize("start", ["content", "noise"])
def test_content_alone_is_the_content(start: str) -> None:
    settings = replace(SETTINGS, style_weight=0.0, start=start, iterations=150)
    drawn = redraw(mel(melody()), mel(hats()), settings)
    assert drawn.after.content < 1e-3
    # A few bands that sound 60 dB below the rest are not heard by the features.
    assert float((drawn.log_mel - mel(melody())).norm() / mel(melody()).norm()) < 0.05


def test_style_alone_is_the_exemplars_texture() -> None:
    drawn = redraw(mel(melody()), mel(hats()), replace(SETTINGS, content_weight=0.0, start="noise"))
    assert drawn.after.style < 0.05 * drawn.before.style
    spectrum, wanted = drawn.log_mel.mean(dim=1), mel(hats()).mean(dim=1)
    likeness = torch.nn.functional.cosine_similarity
    assert likeness(spectrum, wanted, dim=0) > likeness(mel(melody()).mean(dim=1), wanted, dim=0) + 0.1


def test_the_result_is_as_long_and_as_loud_as_it_should_be() -> None:
    content = Audio(np.repeat(np.repeat(melody().samples, 2, axis=0), 2, axis=1)[:, :-77], 2 * RATE)
    made = transfer(content, hats(), SETTINGS)
    assert made.samples.shape == content.samples.shape
    assert made.sample_rate == content.sample_rate
    assert loudness_lufs(made) == pytest.approx(-14.0, abs=0.3)
    assert true_peak_dbtp(made) < -0.9


def test_a_seed_is_a_sound() -> None:
    once, again = (transfer(melody(), hats(), SETTINGS).samples for _ in range(2))
    assert np.array_equal(once, again)
    other = transfer(melody(), hats(), replace(SETTINGS, seed=1)).samples
    assert not np.array_equal(once, other)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros((2, RATE)), "silent"),
        (np.full((1, RATE), np.nan), "not a number"),
        (0.5 * np.ones((1, 200)), "shorter"),
        (np.zeros((1, 0)), "silent"),
    ],
    ids=["silent", "nan", "short", "empty"],
)
def test_what_cannot_be_drawn_is_said(samples: np.ndarray, reason: str) -> None:
    bad = Audio(samples.astype(np.float32), RATE)
    with pytest.raises(NotMeasurable, match=f"source.*{reason}|{reason}.*source"):
        transfer(bad, hats(), SETTINGS)
    with pytest.raises(NotMeasurable, match=f"exemplar.*{reason}|{reason}.*exemplar"):
        transfer(melody(), bad, SETTINGS)


@pytest.mark.parametrize(
    "wrong",
    [{"kernel_frames": 4}, {"content_weight": -1.0}, {"content_weight": 0.0, "style_weight": 0.0}, {"start": "?"}],
)
def test_settings_that_make_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        TransferSettings(**wrong)
