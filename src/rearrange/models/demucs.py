"""Demucs as a separator: its own loading (repositories, bags of models) and its own `apply_model`.

A model is a name of models/index.toml, or a path: a folder that holds one Demucs model (`.th`) or bag
(`.yaml`), or `folder/name` where it holds several. Its sources must include drums, bass and vocals; whatever
else it has (guitar, piano) goes with the residual into `other`. Weights are pickles, as Demucs saves them:
load only repositories that you trust.

Segments overlap and add up as in `apply_model`'s own split, but as a stream: the result is the same, and memory
does not grow with the recording (unless its sample rate is not the model's: then there is a second copy).

Sources: Rouard, Massa, Défossez, "Hybrid Transformers for music source separation", ICASSP 2023; the
normalisation and the shifts are those of demucs/api.py and demucs/apply.py. torchaudio is not needed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio, resample
from rearrange.errors import ModelError, UsageError
from rearrange.models import weights
from rearrange.models.overlap import OverlapAdd
from rearrange.progress import Progress, silent, span

__all__ = ["demucs_blocks", "load_demucs"]

_HEARD = ("drums", "bass", "vocals")
_FETCH_SHARE = 0.2  # of the progress bar, where there is something to fetch
_MAX_SHIFT_S = 0.5  # as in apply_model
_SHIFT_SEED = 0x5EED  # the shifts are drawn, but the same every time


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
    heard = resample(mix, net.samplerate)
    blocks = _heard_blocks(
        net,
        heard.samples,
        device=place,
        shifts=shifts,
        overlap=overlap,
        progress=span(progress, start, 1.0),
    )
    if mix.sample_rate != net.samplerate:
        blocks = _resampled(blocks, net.samplerate, mix.sample_rate)
    begin = 0
    for block in blocks:
        # Resampling there and back may end a sample or two off.
        stems = block[..., : mix.n_samples - begin]
        end = begin + stems.shape[-1]
        yield _with_rest(stems, mix.samples[:, begin:end])
        begin = end
    if begin < mix.n_samples:
        left = mix.samples[:, begin:]
        yield _with_rest(np.zeros((len(_HEARD), *left.shape), np.float32), left)


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


def _with_rest(stems: NDArray[np.float32], mix: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    drums, bass, vocals = stems
    return {"drums": drums, "bass": bass, "other": mix - drums - bass - vocals, "vocals": vocals}


def _level(samples: NDArray[np.float32]) -> _Level:
    """Mean and deviation of the channels' mean, by which Demucs scales a recording, in constant memory."""
    total = squares = 0.0
    for start in range(0, samples.shape[1], 1 << 20):
        mono = samples[:, start : start + (1 << 20)].mean(axis=0, dtype=np.float64)
        total += float(mono.sum())
        squares += float(mono @ mono)
    mean = total / samples.shape[1]
    return _Level(mean, math.sqrt(max(squares / samples.shape[1] - mean**2, 0.0)))


def _heard_blocks(
    net: Any,
    samples: NDArray[np.float32],
    *,
    device: str,
    shifts: int,
    overlap: float,
    progress: Progress,
) -> Iterator[NDArray[np.float32]]:
    """Yield consecutive blocks of drums, bass and vocals, (3, channels, n), at the model's rate."""
    n_samples = samples.shape[1]
    n_segment = int(net.samplerate * min(model.segment for model in net.models))
    stride = max(int((1 - overlap) * n_segment), 1)
    rng = np.random.default_rng(_SHIFT_SEED)
    delays = rng.integers(0, int(_MAX_SHIFT_S * net.samplerate), size=shifts, endpoint=True) if shifts else [0]
    level = _level(samples)
    net.to(device)  # once: apply_model would move each model of a bag there and back for every segment

    def hear(offset: int) -> NDArray[np.float32]:
        return _apply(net, samples, offset, n_segment=n_segment, level=level, device=device)

    runs = [OverlapAdd(hear, start=-int(delay), n_segment=n_segment, stride=stride) for delay in delays]
    for begin in range(0, n_samples, stride):
        end = min(begin + stride, n_samples)
        block = sum(run.take(begin, end) for run in runs) / np.float32(len(runs))
        yield np.asarray(block, np.float32)
        progress(end / n_samples, "separating")


def _apply(
    net: Any,
    samples: NDArray[np.float32],
    offset: int,
    *,
    n_segment: int,
    level: _Level,
    device: str,
) -> NDArray[np.float32]:
    """Run the model over the segment at `offset`; return drums, bass and vocals, (3, channels, n)."""
    import torch
    from demucs.apply import TensorChunk, apply_model

    # What lies before and after the segment too: Demucs fills up a short last segment with it.
    first = max(offset - n_segment, 0)
    around = np.pad(samples[:, first : offset + 2 * n_segment], ((0, 0), (max(-offset, 0), 0)))
    channels = samples.shape[0]
    tensor = torch.from_numpy((around - level.mean) / (level.std + 1e-8)).to(torch.float32)
    alone = net.audio_channels == 1 or channels > 2  # each channel for itself
    batch = tensor[:, None] if alone else tensor[None]
    batch = batch.expand(batch.shape[0], net.audio_channels, -1)  # (batch, audio_channels, n)
    try:
        chunk: Any = TensorChunk(batch, max(offset, 0) - first, n_segment)  # type: ignore[no-untyped-call]
        out = apply_model(net, chunk, shifts=0, split=False, device=device).cpu()
    except (RuntimeError, MemoryError) as exc:
        cause = " ".join(str(exc).split())[:200]
        if isinstance(exc, torch.OutOfMemoryError | MemoryError) or "allocate memory" in cause:
            raise ModelError(f"not enough memory on {device}", "--device cpu, or --separator spectral") from exc
        raise ModelError(f"Demucs fails on {device}: {cause}") from exc
    out = out[:, [net.sources.index(name) for name in _HEARD]]  # (batch, 3, audio_channels, n)
    stems = out[0] if channels == net.audio_channels else out.mean(dim=2).transpose(0, 1)
    heard: NDArray[np.float32] = stems.numpy() * np.float32(level.std)  # the mean stays in `other`
    return heard


def _resampled(
    blocks: Iterator[NDArray[np.float32]], from_rate: int, to_rate: int
) -> Iterator[NDArray[np.float32]]:
    """Resample a stream of blocks (3, channels, n)."""
    import soxr

    stream: Any = None
    shape: tuple[int, ...] = ()
    for block in blocks:
        if stream is None:
            shape = block.shape[:-1]
            stream = soxr.ResampleStream(from_rate, to_rate, math.prod(shape), dtype="float32")
        rows = np.ascontiguousarray(block.reshape(-1, block.shape[-1]).T)
        yield stream.resample_chunk(rows).T.reshape(*shape, -1)
    if stream is not None:
        rest = stream.resample_chunk(np.zeros((0, math.prod(shape)), np.float32), last=True)
        yield rest.T.reshape(*shape, -1)
