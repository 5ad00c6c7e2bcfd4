"""That a run which is stopped, and started again, ends where it would have ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rearrange.training import loop

__all__ = ["assert_a_stopped_run_ends_where_it_would_have", "weights_of"]


def weights_of(network: Any) -> dict[str, np.ndarray]:
    """The state of a network's module."""
    return {name: value.numpy() for name, value in network.module.state_dict().items()}


def assert_a_stopped_run_ends_where_it_would_have(
    train: Callable[[Path], Any], folder: Path, monkeypatch: pytest.MonkeyPatch, *, after: int
) -> Any:
    """Train a whole run, and one that is stopped `after` steps; return the network of the whole one.

    Parameters
    ----------
    train : trains in a folder, from its checkpoint on
    """
    whole = train(folder / "whole")
    descend, left = loop._descend, [after]

    def stopped(*arguments: Any) -> float:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return descend(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "CHECKPOINT_S", 0.0)
        patched.setattr(loop, "_descend", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(folder / "stopped")
    steps: list[int] = []

    def counted(*arguments: Any) -> float:
        steps.append(1)
        return descend(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "_descend", counted)
        resumed = train(folder / "stopped")
    assert steps, "nothing was left to be done"
    expected = weights_of(whole)
    for name, value in weights_of(resumed).items():
        np.testing.assert_array_equal(value, expected[name])
    return whole
