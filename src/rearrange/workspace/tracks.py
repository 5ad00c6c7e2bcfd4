"""The sound of an arrangement's tracks, and what each was rendered from, so that only what changed is rendered.

`tracks.json` holds for each track a key (a hash of all that its sound depends on) and the fingerprint of its
file. A track's entry is taken out before its file is replaced and put in when all are done, so that a kill in
between never leaves an entry that does not fit its file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rearrange.audio import AudioWriter
from rearrange.errors import WorkspaceError
from rearrange.workspace.files import Fingerprint, Hashes, read_json, write_json
from rearrange.workspace.values import from_plain, to_plain

__all__ = ["TrackFiles"]


@dataclass(frozen=True)
class _Entry:
    key: str
    file: Fingerprint


@dataclass(frozen=True)
class _Index:
    tracks: Mapping[str, _Entry]


class TrackFiles(Mapping[str, Path]):
    """Track name -> file, which need not be there yet."""

    def __init__(self, index_path: Path, paths: Mapping[str, Path], hashes: Hashes) -> None:
        self._index_path, self._paths, self._hashes = index_path, dict(paths), hashes

    def __getitem__(self, name: str) -> Path:
        return self._paths[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def unchanged(self, keys: Mapping[str, str]) -> set[str]:
        """The tracks whose files were rendered from what `keys` says, and are as they were rendered."""
        same = set()
        for name, entry in self._entries().items():
            if name in self._paths and keys.get(name) == entry.key:
                self._hashes.remember(self._paths[name], entry.file)
                now = self._hashes.of(self._paths[name])
                if now is not None and now.sha256 == entry.file.sha256:
                    same.add(name)
        return same

    def keep_only(self, names: set[str]) -> None:
        """Forget all other tracks: their files are about to be replaced."""
        kept = {name: entry for name, entry in self._entries().items() if name in names}
        write_json(self._index_path, to_plain(_Index(kept)))

    def remember(self, keys: Mapping[str, str]) -> None:
        """Note what the files were rendered from, now that they are there."""
        files = {name: self._hashes.of(path) for name, path in self._paths.items()}
        entries = {name: _Entry(keys[name], file) for name, file in files.items() if file is not None}
        write_json(self._index_path, to_plain(_Index(entries)))

    def open(self, name: str, sample_rate: int) -> AudioWriter:
        """A writer of a track's file, stereo."""
        return AudioWriter(self._paths[name], sample_rate, 2)

    def _entries(self) -> Mapping[str, _Entry]:
        try:
            return from_plain(_Index, read_json(self._index_path)).tracks
        except (WorkspaceError, ValueError):
            return {}
