"""The song's grid: a `Timeline` from beats, and whether a MIDI file's own is the music's.

Conventions: a grid is a `Timeline` in quarter notes. Notes *cohere* with a file's if they begin at a constant
distance from its sixteenths or triplets, whatever that distance is. Many files do so and still have their beats
elsewhere: recorded to a click and exported from another bar, or with a time signature that nobody set (1/4).

Limits: the file's tempo is believed where notes cohere with it, half or double as it may be; compound and
irregular metres are believed too.

Measured: of 30 POP909 songs, whose beats lie at any sixteenth of the file's, the right shift is found in all; of
90 Freedoom songs, whose grids are right, none is moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.bars import bar_starts
from rearrange.analysis.beats import BeatTrack
from rearrange.analysis.evidence import Evidence
from rearrange.analysis.metre import Hypothesis, hypotheses
from rearrange.analysis.onsets import FRAME_RATE_HZ
from rearrange.score import Metre, Timeline

__all__ = ["RELEASE_BEAT", "Coherence", "coherence", "fits_as_written", "read_grid", "timeline_from_beats"]

Floats = NDArray[np.float64]

# Unrelated onsets come to 0.05 or so; the loosest of 120 files that keep a grid to 0.43.
_LEAST_COHERENCE = 0.35
_METRES = {4: Metre(4, 4), 3: Metre(3, 4), 2: Metre(6, 8)}  # by felt beats per bar
_PICKUP_BARS = 0.55  # what begins later in its bar than this leads into the next
RELEASE_BEAT = 0.25  # a last note that rings this far into a bar does not open it
_OWN_OFFSET_BEAT = 0.06  # players that lag behind the beat by this much still mean it
_OWN_MARGIN = 2.5  # log odds by which another reading must win: the 90 right grids lose by 1.4 at most
_SHORTEST_BAR_BEATS = 2.0  # a stated bar below two quarters is a default, not a metre


@dataclass(frozen=True, slots=True)
class Coherence:
    """How notes lie to a grid: `share` in [0, 1] and `offset_beat` from its nearest of `divisions` of a beat."""

    share: float
    offset_beat: float
    divisions: int


def coherence(onsets_beat: NDArray[np.floating]) -> Coherence:
    """How closely onsets keep one distance from the sixteenths (4) or the triplets (3) of a grid."""
    best = Coherence(0.0, 0.0, 4)
    for divisions in (4, 3):
        if len(onsets_beat) == 0:
            break
        resultant = complex(np.mean(np.exp(2j * np.pi * divisions * np.asarray(onsets_beat))))
        if abs(resultant) > best.share:
            best = Coherence(abs(resultant), float(np.angle(resultant)) / (2 * np.pi * divisions), divisions)
    return best


def fits_as_written(timeline: Timeline, found: Coherence) -> bool:
    """Whether notes lie on the grid itself, and its bars are bars."""
    return (
        found.share >= _LEAST_COHERENCE
        and abs(found.offset_beat) <= _OWN_OFFSET_BEAT
        and all(metre.beats_per_bar >= _SHORTEST_BAR_BEATS for _, metre in timeline.metres)
    )


def read_grid(
    timeline: Timeline,
    onsets_s: NDArray[np.floating],
    evidence: Evidence,
    *,
    beats_per_bar: Sequence[int] = (3, 4),
) -> Timeline | BeatTrack | None:
    """The file's timeline if its beats and bars hold, else beats at its tempo, else None: track them freely.

    Parameters
    ----------
    onsets_s : (n_notes,) of all notes and drum hits
    evidence : of the same notes
    beats_per_bar : the bars allowed where the file's do not hold
    """
    found = coherence(timeline.beats(onsets_s))
    if found.share < _LEAST_COHERENCE:
        return None
    as_written = fits_as_written(timeline, found)
    stated = timeline.metres[0][1]
    plain = len(timeline.metres) == 1 and stated.denominator == 4 and stated.numerator in (2, 3, 4)
    if as_written and not plain:
        return timeline
    readings = _readings(timeline, onsets_s, evidence, found, beats_per_bar)
    if not readings:
        return timeline if as_written else None
    best = max(readings, key=lambda reading: reading.hypothesis.score)
    if as_written:
        own = [reading for reading in readings if reading.is_written(stated.numerator)]
        kept = max(own, key=lambda reading: reading.hypothesis.score, default=None)
        if kept is not None and kept.hypothesis.score >= best.hypothesis.score - _OWN_MARGIN:
            # Bars of two are read in pairs: four is the bar that patterns are written in.
            return kept.track(readings, evidence) if stated.numerator == 2 else timeline
    return best.track(readings, evidence)


@dataclass(frozen=True)
class _Reading:
    """A hypothesis on the file's grid: its first downbeat is at `downbeat` of the file, in beats."""

    hypothesis: Hypothesis
    downbeat: float
    divisions_off: int

    def is_written(self, numerator: int) -> bool:
        """Whether its beats and bar lines are among the file's."""
        bars = {2: 4}.get(numerator, numerator)
        on_line = abs((self.downbeat + 0.5) % numerator - 0.5) < 2 * _OWN_OFFSET_BEAT
        return self.divisions_off == 0 and self.hypothesis.beats_per_bar == bars and on_line

    def track(self, readings: Sequence["_Reading"], evidence: Evidence) -> BeatTrack:
        """The beats of this reading, and its odds against the others."""
        top = max(each.hypothesis.score for each in readings)
        mass = {id(each): float(np.exp(each.hypothesis.score - top)) for each in readings}
        alike = sum(mass[id(each)] for each in readings if each.divisions_off == self.divisions_off)
        beat_confidence = alike / sum(mass.values())
        chosen = self.hypothesis
        return BeatTrack(
            np.asarray(chosen.beat_frames / FRAME_RATE_HZ, dtype=np.float64),
            chosen.beats_per_bar,
            chosen.phase,
            bar_starts([evidence], chosen.beat_frames, chosen.beats_per_bar, chosen.phase),
            1.0,
            beat_confidence,
            mass[id(self)] / alike,
        )


