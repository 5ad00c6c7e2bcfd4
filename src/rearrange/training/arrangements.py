"""Arrangements to train the arranger on, prepared from the sets and packed.

    python -m rearrange.training.arrangements --data FOLDER [--sets FOLDER] [--out FOLDER] [--jobs N] [--seed N]

Kinds: `drumming` is human drums alone; `piano`, `band` and `quartet` are songs as they are played; `patterns` is a
song as our patterns arrange it in a genre, `drummer` the same with human drums, and `random` a song in a style
of chance.
Every arrangement is in a key that is drawn, and a share of the charts is as poor ears would have heard them.

Songs go one by one into `songs/`, from where a run that was stopped goes on; then `training.npz` and
`validation.npz` (one song in scenes.VALIDATION_FOLDS, and Groove's own validation clips) are written. The same
data, code and seed give the same files.
"""

import argparse
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from hashlib import blake2b
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from rearrange.errors import MidiFormatError, TooLittleMusicError
from rearrange.evaluation.songs import SongRef, SymbolicSong, load_song
from rearrange.genre import genre_names, load_genre
from rearrange.score import Metre, Score
from rearrange.training.arrangement_drumming import Drummers, clip_example, drummers_of, with_drummer
from rearrange.training.arrangement_examples import Example
from rearrange.training.arrangement_pack import Pack, joined, read_pack, write_pack
from rearrange.training.arrangement_patterns import patterned, swing_of
from rearrange.training.arrangement_songs import known_score, real_example
from rearrange.training.arrangement_styles import random_genre
from rearrange.training.arrangement_tables import Heard, Tables, arrangement_tables
from rearrange.training.arrangement_tokens import VERSION, packed
from rearrange.training.clips import Clip, name_of
from rearrange.training.scenes import Library, library
from rearrange.training.sheets import METRES, lead_sheet, written_song
from rearrange.training.start import start

__all__ = ["ENOUGH_CLIPS", "KINDS", "Plan", "examples_of", "main", "prepare"]

KINDS = ("drumming", "piano", "band", "quartet", "patterns", "drummer", "random")
SHARES = ("training", "validation")
_METRES = (*METRES, "6/8")
_SEMITONES = (-5, 6)
# Of the arrangements by patterns, where enough clips are of that genre; with fewer it is less, for two drummers
# are no genre.
_DRUMMER_SHARE, ENOUGH_CLIPS = 0.5, 8


@dataclass(frozen=True)
class Plan:
    """How many arrangements are made of a song: as it is played, by patterns, and in styles of chance."""

    real: int
    patterns: int
    random: int


_PLANS: Mapping[str, Plan] = {
    "pop909": Plan(2, 3, 2),
    "freedoom": Plan(2, 5, 4),
    "openewld": Plan(0, 6, 4),
    "openscore_lieder": Plan(1, 1, 1),
    "openscore_quartets": Plan(2, 3, 2),
}
_RARE = Plan(0, 4, 3)  # at least this of a song that is not in 4/4: few are


def examples_of(ref: SongRef, drummers: Drummers, tables: Tables, seed: int) -> Iterator[Example]:
    """The arrangements of a song that `_PLANS` asks for; fewer, or none, where there is too little of it."""
    rng = np.random.default_rng([seed, zlib.crc32(name_of(ref).encode())])
    song = _read(ref, rng)
    if song is None:
        return
    try:
        score = known_score(song)
    except TooLittleMusicError:
        return
    plan = _plan(ref.corpus, score)

    def heard() -> Heard | None:
        return tables.heard if rng.random() < tables.heard.share else None

    def semitones() -> int:
        return int(rng.integers(_SEMITONES[0], _SEMITONES[1] + 1))

    for i in range(plan.real):
        # The first as well as it is known, the others perhaps as ears hear it.
        made = real_example(song, score, tables, heard() if i else None, rng, semitones=semitones())
        if made is not None:
            yield made
    genres = rng.permutation(genre_names())
    for i in range(plan.patterns):
        genre = load_genre(str(genres[i % len(genres)]))
        kind = "patterns"
        made = patterned(name_of(ref), score, genre, kind=kind, heard=heard(), rng=rng, semitones=semitones())
        n_clips = len(drummers.by_genre.get(genre.name, ()))
        if made is not None and rng.random() < _DRUMMER_SHARE * min(n_clips / ENOUGH_CLIPS, 1.0):
            made = with_drummer(made, drummers, swing_of(genre, made.style), rng) or made
        if made is not None:
            yield made
    for _ in range(plan.random):
        yield from _random(name_of(ref), score, heard(), semitones(), rng)


def _plan(corpus: str, score: Score) -> Plan:
    """What is made of a song: more where its metre is rare, for every genre plays in it."""
    plan = _PLANS[corpus]
    if score.timeline.metres[0][1] == Metre():
        return plan
    return Plan(plan.real, max(plan.patterns, _RARE.patterns), max(plan.random, _RARE.random))


def _random(
    song: str, score: Score, heard: Heard | None, semitones: int, rng: np.random.Generator
) -> Iterator[Example]:
    genre = random_genre(score.timeline.metres[0][1], rng)
    made = patterned(song, score, genre, kind="random", heard=heard, rng=rng, semitones=semitones)
    if made is not None:
        yield made


