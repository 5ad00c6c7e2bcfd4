"""The drum network: frames, peaks and files. What it hears is a matter of training, not of these tests."""

from pathlib import Path

import numpy as np
import pytest

from rearrange.errors import ModelError
from rearrange.models import drums
from rearrange.models.drums import (
    CLASSES,
    SAMPLE_RATE,
    DrumsConfig,
    DrumsNetwork,
    Picking,
    build,
    class_of_pitch,
    load,
    pick_hits,
    save,
)

SMALL = DrumsConfig(n_bands=40, channels=(4, 4, 4), width=8, dilations=(1, 2))


def network(config: DrumsConfig = SMALL) -> DrumsNetwork:
    import torch

    torch.manual_seed(0)
    return DrumsNetwork(config, build(config).eval())


def test_the_full_network_is_small_enough() -> None:
    assert sum(each.numel() for each in build(DrumsConfig()).parameters()) <= 1_500_000


def test_every_class_is_written_as_a_pitch_of_its_own() -> None:
    for index, pitches in enumerate(CLASSES.values()):
        assert all(class_of_pitch(pitch) == index for pitch in pitches)
    assert class_of_pitch(64) is None, "a conga is of no class"


@pytest.mark.parametrize("time_s", [0.1, 0.1025, 0.2051, 0.3375, 0.4999])
def test_peaks_are_found_between_the_frames(time_s: float) -> None:
    activations = np.zeros((2, len(CLASSES), 60), dtype=np.float32)
    activations[0, 1] = np.maximum(1 - np.abs(np.arange(60) - 100 * time_s) / 2, 0)
    activations[1, 1] = 0.5
    (hit,) = pick_hits(activations, Picking())
    assert hit.onset_s == pytest.approx(time_s, abs=0.005)
    assert (hit.pitch, hit.velocity) == (38, 64)


def test_of_a_plateau_and_of_close_peaks_one_is_taken() -> None:
    activations = np.zeros((2, len(CLASSES), 60), dtype=np.float32)
    activations[0, 0, 10:13] = 0.8
    activations[0, 3, 30], activations[0, 3, 32] = 0.9, 0.7
    activations[0, 3, 45] = 0.4  # under the threshold
    assert [(hit.pitch, round(hit.onset_s, 1)) for hit in pick_hits(activations, Picking())] == [
        (36, 0.1),
        (42, 0.3),
    ]


def test_chunks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = network()
    frames = np.random.default_rng(1).standard_normal((700, SMALL.n_bands)).astype(np.float32)
    whole = heard.hear(frames)
    monkeypatch.setattr(drums, "_CHUNK_FRAMES", 200)
    np.testing.assert_allclose(heard.hear(frames), whole, atol=1e-5)


def test_silence_and_next_to_nothing_have_no_drums() -> None:
    assert network().hits(np.zeros(SAMPLE_RATE, dtype=np.float32)) == ()
    assert network().hits(np.zeros(0, dtype=np.float32)) == ()
    assert isinstance(network().hits(np.full(10, 0.5, dtype=np.float32)), tuple)


def test_a_network_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = network(DrumsConfig(SMALL.n_bands, (4, 4, 4), 8, (1, 2), Picking((0.3,) * len(CLASSES), 0.05)))
    save(tmp_path, made.config, made.module.state_dict())
    read = load(tmp_path)
    assert read.config == made.config
    frames = np.random.default_rng(1).standard_normal((100, SMALL.n_bands)).astype(np.float32)
    np.testing.assert_allclose(read.hear(frames), made.hear(frames), atol=5e-3)  # half precision


def test_what_is_wrong_with_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(tmp_path / "nothing")
    made = network()
    save(tmp_path, made.config, made.module.state_dict())
    (tmp_path / "config.json").write_text('{"depth": 3}')
    with pytest.raises(ModelError, match="depth"):
        load(tmp_path)
    with pytest.raises(ValueError, match="thresholds"):
        Picking((0.5,))
