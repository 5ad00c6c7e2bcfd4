"""A small HTDemucs while it is trained: its size, its recipe, its checkpoint, and its model as Demucs saves one.

A repository that `export` writes holds one file, of some 8 MB: the class and its arguments as a pickle, as Demucs
has it, and the moving average of the weights in half precision, which Demucs makes single again.
"""

from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rearrange.errors import ModelError
from rearrange.models.separator import SAMPLE_RATE, STEMS

if TYPE_CHECKING:
    import torch

__all__ = ["NAME", "HTDemucsConfig", "Recipe", "Trained", "begun", "build", "export"]

NAME = "htdemucs-small"


@dataclass(frozen=True)
class HTDemucsConfig:
    """What is not as in Demucs' own HTDemucs; 4.1 million weights."""

    channels: int = 24
    depth: int = 4
    t_layers: int = 2
    t_heads: int = 8
    nfft: int = 4096
    segment_s: int = 6


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Parameters
    ----------
    rate : after `warm_up` steps; over the last `cooling` of all steps it falls to a hundredth
    decay : of the moving average
    windows, spectral_weight : of the error's spectra; how much each counts beside the error itself
    """

    steps: int = 30_000
    batch: int = 32
    rate: float = 3e-4
    warm_up: int = 200
    cooling: float = 0.25
    decay: float = 0.999
    windows: tuple[int, ...] = (512, 2048, 8192)
    spectral_weight: float = 0.3
    seed: int = 0


def build(config: HTDemucsConfig) -> "torch.nn.Module":
    """A network with random weights."""
    from demucs.htdemucs import HTDemucs

    module: torch.nn.Module = HTDemucs(
        list(STEMS),
        channels=config.channels,
        depth=config.depth,
        t_layers=config.t_layers,
        t_heads=config.t_heads,
        nfft=config.nfft,
        samplerate=SAMPLE_RATE,
        segment=Fraction(config.segment_s),
    )
    return module


@dataclass(frozen=True, eq=False)
class Trained:
    """How far training is: the network, its optimizer, its moving average, and the step that is next."""

    config: HTDemucsConfig
    module: "torch.nn.Module"
    optimizer: Any
    average: dict[str, "torch.Tensor"]
    recipe: Recipe
    step: int = 0

    def write(self, path: Path) -> None:
        """Keep it, whole or not at all."""
        import torch

        kept = {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "step": self.step,
        }
        torch.save(kept, path.with_suffix(".partial"))
        path.with_suffix(".partial").replace(path)


def begun(
    config: HTDemucsConfig, recipe: Recipe, checkpoint: Path, *, device: str, start: Path | None = None
) -> Trained:
    """Where training stands: at a checkpoint; else at the weights of a repository; else at random weights.

    Raises
    ------
    ModelError : `start` holds no model of this configuration.
    """
    import torch

    torch.manual_seed(recipe.seed)
    module = build(config).to(device)
    optimizer = torch.optim.AdamW(module.parameters(), lr=recipe.rate, weight_decay=1e-3, betas=(0.9, 0.99))
    step = 0
    if checkpoint.is_file():
        kept = torch.load(checkpoint, map_location=device, weights_only=True)
        module.load_state_dict(kept["module"])
        optimizer.load_state_dict(kept["optimizer"])
        return Trained(config, module, optimizer, kept["average"], recipe, int(kept["step"]))
    if start is not None:
        found = sorted(start.glob(f"{NAME}-*.th"))
        if not found:
            raise ModelError(f"{start}: holds no {NAME}", "--start takes the folder that an earlier run wrote")
        package = torch.load(found[0], map_location=device, weights_only=False)
        try:
            module.load_state_dict(package["state"])
        except RuntimeError as exc:
            raise ModelError(f"{found[0]}: has another configuration", "train it as it was begun") from exc
        step = int(package["training_args"]["step"])
    average = {name: value.detach().clone() for name, value in module.state_dict().items()}
    return Trained(config, module, optimizer, average, recipe, step)


def export(state: Trained, folder: Path) -> Path:
    """Write the moving average as a Demucs repository of one model; return its file."""
    from demucs.states import get_state, save_with_checksum

    module: Any = build(state.config)
    module.load_state_dict({name: value.cpu() for name, value in state.average.items()})
    args, kwargs = module._init_args_kwargs
    package = {
        "klass": type(module),
        "args": args,
        "kwargs": kwargs,
        "state": get_state(module, None, half=True),  # type: ignore[no-untyped-call]
        "training_args": {**asdict(state.recipe), "step": state.step},
    }
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as partial:
        save_with_checksum(package, Path(partial) / f"{NAME}.th")  # type: ignore[no-untyped-call]
        written = next(Path(partial).iterdir())
        for old in folder.glob(f"{NAME}-*.th"):  # Demucs takes only one of a name
            old.unlink()
        return written.replace(folder / written.name)
