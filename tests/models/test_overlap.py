"""Overlap-add: what goes in comes out, wherever the segments lie."""

import numpy as np
import pytest

from rearrange.models.overlap import OverlapAdd


@pytest.mark.parametrize("start", [0, -7])
@pytest.mark.parametrize(("n_segment", "stride"), [(20, 20), (20, 15), (21, 5), (8, 1)])
@pytest.mark.parametrize("block", [1, 13, 100])
def test_identity_in_is_identity_out(start: int, n_segment: int, stride: int, block: int) -> None:
    sound = np.random.default_rng(0).normal(size=(2, 100)).astype(np.float32)

    def hear(offset: int) -> np.ndarray:
        before = np.zeros((2, max(-offset, 0)), np.float32)
        return np.concatenate([before, sound[:, max(offset, 0) : offset + n_segment]], axis=1)

    run = OverlapAdd(hear, start=start, n_segment=n_segment, stride=stride)
    blocks = [run.take(begin, min(begin + block, 100)) for begin in range(0, 100, block)]
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), sound, atol=1e-6)


def test_gaps_are_refused() -> None:
    with pytest.raises(ValueError, match="gaps"):
        OverlapAdd(lambda offset: np.zeros((1, 4), np.float32), start=0, n_segment=4, stride=5)
