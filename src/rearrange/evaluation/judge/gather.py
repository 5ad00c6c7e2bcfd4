"""What the judge learns from, read into features: labelled drumming, lead sheets and ensembles.

Conventions: an example is a piece or a clip; what one session has of one style is a group, and so is what one
folder of composers holds, or one song. `sets/*.toml` says which examples are the judge's (the weights see no
others), which are anybody's (the judge is tested on them). What a label means for us is `labels.toml`.

Limits: beats, not fills, of Groove MIDI; clips of fewer than four bars are left out.
"""

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.declared import read_table
from rearrange.errors import ConfigError, RearrangeError, UsageError
from rearrange.evaluation.corpora import SongRef, songs_of, unpacked
from rearrange.evaluation.judge.drums import drum_windows
from rearrange.evaluation.judge.pitched import ensemble_windows, lead_windows
from rearrange.evaluation.judge.written import read_written
from rearrange.evaluation.metrics.style import StyleHistograms, style_histograms
from rearrange.evaluation.songs import load_song
from rearrange.midi import read_midi
from rearrange.score import Note, Part, Role, Timeline, Track, sorted_notes

__all__ = ["READERS", "Example", "Labels", "gather", "read_labels"]

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]

READERS = ("drums", "lead", "ensemble")
FEWEST_BARS = 4  # of a clip: what is shorter is a lick
LABELS = Path(__file__).with_name("labels.toml")
# What no instrument or score says: how long a drum's key is held, and how loud written notes are.
_MEANINGLESS = {"drums": "drums_onset_duration", "ensemble": "accompaniment_onset_velocity"}


@dataclass(frozen=True)
class Example:
    """A labelled piece: `rows` (n_windows, n_features); `is_judges` if weights may see it.

    `player` is who plays, where that is known.
    """

    name: str
    label: str
    group: str
    is_judges: bool
    rows: Floats
    style: StyleHistograms | None = None
    player: str = ""


@dataclass(frozen=True)
class Labels:
    """Classes by label for each reader, and those that are genres' references."""

    classes: Mapping[str, Mapping[str, str]]
    reported: Mapping[str, frozenset[str]]


def read_labels(path: Path = LABELS) -> Labels:
    """What data sets' labels mean.

    Raises
    ------
    ConfigError : the file is wrong, or gives one label two meanings.
    """
    root = read_table(path, ConfigError)
    classes: dict[str, dict[str, str]] = {}
    for reader in READERS:
        table = root.table(reader)
        classes[reader] = {}
        for name in sorted(table.keys()):
            for label in table.list(name, str, "labels"):
                if str(label) in classes[reader]:
                    raise table.fail(name, f"{label!r} is already {classes[reader][str(label)]}")
                classes[reader][str(label)] = name
        table.finish()
    reported = root.table("reported")
    told = {
        reader: frozenset(str(name) for name in reported.list(reader, str, "classes", [])) for reader in READERS
    }
    reported.finish()
    root.finish()
    return Labels(classes, told)


def gather(reader: str, labels: Labels, data: Path, folder: Path) -> list[Example]:
    """All labelled examples of a reader, in the order of their names.

    Parameters
    ----------
    data : the folder that holds the sets as .tar.xz
    folder : where they are, or are to be, unpacked

    Raises
    ------
    UsageError : a set is missing.
    """
    meaning = labels.classes[reader]
    if reader == "drums":
        return _drums(unpacked(data, "gmd", folder), meaning)
    if reader == "lead":
        return _leads(unpacked(data, "openewld", folder), meaning)
    return [
        example
        for name, label in sorted(meaning.items())
        for example in _ensembles(name, unpacked(data, name, folder), label)
    ]


