"""The Demucs adapter, with a tiny random model in a local repository: its code, not its ears."""

import random
from pathlib import Path

import numpy as np
import pytest

from rearrange.audio import Audio
from rearrange.errors import CancelledError, ModelError, UsageError
from rearrange.models.demucs import demucs_blocks, load_demucs
from tests.models.tiny_demucs import SAMPLE_RATE, save_tiny_model


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    save_tiny_model(folder)
    return folder


def noise(*, channels: int = 2, sample_rate: int = SAMPLE_RATE, duration_s: float = 7.0) -> Audio:
    samples = np.random.default_rng(5).normal(0, 0.1, (channels, int(sample_rate * duration_s)))
    return Audio(samples.astype(np.float32), sample_rate)


def separated(mix: Audio, model: Path | str, **options: object) -> dict[str, np.ndarray]:
    blocks = list(demucs_blocks(mix, str(model), device="cpu", **options))  # type: ignore[arg-type]
    return {name: np.concatenate([block[name] for block in blocks], axis=1) for name in blocks[0]}


def assert_adds_up(stems: dict[str, np.ndarray], mix: Audio) -> None:
    assert {stem.shape for stem in stems.values()} == {mix.samples.shape}
    residual = sum(stems.values()) - mix.samples
    assert 10 * np.log10(np.mean(residual**2) / np.mean(mix.samples**2)) < -120


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.6])
def test_the_stream_gives_what_demucs_gives_for_the_whole(repository: Path, overlap: float) -> None:
    import torch
    from demucs.apply import apply_model

    mix = noise()
    net = load_demucs(str(repository))
    mono = mix.samples.mean(axis=0)
    tensor = torch.from_numpy((mix.samples - mono.mean()) / mono.std())[None]
    whole = apply_model(net, tensor, shifts=0, overlap=overlap)[0].numpy() * mono.std()
    stems = separated(mix, repository, overlap=overlap)
    for name in ("drums", "bass", "vocals"):
        np.testing.assert_allclose(stems[name], whole[net.sources.index(name)], atol=1e-5)
        assert stems[name].any()
    assert_adds_up(stems, mix)


@pytest.mark.parametrize(
    ("channels", "sample_rate", "shifts"), [(1, 8000, 0), (3, 8000, 0), (2, 11025, 0), (2, 8000, 2)]
)
def test_any_rate_and_channels_and_shifts_add_up(
    repository: Path, channels: int, sample_rate: int, shifts: int
) -> None:
    mix = noise(channels=channels, sample_rate=sample_rate)
    assert_adds_up(separated(mix, repository, shifts=shifts), mix)


def test_random_shifts_are_reproducible(repository: Path) -> None:
    mix = noise(duration_s=2.0)
    random.seed(1)
    first = separated(mix, repository, shifts=1)
    random.seed(2)
    np.testing.assert_array_equal(first["drums"], separated(mix, repository, shifts=1)["drums"])


def test_guitar_and_piano_go_into_other(tmp_path: Path) -> None:
    save_tiny_model(tmp_path, sources=("drums", "bass", "other", "vocals", "guitar", "piano"))
    stems = separated(noise(duration_s=1.0), tmp_path)
    assert list(stems) == ["drums", "bass", "other", "vocals"]
    assert_adds_up(stems, noise(duration_s=1.0))


def test_a_mono_model_hears_each_channel(tmp_path: Path) -> None:
    save_tiny_model(tmp_path, audio_channels=1)
    mix = noise(duration_s=1.5)
    mix.samples[1] = 0.5 * mix.samples[0]
    stems = separated(mix, tmp_path)
    assert_adds_up(stems, mix)
    assert not np.allclose(stems["drums"][0], stems["drums"][1], atol=1e-6)


def test_a_bag_of_models_is_their_weighted_mean(tmp_path: Path) -> None:
    for seed, signature in ((0, "aaaaaaaa"), (1, "bbbbbbbb")):
        save_tiny_model(tmp_path, signature=signature, seed=seed)
    mix = noise(duration_s=1.0)
    alone = {name: separated(mix, tmp_path / name) for name in ("aaaaaaaa", "bbbbbbbb")}
    bag = "models: ['aaaaaaaa', 'bbbbbbbb']\nweights: [[1., 1., 1., 0.], [0., 1., 1., 1.]]\n"
    (tmp_path / "both.yaml").write_text(bag)
    both = separated(mix, tmp_path)  # the only bag is what the folder means
    np.testing.assert_allclose(both["drums"], alone["aaaaaaaa"]["drums"], atol=1e-6)
    np.testing.assert_allclose(both["vocals"], alone["bbbbbbbb"]["vocals"], atol=1e-6)
    mean = (alone["aaaaaaaa"]["bass"] + alone["bbbbbbbb"]["bass"]) / 2
    np.testing.assert_allclose(both["bass"], mean, atol=1e-6)


