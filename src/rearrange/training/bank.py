"""A bank of takes: training audio that is made once and kept, for all that learns from sound.

    for path in banked(studio, Path("out/bank"), seed=0, count=500, jobs=2):
        take = read_banked(path)

Each take is one file: its stems and mix as 16-bit samples at a common gain, what is played, and where the beats
are. Takes are those of `audio.make_take`; one whose songs may no longer be used is made anew. A take costs some
18 MB and a second of one core.

    python -m rearrange.training.bank --data FOLDER [--hits FOLDER] --bank FOLDER [--takes 500] [--jobs 2]
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.score import NoteEvent
from rearrange.training.audio import STEMS, Studio, Take, make_take
from rearrange.training.fonts import find_fonts, read_hits
from rearrange.training.samples import read_instruments
from rearrange.training.scenes import library
from rearrange.training.voices import make_voices, read_voices

__all__ = ["SHARE_SEEDS", "BankedTake", "banked", "main", "read_banked", "studio_of", "whole_studio"]

Floats = NDArray[np.float32]

_FULL_SCALE = 32_000.0
# What a bank is made of: whose songs, which fonts, and the seed of its takes. Only `train` trains; thresholds
# are set on `tuning`; `unseen` has a font that nothing was trained on.
SHARE_SEEDS: Mapping[str, tuple[str, str, int]] = {
    "train": ("training", "train", 0),
    "tuning": ("validation", "train", 1_000_001),
    "unseen": ("validation", "unseen", 1_000_002),
}


@dataclass(frozen=True, eq=False)
class BankedTake:
    """A take out of a bank.

    Parameters
    ----------
    mix : float32 (2, n_samples), through a medium; the stems are not, and add up to what went into it
    stems : name of STEMS to float32 (2, n_samples)
    notes : stem to its notes; those of drums are `hits`
    beats_s, positions : (n_beats,) felt beats, and each one's place in its bar, 0 for a downbeat
    kind : of scene
    is_sung : whether a voice has the melody
    songs : what it was made from, by corpus and id
    """

    mix: Floats
    stems: Mapping[str, Floats]
    notes: Mapping[str, tuple[NoteEvent, ...]]
    hits: tuple[NoteEvent, ...]
    beats_s: NDArray[np.float64]
    positions: NDArray[np.int64]
    beats_per_bar: int
    kind: str
    is_sung: bool
    songs: tuple[str, ...]


def studio_of(
    share: str,
    data: Path,
    folder: Path,
    hits: Path | None = None,
    *,
    voices: Path | None = None,
    samples: Path | None = None,
    written: bool = False,
) -> Studio:
    """What the takes of a share of SHARE_SEEDS are made with.

    Parameters
    ----------
    hits, samples : folders of recordings; none play in `unseen`, which is to be of sounds that do not train
    voices : the file of `training.voices`
    written : whether written music is among the songs

    Raises
    ------
    UsageError : an archive or every font is missing.
    """
    songs, fonts, _ = SHARE_SEEDS[share]
    trains = share != "unseen"
    kits = read_hits(hits) if hits is not None and trains else ()
    instruments = read_instruments(samples) if samples is not None and trains else ()
    singers = read_voices(voices) if voices is not None else ()
    return Studio(library(data, folder, songs, written=written), find_fonts(fonts), kits, singers, instruments)


def whole_studio(share: str, data: Path, folder: Path, voices: Path) -> Studio:
    """What takes of a share are made with, of all that is in `data`: symbolic/, samples/, and voices.

    Parameters
    ----------
    voices : the file of `training.voices`; made where it is missing

    Raises
    ------
    As `studio_of` and `make_voices`.
    """
    if not voices.is_file():
        make_voices(voices)
    samples = data / "samples"
    hits = samples / "drum_hits"
    return studio_of(
        share,
        data / "symbolic",
        folder,
        hits if hits.is_dir() else None,
        voices=voices,
        samples=samples if samples.is_dir() else None,
        written=True,
    )


def banked(studio: Studio, folder: Path, *, seed: int, count: int, jobs: int = 1) -> Iterator[Path]:
    """The files of takes 0 to `count` of a seed, in order, made by `jobs` processes where they are missing.

    Raises
    ------
    As `make_take`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{seed}-{index:05d}.npz" for index in range(count)]
    missing = [index for index, path in enumerate(paths) if not _is_good(path, studio)]
    if jobs > 1 and len(missing) > 1:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            for made in [pool.submit(_make, studio, paths[index], seed, index) for index in missing]:
                made.result()
    else:
        for index in missing:
            _make(studio, paths[index], seed, index)
    yield from paths


