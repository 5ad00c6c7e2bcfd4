"""Words drawn from what a network holds likely and the grammar allows.

Every row has a generator of its own and draws from single-precision numbers in numpy: what a row becomes does not
depend on the rows beside it, but for what the network's own rounding makes of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.arranger.grammar import Writing
from rearrange.arranger.vocabulary import ID

__all__ = ["Feed", "Sampling", "drawn", "write_bars"]

# Reads the new words of each row; gives the logits (rows, n_words) of what follows.
Feed = Callable[[Sequence[Sequence[int]]], NDArray[np.float32]]

_BAR = ID["Bar_None"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How boldly words are drawn.

    Parameters
    ----------
    temperature : below 1 the likely becomes likelier; 0 takes the likeliest
    top_p : of the allowed words, only the likeliest that have this share together
    most_words : of a bar's parts; a longer bar ends as soon as it may
    """

    temperature: float = 1.0
    top_p: float = 0.95
    most_words: int = 400

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises
        ------
        ValueError : one is out of range.
        """
        if self.temperature < 0 or not 0 < self.top_p <= 1 or self.most_words < 1:
            raise ValueError(f"cannot draw with {self}")


def drawn(
    logits: NDArray[np.float32], allowed: NDArray[np.bool_], generator: np.random.Generator, sampling: Sampling
) -> int:
    """One word.

    Parameters
    ----------
    logits, allowed : (n_words,)

    Raises
    ------
    ValueError : nothing is allowed.
    """
    words = np.flatnonzero(allowed)
    if not len(words):
        raise ValueError("no word is allowed")
    likely = logits[words].astype(np.float64)
    if sampling.temperature == 0:
        return int(words[likely.argmax()])
    chances = np.exp((likely - likely.max()) / sampling.temperature)
    order = np.argsort(-chances, kind="stable")
    share = np.cumsum(chances[order] / chances.sum())
    kept = order[: int(np.searchsorted(share, sampling.top_p)) + 1]
    edges = np.cumsum(chances[kept])
    return int(words[kept[np.searchsorted(edges, generator.random() * edges[-1], side="right")]])


def write_bars(
    feed: Feed,
    logits: NDArray[np.float32],
    *,
    writing: Writing,
    generators: Sequence[np.random.Generator],
    sampling: Sampling = Sampling(),
) -> list[list[int]]:
    """The parts of one bar of each row, with the word that ends it, which has not been fed yet.

    Parameters
    ----------
    feed : has read each row up to the end of the bar's chart; afterwards, the parts too
    logits : (rows, n_words), of what follows that
    """
    bars: list[list[int]] = [[] for _ in generators]
    while True:
        allowed = writing.allowed()
        words = np.full(len(bars), _BAR)
        for row in map(int, np.flatnonzero(~writing.is_over)):
            if len(bars[row]) >= sampling.most_words and allowed[row, _BAR]:
                words[row] = _BAR
            else:
                words[row] = drawn(logits[row], allowed[row], generators[row], sampling)
            bars[row].append(int(words[row]))
        writing.push(words)
        over = writing.is_over
        if over.all():
            return bars
        new = [[] if over[row] else [int(words[row])] for row in range(len(bars))]
        logits = feed(new)
