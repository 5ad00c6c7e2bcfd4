"""The tune: the song's own notes, on the genre's instrument, phrased and ornamented as the genre does.

Notes are never added to or taken from the tune itself at ornament 0. The octave is chosen once for the whole song,
so that no phrase jumps; notes that still lie outside the instrument's range are folded back by octaves.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rearrange.arranger.bass import scale_classes
from rearrange.arranger.groove import swung, unswung, without_overlaps
from rearrange.genre import Groove, Melody, RoleSpec
from rearrange.score import Key, Note, Timeline, sorted_notes

__all__ = ["doubled", "melody_line"]

# At rhythm 1 a tune may swing and lag by a fifth of a beat; at 0.5 it stays within a tenth, so that it is still
# the same tune to a listener (and to the melody metric, which allows an eighth).
_FREEDOM_BEAT = 0.2
_HARDLY_SWUNG = 1.15
_GRACE_BEAT = 0.09
_SHORTEST_ORNAMENTED_BEAT = 0.7
_PHRASE_GAP_BEAT = 1.0
_THIRD, _SIXTH = 2, 5  # scale steps below
_SAME_TIME_BEAT = 0.02


def melody_line(
    notes: Sequence[Note],
    melody: Melody,
    spec: RoleSpec,
    groove: Groove,
    *,
    key: Key,
    timeline: Timeline,
    song_swing: float,
    beat_ratio: float,
    rhythm: float,
    ornament: float,
    generator: np.random.Generator,
) -> tuple[Note, ...]:
    """The melody's notes as the genre plays them.

    Parameters
    ----------
    notes : monophonic, in the arrangement's beats
    song_swing : long:short ratio of the notes' own eighths
    beat_ratio : beats of the arrangement per beat of the song
    rhythm : 0 to 1: how far swing and delay may move a note, up to `_FREEDOM_BEAT`
    ornament : 0 (none) to 1 (as many as the genre file says)
    """
    shift = octave_shift(notes, spec)
    freedom_beat = _FREEDOM_BEAT * rhythm * min(beat_ratio, 1.0)
    delay_ms = melody.delay_ms + next((o for r, o in groove.role_offset_ms.items() if r is spec.role), 0.0)
    moved: list[Note] = []
    for i, note in enumerate(notes):
        pitch = _into(note.pitch + shift, spec.range)
        late = delay_ms / 1000 * timeline.tempo_bpm(note.onset_beat) / 60
        late += _reswung(note.onset_beat, song_swing, groove) - note.onset_beat
        onset = note.onset_beat + float(np.clip(late, -freedom_beat, freedom_beat))
        following = notes[i + 1] if i + 1 < len(notes) else None
        end = note.onset_beat + note.duration_beat
        length = note.duration_beat
        if following is None or following.onset_beat - end < _PHRASE_GAP_BEAT / 2:
            length *= melody.articulation  # inside a phrase only: its last note keeps its length
        before = notes[i - 1] if i else None
        free = note.onset_beat - (before.onset_beat + before.duration_beat if before else -4.0)
        early = 0.0
        if (
            _on_beat(note.onset_beat)
            and free >= 0.5
            and generator.random() < melody.anticipate * _excess(ornament)
        ):
            early = 0.5
        level = note.velocity * spec.velocity / 90
        onset -= early
        if note.onset_beat >= 0:  # only a pickup sounds before the song's first beat
            onset = max(onset, 0.0)
        moved.append(Note(onset, max(length + early, 0.1), pitch, int(np.clip(round(level), 1, 127))))
    ornamented = _ornamented(moved, melody, spec.range, key, ornament=ornament, generator=generator)
    return without_overlaps(_one_at_a_time(ornamented))


def octave_shift(notes: Sequence[Note], spec: RoleSpec) -> int:
    """Octaves, in semitones, that bring most of the tune into the instrument's register."""
    if not notes:
        return 0
    pitches = np.array([note.pitch for note in notes])
    weights = np.array([note.duration_beat for note in notes])
    low, high = spec.register

    def cost(shift: int) -> tuple[float, int]:
        outside = np.maximum(low - (pitches + shift), 0) + np.maximum(pitches + shift - high, 0)
        return float(np.sum(outside * weights)), abs(shift)

    return min((12 * octave for octave in range(-4, 5)), key=cost)


def _into(pitch: int, limits: tuple[int, int]) -> int:
    while pitch < limits[0]:
        pitch += 12
    while pitch > limits[1]:
        pitch -= 12
    return pitch


def _on_beat(onset_beat: float) -> bool:
    return abs(onset_beat - round(onset_beat)) < 0.05


def _excess(ornament: float) -> float:
    """Anticipations move notes by half a beat, so they belong to strengths above the middle only."""
    return max(2 * ornament - 1.0, 0.0)


