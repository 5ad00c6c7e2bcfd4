"""Overlapping segments, weighted by a triangle and added up as a stream: memory does not grow with length.

The weights and the grid are those of Demucs' `apply_model` (its `split`), so that the sum is the same; a
separator that hears a few seconds at a time is run over any length with it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["OverlapAdd"]


class OverlapAdd:
    """One pass over a recording.

    Parameters
    ----------
    hear : gives the separated segment that begins at an offset, float32 (..., n), n <= n_segment; fewer at the
        recording's end only
    start : offset of the first segment, 0 or negative
    n_segment, stride : in samples; stride <= n_segment
    """

    def __init__(
        self, hear: Callable[[int], NDArray[np.float32]], *, start: int, n_segment: int, stride: int
    ) -> None:
        if not 0 < stride <= n_segment or start > 0:
            raise ValueError(f"start {start}, stride {stride} and segment {n_segment} leave gaps")
        self._hear, self._offset, self._stride = hear, start, stride
        rising = np.arange(1, n_segment // 2 + 1)
        falling = np.arange(n_segment - n_segment // 2, 0, -1)
        triangle = np.concatenate([rising, falling])
        self._weight = (triangle / triangle.max()).astype(np.float32)
        self._start = start  # of the buffers
        self._sum: NDArray[np.float32] | None = None
        self._weights = np.zeros(0, np.float32)

    def take(self, begin: int, end: int) -> NDArray[np.float32]:
        """Return samples `begin` to `end` (..., end - begin); they follow what was taken last."""
        while self._offset < end:
            self._add(self._hear(self._offset))
            self._offset += self._stride
        assert self._sum is not None
        done = slice(begin - self._start, end - self._start)
        taken: NDArray[np.float32] = self._sum[..., done] / self._weights[done]
        self._sum, self._weights = self._sum[..., done.stop :], self._weights[done.stop :]
        self._start = end
        return taken

    def _add(self, heard: NDArray[np.float32]) -> None:
        if self._sum is None:
            self._sum = np.zeros((*heard.shape[:-1], 0), np.float32)
        at, n = self._offset - self._start, heard.shape[-1]
        longer = max(at + n - len(self._weights), 0)
        self._sum = np.pad(self._sum, [(0, 0)] * (heard.ndim - 1) + [(0, longer)])
        self._weights = np.pad(self._weights, (0, longer))
        self._sum[..., at : at + n] += self._weight[:n] * heard
        self._weights[at : at + n] += self._weight[:n]
