"""A graph of FFmpeg's audio filters, as nodes that are added to one another; samples in, samples out.

    graph = FilterGraph(44100)
    piano, bass = graph.source("piano"), graph.source("bass")
    graph.finish(graph.mix([graph.add("highpass", {"f": 100}, piano), bass]))
    graph.push("piano", block); graph.push("bass", block); out = graph.pull()

Conventions: every stream is stereo, float32 (2, n), at the graph's sample rate. All sources are to be pushed
equally far before `pull`; `end` closes them, and what is left comes out of the last `pull`.
Source: FFmpeg filters documentation; PyAV wraps libavfilter and works outside the interpreter's lock.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearrange.errors import DependencyError, RearrangeError

__all__ = ["FilterGraph", "Node"]

Options = Mapping[str, object]
_FORMAT, _LAYOUT = "fltp", "stereo"


@dataclass(frozen=True, slots=True)
class Node:
    """One output of one filter; feeds exactly one input."""

    context: Any
    output: int = 0


class FilterGraph:
    """A libavfilter graph under construction, then running.

    Raises
    ------
    DependencyError : this FFmpeg lacks a filter.
    RearrangeError : a filter refuses its options or its input.
    """

    def __init__(self, sample_rate: int) -> None:
        import av
        import av.filter

        self.sample_rate = sample_rate
        self._av = av
        self._graph: Any = av.filter.Graph()
        self._graph.threads = 1
        self._sources: dict[str, Any] = {}
        self._position: dict[str, int] = {}
        self._responses: list[tuple[Any, NDArray[np.float32]]] = []
        self._sink: Any = None

    def source(self, name: str) -> Node:
        """Add an input that is fed by `push`."""
        if name in self._sources:
            raise ValueError(f"there is already a source {name!r}")
        self._sources[name] = self._buffer()
        self._position[name] = 0
        return Node(self._sources[name])

    def add(self, filter_name: str, options: Options, *inputs: Node) -> Node:
        """Add a filter behind its inputs."""
        context = self._filter(filter_name, options)
        for i, node in enumerate(inputs):
            self._link(node, context, i)
        return Node(context)

    def split(self, node: Node, n: int) -> list[Node]:
        """Return `n` copies of a stream."""
        if n == 1:
            return [node]
        context = self.add("asplit", {"outputs": n}, node).context
        return [Node(context, i) for i in range(n)]

    def mix(self, nodes: Sequence[Node], gains: Sequence[float] = ()) -> Node:
        """Return the sum of streams, each times its gain."""
        if not gains and len(nodes) == 1:
            return nodes[0]
        weights = " ".join(f"{gain:.9g}" for gain in gains or [1.0] * len(nodes))
        options = {"inputs": len(nodes), "normalize": 0, "duration": "longest", "weights": weights}
        return self.add("amix", options, *nodes)

    def convolve(self, node: Node, response: NDArray[np.float32]) -> Node:
        """Return a stream convolved with an impulse response (2, n), side by side, at its own level."""
        source = self._buffer()
        self._responses.append((source, response))
        return self.add("afir", {"gtype": "none", "irnorm": -1, "irfmt": "input"}, node, Node(source))

    def finish(self, node: Node) -> None:
        """Make `node` the output, and start."""
        self._sink = self._filter("abuffersink", {})
        last = self.add("aformat", {"sample_fmts": _FORMAT, "channel_layouts": _LAYOUT}, node)
        self._link(last, self._sink, 0)
        try:
            self._graph.configure()
            for source, response in self._responses:
                source.push(self._frame(response, 0))
                source.push(None)
        except (self._av.error.FFmpegError, ValueError) as exc:
            raise RearrangeError(f"the mix cannot be built: {exc}") from exc

    def push(self, name: str, block: NDArray[np.float32]) -> None:
        """Feed (2, n) samples to a source."""
        if not block.shape[1]:
            return
        frame = self._frame(block, self._position[name])
        self._position[name] += block.shape[1]
        try:
            self._sources[name].push(frame)
        except self._av.error.FFmpegError as exc:
            raise RearrangeError(f"the mix failed at the source {name!r}: {exc}") from exc

    def end(self) -> None:
        """Close all sources."""
        for source in self._sources.values():
            source.push(None)

    def pull(self) -> Iterator[NDArray[np.float32]]:
        """Yield what is ready, as blocks (2, n)."""
        while True:
            try:
                frame = self._sink.pull()
            except (self._av.error.BlockingIOError, self._av.error.EOFError):
                return
            except self._av.error.FFmpegError as exc:
                raise RearrangeError(f"the mix failed: {exc}") from exc
            samples: NDArray[np.float32] = frame.to_ndarray()
            yield samples

    def _filter(self, name: str, options: Options) -> Any:
        if name not in self._av.filter.filters_available:
            raise DependencyError(f"this FFmpeg has no filter {name!r}", "reinstall the Python package av")
        arguments = ":".join(f"{key}={_text(value)}" for key, value in options.items())
        try:
            return self._graph.add(name, arguments)
        except (self._av.error.FFmpegError, ValueError) as exc:
            raise RearrangeError(f"the filter {name} refuses {arguments!r}: {exc}") from exc

    def _link(self, node: Node, context: Any, input_index: int) -> None:
        try:
            node.context.link_to(context, node.output, input_index)
        except self._av.error.FFmpegError as exc:
            raise RearrangeError(f"{node.context.name} cannot feed {context.name}: {exc}") from exc

    def _buffer(self) -> Any:
        rate = self.sample_rate
        return self._filter(
            "abuffer",
            {"sample_rate": rate, "sample_fmt": _FORMAT, "channel_layout": _LAYOUT, "time_base": f"1/{rate}"},
        )

    def _frame(self, block: NDArray[np.float32], position: int) -> Any:
        frame = self._av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format=_FORMAT, layout=_LAYOUT)
        frame.sample_rate = self.sample_rate
        frame.pts = position
        return frame


def _text(value: object) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)
