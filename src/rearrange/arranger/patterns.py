"""The rule-based arranger: a chart and a genre become an arrangement.

It keeps the song's chords, form, energy and melody, and takes rhythm, instruments and manner from the genre's
patterns. How far it goes is set by dials in [0, 1]; at 0.5 the genre is played as its file says, below that the
song's own parts stay longer (in the order of `_KEEP_BELOW`), above it everything is done more.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rearrange.arranger.bass import bass_line
from rearrange.arranger.charts import Chart, chord_lookup
from rearrange.arranger.colour import coloured, reharmonised
from rearrange.arranger.groove import Hit, generator_for, play
from rearrange.arranger.melody import doubled, melody_line
from rearrange.arranger.parts import arpeggio_part, chord_part, counter_part, drum_part
from rearrange.arranger.rhythm import place
from rearrange.genre import RHYTHM_ROLES, Genre, RoleSpec, Style
from rearrange.score import Chord, Metre, Note, Role, Score, Timeline, Track, sorted_notes

__all__ = ["Dials", "Session", "arrange_tracks", "choose_style", "played_chords"]

# Below this rhythm dial a role keeps the song's own part (if the song has one): drums give way to the genre
# first, because rhythm carries genre, and chords last.
_KEEP_BELOW = {Role.DRUMS: 0.1, Role.PERCUSSION: 0.1, Role.BASS: 0.2, Role.CHORDS: 0.3}
_SWAP_INSTRUMENTS_FROM = 0.25
_DOUBLE_FROM_ENERGY = 0.6
_SHORTEST_BEAT = 0.1


@dataclass(frozen=True, slots=True)
class Dials:
    """How far each side of the song moves towards the genre, each in [0, 1]."""

    rhythm: float
    harmony: float
    instruments: float
    ornament: float


@dataclass(frozen=True, slots=True)
class Session:
    """What every part of one arrangement is made from.

    `score` is the song in the arrangement's beats; `chords` are what is played (see `played_chords`);
    `timeline` is the arrangement's, for timing in ms; `beat_ratio` its beats per beat of the song. `redone` has
    the seeds of parts that have one of their own.
    """

    score: Score
    chart: Chart
    genre: Genre
    style: Style
    dials: Dials
    chords: Sequence[Chord]
    timeline: Timeline
    beat_ratio: float
    seed: int
    redone: Mapping[Role, int] = field(default_factory=dict)

    def seed_of(self, role: Role) -> int:
        """What the notes of a part are drawn by; its instrument is drawn by `seed`."""
        return self.redone.get(role, self.seed)


def choose_style(genre: Genre, metre: Metre, tempo_bpm: float, *, seed: int, name: str | None = None) -> Style:
    """The genre's style for a metre and tempo; among those that fit, the seed decides.

    Raises
    ------
    ValueError : the genre has no style called `name`.
    """
    if name is not None:
        for style in genre.styles:
            if style.name == name:
                return style
        raise ValueError(f"{genre.name} has no style {name!r}; it has {', '.join(s.name for s in genre.styles)}")

    def misfit(style: Style) -> float:
        low, high = style.tempo_bpm
        outside = abs(np.log(np.clip(tempo_bpm, low, high) / tempo_bpm))
        same = style.metre == metre
        alike = style.metre.beats_per_bar == metre.beats_per_bar
        return float(outside) + (0.0 if same else 0.5 if alike else 1.0)

    least = min(misfit(style) for style in genre.styles)
    fitting = [style for style in genre.styles if misfit(style) <= least + 1e-6]
    return fitting[int(generator_for(seed, "style").integers(len(fitting)))]


def played_chords(chart: Chart, score: Score, genre: Genre, dials: Dials, *, seed: int) -> tuple[Chord, ...]:
    """The song's chords with the genre's approach chords and colours."""
    melody = [note for bar in chart.bars for note in bar.melody]
    amount = 2 * dials.harmony
    changed = reharmonised(score.chords, genre.harmony, score.key, melody, amount=amount, seed=seed)
    return coloured(changed, genre.harmony, melody, chart.heard_between, amount=amount, seed=seed)


def arrange_tracks(
    session: Session,
    *,
    locked: Collection[Role],
    with_melody: bool,
    rewrite: Callable[[Sequence[Track]], Sequence[Track]] | None = None,
) -> tuple[Track, ...]:
    """All tracks of the arrangement, in the order of Role.

    Parameters
    ----------
    locked : roles whose notes stay exactly as the song has them
    with_melody : False where the song's own voice is kept or dropped
    rewrite : what becomes of the parts that the patterns play; None leaves them
    """
    kept = {role for role in Role if role in locked or _stays(role, session)}
    asked = [role for role in Role if role in session.style.roles and role not in kept and role is not Role.MELODY]
    sketch = [track for role in asked if (track := _patterned(role, session)).notes]
    played = {track.role: track for track in (sketch if rewrite is None else rewrite(sketch))}
    tracks: list[Track] = []
    for role in Role:
        own = session.score.track(role)
        if role is Role.MELODY and not with_melody:
            continue
        if role in locked:
            if own is not None:
                tracks.append(_own_part(own, session))
        elif role is Role.MELODY:
            if own is not None and own.notes:
                tracks.extend(_melody_tracks(own, session))
        elif own is not None and role in kept:
            tracks.append(_own_part(own, session))
        elif role in played:
            tracks.append(played[role])
    return _merged(tracks)


def _stays(role: Role, session: Session) -> bool:
    """Whether the song's own part is nearer to what is asked for than the genre's."""
    own = session.score.track(role)
    return own is not None and bool(own.notes) and session.dials.rhythm < _KEEP_BELOW.get(role, 0.0)


def _patterned(role: Role, session: Session) -> Track:
    """One role's part by the genre's patterns."""
    genre, style, chart, chords, seed = (
        session.genre,
        session.style,
        session.chart,
        session.chords,
        session.seed_of(role),
    )
    spec = genre.roles[role]
    placed = place(role, chart, style, genre.energy, density=0.5 + session.dials.rhythm, seed=seed)
    chord_at = chord_lookup(chords)
    hits: list[Hit]
    if role in RHYTHM_ROLES:
        hits = drum_part(placed, chart, crashes=role is Role.DRUMS)
    elif role is Role.BASS:
        generator = generator_for(seed, role, "line")
        hits = bass_line(placed, chart, spec, chords=chords, chord_at=chord_at, generator=generator)
    elif role is Role.ARPEGGIO:
        hits = arpeggio_part(placed, chart, spec, chord_at)
    elif role is Role.COUNTER:
        hits = counter_part(placed, chart, spec, chords, chord_at)
    else:
        hits = chord_part(placed, chart, spec, chords, chord_at)
    notes = play(
        hits,
        style.groove,
        role=role,
        velocity=spec.velocity,
        timeline=session.timeline,
        swing_amount=min(2 * session.dials.rhythm, 1.0),
        generator=generator_for(seed, role, "human"),
    )
    end = session.score.timeline.end_beat
    inside = tuple(_until(note, end) for note in notes if note.onset_beat < end - 1e-6)
    return Track(role.value, role, _program(spec, style, session.seed), role in RHYTHM_ROLES, inside)


def _until(note: Note, end_beat: float) -> Note:
    """A note cut at the song's end."""
    return replace(note, duration_beat=min(note.duration_beat, max(end_beat - note.onset_beat, _SHORTEST_BEAT)))


