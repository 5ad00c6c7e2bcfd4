"""The loop that trains a network of ours: steps, a moving average, checkpoints.

Every step's loss follows from its number alone, and the state is written every CHECKPOINT_S: a run that is stopped
at any moment, and started again with the same arguments, ends where it would have ended.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["CHECKPOINT_S", "Course", "Recipe", "Schedule", "fitted", "trained_average"]

CHECKPOINT_S = 120.0
_TOLD_STEPS = 100


@dataclass(frozen=True)
class Course:
    """How the loop runs.

    Parameters
    ----------
    steps : how many in all
    rate : of learning, of a step
    decay : of the moving average, in the end; at first it forgets more
    longest_gradient : gradients are shortened to this
    """

    steps: int
    rate: Callable[[int], float]
    decay: float
    longest_gradient: float = 5.0


@dataclass(frozen=True)
class Schedule:
    """How a network is trained by AdamW, whatever it reads.

    Parameters
    ----------
    steps, batch : how many steps, of how many examples
    rate, warm_up : the rate goes up over `warm_up` steps, then down as half a cosine to a hundredth
    decay : of the moving average
    """

    steps: int = 3000
    batch: int = 8
    rate: float = 2e-3
    warm_up: int = 50
    decay: float = 0.995
    seed: int = 0

    def rate_of(self, step: int) -> float:
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(self.steps - self.warm_up, 1)
        return self.rate * float(0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * min(done, 1.0))))


@dataclass(frozen=True)
class Recipe(Schedule):
    """How a network that hears is trained: on crops of `crop_frames` frames."""

    crop_frames: int = 400


def fitted(
    build: "Callable[[], torch.nn.Module]",
    loss_of: "Callable[[torch.nn.Module, int], torch.Tensor]",
    recipe: Recipe,
    *,
    folder: Path,
    device: str = "cpu",
    longest_gradient: float = 5.0,
) -> "torch.nn.Module":
    """A network trained from where the checkpoint of a folder stands: the moving average, ready to hear.

    Parameters
    ----------
    build : gives the network with random weights
    loss_of : the loss of the network at a step, by its number
    """
    import torch

    torch.manual_seed(recipe.seed)
    module = build().to(device)
    average = trained_average(
        module,
        [torch.optim.AdamW(module.parameters(), lr=recipe.rate, weight_decay=1e-3)],
        lambda step: loss_of(module, step),
        Course(recipe.steps, recipe.rate_of, recipe.decay, longest_gradient),
        folder=folder,
        device=device,
    )
    trained = build()
    trained.load_state_dict(average)
    return trained.eval()


def trained_average(
    module: "torch.nn.Module",
    optimizers: Sequence[Any],
    loss_of: "Callable[[int], torch.Tensor]",
    course: Course,
    *,
    folder: Path,
    device: str = "cpu",
) -> "dict[str, torch.Tensor]":
    """Train a module from where the checkpoint of a folder stands; return the moving average of its state.

    Parameters
    ----------
    loss_of : the loss of a step, by its number
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    average = {name: value.detach().clone() for name, value in module.state_dict().items()}
    checkpoint = folder / "checkpoint.pt"
    first = _read(checkpoint, module, optimizers, average, device) if checkpoint.is_file() else 0
    written_s, started_s, running = time.monotonic(), time.monotonic(), 0.0
    module.train()
    for step in range(first, course.steps):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = course.rate(step)
        loss = _descend(module, optimizers, loss_of(step), course)
        running = loss if step == first else 0.98 * running + 0.02 * loss
        kept = min(course.decay, (step + 1) / (step + 10))
        with torch.no_grad():
            for name, value in module.state_dict().items():
                if value.is_floating_point():
                    average[name].lerp_(value, 1.0 - kept)
                else:
                    average[name].copy_(value)
        if step % _TOLD_STEPS == _TOLD_STEPS - 1:
            spent_s = (time.monotonic() - started_s) / (step + 1 - first)
            print(f"step {step + 1} of {course.steps}: loss {running:.4f}, {spent_s:.2f} s a step", flush=True)
        if time.monotonic() - written_s > CHECKPOINT_S or step + 1 == course.steps:
            _write(checkpoint, module, optimizers, average, step + 1)
            written_s = time.monotonic()
    return {name: value.cpu() for name, value in average.items()}


def _descend(module: "torch.nn.Module", optimizers: Sequence[Any], loss: "torch.Tensor", course: Course) -> float:
    import torch

    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(module.parameters(), course.longest_gradient)
    for optimizer in optimizers:
        optimizer.step()
    return float(loss.detach())


def _read(
    path: Path,
    module: "torch.nn.Module",
    optimizers: Sequence[Any],
    average: "dict[str, torch.Tensor]",
    device: str,
) -> int:
    import torch

    kept = torch.load(path, map_location=device, weights_only=True)
    module.load_state_dict(kept["module"])
    for optimizer, each in zip(optimizers, kept["optimizers"], strict=True):
        optimizer.load_state_dict(each)
    average.update(kept["average"])
    return int(kept["step"])


def _write(
    path: Path,
    module: "torch.nn.Module",
    optimizers: Sequence[Any],
    average: "dict[str, torch.Tensor]",
    step: int,
) -> None:
    import torch

    kept = {
        "module": module.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "average": average,
        "step": step,
    }
    torch.save(kept, path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)