def _reswung(onset_beat: float, song_swing: float, groove: Groove) -> float:
    """A note of the song's own feel in the genre's: its swing taken out, the groove's put in; triplets stay."""
    within = onset_beat % 1.0
    if song_swing < _HARDLY_SWUNG and min(abs(within - 1 / 3), abs(within - 2 / 3)) < 0.04:
        return onset_beat
    return swung(unswung(onset_beat, song_swing), groove)


def _ornamented(
    notes: Sequence[Note],
    melody: Melody,
    limits: tuple[int, int],
    key: Key,
    *,
    ornament: float,
    generator: np.random.Generator,
) -> list[Note]:
    scale = scale_classes(key)
    result: list[Note] = []
    names = [name for name, chance in melody.ornaments.items() if chance > 0]
    for note in notes:
        draw = generator.random()
        kind = None
        for name in names:
            draw -= melody.ornaments[name] * ornament
            if draw < 0:
                kind = name
                break
        if kind is None or note.duration_beat < _SHORTEST_ORNAMENTED_BEAT or 0 <= note.onset_beat < _GRACE_BEAT:
            result.append(note)
            continue
        result.extend(_ornament(kind, note, scale, limits))
    return result


def _ornament(kind: str, note: Note, scale: frozenset[int], limits: tuple[int, int]) -> list[Note]:
    """The notes that replace one note: the ornament takes its time from the note's beginning or middle."""
    upper, lower = _neighbour(note.pitch, 1, scale, limits), _neighbour(note.pitch, -1, scale, limits)
    soft = max(int(note.velocity * 0.75), 1)
    if kind == "grace":
        return [
            Note(note.onset_beat - _GRACE_BEAT, _GRACE_BEAT, lower, soft),
            note,
        ]
    if kind == "slide":
        below = note.pitch - 1 if note.pitch - 1 >= limits[0] else note.pitch
        return [Note(note.onset_beat - _GRACE_BEAT, _GRACE_BEAT, below, soft), note]
    if kind == "repeat":
        half = note.duration_beat / 2
        return [
            replace(note, duration_beat=half),
            replace(note, onset_beat=note.onset_beat + half, duration_beat=half, velocity=soft),
        ]
    # turn, neighbour, trill: decorate the last part of the note and come back to it
    figure = {"turn": (upper, note.pitch, lower), "neighbour": (upper,), "trill": (upper, note.pitch) * 2}[kind]
    unit = 0.125 if kind != "neighbour" else 0.25
    head = note.duration_beat - unit * (len(figure) + 1)
    if head < 0.25:
        return [note]
    pieces = [replace(note, duration_beat=head)]
    for i, pitch in enumerate((*figure, note.pitch)):
        pieces.append(Note(note.onset_beat + head + i * unit, unit, pitch, soft))
    return pieces


def _neighbour(pitch: int, side: int, scale: frozenset[int], limits: tuple[int, int]) -> int:
    moved = next(pitch + side * i for i in (1, 2, 3) if (pitch + side * i) % 12 in scale)
    return moved if limits[0] <= moved <= limits[1] else pitch


def _one_at_a_time(notes: Sequence[Note]) -> list[Note]:
    """Cut each note where the next begins: one breath, one line."""
    ordered = sorted_notes(notes)
    line: list[Note] = []
    for note in ordered:
        if line and note.onset_beat < line[-1].onset_beat + line[-1].duration_beat:
            length = note.onset_beat - line[-1].onset_beat
            if length < _SAME_TIME_BEAT:
                continue
            line[-1] = replace(line[-1], duration_beat=length)
        line.append(note)
    return line


def doubled(notes: Sequence[Note], kind: str, key: Key, limits: tuple[int, int]) -> tuple[Note, ...]:
    """A second voice: the octave below, or a third or sixth below within the scale.

    Raises
    ------
    ValueError : unknown kind.
    """
    if kind == "octave":
        pitches = [note.pitch - 12 for note in notes]
    elif kind in ("third", "sixth"):
        scale = scale_classes(key)
        pitches = [_steps_below(note.pitch, _THIRD if kind == "third" else _SIXTH, scale) for note in notes]
    else:
        raise ValueError(f"unknown doubling {kind!r}")
    return tuple(
        replace(note, pitch=pitch, velocity=max(int(note.velocity * 0.7), 1))
        for note, pitch in zip(notes, pitches, strict=True)
        if limits[0] <= pitch <= limits[1]
    )


def _steps_below(pitch: int, steps: int, scale: frozenset[int]) -> int:
    for _ in range(steps):
        pitch -= 1
        while pitch % 12 not in scale:
            pitch -= 1
    return pitch
