"""What is struck in a drum stem: the attacks in its spectrum, as sums of drums.

The spectrum in 23 bands every 5 ms (`band_spectrogram`); what rose within 30 ms (`attacks`: steady sounds,
and their leakage, vanish); those attacks as sums of five known attack spectra, which adapt to the recording
(`decompose`). `analysis/drums.py` makes hits of them.

Conventions: mono at SAMPLE_RATE, full scale ±1; a drum is its column: KICK, SNARE, HAT, TOM, and OTHER for
what is no drum.

Sources: semi-adaptive templates: Dittmar and Gaertner, "Real-Time Transcription and Separation of Drum
Recordings Based on NMF Decomposition", DAFx 2014; multiplicative updates: Lee and Seung, 2001. The
templates are ours, after the mean attacks of General MIDI kits and a few recordings.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BRIGHT_BANDS",
    "FRAME_RATE_HZ",
    "HAT",
    "KICK",
    "OTHER",
    "RISE_FRAMES",
    "SAMPLE_RATE",
    "SKIN_BANDS",
    "SNARE",
    "TOM",
    "UPPER_BANDS",
    "WIRE_BANDS",
    "attacks",
    "band_centres_hz",
    "band_spectrogram",
    "decompose",
]

FloatArray = NDArray[np.float32]

KICK, SNARE, HAT, TOM, OTHER = range(5)

SAMPLE_RATE = 44_100
# 23 ms of window tell a kick from a tom and blur an onset by less than a frame; 5 ms of hop.
WINDOW_SAMPLES = 1024
HOP_SAMPLES = 220
FRAME_RATE_HZ = SAMPLE_RATE / HOP_SAMPLES

# In bins of 43 Hz: single bins for the drums' fundamentals, then three bands per octave, to 17 kHz.
BAND_EDGES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 101, 127, 160, 202, 254, 320, 403)
SKIN_BANDS = slice(1, 8)  # 86 to 560 Hz: the fundamentals of toms and snares
UPPER_BANDS = slice(13, 17)  # 1.7 to 4.3 kHz: crashes are strong there, hats are not
WIRE_BANDS = slice(13, 19)  # 1.7 to 7 kHz: the snare's wires; a tom has nothing there
BRIGHT_BANDS = slice(17, 23)  # above 4.3 kHz: the hats' own

# An attack is the rise over this time (30 ms); shorter loses slow kicks, longer joins double strokes.
RISE_FRAMES = 6

# Matrices of so many frames fit the cache, and their products are too small for OpenBLAS to split over threads
# (262,144 multiplications), which takes ten times as long when the other core is busy.
BLOCK_FRAMES = 2000


def band_spectrogram(samples: FloatArray) -> FloatArray:
    """Magnitude in each band, (n_frames, 23); frame i is centred on sample i * HOP_SAMPLES."""
    taper = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)
    bands = np.empty((len(samples) // HOP_SAMPLES + 1, len(BAND_EDGES) - 1), dtype=np.float32)
    for first in range(0, len(bands), BLOCK_FRAMES):
        last = min(first + BLOCK_FRAMES, len(bands))
        start = first * HOP_SAMPLES - WINDOW_SAMPLES // 2
        stop = (last - 1) * HOP_SAMPLES + WINDOW_SAMPLES // 2
        block = np.pad(samples[max(start, 0) : stop], (max(-start, 0), max(stop - len(samples), 0)))
        windows = np.lib.stride_tricks.sliding_window_view(block, WINDOW_SAMPLES)[::HOP_SAMPLES]
        spectrum = np.fft.rfft(windows * taper, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        bands[first:last] = np.add.reduceat(power, BAND_EDGES, axis=1)[:, :-1]
    return np.asarray(np.sqrt(bands) * (2.0 / WINDOW_SAMPLES), dtype=np.float32)


def attacks(bands: FloatArray) -> FloatArray:
    """How much each band rose over RISE_FRAMES; what sounds in the first frame rose in it."""
    before = np.zeros_like(bands)
    before[RISE_FRAMES:] = bands[:-RISE_FRAMES]
    return np.asarray(np.maximum(bands - before, 0.0), dtype=np.float32)


def decompose(rises: FloatArray, adaptation: float) -> tuple[FloatArray, FloatArray]:
    """Explain attacks as sums of templates (NMF with Kullback-Leibler divergence).

    Parameters
    ----------
    rises : (n_frames, n_bands), from `attacks`
    adaptation : weight of the recording's own spectra against the templates, 0..1

    Returns
    -------
    Template spectra (n_bands, 5), each of sum 1, and gains (n_frames, 5): each one's part of the attack.
    """
    shapes = _templates()
    if adaptation > 0.0:
        strength = rises.sum(axis=1)
        strong = np.flatnonzero(strength > 0.02 * np.percentile(strength, 99.5))
        strong = strong[:: len(strong) // BLOCK_FRAMES + 1]
        shapes = _adapted(shapes, rises[strong], adaptation)
    gains = np.empty((len(rises), shapes.shape[1]), dtype=np.float32)
    for first in range(0, len(rises), BLOCK_FRAMES):
        block = slice(first, first + BLOCK_FRAMES)
        gains[block] = _gains(rises[block], shapes, n_steps=30)
    return shapes, gains


def band_centres_hz() -> NDArray[np.float64]:
    """Geometric centre of each band."""
    edges_hz = np.array(BAND_EDGES) * SAMPLE_RATE / WINDOW_SAMPLES
    return np.asarray(np.sqrt(edges_hz[:-1] * edges_hz[1:]))


def _templates() -> FloatArray:
    """Attack spectra of kick, snare, hat, tom and of anything else, (n_bands, 5), each of sum 1."""
    octave = np.log2(band_centres_hz())

    def bump(centre_hz: float, width_octaves: float) -> NDArray[np.float64]:
        return np.asarray(np.exp(-0.5 * ((octave - np.log2(centre_hz)) / width_octaves) ** 2))

    def plateau(low_hz: float, high_hz: float) -> NDArray[np.float64]:
        rise, fall = (octave - np.log2(low_hz)) / 0.35, (octave - np.log2(high_hz)) / 0.35
        return np.asarray(1.0 / (1.0 + np.exp(-rise)) / (1.0 + np.exp(fall)))

    shapes = np.stack(
        [
            bump(75, 0.55) + 0.03 * plateau(400, 5000),  # the beater's click
            0.7 * bump(210, 0.5) + 0.32 * plateau(450, 8000),  # the head and the wires
            plateau(5000, 30_000) + 0.05 * plateau(300, 30_000),
            bump(140, 0.45) + 0.05 * plateau(300, 4000),
            bump(350, 0.8),  # guitars, voices, keys: what leaks in
        ],
        axis=1,
    )
    return np.asarray(shapes / shapes.sum(axis=0), dtype=np.float32)


def _adapted(shapes: FloatArray, rises: FloatArray, adaptation: float) -> FloatArray:
    start = shapes
    gains = np.full((len(rises), shapes.shape[1]), max(float(rises.mean()), 1e-9), dtype=np.float32)
    for step in range(60):
        gains = _updated_gains(gains, rises, shapes)
        if step < 10:
            continue  # gains first: templates that follow arbitrary gains lose their meaning
        ratio = rises / (gains @ shapes.T + 1e-9)
        learned = shapes * (ratio.T @ gains)
        learned /= learned.sum(axis=0) + 1e-9
        shapes = np.asarray((1.0 - adaptation) * start + adaptation * learned, dtype=np.float32)
        shapes[:, TOM:] = start[:, TOM:]  # rare or nobody's: they would take what the others leave
        shapes /= shapes.sum(axis=0)
    return shapes


def _gains(rises: FloatArray, shapes: FloatArray, *, n_steps: int) -> FloatArray:
    gains = np.full((len(rises), shapes.shape[1]), max(float(rises.mean()), 1e-9), dtype=np.float32)
    for _ in range(n_steps):
        gains = _updated_gains(gains, rises, shapes)
    return gains


def _updated_gains(gains: FloatArray, rises: FloatArray, shapes: FloatArray) -> FloatArray:
    # OpenBLAS now and then raises the flag of an invalid number where all are finite (numpy issue 24067).
    with np.errstate(invalid="ignore"):
        return np.asarray(gains * ((rises / (gains @ shapes.T + 1e-9)) @ shapes), dtype=np.float32)
