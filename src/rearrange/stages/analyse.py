"""The stage that understands a song: beats, key, chords, melody and form out of sound and notes.

From audio, beats and harmony are heard in the sound and in the transcribed notes together. From MIDI, the file's
own beats are taken if its notes lie on them, its tempo if they keep to that; otherwise beats are found as in
audio. Notes of audio are drawn to the grid, a quarter of their deviation kept: transcription is off by some 10 to
20 ms, which is more than most players are.

Limits: one metre, but for a few bars of another length, and one key for the song. Budget: 0.03 s per second.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis import chroma as chroma_of
from rearrange.analysis.bar_pointer import BeatActivations
from rearrange.analysis.beats import BeatTrack, track_beats
from rearrange.analysis.evidence import note_evidence, sound_evidence
from rearrange.analysis.form import bar_energies, find_sections
from rearrange.analysis.grid import RELEASE_BEAT, read_grid, timeline_from_beats
from rearrange.analysis.groove import swing_ratio
from rearrange.analysis.onsets import FRAME_RATE_HZ, OnsetEnvelope, band_spectrogram, note_envelope, onset_envelope
from rearrange.analysis.roles import RolePart, assign_roles
from rearrange.audio import Audio, resample
from rearrange.errors import TooLittleMusicError, UsageError
from rearrange.models import beats as beat_network
from rearrange.models import harmony as harmony_model
from rearrange.models.stored import shipped
from rearrange.progress import Progress, silent, span
from rearrange.score import Note, NoteEvent, Performance, Role, Score, Timeline, Track, sorted_notes

__all__ = ["VERSION", "AnalyseSettings", "analyse"]

VERSION = 2

Floats = NDArray[np.float64]

ANALYSIS_RATE_HZ = 22050
_FELT_BEATS = {"4/4": 4, "3/4": 3, "6/8": 2}
_SHORTEST_SONG_S = 1.0
_SILENCE = 1e-4  # RMS, −80 dB of full scale
_FEWEST_NOTES = 4
_KEPT_DEVIATION = 0.25
_SHORTEST_NOTE_BEAT = 0.125
_HELD_LEVEL = 0.25  # of a note's power in the bars after the one it begins in
_RHYTHM_STEPS = 8  # per bar, in what form is told from


@dataclass(frozen=True, slots=True)
class AnalyseSettings:
    """What the user knows already: quarter notes per minute (dotted ones count 1.5), and 4/4, 3/4 or 6/8."""

    tempo_bpm: float | None = None
    metre: str | None = None


@dataclass(frozen=True)
class _Heard:
    """The sound and the notes, as what is measured in them. What only sound has is None for MIDI."""

    notes: tuple[NoteEvent, ...]
    hits: tuple[NoteEvent, ...]
    duration_s: float
    onsets: OnsetEnvelope
    spectrogram: chroma_of.LogSpectrogram | None
    level: NDArray[np.float32] | None
    beats: BeatActivations | None


def analyse(
    performance: Performance,
    mix: Audio | None,
    settings: AnalyseSettings = AnalyseSettings(),
    *,
    timeline: Timeline | None = None,
    progress: Progress = silent,
) -> Score:
    """Find what a song is.

    Parameters
    ----------
    performance : the notes heard, or a MIDI file's
    mix : the song's sound; None for MIDI
    timeline : a MIDI file's own

    Raises
    ------
    TooLittleMusicError : silence, under a second, or nothing that has a pitch or a beat.
    UsageError : a metre or tempo that is not possible.
    """
    beats_per_bar = _allowed(settings)
    progress(0.0, "listening for beats")
    heard = _listen(performance, mix, span(progress, 0.0, 0.5))
    timeline = _timeline(heard, timeline if mix is None else None, settings, beats_per_bar)
    progress(0.6, "finding chords and key")
    unit = 1.5 if timeline.metres[0][1].denominator == 8 else 1.0
    edges = np.arange(0.0, timeline.end_beat + unit / 2, unit)
    starts = {round(bar.onset_beat, 3) for bar in timeline.bars}
    downbeats = np.array([round(float(edge), 3) in starts for edge in edges[:-1]])
    spans = _spans(heard, timeline.seconds(edges), downbeats)
    harmony = harmony_model.load().hear(spans, edges)
    progress(0.8, "finding parts and form")
    tracks = _tracks(performance, timeline, is_audio=mix is not None)
    energies = bar_energies(_bar_levels(heard, timeline))
    sections = find_sections(
        _bar_features(spans.together.treble, heard, timeline, edges, energies), energies, timeline.bars
    )
    onsets = np.array([note.onset_s for note in (*heard.notes, *heard.hits)])
    swing, _ = swing_ratio(timeline.beats(onsets)) if unit == 1.0 else (1.0, 0.0)
    progress(1.0, "analysed")
    return Score(timeline, harmony.key, harmony.chords, sections, tracks, energies, swing)


def _allowed(settings: AnalyseSettings) -> tuple[int, ...]:
    """Felt beats per bar that may be found."""
    if settings.tempo_bpm is not None and not 20 <= settings.tempo_bpm <= 400:
        raise UsageError(f"tempo {settings.tempo_bpm:g} is not between 20 and 400 beats per minute")
    if settings.metre is None:
        return (2, 3, 4)
    if settings.metre not in _FELT_BEATS:
        raise UsageError(f"metre {settings.metre!r} is not one of {', '.join(_FELT_BEATS)}")
    return (_FELT_BEATS[settings.metre],)


def _listen(performance: Performance, mix: Audio | None, progress: Progress) -> _Heard:
    notes = tuple(note for part in performance.parts if not part.is_drum for note in part.notes)
    hits = tuple(note for part in performance.parts if part.is_drum for note in part.notes)
    duration_s = mix.duration_s if mix is not None else performance.duration_s
    if duration_s < _SHORTEST_SONG_S:
        raise TooLittleMusicError(f"the song lasts {duration_s:.1f} s: there is no bar in it")
    if mix is None:
        if len(notes) + len(hits) < _FEWEST_NOTES:
            raise TooLittleMusicError("there are hardly any notes in the file")
        return _Heard(notes, hits, duration_s, note_envelope(notes, duration_s, drum_hits=hits), None, None, None)
    samples = resample(mix.mono(), ANALYSIS_RATE_HZ).samples[0]
    if float(np.sqrt(np.dot(samples, samples) / max(len(samples), 1))) < _SILENCE:
        raise TooLittleMusicError("the song is silent")
    if len(notes) + len(hits) < _FEWEST_NOTES:
        raise TooLittleMusicError("neither notes nor a beat was heard in the song")
    progress(0.2, "listening for beats")
    network = beat_network.load(shipped("beats"))
    beats = network.activations(samples, progress=span(progress, 0.2, 0.5))
    bands = band_spectrogram(samples, ANALYSIS_RATE_HZ)
    progress(0.6, "listening for harmony")
    spectrogram = chroma_of.log_spectrogram(samples, ANALYSIS_RATE_HZ)
    return _Heard(notes, hits, duration_s, onset_envelope(bands), spectrogram, bands.rms, beats)


def _timeline(
    heard: _Heard, written: Timeline | None, settings: AnalyseSettings, beats_per_bar: Sequence[int]
) -> Timeline:
    """A file's own timeline where the notes keep to it, or one from beats that are found."""
    on_quarters = tuple(n_beats for n_beats in beats_per_bar if n_beats > 2)
    if written is not None and settings.tempo_bpm is None and on_quarters:
        onsets = np.array([note.onset_s for note in (*heard.notes, *heard.hits)])
        evidence = note_evidence(heard.notes, heard.hits, heard.duration_s)
        grid = read_grid(written, onsets, evidence, beats_per_bar=on_quarters)
        asked_for = settings.metre is None or settings.metre == str(written.metres[0][1])
        if isinstance(grid, Timeline) and asked_for:
            return _until_last_note(grid, heard)
        if isinstance(grid, BeatTrack):
            return timeline_from_beats(grid, *_sounding_span(heard))
    return _tracked(heard, settings, beats_per_bar)


