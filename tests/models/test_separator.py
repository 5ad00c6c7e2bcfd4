"""The separator network: shapes, what its parts promise, files; and that a recording goes through it as a
stream."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rearrange.errors import ModelError
from rearrange.models import separation
from rearrange.models.separation import separation_blocks
from rearrange.models.separator import (
    N_BINS,
    N_CELLS,
    STEMS,
    SeparatorConfig,
    SeparatorNetwork,
    bins_of,
    build,
    cells_of,
    load,
    save,
    views_of,
)
from rearrange.models.spectral import spectral_blocks

Sound = NDArray[np.float32]

SMALL = SeparatorConfig(bands=((8, 64), (4, 128)), width=8, narrow=2, hidden=8, dilations=(1, 3))
SAMPLE_RATE = 44100


def network(seed: int = 0, *, classical: float = 0.2) -> SeparatorNetwork:
    torch.manual_seed(seed)
    config = replace(SMALL, classical=classical)
    return SeparatorNetwork(config, build(config).eval())


def noise(channels: int, n_samples: int, seed: int = 0) -> Sound:
    return np.random.default_rng(seed).normal(0, 0.1, (channels, n_samples)).astype(np.float32)


def separated(mix: Sound, sample_rate: int = SAMPLE_RATE, *, classical: float = 0.2) -> dict[str, Sound]:
    blocks = list(separation_blocks(mix, sample_rate, network(classical=classical)))
    return {name: np.concatenate([block[name] for block in blocks], axis=1) for name in blocks[0]}


def test_shares_of_every_bin_add_up_to_one() -> None:
    spectra = (noise(2, 7 * N_BINS) + 1j * noise(2, 7 * N_BINS, 1)).reshape(2, 7, N_BINS).astype(np.complex64)
    masks = network().masks(spectra)
    assert masks.shape == (len(STEMS), 2, 7, N_BINS)
    assert masks.min() >= 0
    np.testing.assert_allclose(masks.sum(axis=0), 1.0, atol=1e-5)


def test_cells_hold_the_power_of_their_bins_and_bins_the_value_of_their_cell() -> None:
    bins = torch.rand(3, N_BINS)
    cells = cells_of(bins)
    assert cells.shape == (3, N_CELLS)
    np.testing.assert_allclose(cells.sum(-1), bins.sum(-1), rtol=1e-5)
    np.testing.assert_array_equal(cells[:, :512], bins[:, :512])
    np.testing.assert_allclose(cells[:, -1], bins[:, -4:].sum(-1), rtol=1e-5)
    spread = bins_of(cells)
    assert (spread[:, -4:] == cells[:, -1:]).all()
    np.testing.assert_allclose(cells_of(spread)[:, 600], 2 * cells[:, 600])


def test_views_are_left_right_sum_and_difference() -> None:
    left, right = (torch.randn(1, 2, N_BINS, dtype=torch.complex64) for _ in range(2))
    views = views_of(torch.stack([left, right], 1))
    for i, each in enumerate((left, right, (left + right) * 0.5**0.5, (left - right) * 0.5**0.5)):
        np.testing.assert_allclose(views[:, :, i], cells_of(each.abs().square()), rtol=1e-3, atol=1e-4)


def test_gradients_of_convolutions_over_time_are_right() -> None:
    """They are our own; torch's own convolution is the reference."""
    torch.manual_seed(1)
    block = build(SMALL).get_submodule("blocks.1")
    x = torch.randn(2, 9, 12, SMALL.width, requires_grad=True)
    taps = block.get_parameter("taps")
    padded = torch.nn.functional.pad(x.permute(0, 2, 3, 1), (6, 6)).flatten(0, 1)
    expected = torch.nn.functional.conv1d(padded, taps[:, None], dilation=3, groups=SMALL.width)
    moved = type(block).along_time(x, taps, 3)  # type: ignore[attr-defined]
    np.testing.assert_allclose(
        moved.detach(), expected.unflatten(0, (2, 12)).permute(0, 3, 1, 2).detach(), atol=1e-5
    )
    weights = torch.randn_like(moved)
    ours = torch.autograd.grad((moved * weights).sum(), (x, taps), retain_graph=True)
    theirs = torch.autograd.grad((expected.unflatten(0, (2, 12)).permute(0, 3, 1, 2) * weights).sum(), (x, taps))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize(
    ("channels", "sample_rate", "duration_s"),
    [
        (1, 44100, 1.3),
        (2, 44100, 1.3),
        (3, 44100, 0.5),
        (8, 22050, 0.4),
        (2, 8000, 2.0),
        (2, 48000, 1.0),
        (1, 96000, 0.7),
    ],
)
def test_stems_add_up_to_the_mix(channels: int, sample_rate: int, duration_s: float) -> None:
    mix = noise(channels, round(duration_s * sample_rate))
    stems = separated(mix, sample_rate)
    assert tuple(stems) == STEMS
    assert {stem.shape for stem in stems.values()} == {mix.shape}
    np.testing.assert_allclose(sum(stems.values()), mix, atol=1e-6)
    assert all(np.any(stem) for stem in stems.values()), "a network of random weights gives to all"


