"""Which of several ways to write a passage is the best: how well it keeps the song, and how well its style.

The critics read notes, no likelihoods, and know nothing of the judge of `evaluation`. Each gives a share in
[0, 1]; `WEIGHTS` say what a share is worth.

Conventions: a *passage* is the notes of each role within some bars; `sketch` is what the patterns would play in
those same bars.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rearrange.arranger.charts import ChartBar, chord_lookup
from rearrange.score import CHORD_INTERVALS, Chord, Note, Role, Track
from rearrange.styles import RHYTHM_ROLES

__all__ = ["WEIGHTS", "rating", "ratings"]

Floats = NDArray[np.float64]

WEIGHTS: Mapping[str, float] = {"chords": 2.0, "tune": 1.0, "rhythm": 1.0, "presence": 1.0}
_STEPS = 12  # of a beat, in what rhythm is told from
_NEIGHBOURS = (-1, 0, 1)  # steps by which two onsets may differ and still be alike
# What a listener tells apart in a kit: kicks, snares and their kin, all others.
_LINES = {35: 0, 36: 0, 37: 1, 38: 1, 39: 1, 40: 1}
_OTHERS = 2
_NEAR = (1, 11)  # semitones, octaves aside, that rub


def rating(
    tracks: Sequence[Track], sketch: Sequence[Track], bars: Sequence[ChartBar], chords: Sequence[Chord]
) -> float:
    """How good a passage is, the weighted sum of `ratings`."""
    found = ratings(tracks, sketch, bars, chords)
    return sum(WEIGHTS[name] * value for name, value in found.items())


def ratings(
    tracks: Sequence[Track], sketch: Sequence[Track], bars: Sequence[ChartBar], chords: Sequence[Chord]
) -> dict[str, float]:
    """What each critic says.

    Parameters
    ----------
    tracks, sketch : with the notes of these bars only
    bars : of the chart, in a row
    chords : those played, sorted

    Returns
    -------
    chords : share of what sounds that belongs to the chord, against the sketch's
    tune : share of what sounds that does not rub against the melody
    rhythm : how alike the onsets of each role lie in the bar, against the sketch's
    presence : share of the sketch's roles, bar by bar, that play
    """
    return {
        "chords": min(_in_chords(tracks, chords) / max(_in_chords(sketch, chords), 1e-6), 1.0),
        "tune": 1.0 - _rubbing(tracks, [note for bar in bars for note in bar.melody]),
        "rhythm": _alike(tracks, sketch, bars),
        "presence": _presence(tracks, sketch, bars),
    }


def _pitched(tracks: Sequence[Track]) -> list[Note]:
    return [note for track in tracks if track.role not in RHYTHM_ROLES for note in track.notes]


def _in_chords(tracks: Sequence[Track], chords: Sequence[Chord]) -> float:
    chord_at = chord_lookup(chords)
    inside = total = 0.0
    for note in _pitched(tracks):
        chord = chord_at(note.onset_beat)
        if chord is None:
            continue
        total += note.duration_beat
        if (note.pitch - chord.root) % 12 in CHORD_INTERVALS[chord.quality] or note.pitch % 12 == chord.bass:
            inside += note.duration_beat
    return inside / total if total else 1.0


def _rubbing(tracks: Sequence[Track], melody: Sequence[Note]) -> float:
    """Share of what sounds, while the melody does, that is a semitone from it."""
    rubs = total = 0.0
    for note in _pitched(tracks):
        end = note.onset_beat + note.duration_beat
        for sung in melody:
            shared = min(end, sung.onset_beat + sung.duration_beat) - max(note.onset_beat, sung.onset_beat)
            if shared > 0:
                total += shared
                rubs += shared if (note.pitch - sung.pitch) % 12 in _NEAR else 0.0
    return rubs / total if total else 0.0


def _alike(tracks: Sequence[Track], sketch: Sequence[Track], bars: Sequence[ChartBar]) -> float:
    """Mean, over the sketch's roles, of the cosine between where notes begin in the bar."""
    ours, theirs = ({track.role: _profile(track, bars) for track in each} for each in (tracks, sketch))
    cosines = [
        float(profile @ ours[role] / (np.linalg.norm(profile) * np.linalg.norm(ours[role]) + 1e-9))
        if role in ours
        else 0.0
        for role, profile in theirs.items()
        if profile.any()
    ]
    return float(np.mean(cosines)) if cosines else 1.0


def _profile(track: Track, bars: Sequence[ChartBar]) -> Floats:
    """How loudly notes begin at each step of the bar; of a kit, its lines apart."""
    n_steps = round(max(bar.metre.beats_per_bar for bar in bars) * _STEPS)
    rows = np.zeros((_OTHERS + 1, n_steps + 2))
    for bar in bars:
        for note in track.notes:
            if bar.onset_beat - 1e-6 <= note.onset_beat < bar.end_beat - 1e-6:
                step = round((note.onset_beat - bar.onset_beat) * _STEPS) % n_steps
                row = _LINES.get(note.pitch, _OTHERS) if track.is_drum else 0
                for shift in _NEIGHBOURS:
                    rows[row, step + 1 + shift] += note.velocity / (1 + abs(shift))
    return rows.reshape(-1)


def _presence(tracks: Sequence[Track], sketch: Sequence[Track], bars: Sequence[ChartBar]) -> float:
    ours, theirs = _playing(tracks, bars), _playing(sketch, bars)
    return len(ours & theirs) / len(theirs) if theirs else 1.0


def _playing(tracks: Sequence[Track], bars: Sequence[ChartBar]) -> set[tuple[Role, int]]:
    return {
        (track.role, bar.index)
        for track in tracks
        for bar in bars
        if any(bar.onset_beat - 1e-6 <= note.onset_beat < bar.end_beat - 1e-6 for note in track.notes)
    }
