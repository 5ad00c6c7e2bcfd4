"""Scenes of songs as bands play them: human drumming alone or with a song, a file's own band, our patterns.

Conventions: a maker takes the library and the generator that everything is drawn from; it gives None where the
song that is drawn will not do.

Limits: a Groove clip counts as steady, as its click was.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from rearrange.analysis.roles import assign_roles
from rearrange.errors import RearrangeError
from rearrange.evaluation.songs import SongRef, SymbolicSong, load_song, score_of
from rearrange.genre import genre_names, load_genre
from rearrange.score import NoteEvent, Part, Performance, Role, Timeline
from rearrange.stages.arrange import ArrangeSettings, arrange
from rearrange.training.clips import Clip, drawn, drumming, fills_for, name_of, repeated
from rearrange.training.scene_excerpts import excerpt
from rearrange.training.scenes import SCENE_S, Library, Scene, scene_of

__all__ = ["arranged", "band", "freedoom", "groove", "patterns", "with_drummer"]

_LIKE_TEMPO = 0.2  # in natural logarithms: a clip for a song
_LOWEST_BASS = 28
_BASS_SHARE = 0.8  # of the bands that have one
_FILLED_SHARE = 0.5  # of the scenes of drums alone that have fills of other clips


def groove(songs: Library, rng: np.random.Generator) -> Scene | None:
    """A clip of human drumming alone, now and then with fills of others."""
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
    return excerpt(whole, rng, start_s=start_s, is_quantised=False)


def band(songs: Library, rng: np.random.Generator) -> Scene | None:
    """A pop song with human drumming, and a bass under its annotated chords."""
    song = _loaded(drawn(songs.pop909, name_of, rng))
    return None if song is None else with_drummer("band", song, songs, rng)


def with_drummer(kind: str, song: SymbolicSong, songs: Library, rng: np.random.Generator) -> Scene | None:
    """A song with human drumming at a like tempo, and a bass under its chords; None where either is missing."""
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
    whole = scene_of(kind, song, parts)
    whole = replace(whole, songs=(*whole.songs, *_names(clip, *fills)))
    return excerpt(whole, rng, is_quantised=False)


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


def freedoom(songs: Library, rng: np.random.Generator) -> Scene | None:
    """A band as its file has it."""
    song = _loaded(drawn(songs.freedoom, name_of, rng))
    if song is None or len({str(metre) for _, metre in song.timeline.metres}) != 1:
        return None
    bass = next((each for each in assign_roles(song.performance) if each.role is Role.BASS), None)
    parts = []
    for part in song.performance.parts:
        is_bass = bass is not None and part.notes == bass.notes
        role = Role.DRUMS if part.is_drum else Role.BASS if is_bass else Role.CHORDS
        parts.append(replace(part, role=role))
    return excerpt(scene_of("freedoom", song, parts), rng, is_quantised=True)


def patterns(songs: Library, rng: np.random.Generator) -> Scene | None:
    """A pop song, arranged by our patterns."""
    song = _loaded(drawn(songs.pop909, name_of, rng))
    return None if song is None else arranged("patterns", song, rng)


def arranged(kind: str, song: SymbolicSong, rng: np.random.Generator) -> Scene | None:
    """A song as our patterns arrange it, in some genre; None where there is too little of it."""
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
    return excerpt(scene_of(kind, known, parts), rng, is_quantised=True)


@lru_cache(maxsize=64)
def _loaded(song: SongRef) -> SymbolicSong | None:
    try:
        return load_song(song)
    except RearrangeError:
        return None  # one that cannot be read, or has no bar, is no scene
