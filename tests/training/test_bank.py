"""A bank gives back the takes that were put into it, and none of a song that may no longer be used."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rearrange.training.audio import Studio, make_take
from rearrange.training.bank import banked, read_banked


def test_a_take_comes_out_as_it_went_in(studio: Studio, tmp_path: Path) -> None:
    (path,) = banked(studio, tmp_path, seed=5, count=1)
    kept, made = read_banked(path), make_take(studio, seed=5, index=0)
    loudest = max(float(np.abs(made.mix).max()), *(float(np.abs(stem).max()) for stem in made.stems.values()))
    for name, stem in made.stems.items():
        np.testing.assert_allclose(kept.stems[name], stem, atol=loudest / 30_000)
    np.testing.assert_allclose(kept.mix, made.mix, atol=loudest / 30_000)
    assert kept.hits == made.hits
    assert kept.notes == made.notes
    assert (kept.kind, kept.songs) == (made.scene.kind, made.scene.songs)
    np.testing.assert_array_equal(kept.beats_s, made.scene.beats_s)
    np.testing.assert_array_equal(kept.positions, made.scene.positions)


def test_what_is_there_is_kept_and_what_may_not_be_is_made_anew(
    studio: Studio,
    tmp_path: Path,
) -> None:
    (path,) = banked(studio, tmp_path, seed=5, count=1)
    before = path.stat().st_mtime_ns
    list(banked(studio, tmp_path, seed=5, count=1))
    assert path.stat().st_mtime_ns == before

    used = read_banked(path).songs
    kept = replace(
        studio.songs,
        **{
            name: tuple(each for each in getattr(studio.songs, name) if not _is_among(each, used))
            for name in ("pop909", "freedoom", "clips", "fills")
        },
    )
    list(banked(replace(studio, songs=kept), tmp_path, seed=5, count=1))
    assert not set(read_banked(path).songs) & set(used)


def _is_among(song: object, used: tuple[str, ...]) -> bool:
    name = getattr(song, "name", None) or f"{getattr(song, 'corpus', '')}/{getattr(song, 'id', '')}"
    return name in used


@pytest.mark.parametrize("count", [0, 2])
def test_takes_come_in_order(studio: Studio, tmp_path: Path, count: int) -> None:
    assert [path.name for path in banked(studio, tmp_path, seed=5, count=count)] == [
        f"5-{index:05d}.npz" for index in range(count)
    ]
