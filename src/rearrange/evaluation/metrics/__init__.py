"""DESIGN 8's metrics: small pure functions, grouped by what they are about.

Conventions: a perfect input scores 1 and an empty estimate 0, or what the function states; where the reference
makes the question void (no notes, no annotation, silence, NaN), NotMeasurable says why.
"""

from rearrange.evaluation.metrics.beats import (
    BeatScores,
    beat_scores,
    downbeat_f1,
    tempo_acc1,
    tempo_acc2,
)
from rearrange.evaluation.metrics.chords import (
    chord_agreement,
    chords_in_reference_beats,
    heard_chords,
    note_events,
)
from rearrange.evaluation.metrics.content import (
    FRAMES_PER_BEAT,
    chroma_frames,
    content_similarity,
    in_reference_beats,
    melody_f1,
)
from rearrange.evaluation.metrics.key import (
    heard_key,
    key_agreement,
)
from rearrange.evaluation.metrics.sections import (
    LabelledSpan,
    SectionScores,
    section_scores,
    section_spans,
)
from rearrange.evaluation.metrics.separation import (
    SDR_CEILING_DB,
    SDR_FLOOR_DB,
    separation_sdr,
    si_sdr,
)
from rearrange.evaluation.metrics.sound import (
    audio_chroma_similarity,
    chroma_to_notes,
    clipped_share,
    silence_share,
    spectral_distance,
)
from rearrange.evaluation.metrics.style import (
    HISTOGRAM_SHAPES,
    STYLE_PARTS,
    StyleFit,
    StyleHistograms,
    style_fit,
    style_histograms,
)
from rearrange.evaluation.metrics.transcription import (
    DRUM_CLASSES,
    NoteScores,
    drum_onsets,
    drum_scores,
    note_scores,
)
from rearrange.evaluation.metrics.variety import (
    distinct_rhythm,
    groove_similarity,
    micro_timing_ms,
    velocity_spread,
)

__all__ = [
    "DRUM_CLASSES",
    "FRAMES_PER_BEAT",
    "HISTOGRAM_SHAPES",
    "SDR_CEILING_DB",
    "SDR_FLOOR_DB",
    "STYLE_PARTS",
    "BeatScores",
    "LabelledSpan",
    "NoteScores",
    "SectionScores",
    "StyleFit",
    "StyleHistograms",
    "audio_chroma_similarity",
    "beat_scores",
    "chord_agreement",
    "chords_in_reference_beats",
    "chroma_frames",
    "chroma_to_notes",
    "clipped_share",
    "content_similarity",
    "distinct_rhythm",
    "downbeat_f1",
    "drum_onsets",
    "drum_scores",
    "groove_similarity",
    "heard_chords",
    "heard_key",
    "in_reference_beats",
    "key_agreement",
    "melody_f1",
    "micro_timing_ms",
    "note_events",
    "note_scores",
    "section_scores",
    "section_spans",
    "separation_sdr",
    "si_sdr",
    "silence_share",
    "spectral_distance",
    "style_fit",
    "style_histograms",
    "tempo_acc1",
    "tempo_acc2",
    "velocity_spread",
]
