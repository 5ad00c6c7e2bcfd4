"""Demucs as a separator: its own loading (repositories, bags of models) and its own `apply_model`.

A model is a name of models/index.toml, or a path: a folder that holds one Demucs model (`.th`) or bag
(`.yaml`), or `folder/name` where it holds several. Its sources must include drums, bass and vocals; whatever
else it has (guitar, piano) goes with the residual into `other`. Weights are pickles, as Demucs saves them:
load only repositories that you trust.

Long recordings are separated in chunks of about two and a half minutes that begin on Demucs' own grid of
segments, with enough sound on either side that the result is that of one run over the whole; where that
cannot be (another sample rate, random shifts) chunks are cross-faded over a second.

Sources: Rouard, Massa, Défossez, "Hybrid Transformers for music source separation", ICASSP 2023; the
normalisation is that of demucs/api.py. torchaudio is not needed.
"""

import logging
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio, resample
from rearrange.errors import ModelError, UsageError
from rearrange.models import weights
from rearrange.progress import Progress, silent, span

__all__ = ["demucs_blocks", "load_demucs"]

logger = logging.getLogger(__name__)

_HEARD = ("drums", "bass", "vocals")
_CHUNK_S = 150.0
_FADE_S = 1.0
_FETCH_SHARE = 0.2  # of the progress bar, where there is something to fetch
_SHIFT_SEED = 0x5EED  # Demucs draws its shifts from Python's global generator; ours stay reproducible


@dataclass(frozen=True)
class _Grid:
    """Where chunks begin and how much they see, in samples of the mix."""

    step: int
    margin: int  # sound before and after the chunk that the model hears but whose output is not used
    fade: int


@dataclass(frozen=True)
class _Level:
    mean: float
    std: float


