"""Separate as a stage: the same promise from every separator, and clear refusals."""

import json
import threading
from dataclasses import asdict
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from rearrange.audio import Audio
from rearrange.errors import FetchError, ModelError, TooLittleMusicError, UsageError
from rearrange.models import weights
from rearrange.stages.separate import STEMS, SeparateSettings, separate, separate_blocks
from tests.models.tiny_demucs import SAMPLE_RATE, save_tiny_model


def song(duration_s: float = 3.0, sample_rate: int = SAMPLE_RATE) -> Audio:
    time_s = np.arange(int(duration_s * sample_rate)) / sample_rate
    clicks = np.random.default_rng(0).normal(0, 1, len(time_s)) * np.exp(-(time_s % 0.5) / 0.02)
    left = 0.3 * np.sin(2 * np.pi * 440 * time_s) + 0.2 * clicks
    right = 0.3 * np.sin(2 * np.pi * 110 * time_s) + 0.2 * clicks
    return Audio(np.stack([left, right]).astype(np.float32), sample_rate)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    save_tiny_model(folder)
    return folder


@pytest.mark.parametrize("separator", ["spectral", "separator-small", "local"])
def test_stems_add_up_and_keep_level_rate_and_length(separator: str, repository: Path) -> None:
    mix = song()
    chosen = str(repository) if separator == "local" else separator
    stems = separate(mix, SeparateSettings(separator=chosen, device="cpu"))
    assert tuple(stems) == STEMS
    assert {(s.sample_rate, s.n_samples, s.channels) for s in stems.values()} == {
        (mix.sample_rate, mix.n_samples, mix.channels)
    }
    residual = sum(stem.samples for stem in stems.values()) - mix.samples
    assert 10 * np.log10(np.mean(residual**2) / np.mean(mix.samples**2)) < -60


def test_blocks_follow_one_another_and_progress_rises(repository: Path) -> None:
    mix = song(9.0)
    for separator in ("spectral", str(repository)):
        seen: list[float] = []
        blocks = list(
            separate_blocks(
                mix,
                SeparateSettings(separator=separator, device="cpu"),
                progress=lambda fraction, message, seen=seen: seen.append(fraction),
            )
        )
        assert sum(block["other"].shape[1] for block in blocks) == mix.n_samples
        assert seen == sorted(seen)
        assert seen[-1] == 1.0


def test_an_empty_mix_is_too_little_music() -> None:
    with pytest.raises(TooLittleMusicError):
        separate(Audio(np.zeros((2, 0), np.float32), 44100))


@pytest.mark.parametrize("options", [{"device": "tpu"}, {"shifts": -1}, {"overlap": 1.0}])
def test_settings_out_of_range_are_usage_errors(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        SeparateSettings(**options)  # type: ignore[arg-type]


def test_settings_are_json() -> None:
    settings = SeparateSettings(separator="htdemucs", shifts=1)
    assert SeparateSettings(**json.loads(json.dumps(asdict(settings)))) == settings


def test_an_unknown_separator_lists_those_there_are() -> None:
    with pytest.raises(ModelError, match="htdemucs"):
        separate(song(1.0), SeparateSettings(separator="unknown"))


def test_a_named_model_is_fetched_and_then_separates(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way of `--separator htdemucs`, with a tiny model under the official signature."""
    served = tmp_path / "served"
    path = save_tiny_model(served, signature="955717e8")
    index = Path(weights.asset_dir("models") / "index.toml").read_text()
    assets = tmp_path / "assets"
    assets.mkdir()
    checksum = path.stem.split("-")[1]
    (assets / "index.toml").write_text(index.replace("8726e21a", checksum))
    monkeypatch.setattr(weights, "asset_dir", lambda kind: assets)
    monkeypatch.setenv("REARRANGE_CACHE", str(tmp_path / "cache"))
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *args: None)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(served)))
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        monkeypatch.setenv("REARRANGE_MODELS_URL", f"http://127.0.0.1:{httpd.server_address[1]}")
        messages: list[str] = []
        settings = SeparateSettings(separator="htdemucs", device="cpu")
        stems = separate(song(1.0), settings, progress=lambda fraction, message: messages.append(message))
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
    assert "research" in messages[0]  # the licence comes first
    local = separate(song(1.0), SeparateSettings(separator=str(served), device="cpu"))
    np.testing.assert_array_equal(stems["drums"].samples, local["drums"].samples)
    separate(song(1.0), settings)  # from the cache: the server is gone
    (tmp_path / "cache" / "models" / "htdemucs" / path.name).unlink()
    with pytest.raises(FetchError):
        separate(song(1.0), settings)
