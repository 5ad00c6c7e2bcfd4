"""Training audio on the fly: music that was never recorded, with everything that is known about it.

    studio = Studio(library(data, folder), find_fonts(), read_hits(hits))
    take = make_take(studio, seed=0, index=17)

A take is a scene (`scenes`) played on kits and instruments that are drawn (`kits`, fonts) and mixed as drawn
(`desk`). It follows from seed and index alone: takes may be made in any order and by any number of processes.

Conventions: sound float32 (2, n) at SAMPLE_RATE, SCENE_S long. `stems` (drums, bass, other, vocals) add up to
`dry` exactly; `mix` is that through a medium. Times in seconds from the start. The stem `vocals` is the melody,
sung where the studio has voices, or on some instrument that sings or leads; percussion that is no drum of the
kit sounds in `drums` and is not among `hits`. `Take.notes` are as they sound: a singer's compass may be octaves
away from what the scene has written.

Limits: deterministic on one machine with its fonts and its synthesiser (`players`), and with the same voices and
samples.

    python -m rearrange.training.audio --data FOLDER [--hits FOLDER] [--voices FILE] [--samples FOLDER]

makes takes, says how much audio a second of processor makes, and writes them if it is told where.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.models.mel import SAMPLE_RATE
from rearrange.score import Note, NoteEvent, Part, Role, Timeline, Track, sorted_notes
from rearrange.training.desk import drawn_medium, drawn_treatment
from rearrange.training.fonts import FontUse, HitKit, find_fonts, read_hits
from rearrange.training.kits import Drumming, Kit, drum_on, font_kit, recorded_kit
from rearrange.training.players import play_track
from rearrange.training.samples import Instrument, Played, play_samples, read_instruments
from rearrange.training.scene_excerpts import at_speed
from rearrange.training.scene_kinds import make_scene
from rearrange.training.scenes import SCENE_S, Library, Scene, library
from rearrange.training.speed import AS_MADE, drawn_speed
from rearrange.training.vocals import sung
from rearrange.training.voices import Voice, read_voices

__all__ = ["STEMS", "Studio", "Take", "main", "make_take", "take_of"]

Floats = NDArray[np.float32]

STEMS = ("drums", "bass", "other", "vocals")
# Usual levels in a mix, and programs that play a stem where its own is not kept.
_LEVELS_DB: Mapping[str, float] = {"drums": 0.0, "bass": -2.0, "other": -2.0, "vocals": -1.0}
_PROGRAMS: Mapping[str, tuple[int, ...]] = {
    "bass": (32, 33, 34, 35, 36, 37, 38, 39, 43, 58, 87),
    "other": (*range(8), *range(16, 32), *range(40, 56), *range(61, 64), *range(80, 96), 104, 105),
    "vocals": (52, 53, 54, 56, 59, 64, 65, 66, 68, 71, 73, 75, 78, 80, 81, 85, 22, 40, 26, 30),
}
_OWN_PROGRAM_SHARE = 0.4
_PART_DB = 3.0  # deviation of the level of each part within its stem
_SUNG_SHARE, _SAMPLED_SHARE = 0.6, 0.25  # of melodies; of the parts that are not sung
_RECORDED_SHARE = 0.15  # of takes whose kit is of recorded hits
_VARISPEED_SHARE = 0.3  # of takes whose drums are played faster and slowed down, or the other way
_VARISPEED = 0.12


@dataclass(frozen=True, eq=False)
class Studio:
    """What takes are made with; singers and recorded instruments where there are some."""

    songs: Library
    fonts: tuple[FontUse, ...]
    hits: tuple[HitKit, ...] = ()
    voices: tuple[Voice, ...] = ()
    instruments: tuple[Instrument, ...] = ()


@dataclass(frozen=True, eq=False)
class Take:
    """Sound and what is known of it; see the module.

    Parameters
    ----------
    notes : stem to what was played in it; those of drums are `hits`
    hits : strokes of the classes of `models.drums`, with the pitch that stands for the class
    is_sung : whether a voice has the melody
    """

    scene: Scene
    kit: str
    mix: Floats
    stems: Mapping[str, Floats]
    notes: Mapping[str, tuple[NoteEvent, ...]]
    hits: tuple[NoteEvent, ...]
    is_sung: bool = False

    @property
    def dry(self) -> Floats:
        return np.asarray(sum(self.stems.values()), dtype=np.float32)


def make_take(studio: Studio, *, seed: int, index: int, kind: str | None = None) -> Take:
    """The take of a seed and an index.

    Parameters
    ----------
    kind : of scene, where it is not to be drawn

    Raises
    ------
    UsageError : the library has no song for it.
    SoundfontError, DependencyError : what plays it is not there.
    """
    rng = np.random.default_rng([seed, index])
    return take_of(studio, make_scene(studio.songs, rng, kind=kind), rng)


def take_of(studio: Studio, scene: Scene, rng: np.random.Generator) -> Take:
    """A scene, played and mixed as drawn."""
    kit = _drawn_kit(studio, rng)
    strokes = [note for part in scene.parts if part.is_drum for note in part.notes]
    drumming = _at_some_speed(kit, strokes, rng)
    raw: dict[str, Floats] = {"drums": drumming.samples}
    notes: dict[str, list[NoteEvent]] = {stem: [] for stem in STEMS}
    bands = [font for font in studio.fonts if font.band]
    is_sung = False
    for part in scene.parts:
        if part.is_drum:
            continue
        stem = _stem_of(part)
        played = _sung(studio, scene, part, rng)
        is_sung = is_sung or played is not None
        if played is None:
            played = _sampled(studio, part, stem, rng)
        if played is None:
            font = bands[int(rng.integers(len(bands)))]
            own = part.program is not None and rng.random() < _OWN_PROGRAM_SHARE
            program = part.program if own and part.program is not None else int(rng.choice(_PROGRAMS[stem]))
            played = Played(_rendered(part, program, font), part.notes)
        sound = played.samples * np.float32(10 ** (rng.normal(0.0, _PART_DB) / 20))
        raw[stem] = raw[stem] + sound if stem in raw else sound
        notes[stem] += played.notes
    stems = {}
    for stem in STEMS:
        treatment = drawn_treatment(rng, level_db=_LEVELS_DB[stem], is_drums=stem == "drums")
        stems[stem] = treatment.of(raw[stem]) if stem in raw else np.zeros_like(raw["drums"])
    ordered = {
        stem: tuple(sorted(each, key=lambda n: (n.onset_s, n.pitch))) for stem, each in notes.items() if each
    }
    speed = drawn_speed(rng)
    hits = drumming.hits
    if speed != AS_MADE:
        scene = at_speed(scene, speed.tempo, speed.semitones)
        stems = {stem: speed.of(sound) for stem, sound in stems.items()}
        ordered = {stem: speed.of_notes(each) for stem, each in ordered.items()}
        hits = speed.of_notes(hits, are_drums=True)
    dry: Floats = np.asarray(sum(stems.values()), dtype=np.float32)
    return Take(scene, kit.name, drawn_medium(rng).of(dry), stems, ordered, hits, is_sung)


def _drawn_kit(studio: Studio, rng: np.random.Generator) -> Kit:
    if studio.hits and rng.random() < _RECORDED_SHARE:
        return recorded_kit(studio.hits, rng)
    # Every other kit is one of a font that was made for drums, where there is one: those were recorded for it.
    special = [font for font in studio.fonts if not font.band]
    general = [font for font in studio.fonts if font.band]
    among = special if special and rng.random() < 0.4 else general
    font = among[int(rng.integers(len(among)))]
    return font_kit(font, int(rng.choice(font.kits)))


def _at_some_speed(kit: Kit, strokes: Sequence[NoteEvent], rng: np.random.Generator) -> Drumming:
    """Drumming, now and then played at another speed than it is heard at: higher or lower, all of it."""
    strokes = sorted(strokes, key=lambda hit: (hit.onset_s, hit.pitch))
    if rng.random() >= _VARISPEED_SHARE:
        return drum_on(kit, strokes, rng, duration_s=SCENE_S)
    import soxr

    speed = float(np.exp(rng.uniform(-_VARISPEED, _VARISPEED)))  # above 1: played slower, heard higher
    at = [(hit, NoteEvent(hit.onset_s * speed, hit.duration_s, hit.pitch, hit.velocity)) for hit in strokes]
    played = drum_on(kit, [moved for _, moved in at], rng, duration_s=SCENE_S * speed)
    sound = soxr.resample(played.samples.T, SAMPLE_RATE * speed, SAMPLE_RATE).T
    n_samples = round(SCENE_S * SAMPLE_RATE)
    samples = np.pad(sound[:, :n_samples], ((0, 0), (0, max(n_samples - sound.shape[1], 0))))
    hits = tuple(NoteEvent(hit.onset_s / speed, hit.duration_s, hit.pitch, hit.velocity) for hit in played.hits)
    return Drumming(np.ascontiguousarray(samples, dtype=np.float32), hits)


def _stem_of(part: Part) -> str:
    if part.role is Role.BASS or (part.role is None and part.program is not None and 32 <= part.program < 40):
        return "bass"
    return "vocals" if part.role is Role.MELODY else "other"


def _sung(studio: Studio, scene: Scene, part: Part, rng: np.random.Generator) -> Played | None:
    """A melody sung, now and then; None where an instrument is to play."""
    if part.role is not Role.MELODY or not studio.voices or rng.random() >= _SUNG_SHARE:
        return None
    chords = [note for other in scene.parts if other is not part and not other.is_drum for note in other.notes]
    return sung(studio.voices, part.notes, rng, duration_s=SCENE_S, chords=chords)


def _sampled(studio: Studio, part: Part, stem: str, rng: np.random.Generator) -> Played | None:
    """A part played on recorded notes, now and then; None where a font is to play it."""
    fit = [each for each in studio.instruments if stem in each.plays]
    if not fit or rng.random() >= _SAMPLED_SHARE:
        return None
    return play_samples(fit[int(rng.integers(len(fit)))], part.notes, rng, duration_s=SCENE_S)


def _rendered(part: Part, program: int, font: FontUse) -> Floats:
    notes = [Note(n.onset_s, n.duration_s, n.pitch, n.velocity) for n in part.notes]
    track = Track(part.name, part.role or Role.CHORDS, program, False, sorted_notes(notes))
    seconds = Timeline.constant(60.0, end_beat=SCENE_S)  # a beat of this timeline is a second
    return play_track(track, seconds, soundfont=font.path, duration_s=SCENE_S)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make takes and say how fast that goes.

    Raises
    ------
    RearrangeError : an archive, a font, a synthesiser or a recording is missing.
    """
    parser = argparse.ArgumentParser(description="Training audio: make some, and time it.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets as .tar.xz")
    parser.add_argument("--cache", type=Path, default=Path("out/sets"), help="where they are unpacked")
    parser.add_argument("--hits", type=Path, help="the folder of recorded drum hits")
    parser.add_argument("--voices", type=Path, help="the file that training.voices makes")
    parser.add_argument("--samples", type=Path, help="the folder of recorded instruments")
    parser.add_argument("--takes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--use", choices=("train", "unseen"), default="train", help="of which fonts")
    parser.add_argument("--listen", type=Path, help="write the mixes here, as WAV")
    options = parser.parse_args(arguments)
    from rearrange.audio import Audio, write_audio

    hits = read_hits(options.hits) if options.hits else ()
    voices = read_voices(options.voices) if options.voices else ()
    instruments = read_instruments(options.samples) if options.samples else ()
    songs = library(options.data, options.cache)
    studio = Studio(songs, find_fonts(options.use), hits, voices, instruments)
    started_s = time.process_time()
    for index in range(options.takes):
        take = make_take(studio, seed=options.seed, index=index)
        print(f"{index:4d} {take.scene.kind:9} {take.kit:28} {len(take.hits):4d} hits  {take.scene.songs[0]}")
        if options.listen is not None:
            options.listen.mkdir(parents=True, exist_ok=True)
            samples = take.mix * np.float32(0.7 / max(float(np.abs(take.mix).max()), 1e-6))
            write_audio(options.listen / f"{index:04d}.wav", Audio(samples, SAMPLE_RATE))
    spent_s = time.process_time() - started_s
    print(f"{options.takes * SCENE_S / max(spent_s, 1e-9):.1f} s of audio for a second of processor")
    return 0


if __name__ == "__main__":
    from rearrange.training.start import start

    sys.exit(start(main))