@pytest.mark.parametrize("n_samples", [1, 2, 100, 4095, 8821])
def test_a_fraction_of_a_second_works(n_samples: int) -> None:
    mix = np.full((2, n_samples), 0.5, np.float32)
    np.testing.assert_allclose(sum(separated(mix).values()), mix, atol=1e-6)


@pytest.mark.parametrize("level", [0.0, 1e-9, 1e-4, 50.0])
def test_silence_and_extreme_levels_stay_finite_and_level_does_not_matter(level: float) -> None:
    mix = noise(2, 30_000)
    stems = separated(np.float32(level) * mix)
    assert all(np.isfinite(stem).all() for stem in stems.values())
    if level >= 1e-4:
        np.testing.assert_allclose(stems["bass"] / level, separated(mix)["bass"], atol=1e-4)
    if level == 0.0:
        assert not any(np.any(stem) for stem in stems.values())


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_blocks_join_without_a_seam(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mix = noise(channels, 3 * SAMPLE_RATE)
    whole = separated(mix)
    monkeypatch.setattr(separation, "_BLOCK_FRAMES", 17)
    assert len(list(separation_blocks(mix, SAMPLE_RATE, network()))) > 5
    for name, stem in separated(mix).items():
        np.testing.assert_allclose(stem, whole[name], atol=1e-5)


def test_a_mono_recording_is_heard_as_two_channels_that_are_alike() -> None:
    mono = noise(1, SAMPLE_RATE)
    stereo = separated(np.repeat(mono, 2, axis=0), classical=0.0)
    for name, stem in separated(mono, classical=0.0).items():
        np.testing.assert_allclose(stem[0], stereo[name].mean(axis=0), atol=1e-5)


def test_a_share_of_the_result_is_the_classical_separators() -> None:
    mix = noise(2, 5 * SAMPLE_RATE)
    classical = np.concatenate([block["drums"] for block in spectral_blocks(mix, SAMPLE_RATE)], axis=1)
    expected = 0.7 * separated(mix, classical=0.0)["drums"] + 0.3 * classical
    np.testing.assert_allclose(separated(mix, classical=0.3)["drums"], expected, atol=1e-5)


def test_a_rate_changes_what_there_is_and_not_what_is_heard() -> None:
    """A tone's share is the same at 44.1 and at 48 kHz."""
    shares = []
    for rate in (44100, 48000):
        time_s = np.arange(2 * rate) / rate
        tone = (0.1 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)[None].repeat(2, axis=0)
        middle = separated(tone, rate)["drums"][:, rate // 2 : -rate // 2]
        shares.append(float(np.sqrt(np.mean(middle**2))))
    assert shares[0] == pytest.approx(shares[1], rel=0.05)


def test_progress_rises_to_the_end() -> None:
    seen: list[float] = []
    mix = noise(2, 50_000)
    list(separation_blocks(mix, SAMPLE_RATE, network(), progress=lambda fraction, _: seen.append(fraction)))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_network_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = network(3)
    save(tmp_path, made.config, made.module.state_dict())
    read = load(tmp_path)
    assert read.config == made.config
    spectra = (1 + 1j) * noise(2, 5 * N_BINS).reshape(2, 5, N_BINS).astype(np.complex64)
    np.testing.assert_allclose(read.masks(spectra), made.masks(spectra), atol=5e-3)  # half precision


def test_what_is_wrong_with_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(tmp_path / "nothing")
    made = network()
    save(tmp_path, made.config, made.module.state_dict())
    (tmp_path / "config.json").write_text('{"depth": 3}')
    with pytest.raises(ModelError, match="depth"):
        load(tmp_path)
    (tmp_path / "config.json").write_text(made.config.to_json())
    (tmp_path / "weights.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(tmp_path)
    with pytest.raises(ValueError, match="cells"):
        SeparatorConfig(bands=((8, 64),))
