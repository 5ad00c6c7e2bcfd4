"""Basic Pitch: how strongly each of 88 pitches sounds, and starts, in every 11.6 ms of a recording.

An adapter to the network that the wheel `basic-pitch` carries as ONNX, run by onnxruntime: arrays in,
`Activations` out. The wheel's own Python is not imported: it probes four back ends with warnings, needs
librosa, and its file path compiles for 17 s. What is taken from it are the constants below and the way
that windows overlap.

Conventions: mono at 22,050 Hz; pitches are MIDI 21 (A0) to 108 (C8). The network scales each two-second
window to its own loudest moment, so a near-silent window shows notes as boldly as a loud one: windows
far below the loudest are skipped here, and the rest is judged by level in `stages/transcribe.py`.

Sources: Bittner et al., "A Lightweight Instrument-Agnostic Model for Polyphonic Note Transcription and
Multipitch Estimation", ICASSP 2022; basic_pitch 0.4.0 (Apache-2.0), constants.py and inference.py.
"""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.decoding import Activations
from rearrange.errors import DependencyError, ModelError
from rearrange.progress import Progress, silent

__all__ = ["SAMPLE_RATE", "BasicPitch", "load", "weights_path"]

# basic_pitch/constants.py: AUDIO_SAMPLE_RATE, FFT_HOP, AUDIO_N_SAMPLES, ANNOT_N_FRAMES, and the lowest of
# ANNOTATIONS_N_SEMITONES keys (ANNOTATIONS_BASE_FREQUENCY, 27.5 Hz).
SAMPLE_RATE = 22_050
HOP_LENGTH = 256
WINDOW_SAMPLES = 2 * SAMPLE_RATE - HOP_LENGTH
WINDOW_FRAMES = 172
LOWEST_PITCH = 21
N_PITCHES = 88

# inference.py cuts 15 frames from either end of a window, steps 142.3 frames and keeps 142, then bends the
# time axis to make up for the drift. Ten frames are enough (measured against windows' middles: 0.06 of mean
# deviation there, 0.05 at fifteen, 0.02 between middles) and cost 7% less, and whole frames keep the grid regular.
EDGE_FRAMES = 10
STEP_FRAMES = WINDOW_FRAMES - 2 * EDGE_FRAMES - 1
STEP_SAMPLES = STEP_FRAMES * HOP_LENGTH

# Two windows at a time are fastest on two cores (measured: 1: 17.7, 2: 15.2, 8: 18.2 ms a window): more
# than two no longer fit the cache.
BATCH_WINDOWS = 2

# A window is not worth hearing this far below the recording's loudest window, or near digital silence.
SKIP_BELOW_LOUDEST_DB = -50.0
SKIP_BELOW_DBFS = -80.0

_INPUT = "serving_default_input_2:0"
_CONTOURS = "StatefulPartitionedCall:0"
_FRAMES = "StatefulPartitionedCall:1"
_ONSETS = "StatefulPartitionedCall:2"


def weights_path() -> Path:
    """The ONNX file in the installed wheel, found without importing the package.

    Raises
    ------
    DependencyError : basic-pitch is not installed, or has no ONNX model.
    """
    hint = "pip install --no-deps basic-pitch==0.4.0"
    spec = importlib.util.find_spec("basic_pitch")
    if spec is None or not spec.submodule_search_locations:
        raise DependencyError("the package basic-pitch is not installed", hint)
    path = Path(spec.submodule_search_locations[0]) / "saved_models" / "icassp_2022" / "nmp.onnx"
    if not path.is_file():
        raise DependencyError(f"the package basic-pitch has no ONNX model at {path}", hint)
    return path


def load(path: Path | None = None, *, threads: int = 2) -> "BasicPitch":
    """Load the network (about 20 ms).

    Raises
    ------
    DependencyError : onnxruntime or basic-pitch is not installed.
    ModelError : the file is not the network that is expected.
    """
    path = path or weights_path()
    try:
        import onnxruntime
    except ImportError as exc:
        raise DependencyError("the package onnxruntime is not installed", "pip install onnxruntime") from exc

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only: what matters is raised
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # onnxruntime's errors share no base class below Exception
        raise ModelError(f"{path} cannot be loaded as an ONNX model", "install basic-pitch again") from exc
    names = {port.name for port in (*session.get_inputs(), *session.get_outputs())}
    if not {_INPUT, _CONTOURS, _FRAMES, _ONSETS} <= names:
        raise ModelError(f"{path} is not Basic Pitch's network", "install basic-pitch==0.4.0")
    return BasicPitch(session)


