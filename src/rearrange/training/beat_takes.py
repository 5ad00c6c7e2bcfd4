"""Takes as the beat network learns from them: mel power of drums and of all else, and where the beats are.

Kept one file a take, so that a take is made once; a stopped run goes on. Each crop is mixed, equalised, slowed
down or sped up and made to drift anew: powers of drums and others add up (but for phase), and frames are moved in
time.

Conventions: power is kept as its logarithm, in decades, half precision: (n_frames, n_bands), frames of
`models.beats.GRID`. Targets are (2, n_frames), beat and downbeat: a triangle of a frame either side. A class of -1
does not count.

Limits: what a drift does to the sound, a little blur, no player does.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio, resample
from rearrange.models.beats import GRID, METRES, TEMPI_BPM
from rearrange.models.mel import SAMPLE_RATE, mel_frames, normalised
from rearrange.score import NoteEvent, Role
from rearrange.training.audio import Studio, make_take, take_of
from rearrange.training.bank import read_banked
from rearrange.training.dances import dance
from rearrange.training.scenes import SCENE_S, Scene

__all__ = ["BeatCrop", "BeatTake", "beat_take", "drawn_crop", "prepared", "read_take", "write_take"]

Floats = NDArray[np.float32]
Times = NDArray[np.float64]

_LEAST = 1e-10
_DANCE_KIND, _PATTERN_KIND = "dances", "patterns"
# Scenes made for beats beside those of the bank: our own patterns, for their genres are felt at their own speeds,
# and dances, for there is little in 3/4 and 6/8. So many for each of the bank's.
EXTRA_SHARES: Mapping[str, float] = {_DANCE_KIND: 0.2, _PATTERN_KIND: 0.2}
_SEED_OF_EXTRA = 50_000  # added to the seed of the bank's takes
# How often a crop is of a take of a kind.
_KIND_WEIGHTS: Mapping[str, float] = {
    "groove": 0.12,
    "band": 0.2,
    _PATTERN_KIND: 0.28,
    "freedoom": 0.22,
    _DANCE_KIND: 0.18,
}
# How a crop is made: as it was mixed, drums and others mixed anew, without drums, or drums alone.
_WAYS: Mapping[str, float] = {"mix": 0.35, "anew": 0.35, "others": 0.2, "drums": 0.1}
_ANEW_DB = 9.0
_TILT_DB = 5.0
_NOISE_SHARE, _NOISE_DB = 0.4, (-60.0, -20.0)
_DULL_SHARE = 0.2  # of crops whose high bands are missing, as from old or narrow media
_SPEED = 0.27  # in natural logarithms, either way
_DRIFT_SHARE, _DRIFT = 0.4, 0.08


@dataclass(frozen=True, eq=False)
class BeatTake:
    """Mel power of a take in decades, and its beats.

    Parameters
    ----------
    drums, others, mix : float16 (n_frames, n_bands); `others` is all but the drums, as the mix has it
    beats_s, positions : (n_beats,) felt beats, and each one's place in its bar, 0 for a downbeat
    metre : index in METRES; -1 of bars that are none of them
    """

    drums: NDArray[np.float16]
    others: NDArray[np.float16]
    mix: NDArray[np.float16]
    beats_s: Times
    positions: NDArray[np.int64]
    metre: int
    kind: str
    songs: NDArray[np.str_]

    def frames(self) -> Floats:
        """What the network sees of the mix."""
        return normalised(_power(self.mix))


@dataclass(frozen=True, eq=False)
class BeatCrop:
    """Frames (n_frames, n_bands); targets (2, n_frames); classes of tempo and of metre (n_frames,)."""

    frames: Floats
    targets: Floats
    tempo: NDArray[np.int64]
    metre: NDArray[np.int64]


def beat_take(stems: Mapping[str, Floats], mix: Floats, scene: Scene, n_bands: int) -> BeatTake:
    """The mel power of a take, and its beats.

    Parameters
    ----------
    stems, mix : (2, n_samples) at `models.mel.SAMPLE_RATE`
    """

    def decades(samples: Floats) -> NDArray[np.float16]:
        mono = Audio(np.asarray(samples.mean(axis=0, keepdims=True), dtype=np.float32), SAMPLE_RATE)
        power = mel_frames(resample(mono, GRID.sample_rate).samples[0], n_bands, grid=GRID)
        return np.asarray(np.log10(power + _LEAST), dtype=np.float16)

    others = np.asarray(sum(sound for name, sound in stems.items() if name != "drums"), dtype=np.float32)
    return BeatTake(
        decades(stems["drums"]),
        decades(others),
        decades(mix),
        np.asarray(scene.beats_s, dtype=np.float64),
        np.asarray(scene.positions, dtype=np.int64),
        _metre_of(scene),
        scene.kind,
        np.array(scene.songs),
    )


def _metre_of(scene: Scene) -> int:
    """Its index in METRES. A clip of human drumming says in its name whether two beats are 6/8 or 2/4."""
    if scene.beats_per_bar not in METRES:
        return -1
    if scene.beats_per_bar == 2 and scene.kind != _DANCE_KIND and not scene.songs[0].endswith("6-8"):
        return -1
    return METRES.index(scene.beats_per_bar)


def prepared(
    studio: Studio, folder: Path, *, seed: int, count: int, n_bands: int, bank: Path | None = None, jobs: int = 1
) -> Iterator[BeatTake]:
    """Takes 0 to `count` of a seed and, with a count of EXTRA_SHARES, those made for beats.

    Parameters
    ----------
    folder : keeps them; what is missing is made by `jobs` processes
    bank : has takes as sound (`training.bank`): what is there need not be played again

    Raises
    ------
    As `make_take`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = [("", seed, index) for index in range(count)]
    for kind, share in EXTRA_SHARES.items():
        listed += [(kind, seed + _SEED_OF_EXTRA, index) for index in range(round(share * count))]
    orders = [
        _Order(kind, own, index, folder / f"{kind or 'take'}-{own}-{index:05d}-{n_bands}.npz")
        for kind, own, index in listed
    ]
    missing = [order for order in orders if not _is_good(order.path, studio)]
    if jobs > 1 and len(missing) > 1:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            for made in [pool.submit(_make, studio, order, n_bands, bank) for order in missing]:
                made.result()
    else:
        for order in missing:
            _make(studio, order, n_bands, bank)
    for order in orders:
        yield read_take(order.path)


