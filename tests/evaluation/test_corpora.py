"""The split: declared once, whole, and a door that shows no held-out song."""

import os
import tarfile
from pathlib import Path

import pytest

from rearrange.errors import ConfigError, UsageError
from rearrange.evaluation.corpora import (
    corpus,
    corpus_names,
    held_out,
    songs_of,
    training_songs,
    unpacked,
)

SHARED = Path(os.environ.get("REARRANGE_SHARED", Path(__file__).parents[3] / "shared"))

HEAD = """kind = "corpus"
title = "Made up"
source = "here"
licence = "CC0"
use = "train"
built = "by hand"
archive = "made"
"""


def declared(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "made.toml").write_text(HEAD + text, encoding="utf-8")
    return folder


def files(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def test_every_declared_corpus_can_be_read() -> None:
    names = corpus_names()
    assert {"pop909", "freedoom", "gmd", "openewld", "openscore_quartets", "openscore_lieder"} <= set(names)
    for name in names:
        declaration = corpus(name)
        assert declaration.licence
        assert declaration.source
        assert held_out(name) == declaration.test | declaration.judge | declaration.twins


def test_pop909_holds_out_every_twentieth_number() -> None:
    test = corpus("pop909").test
    assert len(test) == 43
    assert all(int(song) % 20 == 3 for song in test)
    assert len(corpus("freedoom").test) == 13
    assert len(corpus("openscore_quartets").test) == 11


def test_shares_are_apart_and_cover_the_corpus(tmp_path: Path) -> None:
    folder = declared(tmp_path / "sets", 'files = "*.mid"\ntest = ["b"]\njudge = ["c"]\ntwins = ["d"]\n')
    root = files(tmp_path / "made", "a.mid", "b.mid", "c.mid", "d.mid", "notes.txt")
    ids = {
        share: [song.id for song in songs_of("made", root, share, folder)]
        for share in ("test", "judge", "training")
    }
    assert ids == {"test": ["b"], "judge": ["c"], "training": ["a"]}


def test_a_held_out_folder_holds_out_all_in_it(tmp_path: Path) -> None:
    folder = declared(tmp_path / "sets", 'files = "**/*.mid"\nids = "path"\njudge = ["one/first"]\n')
    root = files(tmp_path / "made", "one/first/x.mid", "one/firsthand/y.mid", "two/first/z. w.mid")
    assert [song.id for song in songs_of("made", root, "judge", folder)] == ["one/first/x"]
    assert [song.id for song in songs_of("made", root, "training", folder)] == [
        "one/firsthand/y",
        "two/first/z. w",
    ]


def test_training_songs_of_a_real_corpus(tmp_path: Path) -> None:
    root = files(tmp_path / "pop909", "001/001.mid", "003/003.mid", "004/004.mid", "123/123.mid")
    assert [song.id for song in training_songs("pop909", root)] == ["001", "004"]


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no set is called lakh"):
        corpus("lakh")
    with pytest.raises(UsageError, match="holds no"):
        training_songs("freedoom", tmp_path)
    with pytest.raises(ConfigError, match=r"line 9, key test: b is listed twice"):
        corpus("made", declared(tmp_path / "twice", 'files = "*.mid"\ntest = ["b", "b"]\n'))
    with pytest.raises(ConfigError, match=r"key tests: is unknown; did you mean test\?"):
        corpus("made", declared(tmp_path / "strange", 'files = "*.mid"\ntests = ["b"]\n'))


def test_unpacking_happens_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    files(tmp_path / "made", "a.mid")
    with tarfile.open(tmp_path / "made.tar.xz", "w:xz") as tar:
        tar.add(tmp_path / "made", "made")
    cache = tmp_path / "deep" / "cache"
    root = unpacked(tmp_path, "made", cache)
    assert (root / "a.mid").is_file()
    assert [path.name for path in cache.iterdir()] == ["made"]
    (tmp_path / "made.tar.xz").unlink()
    assert unpacked(tmp_path, "made", cache) == root
    with pytest.raises(UsageError, match="no such archive"):
        unpacked(tmp_path, "other", cache)


@pytest.mark.shared
@pytest.mark.parametrize("name", corpus_names())
def test_every_held_out_id_is_in_its_archive(name: str) -> None:
    declaration = corpus(name)
    path = SHARED / "data" / "symbolic" / f"{declaration.archive}.tar.xz"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    with tarfile.open(path) as tar:
        members = [Path(member.name).relative_to(declaration.archive) for member in tar]
    files = [member for member in members if member.suffix]
    known = {file.stem if declaration.ids == "stem" else file.with_suffix("").as_posix() for file in files}
    known |= {parent.as_posix() for member in members for parent in member.parents}
    assert held_out(name) <= known
