"""How a network of ours lies in its folder: its size in `config.json`, its weights in `weights.safetensors`.

Weights are kept in half precision and computed with in single precision. Both files are written under a temporary
name first.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from rearrange.assets import asset_dir
from rearrange.errors import ModelError

if TYPE_CHECKING:
    import torch
    from _typeshed import DataclassInstance

__all__ = ["StoredConfig", "files_of", "load_network", "save_network", "shipped", "shipped_files"]

CONFIG, WEIGHTS = "config.json", "weights.safetensors"


class StoredConfig:
    """What a configuration, a frozen dataclass of numbers, tuples and such dataclasses, is written and read by."""

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Any]]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The configuration that `to_json` wrote.

        Raises
        ------
        ValueError : not JSON, or a key that is not known.
        """
        return cls(**_values(cls, json.loads(text)))


def shipped(name: str) -> Path:
    """The folder of a network that comes with the package.

    Raises
    ------
    ConfigError : the installation is incomplete.
    """
    return asset_dir("models") / name


def shipped_files(*names: str) -> dict[str, Path]:
    """The files of networks that come with the package, by what a stage's record calls them."""
    return {name: path for each in names for name, path in files_of(shipped(each)).items()}


def files_of(folder: Path) -> dict[str, Path]:
    """The files of the network of a folder, by what a stage's record calls them."""
    return {f"model {folder.name}: {file}": folder / file for file in (CONFIG, WEIGHTS)}


def _values(kind: "type[DataclassInstance]", read: Any) -> dict[str, Any]:
    """Values for the fields of a dataclass: lists as tuples, objects as the dataclass that the default is of."""
    known = {field.name: field.default for field in fields(kind)}
    if not isinstance(read, dict) or set(read) - set(known):
        raise ValueError(f"unknown keys: {', '.join(sorted(set(read) - set(known)))}")
    values = {}
    for name, value in read.items():
        default: Any = known[name]
        nested = is_dataclass(default)  # an instance: a class is no default of ours
        values[name] = type(default)(**_values(type(default), value)) if nested else _frozen(value)
    return values


def _frozen(value: Any) -> Any:
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value


C = TypeVar("C", bound=StoredConfig)


def save_network(folder: Path, config: StoredConfig, state: Mapping[str, "torch.Tensor"]) -> None:
    """Write a network's size and weights into a folder."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    halved = {
        name: value.half().contiguous() if value.dtype == torch.float32 else value.contiguous()
        for name, value in state.items()
    }
    partial = folder / f"{WEIGHTS}.part"
    save_file(halved, str(partial))
    partial.replace(folder / WEIGHTS)
    (folder / CONFIG).write_text(config.to_json(), encoding="utf-8")


def load_network(
    folder: Path,
    kind: type[C],
    build: "Callable[[C], torch.nn.Module]",
    *,
    name: str,
    hint: str = "install the package again",
) -> "tuple[C, torch.nn.Module]":
    """The size and the network, ready to hear, of a folder that `save_network` wrote.

    Parameters
    ----------
    name : what an error calls it

    Raises
    ------
    ModelError : a file is missing, or is not what it should be.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config = kind.from_json((folder / CONFIG).read_text(encoding="utf-8"))
        state = load_file(str(folder / WEIGHTS))
        module = build(config)
        module.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as exc:
        raise ModelError(f"{folder}: {name} cannot be loaded: {exc}", hint) from exc
    return config, module.eval()