def _until_last_note(timeline: Timeline, heard: _Heard) -> Timeline:
    """The file's timeline up to the bar in which its last note ends."""
    last = float(timeline.beats(_sounding_span(heard)[1])) - RELEASE_BEAT
    bars = replace(timeline, end_beat=max(last, timeline.end_beat) + 16.0).bars
    return replace(timeline, end_beat=next(bar.end_beat for bar in bars if bar.end_beat > last + 1e-6))


def _tracked(heard: _Heard, settings: AnalyseSettings, beats_per_bar: Sequence[int]) -> Timeline:
    """A timeline from beats that were found."""
    evidence = [note_evidence(heard.notes, heard.hits, heard.duration_s)]
    if heard.spectrogram is not None:
        evidence.insert(0, sound_evidence(heard.onsets, heard.spectrogram.semitones))
    felt_bpm = settings.tempo_bpm
    if felt_bpm is not None and tuple(beats_per_bar) == (2,):
        felt_bpm /= 1.5
    n_frames = min(len(each.strength) for each in evidence)
    evidence = [replace(each, strength=each.strength[:n_frames], cues=each.cues[:n_frames]) for each in evidence]
    track = track_beats(evidence, tempo_bpm=felt_bpm, beats_per_bar=beats_per_bar, heard=heard.beats)
    return timeline_from_beats(track, *_sounding_span(heard))


