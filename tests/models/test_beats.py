"""The beat network: shapes, chunks and files. What it hears is a matter of training, not of these tests."""

from pathlib import Path

import numpy as np
import pytest

from rearrange.errors import ModelError
from rearrange.models import beats
from rearrange.models.beats import METRES, SAMPLE_RATE, TEMPI_BPM, BeatsConfig, BeatsNetwork, build, load, save

SMALL = BeatsConfig(n_bands=24, channels=(4, 4, 4), width=8, dilations=(1, 2))


def network(config: BeatsConfig = SMALL) -> BeatsNetwork:
    import torch

    torch.manual_seed(0)
    return BeatsNetwork(config, build(config).eval())


def test_the_full_network_is_small_enough() -> None:
    assert sum(each.numel() for each in build(BeatsConfig()).parameters()) <= 500_000


def test_activations_are_shares() -> None:
    samples = np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE).astype(np.float32)
    heard = network().activations(samples)
    assert heard.frame_rate_hz == 50.0
    assert heard.beat.shape == heard.downbeat.shape == (101,)
    assert heard.tempo.shape == (101, len(TEMPI_BPM))
    assert heard.metre.shape == (101, len(METRES))
    assert np.all((heard.downbeat >= 0) & (heard.downbeat <= heard.beat) & (heard.beat <= 1))
    for shares in (heard.tempo, heard.metre):
        np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("n_samples", [0, 1, 100, SAMPLE_RATE])
def test_silence_and_next_to_nothing_are_heard_as_such(n_samples: int) -> None:
    heard = network().activations(np.zeros(n_samples, dtype=np.float32))
    assert len(heard.beat) == n_samples // 441 + 1
    assert np.isfinite(heard.beat).all()


def test_chunks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = network()
    frames = np.random.default_rng(1).standard_normal((400, SMALL.n_bands)).astype(np.float32)
    whole = heard.hear(frames)
    monkeypatch.setattr(beats, "_CHUNK_FRAMES", 90)
    parted = heard.hear(frames)
    for name in ("beat", "downbeat", "tempo", "metre"):
        np.testing.assert_allclose(getattr(parted, name), getattr(whole, name), atol=1e-5)


def test_what_it_reaches_is_no_more_than_it_says() -> None:
    heard = network()
    frames = np.random.default_rng(1).standard_normal((60, SMALL.n_bands)).astype(np.float32)
    other = frames.copy()
    other[30 + SMALL.reach_frames + 1 :] = 0.0
    assert heard.hear(frames).beat[30] == pytest.approx(heard.hear(other).beat[30], abs=1e-6)


def test_a_network_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = network()
    save(tmp_path, made.config, made.module.state_dict())
    read = load(tmp_path)
    assert read.config == made.config
    frames = np.random.default_rng(1).standard_normal((100, SMALL.n_bands)).astype(np.float32)
    np.testing.assert_allclose(read.hear(frames).beat, made.hear(frames).beat, atol=5e-3)  # half precision


def test_what_is_wrong_with_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(tmp_path / "nothing")
    made = network()
    save(tmp_path, made.config, made.module.state_dict())
    (tmp_path / "config.json").write_text('{"depth": 3}')
    with pytest.raises(ModelError, match="depth"):
        load(tmp_path)
