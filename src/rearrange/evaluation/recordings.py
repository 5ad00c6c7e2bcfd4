"""Real recordings with whatever annotation they carry: the `recordings` set.

`sets/recordings.toml` says which there are, what each may be used for, and what is known of it. Nothing is read
before it is asked for, and of a long song no more than the excerpt.

Conventions: sound is at SAMPLE_RATE, times are seconds from the start of what `mix` gives. An annotated recording
is heard from its beginning, so that its times hold for an excerpt too. Drum hits are by class, as in
`metrics.DRUM_CLASSES`; percussion that is none of them (a tambourine) is left out.

Limits: MDB's mixtures are dry and mono. Where a song's bass is in its stem `other`, there is no stem `bass`.
Tempo, metre and key are known of very few.

Source: labels of C. Southall et al., "MDB Drums", ISMIR 2017 (late-breaking).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio, read_audio
from rearrange.declared import Table, read_table
from rearrange.errors import AudioFormatError, ConfigError, UsageError
from rearrange.evaluation.corpora import SETS
from rearrange.score import PITCH_CLASSES, Key

__all__ = ["SAMPLE_RATE", "Recording", "recording", "recordings"]

Floats = NDArray[np.float64]

SAMPLE_RATE = 44100
PEAK = 0.98  # of full scale: a sum of stems that is louder is turned down, and the stems with it

_SHARES = ("quick", "cost", "rivals")
_STEMS = ("drums", "bass", "other", "vocals")
_DRUM_LABELS: Mapping[str, tuple[str, ...]] = {
    "kick": ("KD",),
    "snare": ("SD", "SDB", "SDD", "SDF", "SDG", "SDNS", "SST"),
    "hat": ("HH", "CHH", "OHH", "PHH"),
    "tom": ("TT", "HIT", "MHT", "HFT", "LFT"),
    "crash": ("CRC", "CHC", "SPC"),
    "ride": ("RDC", "RDB"),
}
_OTHER_LABELS = ("OT", "TMB")


@dataclass(frozen=True)
class Recording:
    """A recording and what is known of it.

    Parameters
    ----------
    use : what it may be used for; "evaluate only" never trains or tunes what is shipped
    note : what a reader of its figures should know
    is_music : False of what is meant as a bad input
    start_s : where an excerpt begins; 0 of what has beats or hits
    mix_file : None where the mix is the sum of the stems
    tempo_bpm, metre, key : where somebody has said; quarter notes per minute
    """

    name: str
    title: str
    licence: str
    use: str
    note: str
    is_music: bool
    start_s: float
    mix_file: Path | None
    stem_files: Mapping[str, Path]
    beats_file: Path | None
    hits_file: Path | None
    tempo_bpm: float | None
    metre: str | None
    key: Key | None

    def mix(self, *, duration_s: float | None = None) -> Audio:
        """The sound, (1 or 2, n); or an excerpt of at most that length.

        Raises
        ------
        AudioFormatError : a file is missing or cannot be read.
        """
        if self.mix_file is not None:
            return self._part(self.mix_file, duration_s)
        return _sum(list(self._stems(duration_s).values()))

    def stems(self, *, duration_s: float | None = None) -> Mapping[str, Audio] | None:
        """The stems of that mix, all of its length; None where there are none.

        Raises
        ------
        AudioFormatError : a file is missing or cannot be read.
        """
        return self._stems(duration_s) if self.stem_files else None

    @property
    def trains(self) -> bool:
        """Whether a network of ours may have been trained on it."""
        return self.use == "train, evaluate"

    @cached_property
    def beats_s(self) -> Floats | None:
        """Felt beats, (n_beats,); None where nobody has annotated them.

        Raises
        ------
        AudioFormatError : the file is no table of beats.
        """
        return None if self.beats_file is None else _beats(self.beats_file)[:, 0]

    @cached_property
    def downbeats_s(self) -> Floats | None:
        """Beats that are first in their bar; None where nobody has annotated them."""
        if self.beats_file is None:
            return None
        table = _beats(self.beats_file)
        return np.asarray(table[table[:, 1] == 1, 0])

    @cached_property
    def drum_hits(self) -> Mapping[str, Floats] | None:
        """Onsets in seconds by class; None where nobody has annotated them.

        Raises
        ------
        AudioFormatError : the file has a line that is no hit, or a label that MDB does not have.
        """
        return None if self.hits_file is None else _hits(self.hits_file)

    def _part(self, path: Path, duration_s: float | None) -> Audio:
        if duration_s is None:
            return read_audio(path, sample_rate=SAMPLE_RATE)
        audio = read_audio(path, sample_rate=SAMPLE_RATE, until_s=self.start_s + duration_s)
        # What is shorter than the start of its excerpt is heard from its beginning.
        start = round(self.start_s * SAMPLE_RATE) if audio.duration_s > self.start_s + 1.0 else 0
        return Audio(np.ascontiguousarray(audio.samples[:, start:]), SAMPLE_RATE)

    def _stems(self, duration_s: float | None) -> dict[str, Audio]:
        read = {name: self._part(path, duration_s) for name, path in self.stem_files.items()}
        n = max(stem.n_samples for stem in read.values())
        padded = {name: np.pad(stem.samples, ((0, 0), (0, n - stem.n_samples))) for name, stem in read.items()}
        peak = float(np.abs(sum(padded.values())).max()) if self.mix_file is None else 0.0
        gain = np.float32(min(1.0, PEAK / max(peak, 1e-9)))
        return {name: Audio(samples * gain, SAMPLE_RATE) for name, samples in padded.items()}


def recordings(folder: Path, *, share: str = "") -> tuple[Recording, ...]:
    """The declared recordings of which the files are there.

    Parameters
    ----------
    folder : holds the audio, as `sets/recordings.toml` names it
    share : only those that the set names for a quick look, for costs, or for rivals that make sound; else all

    Raises
    ------
    UsageError : none of them is there.
    ConfigError : the declaration is wrong.
    KeyError : there is no such share.
    """
    table = read_table(SETS / "recordings.toml", ConfigError)
    for key in ("kind", "title", "source", "licence", "built"):
        table.string(key)
    shares = {key: [str(name) for name in table.list(key, str, "names", [])] for key in _SHARES}
    every = [_recording(each, folder) for each in table.tables("recording")]
    table.finish()
    found = [each for each in every if all(path.is_file() for path in _files(each))]
    if not found:
        raise UsageError(f"{folder}: none of the test recordings is there", "they are not part of the package")
    return tuple(each for each in found if not share or each.name in shares[share])


def recording(folder: Path, name: str) -> Recording:
    """One of them.

    Raises
    ------
    UsageError : there is none of that name, or its files are missing.
    ConfigError : the declaration is wrong.
    """
    found = {each.name: each for each in recordings(folder)}
    if name not in found:
        raise UsageError(f"{folder}: there is no recording {name}", f"there are {', '.join(found)}")
    return found[name]


def _recording(table: Table, folder: Path) -> Recording:
    files = table.table("stems")
    stems = {name: folder / files.string(name) for name in _STEMS if name in files}
    files.finish()
    mix, beats, hits, metre = (table.string(key, "") for key in ("mix", "beats", "drum_hits", "metre"))
    if not mix and not stems:
        raise table.fail("mix", "there must be a mix or stems")
    found = Recording(
        name=table.string("name"),
        title=table.string("title"),
        licence=table.string("licence"),
        use=table.string("use", one_of=("train, evaluate", "evaluate", "evaluate only", "a bad input")),
        note=table.string("note", ""),
        is_music=table.flag("is_music", True),
        start_s=table.number("start_s", 0.0, low=0, high=3600),
        mix_file=folder / mix if mix else None,
        stem_files=stems,
        beats_file=folder / beats if beats else None,
        hits_file=folder / hits if hits else None,
        tempo_bpm=table.optional_number("tempo_bpm", low=20, high=400),
        metre=metre or None,
        key=table.parsed("key", _key) if "key" in table else None,
    )
    if found.start_s and (beats or hits):
        raise table.fail("start_s", "a recording with beats or hits is heard from its beginning")
    table.finish()
    return found


def _files(each: Recording) -> list[Path]:
    named = (each.mix_file, each.beats_file, each.hits_file, *each.stem_files.values())
    return [path for path in named if path is not None]


def _key(value: object) -> Key:
    tonic, _, mode = str(value).partition(" ")
    if tonic not in PITCH_CLASSES or mode not in ("major", "minor"):
        raise ValueError(f"{value!r} is no key such as 'Eb major'")
    return Key(PITCH_CLASSES.index(tonic), mode)


def _sum(stems: list[Audio]) -> Audio:
    total = stems[0].samples.copy()
    for stem in stems[1:]:
        total += stem.samples
    return Audio(total, SAMPLE_RATE)


def _beats(path: Path) -> Floats:
    """Time and position in the bar, (n_beats, 2)."""
    try:
        table = np.loadtxt(path, ndmin=2)
    except (ValueError, OSError) as exc:
        raise AudioFormatError(f"{path}: not a table of beats: {exc}") from exc
    if table.shape[1] != 2 or not np.all(np.diff(table[:, 0]) > 0):
        raise AudioFormatError(f"{path}: not a table of rising times and of positions in the bar")
    return np.asarray(table, dtype=np.float64)


def _hits(path: Path) -> dict[str, Floats]:
    class_of = {label: name for name, labels in _DRUM_LABELS.items() for label in labels}
    times: dict[str, list[float]] = {name: [] for name in _DRUM_LABELS}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fields = line.split()
        try:
            time_s, label = float(fields[0]), fields[1]
            if label not in _OTHER_LABELS:
                times[class_of[label]].append(time_s)
        except (ValueError, IndexError, KeyError) as exc:
            raise AudioFormatError(f"{path}, line {number}: not a drum hit: {line!r}") from exc
    return {name: np.sort(np.array(onsets, dtype=np.float64)) for name, onsets in times.items()}