@dataclass(frozen=True)
class _Order:
    """A take to be made; a kind of "" is any, as the bank has them."""

    kind: str
    seed: int
    index: int
    path: Path


def _is_good(path: Path, studio: Studio) -> bool:
    """Whether a take is there, and of songs that may still be used: a song can be held out later."""
    if not path.is_file():
        return False
    take = read_take(path)
    return take.kind == _DANCE_KIND or studio.songs.names.issuperset(take.songs.tolist())


def _make(studio: Studio, order: _Order, n_bands: int, bank: Path | None) -> None:
    name = f"{order.seed}-{order.index:05d}.npz"
    if bank is not None and not order.kind and (bank / name).is_file():
        banked = read_banked(bank / name)
        scene = Scene(banked.kind, banked.songs, (), banked.beats_s, banked.positions, banked.beats_per_bar)
        write_take(order.path, beat_take(banked.stems, banked.mix, scene, n_bands))
        return
    if order.kind == _DANCE_KIND:
        rng = np.random.default_rng([order.seed, order.index])
        made = take_of(studio, _dance_scene(order.seed, order.index), rng)
    else:
        made = make_take(studio, seed=order.seed, index=order.index, kind=order.kind or None)
    write_take(order.path, beat_take(made.stems, made.mix, made.scene, n_bands))


def _dance_scene(seed: int, index: int) -> Scene:
    """SCENE_S of a dance, from somewhere in its beginning."""
    name = f"dance-{seed}-{index}"
    rng = random.Random(name)
    whole = dance(name, rng)
    start_s = rng.uniform(0.0, max(whole.duration_s - SCENE_S - 2.0, 0.0))
    roles = {"bass": Role.BASS, "tune": Role.MELODY, "drums": Role.DRUMS}

    def moved(notes: Sequence[NoteEvent]) -> tuple[NoteEvent, ...]:
        inside = (note for note in notes if start_s <= note.onset_s < start_s + SCENE_S)
        return tuple(replace(note, onset_s=note.onset_s - start_s) for note in inside)

    parts = [
        replace(part, notes=moved(part.notes), role=roles.get(part.name, Role.CHORDS)) for part in whole.parts
    ]
    times = whole.beats_s - start_s
    kept = (times >= 0.0) & (times < SCENE_S)
    playing = tuple(part for part in parts if part.notes)
    return Scene(_DANCE_KIND, (name,), playing, times[kept], whole.positions[kept], whole.beats_per_bar)


def write_take(path: Path, take: BeatTake) -> None:
    """Write a take as .npz, under a temporary name first."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **vars(take))
    partial.replace(path)


def read_take(path: Path) -> BeatTake:
    """Read what `write_take` wrote."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    return BeatTake(**(arrays | {"metre": int(arrays["metre"]), "kind": str(arrays["kind"])}))


def _power(decades: NDArray[np.float16]) -> Floats:
    return np.asarray(np.power(np.float32(10.0), decades.astype(np.float32)), dtype=np.float32)


