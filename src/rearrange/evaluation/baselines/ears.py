"""Baselines for the ears: what a user would reach for first, at its own published settings.

* librosa's beat tracker, for beats and tempo.
* Basic Pitch on the whole mix, with its own decoder and thresholds, for notes.
* The mixture in place of every stem, the floor of separation; harmonic-percussive masks; our own first separator;
  and Demucs with its published weights, where those are at hand.
* Our own first transcriber of drums, on the drums of that separator.

Conventions: `Audio` in; seconds, MIDI pitches and `Audio` out. Silence is heard as nothing. What is not installed
(librosa and resampy are an extra, `evaluation`) is a cell that says so: NotMeasurable.
Limits: the first call of librosa in a new installation compiles for half a minute (measured on a busy core: 34 s),
later processes load for 3 to 5 s; then 20 s are heard in 0.1 s. The masks hold one channel's spectrogram and its
medians (about 2 MB per second) at once.

Sources: McFee et al., "librosa", SciPy 2015; Ellis, "Beat tracking by dynamic programming", 2007; Bittner et al.,
"A Lightweight Instrument-Agnostic Model for Polyphonic Note Transcription and Multipitch Estimation", ICASSP 2022;
FitzGerald, "Harmonic/percussive separation using median filtering", DAFx 2010; Driedger et al., ISMIR 2014.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.drums import SAMPLE_RATE as DRUMS_RATE_HZ
from rearrange.analysis.drums import drum_hits
from rearrange.audio import Audio, resample
from rearrange.errors import DependencyError
from rearrange.evaluation.measure import NotMeasurable
from rearrange.models import basic_pitch, weights
from rearrange.score import NoteEvent
from rearrange.stages.separate import SeparateSettings, separate

__all__ = [
    "LibrosaBeats",
    "basic_pitch_notes",
    "first_drum_hits",
    "harmonic_percussive_stems",
    "librosa_beats",
    "mixture_as_stems",
    "official_stems",
    "spectral_stems",
]

OFFICIAL = "htdemucs"
LIBROSA_RATE = 22_050  # librosa's default, which its beat tracker's defaults (hop 512) are made for
# basic_pitch 0.4.0, inference.predict: onset_threshold, frame_threshold, minimum_note_length (127.7 ms) in frames.
_ONSET_THRESHOLD = 0.5
_FRAME_THRESHOLD = 0.3
_SHORTEST_FRAMES = round(0.1277 * basic_pitch.SAMPLE_RATE / basic_pitch.HOP_LENGTH)
_LEAST_FRAMES = 3  # its differences reach two frames back
_STFT_SAMPLES = 2048  # librosa's default window: of its onset strengths, and here of the masks
_QUIET = logging.WARNING


@dataclass(frozen=True, eq=False)
class LibrosaBeats:
    """Beats in seconds (n_beats,), and one tempo in beats per minute (0 where nothing was heard)."""

    beats_s: NDArray[np.float64]
    tempo_bpm: float


def librosa_beats(audio: Audio) -> LibrosaBeats:
    """Track beats as `librosa.beat.beat_track` does, at its defaults.

    Raises
    ------
    NotMeasurable : librosa is not installed, or the audio holds what is not a number.
    """
    with _installed():
        from librosa import beat
    samples = _mono(audio, LIBROSA_RATE)
    if len(samples) < _STFT_SAMPLES or not samples.any():
        return LibrosaBeats(np.zeros(0), 0.0)
    tempo, beats_s = beat.beat_track(y=samples, sr=LIBROSA_RATE, units="time")
    return LibrosaBeats(np.asarray(beats_s, dtype=np.float64), float(np.ravel(tempo)[0]))


def basic_pitch_notes(mix: Audio) -> tuple[NoteEvent, ...]:
    """Transcribe a whole mix as the `basic-pitch` command does, drums, voice and all.

    The network is heard through `models/basic_pitch.py` (the same ONNX file; windows overlap a little otherwise);
    notes are found by `basic_pitch.note_creation` itself.

    Returns
    -------
    Notes sorted by onset, then pitch; velocity is 127 times the mean activation, as its MIDI has it.

    Raises
    ------
    NotMeasurable : basic-pitch or what its decoder imports is not installed, or the audio holds what is not a
        number.
    """
    with _installed(), _without_greetings():
        from basic_pitch.note_creation import output_to_notes_polyphonic
    try:
        network = basic_pitch.load()
    except DependencyError as exc:
        raise NotMeasurable(exc.message) from exc
    heard = network.activations(_mono(mix, basic_pitch.SAMPLE_RATE))
    if len(heard.frames) < _LEAST_FRAMES or not heard.frames.any():
        return ()
    found = output_to_notes_polyphonic(
        heard.frames,
        heard.onsets,
        onset_thresh=_ONSET_THRESHOLD,
        frame_thresh=_FRAME_THRESHOLD,
        min_note_len=_SHORTEST_FRAMES,
        infer_onsets=True,
        max_freq=None,
        min_freq=None,
        melodia_trick=True,
    )
    rate_hz = heard.frame_rate_hz
    notes = [
        NoteEvent(
            onset_s=float(start / rate_hz),
            duration_s=float((stop - start) / rate_hz),
            pitch=int(pitch),
            velocity=int(np.clip(np.round(127 * amplitude), 1, 127)),
            confidence=float(np.clip(amplitude, 0.0, 1.0)),
        )
        for start, stop, pitch, amplitude in found
    ]
    return tuple(sorted(notes, key=lambda note: (note.onset_s, note.pitch)))


def spectral_stems(mix: Audio) -> dict[str, Audio]:
    """The stems of the classical separator, which is what every network has to beat."""
    return separate(mix, SeparateSettings(separator="spectral"))


def official_stems(mix: Audio) -> dict[str, Audio]:
    """The stems of Demucs with its published weights, where somebody has fetched them.

    Raises
    ------
    NotMeasurable : they are not on this machine.
    """
    if not weights.find_model(OFFICIAL).installed:
        raise NotMeasurable(f"the weights of {OFFICIAL} are not on this machine")
    return separate(mix, SeparateSettings(separator=OFFICIAL))


def first_drum_hits(stem: Audio) -> tuple[NoteEvent, ...]:
    """Drum hits as the first transcriber of ours hears them in a drum stem: templates, and no network."""
    return drum_hits(resample(stem.mono(), DRUMS_RATE_HZ).samples[0])


def mixture_as_stems(mix: Audio, names: Sequence[str]) -> dict[str, Audio]:
    """The mixture in place of every stem, whose SI-SDR is that of not separating: no separator may fall below."""
    return dict.fromkeys(names, mix)


def harmonic_percussive_stems(mix: Audio, names: Sequence[str]) -> dict[str, Audio]:
    """Percussive sound as `drums`, and an equal share of the rest as every other stem, by librosa's soft masks.

    Where there is no stem of that name the percussive sound is left out; otherwise the stems add up to the mix.

    Raises
    ------
    NotMeasurable : librosa is not installed, or the audio holds what is not a number.
    """
    with _installed():
        from librosa import decompose, istft, stft
    _check_numbers(mix)
    if mix.n_samples == 0:
        return dict.fromkeys(names, mix)
    percussive = np.zeros_like(mix.samples)
    missing = max(_STFT_SAMPLES - mix.n_samples, 0)  # librosa warns of a sound shorter than a window
    for target, channel in zip(percussive, mix.samples, strict=True):
        padded = np.pad(channel, (0, missing))
        spectrum = stft(padded, n_fft=_STFT_SAMPLES)
        _, mask = decompose.hpss(np.abs(spectrum), mask=True)
        target[:] = istft(spectrum * mask, n_fft=_STFT_SAMPLES, length=len(padded))[: len(channel)]
    others = max(sum(name != "drums" for name in names), 1)
    rest = Audio(((mix.samples - percussive) / others).astype(np.float32), mix.sample_rate)
    return {name: Audio(percussive, mix.sample_rate) if name == "drums" else rest for name in names}


def _mono(audio: Audio, sample_rate: int) -> NDArray[np.float32]:
    _check_numbers(audio)
    return np.asarray(resample(audio.mono(), sample_rate).samples[0], dtype=np.float32)


def _check_numbers(audio: Audio) -> None:
    if not np.isfinite(audio.samples).all():
        raise NotMeasurable("not a number in the audio")


@contextmanager
def _installed() -> Iterator[None]:
    """Say what is missing instead of failing."""
    try:
        yield
    except ImportError as exc:
        raise NotMeasurable(f"{(exc.name or str(exc)).partition('.')[0]} is not installed") from exc


@contextmanager
def _without_greetings() -> Iterator[None]:
    """Keep still what basic_pitch logs when it is imported: which of its four back ends are not there.

    It uses the root logger, and would set it up (logging.basicConfig) if nobody has.
    """
    root, before, nobody = logging.getLogger(), logging.root.manager.disable, logging.NullHandler()
    root.addHandler(nobody)
    logging.disable(max(before, _QUIET))
    try:
        yield
    finally:
        logging.disable(before)
        root.removeHandler(nobody)
