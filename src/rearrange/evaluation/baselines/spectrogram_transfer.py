"""Neural style transfer of spectrograms: the audio baseline, which draws a genre's texture over a recording.

A log-mel spectrogram is optimised until its features are near those of the content (the song) and the correlations
of its features, summed over time, near those of the style (an exemplar of the genre); Griffin-Lim makes it sound.
Features are those of one convolution over time with random filters, mel bands as channels, and ReLU: for textures
of sound they serve as well as trained ones (Ulyanov and Lebedev).

    loss = content_weight * |F(x) - F(c)|² / |F(c)|²  +  style_weight * |G(x) - G(s)|² / |G(s)|²
    G(y) = F(y) F(y)ᵀ / n_frames

Conventions: both sounds are folded to mono and brought to one loudness first. The result has the content's length
and sample rate, both channels alike, and the pipeline's loudness and true peak.
The default weight of style is where, on 25 s of a pop song and an exemplar of ours, the style loss falls a
hundredfold (0.24 to 0.002) at a content loss of 0.11; chroma then agrees with the source by 0.70 (content alone
0.99, weight 1: 0.88, weight 100: 0.67, an unrelated song 0.43). 100 iterations converge, in 20 s on one core.

Limits: nothing above half the scale's sample rate is left. Beats, chords and notes are not known to it: what it
keeps of them is what the content loss keeps.

Sources: Gatys, Ecker and Bethge, "Image style transfer using convolutional neural networks", CVPR 2016; Ulyanov
and Lebedev, "Audio texture synthesis and style transfer", 2016; Grinstein, Duong, Ozerov and Pérez, "Audio style
transfer", ICASSP 2018 (start from the content).
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rearrange.audio import Audio, loudness_lufs, resample
from rearrange.evaluation.baselines.spectrogram import MelScale, griffin_lim, log_mel, spectrum_of
from rearrange.evaluation.measure import NotMeasurable
from rearrange.progress import Progress, silent, span
from rearrange.synth.master import MasterMeter, find_gain

if TYPE_CHECKING:
    import torch

__all__ = ["Losses", "Redrawn", "TransferSettings", "losses_of", "redraw", "transfer"]

# The pipeline's master. Both sounds are brought to this loudness before they are compared, too; then samples times
# _GAIN have mel bands of 0 to 2000, of which log(1 + magnitude) spreads the upper 60 dB.
_LOUDNESS_LUFS = -14.0
_TRUE_PEAK_DBTP = -1.0
_GAIN = 8.0
_HISTORY = 10  # steps that L-BFGS remembers: each costs two spectrograms of memory
_STARTS = ("content", "noise")


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """`start` is content or noise; `iterations` are L-BFGS's; `kernel_frames` is odd.

    Raises
    ------
    ValueError : a value makes no sense.
    """

    scale: MelScale = field(default_factory=MelScale)
    n_filters: int = 1024
    kernel_frames: int = 11
    content_weight: float = 1.0
    style_weight: float = 10.0
    iterations: int = 100
    start: str = "content"
    griffin_lim_iterations: int = 64
    griffin_lim_momentum: float = 0.99
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kernel_frames < 1 or self.kernel_frames % 2 == 0:
            raise ValueError(f"kernel_frames is {self.kernel_frames}, not an odd number")
        if min(self.content_weight, self.style_weight) < 0 or self.content_weight + self.style_weight == 0:
            raise ValueError("the weights must not be negative, nor both zero")
        if self.start not in _STARTS:
            raise ValueError(f"start is {self.start!r}, not one of {', '.join(_STARTS)}")


@dataclass(frozen=True, slots=True)
class Losses:
    """Relative squared errors, before they are weighted: 0 is equality, 1 is having nothing."""

    content: float
    style: float


@dataclass(frozen=True, eq=False)
class Redrawn:
    """A log-mel spectrogram (n_mels, n_frames), and the losses it started and ended with."""

    log_mel: "torch.Tensor"
    before: Losses
    after: Losses


def transfer(
    content: Audio,
    style: Audio,
    settings: TransferSettings = TransferSettings(),
    *,
    progress: Progress = silent,
) -> Audio:
    """Draw the style's texture over the content.

    Returns
    -------
    Stereo of the content's length and sample rate at -14 LUFS and at most -1 dBTP.

    Raises
    ------
    NotMeasurable : one of them is silent, shorter than the filters, or holds what is not a number.
    """
    import torch

    scale = settings.scale
    song, exemplar = _prepared(content, settings, "the source"), _prepared(style, settings, "the exemplar")
    drawn = redraw(log_mel(song, scale), log_mel(exemplar, scale), settings, progress=span(progress, 0.0, 0.9))
    progress(0.9, "finding phases")
    samples = griffin_lim(
        spectrum_of(drawn.log_mel, scale),
        scale,
        n_samples=len(song),
        iterations=settings.griffin_lim_iterations,
        momentum=settings.griffin_lim_momentum,
        generator=torch.Generator().manual_seed(settings.seed),
    )
    made = resample(Audio(samples.numpy()[np.newaxis], scale.sample_rate), content.sample_rate)
    progress(1.0, "drawn")
    return _mastered(made, content.n_samples)


def redraw(
    content: "torch.Tensor",
    style: "torch.Tensor",
    settings: TransferSettings = TransferSettings(),
    *,
    progress: Progress = silent,
) -> Redrawn:
    """Optimise a log-mel spectrogram (n_mels, n_frames) towards the content's features and the style's texture."""
    import torch

    generator = torch.Generator().manual_seed(settings.seed)
    filters = _filters(settings, generator)
    wanted = _features(content, filters)
    texture = _gram(_features(style, filters))
    drawn = content.clone() if settings.start == "content" else _noise_like(content, generator)
    before = _losses(_features(drawn, filters), wanted, texture)
    drawn.requires_grad_(True)
    optimiser = torch.optim.LBFGS(
        [drawn],
        max_iter=settings.iterations,
        max_eval=2 * settings.iterations,
        history_size=_HISTORY,
        tolerance_grad=0.0,  # a gradient is spread over 300,000 values: torch's default would stop at once
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )
    n_evaluations = 0

    def step() -> "torch.Tensor":
        nonlocal n_evaluations
        n_evaluations += 1
        progress(min(n_evaluations / (1.25 * settings.iterations), 1.0), "drawing")
        optimiser.zero_grad()
        features = _features(drawn, filters)
        content_loss, style_loss = _terms(features, wanted, texture)
        loss: torch.Tensor = settings.content_weight * content_loss + settings.style_weight * style_loss
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(step)  # type: ignore[no-untyped-call]
    result = drawn.detach().clamp(min=0.0)
    return Redrawn(result, before, _losses(_features(result, filters), wanted, texture))


def losses_of(
    drawn: "torch.Tensor", content: "torch.Tensor", style: "torch.Tensor", settings: TransferSettings
) -> Losses:
    """How far a log-mel spectrogram is from a content's and from a style's, to the filters of `settings`."""
    import torch

    filters = _filters(settings, torch.Generator().manual_seed(settings.seed))
    return _losses(_features(drawn, filters), _features(content, filters), _gram(_features(style, filters)))


def _filters(settings: TransferSettings, generator: "torch.Generator") -> "torch.Tensor":
    """Normal filters (n_filters, n_mels, kernel_frames), of the variance that keeps ReLU's outputs in scale."""
    import torch

    n_mels, kernel = settings.scale.n_mels, settings.kernel_frames
    filters = torch.randn((settings.n_filters, n_mels, kernel), generator=generator)
    filters *= (2.0 / (n_mels * kernel)) ** 0.5  # He et al., ICCV 2015
    return filters


