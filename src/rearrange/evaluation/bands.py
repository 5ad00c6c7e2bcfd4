"""Test songs as sound of which everything is known: the `bands` set, played by FluidSynth.

A band has a mix, its stems, and the truth about both: notes and hits, beats and bars, chords, key.
`sets/bands.toml` says which songs, fonts and conditions there are. Conditions are applied to the mix alone: stems
stay dry, and add up to the dry mix.

Conventions: stems are drums, bass, vocals (the instrument that has the melody) and other; one that does not play
in the excerpt is silent. The same specification gives the same samples.

Limits: no controllers, no bends, no singing; see also `band_songs`.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio
from rearrange.declared import Table, read_table
from rearrange.errors import ConfigError
from rearrange.evaluation.band_songs import STEMS, band_song, inner_bars
from rearrange.evaluation.conditions import PEAK, Condition, read_conditions
from rearrange.evaluation.corpora import SETS, SongRef, corpus_names, songs_of, unpacked
from rearrange.evaluation.measure import NotMeasurable
from rearrange.genre import genre_names
from rearrange.pipeline.excerpt import excerpt
from rearrange.score import Arrangement, Chord, Key, NoteEvent, Part, Performance, Section, Timeline, Track
from rearrange.synth.fluidsynth import render_track
from rearrange.synth.levels import LevelMeter
from rearrange.synth.soundfonts import find_soundfonts, known_soundfonts

__all__ = ["STEMS", "Band", "BandSpec", "band_specs", "render_band", "rounds"]

Floats = NDArray[np.float64]

SAMPLE_RATE = 44100
TRACK_LUFS = (
    -20.0
)  # files hold their balance in controllers, which are not read: tracks of a stem are equally loud
_WINDOW = round(0.4 * SAMPLE_RATE)  # what LevelMeter takes of a block
_TAIL_S = 1.0  # what still rings after the last bar


@dataclass(frozen=True, slots=True)
class BandSpec:
    """Which song is played how: by which font, under which condition, arranged in which genre ("": as it is).

    `levels_lufs` has the loudness of each of STEMS, and that of the mix last. `is_unseen` of a font that no
    network of ours was trained with.
    """

    name: str
    song: SongRef
    font: str
    condition: Condition
    genre: str
    excerpt_s: float
    levels_lufs: tuple[float, ...]
    is_unseen: bool = False


@dataclass(frozen=True)
class Band:
    """A band as sound and as truth, in seconds of the excerpt.

    Parameters
    ----------
    mix : under its condition
    stems : of the dry mix, by name of STEMS
    performance : the notes, a part for each stem that plays
    timeline : the excerpt's beats; `beats_s` and `downbeats_s` are its felt beats and bar lines
    chords, sections : in beats of `timeline`; sections are None where nobody knows
    known : says of chords, key and sections how they are known
    """

    name: str
    mix: Audio
    stems: Mapping[str, Audio]
    performance: Performance
    timeline: Timeline
    beats_s: Floats
    downbeats_s: Floats
    chords: tuple[Chord, ...]
    key: Key
    sections: tuple[Section, ...] | None
    known: Mapping[str, str]


def band_specs(data: Path, folder: Path, *, quick: bool = False) -> tuple[BandSpec, ...]:
    """Every song with every font, in rounds: the first specifications differ in song, font and condition.

    Parameters
    ----------
    data : holds the sets as .tar.xz
    folder : they are unpacked there, unless they are there
    quick : a few short ones

    Raises
    ------
    UsageError : an archive is missing.
    ConfigError : the declaration is wrong, or names a song that is not in the test share.
    """
    table = read_table(SETS / "bands.toml", ConfigError)
    for key in ("kind", "title", "source", "licence", "built"):
        table.string(key)
    fonts = [str(font) for font in table.list("fonts", str, "names of sound fonts")]
    unseen = {str(font) for font in table.list("unseen_fonts", str, "names of sound fonts")}
    conditions = read_conditions(table)
    levels = tuple(table.number(f"{name}_lufs", low=-60, high=0) for name in (*STEMS, "mix"))
    long_s, quick_s = (table.number(key, low=1, high=600) for key in ("excerpt_s", "quick_s"))
    n_quick = int(table.number("quick_bands", low=1, high=100))
    parts = [_songs(part, data, folder) for part in table.tables("part")]
    table.finish()
    songs = [part[i] for i in range(max(map(len, parts))) for part in parts if i < len(part)]
    lasts_s = quick_s if quick else long_s
    specs = []
    for i, font, which in rounds(len(songs), len(parts), len(fonts), len(conditions)):
        (song, genre), condition = songs[i], conditions[which]
        name = f"{song.corpus} {song.id}, {fonts[font]}, {condition.name}"
        specs.append(BandSpec(name, song, fonts[font], condition, genre, lasts_s, levels, fonts[font] in unseen))
    return tuple(specs[:n_quick] if quick else specs)


def rounds(n_songs: int, n_corpora: int, n_fonts: int, n_conditions: int) -> Iterator[tuple[int, int, int]]:
    """Song, font and condition of each band: every song with every font, conditions going round.

    Songs of the corpora take turns. The steps were found by trying all: with the set's own numbers every condition
    is met equally often by either corpus, and by every font, so that none of them stands for another.
    """
    for turn in range(n_fonts):
        for song in range(n_songs):
            step = song // n_corpora + 3 * (song % n_corpora) + 2 * turn
            yield song, (song + turn) % n_fonts, step % n_conditions


def render_band(spec: BandSpec) -> Band:
    """Play a band and tell the truth about it.

    Raises
    ------
    NotMeasurable : the font is not installed, or nothing sounds in the excerpt.
    RearrangeError : the song cannot be read or arranged, or FluidSynth is missing.
    """
    font = next((font.path for font in find_soundfonts() if font.name == spec.font), None)
    if font is None:
        package = next((known.package for known in known_soundfonts() if known.name == spec.font), "unknown")
        raise NotMeasurable(f"the sound font {spec.font} is not installed ({package})")
    whole = band_song(spec.song, spec.genre)
    bars = inner_bars(whole.arrangement.timeline, spec.excerpt_s, tune_beat=whole.tune_beat)
    part = excerpt(whole.arrangement, bars)
    if not any(track.notes for track in part.tracks):
        raise NotMeasurable("nothing sounds in the excerpt")
    stems = _stems(part, whole.stem_of, font, spec.levels_lufs)
    dry = Audio(sum((stem.samples for stem in stems.values()), np.zeros_like(stems["drums"].samples)), SAMPLE_RATE)
    timeline = part.timeline
    metre = timeline.metres[0][1]
    felt = 1.5 if metre.denominator == 8 and metre.numerator % 3 == 0 else 1.0
    return Band(
        name=spec.name,
        mix=spec.condition.applied(dry, seed=zlib.crc32(spec.name.encode())),
        stems=stems,
        performance=_performance(part, whole.stem_of, dry.duration_s),
        timeline=timeline,
        beats_s=_seconds(timeline, np.arange(0.0, timeline.end_beat - 1e-6, felt)),
        downbeats_s=_seconds(timeline, np.array([bar.onset_beat for bar in timeline.bars])),
        chords=part.chords,
        key=part.key,
        sections=part.sections if whole.has_form else None,
        known=whole.known,
    )


def _songs(part: Table, data: Path, folder: Path) -> list[tuple[SongRef, str]]:
    """The songs of one corpus, each with the genre that it is arranged in, which are spread over all genres."""
    name = part.string("corpus", one_of=corpus_names())
    is_arranged = part.string("kind", one_of=("banded", "arranged")) == "arranged"
    known = {song.id: song for song in songs_of(name, unpacked(data, name, folder), "test")}
    wanted = [str(each) for each in part.list("songs", str, "song ids")]
    genres = genre_names()
    out = []
    for i, song in enumerate(wanted):
        if song not in known:
            raise part.fail("songs", f"{song} is no test song of {name}", item=i)
        out.append((known[song], genres[(2 * i + 1) * len(genres) // (2 * len(wanted))] if is_arranged else ""))
    part.finish()
    return out


def _stems(
    part: Arrangement, stem_of: Mapping[str, str], font: Path, levels_lufs: tuple[float, ...]
) -> dict[str, Audio]:
    """Every stem at its loudness, all brought together to that of the mix; never above PEAK."""
    duration_s = float(part.timeline.seconds(part.timeline.end_beat)) + _TAIL_S
    n_samples = round(duration_s * SAMPLE_RATE)
    sums = {name: np.zeros((2, n_samples), dtype=np.float32) for name in STEMS}
    for track in part.tracks:
        if track.notes:
            blocks = render_track(
                track, part.timeline, soundfont=font, sample_rate=SAMPLE_RATE, duration_s=duration_s
            )
            samples = np.concatenate(list(blocks), axis=1)[:, :n_samples]
            sums[stem_of[track.name]] += samples * _gain_to(TRACK_LUFS, samples)
    for name, level_lufs in zip(STEMS, levels_lufs, strict=False):
        sums[name] *= _gain_to(level_lufs, sums[name])
    mix: NDArray[np.float32] = np.sum(list(sums.values()), axis=0)
    peak = max(float(np.abs(mix).max()), 1e-9)
    gain = np.float32(min(_gain_to(levels_lufs[-1], mix), PEAK / peak))
    return {name: Audio(samples * gain, SAMPLE_RATE) for name, samples in sums.items()}


def _gain_to(level_lufs: float, samples: NDArray[np.float32]) -> float:
    """What brings a sound to a loudness while it sounds; 1 for silence."""
    meter = LevelMeter(SAMPLE_RATE)
    for start in range(0, samples.shape[1], _WINDOW):
        meter.add(samples[:, start : start + _WINDOW])
    return 10.0 ** ((level_lufs - meter.lufs) / 20) if np.isfinite(meter.lufs) else 1.0


def _performance(part: Arrangement, stem_of: Mapping[str, str], duration_s: float) -> Performance:
    """The true notes in seconds, joined by stem."""
    parts = []
    for name in STEMS:
        tracks = [track for track in part.tracks if stem_of[track.name] == name and track.notes]
        notes = sorted(
            (note for track in tracks for note in _events(track, part.timeline)),
            key=lambda note: (note.onset_s, note.pitch),
        )
        if notes:
            program = None if name == "drums" else tracks[0].program
            parts.append(Part(name, tuple(notes), is_drum=name == "drums", program=program))
    return Performance(tuple(parts), duration_s)


def _events(track: Track, timeline: Timeline) -> list[NoteEvent]:
    onsets = np.array([note.onset_beat for note in track.notes])
    starts_s = _seconds(timeline, onsets)
    ends_s = _seconds(timeline, onsets + np.array([note.duration_beat for note in track.notes]))
    return [
        NoteEvent(float(start), float(end - start), note.pitch, note.velocity)
        for note, start, end in zip(track.notes, starts_s, ends_s, strict=True)
    ]


def _seconds(timeline: Timeline, beats: Floats) -> Floats:
    return np.asarray(timeline.seconds(beats), dtype=np.float64)
