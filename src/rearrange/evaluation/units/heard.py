"""A piece of sound through our ears and through those to be beaten, and then through every system.

Conventions: a rendered band is known exactly; of a recording only what somebody annotated. The arranger is given
what was heard; what it makes is held against what is there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio
from rearrange.errors import RearrangeError
from rearrange.evaluation.bands import STEMS, Band, BandSpec, render_band
from rearrange.evaluation.baselines import symbolic
from rearrange.evaluation.baselines.ears import (
    basic_pitch_notes,
    first_drum_hits,
    harmonic_percussive_stems,
    librosa_beats,
    mixture_as_stems,
    official_stems,
    spectral_stems,
)
from rearrange.evaluation.measure import Measure, NotMeasurable, measured
from rearrange.evaluation.metrics import (
    chords_in_reference_beats,
    chroma_to_notes,
    drum_onsets,
    in_reference_beats,
)
from rearrange.evaluation.recordings import recording
from rearrange.evaluation.rows import SEEN_FONT, SEEN_RECORDING, UNSEEN_FONT, UNSEEN_RECORDING, Row
from rearrange.evaluation.songs import SongRef
from rearrange.evaluation.units import ears
from rearrange.evaluation.units.hearing import Heard, hear
from rearrange.evaluation.units.judged import Reference, reference_of
from rearrange.evaluation.units.songs import Trial, rows_of_systems, scores_of
from rearrange.score import Arrangement, Chord, Key, Part, Performance, Section, Timeline
from rearrange.stages.analyse import analyse
from rearrange.stages.transcribe import transcribe

__all__ = ["heard_band", "heard_recording"]

Floats = NDArray[np.float64]
OURS = "rearrange"


@dataclass(frozen=True)
class _Truth:
    """What is known of a piece of sound; None where nobody knows."""

    stems: Mapping[str, Audio] | None = None
    performance: Performance | None = None
    hits: Mapping[str, Sequence[float] | Floats] | None = None
    beats_s: Floats | None = None
    downbeats_s: Floats | None = None
    tempo_bpm: float | None = None
    timeline: Timeline | None = None
    chords: tuple[Chord, ...] | None = None
    key: Key | None = None
    sections: tuple[Section, ...] | None = None


def heard_band(
    spec: BandSpec, other: SongRef, *, genres: Sequence[str], seeds: Sequence[int], with_ears: bool
) -> Sequence[Row]:
    """Rows of groups `ears` and `songs` for a rendered band.

    Parameters
    ----------
    other : the song that the random one is
    genres : none, if only ears are measured

    Raises
    ------
    RearrangeError : the song cannot be read, or FluidSynth is missing.
    """
    met = UNSEEN_FONT if spec.is_unseen else SEEN_FONT
    trial = Trial("bands", spec.song.id, spec.song.corpus, spec.condition.name, met)
    try:
        band = render_band(spec)
    except NotMeasurable as exc:
        return _void(trial, str(exc))
    drums = band.performance.part("drums")
    truth = _Truth(
        stems=band.stems,
        performance=band.performance,
        hits=drum_onsets(drums.notes if drums is not None else ()),
        beats_s=band.beats_s,
        downbeats_s=band.downbeats_s,
        timeline=band.timeline,
        chords=band.chords,
        key=band.key,
        sections=band.sections,
    )
    heard = _heard(band.mix)
    if isinstance(heard, str):
        return _void(trial, heard)
    rows = _ears(trial, band.mix, truth, heard) if with_ears else []
    if genres:
        others = scores_of([other])
        timeline = heard.score.timeline
        rows += rows_of_systems(
            trial, heard.score, _reference(band), others=others, genres=genres, seeds=seeds, heard=timeline
        )
    return rows


def heard_recording(
    data: Path,
    name: str,
    *,
    seconds: float,
    others: Sequence[SongRef],
    genres: Sequence[str],
    seeds: Sequence[int],
    with_ears: bool,
) -> Sequence[Row]:
    """Rows of groups `ears` and `songs` for the beginning of a real recording.

    Parameters
    ----------
    others : songs that the random one is drawn from
    genres : none, if only ears are measured

    Raises
    ------
    RearrangeError : it cannot be read.
    """
    song = recording(data, name)
    trial = Trial("recordings", name, "recordings", met=SEEN_RECORDING if song.trains else UNSEEN_RECORDING)
    mix = song.mix(duration_s=seconds)
    heard = _heard(mix)
    if isinstance(heard, str):
        return _void(trial, heard)
    rows: list[Row] = []
    if with_ears:
        stems = song.stems(duration_s=seconds)
        truth = _Truth(
            stems=stems,
            hits={name: _within(hits, mix) for name, hits in song.drum_hits.items()} if song.drum_hits else None,
            beats_s=_within(song.beats_s, mix) if song.beats_s is not None else None,
            downbeats_s=_within(song.downbeats_s, mix) if song.downbeats_s is not None else None,
            tempo_bpm=song.tempo_bpm,
            key=song.key,
        )
        rows += _ears(trial, mix, truth, replace(heard, stems=_as_known(heard.stems, stems)))
    timeline = heard.score.timeline

    def sounding(arrangement: Arrangement) -> Mapping[str, Measure]:
        tracks = in_reference_beats(arrangement.tracks, timeline, timeline, beat_ratio=arrangement.beat_ratio)
        return {"content_audio": measured(chroma_to_notes, mix, tracks, timeline)}

    if genres:
        rows += rows_of_systems(
            trial,
            heard.score,
            None,
            others=scores_of(others),
            genres=genres,
            seeds=seeds,
            heard=timeline,
            more=sounding,
        )
    return rows


def _within(times_s: Floats, mix: Audio) -> Floats:
    return times_s[times_s < mix.duration_s]


def _as_known(stems: Mapping[str, Audio], known: Mapping[str, Audio] | None) -> Mapping[str, Audio]:
    """Stems heard, the bass within `other` where that is where the song has it."""
    if known is None or "bass" in known:
        return stems
    both = Audio(stems["other"].samples + stems["bass"].samples, stems["other"].sample_rate)
    return {"drums": stems["drums"], "vocals": stems["vocals"], "other": both}


def _heard(mix: Audio) -> Heard | str:
    """What our ears make of it, or why they make nothing of it."""
    try:
        return hear(mix)
    except RearrangeError as exc:
        return exc.message


def _reference(band: Band) -> Reference:
    """The truth as a score: roles and melody as analysis finds them in the true notes, the rest as it is known."""
    score = analyse(band.performance, None, timeline=band.timeline)
    chords = chords_in_reference_beats(band.chords, band.timeline, score.timeline)
    return reference_of(score, chords, band.key)


def _ears(trial: Trial, mix: Audio, truth: _Truth, heard: Heard) -> list[Row]:
    """Our ears and, question by question, those that they have to beat."""
    score = heard.score
    drums = heard.performance.part("drums")
    bars = np.array([bar.onset_beat for bar in score.timeline.bars])
    unit = 1.5 if score.timeline.metres[0][1].denominator == 8 else 1.0
    measures = {
        **ears.separation_measures(truth.stems, heard.stems),
        **ears.note_measures(truth.performance, heard.performance),
        **ears.drum_measures(truth.hits, drum_onsets(drums.notes if drums is not None else ())),
        **ears.beat_measures(
            truth.beats_s,
            truth.downbeats_s,
            _seconds(score.timeline, np.arange(0.0, score.timeline.end_beat, unit)),
            _seconds(score.timeline, bars),
            reference_bpm=truth.tempo_bpm,
            estimate_bpm=score.timeline.mean_tempo_bpm / unit,
        ),
        **ears.harmony_measures(truth.chords, truth.key, truth.timeline, score),
        **ears.form_measures(truth.sections, truth.timeline, score),
    }
    return [trial.row("ears", OURS, measures), *_baselines(trial, mix, truth, heard)]


def _plain_notes(truth: _Truth, heard: Heard) -> Mapping[str, Measure]:
    """The notes that Basic Pitch and its own decoder find in each of our stems."""
    names = [name for name in heard.stems if name != "drums"]
    if truth.performance is None:
        return ears.note_measures(None, Performance((), 0.0))
    try:
        parts = tuple(Part(name, basic_pitch_notes(heard.stems[name])) for name in names)
    except NotMeasurable as exc:
        return {f"notes_{name}": Measure(None, str(exc)) for name in ("all", *names)}
    return ears.note_measures(truth.performance, Performance(parts, truth.performance.duration_s))


def _baselines(trial: Trial, mix: Audio, truth: _Truth, heard: Heard) -> list[Row]:
    """Those to be beaten: of separation, drums, notes and beats; and our own drums from the true stem."""
    rows = [trial.row("ears", "mixture", ears.separation_measures(truth.stems, mixture_as_stems(mix, STEMS)))]
    stems = spectral_stems(mix)
    first_drums = drum_onsets(first_drum_hits(stems["drums"]))
    rows += [
        trial.row("ears", "spectral", ears.separation_measures(truth.stems, _as_known(stems, truth.stems))),
        trial.row("ears", "first drums", ears.drum_measures(truth.hits, first_drums)),
    ]
    if truth.stems is not None and "drums" in truth.stems:
        alone = transcribe({"drums": truth.stems["drums"]}).part("drums")
        hits = drum_onsets(alone.notes if alone is not None else ())
        rows.append(trial.row("ears", "rearrange, clean drums", ears.drum_measures(truth.hits, hits)))
    try:
        masks: Mapping[str, Measure] = ears.separation_measures(truth.stems, harmonic_percussive_stems(mix, STEMS))
    except NotMeasurable as exc:
        masks = {f"sdr_{name}": Measure(None, str(exc)) for name in STEMS}
    rows.append(trial.row("ears", "harmonic-percussive", masks))
    try:
        official = ears.separation_measures(truth.stems, _as_known(official_stems(mix), truth.stems))
    except NotMeasurable as exc:
        official = {f"sdr_{name}": Measure(None, str(exc)) for name in STEMS}
    rows.append(trial.row("ears", "htdemucs", official))
    try:
        notes: dict[str, Measure] = {**ears.all_notes_measures(truth.performance, basic_pitch_notes(mix))}
    except NotMeasurable as exc:
        notes = {"notes_all": Measure(None, str(exc))}
    notes |= {f"notes_{name}": Measure(None, "it hears one part") for name in ("vocals", "bass", "other")}
    rows.append(trial.row("ears", "basic-pitch", notes))
    rows.append(trial.row("ears", "basic-pitch, same stems", _plain_notes(truth, heard)))
    try:
        found = librosa_beats(mix)
        beats = ears.beat_measures(
            truth.beats_s,
            truth.downbeats_s,
            found.beats_s,
            None,
            reference_bpm=truth.tempo_bpm,
            estimate_bpm=found.tempo_bpm,
        )
    except NotMeasurable as exc:
        beats = {"beats": Measure(None, str(exc))}
    rows.append(trial.row("ears", "librosa", beats))
    return rows


def _void(trial: Trial, reason: str) -> list[Row]:
    """What is told of a piece of sound of which nothing could be made."""
    cell = Measure(None, reason)
    ears_cells = dict.fromkeys(("sdr_drums", "notes_all", "drums_mean", "beats", "chords"), cell)
    song_cells = dict.fromkeys(("content", "content_audio", "genre"), cell)
    return [trial.row("ears", OURS, ears_cells), trial.row("songs", symbolic.OURS, song_cells)]


def _seconds(timeline: Timeline, beats: Floats) -> Floats:
    return np.asarray(timeline.seconds(beats), dtype=np.float64)
