"""A song cut into passages that can be written side by side, and which of them return.

A passage is a few bars of one section in one metre. One that has the chords of an earlier one of the same
label, and its place in the section, returns: it is that passage again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rearrange.arranger.charts import Chart, ChartBar, clipped_chords
from rearrange.arranger.vocabulary import QUALITY_OF
from rearrange.score import Chord

__all__ = ["Passage", "passages"]

_MOST_BARS = 4
_LEAST_BARS = 2  # what is left of a section is a passage of its own from here on


@dataclass(frozen=True, slots=True)
class Passage:
    """Bars in a row, as indices of a chart.

    Parameters
    ----------
    again : index, among the song's passages, of the first one that this is again; None for what is new
    """

    bars: range
    again: int | None = None


def passages(chart: Chart, chords: Sequence[Chord], lengths: Sequence[int], *, most_words: int) -> list[Passage]:
    """The passages of a song, in order.

    Parameters
    ----------
    chords : those played, sorted; none where they do not matter, to drums
    lengths : about how many words each bar takes
    most_words : of a passage, unless one bar alone has more
    """
    found: list[Passage] = []
    seen: dict[tuple[object, ...], int] = {}
    for run in _runs(chart):
        for bars in _cut(run, lengths, most_words):
            first = chart.bars[bars[0]]
            same = (first.label, first.bar_in_section, *(_content(chart.bars[index], chords) for index in bars))
            found.append(Passage(bars, seen.get(same)))
            seen.setdefault(same, len(found) - 1)
    return found


def _runs(chart: Chart) -> list[range]:
    """Stretches of one section and one metre."""
    starts = [
        bar.index
        for before, bar in zip((None, *chart.bars), chart.bars, strict=False)
        if before is None or (before.section, before.metre) != (bar.section, bar.metre)
    ]
    return [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(chart.bars)], strict=True)]


def _cut(run: range, lengths: Sequence[int], most_words: int) -> list[range]:
    pieces: list[range] = []
    start = run.start
    while start < run.stop:
        stop, words = start + 1, lengths[start]
        while stop < min(start + _MOST_BARS, run.stop) and words + lengths[stop] <= most_words:
            words += lengths[stop]
            stop += 1
        left = run.stop - stop
        if 0 < left < _LEAST_BARS and words + sum(lengths[stop : run.stop]) <= most_words:
            stop = run.stop
        pieces.append(range(start, stop))
        start = stop
    return pieces


def _content(bar: ChartBar, chords: Sequence[Chord]) -> tuple[object, ...]:
    """What has to be equal where a bar returns."""
    over = tuple(
        (round(4 * (chord.onset_beat - bar.onset_beat)), chord.root, QUALITY_OF[chord.quality])
        for chord in clipped_chords(chords, bar.onset_beat, bar.end_beat)
    )
    loudness = round(2 * bar.energy)  # quiet, middling, loud
    return (str(bar.metre), bar.variation, bar.is_fill, bar.is_silent, loudness, over)
