"""Packs of arrangements: what is stored comes back, the same seed gives the same, no held-out song is in one."""

from pathlib import Path

import numpy as np
import pytest

from rearrange.arranger.vocabulary import PLAYED_ROLES, VOCABULARY
from rearrange.evaluation.corpora import corpus
from rearrange.genre import genre_names, load_genre
from rearrange.score import Role
from rearrange.training.arrangement_examples import Example
from rearrange.training.arrangement_pack import Pack, joined, read_pack, write_pack
from rearrange.training.arrangement_patterns import patterned
from rearrange.training.arrangement_tokens import packed, without_roles
from rearrange.training.arrangement_windows import Windows
from rearrange.training.arrangements import KINDS, main
from tests.songs import band_song
from tests.training.planted_songs import FREE, write_song

NAMES = np.array(VOCABULARY)


def _example(seed: int = 0, n_bars: int = 40) -> Example:
    made = patterned(
        f"ours/{seed}",
        band_song(n_bars=n_bars),
        load_genre(genre_names()[seed]),
        kind="patterns",
        heard=None,
        rng=np.random.default_rng(seed),
    )
    assert made is not None
    return made


@pytest.fixture(scope="module")
def pack() -> Pack:
    return joined([packed([_example(0)]), packed([_example(1), _example(2)])])


def test_a_pack_has_every_bar_of_its_arrangements(pack: Pack) -> None:
    assert len(pack) == 3
    for i in range(3):
        example = _example(i)
        bars = pack.bars(i)
        assert len(bars) == len(example.chart.bars)
        for bar in (bars.start, bars.stop - 1):
            words = NAMES[pack.tokens(bar, bar + 1)]
            assert words[0] == "Bar_None"
            assert np.count_nonzero(words == "Bar_None") == 1
        played = {PLAYED_ROLES[column] for column in np.flatnonzero(pack.programs[i] >= 0)}
        assert played == {track.role for track in example.tracks}
        assert pack.begins[i]
        assert pack.ends[i]
        bass = next(track for track in example.tracks if track.role is Role.BASS)
        struck = pack.onsets[bars.start : bars.stop, PLAYED_ROLES.index(Role.BASS)].sum()
        assert len(bass.notes) == pytest.approx(struck, rel=0.1)


def test_a_pack_is_read_as_it_was_written(pack: Pack, tmp_path: Path) -> None:
    for small in (False, True):
        write_pack(tmp_path / "a.npz", pack, {"seed": "0"}, small=small)
        again = read_pack(tmp_path / "a.npz", {"seed": "0"})
        assert again is not None
        for name, column in vars(pack).items():
            np.testing.assert_array_equal(getattr(again, name), column)
    assert read_pack(tmp_path / "a.npz", {"seed": "1"}) is None
    (tmp_path / "a.npz").write_bytes(b"PK, but broken")
    assert read_pack(tmp_path / "a.npz") is None
    assert read_pack(tmp_path / "b.npz") is None


def test_a_sequence_is_header_context_and_bars_in_a_row(pack: Pack) -> None:
    windows, rng = Windows(pack, context=700), np.random.default_rng(0)
    has_end, has_context = 0, 0
    for _ in range(60):
        ids = windows.draw(rng)
        assert ids.dtype == np.uint16
        assert 50 < len(ids) <= 700
        words = NAMES[ids]
        assert words[0] == "BOS_None"
        assert np.count_nonzero(words == "Target_None") == 1
        target = int(np.flatnonzero(words == "Target_None")[0])
        assert words[target + 1] == "Bar_None"
        has_context += "Bar_None" in words[:target]
        has_end += words[-1] == "EOS_None"
        first_bar = int(np.flatnonzero(words == "Bar_None")[0])
        header = {word for word in words[:first_bar] if word.startswith("Track_")}
        assert {word for word in words[first_bar:] if word.startswith("Track_")} <= header
        assert "EOS_None" not in words[:-1]
    assert has_context > 45
    assert 0 < has_end < 40


def test_the_context_is_from_elsewhere(pack: Pack) -> None:
    """No bar is shown and then asked for, unless the song itself repeats it."""
    windows, rng = Windows(pack, context=700), np.random.default_rng(0)
    for i in range(len(pack)):
        for _ in range(40):
            shown, bars = windows._spans(i, rng)
            reach = bars.start + int(np.count_nonzero(pack.lengths(bars.start, bars.stop).cumsum() <= 700))
            assert not set(shown) & set(range(bars.start, reach))
            assert len(bars) >= 1
            assert set(shown) <= set(pack.bars(i))


def test_the_same_generator_draws_the_same(pack: Pack) -> None:
    first, again = ([Windows(pack).draw(np.random.default_rng(seed)) for seed in range(5)] for _ in range(2))
    for ids, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(ids, same)


def test_a_role_that_is_left_out_is_gone(pack: Pack) -> None:
    ids = pack.tokens(0, 8)
    column = PLAYED_ROLES.index(Role.BASS)
    without = NAMES[without_roles(ids, frozenset([column]))]
    assert "Track_bass" in NAMES[ids]
    assert "Track_bass" not in without
    assert [word for word in without if word.startswith("Track_")] == [
        word for word in NAMES[ids] if word.startswith("Track_") and word != "Track_bass"
    ]
    np.testing.assert_array_equal(without_roles(ids, frozenset()), ids)


@pytest.fixture(scope="module")
def unpacked_written(unpacked_sets: Path) -> Path:
    """The sets with written music among them, one song each."""
    for name in ("openewld", "openscore_lieder", "openscore_quartets"):
        if not (unpacked_sets / name).is_dir():
            write_song(name, unpacked_sets / name, "ours")
    return unpacked_sets


@pytest.mark.slow
def test_preparing_again_gives_the_same_pack(unpacked_written: Path, tmp_path: Path) -> None:
    def made(name: str) -> bytes:
        out = tmp_path / name
        arguments = ["--data", str(unpacked_written), "--sets", str(unpacked_written), "--out", str(out)]
        assert main(arguments) == 0
        return b"".join((out / f"{share}.npz").read_bytes() for share in ("training", "validation"))

    first = made("one")
    assert made("two") == first
    some = next((tmp_path / "one" / "songs" / "training").glob("*.npz"))
    some.unlink()
    assert made("one") == first
    packs = [read_pack(tmp_path / "one" / f"{share}.npz") for share in ("training", "validation")]
    songs = {str(song) for each in packs if each is not None for song in each.songs}
    assert songs
    for song in songs:
        name, _, own = song.partition("/")
        assert own in {*FREE.get(name, ()), "ours", "ours/ours"}
        assert own not in corpus(name).held_out
    kinds = {str(kind) for each in packs if each is not None for kind in each.kinds}
    assert kinds <= set(KINDS)
    assert {"drumming", "patterns", "random"} <= kinds
