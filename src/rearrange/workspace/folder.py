"""A song's folder: where each artefact lies, and how it is written and read. See DESIGN 3 for the layout.

`Workspace` holds the song's own artefacts, `ArrangementFolder` those of one arrangement. Everything is written
under a temporary name and renamed. Paths in records are relative, so that the folder may be moved.

Truth and view: `performance.json`, `analysis.json` and `arrangement.json` hold values exactly.
`performance.mid` and `arrangement.mid` are what the user opens, and once edited they are what holds; of an
arrangement the notes are always taken from the MIDI file, so that what sounds is what stands there.
`score.mid` is a view.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio, AudioWriter, read_audio
from rearrange.errors import AudioFormatError, OutputError, WorkspaceError
from rearrange.midi import read_midi, write_performance, write_score
from rearrange.score import Performance, Score
from rearrange.workspace.arrangement import ArrangementFolder
from rearrange.workspace.files import (
    Fingerprint,
    Hashes,
    file_sha256,
    present,
    read_json,
    remove_leftovers,
    safe_name,
    write_json,
)
from rearrange.workspace.values import from_plain, read_value, to_plain

__all__ = ["Source", "StemFiles", "Workspace"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """The song that a workspace belongs to. `path` is absolute; the file is never written."""

    path: str
    kind: Literal["audio", "midi"]
    title: str
    fingerprint: Fingerprint


@dataclass(frozen=True)
class _PerformanceFile:
    midi_sha256: str
    performance: Performance


class StemFiles(Mapping[str, Audio]):
    """Stems on disk, read when asked for: nobody holds more of them than they use."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = dict(paths)

    def __getitem__(self, name: str) -> Audio:
        return _read_flac(self._paths[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def path(self, name: str) -> Path:
        """Where a stem lies, for block-wise reading."""
        return self._paths[name]


class Workspace:
    """The folder `song.rearrange/`.

    Raises
    ------
    WorkspaceError : the folder is not there (and is not to be made).
    OutputError : it cannot be made.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        self.hashes = Hashes()
        if create:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as exc:
                raise OutputError(
                    f"{folder}: cannot be made: {exc.strerror or exc}", "choose another folder with -w"
                ) from exc
        elif not folder.is_dir():
            raise WorkspaceError(f"{folder}: there is no such folder", "rearrange convert SONG makes one")

    # --- the folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing here; then clear away what a killed run left.

        Raises
        ------
        WorkspaceError : another process is at work in this folder.
        OutputError : the folder cannot be written.
        """
        import fcntl

        with ExitStack() as stack:
            try:
                lock = stack.enter_context((self.folder / ".lock").open("w"))
            except OSError as exc:
                raise OutputError(f"{self.folder}: cannot be written: {exc.strerror or exc}") from exc
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise WorkspaceError(
                    f"{self.folder}: another process is at work here", "wait for it, or use -w"
                ) from exc
            except OSError as exc:  # some network file systems have no locks
                logger.info("%s cannot be locked: %s", self.folder, exc)
            remove_leftovers([self.folder, *(path for path in self.folder.glob("**/") if path != self.folder)])
            yield

    @property
    def source(self) -> Source:
        """The song of this folder.

        Raises
        ------
        WorkspaceError : source.json is missing or damaged.
        """
        path = self.folder / "source.json"
        try:
            source = from_plain(Source, read_json(path))
        except ValueError as exc:
            raise WorkspaceError(f"{path}: is damaged: {exc}", "run rearrange convert SONG again") from exc
        self.hashes.remember(Path(source.path), source.fingerprint)
        return source

    def write_source(self, source: Source) -> None:
        write_json(self.folder / "source.json", to_plain(source))

    def record_path(self, stage: str) -> Path:
        return self.folder / f"{stage}.json"

    def relative(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def arrangement_names(self) -> list[str]:
        """The arrangements that have been made, by name."""
        return sorted(path.parent.name for path in self.folder.glob("arrangements/*/arrangement.json"))

    def arrangement(self, name: str) -> ArrangementFolder:
        """The folder of one arrangement, which need not be there yet."""
        return ArrangementFolder(self.folder / "arrangements" / safe_name(name), name, self.hashes)

    # --- artefacts

    @property
    def stem_paths(self) -> dict[str, Path]:
        return {path.stem: path for path in sorted((self.folder / "stems").glob("[!.]*.flac"))}

    def write_stems(self, blocks: Iterable[Mapping[str, NDArray[np.float32]]], sample_rate: int) -> None:
        """Write consecutive blocks of every stem, (channels, n) each; the files appear when all are complete."""
        folder = self.folder / "stems"
        with ExitStack() as stack:
            writers: dict[str, AudioWriter] = {}
            for block in blocks:
                for name, samples in block.items():
                    if name not in writers:
                        writer = AudioWriter(folder / f"{name}.flac", sample_rate, samples.shape[0])
                        writers[name] = stack.enter_context(writer)
                    writers[name].write(samples)

    def read_stems(self) -> StemFiles:
        """The stems, read when asked for.

        Raises
        ------
        WorkspaceError : there are none.
        """
        paths = self.stem_paths
        if not paths:
            raise WorkspaceError(f"{self.folder / 'stems'}: there are no stems", "run rearrange separate first")
        return StemFiles(paths)

    def write_performance(self, performance: Performance) -> None:
        midi_path = self.folder / "performance.mid"
        write_performance(midi_path, performance, title=self.source.title)
        value = _PerformanceFile(file_sha256(midi_path), performance)
        write_json(self.folder / "performance.json", to_plain(value))

    def read_performance(self) -> Performance:
        """What was heard; from the MIDI file alone where that has been edited.

        Raises
        ------
        WorkspaceError, MidiFormatError : it is missing or damaged.
        """
        midi_path = present(self.folder / "performance.mid", "rearrange transcribe")
        exact = read_value(self.folder / "performance.json", _PerformanceFile)
        if exact.midi_sha256 == file_sha256(midi_path):
            return exact.performance
        return read_midi(midi_path).performance

    def write_score(self, score: Score) -> None:
        write_json(self.folder / "analysis.json", to_plain(score))
        write_score(self.folder / "score.mid", score)

    def read_score(self) -> Score:
        """The song as analysed.

        Raises
        ------
        WorkspaceError : it is missing or damaged.
        """
        return read_value(present(self.folder / "analysis.json", "rearrange analyse"), Score)


def _read_flac(path: Path) -> Audio:
    try:
        return read_audio(path)
    except AudioFormatError as exc:
        raise WorkspaceError(f"{path}: is damaged: {exc.message}", "delete it, and it is made again") from exc
