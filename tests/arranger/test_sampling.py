"""Drawing words: only what is allowed, as often as the network says, the same for the same seed."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from rearrange.arranger.grammar import OpenBar, Writing
from rearrange.arranger.sampling import Sampling, drawn, write_bars
from rearrange.arranger.vocabulary import BEAT, ID, PLAYED_ROLES, VOCABULARY
from rearrange.models.arranger import ArrangerConfig, ArrangerNetwork, build

LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05], dtype=np.float32))
BAR = OpenBar(frozenset(PLAYED_ROLES), np.zeros(4 * BEAT, dtype=np.int64))


def _shares(sampling: Sampling, allowed: list[bool]) -> list[float]:
    rng = np.random.default_rng(0)
    words = [drawn(LOGITS, np.array(allowed), rng, sampling) for _ in range(4000)]
    return [words.count(word) / len(words) for word in range(4)]


def test_words_are_drawn_as_often_as_they_are_likely() -> None:
    assert _shares(Sampling(top_p=1.0), [True] * 4) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    assert _shares(Sampling(top_p=1.0), [False, True, True, False]) == pytest.approx(
        [0, 2 / 3, 1 / 3, 0], abs=0.03
    )


def test_the_unlikely_are_cut_and_cold_takes_the_likeliest() -> None:
    assert _shares(Sampling(top_p=0.75), [True] * 4) == pytest.approx([0.625, 0.375, 0, 0], abs=0.03)
    assert _shares(Sampling(temperature=0.0), [False, True, True, True]) == [0, 1, 0, 0]
    cold, hot = (_shares(Sampling(temperature=t, top_p=1.0), [True] * 4)[0] for t in (0.5, 2.0))
    assert cold > 0.6
    assert hot < 0.45


def test_what_cannot_be_drawn_is_said_so() -> None:
    with pytest.raises(ValueError, match="no word is allowed"):
        drawn(LOGITS, np.zeros(4, dtype=np.bool_), np.random.default_rng(0), Sampling())
    for wrong in ({"temperature": -1.0}, {"top_p": 0.0}, {"most_words": 0}):
        with pytest.raises(ValueError, match="cannot draw"):
            Sampling(**wrong)


@pytest.fixture(scope="module")
def network() -> ArrangerNetwork:
    torch.manual_seed(0)
    config = ArrangerConfig(n_words=len(VOCABULARY), depth=2, context=600)
    return ArrangerNetwork(config, build(config))


def _bars(network: ArrangerNetwork, seeds: list[int], most: int = 60) -> tuple[list[list[int]], list[int]]:
    cache = network.start(len(seeds))

    def feed(rows: Sequence[Sequence[int]]) -> "np.ndarray":
        return network.feed(cache, rows).numpy()

    logits = feed([[ID["BOS_None"], ID["Bar_None"]]] * len(seeds))
    generators = [np.random.default_rng(seed) for seed in seeds]
    writing = Writing([BAR] * len(seeds), {})
    bars = write_bars(feed, logits, writing=writing, generators=generators, sampling=Sampling(1.0, 1.0, most))
    return bars, cache.lengths.tolist()


def test_random_weights_write_bars_that_are_allowed_and_end(network: ArrangerNetwork) -> None:
    bars, lengths = _bars(network, list(range(40)))
    assert len({tuple(bar) for bar in bars}) > 20
    for bar, length in zip(bars, lengths, strict=True):
        assert bar.index(ID["Bar_None"]) == len(bar) - 1 <= 66
        assert length == 2 + len(bar) - 1
        writing = Writing([BAR], {})
        for word in bar:
            writing.push(np.array([word]))
        assert writing.is_over.all()


def test_the_same_seed_writes_the_same_beside_others(network: ArrangerNetwork) -> None:
    together, _ = _bars(network, [3, 4, 5])
    alone, _ = _bars(network, [4])
    assert together[1] == alone[0]
    assert _bars(network, [3, 4, 5])[0] == together
