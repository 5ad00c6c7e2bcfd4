"""Sound: silence, clipping, spectra and chroma of audio. Loudness and true peak are `rearrange.audio`'s.

Conventions: full scale is ±1; shares are in [0, 1]. Times in seconds, beats in quarter notes.
Limits: chroma is as good as the ears that hear it (`analysis/chroma.py`): of a mix with drums it never reaches 1.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.chroma import beat_chroma, log_spectrogram, note_chroma, note_pitch_frames
from rearrange.audio import Audio, resample
from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics.chords import note_events
from rearrange.evaluation.metrics.columns import finite
from rearrange.score import Timeline, Track

__all__ = [
    "audio_chroma_similarity",
    "chroma_to_notes",
    "clipped_share",
    "silence_share",
    "spectral_distance",
]

Floats = NDArray[np.float64]

_SILENCE_DBFS, _FRAME_S = -60.0, 0.05
_FULL_SCALE = 1.0 - 2.0**-15  # the largest positive value of 16 bits
_FFT_SIZES = (2048, 1024, 512, 256, 128, 64)  # DDSP's
_OVERLAP, _LOG_FLOOR, _LOG_WEIGHT = 0.75, 1e-5, 1.0
_SPECTRAL_RATE_HZ = 16000  # DDSP's
_CHROMA_RATE_HZ = 22050  # enough for the seventh octave; what analysis hears at
_BLOCK_FRAMES = 4096


def _checked(audio: Audio) -> Audio:
    if audio.n_samples == 0:
        raise NotMeasurable("no audio")
    if not np.isfinite(audio.samples).all():
        raise NotMeasurable("not a number in the audio")
    return audio


def _mono_at(audio: Audio, sample_rate: int) -> NDArray[np.float32]:
    """Mono samples (n_samples,) at another rate."""
    return np.asarray(resample(_checked(audio).mono(), sample_rate).samples[0], dtype=np.float32)


def silence_share(audio: Audio) -> float:
    """Share of 50 ms frames whose RMS, over all channels, lies below -60 dBFS; 1 for digital silence.

    Raises
    ------
    NotMeasurable : there is no sample, or one is not a number.

    Source: ours.
    """
    power = np.square(_checked(audio).samples, dtype=np.float64).mean(axis=0)
    frame = max(round(_FRAME_S * audio.sample_rate), 1)
    starts = np.arange(0, len(power), frame)
    means = np.add.reduceat(power, starts) / np.minimum(frame, len(power) - starts)
    return float(np.mean(means < 10.0 ** (_SILENCE_DBFS / 10.0)))


def clipped_share(audio: Audio) -> float:
    """Share of samples, of all channels, at full scale or beyond it (16 bits' largest value).

    Raises
    ------
    NotMeasurable : there is no sample, or one is not a number.

    Source: ours.
    """
    return float(np.mean(np.abs(_checked(audio).samples) >= _FULL_SCALE))


def spectral_distance(reference: Audio, estimate: Audio) -> float:
    """Multi-scale spectral distance; 0 for the same sound, without upper bound.

    Sum over FFT sizes 2048 to 64, three quarters overlapping, of mean |S - E| + mean |log S - log E| of magnitudes
    (Hann; the logarithm of no less than 1e-5). Both are folded to mono at 16 kHz; the longer one is cut.

    Raises
    ------
    NotMeasurable : either is shorter than 2048 samples, or the reference is silent, or a sample is not a number.

    Source: J. Engel et al., "DDSP" (ICLR 2020), with their code's means in place of sums.
    """
    s, e = (_mono_at(audio, _SPECTRAL_RATE_HZ) for audio in (reference, estimate))
    n = min(len(s), len(e))
    if n < max(_FFT_SIZES):
        raise NotMeasurable("too short for a spectrum")
    if not s.any():
        raise NotMeasurable("the reference is silent")
    return float(sum(_distance_at(s[:n], e[:n], size) for size in _FFT_SIZES))


def _distance_at(s: NDArray[np.float32], e: NDArray[np.float32], size: int) -> float:
    hop = int(size * (1.0 - _OVERLAP))
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    frames = [np.lib.stride_tricks.sliding_window_view(x, size)[::hop] for x in (s, e)]
    linear = logarithmic = 0.0
    n_frames = len(frames[0])
    for first in range(0, n_frames, _BLOCK_FRAMES):  # bounds memory
        a, b = (np.abs(np.fft.rfft(x[first : first + _BLOCK_FRAMES] * window, axis=1)) for x in frames)
        linear += float(np.abs(a - b).sum())
        log_a, log_b = (np.log(np.maximum(x, _LOG_FLOOR)) for x in (a, b))
        logarithmic += float(np.abs(log_a - log_b).sum())
    return (linear + _LOG_WEIGHT * logarithmic) / (n_frames * (size // 2 + 1))


def chroma_to_notes(audio: Audio, tracks: Sequence[Track], timeline: Timeline) -> float:
    """Mean cosine, beat by beat, between the chroma of a sound and that of the notes it was made from.

    Parameters
    ----------
    tracks, timeline : the notes and when they sound; drums have no chroma. Beats without notes are left out

    Raises
    ------
    NotMeasurable : no pitched notes, or shorter than a beat, or a number is none.

    Source: DESIGN 8; chroma by non-negative least squares, `analysis/chroma.py`.
    """
    if timeline.end_beat < 1.0:
        raise NotMeasurable("shorter than a beat")
    notes = [event for track in tracks if not track.is_drum for event in note_events(track, timeline)]
    borders_s = timeline.seconds(np.arange(0.0, timeline.end_beat + 0.5))
    roll = note_pitch_frames(notes, float(borders_s[-1]) + 1.0)
    return _mean_cosine(note_chroma(roll, borders_s).treble, _chroma(audio, borders_s), "no pitched notes")


def audio_chroma_similarity(
    source: Audio,
    source_beats_s: Sequence[float] | Floats,
    result: Audio,
    result_beats_s: Sequence[float] | Floats,
) -> float:
    """Mean cosine of beat-synchronous chroma of two sounds; beats in which the source is silent are left out.

    Parameters
    ----------
    source_beats_s, result_beats_s : (n_beats,) times of the same musical beats in each, rising

    Raises
    ------
    NotMeasurable : fewer than two beats, or the source is silent, or a number is none.
    ValueError : the beats differ in number.

    Source: content similarity of DESIGN 8 heard in sound; beat-synchronous chroma after D. Ellis and
    G. Poliner (ICASSP 2007).
    """
    ours, theirs = (finite(beats, "beats") for beats in (result_beats_s, source_beats_s))
    if len(ours) != len(theirs):
        raise ValueError(f"beats must correspond: {len(theirs)} in the source, {len(ours)} in the result")
    if len(theirs) < 2:
        raise NotMeasurable("fewer than two beats")
    return _mean_cosine(_chroma(source, theirs), _chroma(result, ours), "the source is silent")


def _chroma(audio: Audio, borders_s: Floats) -> Floats:
    """Chroma (n_spans, 12) between borders, of the sound at its own tuning."""
    samples = _mono_at(audio, _CHROMA_RATE_HZ)
    if not samples.any():
        return np.zeros((len(borders_s) - 1, 12))
    return beat_chroma(log_spectrogram(samples, _CHROMA_RATE_HZ), borders_s).treble


def _mean_cosine(reference: Floats, estimate: Floats, void: str) -> float:
    """Mean of the rows' cosines, of the rows in which the reference sounds."""
    lengths = np.linalg.norm(reference, axis=1), np.linalg.norm(estimate, axis=1)
    # Least squares leave traces everywhere: a row a thousandth as strong as the strongest is silence.
    sounds = lengths[0] > 1e-3 * float(lengths[0].max(initial=0.0))
    if not sounds.any():
        raise NotMeasurable(void)
    norm = lengths[0] * lengths[1]
    dot = np.sum(reference * estimate, axis=1)
    return float(np.divide(dot, norm, out=np.zeros_like(dot), where=norm > 0)[sounds].mean())
