"""What bass and accompaniment play, in words, measured from the notes and the chords under them.

Conventions: thresholds are shares of notes or of bars; a part without a plain manner gets no word.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rearrange.arranger.charts import chord_lookup
from rearrange.evaluation.report.stretches import NEAR_BEAT, TOGETHER_BEAT, Onsets
from rearrange.score import Chord

__all__ = ["bass_phrases", "chord_phrases"]

_MOSTLY = 0.7
_NEARLY_ALL = 0.9
_OFTEN = 0.35
_PICKUPS = 0.2  # of the notes off the beat
_SPARSE = 0.6  # attacks per beat
_STEP = 4  # semitones: a walking bass moves by seconds and thirds
_OCTAVE = 12
_SHORT_BEAT = 0.4  # a chop: shorter than an eighth
_HELD_SHARE = 0.8  # of the time to the next attack
# Attacks per beat: half-way between the values, lower side, since players leave out more than they add.
_QUARTERS, _EIGHTHS = 0.75, 1.6
_FEWEST_NOTES = 3
_ONE_VOICE = 1.5  # notes struck together, on average


def bass_phrases(bass: Onsets, chords: Sequence[Chord]) -> tuple[str, ...]:
    """The manner of a bass line in a stretch; empty if it has none that is plain."""
    phrase = _bass_phrase(bass, chords)
    return (phrase,) if phrase else ()


def chord_phrases(notes: Onsets) -> tuple[str, ...]:
    """The manner of an accompaniment in a stretch; empty if it has none that is plain."""
    phrase = _chord_phrase(notes)
    return (phrase,) if phrase else ()


def _bass_phrase(bass: Onsets, chords: Sequence[Chord]) -> str:
    if len(bass) < _FEWEST_NOTES:
        return ""
    per_beat = len(bass) / (bass.n_bars * bass.beats_per_bar)
    off = float(np.mean(bass.off_beat))
    moves = np.abs(np.diff(bass.pitch))
    degrees = _degrees(bass, chords)
    what = _tones(degrees)
    if float(np.mean(moves == _OCTAVE)) >= _OFTEN:
        what = "octaves"
    walks = float(np.mean((moves > 0) & (moves <= _STEP)))
    if _QUARTERS <= per_beat < _EIGHTHS and off < 1 - _MOSTLY:
        changing = float(np.mean(moves > 0))
        if changing >= _MOSTLY and walks >= 0.5 and what != "octaves":
            return "walking bass in quarters"
        return f"{what or 'a line'} in quarters"
    if per_beat >= _EIGHTHS:
        return f"{what or 'a moving line'} in {bass.values}"
    on_usual = _share_on_usual_beats(bass)
    if off >= _PICKUPS and on_usual >= 0.5 and (beats := _on_usual_beats(bass)):
        return f"{what or 'bass notes'} on {beats} with pickups"
    if off >= _OFTEN:
        return f"syncopated {what or 'bass line'}"
    if per_beat <= _QUARTERS / 2 and _is_held(bass):
        return f"long {what or 'bass notes'}"
    if beats := _on_usual_beats(bass):
        return f"{what or 'bass notes'} on {beats}"
    return what


def _tones(degrees: NDArray[np.int64]) -> str:
    """Roots, or roots and fifths, if the line holds to them."""
    if not len(degrees):
        return ""
    roots, fifths = float(np.mean(degrees == 0)), float(np.mean(degrees == 7))
    if roots >= 1 - 0.15:
        return "roots"
    return "roots and fifths" if roots + fifths >= 1 - 0.15 and fifths >= 0.15 else ""


def _degrees(notes: Onsets, chords: Sequence[Chord]) -> NDArray[np.int64]:
    """Semitones of each note above the root of the chord under it; notes without chord are left out."""
    chord_at = chord_lookup(chords)
    found = [
        (pitch, chord_at(float(onset) + NEAR_BEAT))
        for pitch, onset in zip(notes.pitch, notes.onset_beat, strict=True)
    ]
    return np.array(
        [(int(pitch) - chord.root) % 12 for pitch, chord in found if chord is not None], dtype=np.int64
    )


def _chord_phrase(notes: Onsets) -> str:
    if len(notes) < _FEWEST_NOTES:
        return ""
    attacks, voices = _attacks(notes)
    per_beat = len(attacks) / (notes.n_bars * notes.beats_per_bar)
    if voices < _ONE_VOICE:
        return f"broken chords in {attacks.values}" if per_beat >= _QUARTERS else "single notes"
    off = float(np.mean(attacks.second_half))
    short = float(np.median(attacks.duration_beat)) <= _SHORT_BEAT
    what = "short chords" if short else "chords"
    if off >= _MOSTLY:
        sparse = "sparse " if per_beat < _SPARSE else ""
        return f"{sparse}off-beat {what if not short else 'stabs' if sparse else 'chops'}"
    usual = _on_usual_beats(attacks)
    syncopated = float(np.mean(attacks.off_beat))
    if syncopated < 1 - _MOSTLY:
        if per_beat <= _QUARTERS / 2 and _is_held(attacks):
            return "held chords"
        if attacks.metre.numerator == 4 and usual == "2 and 4":
            return f"{what} on 2 and 4"
        if per_beat >= _QUARTERS:
            return f"{what} in quarters"
        return f"{what} on {usual}" if usual else ""
    if per_beat >= _EIGHTHS and (0.35 <= off <= 0.65 or attacks.values == "sixteenths"):
        between = " between the beats" if syncopated >= _NEARLY_ALL else ""
        return f"{what} in {attacks.values}{between}"
    if per_beat <= _QUARTERS / 2 and _is_held(attacks):
        return "long chords, some pushed ahead of the beat"
    return f"syncopated {'stabs' if short else 'comping'}"


def _attacks(notes: Onsets) -> tuple[Onsets, float]:
    """Each chord struck, as long as its longest note, and how many notes are struck together on average."""
    first = np.concatenate([[True], np.diff(notes.onset_beat) > TOGETHER_BEAT])
    longest = np.maximum.reduceat(notes.duration_beat, np.flatnonzero(first))
    return replace(notes.chosen(first), duration_beat=longest), len(notes) / int(first.sum())


def _is_held(notes: Onsets) -> bool:
    """Whether a note usually sounds until the next one."""
    gaps = np.diff(notes.onset_beat)
    if not len(gaps):
        return True
    return bool(np.mean(notes.duration_beat[:-1] >= _HELD_SHARE * gaps) >= _MOSTLY)


def _on_usual_beats(notes: Onsets) -> str:
    """The beats that usually have a note, "1 and 3"; empty if there are none, or all."""
    usual = notes.usual_beats
    return notes.named(usual) if 0 < len(usual) < len(notes.beats) else ""


def _share_on_usual_beats(notes: Onsets) -> float:
    """Share of the notes that lie on beats which usually have one."""
    on = [np.abs(notes.at_beat - at) < NEAR_BEAT for at in notes.usual_beats]
    return float(np.mean(np.any(on, axis=0))) if on else 0.0
