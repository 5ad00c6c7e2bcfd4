"""Real music as examples for the arranger, in the roles it has: piano with songs, bands, quartets.

Conventions: the chart is made by the code that makes it of a song that is heard, from the whole of the file.
POP909's piano is `chords`, its bridge `counter`; of a quartet the first violin has the tune, the second the
counter line, the viola the inner voice, the cello the bass; half of the pianos give their left hand's lowest notes
to `bass`.

Limits: dynamics of written music are its beats' accents and a little chance; POP909's chords are its annotation,
where the chart is not damaged.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rearrange.analysis.roles import assign_roles, monophony
from rearrange.arranger.charts import make_chart
from rearrange.evaluation.damage import transpose
from rearrange.evaluation.songs import SymbolicSong, score_of
from rearrange.score import Chord, Note, NoteEvent, Role, Score, Timeline, Track, sorted_notes
from rearrange.training.arrangement_damage import heard_badly
from rearrange.training.arrangement_examples import Example, playable, struck_together, transposed
from rearrange.training.arrangement_tables import Heard, Tables

__all__ = ["known_score", "real_example", "roles_of"]

_FEWEST_NOTES = 16
_LOWEST_OF_RIGHT_HAND = 48  # what is lower, or has a gap above it, is bass
_HIGHEST_BASS = 55
_BASS_GAP = 5
_BASS_SHARE = 0.5
_LONG_BEAT = 1.5  # notes that last longer on average are a pad's
_DENSE_PER_BEAT = 1.2  # lines that have more onsets are an arpeggio
_MONOPHONIC = 0.8
_MOST_DOUBLED = 0.7
_VELOCITY_SPREAD = 5.0  # of written music
_CHORD_GRID_BEAT = 0.5
_KINDS = {"pop909": "piano", "freedoom": "band", "openscore_quartets": "quartet", "openscore_lieder": "piano"}
_QUARTET = (Role.MELODY, Role.COUNTER, Role.CHORDS, Role.BASS)


def known_score(song: SymbolicSong) -> Score:
    """The song as it is heard, its chords as they are annotated, if they are.

    Raises
    ------
    TooLittleMusicError : there is no bar or no pitch in it.
    """
    tune = {"MELODY": Role.MELODY, "BRIDGE": Role.COUNTER}
    parts = tuple(replace(part, role=tune.get(part.name, part.role)) for part in song.performance.parts)
    score = score_of(replace(song, performance=replace(song.performance, parts=parts)))
    if not song.chords or score.timeline != song.timeline:
        return score
    chords: list[Chord] = []
    for chord in song.chords:
        onset, end = (
            round(beat / _CHORD_GRID_BEAT) * _CHORD_GRID_BEAT for beat in (chord.onset_beat, chord.end_beat)
        )
        onset = max(onset, chords[-1].end_beat if chords else 0.0)
        if end > onset:
            chords.append(replace(chord, onset_beat=onset, duration_beat=end - onset))
    key = song.key if song.key is not None and song.n_keys == 1 else score.key
    return replace(score, chords=tuple(chords), key=key)


def real_example(
    song: SymbolicSong,
    score: Score,
    tables: Tables,
    heard: Heard | None,
    rng: np.random.Generator,
    *,
    semitones: int = 0,
) -> Example | None:
    """A song as it is played; None where it has nobody but the tune.

    Parameters
    ----------
    score : as `known_score` or `score_of` has it
    heard : how badly the chart is heard; None: as well as can be
    semitones : by how many all of it is moved
    """
    played = transpose(roles_of(song, score.timeline, rng), semitones)
    tracks = [track for track in played if track.role is not Role.MELODY]
    score = transposed(score, semitones)
    if not any(len(track.notes) >= _FEWEST_NOTES for track in tracks):
        return None
    damaged = heard_badly(score, heard, rng) if heard is not None else score
    genres = tables.ensembles.get(song.corpus, ())
    return Example(
        kind=_KINDS[song.corpus],
        genre=str(rng.choice(genres)) if genres else "",
        style="",
        song=f"{song.corpus}/{song.id}",
        chart=make_chart(damaged),
        key=score.key,
        chords=damaged.chords,
        tracks=tuple(playable(track) for track in tracks),
        timeline=score.timeline,
    )


def roles_of(song: SymbolicSong, timeline: Timeline, rng: np.random.Generator) -> tuple[Track, ...]:
    """Who plays what in a song, at most one of each role, in the order of Role."""
    if song.corpus == "freedoom":
        found = _band(song, timeline)
    elif song.corpus == "openscore_quartets":
        parts = song.performance.parts[: len(_QUARTET)]
        named = [
            (role, _track(role, part.notes, part.program, timeline))
            for role, part in zip(_QUARTET, parts, strict=False)
        ]
        found = {role: _breathing(track, rng) for role, track in named}
    else:
        found = _piano(song, timeline, rng)
    return tuple(found[role] for role in Role if role in found and found[role].notes)


def _piano(song: SymbolicSong, timeline: Timeline, rng: np.random.Generator) -> dict[Role, Track]:
    found: dict[Role, Track] = {}
    for part in song.performance.parts:
        role = {"MELODY": Role.MELODY, "BRIDGE": Role.COUNTER}.get(part.name, Role.CHORDS)
        if role not in found:
            track = _track(role, part.notes, part.program, timeline)
            found[role] = track if song.corpus == "pop909" else _breathing(track, rng)
    if Role.CHORDS in found and rng.random() < _BASS_SHARE:
        left, right = _hands(found[Role.CHORDS].notes)
        if min(len(left), len(right)) >= _FEWEST_NOTES:
            program = found[Role.CHORDS].program
            found[Role.BASS] = Track("bass", Role.BASS, program, False, left)
            found[Role.CHORDS] = replace(found[Role.CHORDS], notes=right)
    return found


def _hands(notes: Sequence[Note]) -> tuple[tuple[Note, ...], tuple[Note, ...]]:
    """The lowest notes of a piano, where a bass would play them, and the others."""
    left, right = [], []
    for group in struck_together(notes):
        lowest = group[0]
        alone = len(group) == 1 or group[1].pitch - lowest.pitch >= _BASS_GAP
        is_bass = lowest.pitch < _LOWEST_OF_RIGHT_HAND or (
            alone and lowest.pitch < _HIGHEST_BASS and len(group) > 1
        )
        left += [lowest] if is_bass else []
        right += group[1:] if is_bass else group
    return sorted_notes(left), sorted_notes(right)


def _band(song: SymbolicSong, timeline: Timeline) -> dict[Role, Track]:
    """Melody and bass as they are heard; of the others, the busiest part of each manner."""
    told = {part.role: part for part in assign_roles(song.performance)}
    found: dict[Role, Track] = {}
    rest: list[Track] = []
    for part in song.performance.parts:
        role = next(
            (role for role in (Role.BASS, Role.MELODY) if role in told and told[role].notes == part.notes), None
        )
        if part.is_drum:
            continue
        if role is not None:
            found[role] = _track(role, part.notes, part.program, timeline)
        elif len(part.notes) >= _FEWEST_NOTES:
            track = _track(Role.CHORDS, part.notes, part.program, timeline)
            rest.append(replace(track, role=_manner(part.notes, track.notes)))
    tune = found[Role.MELODY].notes if Role.MELODY in found else ()
    for track in sorted(rest, key=lambda track: -len(track.notes)):
        if _doubled_share(track.notes, tune) > _MOST_DOUBLED:
            continue  # an echo of the tune, which is not in the chart as notes
        found.setdefault(track.role, replace(track, name=track.role.value))
    if Role.DRUMS in told:
        drums = told[Role.DRUMS]
        found[Role.DRUMS] = _track(Role.DRUMS, drums.notes, drums.program, timeline)
    return found


def _doubled_share(notes: Sequence[Note], tune: Sequence[Note]) -> float:
    """Share of the notes that repeat one of the tune's, in any octave, less than a beat after it."""
    onsets = np.array([note.onset_beat for note in tune])
    echoed = 0
    for note in notes:
        first, last = np.searchsorted(onsets, (note.onset_beat - 1.0, note.onset_beat + 0.05))
        echoed += any((note.pitch - each.pitch) % 12 == 0 for each in tune[first:last])
    return echoed / max(len(notes), 1)


