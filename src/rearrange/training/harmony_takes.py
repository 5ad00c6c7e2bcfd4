"""What harmony is learnt from: chroma of beats with their chords, of songs as notes and of takes as sound.

Songs are POP909's, with their annotated chords and key; takes are those of `training.audio` whose chords are
known: bands under POP909's chords, our own patterns, and drums alone, which have none. Of a take there are the
sound, the true notes, the notes as a poor transcription has them, and those that our own ears make of it. Noise
has no chords either.

Conventions: a state is that of `analysis.progressions`; -1 where nobody knows, or where less than half of a beat
has a chord. Colours beyond QUALITIES count as their triad or seventh. Examples are kept as .npz.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.chroma import BeatChroma, beat_chroma, log_spectrogram, note_chroma, note_pitch_frames
from rearrange.analysis.progressions import NO_CHORD, QUALITIES
from rearrange.audio import Audio, resample
from rearrange.evaluation.songs import SongRef, load_song
from rearrange.models.harmony import Spans
from rearrange.models.mel import SAMPLE_RATE
from rearrange.score import Chord, Key, NoteEvent, Part
from rearrange.stages.analyse import ANALYSIS_RATE_HZ
from rearrange.stages.separate import separate
from rearrange.stages.transcribe import TranscribeSettings, transcribe
from rearrange.training.audio import Studio, make_take
from rearrange.training.excerpts import Excerpt, misheard

__all__ = [
    "Example",
    "noise_example",
    "paired",
    "read_example",
    "song_example",
    "states_of",
    "take_example",
    "views",
    "write_example",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NOISE_S = 20.0
_MOST_UNKNOWN = 0.5  # of a beat
_COLOURS = {
    "6": "maj", "69": "maj", "add9": "maj", "min6": "min", "minadd9": "min", "9": "7", "13": "7", "maj9": "maj7",
    "min9": "min7", "min11": "min7", "7sus4": "sus4", "dim7": "dim",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Example:
    """A song or a take, beat by beat.

    Parameters
    ----------
    songs : what it was made from, by corpus and id
    kind : midi, noise, or that of the scene
    sound : None where there is none
    notes : as they are (`true`), `misheard` and `heard`, as far as there are any
    states, bass : (n_beats,), -1 where unknown
    """

    songs: tuple[str, ...]
    kind: str
    sound: BeatChroma | None
    notes: Mapping[str, BeatChroma]
    downbeats: NDArray[np.bool_]
    states: Ints
    bass: Ints
    key: Key | None


def song_example(song: SongRef, seed: int) -> Example:
    """A song as notes, its beats and bars as annotated.

    Raises
    ------
    MidiFormatError, TooLittleMusicError : it cannot be read, or is too short.
    """
    known = load_song(song)
    beats = np.arange(0.0, known.timeline.end_beat + 0.5)
    borders_s = known.timeline.seconds(beats)
    starts = {round(bar.onset_beat, 3) for bar in known.timeline.bars}
    states, bass = states_of(known.chords or (), len(beats) - 1)
    return Example(
        songs=(f"{song.corpus}/{song.id}",),
        kind="midi",
        sound=None,
        notes=_true_and_misheard(known.performance.parts, borders_s, random.Random(f"{seed} {song.id}")),
        downbeats=np.array([round(float(beat), 3) in starts for beat in beats[:-1]]),
        states=states,
        bass=bass,
        key=known.key if known.n_keys == 1 else None,
    )


def take_example(studio: Studio, *, seed: int, index: int, transcribed: bool) -> Example | None:
    """A take as sound and notes; None if its chords are not known.

    Parameters
    ----------
    transcribed : whether it goes through our own separation and transcription as well
    """
    take = make_take(studio, seed=seed, index=index)
    scene = take.scene
    if scene.chords is None:
        return None
    borders_s = np.append(scene.beats_s, scene.beats_s[-1] + np.median(np.diff(scene.beats_s)))
    mix = Audio(take.mix, SAMPLE_RATE)
    samples = resample(mix.mono(), ANALYSIS_RATE_HZ).samples[0]
    notes = dict(_true_and_misheard(scene.parts, borders_s, random.Random(f"{seed} {index}")))
    if transcribed:
        heard = transcribe(separate(mix), TranscribeSettings())
        notes["heard"] = _chroma(heard.parts, borders_s)
    states, bass = states_of(scene.chords, len(scene.beats_s))
    return Example(
        songs=scene.songs,
        kind=scene.kind,
        sound=beat_chroma(log_spectrogram(samples, ANALYSIS_RATE_HZ), borders_s),
        notes=notes,
        downbeats=scene.positions == 0,
        states=states,
        bass=bass,
        key=scene.key,
    )


def noise_example(rng: np.random.Generator) -> Example:
    """White to brown noise, in which nothing is a chord."""
    n_samples = round(_NOISE_S * ANALYSIS_RATE_HZ)
    spectrum = np.fft.rfft(rng.normal(size=n_samples))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** rng.uniform(0.0, 1.0)
    samples = np.fft.irfft(spectrum, n_samples)
    borders_s = np.arange(0.0, _NOISE_S, rng.uniform(0.35, 0.8))
    n_beats = len(borders_s) - 1
    return Example(
        songs=(),
        kind="noise",
        sound=beat_chroma(log_spectrogram(samples / np.abs(samples).max(), ANALYSIS_RATE_HZ), borders_s),
        notes={},
        downbeats=np.arange(n_beats) % 4 == 0,
        states=np.full(n_beats, NO_CHORD),
        bass=np.full(n_beats, -1),
        key=None,
    )


def states_of(chords: Sequence[Chord], n_beats: int) -> tuple[Ints, Ints]:
    """State and bass of each beat, (n_beats,) each: those of the chord that has most of it."""
    states, bass, most = np.full(n_beats, NO_CHORD), np.full(n_beats, -1), np.zeros(n_beats)
    for chord in chords:
        quality = _COLOURS.get(chord.quality, chord.quality)
        known = quality in QUALITIES
        for beat in range(max(int(chord.onset_beat), 0), min(int(np.ceil(chord.end_beat)), n_beats)):
            share = min(chord.end_beat, beat + 1) - max(chord.onset_beat, beat)
            if share > most[beat] + 1e-6:
                most[beat] = share
                states[beat] = chord.root * len(QUALITIES) + QUALITIES.index(quality) if known else -1
                bass[beat] = chord.bass if known else -1
    unknown = (most > 1e-6) & (most < _MOST_UNKNOWN)
    states[unknown] = bass[unknown] = -1
    return states, bass


def views(example: Example) -> Iterator[tuple[str, Spans]]:
    """What may be heard of an example: sound with each of its notes, sound alone, notes alone."""
    if example.sound is not None:
        yield "sound", Spans(example.sound, None, example.downbeats)
        for name, notes in example.notes.items():
            if name != "true" or "heard" not in example.notes:
                yield f"sound and {name}", Spans(example.sound, notes, example.downbeats)
    for name, notes in example.notes.items():
        if example.sound is None or name != "misheard":
            yield name, Spans(None, notes, example.downbeats)


def paired(spans: Spans, states: Ints, bass: Ints, first: int) -> tuple[Spans, Ints, Ints]:
    """Two beats as one, as a tempo heard at half its rate has them; unknown where they have different chords."""
    stop = first + 2 * ((len(states) - first) // 2)

    def joined(chroma: BeatChroma | None) -> BeatChroma | None:
        if chroma is None:
            return None
        return BeatChroma(
            *((part[first:stop:2] + part[first + 1 : stop : 2]) / 2 for part in (chroma.treble, chroma.bass))
        )

    one, other = states[first:stop:2], states[first + 1 : stop : 2]
    downbeats = spans.downbeats[first:stop:2] | spans.downbeats[first + 1 : stop : 2]
    same = one == other
    return (
        Spans(joined(spans.sound), joined(spans.notes), downbeats),
        np.where(same, one, -1),
        np.where(same, bass[first:stop:2], -1),
    )


def write_example(path: Path, example: Example) -> None:
    """Write an example as .npz, under a temporary name first."""
    key = (example.key.tonic, int(example.key.mode == "minor")) if example.key else (-1, -1)
    chroma = {"sound": example.sound} if example.sound is not None else {}
    arrays = {
        f"{name}.{part}": getattr(each, part)
        for name, each in {**chroma, **example.notes}.items()
        for part in ("treble", "bass")
    }
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            songs=np.array(example.songs, dtype=np.str_),
            kind=np.array(example.kind),
            downbeats=example.downbeats,
            states=example.states,
            bass_of_chord=example.bass,
            key=np.array(key),
            **arrays,
        )
    partial.replace(path)


def read_example(path: Path) -> Example:
    """Read what `write_example` wrote."""
    with np.load(path) as file:
        names = [name.removesuffix(".treble") for name in file.files if name.endswith(".treble")]
        chroma = {name: BeatChroma(file[f"{name}.treble"], file[f"{name}.bass"]) for name in names}
        tonic, minor = (int(each) for each in file["key"])
        return Example(
            songs=tuple(str(song) for song in file["songs"]),
            kind=str(file["kind"]),
            sound=chroma.pop("sound", None),
            notes=chroma,
            downbeats=file["downbeats"],
            states=file["states"],
            bass=file["bass_of_chord"],
            key=None if tonic < 0 else Key(tonic, "minor" if minor else "major"),
        )


def _true_and_misheard(parts: Sequence[Part], borders_s: Floats, rng: random.Random) -> Mapping[str, BeatChroma]:
    whole = Excerpt("", "", "", tuple(parts), borders_s, np.zeros(len(borders_s), dtype=np.int64), 4)
    return {"true": _chroma(parts, borders_s), "misheard": _chroma(misheard(whole, rng).parts, borders_s)}


def _chroma(parts: Sequence[Part], borders_s: Floats) -> BeatChroma:
    notes: list[NoteEvent] = [note for part in parts if not part.is_drum for note in part.notes]
    return note_chroma(note_pitch_frames(notes, float(borders_s[-1]) + 1.0), borders_s)
