import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rearrange.errors import CancelledError, DependencyError, ModelError
from rearrange.models import basic_pitch
from tests.tones import placed, tone

RATE = basic_pitch.SAMPLE_RATE


@pytest.fixture(scope="module")
def network() -> basic_pitch.BasicPitch:
    return basic_pitch.load()


def test_a_tone_is_heard_at_its_pitch_and_time(network: basic_pitch.BasicPitch) -> None:
    acts = network.activations(placed([(1.0, tone(69, 0.8, RATE))], 3.0, RATE))
    column = 69 - acts.lowest_pitch
    assert acts.frames.sum(axis=0).argmax() == column
    onset_s = int(acts.onsets[:, column].argmax()) / acts.frame_rate_hz
    assert onset_s == pytest.approx(1.0, abs=0.02)


def test_time_does_not_drift_over_windows(network: basic_pitch.BasicPitch) -> None:
    onsets_s = np.arange(0.5, 19.0, 0.73)
    acts = network.activations(placed([(at, tone(64, 0.5, RATE)) for at in onsets_s], 20.0, RATE))
    curve = acts.onsets[:, 64 - acts.lowest_pitch]
    heard_s = [
        (start + curve[start : start + 20].argmax()) / acts.frame_rate_hz
        for start in (onsets_s * acts.frame_rate_hz).astype(int) - 8
    ]
    assert np.abs(heard_s - onsets_s).max() < 0.02


def test_windows_join_without_a_seam(network: basic_pitch.BasicPitch) -> None:
    time_s = np.arange(8 * RATE) / RATE
    organ = 0.1 * sum(np.sin(2 * np.pi * 220 * k * time_s) / k for k in (1, 2, 3))
    acts = network.activations(organ.astype(np.float32))
    held = acts.frames[20:-20, 57 - acts.lowest_pitch]
    assert held.min() > 0.5
    assert np.abs(np.diff(held)).max() < 0.15


def test_shape_and_range(network: basic_pitch.BasicPitch) -> None:
    for n_samples in (1, 255, 4410, RATE * 3 + 17):
        acts = network.activations(np.full(n_samples, 0.01, np.float32))
        assert acts.frames.shape == acts.onsets.shape == (n_samples // basic_pitch.HOP_LENGTH + 1, 88)
        assert np.isfinite(acts.frames).all()
        assert acts.frames.min() >= 0.0
        assert acts.frames.max() <= 1.0


def test_silence_is_not_sent_through_the_network() -> None:
    class Deaf:
        def run(self, *_: object) -> None:
            raise AssertionError

    deaf = basic_pitch.BasicPitch(Deaf())
    acts = deaf.activations(np.zeros(5 * RATE, np.float32))
    assert not acts.frames.any()
    assert deaf.activations(np.zeros(0, np.float32)).frames.shape == (0, 88)


def test_windows_far_below_the_loudest_are_skipped(network: basic_pitch.BasicPitch) -> None:
    samples = placed([(1.0, tone(60, 0.5, RATE)), (9.0, tone(60, 0.5, RATE, gain=1e-4))], 12.0, RATE)
    frames = network.activations(samples).frames
    seam = int(6.0 * RATE / basic_pitch.HOP_LENGTH)
    assert frames[:seam].max() > 0.5
    assert not frames[seam:].any()


def test_progress_can_cancel(network: basic_pitch.BasicPitch) -> None:
    def stop(fraction: float, message: str) -> None:
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        network.activations(np.full(RATE, 0.1, np.float32), progress=stop)


def test_two_channels_are_a_programming_mistake(network: basic_pitch.BasicPitch) -> None:
    with pytest.raises(ValueError, match="mono"):
        network.activations(np.zeros((2, 100), np.float32))


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "nmp.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="cannot be loaded"):
        basic_pitch.load(path)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(DependencyError) as caught:
        basic_pitch.weights_path()
    assert "pip install" in caught.value.hint


def test_neither_tensorflow_nor_librosa_nor_the_package_is_imported() -> None:
    code = (
        "import sys, numpy as np\n"
        "from rearrange.models import basic_pitch\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "basic_pitch.load().activations(np.full(22050, 0.1, np.float32))\n"
        "found = {'basic_pitch', 'librosa', 'numba', 'tensorflow'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
