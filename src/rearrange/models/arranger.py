"""The transformer that writes parts: after the words of a song so far, how likely each word is next.

Decoder-only: root-mean-square norms, rotary positions, queries that share keys and values, gated feed-forward,
words that are read and written by one table. One number, the depth, sets its size: it is 32 times as wide as deep,
with heads of 64 that share one head of keys. Depth 8 has 5.7 M weights, 14 has 30 M.

Conventions: torch has (rows, words, width). Rows of a cache begin with the words that they share, if there are
any, and go on with their own; they may differ in length, and what lies after a row's end is never looked at.

Source: A. Vaswani et al., "Attention is all you need" (NeurIPS 2017); rotary positions of J. Su et al., "RoFormer"
(2021); N. Shazeer, "GLU variants improve Transformer" (2020) and "Fast transformer decoding" (2019), for the keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rearrange.models.stored import StoredConfig, load_network, save_network

if TYPE_CHECKING:
    import torch

    _Kept = tuple[torch.Tensor, torch.Tensor]  # keys and values

__all__ = ["ArrangerConfig", "ArrangerNetwork", "Cache", "build", "load", "save"]

_HEAD = 64
_WIDTH = 32  # for each layer of depth
_ROTARY_BASE = 10_000.0
_INITIAL = 0.02  # deviation of the first weights
_BLOCK = 256  # words that a cache grows by


@dataclass(frozen=True)
class ArrangerConfig(StoredConfig):
    """Size of the network, and what its words mean.

    Parameters
    ----------
    n_words : of the vocabulary
    depth : layers, an even number
    context : most words of a row
    genres : whose each `Genre` word is, by slot
    drummed : those whose drumming it has learnt from people, enough of them to need no example
    vocabulary : digest of the vocabulary that it has learnt; a network is of no use with another
    """

    n_words: int = 0
    depth: int = 8
    context: int = 2048
    genres: tuple[str, ...] = ()
    drummed: tuple[str, ...] = ()
    vocabulary: str = ""

    @property
    def width(self) -> int:
        return _WIDTH * self.depth

    @property
    def hidden(self) -> int:
        """Width of the feed-forward layers: eight thirds of the network's, in whole 64s."""
        return -(-self.width * 8 // (3 * 64)) * 64


@dataclass(frozen=True)
class _New:
    """Where new words stand in the rows of a cache.

    Parameters
    ----------
    places : (rows, n), of each word among its row's own
    turn : cosine and sine of their rotation, each (rows, 1, n, 32)
    real : rows and columns of those that are no padding
    n_seen : the longest row with them
    """

    places: "torch.Tensor"
    turn: "tuple[torch.Tensor, torch.Tensor]"
    real: "tuple[torch.Tensor, torch.Tensor]"
    n_seen: int


def build(config: ArrangerConfig) -> "torch.nn.Module":
    """The network with random weights: words (rows, n) int64 to logits (rows, n, n_words).

    Raises
    ------
    ValueError : the depth is odd, or there are no words.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    if config.depth < 2 or config.depth % 2 or config.n_words < 1:
        raise ValueError(f"no network has {config.depth} layers and {config.n_words} words")
    width, heads = config.width, config.width // _HEAD

    def turned(x: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Heads (rows, heads, n, 64) turned by their words' places."""
        cos, sin = turn
        first, second = x.chunk(2, dim=-1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before_attention = nn.RMSNorm(width)
            self.attend = nn.Linear(width, width + 2 * _HEAD, bias=False)
            self.attended = nn.Linear(width, width, bias=False)
            self.before_forward = nn.RMSNorm(width)
            self.forth = nn.Linear(width, 2 * config.hidden, bias=False)
            self.back = nn.Linear(config.hidden, width, bias=False)

        def heads(
            self, x: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]
        ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            """Queries (rows, heads, n, 64), keys and values (rows, 1, n, 64)."""
            parts = self.attend(self.before_attention(x)).unflatten(-1, (-1, _HEAD)).transpose(1, 2)
            query, key, value = parts.split([heads, 1, 1], dim=1)
            return turned(query, turn), turned(key, turn), value

        def rest(self, x: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
            """What comes after attention, whose result is (rows, heads, n, 64)."""
            x = x + self.attended(heard.transpose(1, 2).flatten(2))
            gate, up = self.forth(self.before_forward(x)).chunk(2, dim=-1)
            return x + self.back(functional.silu(gate) * up)  # type: ignore[no-any-return]

        def forward(self, x: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            query, key, value = self.heads(x, turn)
            key, value = (each.expand(-1, heads, -1, -1) for each in (key, value))
            heard = functional.scaled_dot_product_attention(query, key, value.to(query.dtype), is_causal=True)
            return self.rest(x, heard)

        def cached(self, x: torch.Tensor, kept: "_Kept", shared: "_Kept", new: _New) -> torch.Tensor:
            """New words (rows, n, width) after those shared (n_shared, 64) and those kept (rows, room, 64), which
            they join."""
            query, key, value = self.heads(x, new.turn)
            rows, at = new.real[0], new.places[new.real]
            kept[0][rows, at] = key[:, 0][new.real]
            kept[1][rows, at] = value[:, 0][new.real]
            keys, values = (each[:, : new.n_seen] for each in kept)
            # Heads are rows of one product: keys are read once, and not copied for each.
            query = query.flatten(1, 2) * _HEAD**-0.5  # (rows, heads * n, 64)
            own = (query @ keys.transpose(-1, -2)).unflatten(1, (heads, -1))
            hidden = torch.arange(new.n_seen, device=x.device) > new.places[:, None, :, None]
            own = own.masked_fill(hidden, -torch.inf).flatten(1, 2)
            common = query @ shared[0].t()  # (rows, heads * n, n_shared)
            chances = torch.cat([common, own], dim=-1).softmax(dim=-1)
            n_shared = len(shared[0])
            heard = chances[..., :n_shared] @ shared[1] + chances[..., n_shared:] @ values
            return self.rest(x, heard.reshape(len(x), heads, -1, _HEAD))

    class Arranger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.turn: torch.Tensor
            self.words = nn.Embedding(config.n_words, width)
            self.layers = nn.ModuleList(Layer() for _ in range(config.depth))
            self.last = nn.RMSNorm(width)
            speed = _ROTARY_BASE ** (-torch.arange(0, _HEAD, 2) / _HEAD)
            angle = torch.arange(config.context)[:, None] * speed  # (context, 32)
            self.register_buffer("turn", torch.stack([angle.cos(), angle.sin()]), persistent=False)
            for name, weight in self.named_parameters():
                if weight.dim() > 1:
                    into_sum = name.endswith(("attended.weight", "back.weight"))
                    nn.init.normal_(weight, std=_INITIAL / (2 * config.depth) ** 0.5 if into_sum else _INITIAL)

        def hidden(self, ids: torch.Tensor) -> torch.Tensor:
            """What each word's row of the table is multiplied with: (rows, n, width)."""
            n = ids.shape[1]
            x, turn = self.words(ids), (self.turn[0, :n], self.turn[1, :n])
            for layer in self.layers:
                x = layer(x, turn)
            return self.last(x)  # type: ignore[no-any-return]

        def logits(self, hidden: torch.Tensor) -> torch.Tensor:
            return functional.linear(hidden, self.words.weight)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.logits(self.hidden(ids))

        def fed(self, ids: torch.Tensor, lengths: torch.Tensor, cache: "Cache") -> torch.Tensor:
            column = torch.arange(ids.shape[1], device=ids.device)
            places = (cache.lengths[:, None] + column).clamp(max=config.context - 1 - cache.n_shared)
            row, own = torch.nonzero(column < lengths[:, None], as_tuple=True)
            n_seen = int((cache.lengths + lengths).max())
            turned_by = self.turn[:, places + cache.n_shared][:, :, None]
            new = _New(places, (turned_by[0], turned_by[1]), (row, own), n_seen)
            x = self.words(ids)
            for layer, kept, shared in zip(self.layers, cache.kept, cache.shared, strict=True):
                x = layer.cached(x, kept, shared, new)  # type: ignore[operator]
            ends = x[torch.arange(len(x), device=x.device), lengths - 1]
            return self.logits(self.last(ends))

    return Arranger()


class Cache:
    """What a network keeps of the words that it has read: keys and values of each layer, each (rows, room, 64).

    `lengths` (rows,) says how many words of its own each row has. `shared` has keys and values, each
    (n_shared, 64), of the words that every row begins with.
    """

    def __init__(self, kept: "list[_Kept]", lengths: "torch.Tensor", shared: "list[_Kept]") -> None:
        self.kept, self.lengths, self.shared = kept, lengths, shared

    @property
    def n_shared(self) -> int:
        return len(self.shared[0][0])

    @property
    def room(self) -> int:
        return self.kept[0][0].shape[1]

    def rows(self, chosen: Sequence[int]) -> "Cache":
        """Some rows, in that order; a row that is named twice is there twice."""
        import torch

        index = torch.as_tensor(chosen, dtype=torch.int64, device=self.lengths.device)
        kept = [(key[index], value[index]) for key, value in self.kept]
        return Cache(kept, self.lengths[index], self.shared)

    def grown(self, room: int) -> None:
        """Make room for rows of so many words."""
        import torch

        if room > self.room:
            more = -(-room // _BLOCK) * _BLOCK - self.room
            self.kept = [
                (torch.nn.functional.pad(key, (0, 0, 0, more)), torch.nn.functional.pad(value, (0, 0, 0, more)))
                for key, value in self.kept
            ]


class ArrangerNetwork:
    """A network that writes: it is fed words, and says what may come next."""

    def __init__(self, config: ArrangerConfig, module: "torch.nn.Module") -> None:
        self.config, self.module = config, module.eval()

    def start(self, rows: int, shared: Sequence[int] = ()) -> Cache:
        """A cache of so many rows that begin with some words, which are read once, and have none of their own.

        Raises
        ------
        ValueError : more words than the context has.
        """
        import torch

        weight = next(self.module.parameters())

        def nothing(*shape: int) -> "list[_Kept]":
            return [(weight.new_zeros(shape), weight.new_zeros(shape)) for _ in range(self.config.depth)]

        lengths = torch.zeros(rows, dtype=torch.int64, device=weight.device)
        cache = Cache(nothing(rows, 0, _HEAD), lengths, nothing(0, _HEAD))
        if shared:
            first = self.start(1)
            self.feed(first, [shared])
            cache.shared = [(key[0, : len(shared)], value[0, : len(shared)]) for key, value in first.kept]
        return cache

    def feed(self, cache: Cache, rows: Sequence[Sequence[int]]) -> "torch.Tensor":
        """Read words into the rows of a cache; the logits (rows, n_words) of what follows each.

        A row without words stays as it is, and its logits mean nothing.

        Raises
        ------
        ValueError : no words, not as many rows as the cache has, or one longer than the context.
        """
        import torch

        if len(rows) != len(cache.lengths) or not any(len(row) for row in rows):
            raise ValueError(f"{len(rows)} rows for a cache of {len(cache.lengths)}, or none with words")
        lengths = torch.tensor([len(row) for row in rows], device=cache.lengths.device)
        longest = int(lengths.max())
        needed = int((cache.lengths + lengths).max())
        if cache.n_shared + needed > self.config.context:
            words = f"{cache.n_shared + needed} words"
            raise ValueError(f"{words} are more than the context of {self.config.context}")
        ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=cache.lengths.device)
        cache.grown(needed)
        with torch.inference_mode():
            logits = self._fed(ids, lengths, cache)
        cache.lengths = cache.lengths + lengths
        return logits

    def _fed(self, ids: "torch.Tensor", lengths: "torch.Tensor", cache: Cache) -> "torch.Tensor":
        return self.module.fed(ids, lengths, cache)  # type: ignore[no-any-return, operator]


def save(folder: Path, config: ArrangerConfig, state: "Mapping[str, torch.Tensor]") -> None:
    """Write a network into a folder."""
    save_network(folder, config, state)


def load(folder: Path) -> ArrangerNetwork:
    """The network of a folder that `save` wrote.

    Raises
    ------
    ModelError : a file is missing, or is not what it should be.
    """
    return ArrangerNetwork(*load_network(folder, ArrangerConfig, build, name="the arranger"))