def drawn_crop(takes: Sequence[BeatTake], rng: np.random.Generator, *, n_frames: int) -> BeatCrop:
    """A crop of a take that is drawn, mixed, equalised, and played at another speed."""
    kinds = sorted({take.kind for take in takes})
    weights = np.array([_KIND_WEIGHTS[kind] for kind in kinds])
    kind = str(rng.choice(kinds, p=weights / weights.sum()))
    alike = [take for take in takes if take.kind == kind]
    take = alike[int(rng.integers(len(alike)))]
    power = _mixed(take, rng)
    if rng.random() < _NOISE_SHARE:
        loud = float(np.percentile(power.mean(axis=1), 95))
        noise = rng.exponential(size=power.shape).astype(np.float32)  # as the power of noise is
        level = np.float32(loud * 10 ** (rng.uniform(*_NOISE_DB) / 10))
        power = power + noise * _tilt(power.shape[1], rng) * level
    if rng.random() < _DULL_SHARE:
        n_bands = power.shape[1]
        power[:, int(rng.integers(n_bands // 2, n_bands)) :] *= np.float32(10 ** rng.uniform(-6.0, -3.0))
    frames = normalised(power, gain_db=float(rng.normal(0.0, 3.0)))
    return _moved(take, frames, rng, n_frames=n_frames)


def _mixed(take: BeatTake, rng: np.random.Generator) -> Floats:
    """Power of a take, mixed in one of _WAYS; parts that do not play are not taken for music."""
    n_bands = take.mix.shape[1]
    drums, others = _power(take.drums), _power(take.others)
    way = str(rng.choice(list(_WAYS), p=list(_WAYS.values())))
    least = 1e-4 * float(np.percentile(drums.mean(axis=1) + others.mean(axis=1), 90))
    if min(float(np.percentile(each.mean(axis=1), 75)) for each in (drums, others)) < least:
        way = "mix"
    if way == "mix":
        power = _power(take.mix) * _tilt(n_bands, rng)
    elif way == "anew":
        level = np.float32(10 ** (rng.uniform(-_ANEW_DB, _ANEW_DB) / 10))
        power = drums * _tilt(n_bands, rng) + others * _tilt(n_bands, rng) * level
    else:
        power = (drums if way == "drums" else others) * _tilt(n_bands, rng)
    return np.asarray(power, dtype=np.float32)


def _tilt(n_bands: int, rng: np.random.Generator) -> Floats:
    """A smooth equaliser, as gain of power (n_bands,)."""
    points_db = rng.normal(0.0, _TILT_DB, 5)
    gains_db = np.interp(np.arange(n_bands), np.linspace(0, n_bands - 1, 5), points_db)
    return np.asarray(10 ** (gains_db / 10), dtype=np.float32)


def _moved(take: BeatTake, frames: Floats, rng: np.random.Generator, *, n_frames: int) -> BeatCrop:
    """A stretch of frames at another speed that may drift, and what is true of it."""
    rate = np.full(n_frames, np.exp(rng.uniform(-_SPEED, _SPEED)))  # source frames for each frame
    if rng.random() < _DRIFT_SHARE:
        turns = np.arange(n_frames) * rng.uniform(0.3, 1.0) / n_frames + rng.random()
        rate *= 1.0 + rng.uniform(0.0, _DRIFT) * np.sin(2 * np.pi * turns)
    source = np.cumsum(rate) - rate[0]
    room = len(frames) - 1 - source[-1]
    source += rng.uniform(0.0, room) if room > 0 else 0.0
    known = source <= len(frames) - 1  # a take that ends too soon is silent from there
    at = np.minimum(source, len(frames) - 1.001)
    low = at.astype(np.int64)
    share = (at - low)[:, None].astype(np.float32)
    moved = frames[low] * (1 - share) + frames[np.minimum(low + 1, len(frames) - 1)] * share
    moved[~known] = frames.min()
    beats = np.interp(take.beats_s * GRID.frame_rate_hz, source, np.arange(n_frames), left=-9.0, right=-9.0)
    targets = np.stack([_triangles(beats, n_frames), _triangles(beats[take.positions == 0], n_frames)])
    return BeatCrop(
        np.asarray(moved, dtype=np.float32),
        targets,
        np.where(known, _tempo_classes(take, source, rate), -1),
        np.where(known, take.metre, -1),
    )


def _triangles(at: Times, n_frames: int) -> Floats:
    out = np.zeros(n_frames, dtype=np.float32)
    for offset in range(-1, 3):
        frames = np.floor(at).astype(np.int64) + offset
        height = np.maximum(1.0 - np.abs(frames - at) / 2.0, 0.0).astype(np.float32)
        inside = (frames >= 0) & (frames < n_frames) & (at >= 0)
        np.maximum.at(out, frames[inside], height[inside])
    return out


def _tempo_classes(take: BeatTake, source: Times, rate: Times) -> NDArray[np.int64]:
    """The class of the tempo at each frame, by the beats around it."""
    if len(take.beats_s) < 3:
        return np.full(len(source), -1)
    middles = (take.beats_s[1:] + take.beats_s[:-1]) / 2
    spans = np.interp(source / GRID.frame_rate_hz, middles, np.diff(take.beats_s))
    bpm = 60.0 / spans * rate
    step = np.log(TEMPI_BPM[1] / TEMPI_BPM[0])
    classes = np.rint(np.log(bpm / TEMPI_BPM[0]) / step).astype(np.int64)
    return np.where((classes >= 0) & (classes < len(TEMPI_BPM)), classes, -1)