def _read(ref: SongRef, rng: np.random.Generator) -> SymbolicSong | None:
    try:
        if ref.corpus == "openewld":
            return lead_sheet(ref, rng, _METRES)
        if ref.corpus.startswith("openscore"):
            return written_song(ref, rng, _METRES)
        return load_song(ref)
    except (MidiFormatError, TooLittleMusicError):
        return None  # one that cannot be read teaches nothing


def clip_examples(clip: Clip, tables: Tables, seed: int) -> Iterator[Example]:
    """A clip alone, once for each genre that its style may stand for."""
    made = clip_example(clip, tables, np.random.default_rng([seed, zlib.crc32(clip.name.encode())]))
    if made is not None:
        for genre in tables.drumming.get(clip.style, ("",)):
            yield replace(made, genre=genre)


def prepare(
    data: Path, sets: Path, out: Path, *, seed: int = 0, jobs: int = 1, limit: int | None = None
) -> Mapping[str, Pack]:
    """The packs of both shares, made or read.

    Parameters
    ----------
    data : holds the sets as .tar.xz
    sets : they are unpacked there, unless they are there
    limit : only so many songs of each corpus, for a trial

    Raises
    ------
    UsageError : an archive is missing, or no song gives an arrangement.
    """
    made: dict[str, Pack] = {}
    for share in SHARES:
        run = _Run(data, sets, out, share, seed, limit)
        names = [song_name for song_name, _ in run.work()]
        one = partial(_one, run)
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            for done, name in enumerate(pool.map(one, range(len(names)), chunksize=4), start=1):
                if done % 100 == 0 or done == len(names):
                    print(f"{share}: {done} of {len(names)} songs, {name}", flush=True)
        packs = [read_pack(run.file(name), run.about) for name in names]
        made[share] = joined([pack for pack in packs if pack is not None and len(pack)])
        write_pack(out / f"{share}.npz", made[share], run.about, small=True)
    return made


@dataclass(frozen=True)
class _Run:
    """One share of a preparation, as every process knows it."""

    data: Path
    sets: Path
    out: Path
    share: str
    seed: int
    limit: int | None

    @property
    def library(self) -> Library:
        return _library(self.data, self.sets, self.share)

    @property
    def about(self) -> Mapping[str, str]:
        return {"version": str(VERSION), "seed": str(self.seed)}

    def file(self, name: str) -> Path:
        """Where a song's arrangements are kept."""
        return self.out / "songs" / self.share / f"{blake2b(name.encode(), digest_size=8).hexdigest()}.npz"

    def work(self) -> list[tuple[str, SongRef | Clip]]:
        """Every song and clip by name, in an order that does not depend on who does which."""
        songs = self.library
        found: list[tuple[str, SongRef | Clip]] = [(clip.name, clip) for clip in songs.clips[: self.limit]]
        for corpus in (songs.pop909, songs.freedoom, songs.sheets, songs.lieder, songs.quartets):
            found += [(name_of(song), song) for song in corpus[: self.limit]]
        return found


@lru_cache(maxsize=2)
def _library(data: Path, sets: Path, share: str) -> Library:
    return library(data, sets, share, written=True)


def _one(run: _Run, number: int) -> str:
    """Prepare one song, unless it is there."""
    name, ref = run.work()[number]
    if read_pack(run.file(name), run.about) is None:
        tables = arrangement_tables()
        if isinstance(ref, Clip):
            made = clip_examples(ref, tables, run.seed)
        else:
            made = examples_of(ref, drummers_of(run.library, tables), tables, run.seed)
        write_pack(run.file(name), packed(list(made)), run.about)
    return name


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the sets as .tar.xz")
    parser.add_argument("--sets", type=Path, default=Path("out/sets"), help="where they are unpacked")
    parser.add_argument("--out", type=Path, default=Path("out/arrangements"))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="only so many songs of each corpus")
    asked = parser.parse_args(arguments)
    made = prepare(asked.data, asked.sets, asked.out, seed=asked.seed, jobs=max(asked.jobs, 1), limit=asked.limit)
    for share, pack in made.items():
        print(f"\n{share}: {len(pack)} arrangements, {len(pack.bar_ends)} bars, {len(pack.ids)} tokens")
        for column in ("kinds", "genres"):
            print(_counted(pack, column))
    return 0


def _counted(pack: Pack, column: str) -> str:
    """Arrangements and tokens of each value of a column."""
    ends = np.append(0, pack.bar_ends)[pack.firsts.astype(np.int64)].astype(np.int64)
    n_tokens = np.diff(ends)
    values = getattr(pack, column)
    rows = []
    for value in np.unique(values):
        chosen = values == value
        rows.append(f"  {str(value) or '(none)':<14}{np.count_nonzero(chosen):>8}{n_tokens[chosen].sum():>12}")
    return "\n".join([f"{column:<16}{'songs':>8}{'tokens':>12}", *rows])


if __name__ == "__main__":
    sys.exit(start(main))
