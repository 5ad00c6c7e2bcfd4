"""What is played in training audio: excerpts of music as notes, with their beats, made from training songs.

Four kinds: `groove`, human drumming alone; `band`, a pop song with human drumming at a like tempo and a bass
under its annotated chords; `freedoom`, a band as its file has it; `patterns`, a song arranged by our own patterns
in some genre. Three more from written music, where the library has some: `sheet`, a lead sheet as one of `band` or
of `patterns`; `lied`, voice and piano; `quartet`, strings. Each is played humanly: tempo, transposition, timing
and velocities are drawn anew.

Conventions: times in seconds from the start of the excerpt, which lasts SCENE_S; parts know their role, melody
being what a singer may take. Everything follows from the generator that is passed.

Limits: songs in one metre; a Groove clip counts as steady, as its click was. One song in VALIDATION_FOLDS, and
Groove's own validation clips, are never shown for training: what is tuned is tuned on them.

Sources: J. Gillick et al., ICML 2019 (Groove MIDI); Z. Wang et al., ISMIR 2020 (POP909); freedoom.github.io.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.roles import assign_roles
from rearrange.errors import RearrangeError, UsageError
from rearrange.evaluation.corpora import training_songs, unpacked
from rearrange.evaluation.songs import SongRef, SymbolicSong, load_song, score_of
from rearrange.genre import genre_names, load_genre
from rearrange.score import Chord, Key, NoteEvent, Part, Performance, Role, Timeline
from rearrange.stages.arrange import ArrangeSettings, arrange
from rearrange.training.clips import Clip, clips_of, drawn, drumming, fills_for, name_of, repeated
from rearrange.training.sheets import lead_sheet, written_song

__all__ = ["KINDS", "SCENE_S", "WRITTEN_KINDS", "Library", "Scene", "at_speed", "library", "make_scene"]

Floats = NDArray[np.float64]

SCENE_S = 20.0
VALIDATION_FOLDS = 12
# Kinds and how often each is drawn; human drumming first, because its timing is what drums are learnt from.
KINDS: Mapping[str, float] = {"groove": 0.35, "band": 0.3, "patterns": 0.2, "freedoom": 0.15}
# Kinds from written music, where the library has some: each takes this share of all scenes from those above.
WRITTEN_KINDS: Mapping[str, float] = {"sheet": 0.15, "lied": 0.06, "quartet": 0.06}

_TEMPO_RATIO = (0.85, 1.18)  # beyond, drumming sounds like another tempo's
_TRANSPOSITION = 5  # semitones either way
_LIKE_TEMPO = 0.2  # in natural logarithms: a clip for a song
_LOWEST_BASS = 28
_BASS_SHARE = 0.8  # of the bands that have one
_FILLED_SHARE = 0.5  # of the scenes of drums alone that have fills of other clips
_TIMING_S = {"machine": 0.006, "human": 0.0}  # deviation of onsets that were quantised; played ones have their own
_SHARES = ("training", "validation")


@dataclass(frozen=True)
class Scene:
    """Some bars of music.

    Parameters
    ----------
    songs : what it was made from, by corpus and id
    parts : with role, program and notes; at most one of drums
    beats_s, positions : (n_beats,) felt beats, and each one's place in its bar, 0 for a downbeat
    chords : from beat to beat, the first being 0; none where only drums play, None where nobody knows them
    key : None where nobody knows it, or where it changes
    """

    kind: str
    songs: tuple[str, ...]
    parts: tuple[Part, ...]
    beats_s: Floats
    positions: NDArray[np.int64]
    beats_per_bar: int
    chords: tuple[Chord, ...] | None = None
    key: Key | None = None

    @property
    def downbeats_s(self) -> Floats:
        return np.asarray(self.beats_s[self.positions == 0])


@dataclass(frozen=True)
class Library:
    """The songs of one share that scenes are made from."""

    pop909: tuple[SongRef, ...]
    freedoom: tuple[SongRef, ...]
    clips: tuple[Clip, ...]
    fills: tuple[Clip, ...]
    sheets: tuple[SongRef, ...] = ()
    lieder: tuple[SongRef, ...] = ()
    quartets: tuple[SongRef, ...] = ()

    @cached_property
    def names(self) -> frozenset[str]:
        """Of all its songs, by corpus and id."""
        written = (*self.sheets, *self.lieder, *self.quartets)
        songs = {name_of(song) for song in (*self.pop909, *self.freedoom, *written)}
        return frozenset(songs | {clip.name for clip in (*self.clips, *self.fills)})


def library(data: Path, folder: Path, share: str = "training", *, written: bool = False) -> Library:
    """The songs of a share, through the door that shows no held-out one.

    Parameters
    ----------
    data : holds gmd, pop909 and freedoom as .tar.xz
    folder : they are unpacked there, unless they are there
    share : training or validation
    written : whether lead sheets, songs with piano and string quartets are among them (openewld, openscore_lieder
        and openscore_quartets)

    Raises
    ------
    UsageError : an archive is missing.
    ValueError : another share.
    """
    if share not in _SHARES:
        raise ValueError(f"{share!r} is not one of {', '.join(_SHARES)}")
    wanted = share == "validation"

    def of(corpus: str) -> tuple[SongRef, ...]:
        songs = training_songs(corpus, unpacked(data, corpus, folder))
        return tuple(song for song in songs if _is_validation(song) is wanted)

    clips, fills = clips_of(unpacked(data, "gmd", folder), validation=wanted)
    found = Library(of("pop909"), of("freedoom"), clips, fills)
    if not written:
        return found
    return replace(found, sheets=of("openewld"), lieder=of("openscore_lieder"), quartets=of("openscore_quartets"))


def _is_validation(song: SongRef) -> bool:
    return zlib.crc32(f"{song.corpus}/{song.id}".encode()) % VALIDATION_FOLDS == 0


def make_scene(songs: Library, rng: np.random.Generator, *, kind: str | None = None) -> Scene:
    """A scene; of a kind of KINDS or WRITTEN_KINDS, or of one that is drawn.

    Raises
    ------
    UsageError : the library has no song for it.
    """
    kind = kind or _drawn_kind(songs, rng)
    makers = {
        "groove": _groove,
        "band": _band,
        "patterns": _patterned,
        "freedoom": _freedoom,
        "sheet": _sheet,
        "lied": _lied,
        "quartet": _quartet,
    }
    for _ in range(8):  # now and then a song will not do: no chords, or a metre that changes
        found = makers[kind](songs, rng)
        if found is not None and found.parts and len(found.beats_s) > found.beats_per_bar:
            return found
    raise UsageError(f"no song of the library makes a scene of kind {kind}")


def _drawn_kind(songs: Library, rng: np.random.Generator) -> str:
    written = {"sheet": songs.sheets, "lied": songs.lieder, "quartet": songs.quartets}
    shares = {kind: share for kind, share in WRITTEN_KINDS.items() if written[kind]}
    left = 1.0 - sum(shares.values())
    every = {**{kind: left * share for kind, share in KINDS.items()}, **shares}
    return str(rng.choice(list(every), p=list(every.values())))


@lru_cache(maxsize=64)
def _loaded(song: SongRef) -> SymbolicSong | None:
    try:
        return load_song(song)
    except RearrangeError:
        return None  # one that cannot be read, or has no bar, is no scene


def _groove(songs: Library, rng: np.random.Generator) -> Scene | None:
    clip = drawn(songs.clips, lambda each: each.name, rng)
    hits = drumming(clip)
    if not hits:
        return None
    period_s = 60.0 / clip.tempo_bpm * clip.felt_quarters
    beats = np.arange(int(hits[-1].onset_s / period_s) + 2)
    drums = Part("drums", hits, is_drum=True, role=Role.DRUMS)
    start_s = rng.uniform(0.0, max(hits[-1].onset_s - SCENE_S, 0.0))
    fills: tuple[Clip, ...] = ()
    if rng.random() < _FILLED_SHARE:
        timeline = Timeline.constant(clip.tempo_bpm, end_beat=start_s * clip.tempo_bpm / 60.0 + 64.0)
        fills = fills_for(clip, songs.fills, rng)
        drums = replace(drums, notes=repeated(clip, timeline, fills, rng))
    whole = Scene(
        kind="groove",
        songs=_names(clip, *fills),
        parts=(drums,),
        beats_s=np.asarray(beats * period_s, dtype=np.float64),
        positions=beats % clip.beats_per_bar,
        beats_per_bar=clip.beats_per_bar,
        chords=(),
    )
    return _excerpt(whole, rng, start_s=start_s, timing_s=_TIMING_S["human"])


def _band(songs: Library, rng: np.random.Generator) -> Scene | None:
    song = _loaded(drawn(songs.pop909, name_of, rng))
    return None if song is None else _with_drummer("band", song, songs, rng)


def _sheet(songs: Library, rng: np.random.Generator) -> Scene | None:
    """A lead sheet: comped, with human drumming and a bass, or arranged by our patterns."""
    song = lead_sheet(drawn(songs.sheets, name_of, rng), rng)
    if song is None:
        return None
    return _with_drummer("sheet", song, songs, rng) if rng.random() < 0.5 else _arranged("sheet", song, rng)


def _lied(songs: Library, rng: np.random.Generator) -> Scene | None:
    song = written_song(drawn(songs.lieder, name_of, rng), rng)
    return None if song is None else _as_written("lied", song, rng, first=Role.MELODY)


def _quartet(songs: Library, rng: np.random.Generator) -> Scene | None:
    song = written_song(drawn(songs.quartets, name_of, rng), rng)
    return None if song is None else _as_written("quartet", song, rng, first=Role.CHORDS)


def _as_written(kind: str, song: SymbolicSong, rng: np.random.Generator, *, first: Role) -> Scene | None:
    """The parts of a score, the first in a role, the others in `other`."""
    parts = [replace(part, role=Role.CHORDS if i else first) for i, part in enumerate(song.performance.parts)]
    return _excerpt(_with_beats(kind, song, parts), rng, timing_s=_TIMING_S["machine"])


def _with_drummer(kind: str, song: SymbolicSong, songs: Library, rng: np.random.Generator) -> Scene | None:
    """A song with human drumming at a like tempo, and a bass under its chords."""
    if song.chords is None:
        return None
    tempo_bpm = song.timeline.mean_tempo_bpm
    like = [
        clip
        for clip in songs.clips
        if abs(np.log(clip.tempo_bpm / tempo_bpm)) < _LIKE_TEMPO
        and (clip.beats_per_bar, clip.felt_quarters) == (song.timeline.metres[0][1].beats_per_bar, 1.0)
    ]
    if not like:
        return None
    clip = drawn(like, lambda each: each.name, rng)
    fills = fills_for(clip, songs.fills, rng)
    drums = repeated(clip, song.timeline, fills, rng)
    parts = [Part("drums", drums, is_drum=True, role=Role.DRUMS)]
    if rng.random() < _BASS_SHARE:
        parts.append(Part("bass", _bass(drums, song), role=Role.BASS, program=33))
    for part in song.performance.parts:
        role = Role.MELODY if part.name == "MELODY" else Role.COUNTER if part.name == "BRIDGE" else Role.CHORDS
        parts.append(replace(part, role=role))
    whole = _with_beats(kind, song, parts)
    whole = replace(whole, songs=(*whole.songs, *_names(clip, *fills)))
    return _excerpt(whole, rng, timing_s=_TIMING_S["human"])


def _names(*clips: Clip) -> tuple[str, ...]:
    return tuple(clip.name for clip in clips)


def _bass(drums: Sequence[NoteEvent], song: SymbolicSong) -> tuple[NoteEvent, ...]:
    """The bass note of the chord with every kick, held until the next."""
    kicks = [hit for hit in drums if hit.pitch in (35, 36)]
    out: list[NoteEvent] = []
    chords = song.chords or ()
    onsets = np.array([chord.onset_beat for chord in chords])
    for kick in kicks:
        beat = float(song.timeline.beats(kick.onset_s)) + 0.1  # a chord that starts with the kick counts
        at = int(np.searchsorted(onsets, beat, side="right")) - 1
        if at < 0 or beat >= chords[at].end_beat:
            continue
        if out and kick.onset_s - out[-1].onset_s < 0.18:
            continue
        if out:
            held_s = min(kick.onset_s - out[-1].onset_s, 1.2)
            out[-1] = replace(out[-1], duration_s=0.9 * held_s)
        pitch = _LOWEST_BASS + (chords[at].bass - _LOWEST_BASS) % 12
        out.append(NoteEvent(kick.onset_s, 0.4, pitch, max(kick.velocity, 60)))
    return tuple(out)


def _freedoom(songs: Library, rng: np.random.Generator) -> Scene | None:
    song = _loaded(drawn(songs.freedoom, name_of, rng))
    if song is None or len({str(metre) for _, metre in song.timeline.metres}) != 1:
        return None
    bass = next((each for each in assign_roles(song.performance) if each.role is Role.BASS), None)
    parts = []
    for part in song.performance.parts:
        is_bass = bass is not None and part.notes == bass.notes
        role = Role.DRUMS if part.is_drum else Role.BASS if is_bass else Role.CHORDS
        parts.append(replace(part, role=role))
    return _excerpt(_with_beats("freedoom", song, parts), rng, timing_s=_TIMING_S["machine"])


def _patterned(songs: Library, rng: np.random.Generator) -> Scene | None:
    song = _loaded(drawn(songs.pop909, name_of, rng))
    return None if song is None else _arranged("patterns", song, rng)


def _arranged(kind: str, song: SymbolicSong, rng: np.random.Generator) -> Scene | None:
    """A song as our patterns arrange it, in some genre."""
    genre = load_genre(str(rng.choice(list(genre_names()))))
    settings = ArrangeSettings(seed=int(rng.integers(1 << 16)))
    try:
        made = arrange(score_of(song), genre, settings)
    except RearrangeError:
        return None  # too little music for this genre
    parts = []
    for track in made.tracks:
        onsets = made.timeline.seconds([note.onset_beat for note in track.notes])
        ends = made.timeline.seconds([note.onset_beat + note.duration_beat for note in track.notes])
        notes = tuple(
            NoteEvent(float(onset), max(float(end - onset), 0.03), note.pitch, note.velocity)
            for onset, end, note in zip(onsets, ends, track.notes, strict=True)
        )
        role = Role.DRUMS if track.is_drum else track.role
        parts.append(Part(track.name, notes, is_drum=track.is_drum, role=role, program=track.program))
    known = SymbolicSong(
        song.id, song.corpus, Performance(tuple(parts), 0.0), made.timeline, made.chords, key=None
    )
    return _excerpt(_with_beats(kind, known, parts), rng, timing_s=_TIMING_S["machine"])


def _with_beats(kind: str, song: SymbolicSong, parts: Sequence[Part]) -> Scene:
    n_beats = max(round(song.timeline.metres[0][1].beats_per_bar), 1)
    starts = {round(bar.onset_beat, 3) for bar in song.timeline.bars}
    beats = np.arange(int(song.timeline.end_beat) + 1, dtype=np.float64)
    positions = np.zeros(len(beats), dtype=np.int64)
    for i in range(1, len(beats)):
        positions[i] = 0 if float(beats[i]) in starts else positions[i - 1] + 1
    name = f"{song.corpus}/{song.id}"
    key = song.key if song.n_keys == 1 else None
    return Scene(kind, (name,), tuple(parts), song.timeline.seconds(beats), positions, n_beats, song.chords, key)


def _excerpt(
    whole: Scene, rng: np.random.Generator, *, timing_s: float, start_s: float | None = None
) -> Scene | None:
    """SCENE_S of a song from somewhere inside, at another tempo and pitch, played humanly."""
    ratio = float(np.exp(rng.uniform(*np.log(_TEMPO_RATIO))))
    shift = int(rng.integers(-_TRANSPOSITION, _TRANSPOSITION + 1))
    last_s = max((note.onset_s for part in whole.parts for note in part.notes), default=0.0)
    if start_s is None:
        start_s = float(rng.uniform(0.0, max(last_s - SCENE_S * ratio, 0.0)))
    gamma = float(np.exp(rng.normal(0.0, 0.15)))  # how dynamic the players are
    parts = []
    for part in whole.parts:
        notes = [note for note in part.notes if start_s <= note.onset_s < start_s + SCENE_S * ratio]
        late = rng.normal(0.0, timing_s, len(notes)) + rng.normal(0.0, timing_s)
        harder = rng.normal(0.0, 5.0, len(notes))
        played = [
            replace(
                note,
                onset_s=max(float((note.onset_s - start_s) / ratio + d), 0.0),
                duration_s=note.duration_s / ratio,
                pitch=note.pitch if part.is_drum else int(np.clip(note.pitch + shift, 0, 127)),
                velocity=int(np.clip(127 * (note.velocity / 127) ** gamma + v, 8, 127)),
            )
            for note, d, v in zip(notes, late.tolist(), harder.tolist(), strict=True)
        ]
        if played:
            parts.append(replace(part, notes=tuple(sorted(played, key=lambda n: (n.onset_s, n.pitch)))))
    times = (whole.beats_s - start_s) / ratio
    kept = (times >= 0.0) & (times < SCENE_S)
    return replace(
        whole,
        parts=tuple(parts),
        beats_s=times[kept],
        positions=whole.positions[kept],
        chords=_moved(whole.chords, np.flatnonzero(kept), shift),
        key=replace(whole.key, tonic=(whole.key.tonic + shift) % 12) if whole.key else None,
    )


def at_speed(scene: Scene, tempo: float, semitones: int) -> Scene:
    """A scene `tempo` times as fast, in another key: what of it sounds before SCENE_S."""
    parts = []
    for part in scene.parts:
        notes = tuple(
            replace(
                note,
                onset_s=note.onset_s / tempo,
                duration_s=note.duration_s / tempo,
                pitch=note.pitch if part.is_drum else int(np.clip(note.pitch + semitones, 0, 127)),
            )
            for note in part.notes
            if note.onset_s / tempo < SCENE_S
        )
        if notes:
            parts.append(replace(part, notes=notes))
    kept = scene.beats_s / tempo < SCENE_S
    return replace(
        scene,
        parts=tuple(parts),
        beats_s=scene.beats_s[kept] / tempo,
        positions=scene.positions[kept],
        chords=_moved(scene.chords, np.flatnonzero(kept), semitones),
        key=replace(scene.key, tonic=(scene.key.tonic + semitones) % 12) if scene.key else None,
    )


def _moved(chords: Sequence[Chord] | None, beats: NDArray[np.int64], semitones: int) -> tuple[Chord, ...] | None:
    """Chords of the beats that are kept, counted from the first of these, in another key."""
    if chords is None or len(beats) == 0:
        return None
    moved = []
    for chord in chords:
        onset, end = max(chord.onset_beat, beats[0]) - beats[0], min(chord.end_beat, beats[-1] + 1) - beats[0]
        if end > onset:
            root, bass = (chord.root + semitones) % 12, (chord.bass + semitones) % 12
            moved.append(Chord(float(onset), float(end - onset), root, chord.quality, bass, chord.confidence))
    return tuple(moved)