def _features(mel: "torch.Tensor", filters: "torch.Tensor") -> "torch.Tensor":
    """(n_filters, n_frames - kernel + 1) of (n_mels, n_frames)."""
    import torch

    return torch.relu(torch.nn.functional.conv1d(mel.unsqueeze(0), filters))[0]


def _gram(features: "torch.Tensor") -> "torch.Tensor":
    return features @ features.T / features.shape[1]  # (n_filters, n_filters)


def _terms(
    features: "torch.Tensor", wanted: "torch.Tensor", texture: "torch.Tensor"
) -> "tuple[torch.Tensor, torch.Tensor]":
    content = (features - wanted).square().sum() / wanted.square().sum()
    return content, (_gram(features) - texture).square().sum() / texture.square().sum()


def _losses(features: "torch.Tensor", wanted: "torch.Tensor", texture: "torch.Tensor") -> Losses:
    content, style = _terms(features, wanted, texture)
    return Losses(float(content), float(style))


def _noise_like(mel: "torch.Tensor", generator: "torch.Generator") -> "torch.Tensor":
    """Positive noise with the content's mean in each band."""
    import torch

    return mel.mean(dim=1, keepdim=True) * 2 * torch.rand(mel.shape, generator=generator)


def _prepared(audio: Audio, settings: TransferSettings, name: str) -> "torch.Tensor":
    """Mono samples at the scale's rate and the common loudness."""
    import torch

    if not np.isfinite(audio.samples).all():
        raise NotMeasurable(f"not a number in {name}")
    mono = resample(audio.mono(), settings.scale.sample_rate)
    loudness = loudness_lufs(mono)
    if not np.isfinite(loudness):
        raise NotMeasurable(f"{name} is silent")
    if mono.n_samples < max((settings.kernel_frames + 1) * settings.scale.hop_length, settings.scale.n_fft):
        raise NotMeasurable(f"{name} is shorter than the filters")
    gain = _GAIN * 10 ** ((_LOUDNESS_LUFS - loudness) / 20)
    return torch.from_numpy(np.ascontiguousarray(mono.samples[0] * np.float32(gain)))


def _mastered(made: Audio, n_samples: int) -> Audio:
    """Both channels alike, of that length, at the pipeline's loudness and below its true peak."""
    samples = np.zeros((2, n_samples), dtype=np.float32)
    n = min(n_samples, made.n_samples)
    samples[:, :n] = made.samples[0, :n]
    meter = MasterMeter(made.sample_rate)
    meter.add(samples)
    meter.finish()
    gain = find_gain(meter, target_lufs=_LOUDNESS_LUFS, ceiling=10 ** (_TRUE_PEAK_DBTP / 20))
    return Audio(gain.apply(samples, 0), made.sample_rate)
