"""The parts that are not bass or melody: drums, chords, pad, arpeggio and counter line.

Chord parts voice-lead from hit to hit; a held chord is struck again where the harmony changes under it; a
push plays the chord that comes next. The counter line follows the guide tones (thirds and sevenths).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rearrange.arranger.bass import scale_classes
from rearrange.arranger.charts import Chart, changes_between
from rearrange.arranger.groove import Hit
from rearrange.arranger.rhythm import Placed
from rearrange.arranger.voicing import Voicer
from rearrange.general_midi import DRUM_PITCHES
from rearrange.genre import RoleSpec
from rearrange.score import CHORD_INTERVALS, Chord

__all__ = ["arpeggio_part", "chord_part", "counter_part", "drum_part"]

_DRUM_LEVELS = {"x": 1.0, "X": 1.2, "o": 0.5, "?": 0.6}
_CHORD_LEVELS = {"x": 1.0, "X": 1.18, "o": 0.7, "s": 0.95, "p": 1.05, "?": 0.75}
_LEAN = 0.4  # of a voice's level: four decibels at most
_DRUM_LENGTH_BEAT = 0.25
_STAB_BEAT = 0.22
_CRASH = DRUM_PITCHES["crash"]
ChordAt = Callable[[float], Chord | None]


def drum_part(placed: Sequence[Placed], chart: Chart, *, crashes: bool) -> list[Hit]:
    """Hits of the kit; with `crashes`, a crash opens every section that is louder than the one before."""
    hits = [
        Hit(p.onset_beat, _DRUM_LENGTH_BEAT, p.voice, _DRUM_LEVELS[p.symbol] * p.level, p.swings) for p in placed
    ]
    played = {p.bar for p in placed}
    if crashes:
        for before, bar in pairwise(chart.bars):
            louder = chart.section_energy[bar.section] > chart.section_energy[before.section] + 0.08
            if bar.bar_in_section == 0 and louder and bar.variation == "B" and bar.index in played:
                hits.append(Hit(bar.onset_beat, 1.0, _CRASH, 1.0, swings=False))
    return hits


def chord_part(
    placed: Sequence[Placed], chart: Chart, spec: RoleSpec, chords: Sequence[Chord], chord_at: ChordAt
) -> list[Hit]:
    """Hits of a part that plays voicings (chords or pad)."""
    voicer = Voicer(spec.voicing, spec.register)
    hits: list[Hit] = []
    for step in placed:
        level = _CHORD_LEVELS[step.symbol] * step.level
        for onset, end, chord in _spans(step, chords, chord_at):
            length = min(end - onset, _STAB_BEAT) if step.symbol == "s" else end - onset
            heard = chart.heard_between(onset, end)
            pitches = voicer.voice(
                chord,
                _n_voices(spec, chart, step),
                melody_pitch=_melody_pitch(chart, onset),
                evidence=heard,
            )
            balance = _balance(pitches, heard)
            hits += [
                Hit(onset, length, pitch, level * own, step.swings)
                for pitch, own in zip(pitches, balance, strict=True)
            ]
    return hits


def _balance(pitches: Sequence[int], heard: NDArray[np.float64]) -> list[float]:
    """How loud each voice is: the fingers lean on the tones that the song itself leans on."""
    shares = np.array([heard[pitch % 12] for pitch in pitches])
    if shares.sum() <= 0:
        return [1.0] * len(pitches)
    return [float(x) for x in np.clip(1.0 + _LEAN * (shares / shares.mean() - 1.0), 1 - _LEAN, 1 + _LEAN)]


def arpeggio_part(placed: Sequence[Placed], chart: Chart, spec: RoleSpec, chord_at: ChordAt) -> list[Hit]:
    """Hits of a broken chord: digit n is the nth note of the voicing from below, going on in the next octave."""
    voicer = Voicer(spec.voicing, spec.register)
    hits: list[Hit] = []
    current: tuple[tuple[int, str], tuple[int, ...]] | None = None
    for step in placed:
        chord = chord_at(step.next_beat if step.symbol == "p" else step.onset_beat + 1e-4)
        if chord is None:
            continue
        key = (chord.root, chord.quality)
        if current is None or current[0] != key:
            voicing = voicer.voice(
                chord, spec.voices[1], melody_pitch=None, evidence=chart.heard_at(step.onset_beat)
            )
            current = (key, voicing)
        index = int(step.symbol) - 1 if step.symbol.isdigit() else 0
        octave, voice = divmod(index, len(current[1]))
        pitch = current[1][voice] + 12 * octave
        while pitch > spec.range[1]:
            pitch -= 12
        hits.append(Hit(step.onset_beat, step.duration_beat, pitch, step.level, step.swings))
    return hits


def counter_part(
    placed: Sequence[Placed], chart: Chart, spec: RoleSpec, chords: Sequence[Chord], chord_at: ChordAt
) -> list[Hit]:
    """Hits of a line of guide tones; `u` and `d` step through the key's scale."""
    low, high = spec.register
    scale = scale_classes(chart.key)
    pitch = (low + high) // 2
    hits: list[Hit] = []
    for step in placed:
        level = _CHORD_LEVELS.get(step.symbol, 0.9) * step.level
        if step.symbol in "ud":
            side = 1 if step.symbol == "u" else -1
            chord = chord_at(step.onset_beat + 1e-4)
            if chord is None:
                continue
            pitch = _scale_step(pitch, side, scale, spec.range)
            hits.append(Hit(step.onset_beat, step.duration_beat, pitch, level, step.swings))
            continue
        for onset, end, chord in _spans(step, chords, chord_at):
            pitch = _guide_tone(chord, pitch, spec.register, _melody_pitch(chart, onset), chart.heard_at(onset))
            length = min(end - onset, _STAB_BEAT) if step.symbol == "s" else end - onset
            hits.append(Hit(onset, length, pitch, level, step.swings))
    return hits