def _drums(root: Path, meaning: Mapping[str, str]) -> list[Example]:
    with (root / "info.csv").open(encoding="utf-8") as file:
        rows = {row["midi_filename"].removesuffix(".mid"): row for row in csv.DictReader(file)}
    sessions: dict[str, set[str]] = {}
    for row in rows.values():
        if row["style"] in meaning:
            sessions.setdefault(meaning[row["style"]], set()).add(row["session"])
    judges = {song.id for song in songs_of("gmd", root, "judge")}
    out = []
    for name, row in sorted(rows.items()):
        label = meaning.get(row["style"])
        if label is None or row["beat_type"] != "beat":
            continue
        clip = read_midi(root / f"{name}.mid")
        tracks = tuple(Track("drums", Role.DRUMS, 0, True, track.notes) for track in clip.tracks)
        features = drum_windows(tracks, clip.timeline)
        if not len(features) or len(clip.timeline.bars) < FEWEST_BARS:
            continue
        style = _without(style_histograms(tracks, clip.timeline.bars), _MEANINGLESS["drums"])
        # Clips of one style in one session are not independent; where there is no other session, they must do.
        group = f"{row['session']}:{row['style']}" if len(sessions[label]) > 1 else name
        out.append(Example(name, label, group, name in judges, features, style, row["drummer"]))
    return out


def _leads(root: Path, meaning: Mapping[str, str]) -> list[Example]:
    with (root / "genres.csv").open(encoding="utf-8") as file:
        counted: dict[str, dict[str, int]] = {}
        for row in csv.DictReader(file):
            composers, title = row["leadsheet"].split("/")[1:3]
            counted.setdefault(f"{composers}/{title}", {})[row["genre"]] = int(row["occurrences"])
    judges = {song.id for song in songs_of("openewld", root, "judge")}
    out = []
    for song in sorted([*songs_of("openewld", root, "judge"), *songs_of("openewld", root, "training")], key=_id):
        genres = counted.get(song.id, {})
        label = meaning.get(max(genres, key=lambda genre: genres[genre])) if genres else None
        if label is None:
            continue
        try:
            sheet = read_written(song.path)
        except UsageError as exc:
            logger.info("left out: %s", exc)
            continue
        rows = lead_windows(sheet.tracks[0].notes, sheet.chords, sheet.timeline)
        if len(rows):
            out.append(Example(song.id, label, song.id.split("/")[0], song.id in judges, rows))
    return out


def _ensembles(corpus: str, root: Path, label: str) -> list[Example]:
    """The judge's songs of a corpus, and its test songs."""
    out = []
    for share in ("judge", "test"):
        for song in songs_of(corpus, root, "judge" if share == "judge" else "test"):
            try:
                tracks, timeline = _song(song)
            except RearrangeError as exc:
                logger.info("left out: %s", exc)
                continue
            rows = ensemble_windows(tracks, timeline)
            if len(rows):
                style = _without(style_histograms(tracks, timeline.bars), _MEANINGLESS["ensemble"])
                out.append(Example(f"{corpus}/{song.id}", label, song.id, share == "judge", rows, style))
    return out


def _song(song: SongRef) -> tuple[Sequence[Track], Timeline]:
    if song.path.suffix == ".musicxml":
        written = read_written(song.path)
        return written.tracks, written.timeline
    known = load_song(song)
    return [_in_beats(part, known.timeline) for part in known.performance.parts], known.timeline


def _in_beats(part: Part, timeline: Timeline) -> Track:
    starts = timeline.beats([note.onset_s for note in part.notes])
    ends = timeline.beats([note.onset_s + note.duration_s for note in part.notes])
    notes = [
        Note(float(start), float(end - start), note.pitch, note.velocity)
        for note, start, end in zip(part.notes, starts, ends, strict=True)
    ]
    role = Role.DRUMS if part.is_drum else part.role or Role.CHORDS
    return Track(part.name, role, part.program or 0, part.is_drum, sorted_notes(notes))


def _without(style: StyleHistograms, name: str) -> StyleHistograms:
    """The histograms with one emptied, which `style_fit` then passes over."""
    return StyleHistograms(
        {
            key: np.zeros_like(counts) if key == name else counts
            for key, counts in style.normalised().counts.items()
        }
    )


def _id(song: SongRef) -> str:
    return song.id
