"""What was heard against what is there: separation, notes, drums, beats, harmony and form.

Conventions: each function gives the cells of one question; what the reference does not know is a void cell with
its reason. Times are seconds from the start of the excerpt.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio
from rearrange.evaluation.measure import Measure, NotMeasurable, measured
from rearrange.evaluation.metrics import (
    beat_scores,
    chord_agreement,
    chords_in_reference_beats,
    downbeat_f1,
    drum_scores,
    key_agreement,
    note_scores,
    section_scores,
    section_spans,
    separation_sdr,
    tempo_acc1,
    tempo_acc2,
)
from rearrange.score import Chord, Key, NoteEvent, Performance, Score, Section, Timeline

__all__ = [
    "beat_measures",
    "drum_measures",
    "form_measures",
    "harmony_measures",
    "note_measures",
    "pitched_notes",
    "separation_measures",
    "tempo_of",
]

Floats = NDArray[np.float64]
_STEMS = ("drums", "bass", "other", "vocals")
_PITCHED = ("vocals", "bass", "other")
_THREE_VOICES = ("kick", "snare", "hat")


def separation_measures(
    reference: Mapping[str, Audio] | None, estimate: Mapping[str, Audio]
) -> Mapping[str, Measure]:
    """SI-SDR of each stem."""
    if reference is None:
        return {f"sdr_{name}": Measure(None, "no stems known") for name in _STEMS}
    try:
        scores = separation_sdr(reference, estimate)
    except NotMeasurable as exc:
        return {f"sdr_{name}": Measure(None, str(exc)) for name in _STEMS}
    silent = Measure(None, "the stem is silent or not known")
    return {f"sdr_{name}": Measure(scores[name]) if name in scores else silent for name in _STEMS}


def note_measures(reference: Performance | None, estimate: Performance) -> Mapping[str, Measure]:
    """Onset F1 of each pitched stem and of all together."""
    whole = all_notes_measures(reference, pitched_notes(estimate))
    parts = {}
    for name in _PITCHED:
        ours = estimate.part(name)

        def score(name: str = name, heard: Sequence[NoteEvent] = ours.notes if ours else ()) -> float:
            return note_scores(_notes_of(reference, name), heard).onset_f1

        parts[f"notes_{name}"] = measured(score)
    return {**whole, **parts}


def all_notes_measures(reference: Performance | None, estimate: Sequence[NoteEvent]) -> Mapping[str, Measure]:
    """Onset F1, and onset and offset F1, of every pitched note of the band."""

    def truth() -> Sequence[NoteEvent]:
        if reference is None:
            raise NotMeasurable("no notes known")
        return pitched_notes(reference)

    return {
        "notes_all": measured(lambda: note_scores(truth(), estimate).onset_f1),
        "notes_all_offset": measured(lambda: note_scores(truth(), estimate).onset_offset_f1),
    }


def pitched_notes(performance: Performance) -> tuple[NoteEvent, ...]:
    """Every note that is no drum hit, in order."""
    notes = [note for part in performance.parts if not part.is_drum for note in part.notes]
    return tuple(sorted(notes, key=lambda note: (note.onset_s, note.pitch)))


def _notes_of(reference: Performance | None, name: str) -> Sequence[NoteEvent]:
    if reference is None:
        raise NotMeasurable("no notes known")
    part = reference.part(name)
    if part is None:
        raise NotMeasurable("nobody plays this part")
    return part.notes


def drum_measures(
    reference: Mapping[str, Sequence[float] | Floats] | None, estimate: Mapping[str, Sequence[float] | Floats]
) -> Mapping[str, Measure]:
    """F1 of each drum, and the mean of those of kick, snare and hat that are played."""
    if reference is None:
        return {"drums_mean": Measure(None, "no drum hits known")}
    try:
        scores = drum_scores(reference, estimate)
    except NotMeasurable as exc:
        return {"drums_mean": Measure(None, str(exc))}
    three = [scores[name] for name in _THREE_VOICES if name in scores]
    mean = Measure(float(np.mean(three))) if three else Measure(None, "neither kick nor snare nor hat is played")
    return {"drums_mean": mean, **{f"drums_{name}": Measure(score) for name, score in scores.items()}}


def beat_measures(
    reference_s: Floats | None,
    reference_downbeats_s: Floats | None,
    estimate_s: Floats,
    estimate_downbeats_s: Floats | None,
    *,
    reference_bpm: float | None = None,
    estimate_bpm: float,
) -> Mapping[str, Measure]:
    """Beats, downbeats and tempo; `reference_bpm` where only the tempo is known."""

    def known(times_s: Floats | None, what: str) -> Floats:
        if times_s is None or len(times_s) == 0:
            raise NotMeasurable(f"no {what} known")
        return times_s

    def downbeats() -> float:
        truth = known(reference_downbeats_s, "downbeats")
        if estimate_downbeats_s is None:
            raise NotMeasurable("it finds no downbeats")
        return downbeat_f1(truth, estimate_downbeats_s)

    def tempo() -> float:
        if reference_bpm is not None:
            return reference_bpm
        return tempo_of(known(reference_s, "beats"))

    return {
        "beats": measured(lambda: beat_scores(known(reference_s, "beats"), estimate_s).f1),
        "cmlt": measured(lambda: beat_scores(known(reference_s, "beats"), estimate_s).cmlt),
        "amlt": measured(lambda: beat_scores(known(reference_s, "beats"), estimate_s).amlt),
        "downbeats": measured(downbeats),
        "tempo": measured(lambda: tempo_acc1(tempo(), estimate_bpm)),
        "tempo_octave": measured(lambda: tempo_acc2(tempo(), estimate_bpm)),
    }


def tempo_of(beats_s: Floats) -> float:
    """Beats per minute, by the median distance.

    Raises
    ------
    NotMeasurable : there are no two beats.
    """
    if len(beats_s) < 2:
        raise NotMeasurable("no tempo of fewer than two beats")
    return 60.0 / float(np.median(np.diff(beats_s)))


def harmony_measures(
    chords: Sequence[Chord] | None, key: Key | None, timeline: Timeline | None, heard: Score
) -> Mapping[str, Measure]:
    """Chords and key; `chords` are in beats of `timeline`, the true one."""

    def agreement(vocabulary: str) -> float:
        if not chords or timeline is None:
            raise NotMeasurable("no chords known")
        moved = chords_in_reference_beats(heard.chords, heard.timeline, timeline)
        return chord_agreement(chords, moved, vocabulary=vocabulary)

    def key_score() -> float:
        if key is None:
            raise NotMeasurable("no key known")
        return key_agreement(key, heard.key)

    return {
        "chords": measured(agreement, "majmin"),
        "sevenths": measured(agreement, "sevenths"),
        "key": measured(key_score),
    }


def form_measures(
    sections: Sequence[Section] | None, timeline: Timeline | None, heard: Score
) -> Mapping[str, Measure]:
    """Borders of sections."""

    def boundaries() -> float:
        if not sections or timeline is None:
            raise NotMeasurable("no form known")
        truth = section_spans(sections, timeline)
        return section_scores(truth, section_spans(heard.sections, heard.timeline)).boundary_f1

    return {"boundaries": measured(boundaries)}
