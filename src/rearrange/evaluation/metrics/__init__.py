"""DESIGN 8's metrics: small pure functions, grouped by what they are about.

Conventions: a perfect input scores 1 and an empty estimate 0, or what the function states; where the reference
makes the question void (no notes, no annotation, silence, NaN), NotMeasurable says why.
"""

from rearrange.evaluation.metrics.chords import chord_agreement, chords_in_reference_beats, heard_chords
from rearrange.evaluation.metrics.content import (
    chroma_frames,
    content_similarity,
    in_reference_beats,
    melody_f1,
)
from rearrange.evaluation.metrics.key import key_agreement
from rearrange.evaluation.metrics.style import (
    HISTOGRAM_SHAPES,
    STYLE_PARTS,
    StyleFit,
    StyleHistograms,
    style_fit,
    style_histograms,
)
from rearrange.evaluation.metrics.variety import (
    distinct_rhythm,
    groove_similarity,
    micro_timing_ms,
    velocity_spread,
)

__all__ = [
    "HISTOGRAM_SHAPES",
    "STYLE_PARTS",
    "StyleFit",
    "StyleHistograms",
    "chord_agreement",
    "chords_in_reference_beats",
    "chroma_frames",
    "content_similarity",
    "distinct_rhythm",
    "groove_similarity",
    "heard_chords",
    "in_reference_beats",
    "key_agreement",
    "melody_f1",
    "micro_timing_ms",
    "style_fit",
    "style_histograms",
    "velocity_spread",
]