def _program(spec: RoleSpec, style: Style, seed: int) -> int:
    programs = style.programs.get(spec.role, spec.programs)
    return programs[int(generator_for(seed, "program", spec.role).integers(len(programs)))]


def _own_part(own: Track, session: Session) -> Track:
    """The song's own part, on the genre's instrument unless the dial says otherwise."""
    spec = session.genre.roles.get(own.role)
    if spec is None or session.dials.instruments < _SWAP_INSTRUMENTS_FROM:
        return own
    return replace(own, name=own.role.value, program=_program(spec, session.style, session.seed))


def _melody_tracks(own: Track, session: Session) -> list[Track]:
    genre, dials = session.genre, session.dials
    spec = genre.roles[Role.MELODY]
    notes = melody_line(
        own.notes,
        genre.melody,
        spec,
        session.style.groove,
        key=session.score.key,
        timeline=session.timeline,
        song_swing=session.score.swing if session.beat_ratio == 1 else 1.0,  # in other beats it is not eighths
        beat_ratio=session.beat_ratio,
        rhythm=dials.rhythm,
        ornament=dials.ornament,
        generator=generator_for(session.seed_of(Role.MELODY), Role.MELODY),
    )
    keeps_instrument = dials.instruments < _SWAP_INSTRUMENTS_FROM
    program = own.program if keeps_instrument else _program(spec, session.style, session.seed)
    tracks = [Track("melody", Role.MELODY, program, False, notes, own.confidence)]
    if genre.melody.double != "none" and dials.ornament > 0:
        loud = [n for n in notes if session.chart.bar_at(n.onset_beat).energy >= _DOUBLE_FROM_ENERGY]
        second = doubled(loud, genre.melody.double, session.score.key, spec.range)
        if second:
            tracks.append(Track("melody double", Role.COUNTER, program, False, second))
    return tracks


def _merged(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """Tracks in the order of Role, each with a name of its own."""
    names: dict[str, int] = {}
    result = []
    for track in tracks:
        names[track.name] = names.get(track.name, 0) + 1
        name = track.name if names[track.name] == 1 else f"{track.name} {names[track.name]}"
        result.append(replace(track, name=name, notes=sorted_notes(track.notes)))
    return tuple(result)
