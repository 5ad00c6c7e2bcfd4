"""The sets of symbolic music, and their split: what may be trained on, and what is held out to measure with.

A corpus is declared in `sets/<name>.toml`: where it comes from, its licence, how its songs are found, and which
are held out, by id, written down once. `test` songs measure; `judge` songs serve the genre judge and nothing else;
`twins` are other versions of one of those, and serve nothing.
`training_songs` is the only door through which `rearrange.training` may list songs, and it never shows either.

Conventions: a song's id is its file's stem, or, where stems repeat, its path in the archive without the suffix,
`/` parting folders. A held-out id that names a folder holds out all that lies in it.

Limits: a version that shares few of a tune's turns is not known for a twin (`twins` share a tenth or more of their
runs of ten notes, pitch and rhythm, whatever the key).
"""

import tarfile
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from shutil import rmtree
from tempfile import mkdtemp
from typing import Literal

from rearrange.declared import Table, read_table
from rearrange.errors import ConfigError, UsageError

__all__ = [
    "SETS",
    "Corpus",
    "SongRef",
    "corpus",
    "corpus_names",
    "held_out",
    "songs_of",
    "training_songs",
    "unpacked",
]

SETS = Path(__file__).with_name("sets")
_KINDS = ("corpus", "test set")


@dataclass(frozen=True)
class Corpus:
    """A set of songs as declared.

    Parameters
    ----------
    name, title, source, licence : of the set, for tables and model cards
    use : what its licence and we allow
    built : how the split was made
    archive : the folder inside `<archive>.tar.xz`
    files : the songs' files, as a glob below that folder
    ids : whether a song's id is its file's stem or its path
    test, judge, twins : ids held out to measure with, for the genre judge, and as versions of either
    """

    name: str
    title: str
    source: str
    licence: str
    use: str
    built: str
    archive: str
    files: str
    ids: Literal["stem", "path"]
    test: frozenset[str]
    judge: frozenset[str]
    twins: frozenset[str]

    @property
    def held_out(self) -> frozenset[str]:
        """What nothing may be trained on or tuned to."""
        return self.test | self.judge | self.twins


@dataclass(frozen=True, slots=True)
class SongRef:
    """A song of a corpus and its file."""

    corpus: str
    id: str
    path: Path


@cache
def corpus_names(folder: Path = SETS) -> tuple[str, ...]:
    """The declared corpora, sorted.

    Raises
    ------
    ConfigError : a declaration is not TOML.
    """
    tables = {path.stem: read_table(path, ConfigError) for path in sorted(folder.glob("*.toml"))}
    return tuple(name for name, table in tables.items() if table.string("kind", one_of=_KINDS) == "corpus")


@cache
def corpus(name: str, folder: Path = SETS) -> Corpus:
    """The declaration of a corpus.

    Raises
    ------
    UsageError : no corpus has that name.
    ConfigError : its file is wrong; the message names line and key.
    """
    path = folder / f"{name}.toml"
    if not path.is_file():
        raise UsageError(f"no set is called {name}", f"there are {', '.join(corpus_names(folder))}")
    table = read_table(path, ConfigError)
    table.string("kind", one_of=("corpus",))
    ids: Literal["stem", "path"] = (
        "path" if table.string("ids", "stem", one_of=("stem", "path")) == "path" else "stem"
    )
    found = Corpus(
        name=name,
        title=table.string("title"),
        source=table.string("source"),
        licence=table.string("licence"),
        use=table.string("use"),
        built=table.string("built"),
        archive=table.string("archive"),
        files=table.string("files"),
        ids=ids,
        test=_ids(table, "test"),
        judge=_ids(table, "judge"),
        twins=_ids(table, "twins"),
    )
    table.finish()
    return found


def held_out(name: str, folder: Path = SETS) -> frozenset[str]:
    """Ids of a corpus that nothing may be trained on or tuned to.

    Raises
    ------
    As `corpus`.
    """
    return corpus(name, folder).held_out


def songs_of(
    name: str, root: Path, share: Literal["test", "judge", "training"], folder: Path = SETS
) -> tuple[SongRef, ...]:
    """The songs of a share of a corpus, sorted by id.

    Parameters
    ----------
    root : the corpus' unpacked folder, as `unpacked` gives it

    Raises
    ------
    UsageError : there is no file of the corpus in `root`.
    """
    declared = corpus(name, folder)
    every = [SongRef(name, _id_of(path, root, declared.ids), path) for path in root.glob(declared.files)]
    if not every:
        raise UsageError(
            f"{root}: holds no {declared.files}", f"it should be the unpacked {declared.archive}.tar.xz"
        )
    if share == "training":
        chosen = [song for song in every if not _is_in(song.id, declared.held_out)]
    else:
        chosen = [song for song in every if _is_in(song.id, declared.test if share == "test" else declared.judge)]
    return tuple(sorted(chosen, key=lambda song: song.id))


def training_songs(name: str, root: Path) -> tuple[SongRef, ...]:
    """The songs of a corpus that may be trained on: those that are not held out.

    Raises
    ------
    As `songs_of`.
    """
    return songs_of(name, root, "training")


def unpacked(data: Path, archive: str, folder: Path) -> Path:
    """The folder of a set, unpacked from `data`/`archive`.tar.xz into `folder` unless it is there.

    Raises
    ------
    UsageError : there is no such archive.
    """
    target = folder / archive
    if target.is_dir():
        return target
    path = data / f"{archive}.tar.xz"
    if not path.is_file():
        raise UsageError(f"{path}: no such archive", "--data is the folder that holds the sets as .tar.xz")
    folder.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(prefix=f"{archive}.", dir=folder))  # its own name: two may unpack at once
    try:
        with tarfile.open(path) as tar:
            tar.extractall(partial, filter="data")
        if not target.is_dir():
            (partial / archive).rename(target)
    finally:
        rmtree(partial, ignore_errors=True)
    return target


def _ids(table: Table, key: str) -> frozenset[str]:
    listed = [str(each) for each in table.list(key, str, "song ids", [])]
    twice = {each for each in listed if listed.count(each) > 1}
    if twice:
        raise table.fail(key, f"{min(twice)} is listed twice")
    return frozenset(listed)


def _id_of(path: Path, root: Path, ids: Literal["stem", "path"]) -> str:
    return path.stem if ids == "stem" else path.relative_to(root).with_suffix("").as_posix()


def _is_in(song: str, listed: Collection[str]) -> bool:
    """Whether a song or a folder that it lies in is listed."""
    path = PurePosixPath(song)
    return any(each.as_posix() in listed for each in (path, *path.parents))
