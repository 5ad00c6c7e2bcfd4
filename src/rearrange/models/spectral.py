"""A classical separator: four stems by masks on one spectrogram. No network, no weights.

What it does, per bin of a 93 ms spectrogram:

* what stands still in frequency and passes in time is drums, what stays is pitched (median filters along
  time and frequency: FitzGerald, "Harmonic/percussive separation using median filtering", DAFx 2010);
* below about 220 Hz only bass and drums are told apart, with a median of more than a second, because a kick
  drum rings for 0.2 s and a bass note for longer;
* above it, pitched sound that moves within a second is likelier a voice than an accompaniment (after
  FitzGerald and Gainza, "Single channel vocal separation using median filtering and factorisation
  techniques", 2010), and so is what both channels share, in a stereo recording: lead voices are mixed to the
  centre. A mono recording has no centre; there only the first clue is left.

What it cannot do: tell a voice from a lead instrument, or keep the bass's overtones together. It is the
baseline of trained models, and a share of what `separation` gives. The three masks and the rest,
`other`, add up to the mix exactly.

Conventions: arrays are (channels, n_samples) outside, (channels, frames, bins) inside; float32 throughout.
Weights were set by hand on excerpts of MDB Drums and of "everything is remixed"; docs/LOG.md has the figures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.models.stft import overlap_add, root_hann, spectra_of
from rearrange.progress import Progress, silent

__all__ = ["spectral_blocks"]

_WINDOW_S = 4096 / 44100
_HOPS_PER_WINDOW = 4
_BLOCK_FRAMES = 128  # 3 s; a block's arrays then stay within the processor's cache

# Medians: number of taps, and their distance in frames of 23 ms or bins of 11 Hz.
_TAPS = 9
_BASS_STEP_FRAMES = 6  # 9 taps over 1.1 s
_STEADY_STEP_FRAMES = 5  # 9 taps over 0.9 s: an accompaniment's chord stays, a voice moves
_PITCHED_TAPS = 7  # over 0.14 s: longer than a stroke, shorter than a sung note
_PERCUSSIVE_STEP_BINS = 6  # 9 taps over 520 Hz: wider than a harmonic, narrower than a drum
_BASS_PERCUSSIVE_TAPS = 7  # over 65 Hz
_CONTEXT = (_TAPS // 2) * max(_BASS_STEP_FRAMES, _STEADY_STEP_FRAMES)

_BASS_HZ = 220.0  # crossover of bass and the rest
_BASS_ORDER = 6
_BASS_MAX_HZ = 600.0  # the crossover has fallen by 50 dB here
_VOICE_LOW_HZ = 250.0
_VOICE_HIGH_HZ = 5000.0
_VOICE_ORDER = 8
_STEADY_VOICE = 0.6  # weight of a voice's held note in what is steady
# Weight of an accompaniment that moves in what moves. 0 gains 0.3 dB of voice on the recordings where the
# clue holds, but loses 1 to 3 dB of accompaniment on all.
_MOVING_BACKING = 0.4
# How far sharing between the channels moves a bin to the voice or from it. 1 would trust it entirely; 0.4
# gains about as much voice where it is central as it loses where effects have spread it (0.7 dB).
_CENTRE_TRUST = 0.4
_TINY = np.float32(1e-20)


@dataclass(frozen=True)
class _Bands:
    """Weights per bin, float32 (bins,)."""

    low: NDArray[np.float32]
    voice: NDArray[np.float32]
    n_bass: int  # bins below _BASS_MAX_HZ


@dataclass(frozen=True)
class _Masks:
    """Gains in [0, 1], float32 (frames, bins); what they leave is `other`."""

    drums: NDArray[np.float32]
    bass: NDArray[np.float32]
    vocals: NDArray[np.float32]


def spectral_blocks(
    samples: NDArray[np.float32], sample_rate: int, *, progress: Progress = silent
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Separate a recording into drums, bass, other and vocals.

    Parameters
    ----------
    samples : float32 (channels, n_samples)
    sample_rate : in Hz; the window's length follows it

    Yields
    ------
    Consecutive blocks of about 3 s per stem, (channels, n), that add up to the mix. The result does not
    depend on where the blocks end.
    """
    from scipy.fft import irfft

    channels, n_samples = samples.shape
    n_window = 2 ** max(round(np.log2(_WINDOW_S * sample_rate)), 4)
    hop = n_window // _HOPS_PER_WINDOW
    lead = n_window - hop  # silence before the first sample, so that it too lies under four windows
    n_frames = (n_samples - 1 + lead) // hop + 1
    # Root-Hann windows, twice: they add up to 1 over four hops once divided by two.
    window = root_hann(n_window)
    bands = _bands(n_window, sample_rate)

    spectra = np.zeros((channels, 0, n_window // 2 + 1), np.complex64)
    first = 0  # frame number of spectra[:, 0]
    carry = np.zeros((3, channels, lead), np.float32)
    for start in range(0, n_frames, _BLOCK_FRAMES):
        stop = min(start + _BLOCK_FRAMES, n_frames)
        known = first + spectra.shape[1]
        wanted = min(stop + _CONTEXT, n_frames)
        new = spectra_of(samples, known * hop - lead, wanted - known, window=window, hop=hop)
        keep_from = max(start - _CONTEXT, 0)
        spectra = np.concatenate([spectra[:, keep_from - first :], new], axis=1)
        first = keep_from
        masks = _masks(spectra, start - first, stop - start, bands)
        here = spectra[:, start - first : stop - first]
        masked = np.stack([here * mask for mask in (masks.drums, masks.bass, masks.vocals)])
        frames = irfft(masked, n_window, axis=-1)
        frames *= window / 2
        sound = overlap_add(frames, hop)  # (3, channels, (frames - 1) * hop + n_window)
        sound[..., :lead] += carry
        n_whole = (stop - start) * hop
        carry = sound[..., n_whole:]
        # Sample 0 lies `lead` samples into frame 0.
        begin, end = max(start * hop - lead, 0), min(stop * hop - lead, n_samples)
        if end <= begin:
            continue
        offset = begin - (start * hop - lead)
        drums, bass, vocals = sound[..., offset : offset + end - begin]
        yield {
            "drums": drums,
            "bass": bass,
            "other": samples[:, begin:end] - drums - bass - vocals,
            "vocals": vocals,
        }
        progress(end / n_samples, "separating")


def _bands(n_window: int, sample_rate: int) -> _Bands:
    hz = np.fft.rfftfreq(n_window, 1 / sample_rate)

    def below(cutoff_hz: float, order: int) -> NDArray[np.float64]:
        return np.asarray(1 / (1 + (hz / cutoff_hz) ** order))

    voice = (1 - below(_VOICE_LOW_HZ, _VOICE_ORDER)) * below(_VOICE_HIGH_HZ, _VOICE_ORDER)
    return _Bands(
        low=below(_BASS_HZ, _BASS_ORDER).astype(np.float32),
        voice=voice.astype(np.float32),
        n_bass=int(np.searchsorted(hz, _BASS_MAX_HZ)),
    )


def _masks(spectra: NDArray[np.complex64], start: int, n_frames: int, bands: _Bands) -> _Masks:
    """Masks of the frames `start` to `start + n_frames` of spectra (channels, frames, bins)."""
    magnitudes = np.abs(spectra)
    magnitude = magnitudes.mean(axis=0)
    # At the song's ends the context is mirrored.
    before = max(_CONTEXT - start, 0)
    after = max(start + n_frames + _CONTEXT - magnitude.shape[0], 0)
    around = np.pad(magnitude, ((before, after), (0, 0)), mode="reflect")
    at = start + before

    def along_time(rows: NDArray[np.float32], taps: int, step: int) -> NDArray[np.float32]:
        offsets = [at + (i - taps // 2) * step for i in range(taps)]
        return _median([rows[offset : offset + n_frames] for offset in offsets])

    def along_frequency(rows: NDArray[np.float32], taps: int, step: int) -> NDArray[np.float32]:
        reach = taps // 2 * step
        wide = np.pad(rows, ((0, 0), (reach, reach)), mode="reflect")
        return _median([wide[:, i * step : i * step + rows.shape[1]] for i in range(taps)])

    here = magnitude[start : start + n_frames]
    pitched = along_time(around, _PITCHED_TAPS, 1) ** 2
    steady = along_time(around, _TAPS, _STEADY_STEP_FRAMES) ** 2
    percussive = along_frequency(here, _TAPS, _PERCUSSIVE_STEP_BINS) ** 2
    moving = np.maximum(pitched - steady, 0)
    voice = (moving + _STEADY_VOICE * steady) * bands.voice
    backing = steady + moving * (1 - (1 - _MOVING_BACKING) * bands.voice)
    if spectra.shape[0] == 2:
        shared = _shared(spectra, magnitudes)[start : start + n_frames]
        voice *= 1 - _CENTRE_TRUST + 2 * _CENTRE_TRUST * shared
        backing *= 1 + _CENTRE_TRUST - 2 * _CENTRE_TRUST * shared
    total = percussive + voice + backing + _TINY
    drums = percussive / total * (1 - bands.low)
    vocals = voice / total * (1 - bands.low)

    n_bass = bands.n_bass
    held = along_time(around[:, :n_bass], _TAPS, _BASS_STEP_FRAMES) ** 2
    struck = along_frequency(here[:, :n_bass], _BASS_PERCUSSIVE_TAPS, 1) ** 2
    bass = np.zeros_like(drums)
    bass[:, :n_bass] = held / (held + struck + _TINY) * bands.low[:n_bass]
    return _Masks(drums=drums + bands.low - bass, bass=bass, vocals=vocals)


def _shared(spectra: NDArray[np.complex64], magnitudes: NDArray[np.float32]) -> NDArray[np.float32]:
    """How alike left and right are, (frames, bins): 1 where they are equal, 0 where only one sounds.

    The square of Avendano's panning similarity (WASPAA 2003), over three frames.
    """
    left, right = spectra
    cross = left.real * right.real + left.imag * right.imag
    energy = (magnitudes[0] ** 2 + magnitudes[1] ** 2) / 2
    similarity: NDArray[np.float32] = _sum_of_three(cross) / (_sum_of_three(energy) + _TINY)
    np.clip(similarity, 0, 1, out=similarity)
    similarity *= similarity
    return similarity


def _sum_of_three(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    total = rows.copy()
    total[1:] += rows[:-1]
    total[:-1] += rows[1:]
    return total


# Sorting networks that leave the median in the middle (Knuth, TAOCP 3, 5.3.4; Smith's for nine). With arrays
# as wires they are fifty times as fast as a rank filter: minimum and maximum run at memory speed.
_NETWORKS = {
    7: "05 03 16 24 01 35 26 23 36 45 14 13 34",
    9: "12 45 78 01 34 67 12 45 78 03 58 47 36 14 25 47 42 64 42",
}


def _median(wires: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Median of 7 or 9 arrays, element by element."""
    wires = list(wires)
    for pair in _NETWORKS[len(wires)].split():
        i, j = int(pair[0]), int(pair[1])
        wires[i], wires[j] = np.minimum(wires[i], wires[j]), np.maximum(wires[i], wires[j])
    return wires[len(wires) // 2]