def _readings(
    timeline: Timeline,
    onsets_s: NDArray[np.floating],
    evidence: Evidence,
    found: Coherence,
    beats_per_bar: Sequence[int],
) -> list[_Reading]:
    """Every reading of the file's tempo, its beats shifted by each division."""
    first, last = (float(beat) for beat in timeline.beats([0.0, float(np.max(onsets_s)) + 1.0]))
    out = []
    for k in range(found.divisions):
        shift = found.offset_beat + k / found.divisions
        beats = np.arange(np.ceil(first - shift), last - shift + 1.0) + shift
        frames = timeline.seconds(beats) * FRAME_RATE_HZ
        for hypothesis in hypotheses([evidence], frames, beats_per_bar=beats_per_bar):
            out.append(_Reading(hypothesis, float(beats[hypothesis.phase]) - found.offset_beat, k))
    return out


def timeline_from_beats(track: BeatTrack, first_s: float, last_s: float) -> Timeline:
    """Beat 0 on the downbeat of the bar in which the music begins, or after its pickup; whole bars to the end.

    Parameters
    ----------
    first_s, last_s : when the first note begins and the last one ends, in seconds
    """
    metre = _METRES[track.beats_per_bar]
    unit = metre.beats_per_bar / track.beats_per_bar
    indices = np.arange(len(track.times_s))
    position, last = (float(np.interp(time, track.times_s, indices)) for time in (first_s, last_s))
    starts = _bars_everywhere(track, len(indices))
    bar = max(int(np.searchsorted(starts, position + 0.15, side="right")) - 1, 0)
    starts_late = position + 0.15 - starts[bar] > _PICKUP_BARS * (starts[bar + 1] - starts[bar])
    # A bar that begins before the recording does is not whole: what sounds of it is a pickup.
    first = bar + 1 if starts[bar] < 0 or starts_late else bar
    stop = max(int(np.searchsorted(starts, last - RELEASE_BEAT / unit, side="left")), first + 1)
    zero = int(starts[first])
    return Timeline(
        tuple(float(beat) for beat in (indices - zero) * unit),
        tuple(float(time) for time in track.times_s),
        _metres(np.diff(starts[first : stop + 1]), metre, unit),
        float((starts[stop] - zero) * unit),
        track.beat_confidence * (0.5 + 0.5 * track.bar_confidence),
    )


def _bars_everywhere(track: BeatTrack, n_beats: int) -> NDArray[np.int64]:
    """The track's bar lines, carried on by two usual bars before its first beat and past its last."""
    n, known = track.beats_per_bar, track.bar_starts
    if len(known) == 0:
        known = np.array([track.phase])
    before = np.arange(known[0] - n * (2 + known[0] // n), known[0], n)
    after = known[-1] + n * np.arange(1, max(n_beats - int(known[-1]), 0) // n + 3)
    return np.concatenate([before, known, after]).astype(np.int64)


def _metres(lengths: NDArray[np.int64], usual: Metre, unit: float) -> tuple[tuple[float, Metre], ...]:
    """Where the metre changes, in beats; `lengths` are the bars' felt beats of `unit` quarters."""
    changes: list[tuple[float, Metre]] = []
    onset = 0.0
    for length in lengths:
        eighths = round(float(length) * unit * 2)
        same = eighths == usual.beats_per_bar * 2
        metre = usual if same else Metre(eighths, 8) if usual.denominator == 8 else Metre(eighths // 2, 4)
        if not changes or changes[-1][1] != metre:
            changes.append((onset, metre))
        onset += float(length) * unit
    return tuple(changes)