class BasicPitch:
    """The loaded network; make one with `load`."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def activations(
        self, samples: NDArray[np.float32], *, contours: bool = False, progress: Progress = silent
    ) -> Activations:
        """Hear a recording.

        Memory beyond `samples` is that of the result (60 kB per second, 90 with contours) and of two windows.

        Parameters
        ----------
        samples : (n_samples,) mono at SAMPLE_RATE, full scale ±1, finite
        contours : also the strongest of the three thirds of a semitone around each pitch

        Returns
        -------
        Activations of n_samples // HOP_LENGTH + 1 frames; all zero where the recording is (nearly) silent.

        Raises
        ------
        ValueError : not one-dimensional.
        """
        if samples.ndim != 1:
            raise ValueError(f"expected mono samples of shape (n_samples,), got {samples.shape}")
        n_frames = len(samples) // HOP_LENGTH + 1 if len(samples) else 0
        frames = np.zeros((n_frames, N_PITCHES), dtype=np.float32)
        onsets = np.zeros((n_frames, N_PITCHES), dtype=np.float32)
        traced = np.zeros((n_frames, N_PITCHES), dtype=np.float32) if contours else None
        names = [_FRAMES, _ONSETS, _CONTOURS][: 3 if contours else 2]
        heard = _audible_windows(samples, -(-n_frames // STEP_FRAMES))
        for first in range(0, len(heard), BATCH_WINDOWS):
            progress(first / len(heard), "hearing notes")
            windows = heard[first : first + BATCH_WINDOWS]
            batch = np.stack([_window(samples, index) for index in windows])[:, :, np.newaxis]
            heard_frames, heard_onsets, *heard_contours = self._session.run(names, {_INPUT: batch})
            for row, index in enumerate(windows):
                start = index * STEP_FRAMES
                stop = min(start + STEP_FRAMES, n_frames)
                kept = slice(EDGE_FRAMES, EDGE_FRAMES + stop - start)
                frames[start:stop] = heard_frames[row, kept]
                onsets[start:stop] = heard_onsets[row, kept]
                if traced is not None:
                    traced[start:stop] = _by_pitch(heard_contours[0][row, kept])
        progress(1.0, "heard notes")
        return Activations(frames, onsets, SAMPLE_RATE / HOP_LENGTH, LOWEST_PITCH, traced)


def _by_pitch(thirds: NDArray[np.float32]) -> NDArray[np.float32]:
    """The strongest third around each pitch, (n, pitches), of contours (n, 3 * pitches); a pitch is its first."""
    below = np.pad(thirds[:, 2:-1:3], ((0, 0), (1, 0)))
    return np.asarray(np.maximum(np.maximum(thirds[:, 0::3], thirds[:, 1::3]), below))


def _window(samples: NDArray[np.float32], index: int) -> NDArray[np.float32]:
    """The `index`-th window, which starts EDGE_FRAMES early; zeros beyond either end."""
    start = index * STEP_SAMPLES - EDGE_FRAMES * HOP_LENGTH
    window = np.zeros(WINDOW_SAMPLES, dtype=np.float32)
    found = samples[max(start, 0) : start + WINDOW_SAMPLES]
    offset = max(-start, 0)
    window[offset : offset + len(found)] = found
    return window


def _audible_windows(samples: NDArray[np.float32], n_windows: int) -> list[int]:
    """Indices of the windows whose level is worth hearing."""
    levels_db = np.fromiter(_levels_db(samples, n_windows), dtype=np.float64, count=n_windows)
    if n_windows == 0:
        return []
    floor_db = max(float(levels_db.max()) + SKIP_BELOW_LOUDEST_DB, SKIP_BELOW_DBFS)
    return [int(index) for index in np.flatnonzero(levels_db > floor_db)]


def _levels_db(samples: NDArray[np.float32], n_windows: int) -> Iterator[float]:
    """RMS of each window, in dBFS."""
    for index in range(n_windows):
        start = max(index * STEP_SAMPLES - EDGE_FRAMES * HOP_LENGTH, 0)
        window = samples[start : index * STEP_SAMPLES - EDGE_FRAMES * HOP_LENGTH + WINDOW_SAMPLES]
        power = float(np.dot(window, window)) / max(len(window), 1)
        yield 10.0 * float(np.log10(power + 1e-12))
