"""The arranger's network: what is fed in pieces is what is read at once, rows do not hear each other."""

from pathlib import Path

import numpy as np
import pytest

from rearrange.models.arranger import ArrangerConfig, ArrangerNetwork, build, load, save

torch = pytest.importorskip("torch")

CONFIG = ArrangerConfig(n_words=50, depth=2, context=40, genres=("ours",), vocabulary="abc")
ROWS = [[1, 2, 3, 4, 5, 6, 7], [8, 9], [10, 11, 12, 13]]


@pytest.fixture(scope="module")
def network() -> ArrangerNetwork:
    torch.manual_seed(0)
    return ArrangerNetwork(CONFIG, build(CONFIG))


def _whole(network: ArrangerNetwork, row: list[int]) -> "torch.Tensor":
    with torch.inference_mode():
        return network.module(torch.tensor([row]))[0]


def test_the_cache_gives_what_reading_at_once_gives(network: ArrangerNetwork) -> None:
    cache = network.start(3)
    for pieces in ([[1, 2, 3], [8], [10, 11]], [[4], [9], [12]], [[5, 6, 7], [20, 21], [13]]):
        logits = network.feed(cache, pieces)
    assert cache.lengths.tolist() == [7, 4, 4]
    for row, own in zip([ROWS[0], [8, 9, 20, 21], ROWS[2]], logits, strict=True):
        torch.testing.assert_close(own, _whole(network, row)[-1], atol=1e-5, rtol=1e-5)


def test_rows_are_dropped_and_copied(network: ArrangerNetwork) -> None:
    cache = network.start(3)
    network.feed(cache, ROWS)
    chosen = cache.rows([2, 0, 0])
    logits = network.feed(chosen, [[30], [31], [32]])
    for row, own in zip([[*ROWS[2], 30], [*ROWS[0], 31], [*ROWS[0], 32]], logits, strict=True):
        torch.testing.assert_close(own, _whole(network, row)[-1], atol=1e-5, rtol=1e-5)
    logits = network.feed(cache, [[33], [33], [33]])  # the first cache has not noticed
    torch.testing.assert_close(logits[1], _whole(network, [8, 9, 33])[-1], atol=1e-5, rtol=1e-5)


def test_words_that_all_rows_begin_with_are_read_once(network: ArrangerNetwork) -> None:
    shared = [40, 41, 42]
    cache = network.start(3, shared)
    assert cache.n_shared == 3
    network.feed(cache, ROWS)
    logits = network.feed(cache.rows([1, 2]), [[30, 31], [32]])
    for row, own in zip([[*shared, *ROWS[1], 30, 31], [*shared, *ROWS[2], 32]], logits, strict=True):
        torch.testing.assert_close(own, _whole(network, row)[-1], atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="41 words are more than the context of 40"):
        network.feed(network.start(1, [1] * 39), [[1, 2]])


def test_a_row_may_fill_the_context_beside_a_short_one(network: ArrangerNetwork) -> None:
    cache = network.start(2)
    row = [int(word) for word in np.random.default_rng(0).integers(0, 50, 40)]
    network.feed(cache, [row[:30], row[:39]])
    logits = network.feed(cache, [row[30:], row[39:]])
    for own in logits:
        torch.testing.assert_close(own, _whole(network, row)[-1], atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="41 words are more than the context of 40"):
        network.feed(cache, [[1], [1]])


def test_words_do_not_see_what_comes_later(network: ArrangerNetwork) -> None:
    first, other = _whole(network, [1, 2, 3, 4]), _whole(network, [1, 2, 3, 9])
    torch.testing.assert_close(first[:3], other[:3])
    assert not torch.allclose(first[3], other[3])


def test_the_order_of_words_matters(network: ArrangerNetwork) -> None:
    assert not torch.allclose(_whole(network, [1, 2, 3])[-1], _whole(network, [2, 1, 3])[-1], atol=1e-4)


def test_a_row_without_words_waits(network: ArrangerNetwork) -> None:
    cache = network.start(2)
    network.feed(cache, [[1, 2], [3]])
    network.feed(cache, [[], [4]])
    logits = network.feed(cache, [[5], [6]])
    for row, own in zip([[1, 2, 5], [3, 4, 6]], logits, strict=True):
        torch.testing.assert_close(own, _whole(network, row)[-1], atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="none with words"):
        network.feed(cache, [[], []])
    with pytest.raises(ValueError, match="1 rows for a cache of 2"):
        network.feed(cache, [[1]])


@pytest.mark.parametrize(("depth", "millions"), [(8, (4, 8)), (14, (25, 40))])
def test_the_depth_sets_the_size(depth: int, millions: tuple[float, float]) -> None:
    with torch.device("meta"):
        module = build(ArrangerConfig(n_words=820, depth=depth))
    assert millions[0] <= sum(weight.numel() for weight in module.parameters()) / 1e6 <= millions[1]


def test_a_size_that_cannot_be_is_said_so() -> None:
    for config in (ArrangerConfig(n_words=9, depth=3), ArrangerConfig(n_words=0)):
        with pytest.raises(ValueError, match="no network has"):
            build(config)


def test_a_network_is_read_as_it_was_written(network: ArrangerNetwork, tmp_path: Path) -> None:
    save(tmp_path, CONFIG, network.module.state_dict())
    again = load(tmp_path)
    assert again.config == CONFIG
    torch.testing.assert_close(_whole(again, ROWS[0]), _whole(network, ROWS[0]), atol=2e-3, rtol=2e-3)
