"""Scenes at another tempo and in another key: SCENE_S of a song, or what is heard of a take at another speed.

An excerpt is played humanly: tempo, transposition, timing and velocities are drawn anew.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rearrange.score import Chord
from rearrange.training.scenes import SCENE_S, Scene

__all__ = ["at_speed", "excerpt"]

_TEMPO_RATIO = (0.85, 1.18)  # beyond, drumming sounds like another tempo's
_TRANSPOSITION = 5  # semitones either way
_TIMING_S = 0.006  # deviation of onsets that were quantised; played ones have their own


def excerpt(whole: Scene, rng: np.random.Generator, *, is_quantised: bool, start_s: float | None = None) -> Scene:
    """SCENE_S of a song, at another tempo and pitch, played humanly.

    Parameters
    ----------
    is_quantised : whether its onsets are where they are written; those of people are late and early already
    start_s : where it begins; drawn, if not given
    """
    timing_s = _TIMING_S if is_quantised else 0.0
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