def read_banked(path: Path) -> BankedTake:
    """Read a take of a bank."""
    with np.load(path) as file:
        scale = np.float32(file["scale"])
        stems = {name: file["stems"][i].astype(np.float32) * scale for i, name in enumerate(STEMS)}
        listed = file["notes"]
        each = {
            name: tuple(_note(row) for row in listed if int(row[0]) == i)
            for i, name in enumerate((*STEMS, "hits"))
        }
        return BankedTake(
            mix=file["mix"].astype(np.float32) * scale,
            stems=stems,
            notes={name: each[name] for name in STEMS if each[name]},
            hits=each["hits"],
            beats_s=file["beats_s"],
            positions=file["positions"],
            beats_per_bar=int(file["beats_per_bar"]),
            kind=str(file["kind"]),
            is_sung=bool(file["is_sung"]),
            songs=tuple(str(song) for song in file["songs"]),
        )


def _note(row: NDArray[np.float64]) -> NoteEvent:
    _, onset_s, duration_s, pitch, velocity = row.tolist()
    return NoteEvent(onset_s, duration_s, int(pitch), int(velocity))


def _is_good(path: Path, studio: Studio) -> bool:
    """Whether a take is there, and of songs that may still be used: a song can be held out later."""
    if not path.is_file():
        return False
    with np.load(path) as file:
        return studio.songs.names.issuperset(file["songs"].tolist())


def _make(studio: Studio, path: Path, seed: int, index: int) -> None:
    _write(path, make_take(studio, seed=seed, index=index))


def _write(path: Path, take: Take) -> None:
    stems = np.stack([take.stems[name] for name in STEMS])
    peak = max(float(np.abs(stems).max()), float(np.abs(take.mix).max()), 1e-6)
    notes = [row for i, name in enumerate(STEMS) for row in _rows(i, take.notes.get(name, ()))]
    notes += _rows(len(STEMS), take.hits)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            stems=_rounded(stems, peak),
            mix=_rounded(take.mix, peak),
            scale=np.float32(peak / _FULL_SCALE),
            notes=np.array(notes, dtype=np.float64).reshape(-1, 5),
            beats_s=take.scene.beats_s,
            positions=take.scene.positions,
            beats_per_bar=np.int64(take.scene.beats_per_bar),
            kind=np.array(take.scene.kind),
            is_sung=np.bool_(take.is_sung),
            songs=np.array(take.scene.songs),
        )
    partial.replace(path)


def _rounded(samples: Floats, peak: float) -> NDArray[np.int16]:
    return np.asarray(np.rint(samples * np.float32(_FULL_SCALE / peak)), dtype=np.int16)


def _rows(which: int, notes: Iterable[NoteEvent]) -> list[tuple[float, ...]]:
    return [(which, note.onset_s, note.duration_s, note.pitch, note.velocity) for note in notes]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill a bank.

    Raises
    ------
    RearrangeError : an archive, a font, a synthesiser or a recording is missing.
    """
    parser = argparse.ArgumentParser(description="Make takes of training audio and keep them.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets as .tar.xz")
    parser.add_argument("--sets", type=Path, default=Path("out/sets"), help="where they are unpacked")
    parser.add_argument("--hits", type=Path, help="the folder of recorded drum hits")
    parser.add_argument("--voices", type=Path, help="the file that training.voices makes: melodies are sung")
    parser.add_argument("--samples", type=Path, help="the folder of recorded instruments")
    parser.add_argument("--written", action="store_true", help="scenes of written music, too")
    parser.add_argument("--bank", type=Path, default=Path("out/bank"), help="keeps the takes")
    parser.add_argument("--share", choices=tuple(SHARE_SEEDS), default="train")
    parser.add_argument("--takes", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    studio = studio_of(
        options.share,
        options.data,
        options.sets,
        options.hits,
        voices=options.voices,
        samples=options.samples,
        written=options.written,
    )
    seed = SHARE_SEEDS[options.share][2]
    made = list(banked(studio, options.bank, seed=seed, count=options.takes, jobs=options.jobs))
    print(f"{len(made)} takes in {options.bank}")
    return 0


if __name__ == "__main__":
    from rearrange.training.start import start

    sys.exit(start(main))