def _sounding_span(heard: _Heard) -> tuple[float, float]:
    """When the first note begins, and when the last one ends; in seconds. Drum hits ring for a moment only."""
    first = min(note.onset_s for note in (*heard.notes, *heard.hits))
    ends = [min(note.onset_s + note.duration_s, heard.duration_s) for note in heard.notes]
    return first, max([*ends, *(hit.onset_s + 0.1 for hit in heard.hits)])


def _spans(heard: _Heard, borders_s: Floats, downbeats: NDArray[np.bool_]) -> harmony_model.Spans:
    """Chroma of each span, of the sound and of the notes."""
    roll = chroma_of.note_pitch_frames(heard.notes, heard.duration_s)
    of_notes = chroma_of.note_chroma(roll, borders_s)
    if heard.spectrogram is None:
        return harmony_model.Spans(None, of_notes, downbeats)
    return harmony_model.Spans(chroma_of.beat_chroma(heard.spectrogram, borders_s), of_notes, downbeats)


def _bar_levels(heard: _Heard, timeline: Timeline) -> Floats:
    """Level of each bar: RMS of the sound, or velocity of what sounds."""
    borders = timeline.seconds([bar.onset_beat for bar in timeline.bars] + [timeline.end_beat])
    if heard.level is not None:
        frames = np.clip(np.rint(borders * FRAME_RATE_HZ).astype(int), 0, len(heard.level))
        power = np.concatenate([[0.0], np.cumsum(np.square(heard.level, dtype=np.float64))])
        mean = (power[frames[1:]] - power[frames[:-1]]) / np.maximum(np.diff(frames), 1)
        return np.asarray(np.sqrt(mean))
    levels = np.zeros(len(borders) - 1)
    lengths = np.diff(borders)
    for note in (*heard.notes, *heard.hits):
        struck = (note.velocity / 127) ** 2
        bar = int(np.searchsorted(borders, note.onset_s + 1e-3, side="right")) - 1
        if 0 <= bar < len(levels):
            levels[bar] += struck
        # What is held over from an earlier bar still sounds, though less than when it was struck.
        end_s = note.onset_s + note.duration_s
        for held in range(max(bar + 1, 0), int(np.searchsorted(borders, end_s - 1e-3))):
            if held < len(levels):
                levels[held] += _HELD_LEVEL * struck * min((end_s - borders[held]) / lengths[held], 1.0)
    return np.sqrt(levels)


