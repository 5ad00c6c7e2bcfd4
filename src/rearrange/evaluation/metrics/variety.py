"""How varied the playing is: rhythm from bar to bar, force, and time around the grid.

Conventions: of every part of the band but the melody, which is the song's, and what doubles it; the figure is the
mean over the parts that play. More is not better: between what a machine repeats and what a beginner scatters lies
what bands do (DESIGN 7: 24 % of a band's bars have distinct rhythms, of pop piano's 40 %). An arrangement in which
nothing but melody plays scores 0.
"""

from collections.abc import Callable, Sequence

import numpy as np

from rearrange.analysis.groove import bar_rhythms, distinct_rhythm_share, neighbour_similarity
from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics.columns import GRID_PER_BEAT, note_columns
from rearrange.score import Bar, Role, Timeline, Track

__all__ = ["distinct_rhythm", "groove_similarity", "micro_timing_ms", "velocity_spread"]

_MS_PER_S = 1000.0


def _mean_of_parts(tracks: Sequence[Track], figure: Callable[[Track], float | None]) -> float:
    """Mean over the parts of the band that play; a part whose figure is None has none."""
    band = [t for t in tracks if t.role is not Role.MELODY and "double" not in t.name and t.notes]
    for track in band:
        note_columns(track.notes)  # refuses what is not a number
    figures = [value for track in band if (value := figure(track)) is not None]
    if band and not figures:
        raise NotMeasurable("too few notes or bars in every part")
    return float(np.mean(figures)) if figures else 0.0


def _checked(bars: Sequence[Bar]) -> Sequence[Bar]:
    if not bars:
        raise NotMeasurable("shorter than a bar")
    return bars


def distinct_rhythm(tracks: Sequence[Track], bars: Sequence[Bar]) -> float:
    """Number of different rhythms over the number of bars played, mean of the parts; in [0, 1].

    A rhythm is which steps of a sixteenths-and-triplets grid have an onset, and of which drum.

    Raises
    ------
    NotMeasurable : there are no bars, or no part plays in any.

    Source: DESIGN 8; `analysis.groove.distinct_rhythm_share`.
    """

    def share(track: Track) -> float | None:
        return distinct_rhythm_share(track, bars) or None

    _checked(bars)
    return _mean_of_parts(tracks, share)


def groove_similarity(tracks: Sequence[Track], bars: Sequence[Bar]) -> float:
    """Overlap of the rhythms of successive bars (intersection over union), mean of the parts; in [0, 1].

    1 where every bar is as the one before it; bars in which a part rests are passed over.

    Raises
    ------
    NotMeasurable : there are no bars, or no part plays in two.

    Source: after the grooving similarity of S.-L. Wu and Y.-H. Yang (ISMIR 2020), there 1 less the share of
    steps that differ, which silent steps dominate.
    """

    def overlap(track: Track) -> float | None:
        return neighbour_similarity(track, bars) if len(bar_rhythms(track, bars)) > 1 else None

    _checked(bars)
    return _mean_of_parts(tracks, overlap)


def velocity_spread(tracks: Sequence[Track]) -> float:
    """Standard deviation of MIDI velocity within a part, mean of the parts that have two notes or more.

    Raises
    ------
    NotMeasurable : no part has two notes.
    """

    def spread(track: Track) -> float | None:
        return float(np.std([note.velocity for note in track.notes])) if len(track.notes) > 1 else None

    return _mean_of_parts(tracks, spread)


def micro_timing_ms(tracks: Sequence[Track], timeline: Timeline) -> float:
    """Standard deviation of onsets from the nearest twelfth of a beat, in ms, mean of the parts.

    Swing that lies between the steps of the grid counts as micro-timing too. Nothing can lie further off than half
    a step: 21 ms at 120 bpm.

    Raises
    ------
    NotMeasurable : no part has two notes, or an onset is not a number.
    """

    def spread(track: Track) -> float | None:
        onsets = note_columns(track.notes).onset_beat
        if len(onsets) < 2:
            return None
        grid = np.rint(onsets * GRID_PER_BEAT) / GRID_PER_BEAT
        return float(np.std(timeline.seconds(onsets) - timeline.seconds(grid))) * _MS_PER_S

    return _mean_of_parts(tracks, spread)
