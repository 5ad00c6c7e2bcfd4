"""A song's folder: where each artefact lies, and how it is written and read. See DESIGN 3 for the layout.

`Workspace` holds the song's own artefacts, `ArrangementFolder` those of one arrangement. Everything is written
under a temporary name and renamed. Paths in records are relative, so that the folder may be moved.

Truth and view: `performance.json`, `analysis.json` and `arrangement.json` hold values exactly.
`performance.mid` and `arrangement.mid` are what the user opens, and once edited they are what holds; of an
arrangement the notes are always taken from the MIDI file, so that what sounds is what stands there.
`score.mid` is a view.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio, AudioWriter, read_audio
from rearrange.errors import AudioFormatError, OutputError, WorkspaceError
from rearrange.midi import Lead, read_midi, write_arrangement, write_performance, write_score
from rearrange.score import Arrangement, Performance, Score
from rearrange.workspace.files import Fingerprint, Hashes, read_json, remove_leftovers, write_json
from rearrange.workspace.tracks import TrackFiles
from rearrange.workspace.values import from_plain, to_plain

__all__ = ["ArrangementFolder", "Source", "StemFiles", "Workspace", "safe_name"]

T = TypeVar("T")

_MAX_NAME_BYTES = 80  # file systems take 255; names also get endings
_RESERVED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')


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


@dataclass(frozen=True)
class _ArrangementFile:
    midi_sha256: str
    lead: Lead
    arrangement: Arrangement  # its tracks without their notes


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
            except OSError as exc:
                raise WorkspaceError(
                    f"{self.folder}: another process is at work here", "wait for it, or use -w"
                ) from exc
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

    def arrangement(self, name: str) -> "ArrangementFolder":
        return ArrangementFolder(self, name)

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
        value = _PerformanceFile(_sha256(midi_path), performance)
        write_json(self.folder / "performance.json", to_plain(value))

    def read_performance(self) -> Performance:
        """What was heard; from the MIDI file alone where that has been edited.

        Raises
        ------
        WorkspaceError, MidiFormatError : it is missing or damaged.
        """
        midi_path = _present(self.folder / "performance.mid", "rearrange transcribe")
        exact = _read(self.folder / "performance.json", _PerformanceFile)
        if exact.midi_sha256 == _sha256(midi_path):
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
        return _read(_present(self.folder / "analysis.json", "rearrange analyse"), Score)


class ArrangementFolder:
    """The folder `arrangements/<name>/` of a workspace."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.workspace = workspace
        self.name = name
        self.folder = workspace.folder / "arrangements" / safe_name(name)
        self.midi_path = self.folder / "arrangement.mid"
        self.mix_path = self.folder / "mix.wav"
        self._last_read: tuple[str, Arrangement] | None = None

    def record_path(self, stage: str) -> Path:
        return self.folder / f"{stage}.json"

    def write_arrangement(self, arrangement: Arrangement) -> None:
        """Write the MIDI file that the user may edit, and what it cannot hold."""
        lead = write_arrangement(self.midi_path, arrangement, title=self.workspace.source.title)
        heads = tuple(replace(track, notes=()) for track in arrangement.tracks)
        value = _ArrangementFile(_sha256(self.midi_path), lead, replace(arrangement, tracks=heads))
        write_json(self.folder / "arrangement.json", to_plain(value))

    def read_arrangement(self) -> Arrangement:
        """What is to be played: notes, programs and, where edited, the tempo map of the MIDI file.

        Raises
        ------
        WorkspaceError, MidiFormatError : it is missing or damaged.
        """
        written = _read(_present(self.folder / "arrangement.json", "rearrange arrange"), _ArrangementFile)
        path = _present(self.midi_path, "rearrange arrange")
        now = f"{_sha256(path)} {_sha256(self.folder / 'arrangement.json')}"
        if self._last_read is not None and self._last_read[0] == now:
            return self._last_read[1]
        file = read_midi(path, known=written.arrangement.tracks, lead=written.lead)
        arrangement = replace(written.arrangement, tracks=file.tracks)
        if _sha256(path) != written.midi_sha256:
            timeline = replace(file.timeline, confidence=arrangement.timeline.confidence)
            arrangement = replace(arrangement, timeline=timeline)
        self._last_read = now, arrangement
        return arrangement

    def track_files(self) -> TrackFiles:
        """A file for the sound of each track and each kept stem, no two alike.

        Raises
        ------
        WorkspaceError, MidiFormatError : the arrangement is missing or damaged.
        """
        arrangement = self.read_arrangement()
        names = [*(track.name for track in arrangement.tracks), *arrangement.kept_stems]
        return TrackFiles(self.folder / "tracks.json", self.track_paths(names), self.workspace.hashes)

    def track_paths(self, names: Sequence[str]) -> dict[str, Path]:
        """A file name for each track name, no two alike."""
        paths: dict[str, Path] = {}
        taken: set[str] = set()
        for name in names:
            base = safe_name(name)
            file_name, number = base, 1
            while file_name.casefold() in taken:
                number += 1
                file_name = f"{base} {number}"
            taken.add(file_name.casefold())
            paths[name] = self.folder / "tracks" / f"{file_name}.flac"
        return paths


def safe_name(name: str) -> str:
    """A name as a file name that every system takes, in any script, never empty, hidden or over-long."""
    text = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))
    text = _RESERVED.sub("_", text).strip(" .")
    while len(text.encode("utf-8")) > _MAX_NAME_BYTES:
        text = text[:-1]
    return text.rstrip(" .") or "_"


def _present(path: Path, maker: str) -> Path:
    if not path.is_file():
        raise WorkspaceError(f"{path}: is missing", f"run {maker} first")
    return path


def _read(path: Path, kind: type[T]) -> T:
    try:
        return from_plain(kind, read_json(path))
    except ValueError as exc:
        raise WorkspaceError(f"{path}: is damaged: {exc}", "delete it, and it is made again") from exc


def _read_flac(path: Path) -> Audio:
    try:
        return read_audio(path)
    except AudioFormatError as exc:
        raise WorkspaceError(f"{path}: is damaged: {exc.message}", "delete it, and it is made again") from exc


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
