"""Test songs whose notes are known: the `oracle` set, MIDI in the place of ears.

Conventions: beats are quarter notes of the song's own timeline, 0 on its first downbeat. POP909's timeline is its
annotation, a bar as long as it is annotated; its chords are folded to the qualities of `score.CHORD_INTERVALS`
(a minor chord with a major seventh counts as minor), its key is the one that lasts longest. Freedoom's timeline is
the file's; nobody has annotated its chords or its key.

Sources: Z. Wang et al., "POP909", ISMIR 2020 (the columns of `beat_midi.txt`: time, downbeat if bars have two or
three beats, downbeat if they have four); C. Harte et al., "Symbolic representation of musical chords", ISMIR 2005.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.declared import read_table
from rearrange.errors import ConfigError, MidiFormatError, TooLittleMusicError
from rearrange.evaluation.corpora import SETS, SongRef, corpus_names, songs_of, unpacked
from rearrange.midi import read_midi
from rearrange.score import Chord, Key, Metre, Performance, Score, Timeline
from rearrange.stages.analyse import analyse

__all__ = ["SETS", "SongRef", "SymbolicSong", "load_song", "oracle_songs", "score_of"]

Floats = NDArray[np.float64]

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_DEGREES = {"1": 0, "2": 2, "3": 4, "4": 5, "5": 7, "6": 9, "7": 11, "9": 2}
_QUALITIES = {
    "maj": "maj", "min": "min", "7": "7", "maj7": "maj7", "min7": "min7", "dim": "dim", "aug": "aug",
    "sus4": "sus4", "sus2": "sus2", "hdim7": "min7b5", "dim7": "dim7", "maj6": "6", "min6": "min6",
    "sus4(b7)": "7sus4", "minmaj7": "min", "maj9": "maj9", "9": "9", "min9": "min9", "11": "9", "13": "13",
}  # fmt: skip
_MOST_LEADING_IN = 3  # bars among which the first of the usual length is looked for
_LABEL = re.compile(r"([A-G])([b#]*):([^/]+)(?:/([b#]*)(\d+))?$")
_KEY = re.compile(r"([A-G])([b#]*):(maj|min)$")


@dataclass(frozen=True)
class SymbolicSong:
    """A song as it is known.

    Parameters
    ----------
    performance : its notes in seconds, a part for each track of its file
    timeline : its beats and bars
    chords, key : as annotated; None where nobody has
    n_keys : how many keys are annotated one after the other; 0 where nobody has
    """

    id: str
    corpus: str
    performance: Performance
    timeline: Timeline
    chords: tuple[Chord, ...] | None
    key: Key | None
    n_keys: int = 0
    title: str = ""


def oracle_songs(
    data: Path, folder: Path, *, limit: int | None = None, quick: bool = False
) -> tuple[SongRef, ...]:
    """The songs of `sets/oracle.toml`, by corpus and id.

    Parameters
    ----------
    data : holds the sets as .tar.xz
    folder : they are unpacked there, unless they are there
    limit : only so many of each corpus
    quick : only those that the set names for a quick look

    Raises
    ------
    UsageError : an archive is missing.
    ConfigError : the set's declaration is wrong.
    """
    table = read_table(SETS / "oracle.toml", ConfigError)
    for key in ("kind", "title", "source", "licence", "built"):
        table.string(key)
    chosen: list[SongRef] = []
    for part in table.tables("part"):
        name = part.string("corpus", one_of=corpus_names())
        few = [str(each) for each in part.list("quick", str, "song ids", [])]
        without = [str(each) for each in part.list("without", str, "song ids", [])]
        part.string("known")
        part.finish()
        root = unpacked(data, name, folder)
        songs = [song for song in songs_of(name, root, "test") if song.id not in without]
        chosen += [song for song in songs if not quick or song.id in few][:limit]
    table.finish()
    return tuple(chosen)


def load_song(song: SongRef) -> SymbolicSong:
    """Read a song and what is annotated of it.

    Raises
    ------
    MidiFormatError : its file or its annotation cannot be read.
    TooLittleMusicError : it has no notes, or lasts less than a bar.
    """
    file = read_midi(song.path)
    annotation = song.path.with_name("beat_midi.txt")
    timeline = _annotated_beats(annotation) if annotation.is_file() else file.timeline
    keys = _annotated_keys(song.path.with_name("key_audio.txt"))
    known = SymbolicSong(
        id=song.id,
        corpus=song.corpus,
        performance=file.performance,
        timeline=timeline,
        chords=_annotated_chords(song.path.with_name("chord_midi.txt"), timeline),
        key=max(keys, key=lambda each: each[0])[1] if keys else None,
        n_keys=len(keys),
        title=file.title,
    )
    onsets = [note.onset_s for part in known.performance.parts for note in part.notes]
    if not onsets:
        raise TooLittleMusicError(f"{song.corpus} {song.id} has no notes")
    span_beat = float(known.timeline.beats(known.performance.duration_s) - known.timeline.beats(min(onsets)))
    if span_beat < known.timeline.metres[0][1].beats_per_bar:
        raise TooLittleMusicError(f"{song.corpus} {song.id} is shorter than a bar")
    return known


def score_of(song: SymbolicSong) -> Score:
    """The song as the arranger is given it: its own beats, and everything else as our analysis hears it.

    Raises
    ------
    TooLittleMusicError : there is no bar or no pitch in it.
    """
    return analyse(song.performance, None, timeline=song.timeline)


def _annotated_beats(path: Path) -> Timeline:
    """POP909's beats, a metre for every run of bars of one length; odd first bars count as what leads in.

    Raises
    ------
    MidiFormatError : it is no table of beats, or has no two downbeats.
    """
    try:
        table = np.loadtxt(path, ndmin=2)
        times_s, in_three, in_four = table[:, 0], table[:, 1] == 1, table[:, 2] == 1
        apart = np.diff(np.flatnonzero(in_three))
        is_waltz = 2 * np.count_nonzero(apart == 3) > len(apart)
        downbeats = np.flatnonzero(in_three if is_waltz else in_four)
        lengths = np.diff(downbeats)
        usual = [i for i, length in enumerate(lengths[:_MOST_LEADING_IN]) if length == np.median(lengths)]
        if usual:
            downbeats, lengths = downbeats[usual[0] :], lengths[usual[0] :]
        metres = [
            (float(beat - downbeats[0]), Metre(int(length), 4))
            for i, (beat, length) in enumerate(zip(downbeats[:-1], lengths, strict=True))
            if i == 0 or length != lengths[i - 1]
        ]
        beats = np.arange(len(times_s)) - float(downbeats[0])
        return Timeline(tuple(beats), tuple(map(float, times_s)), tuple(metres), float(beats[-1]))
    except (ValueError, IndexError) as exc:  # the last where there is no downbeat; a Timeline needs a first metre
        raise MidiFormatError(f"{path}: not POP909's table of beats: {exc}") from exc


def _annotated_chords(path: Path, timeline: Timeline) -> tuple[Chord, ...] | None:
    """Chords of lines `start end label`, in beats of the song; None without the file.

    Raises
    ------
    MidiFormatError : a line is no chord.
    """
    if not path.is_file():
        return None
    chords = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fields = line.split()
        try:
            start_s, end_s, label = float(fields[0]), float(fields[1]), fields[2]
            if label == "N":
                continue
            onset, stop = (float(timeline.beats(time_s)) for time_s in (start_s, end_s))
            root, quality, bass = _harte(label)
        except (ValueError, IndexError) as exc:
            raise MidiFormatError(f"{path}, line {number}: not a chord: {line!r}") from exc
        if stop > max(onset, 0.0):
            onset = max(onset, 0.0)
            chords.append(Chord(onset, stop - onset, root, quality, bass))
    return tuple(chords)


def _harte(label: str) -> tuple[int, str, int]:
    """Root, quality and bass of a label such as `Bb:min7/b3`; extensions in brackets do not count.

    Raises
    ------
    ValueError : it is none, or of a quality that POP909 does not have.
    """
    match = _LABEL.match(label)
    if match is None:
        raise ValueError(label)
    step, signs, shorthand, bass_signs, degree = match.groups()
    quality = _QUALITIES.get(shorthand) or _QUALITIES.get(shorthand.partition("(")[0])
    if quality is None or (degree is not None and degree not in _DEGREES):
        raise ValueError(label)
    root = _STEPS[step] + _sharps(signs)
    bass = root + (_DEGREES[degree] + _sharps(bass_signs) if degree is not None else 0)
    return root % 12, quality, bass % 12


def _annotated_keys(path: Path) -> Sequence[tuple[float, Key]]:
    """How long each key lasts in seconds, and the key; none without the file.

    Raises
    ------
    MidiFormatError : a line is no key.
    """
    if not path.is_file():
        return ()
    lasting: dict[tuple[int, str], float] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fields = line.split()
        match = _KEY.match(fields[2]) if len(fields) == 3 else None
        if match is None:
            raise MidiFormatError(f"{path}, line {number}: not a key: {line!r}")
        key = (_STEPS[match[1]] + _sharps(match[2])) % 12, "major" if match[3] == "maj" else "minor"
        lasting[key] = lasting.get(key, 0.0) + float(fields[1]) - float(fields[0])
    return [(duration_s, Key(*key)) for key, duration_s in lasting.items()]


def _sharps(signs: str) -> int:
    return signs.count("#") - signs.count("b")
