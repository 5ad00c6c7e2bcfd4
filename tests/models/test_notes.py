"""The note network: shapes, chunks and files. What it hears is a matter of training, not of these tests."""

from pathlib import Path

import numpy as np
import pytest

from rearrange.errors import ModelError
from rearrange.models import notes
from rearrange.models.note_features import CHANNELS, SOURCES, Features
from rearrange.models.notes import LINES, NotesConfig, NotesNetwork, build, load, save

SMALL = NotesConfig(width=4, dilations=(1, 2))


def network(config: NotesConfig = SMALL) -> NotesNetwork:
    import torch

    torch.manual_seed(0)
    return NotesNetwork(config, build(config).eval())


def features(n_frames: int) -> dict[str, Features]:
    rng = np.random.default_rng(0)
    return {name: rng.integers(0, 256, (n_frames, 88, CHANNELS), dtype=np.uint8) for name in SOURCES}


def test_the_full_network_is_small() -> None:
    assert sum(each.numel() for each in build(NotesConfig()).parameters()) <= 400_000


def test_every_line_is_read() -> None:
    heard = network().read(features(30))
    assert tuple(heard) == LINES
    for activations in heard.values():
        assert activations.frames.shape == activations.onsets.shape == (30, 88)
        assert 0.0 <= activations.onsets.min() <= activations.onsets.max() <= 1.0
    assert heard["bass"].first_s == pytest.approx(0.5 / heard["bass"].frame_rate_hz)
    assert len(network().read(features(0))["bass"].frames) == 0


def test_chunks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = network().read(features(260))
    monkeypatch.setattr(notes, "_CHUNK_FRAMES", 50)
    for name, activations in network().read(features(260)).items():
        np.testing.assert_allclose(activations.onsets, whole[name].onsets, atol=2e-3)  # half precision


def test_a_pitch_is_heard_as_any_other() -> None:
    """But for registers, which start as nothing, and the keyboard's ends."""
    here, there = (np.zeros((60, 88, CHANNELS), np.uint8) for _ in range(2))
    here[20:40, 40], there[20:40, 43] = 200, 200
    low, high = (network().read(dict.fromkeys(SOURCES, drawn))["other"].onsets for drawn in (here, there))
    np.testing.assert_allclose(low[:, 38:43], high[:, 41:46], atol=0.02)
    assert low[30, 40] != low[30, 39]


def test_half_the_odds_is_the_own_threshold() -> None:
    config = NotesConfig(onset_thresholds=(0.3, 0.4, 0.5))
    assert [config.limits(line).onset_threshold for line in LINES] == pytest.approx([0.3, 0.4, 0.5])
    assert config.limits("bass", 0.8).onset_threshold > 0.4 > config.limits("bass", 0.2).onset_threshold
    with pytest.raises(ValueError, match="thresholds"):
        NotesConfig(onset_thresholds=(0.3,))


def test_a_network_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    ours = network()
    save(tmp_path, SMALL, ours.module.state_dict())
    read = load(tmp_path)
    assert read.config == SMALL
    seen = features(40)
    for name, activations in ours.read(seen).items():
        np.testing.assert_allclose(read.read(seen)[name].onsets, activations.onsets, atol=0.02)


@pytest.mark.parametrize(
    ("name", "text"), [("config.json", "{}x"), ("config.json", '{"unknown": 1}'), ("weights.safetensors", "x")]
)
def test_a_broken_file_is_an_error_of_ours(tmp_path: Path, name: str, text: str) -> None:
    save(tmp_path, SMALL, network().module.state_dict())
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match="note network"):
        load(tmp_path)
