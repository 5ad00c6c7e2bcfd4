"""The mixing desk: a mix table as one graph of filters, played block by block.

Each channel goes through its strip (see `effects`), is ducked under the kick drum where the genre asks for it, and
is sent to the common reverb and echo; their sum is aged by tape and held together by the bus compressor.

Levels: the channels are set so that together they come to BUS_LUFS, whatever their number, so that the
thresholds of tape and bus compressor mean the same for a duo and for a big band. Ducking follows the kick's
notes, which are known, rather than a detector. Noise and crackle come from a seed.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.mixtable import MixTable, RoleMix
from rearrange.score import Role
from rearrange.synth.effects import TRACK_LUFS, age, compress, duck_gain, noise_block, strip
from rearrange.synth.filters import FilterGraph, Node
from rearrange.synth.space import echo_response, reverb_response

__all__ = ["BUS_LUFS", "Channel", "Desk"]

BUS_LUFS = -18.0
_REFERENCE_DB = BUS_LUFS - 1.0  # root mean square per channel of a mix of that loudness
_DUCK, _NOISE = "\0duck", "\0noise"  # names that no track has


@dataclass(frozen=True, slots=True)
class Channel:
    """A track on the desk: `gain_db` brings it to TRACK_LUFS, `level_db` is its place in the mix.

    `role` is None for a stem of the song that is kept.
    """

    name: str
    role: Role | None
    mix: RoleMix
    gain_db: float
    level_db: float


class Desk:
    """A graph that is being played. Blocks go in by channel, the mix comes out, in order and of the same length.

    Parameters
    ----------
    tempo_bpm : quarter notes per minute, for the echo
    kicks_s : when the kick drum is struck, in order, for the ducking
    seed : of tape noise and crackle
    master_lufs : the loudness that the mix will be brought to, for which the table's noise levels are meant

    Raises
    ------
    RearrangeError : a filter is missing or refuses its settings.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        table: MixTable,
        *,
        tempo_bpm: float,
        kicks_s: Sequence[float],
        seed: int,
        sample_rate: int,
        master_lufs: float,
    ) -> None:
        self.sample_rate = sample_rate
        self.names = tuple(channel.name for channel in channels)
        self._table, self._kicks_s, self._tempo_bpm = table, kicks_s, tempo_bpm
        self._rng = np.random.default_rng(seed)
        self._position = 0
        tape = table.tape
        self._noisy = tape is not None and (tape.noise_db is not None or tape.crackle_db is not None)
        self._noise_gain, self._crackle_gain = (
            0.0 if level_db is None else _gain(level_db + BUS_LUFS - master_lufs)
            for level_db in (tape.noise_db if tape else None, tape.crackle_db if tape else None)
        )
        ducked = table.sidechain.roles if table.sidechain is not None and len(kicks_s) else ()
        # What tape noise and crackle hardly pass: 4 is a normal distribution's largest value in a while.
        self.noise_peak = 4 * self._noise_gain + self._crackle_gain
        self._ducked = {channel.name for channel in channels if channel.role in ducked}
        self.tail = 0  # samples of silence that it takes for reverb and echo to die away
        self._graph = FilterGraph(sample_rate)
        self._graph.finish(self._build(channels))

    def play(self, blocks: Mapping[str, NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Feed one block (2, n) per channel, all of one length, and yield what is ready, (2, m).

        Silence should be given as `effects.hiss`.
        """
        n = next(iter(blocks.values())).shape[1]
        for name in self.names:
            self._graph.push(name, blocks[name])
        if self._ducked and self._table.sidechain is not None:
            start_s = self._position / self.sample_rate
            curve = duck_gain(start_s, n, self.sample_rate, self._kicks_s, self._table.sidechain)
            self._graph.push(_DUCK, curve)
        if self._noisy:
            noise = noise_block(
                self._rng, n, self.sample_rate, noise_gain=self._noise_gain, crackle_gain=self._crackle_gain
            )
            self._graph.push(_NOISE, noise)
        self._position += n
        yield from self._graph.pull()

    def end(self) -> Iterator[NDArray[np.float32]]:
        """Yield what is left."""
        self._graph.end()
        yield from self._graph.pull()

    def _build(self, channels: Sequence[Channel]) -> Node:
        graph, table = self._graph, self._table
        power = sum(10 ** ((TRACK_LUFS + channel.level_db) / 10) for channel in channels)
        to_bus_db = BUS_LUFS - 10 * math.log10(power)
        curves = iter(graph.split(graph.source(_DUCK), len(self._ducked)) if self._ducked else [])
        dry: list[Node] = []
        to_reverb: list[tuple[Node, float]] = []
        to_echo: list[tuple[Node, float]] = []
        for channel in channels:
            level_db = channel.level_db + to_bus_db
            node = graph.source(channel.name)
            node = strip(graph, node, channel.mix, gain_db=channel.gain_db, level_db=level_db)
            if channel.name in self._ducked:
                node = graph.add("amultiply", {}, node, next(curves))
            echo_db = channel.mix.delay_db if table.delay is not None else None
            sends = [(to_reverb, channel.mix.reverb_db), (to_echo, echo_db)]
            copies = graph.split(node, 1 + sum(send_db is not None for _, send_db in sends))
            dry.append(copies.pop())
            for bus, send_db in sends:
                if send_db is not None:
                    bus.append((copies.pop(), _gain(send_db)))
        if to_reverb:
            dry.append(self._send(to_reverb, reverb_response(table.reverb, self.sample_rate)))
        if to_echo and table.delay is not None:
            dry.append(self._send(to_echo, echo_response(table.delay, self._tempo_bpm, self.sample_rate)))
        node = graph.mix(dry)
        if table.tape is not None:
            node = age(graph, node, table.tape, reference_db=_REFERENCE_DB)
        if self._noisy:
            node = graph.mix([node, graph.source(_NOISE)])
        if table.bus is not None:
            node = compress(graph, node, table.bus, reference_db=_REFERENCE_DB)
        return node

    def _send(self, sends: Sequence[tuple[Node, float]], response: NDArray[np.float32]) -> Node:
        """Return the return of an effect: what is sent to it, convolved."""
        self.tail = max(self.tail, response.shape[1])
        nodes, gains = zip(*sends, strict=True)
        return self._graph.convolve(self._graph.mix(nodes, gains), response)


def _gain(level_db: float) -> float:
    return float(10.0 ** (level_db / 20))
