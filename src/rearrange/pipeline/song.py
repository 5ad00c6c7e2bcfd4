"""The song that is worked on: where it comes from, its folder, and the arrangement that is made of it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rearrange.errors import AudioFormatError, UsageError, WorkspaceError
from rearrange.genre import Genre, genre_names, load_genre
from rearrange.workspace import ArrangementFolder, Source, Workspace, read_record

__all__ = ["Song", "genre_of", "genre_reference", "open_song", "song_kind", "the_arrangement"]

logger = logging.getLogger(__name__)

_MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")


@dataclass
class Song:
    """What a stage works on."""

    workspace: Workspace
    source: Source
    arrangement: ArrangementFolder | None = None
    genre: Genre | None = None

    @property
    def is_midi(self) -> bool:
        return self.source.kind == "midi"

    @property
    def path(self) -> Path:
        """The song's own file.

        Raises
        ------
        WorkspaceError : it is no longer where it was.
        """
        path = Path(self.source.path)
        if not path.is_file():
            raise WorkspaceError(f"{path}: the song is no longer there", "give its new place together with -w")
        return path

    @property
    def to_arrange(self) -> ArrangementFolder:
        """The arrangement that is worked on.

        Raises
        ------
        UsageError : none is named.
        """
        if self.arrangement is None:
            raise UsageError(f"{self.workspace.folder}: no arrangement is named", "give --genre or --name")
        return self.arrangement

    @property
    def to_play(self) -> Genre:
        """The genre that is arranged for.

        Raises
        ------
        UsageError : none is named.
        """
        if self.genre is None:
            raise UsageError(f"{self.workspace.folder}: no genre is named", "give --genre")
        return self.genre


def song_kind(path: Path) -> str:
    """`audio` or `midi`, by the name's ending or, failing that, by the first bytes.

    Raises
    ------
    AudioFormatError : there is no such file, or it is a folder, or may not be read.
    """
    if path.is_dir():
        raise AudioFormatError(f"{path}: is a folder, not a song", "rearrange batch takes a folder of songs")
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as exc:
        raise AudioFormatError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    return "midi" if head == b"MThd" or path.suffix.lower() in _MIDI_SUFFIXES else "audio"


@contextmanager
def open_song(folder: Path, path: Path | None = None) -> Iterator[Song]:
    """Open a song's folder; with `path`, make it where it is not there yet.

    A folder that was made here and in which no stage was finished is taken away again.

    Raises
    ------
    AudioFormatError : `path` is not a file that can be read.
    WorkspaceError : there is no such folder, or it is another song's.
    OutputError : the folder cannot be made.
    """
    if path is None:
        workspace = Workspace(folder)
        yield Song(workspace, workspace.source)
        return
    kind = song_kind(path)
    is_new = not folder.exists()
    workspace = Workspace(folder, create=True)
    try:
        yield Song(workspace, _take_source(workspace, path, kind))
    finally:
        if is_new:
            _remove_if_nothing_was_made(folder)


def _take_source(workspace: Workspace, path: Path, kind: str) -> Source:
    path = path.resolve()
    try:
        before = workspace.source
    except WorkspaceError:
        before = None
    fingerprint = workspace.hashes.of(path)
    if fingerprint is None:
        raise AudioFormatError(f"{path}: cannot be read")
    same_song = before is not None and before.fingerprint.sha256 == fingerprint.sha256
    if before is not None and not same_song:
        if before.path != str(path):
            raise WorkspaceError(
                f"{workspace.folder}: belongs to another song, {before.path}", "choose another folder with -w"
            )
        logger.warning("%s has changed: everything is made again", path.name)
    title = path.stem.encode("utf-8", "replace").decode("utf-8")
    source = Source(str(path), "midi" if kind == "midi" else "audio", title, fingerprint)
    if same_song and before is not None:  # its title is in the MIDI files already
        source = replace(source, title=before.title)
    if source != before:
        workspace.write_source(source)
    return source


def _remove_if_nothing_was_made(folder: Path) -> None:
    """Take the folder away where it holds nothing but what a run starts with."""
    files = {path for path in folder.rglob("*") if not path.is_dir()}
    records = {path: read_record(path) for path in files if path.suffix == ".json"}
    unfinished = {path for path, record in records.items() if record is not None and not record.finished}
    if files - unfinished - {folder / "source.json", folder / ".lock"}:
        return
    for path in files:
        path.unlink(missing_ok=True)
    for path in sorted(folder.glob("**/"), reverse=True):  # the deepest first
        with suppress(OSError):  # not empty
            path.rmdir()


def genre_of(song: Song) -> Genre:
    """The genre that the song's arrangement was made for, by the record of its making.

    Raises
    ------
    WorkspaceError : the arrangement has not been made.
    GenreError : the genre's file is gone or wrong.
    """
    record = read_record(song.to_arrange.record_path("arrange"))
    name = record.settings.get("genre") if record is not None else None
    if not isinstance(name, str):
        raise WorkspaceError(f"{song.to_arrange.folder}: has not been arranged", "run rearrange arrange first")
    return load_genre(name)


def genre_reference(genre: Genre) -> str:
    """How to find a genre again: its name, or the path of the user's own file."""
    is_packaged = genre.name in genre_names() and genre.path == load_genre(genre.name).path
    return genre.name if is_packaged else str(genre.path.resolve())


def the_arrangement(workspace: Workspace, name: str | None) -> ArrangementFolder:
    """The arrangement of that name; without one, the only one there is.

    Raises
    ------
    WorkspaceError : there is none.
    UsageError : there are several, or none of that name.
    """
    names = workspace.arrangement_names()
    if name is None and len(names) == 1:
        return workspace.arrangement(names[0])
    if not names:
        raise WorkspaceError(f"{workspace.folder}: nothing has been arranged yet", "run rearrange arrange first")
    if name is None:
        raise UsageError(f"{workspace.folder}: holds several arrangements", f"give --name: {', '.join(names)}")
    if name not in names:
        raise UsageError(f"{workspace.folder}: there is no arrangement {name!r}", f"there are: {', '.join(names)}")
    return workspace.arrangement(name)
