"""Harmony as the genre hears it: the song's chords coloured, and here and there another chord on the way.

A colour is kept for the whole song (the same chord sounds the same each time), and is dropped where it
would grate against the melody. Reharmonisations only fill the last beats before a chord change, and only where
the melody agrees; the chord of each bar's first beat is never changed.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rearrange.arranger.groove import generator_for
from rearrange.genre import Harmony
from rearrange.score import CHORD_INTERVALS, Chord, Key, Note

__all__ = ["coloured", "reharmonised"]

# How much less like the song a colour may make its chord, as a cosine.
_COLOUR_COST = 0.04
# A melody note at least this long is heard as part of the harmony.
_LONG_NOTE_BEAT = 0.5


def coloured(
    chords: Sequence[Chord],
    harmony: Harmony,
    melody: Sequence[Note],
    heard_between: Callable[[float, float], NDArray[np.float64]],
    *,
    amount: float,
    seed: int,
) -> tuple[Chord, ...]:
    """Chords with the genre's extensions, where the song itself hints at them or at least does not mind.

    Parameters
    ----------
    heard_between : the 12 pitch-class weights that the song plays between two beats
    amount : 0 leaves the chords alone, 1 is as the genre file says, 2 is twice as often and twice as bold
    """
    weights: dict[tuple[int, str], NDArray[np.float64]] = {}
    for chord in chords:
        key = (chord.root, chord.quality)
        weights[key] = weights.get(key, np.zeros(12)) + heard_between(chord.onset_beat, chord.end_beat)
    choices = {
        key: _colour(key, weights[key], harmony, amount, generator_for(seed, "colour", *key)) for key in weights
    }
    result = []
    for chord in chords:
        quality = choices[(chord.root, chord.quality)]
        added = {(chord.root + i) % 12 for i in CHORD_INTERVALS[quality]} - set(chord.pitch_classes)
        if any(_grates(pitch_class, chord, melody) for pitch_class in added):
            quality = chord.quality
        result.append(replace(chord, quality=quality))
    return tuple(result)


def _colour(
    key: tuple[int, str],
    weights: NDArray[np.float64],
    harmony: Harmony,
    amount: float,
    generator: np.random.Generator,
) -> str:
    """The quality that a chord takes: of the genre's options that the song tolerates, chance picks one."""
    root, quality = key
    if generator.random() >= min(harmony.colour_probability * amount, 1.0):
        return quality
    least = _likeness(root, quality, weights) - _COLOUR_COST * amount
    options = [option for option in harmony.colour.get(quality, ()) if _likeness(root, option, weights) >= least]
    return str(generator.choice(options)) if options else quality


def _likeness(root: int, quality: str, weights: NDArray[np.float64]) -> float:
    """Cosine between a chord's tones and what was heard; 1 if nothing was."""
    tones = np.zeros(12)
    tones[[(root + i) % 12 for i in CHORD_INTERVALS[quality]]] = 1.0
    norm = float(np.linalg.norm(weights) * np.linalg.norm(tones))
    return float(weights @ tones) / norm if norm > 0 else 1.0


def _grates(pitch_class: int, chord: Chord, melody: Sequence[Note]) -> bool:
    """Whether a tone lies a semitone from a long melody note over the chord."""
    return any(
        note.duration_beat >= _LONG_NOTE_BEAT
        and chord.onset_beat - 1e-6 <= note.onset_beat < chord.end_beat
        and (note.pitch - pitch_class) % 12 in (1, 11)
        for note in melody
    )


def reharmonised(
    chords: Sequence[Chord], harmony: Harmony, key: Key, melody: Sequence[Note], *, amount: float, seed: int
) -> tuple[Chord, ...]:
    """Chords with approach chords where the genre likes them: ii–V, tritone substitute, and their kin.

    A substitution takes the last beat (a ii–V the last two) of a chord that lasts at least twice as long.
    """
    result: list[Chord] = []
    for i, chord in enumerate(chords):
        target = chords[i + 1] if i + 1 < len(chords) else None
        adjoining = target is not None and abs(target.onset_beat - chord.end_beat) < 1e-6
        if target is None or not adjoining or target.root == chord.root or chord.duration_beat < 2 - 1e-6:
            result.append(chord)
            continue
        generator = generator_for(seed, "reharmonise", i)
        approach = _approach(chord, target, harmony, key, amount=amount, generator=generator)
        length = sum(c.duration_beat for c in approach)
        fits = approach and length * 2 <= chord.duration_beat + 1e-6
        if not fits or not all(_agrees(c, melody) for c in approach):
            result.append(chord)
            continue
        result.append(replace(chord, duration_beat=chord.duration_beat - length))
        result.extend(approach)
    return tuple(result)


def _approach(
    chord: Chord, target: Chord, harmony: Harmony, key: Key, *, amount: float, generator: np.random.Generator
) -> list[Chord]:
    """The chords that lead into `target` in place of the end of `chord`; empty if chance says none."""
    interval = (target.root - chord.root) % 12
    minor = CHORD_INTERVALS[target.quality][1:2] == (3,)
    dominant = CHORD_INTERVALS[chord.quality][-1:] == (10,) and interval == 5
    end = target.onset_beat

    def on(root: int, quality: str, onset: float, length: float) -> Chord:
        return Chord(onset, length, root % 12, quality, root % 12, chord.confidence)

    fifth_above = target.root + 7
    options: list[tuple[str, list[Chord]]] = [
        (
            "two_five",
            [on(target.root + 2, "min7b5" if minor else "min7", end - 2, 1), on(fifth_above, "7", end - 1, 1)],
        ),
        ("secondary_dominant", [on(fifth_above, "7", end - 1, 1)]),
    ]
    if dominant:
        options.insert(0, ("tritone_sub", [on(target.root + 1, "7", end - 1, 1)]))
    if interval == 2:
        options.insert(0, ("passing_diminished", [on(chord.root + 1, "dim7", end - 1, 1)]))
    if target.root == key.tonic and not minor:
        options.append(("backdoor", [on(target.root + 10, "7", end - 1, 1)]))
    if chord.quality in ("maj", "maj7") and chord.duration_beat >= 4:
        half = chord.duration_beat / 2
        options.append(("relative", [on(chord.root + 9, "min7", end - half, half)]))
    for name, approach in options:
        if generator.random() < harmony.reharmonise.get(name, 0.0) * amount:
            return approach
    return []


def _agrees(chord: Chord, melody: Sequence[Note]) -> bool:
    """Whether every long melody note over the chord is one of its tones, or a ninth, eleventh or thirteenth."""
    tones = {*chord.pitch_classes, *((chord.root + i) % 12 for i in (2, 9))}
    return all(
        note.pitch % 12 in tones
        for note in melody
        if note.duration_beat >= _LONG_NOTE_BEAT
        and note.onset_beat < chord.end_beat - 1e-6
        and note.onset_beat + note.duration_beat > chord.onset_beat + 1e-6
    )