def _manner(events: Sequence[NoteEvent], notes: Sequence[Note]) -> Role:
    """What a part that neither leads nor is the bass does."""
    length = float(np.mean([note.duration_beat for note in notes]))
    if monophony(events) < _MONOPHONIC:
        return Role.PAD if length > _LONG_BEAT else Role.CHORDS
    beats = len({int(note.onset_beat) for note in notes})
    return Role.ARPEGGIO if len(notes) / max(beats, 1) > _DENSE_PER_BEAT else Role.COUNTER


def _track(role: Role, events: Sequence[NoteEvent], program: int | None, timeline: Timeline) -> Track:
    """The notes that lie inside the song, in its beats."""
    onsets = timeline.beats([event.onset_s for event in events])
    ends = timeline.beats([event.onset_s + event.duration_s for event in events])
    notes = [
        Note(max(float(onset), 0.0), max(float(end - onset), 0.05), event.pitch, event.velocity)
        for event, onset, end in zip(events, onsets, ends, strict=True)
        if -0.1 < onset < timeline.end_beat - 1e-6
    ]
    return Track(role.value, role, program or 0, role is Role.DRUMS, sorted_notes(notes))


def _breathing(track: Track, rng: np.random.Generator) -> Track:
    """A written part, each note a little louder or softer than the next."""
    spread = rng.normal(0.0, _VELOCITY_SPREAD, len(track.notes))
    notes = [
        replace(note, velocity=int(np.clip(note.velocity + each, 1, 127)))
        for note, each in zip(track.notes, spread, strict=True)
    ]
    return replace(track, notes=tuple(notes))
