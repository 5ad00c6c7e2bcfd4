"""Form: whether sections change where they do, and return when they do.

Conventions: sections in seconds, in order. An empty estimate scores 0; a reference of fewer than two sections is
NotMeasurable. The start and the end of the song are no boundaries that anybody has to find.
Source: mir_eval.segment (C. Raffel et al., ISMIR 2014), after M. Levy and M. Sandler (2008) for the pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics.columns import finite
from rearrange.evaluation.metrics.quiet import empty_allowed
from rearrange.score import Section, Timeline

__all__ = ["LabelledSpan", "SectionScores", "section_scores", "section_spans"]

_WINDOW_S, _FINE_WINDOW_S = 3.0, 0.5
_SHORTEST_S = 1e-6


@dataclass(frozen=True, slots=True)
class LabelledSpan:
    """A section of the form, in seconds."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, slots=True)
class SectionScores:
    """F1 of boundaries within 3 s and within 0.5 s, and of the pairs of moments that have one label."""

    boundary_f1: float
    fine_boundary_f1: float
    pairwise_f1: float


def section_spans(sections: Sequence[Section], timeline: Timeline) -> tuple[LabelledSpan, ...]:
    """Sections of a score in seconds."""
    rows = ((timeline.seconds([section.onset_beat, section.end_beat]).tolist(), section) for section in sections)
    return tuple(LabelledSpan(start, end, section.label) for (start, end), section in rows)


def section_scores(reference: Sequence[LabelledSpan], estimate: Sequence[LabelledSpan]) -> SectionScores:
    """How far two readings of the form agree; the estimate is cut or filled to the span of the reference.

    Raises
    ------
    NotMeasurable : the reference has fewer than two sections, or a time is not a number.

    Source: mir_eval.segment.detection (trimmed) and mir_eval.segment.pairwise (frames of 0.1 s).
    """
    from mir_eval import segment

    if len(reference) < 2:
        raise NotMeasurable("no form annotated" if not reference else "a form of one section")
    theirs, labels = _intervals(reference, reference[0].start_s, reference[-1].end_s)
    ours, our_labels = _intervals(estimate, reference[0].start_s, reference[-1].end_s)
    if len(ours) == 0:
        return SectionScores(0.0, 0.0, 0.0)
    with empty_allowed():
        coarse, fine = (
            float(segment.detection(theirs, ours, window=window, trim=True)[2])
            for window in (_WINDOW_S, _FINE_WINDOW_S)
        )
    return SectionScores(coarse, fine, float(segment.pairwise(theirs, labels, ours, our_labels)[2]))


def _intervals(
    spans: Sequence[LabelledSpan], start_s: float, end_s: float
) -> tuple[NDArray[np.float64], list[str]]:
    """Intervals from 0 to the length of the reference, without gap: a section lasts until the next begins."""
    finite([time for span in spans for time in (span.start_s, span.end_s)], "sections")
    inside = [span for span in spans if span.end_s > start_s + _SHORTEST_S and span.start_s < end_s - _SHORTEST_S]
    if not inside:
        return np.zeros((0, 2)), []
    starts = np.array([span.start_s for span in inside]) - start_s
    starts[0] = 0.0
    edges = np.append(starts, end_s - start_s)
    kept = np.diff(edges) > _SHORTEST_S
    return np.stack([edges[:-1], edges[1:]], axis=1)[kept], [
        span.label for span, long in zip(inside, kept, strict=True) if long
    ]