def demucs_blocks(
    mix: Audio,
    model: str,
    *,
    device: str = "auto",
    shifts: int = 0,
    overlap: float = 0.25,
    progress: Progress = silent,
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Yield consecutive blocks of drums, bass, other and vocals, (channels, n), that add up to the mix.

    Parameters
    ----------
    mix : any sample rate and number of channels; the model hears its own
    model : a name of models/index.toml, or the path of a Demucs repository
    device : "auto", "cpu", "cuda" or "mps"
    shifts, overlap : as `apply_model` has them

    Raises
    ------
    UsageError : the device is not there, or the path leaves open which model is meant.
    ModelError : the model is unknown, does not load, has other sources, or runs out of memory.
    FetchError, OutputError : it has to be fetched and cannot be.
    """
    declared = _declared(model)
    start = _FETCH_SHARE if declared and not declared.installed else 0.0
    net = load_demucs(model, progress=span(progress, 0.0, start))
    place = _device(device)
    separating = span(progress, start, 1.0)
    grid = _grid(net, mix.sample_rate, overlap, shifts)
    level = _level(mix.samples)
    starts = list(range(0, max(mix.n_samples - grid.step // 2, 1), grid.step))
    tail: NDArray[np.float32] | None = None  # the last chunk's version of this one's first samples
    for i, begin in enumerate(starts):
        end = starts[i + 1] if i + 1 < len(starts) else mix.n_samples
        seen_from = max(begin - grid.margin, 0)
        seen = mix.samples[:, seen_from : end + grid.margin]
        heard = _apply(
            net,
            Audio(seen, mix.sample_rate),
            device=place,
            shifts=shifts,
            overlap=overlap,
            level=level,
            progress=span(separating, i / len(starts), (i + 1) / len(starts)),
        )  # (3, channels, n)
        offset = begin - seen_from
        chunk = heard[..., offset : offset + end - begin]
        if tail is not None and tail.shape[-1]:
            rise = np.linspace(0, 1, tail.shape[-1], dtype=np.float32)
            chunk[..., : tail.shape[-1]] *= rise
            chunk[..., : tail.shape[-1]] += tail * (1 - rise)
        tail = heard[..., offset + end - begin :][..., : grid.fade].copy()
        drums, bass, vocals = chunk
        rest = mix.samples[:, begin:end] - drums - bass - vocals
        yield {"drums": drums, "bass": bass, "other": rest, "vocals": vocals}
    separating(1.0, "separating")


def load_demucs(model: str, *, progress: Progress = silent) -> Any:
    """Return Demucs' own `BagOfModels`, fetched if need be.

    Raises
    ------
    As `demucs_blocks`.
    """
    info = _declared(model)
    if info is None:
        folder, name = _local_name(Path(model))
        net = _load(folder, name, bags=folder)
    elif info.family == "demucs":
        net = _load(weights.ensure(model, progress=progress), model, bags=None)
    else:
        raise ModelError(f"{model} is no Demucs model")
    missing = [source for source in _HEARD if source not in net.sources]
    if missing:
        raise ModelError(f"{model} does not separate {', '.join(missing)}: only {', '.join(net.sources)}")
    return net


def _declared(model: str) -> weights.ModelInfo | None:
    """The declared model of that name; None for a path."""
    for info in weights.list_models():
        if info.name == model:
            return info
    path = Path(model)
    return None if path.exists() or path.name != model else weights.find_model(model)


def _local_name(path: Path) -> tuple[Path, str]:
    """Split a path into a repository's folder and the model meant in it."""
    if not path.is_dir():
        if not path.parent.is_dir():
            raise ModelError(f"{path}: no such folder", "a name of `rearrange models`, or a Demucs repository")
        return path.parent, _model_name(path)
    bags = sorted(file.stem for file in path.glob("*.yaml"))
    singles = sorted(_model_name(file) for file in path.glob("*.th"))
    names = bags or singles
    if not names:
        raise ModelError(f"{path}: holds no Demucs model", "it should hold .th files, and perhaps a .yaml")
    if len(names) > 1:
        raise UsageError(f"{path} holds several models: {', '.join(names)}", f"say which: {path / names[0]}")
    return path, names[0]


def _model_name(path: Path) -> str:
    """What Demucs calls a file's model: a `.yaml` by its stem, a `.th` by what precedes its checksum."""
    if path.suffix == ".th":
        return path.stem.rsplit("-", 1)[0]
    return path.name.removesuffix(".yaml")


def _load(folder: Path, name: str, bags: Path | None) -> Any:
    import pickle

    import yaml  # type: ignore[import-untyped]
    from demucs.apply import BagOfModels
    from demucs.pretrained import REMOTE_ROOT
    from demucs.repo import AnyModelRepo, BagOnlyRepo, LocalRepo, ModelLoadingError

    try:
        # The bags of the official models come with Demucs.
        models = LocalRepo(folder)
        net = AnyModelRepo(models, BagOnlyRepo(bags or REMOTE_ROOT, models)).get_model(name)
    except ModelLoadingError as exc:
        raise ModelError(f"{folder / name}: {exc}", "fetch it again, or name another") from exc
    except (
        pickle.UnpicklingError,
        yaml.YAMLError,
        AssertionError,  # a bag whose models do not fit together
        AttributeError,
        EOFError,
        ImportError,
        KeyError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as exc:
        cause = " ".join(str(exc).split())[:200] or type(exc).__name__
        raise ModelError(f"{folder / name}: does not load as a Demucs model: {cause}") from exc
    except SystemExit as exc:  # Demucs leaves the process where diffq is missing
        raise ModelError(f"{folder / name}: is quantised with diffq, which is not supported") from exc
    net.eval()
    return net if isinstance(net, BagOfModels) else BagOfModels([net])


def _device(wanted: str) -> str:
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there.get(wanted, False):
        raise UsageError(f"this computer has no {wanted} device", "--device cpu always works")
    return wanted


def _grid(net: Any, sample_rate: int, overlap: float, shifts: int) -> _Grid:
    segments = [int(net.samplerate * model.segment) for model in net.models]
    strides = [int((1 - overlap) * segment) for segment in segments]
    if shifts == 0 and sample_rate == net.samplerate and len(set(segments)) == 1:
        # Every segment that touches the chunk then lies whole within what the model is given.
        stride = strides[0]
        margin = math.ceil(segments[0] / stride) * stride
        return _Grid(step=max(round(_CHUNK_S * sample_rate / stride), 1) * stride, margin=margin, fade=0)
    margin_s = max(segments) / net.samplerate + _FADE_S
    return _Grid(
        step=int(_CHUNK_S * sample_rate), margin=math.ceil(margin_s * sample_rate), fade=int(_FADE_S * sample_rate)
    )


def _level(samples: NDArray[np.float32]) -> _Level:
    """Mean and deviation of the channels' mean, by which Demucs scales a recording, in constant memory."""
    total = squares = 0.0
    for start in range(0, samples.shape[1], 1 << 20):
        mono = samples[:, start : start + (1 << 20)].mean(axis=0, dtype=np.float64)
        total += float(mono.sum())
        squares += float(mono @ mono)
    mean = total / samples.shape[1]
    return _Level(mean, math.sqrt(max(squares / samples.shape[1] - mean**2, 0.0)))


def _apply(
    net: Any,
    mix: Audio,
    *,
    device: str,
    shifts: int,
    overlap: float,
    level: _Level,
    progress: Progress,
) -> NDArray[np.float32]:
    """Run the model over a chunk; return drums, bass and vocals, (3, channels, n), at the mix's rate."""
    import torch
    from demucs.apply import apply_model

    heard = resample(mix, net.samplerate)
    tensor = (torch.from_numpy(np.ascontiguousarray(heard.samples)) - level.mean) / (level.std + 1e-8)
    alone = net.audio_channels == 1 or mix.channels > 2  # each channel for itself
    batch = tensor[:, None] if alone else tensor[None]
    batch = batch.expand(batch.shape[0], net.audio_channels, -1)  # (batch, audio_channels, n)
    n_runs = len(net.models) * max(shifts, 1)

    def report(state: dict[str, Any]) -> None:
        run = state["model_idx_in_bag"] * max(shifts, 1) + state["shift_idx"]
        within = min(state["segment_offset"] / max(heard.n_samples, 1), 1.0)
        progress(min((run + within) / n_runs, 1.0), "separating")

    try:
        with _reproducible_shifts():
            out = apply_model(net, batch, shifts=shifts, overlap=overlap, device=device, callback=report)
    except (RuntimeError, MemoryError) as exc:
        cause = " ".join(str(exc).split())[:200]
        if isinstance(exc, torch.OutOfMemoryError | MemoryError) or "allocate memory" in cause:
            raise ModelError(f"not enough memory on {device}", "--device cpu, or --separator spectral") from exc
        raise ModelError(f"Demucs fails on {device}: {cause}") from exc
    out = out[:, [net.sources.index(name) for name in _HEARD]]  # (batch, 3, audio_channels, n)
    out *= level.std  # the mean, a constant offset, stays in `other`
    stems = out.mean(dim=2).transpose(0, 1) if mix.channels != net.audio_channels else out[0]
    array: NDArray[np.float32] = stems.contiguous().numpy()
    if mix.sample_rate != net.samplerate:
        array = np.stack([_fit(Audio(stem, net.samplerate), mix) for stem in array])
    return array


def _fit(stem: Audio, mix: Audio) -> NDArray[np.float32]:
    """Return `stem` at the rate and length of `mix`: resampling there and back may end a sample off."""
    back = resample(stem, mix.sample_rate).samples[:, : mix.n_samples]
    return np.pad(back, ((0, 0), (0, mix.n_samples - back.shape[1])))


@contextmanager
def _reproducible_shifts() -> Iterator[None]:
    before = random.getstate()
    random.seed(_SHIFT_SEED)
    try:
        yield
    finally:
        random.setstate(before)