def _bar_features(
    treble: Floats, heard: _Heard, timeline: Timeline, edges: Floats, energies: Sequence[float]
) -> Floats:
    """What form is told from, a row per bar: harmony beat by beat, rhythm by register, loudness."""
    n_beats = int(max(bar.duration_beat for bar in timeline.bars))
    harmony = np.zeros((len(timeline.bars), n_beats, 12))
    rhythm = np.zeros((len(timeline.bars), 3, _RHYTHM_STEPS))
    norms = np.linalg.norm(treble, axis=1, keepdims=True)
    unit = np.divide(treble, norms, out=np.zeros_like(treble), where=norms > 1e-9)
    registers = np.stack([heard.onsets.low, heard.onsets.mid, heard.onsets.high])
    for i, bar in enumerate(timeline.bars):
        inside = np.flatnonzero((edges[:-1] >= bar.onset_beat - 1e-6) & (edges[:-1] < bar.end_beat - 1e-6))
        harmony[i, : len(inside)] = unit[inside]
        times = timeline.seconds(np.linspace(bar.onset_beat, bar.end_beat, _RHYTHM_STEPS + 1))
        frames = np.clip(np.rint(times * FRAME_RATE_HZ).astype(int), 0, registers.shape[1])
        for step, (start, stop) in enumerate(pairwise(frames)):
            if stop > start:
                rhythm[i, :, step] = registers[:, start:stop].max(axis=1)
    rhythm /= max(float(np.sqrt(np.mean(np.sum(rhythm**2, axis=(1, 2))))), 1e-9)
    loud = np.asarray(energies)[:, None]
    return np.concatenate(
        [harmony.reshape(len(harmony), -1) / np.sqrt(n_beats), rhythm.reshape(len(rhythm), -1), 1.5 * loud], axis=1
    )


def _tracks(performance: Performance, timeline: Timeline, *, is_audio: bool) -> tuple[Track, ...]:
    return tuple(
        Track(
            part.role.value,
            part.role,
            part.program,
            part.role is Role.DRUMS,
            _score_notes(part, timeline, is_audio=is_audio),
            part.confidence,
        )
        for part in assign_roles(performance)
    )


def _score_notes(part: RolePart, timeline: Timeline, *, is_audio: bool) -> tuple[Note, ...]:
    """Notes in beats, inside the song, one at a time for the melody."""
    onsets = timeline.beats(np.array([note.onset_s for note in part.notes]))
    ends = timeline.beats(np.array([note.onset_s + note.duration_s for note in part.notes]))
    if is_audio:
        onsets = _drawn_to_grid(onsets)
    last_bar_line = timeline.end_beat
    earliest = -timeline.bars[0].duration_beat
    notes = [
        Note(float(onset), max(float(end - onset), _SHORTEST_NOTE_BEAT), note.pitch, note.velocity)
        for note, onset, end in zip(part.notes, onsets, ends, strict=True)
        if earliest <= onset < last_bar_line - 1e-6
    ]
    ordered = sorted_notes(notes)
    return _one_line(ordered) if part.role is Role.MELODY else ordered


def _drawn_to_grid(onsets: Floats) -> Floats:
    """Onsets moved most of the way to the nearest sixteenth, or triplet eighth where that is plainly nearer."""
    sixteenths = np.round(onsets * 4) / 4
    triplets = np.round(onsets * 3) / 3
    nearer = np.abs(onsets - triplets) < 0.5 * np.abs(onsets - sixteenths)
    grid = np.where(nearer, triplets, sixteenths)
    return np.asarray(grid + _KEPT_DEVIATION * (onsets - grid))


def _one_line(notes: Sequence[Note]) -> tuple[Note, ...]:
    """Each note ends where the next begins; of two that begin together the higher stays."""
    line: list[Note] = []
    for note in notes:
        if line and note.onset_beat - line[-1].onset_beat < _SHORTEST_NOTE_BEAT / 2:
            line[-1] = max(line[-1], note, key=lambda n: n.pitch)
            continue
        if line and line[-1].onset_beat + line[-1].duration_beat > note.onset_beat:
            line[-1] = replace(line[-1], duration_beat=note.onset_beat - line[-1].onset_beat)
        line.append(note)
    return tuple(line)