def _spans(step: Placed, chords: Sequence[Chord], chord_at: ChordAt) -> list[tuple[float, float, Chord]]:
    """(onset, end, chord) of a step: cut where the chord changes while it is held."""
    start, end = step.onset_beat, step.onset_beat + step.duration_beat
    heard_from = step.next_beat if step.symbol == "p" else start
    edges = [start, *changes_between(chords, heard_from, end), end]
    spans = []
    for onset, stop in pairwise(edges):
        chord = chord_at((heard_from if onset == start else onset) + 1e-4)
        if chord is None and step.symbol == "p":
            chord = chord_at(onset + 1e-4)
        if chord is not None:
            spans.append((onset, stop, chord))
    return spans


def _n_voices(spec: RoleSpec, chart: Chart, step: Placed) -> int:
    few, many = spec.voices
    return round(few + (many - few) * chart.bars[step.bar].energy)


def _melody_pitch(chart: Chart, beat: float) -> int | None:
    melody = chart.bar_at(beat).melody
    sounding = [n for n in melody if n.onset_beat <= beat + 1e-3 < n.onset_beat + n.duration_beat]
    return sounding[-1].pitch if sounding else None


def _scale_step(pitch: int, side: int, scale: frozenset[int], limits: tuple[int, int]) -> int:
    moved = pitch + side
    while moved % 12 not in scale:
        moved += side
    return moved if limits[0] <= moved <= limits[1] else pitch


def _guide_tone(
    chord: Chord,
    pitch: int,
    register: tuple[int, int],
    melody_pitch: int | None,
    evidence: NDArray[np.float64],
) -> int:
    """The nearest third or seventh (or what the song itself plays), not in the melody's way."""
    intervals = CHORD_INTERVALS[chord.quality]
    worth = {i: 1.0 if i in (3, 4, 10, 11) else 0.4 for i in intervals}
    total = float(evidence.sum()) or 1.0

    def cost(candidate: int) -> float:
        interval = (candidate - chord.root) % 12
        clash = melody_pitch is not None and abs(candidate - melody_pitch) <= 2
        heard = float(evidence[candidate % 12]) / total
        return abs(candidate - pitch) * 0.4 - 2 * worth[interval] - 3 * heard + 4 * clash

    options = [p for p in range(register[0], register[1] + 1) if (p - chord.root) % 12 in worth]
    return min(options, key=lambda p: (cost(p), p))
