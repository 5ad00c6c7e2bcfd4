"""Which pitch classes sound: chroma from sound (with the tuning found) and from notes.

Conventions: chroma has 12 columns, C first, values >= 0. The log-frequency spectrogram has three bins a
semitone from `LOWEST_PITCH` up, `CHROMA_RATE_HZ` frames a second; frame i stands for the time
i / CHROMA_RATE_HZ. Beat-wise arrays have one row per span of a given list of borders in seconds.

Limits: equal temperament; one tuning for the whole song.

Source: approximate note transcription by non-negative least squares before folding to chroma, M. Mauch and
S. Dixon, "Approximate note transcription for the improved identification of difficult chords", ISMIR 2010.
Here the least squares are solved on beat averages, by multiplicative updates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.score import NoteEvent

__all__ = [
    "CHROMA_RATE_HZ",
    "BeatChroma",
    "LogSpectrogram",
    "beat_chroma",
    "fold_pitches",
    "harmonic_change",
    "log_spectrogram",
    "note_chroma",
    "note_pitch_frames",
]

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

CHROMA_RATE_HZ = 20.0
LOWEST_PITCH, HIGHEST_PITCH = 24, 103  # C1 to G7
BASS_PITCHES = (28, 52)  # E1 to E3: where basses play; weights fade out over the upper octave
_BINS_PER_SEMITONE = 3
_WINDOW_S = 0.37  # resolves semitones from about C3; below, the harmonics tell
_BLOCK_FRAMES = 512
_HARMONICS, _HARMONIC_DECAY = 8, 0.7
_UPDATES = 40  # multiplicative updates: residual within 2% of its limit on pop mixes
_CHANGE_SPAN_S = 0.45  # harmony before against after; longer than an off-beat eighth at 80 bpm


@dataclass(frozen=True)
class LogSpectrogram:
    """Magnitudes (n_frames, n_bins), three bins a semitone, already shifted to the song's tuning.

    `tuning_semitones` is how far the song's A4 lies from 440 Hz, in (-0.5, 0.5].
    """

    magnitudes: Array
    tuning_semitones: float

    @property
    def semitones(self) -> Array:
        """Compressed level per semitone (n_frames, n_pitches), for what needs no note separation."""
        folded = self.magnitudes.reshape(len(self.magnitudes), -1, _BINS_PER_SEMITONE).max(axis=2)
        gain = np.float32(30.0 / max(float(np.percentile(folded, 99)), 1e-9))
        return np.asarray(np.log1p(folded * gain), dtype=np.float32)


@dataclass(frozen=True)
class BeatChroma:
    """Chroma per span: all registers `treble` and the bass register `bass`, each (n_spans, 12)."""

    treble: Floats
    bass: Floats


def log_spectrogram(samples: NDArray[np.floating], sample_rate: int) -> LogSpectrogram:
    """Log-frequency magnitudes of mono samples (n_samples,), tuned.

    Raises
    ------
    ValueError : samples are not one-dimensional or the rate is not positive.
    """
    if samples.ndim != 1 or sample_rate <= 0:
        raise ValueError("log_spectrogram takes (n_samples,) mono samples and a positive sample rate")
    length = 2 ** max(8, round(np.log2(_WINDOW_S * sample_rate)))
    tuning = _tuning(samples, sample_rate, length)
    filters = _log_filters(length, sample_rate, tuning)
    window = np.hanning(length + 1)[:-1].astype(np.float32)
    n_frames = max(1, int(len(samples) / sample_rate * CHROMA_RATE_HZ) + 1)
    out = np.empty((n_frames, filters.shape[1]), dtype=np.float32)
    padded = np.pad(samples.astype(np.float32, copy=False), length // 2)
    for first in range(0, n_frames, _BLOCK_FRAMES):
        frames = np.arange(first, min(first + _BLOCK_FRAMES, n_frames))
        out[frames] = _spectra(padded, frames, sample_rate, window) @ filters
    return LogSpectrogram(out, tuning)


def _spectra(padded: Array, frames: NDArray[np.int64], sample_rate: int, window: Array) -> Array:
    """Magnitude spectra (n_frames, n_bins) of frames at CHROMA_RATE_HZ."""
    starts = np.round(frames * sample_rate / CHROMA_RATE_HZ).astype(np.int64)
    starts = np.minimum(starts, len(padded) - len(window))
    return np.abs(np.fft.rfft(padded[starts[:, None] + np.arange(len(window))] * window, axis=1)).astype(
        np.float32
    )


def _tuning(samples: NDArray[np.floating], sample_rate: int, length: int) -> float:
    """Circular mean deviation of spectral peaks from equal temperament, in semitones; 0 if nothing is tonal."""
    n_frames = max(1, int(len(samples) / sample_rate * CHROMA_RATE_HZ) + 1)
    # Two hundred frames, evenly spread, fix the tuning to a cent or two.
    frames = np.unique(np.linspace(0, n_frames - 1, 200).astype(np.int64))
    padded = np.pad(samples.astype(np.float32, copy=False), length // 2)
    window = np.hanning(length + 1)[:-1].astype(np.float32)
    low, high = (int(hz * length / sample_rate) for hz in (110.0, min(2000.0, sample_rate * 0.45)))
    log_power = np.log(_spectra(padded, frames, sample_rate, window)[:, low - 1 : high + 2] + 1e-9)
    left, centre, right = log_power[:, :-2], log_power[:, 1:-1], log_power[:, 2:]
    floor = np.percentile(log_power, 90)
    peak = (centre > left) & (centre >= right) & (centre > floor)
    curvature = left - 2 * centre + right
    shift = np.where(peak, 0.5 * (left - right) / np.minimum(curvature, -1e-9), 0.0)
    bins = np.arange(low, low + centre.shape[1])[None, :] + shift
    pitch = 69.0 + 12.0 * np.log2(np.maximum(bins, 1) * sample_rate / length / 440.0)
    weight = np.where(peak, centre - floor, 0.0)
    resultant = np.sum(weight * np.exp(2j * np.pi * pitch))
    total = float(weight.sum())
    if total <= 0.0 or abs(resultant) < 0.1 * total:
        return 0.0
    return float(np.angle(resultant) / (2 * np.pi))


def _log_filters(length: int, sample_rate: int, tuning: float) -> Array:
    """Interpolating filters (n_fft_bins, n_log_bins): triangles at least one FFT bin wide."""
    n_bins = (HIGHEST_PITCH - LOWEST_PITCH + 1) * _BINS_PER_SEMITONE
    pitch = LOWEST_PITCH + (np.arange(n_bins) - 1) / _BINS_PER_SEMITONE + tuning
    centre = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0) * length / sample_rate
    half_width = np.maximum(centre * (2.0 ** (1 / (12 * _BINS_PER_SEMITONE)) - 1.0), 1.0)
    bins = np.arange(length // 2 + 1)[:, None]
    filters = np.clip(1.0 - np.abs(bins - centre[None, :]) / half_width[None, :], 0.0, None)
    return np.asarray(filters / np.maximum(filters.sum(axis=0), 1e-9), dtype=np.float32)


def _span_means(frames: NDArray[np.floating], borders_s: Floats) -> Floats:
    """Mean of frame rows in each span between borders (n_borders - 1, n_columns); at least one frame each."""
    last = len(frames) - 1
    index = np.clip(np.rint(borders_s * CHROMA_RATE_HZ).astype(int), 0, len(frames))
    sums = np.concatenate([np.zeros((1, frames.shape[1])), np.cumsum(frames, axis=0, dtype=np.float64)])
    start, stop = np.minimum(index[:-1], last), np.maximum(index[1:], index[:-1] + 1)
    stop = np.minimum(np.maximum(stop, start + 1), len(frames))
    return np.asarray((sums[stop] - sums[start]) / (stop - start)[:, None])


def beat_chroma(spectrogram: LogSpectrogram, borders_s: NDArray[np.floating]) -> BeatChroma:
    """Chroma of the sound between successive borders in seconds (n_spans + 1,)."""
    means = _span_means(spectrogram.magnitudes, np.asarray(borders_s, dtype=np.float64))
    salience = _pitch_salience(_whitened(means))
    return _fold(salience)


def _whitened(spectra: Floats) -> Floats:
    """Divide by the local level over an octave, so that timbre weighs less than pitch; quiet bins become 0."""
    from scipy.ndimage import uniform_filter1d

    span = 12 * _BINS_PER_SEMITONE
    mean = uniform_filter1d(spectra, span, axis=1, mode="nearest")
    deviation = np.sqrt(np.maximum(uniform_filter1d((spectra - mean) ** 2, span, axis=1, mode="nearest"), 0.0))
    loudness = spectra.max(axis=1, keepdims=True)
    floor = 0.02 * loudness + 1e-3 * spectra.max(initial=0.0) + 1e-12
    return np.asarray(np.clip(spectra - mean, 0.0, None) / (deviation + floor))


def _pitch_salience(spectra: Floats) -> Floats:
    """Non-negative note activations (n_spans, n_pitches) that explain the spectra by harmonic series."""
    dictionary = _harmonic_dictionary()
    numerator = spectra @ dictionary.T
    gram = dictionary @ dictionary.T
    activation = np.maximum(numerator / np.diag(gram), 1e-6)
    for _ in range(_UPDATES):
        activation *= numerator / (activation @ gram + 1e-6)
    return np.asarray(activation)


def _harmonic_dictionary() -> Floats:
    """One row of log-frequency bins per pitch: decaying harmonics, each a bump of about a semitone."""
    n_pitches = HIGHEST_PITCH - LOWEST_PITCH + 1
    n_bins = n_pitches * _BINS_PER_SEMITONE
    bins = np.arange(n_bins)
    rows = np.zeros((n_pitches, n_bins))
    for i in range(n_pitches):
        for harmonic in range(1, _HARMONICS + 1):
            at = 1 + _BINS_PER_SEMITONE * (i + 12.0 * np.log2(harmonic))
            rows[i] += _HARMONIC_DECAY ** (harmonic - 1) * np.clip(1.0 - np.abs(bins - at) / 2.0, 0.0, None)
    return rows


def _fold(salience: Floats) -> BeatChroma:
    """Pitch salience (n_spans, n_pitches from LOWEST_PITCH) folded to chroma, all registers and bass."""
    pitches = np.arange(LOWEST_PITCH, LOWEST_PITCH + salience.shape[1])
    # The middle of the keyboard carries the harmony; the extremes carry noise and sparkle.
    middle = np.exp(-0.5 * ((pitches - 62) / 16.0) ** 2)
    low, high = BASS_PITCHES
    bass = np.where((pitches >= low) & (pitches <= high), np.clip((high + 1 - pitches) / 12.0, 0.0, 1.0), 0.0)
    folding = (pitches[:, None] % 12 == np.arange(12)[None, :]).astype(np.float64)
    return BeatChroma((salience * middle) @ folding, (salience * bass) @ folding)


def note_pitch_frames(notes: Sequence[NoteEvent], duration_s: float) -> Array:
    """Piano roll (n_frames, n_pitches) at CHROMA_RATE_HZ: velocity times confidence, decaying as strings do."""
    n_frames = max(1, int(duration_s * CHROMA_RATE_HZ) + 1)
    roll = np.zeros((n_frames, HIGHEST_PITCH - LOWEST_PITCH + 1), dtype=np.float32)
    for note in notes:
        column = note.pitch - LOWEST_PITCH
        first = max(0, round(note.onset_s * CHROMA_RATE_HZ))
        last = min(n_frames, max(first + 1, round((note.onset_s + note.duration_s) * CHROMA_RATE_HZ)))
        if 0 <= column < roll.shape[1] and first < last:
            decay = np.exp(-np.arange(last - first) / (2.0 * CHROMA_RATE_HZ))
            roll[first:last, column] += (note.velocity / 127.0 * note.confidence * decay).astype(np.float32)
    return roll


def note_chroma(roll: Array, borders_s: NDArray[np.floating]) -> BeatChroma:
    """Chroma of a piano roll of `note_pitch_frames` between successive borders in seconds (n_spans + 1,)."""
    return _fold(_span_means(roll, np.asarray(borders_s, dtype=np.float64)))


def fold_pitches(pitch_frames: NDArray[np.floating]) -> BeatChroma:
    """Chroma of each row of pitch levels (n_rows, n_pitches from LOWEST_PITCH up)."""
    return _fold(np.asarray(pitch_frames, dtype=np.float64))


def harmonic_change(chroma: Floats) -> Floats:
    """How much the harmony changes at each frame (n_frames,), in [0, 1].

    Cosine distance between the mean chroma shortly after and shortly before the frame; 0 where nothing sounds.

    Parameters
    ----------
    chroma : (n_frames, 12) at CHROMA_RATE_HZ
    """
    span = int(_CHANGE_SPAN_S * CHROMA_RATE_HZ)
    sums = np.concatenate([np.zeros((1, 12)), np.cumsum(chroma, axis=0)])
    frames = np.arange(len(chroma))
    before = sums[frames] - sums[np.maximum(frames - span, 0)]
    after = sums[np.minimum(frames + span, len(chroma))] - sums[frames]
    norms = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    floor = 1e-3 * float(norms.max(initial=0.0)) + 1e-12
    cosine = np.sum(before * after, axis=1) / (norms + floor)
    return np.asarray(np.where(norms > floor, 1.0 - np.clip(cosine, 0.0, 1.0), 0.0))
