"""One arrangement's folder: what is to be played, and its sound.

Of an arrangement the notes are always taken from `arrangement.mid`, so that what sounds is what stands there;
`arrangement.json` holds what MIDI cannot.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rearrange.errors import MidiFormatError
from rearrange.midi import Lead, read_midi, write_arrangement
from rearrange.score import Arrangement, Timeline
from rearrange.workspace.files import Hashes, file_sha256, present, safe_name, write_json
from rearrange.workspace.tracks import TrackFiles
from rearrange.workspace.values import read_value, to_plain

__all__ = ["ArrangementFolder"]

_SAME_S = 0.001


@dataclass(frozen=True)
class _ArrangementFile:
    midi_sha256: str
    lead: Lead
    arrangement: Arrangement  # its tracks without their notes


class ArrangementFolder:
    """The folder `arrangements/<name>/` of a workspace."""

    def __init__(self, folder: Path, name: str, hashes: Hashes) -> None:
        self.folder = folder
        self.name = name
        self.midi_path = self.folder / "arrangement.mid"
        self.mix_path = self.folder / "mix.wav"
        self._hashes = hashes
        self._last_read: tuple[str, Arrangement] | None = None

    def record_path(self, stage: str) -> Path:
        return self.folder / f"{stage}.json"

    def write_arrangement(self, arrangement: Arrangement, *, title: str) -> None:
        """Write the MIDI file that the user may edit, and what it cannot hold."""
        lead = write_arrangement(self.midi_path, arrangement, title=title)
        heads = tuple(replace(track, notes=()) for track in arrangement.tracks)
        value = _ArrangementFile(file_sha256(self.midi_path), lead, replace(arrangement, tracks=heads))
        write_json(self.folder / "arrangement.json", to_plain(value))

    def read_arrangement(self) -> Arrangement:
        """What is to be played: notes, programs and, where edited, the tempo map of the MIDI file.

        Raises
        ------
        WorkspaceError, MidiFormatError : it is missing or damaged.
        """
        written = read_value(present(self.folder / "arrangement.json", "rearrange arrange"), _ArrangementFile)
        path = present(self.midi_path, "rearrange arrange")
        now = f"{file_sha256(path)} {file_sha256(self.folder / 'arrangement.json')}"
        if self._last_read is not None and self._last_read[0] == now:
            return self._last_read[1]
        file = read_midi(path, known=written.arrangement.tracks, lead=written.lead)
        if written.arrangement.tracks and not any(track.notes for track in file.tracks):
            raise MidiFormatError(
                f"{path}: has no notes any more", "save it again, or delete it and rearrange arrange makes it anew"
            )
        arrangement = replace(written.arrangement, tracks=file.tracks)
        if file_sha256(path) != written.midi_sha256:
            arrangement = replace(arrangement, timeline=_edited_timeline(arrangement.timeline, file.timeline))
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
        return TrackFiles(self.folder / "tracks.json", self.track_paths(names), self._hashes)

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


def _edited_timeline(written: Timeline, read: Timeline) -> Timeline:
    """The timeline of an edited file; where only notes were edited, exactly the one that was written.

    A tempo map in MIDI is rounded: taking it for another one would render every track anew.
    """
    if (written.metres, written.end_beat) == (read.metres, read.end_beat):
        beats = [beat for beat in (0.0, *written.knots_beat, *read.knots_beat) if 0.0 <= beat <= written.end_beat]
        if np.max(np.abs(written.seconds(beats) - read.seconds(beats))) < _SAME_S:
            return written
    return replace(read, confidence=written.confidence)