def test_silence_stays_silence_and_an_offset_stays_in_other(repository: Path) -> None:
    silent = Audio(np.zeros((2, 8000), np.float32), SAMPLE_RATE)
    assert not any(stem.any() for stem in separated(silent, repository).values())
    mix = noise(duration_s=1.0)
    shifted = separated(Audio(mix.samples + np.float32(0.3), SAMPLE_RATE), repository)
    np.testing.assert_allclose(shifted["drums"], separated(mix, repository)["drums"], atol=1e-4)


def test_progress_rises_to_one_and_can_cancel(repository: Path) -> None:
    seen: list[float] = []
    separated(noise(), repository, shifts=2, progress=lambda fraction, message: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 10

    def cancel(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        separated(noise(), repository, progress=cancel)


def test_a_damaged_model_is_told_by_its_checksum(tmp_path: Path) -> None:
    path = save_tiny_model(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ModelError, match="checksum"):
        load_demucs(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(1000)])
def test_a_file_that_is_no_model_is_a_model_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0a0b0c0d.th").write_bytes(content)
    with pytest.raises(ModelError, match="0a0b0c0d"):
        load_demucs(str(tmp_path))


def test_weights_that_do_not_fit_their_architecture_are_a_model_error(tmp_path: Path) -> None:
    import torch

    path = save_tiny_model(tmp_path)
    package = torch.load(path, weights_only=False)
    package["kwargs"]["channels"] = 16
    path.unlink()
    torch.save(package, tmp_path / "0a0b0c0d.th")
    with pytest.raises(ModelError, match="does not load"):
        load_demucs(str(tmp_path))


def test_bad_bags_and_folders_are_errors(tmp_path: Path, repository: Path) -> None:
    with pytest.raises(ModelError, match="holds no Demucs model"):
        load_demucs(str(tmp_path))
    with pytest.raises(ModelError, match="no such folder"):
        load_demucs(str(tmp_path / "none" / "model"))
    with pytest.raises(ModelError, match="does-not-exist"):
        load_demucs(str(repository / "does-not-exist"))
    for name, text in (("missing", "models: ['ffffffff']"), ("broken", "models: [["), ("empty", "")):
        (tmp_path / f"{name}.yaml").write_text(text)
        with pytest.raises(ModelError, match=name):
            load_demucs(str(tmp_path / f"{name}.yaml"))
    with pytest.raises(UsageError, match="several"):
        load_demucs(str(tmp_path))


def test_names_that_nobody_knows_and_models_without_drums_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="htdemucs_ft"):  # the hint lists what there is
        load_demucs("hdtemucs")
    with pytest.raises(ModelError, match="no Demucs"):
        load_demucs("spectral")
    save_tiny_model(tmp_path, sources=("speech", "noise"))
    with pytest.raises(ModelError, match="drums, bass, vocals"):
        load_demucs(str(tmp_path))


def test_a_device_that_is_not_there_is_a_usage_error(repository: Path) -> None:
    import torch

    absent = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(UsageError, match=absent):
        list(demucs_blocks(noise(duration_s=1.0), str(repository), device=absent))


@pytest.mark.parametrize("message", ["CUDA out of memory", "DefaultCPUAllocator: can't allocate memory"])
def test_running_out_of_memory_is_a_model_error(
    repository: Path, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    import torch
    from demucs.htdemucs import HTDemucs

    def fail(self: object, mix: object) -> None:
        raise (torch.OutOfMemoryError if "CUDA" in message else RuntimeError)(message)

    monkeypatch.setattr(HTDemucs, "forward", fail)
    with pytest.raises(ModelError, match="not enough memory"):
        separated(noise(duration_s=1.0), repository)


def test_declared_files_are_those_of_demucs_own_lists() -> None:
    """models/index.toml repeats signatures that Demucs' bags name; they must agree."""
    import yaml
    from demucs.pretrained import REMOTE_ROOT, _parse_remote_files

    from rearrange.models.weights import list_models

    urls = _parse_remote_files(REMOTE_ROOT / "files.txt")
    for info in list_models():
        if info.family == "demucs":
            signatures = yaml.safe_load((REMOTE_ROOT / f"{info.name}.yaml").read_text())["models"]
            assert [f"{info.url}/{file.name}" for file in info.files] == [urls[s] for s in signatures]
            assert all(file.name.removesuffix(".th").endswith(file.sha256) for file in info.files)
