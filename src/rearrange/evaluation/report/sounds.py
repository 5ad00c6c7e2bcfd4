"""The sound of the page: what is measured and drawn of each side while it streams by, and coded for the browser.

Opus in WebM. A second of stereo takes 0.003 s of processor time at 96 kbit/s, where FFmpeg's AAC takes 0.006 and
LAME 0.016, each at its quickest; after a seek Chromium plays within 3 ms of where it says it is (AAC as well; MP3
up to 26 ms off, a frame). All measured on one core with Chromium 156. Current browsers play all three.

Limits: a page carries its sound in itself, so long songs are coded at lower rates, and beyond TRACKS_UP_TO_S
without the single tracks; `SoundPlan.note` says so to the reader.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearrange.errors import OutputError
from rearrange.synth.effects import hiss
from rearrange.synth.master import MasterMeter

__all__ = [
    "Heard",
    "Measures",
    "Picture",
    "SoundPlan",
    "coded",
    "listen",
    "matched_gains",
    "resampled",
    "sound_plan",
]

SIDE_RATE_HZ = 48000
LONG_RATE_HZ = 24000
TRACK_RATE_HZ = 24000
TRACKS_UP_TO_S = 600.0
_SIDE_KBPS, _LONG_SIDE_KBPS = 96, 40
_TRACK_KBPS = (32, 24, 16, 12)  # Opus at 24 kHz mono: 32 is transparent for most instruments, 12 still telling
_TRACKS_BYTES = 10e6  # of all tracks together: with both sides and base64, a song of 5 minutes stays below 25 MB
_LONGEST_AT_FULL_RATE_S = 600.0
_LONG_BYTES = 24e6  # of both sides of a song that is longer
_LOWEST_SIDE_KBPS = 16

BLOCK_S = 4.0
# Silence takes libopus four times as long as sound (measured; fainter noise than -100 dB does not help).
_HISS_GAIN = np.float32(1e4)  # from -180 dB
_PEAKS_PER_S = 100
_FRAMES_PER_S = 20  # of the spectrogram: a column of a picture lasts longer in all but the shortest songs
_WINDOW_S = 0.085
N_BANDS = 96
LOWEST_HZ, HIGHEST_HZ = 40.0, 11000.0
_CEILING_DBTP = -0.35  # as much as coding was seen to raise true peaks: after it they are below 0


@dataclass(frozen=True, slots=True)
class SoundPlan:
    """How the sound of a page is coded. `track_kbps` 0: no single tracks. `note` tells what is missing."""

    side_rate: int
    side_channels: int
    side_kbps: int
    track_kbps: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class Picture:
    """What is drawn of a side.

    lows, highs, rms : of the samples, per hop of 1 / `peaks_per_s`
    bands : power per frame of 1 / `frames_per_s` and band of equal width in octaves, (n_frames, N_BANDS)
    """

    lows: NDArray[np.float32]
    highs: NDArray[np.float32]
    rms: NDArray[np.float32]
    bands: NDArray[np.float32]
    peaks_per_s: float = _PEAKS_PER_S
    frames_per_s: float = _FRAMES_PER_S


@dataclass(frozen=True, slots=True)
class Measures:
    """Integrated loudness and true peak; both -inf for silence."""

    lufs: float
    true_peak_dbtp: float


@dataclass(frozen=True, eq=False)
class Heard:
    """A side: its sound for the browser, its measures, and what is drawn of it."""

    webm: bytes
    duration_s: float
    measures: Measures
    picture: Picture

    @property
    def lufs(self) -> float:
        return self.measures.lufs

    @property
    def true_peak_dbtp(self) -> float:
        return self.measures.true_peak_dbtp


def sound_plan(duration_s: float, n_tracks: int) -> SoundPlan:
    """Rates that keep the page of a 5-minute song below 25 MB, and an hour's below 40.

    Parameters
    ----------
    duration_s : of the longer side
    """
    duration_s = max(duration_s, 1.0)
    if duration_s > _LONGEST_AT_FULL_RATE_S:
        affordable = int(_LONG_BYTES * 8 / 1000 / (2 * duration_s))
        kbps = max(min(_LONG_SIDE_KBPS, affordable), _LOWEST_SIDE_KBPS)
        note = (
            f"This song is long: on this page it plays in mono at {kbps} kbit/s, and without its single tracks. "
            "The full sound is in mix.wav, the tracks are in the folder tracks."
        )
        return SoundPlan(LONG_RATE_HZ, 1, kbps, 0, note)
    per_track = _TRACKS_BYTES * 8 / 1000 / (max(n_tracks, 1) * duration_s)
    track_kbps = next((rate for rate in _TRACK_KBPS if rate <= per_track), 0)
    note = "" if track_kbps else "There are too many tracks for a page: listen to them in the folder tracks."
    return SoundPlan(SIDE_RATE_HZ, 2, _SIDE_KBPS, track_kbps, note)


def matched_gains(sides: Iterable[Heard]) -> list[float]:
    """Gains, at most 1, that bring all sides to one loudness with no true peak above 0 dBTP once decoded.

    The loudest is turned down to the softest; silence is left out of it.
    """
    heard = list(sides)
    audible = [side for side in heard if np.isfinite(side.lufs)]
    if not audible:
        return [1.0] * len(heard)
    # As loud as all of them can be: each at most as loud as it is, and with its peaks below the ceiling.
    target = min(side.lufs + min(0.0, _CEILING_DBTP - side.true_peak_dbtp) for side in audible)
    return [float(10 ** ((target - side.lufs) / 20)) if np.isfinite(side.lufs) else 1.0 for side in heard]


def resampled(
    blocks: Iterable[NDArray[np.float32]], sample_rate: int, wanted_rate: int, *, channels: int
) -> Iterator[NDArray[np.float32]]:
    """Yield blocks (n_any, n) as (channels, n) at another rate; 1 or 2 channels either way."""
    import soxr

    stream = soxr.ResampleStream(sample_rate, wanted_rate, channels, dtype="float32", quality="MQ")
    last: NDArray[np.float32] | None = None
    for block in blocks:
        folded = block.mean(axis=0, keepdims=True) if channels == 1 else block
        if folded.shape[0] < channels:
            folded = np.repeat(folded, channels, axis=0)
        if last is not None:
            yield _resample(stream, last, last_one=False)
        last = folded
    if last is not None:
        yield _resample(stream, last, last_one=True)


def _resample(stream: Any, block: NDArray[np.float32], *, last_one: bool) -> NDArray[np.float32]:
    piece = stream.resample_chunk(np.ascontiguousarray(block.T), last=last_one)
    return np.ascontiguousarray(piece.reshape(-1, block.shape[0]).T)


def coded(blocks: Iterable[NDArray[np.float32]], *, sample_rate: int, channels: int, kbps: int) -> bytes:
    """Opus in WebM, of blocks (channels, n) at 24 or 48 kHz.

    Raises
    ------
    OutputError : this build of FFmpeg cannot encode Opus.
    """
    import av

    layout = "mono" if channels == 1 else "stereo"
    target = io.BytesIO()
    try:
        container: Any = av.open(target, "w", format="webm")
        stream: Any = container.add_stream("libopus", rate=sample_rate, layout=layout)
    except (av.error.FFmpegError, ValueError) as exc:
        raise OutputError(f"the page's sound cannot be coded: {exc}") from exc
    stream.bit_rate = kbps * 1000
    stream.options = {"compression_level": "0"}  # the quickest: half the time of the best
    position = 0
    for block in blocks:
        if not block.shape[1]:
            continue
        awake = block + _HISS_GAIN * hiss(block.shape[1])[:channels]
        frame = av.AudioFrame.from_ndarray(awake, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = sample_rate, position
        position += block.shape[1]
        for packet in stream.encode(frame):
            container.mux(packet)
    if position:
        for packet in stream.encode(None):
            container.mux(packet)
    container.close()
    return target.getvalue()


def listen(blocks: Iterable[NDArray[np.float32]], plan: SoundPlan, *, known: Measures | None = None) -> Heard:
    """Code a side for the browser; measure it and gather its picture on the way.

    Parameters
    ----------
    blocks : (plan.side_channels, n) at plan.side_rate
    known : what need not be measured again
    """
    ear = _Ear(plan.side_rate, known)

    def heard_by(blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        for block in blocks:
            ear.add(block)
            yield block

    webm = coded(heard_by(blocks), sample_rate=plan.side_rate, channels=plan.side_channels, kbps=plan.side_kbps)
    return ear.finish(webm)


class _Ear:
    """Loudness, peaks, waveform and spectrogram of a stream."""

    def __init__(self, sample_rate: int, known: Measures | None) -> None:
        self._rate, self._n = sample_rate, 0
        self._known = known
        self._meter = MasterMeter(sample_rate)
        self._hop = sample_rate // _PEAKS_PER_S
        self._step = sample_rate // _FRAMES_PER_S
        self._size = 2 ** round(np.log2(_WINDOW_S * sample_rate))
        self._window = np.hanning(self._size).astype(np.float32)
        self._filters = _log_bands(self._size, sample_rate)
        self._odd = np.zeros(0, np.float32)  # too few samples for a hop
        self._ahead = np.zeros(self._size // 2, np.float32)  # so that a frame's middle is its time
        self._lows: list[NDArray[np.float32]] = []
        self._highs: list[NDArray[np.float32]] = []
        self._rms: list[NDArray[np.float32]] = []
        self._bands: list[NDArray[np.float32]] = []

    def add(self, block: NDArray[np.float32]) -> None:
        """Listen to the next block, (1 or 2, n)."""
        self._n += block.shape[1]
        if self._known is None:  # two thirds of what listening costs
            self._meter.add(block if len(block) == 2 else np.repeat(block, 2, axis=0))
        self._draw(block.mean(axis=0))

    def _draw(self, mono: NDArray[np.float32]) -> None:
        from scipy.fft import rfft

        samples = np.concatenate([self._odd, mono])
        whole = len(samples) // self._hop * self._hop
        hops, self._odd = samples[:whole].reshape(-1, self._hop), samples[whole:]
        if whole:
            self._lows.append(hops.min(axis=1))
            self._highs.append(hops.max(axis=1))
            self._rms.append(np.sqrt(np.einsum("hs,hs->h", hops, hops) / self._hop))
        self._ahead = np.concatenate([self._ahead, mono])
        n_frames = (len(self._ahead) - self._size) // self._step + 1
        if n_frames > 0:
            frames = np.lib.stride_tricks.sliding_window_view(self._ahead, self._size)[:: self._step][:n_frames]
            spectrum = rfft(frames * self._window, axis=1)
            power = np.square(spectrum.real) + np.square(spectrum.imag)
            self._bands.append((power @ self._filters).astype(np.float32))
            self._ahead = self._ahead[n_frames * self._step :]

    def finish(self, webm: bytes) -> Heard:
        duration_s = self._n / self._rate
        self._draw(np.zeros(self._size // 2 + self._hop, np.float32))
        n_peaks = max(int(np.ceil(duration_s * _PEAKS_PER_S)), 1)
        lows, highs, rms = (
            np.concatenate([*rows, np.zeros(0, np.float32)])[:n_peaks]
            for rows in (self._lows, self._highs, self._rms)
        )
        bands = np.concatenate([*self._bands, np.zeros((0, N_BANDS), np.float32)])
        picture = Picture(lows, highs, rms, bands)
        return Heard(webm, duration_s, self._known or self._measures(), picture)

    def _measures(self) -> Measures:
        self._meter.finish()
        peak = self._meter.true_peak
        return Measures(self._meter.lufs, 20 * float(np.log10(peak)) if peak > 0 else float("-inf"))


def _log_bands(size: int, sample_rate: int) -> NDArray[np.float32]:
    """Triangular filters of equal width in octaves, (size // 2 + 1, N_BANDS)."""
    hz = np.fft.rfftfreq(size, 1 / sample_rate)
    corners = np.geomspace(LOWEST_HZ, HIGHEST_HZ, N_BANDS + 2)
    # A low band is narrower than a bin: every band reaches a bin's width to either side at least.
    low = np.minimum(corners[:-2], corners[1:-1] - hz[1])
    high = np.maximum(corners[2:], corners[1:-1] + hz[1])
    rising = (hz[:, None] - low) / (corners[1:-1] - low)
    falling = (high - hz[:, None]) / (high - corners[1:-1])
    filters = np.clip(np.minimum(rising, falling), 0.0, None)
    return np.asarray(filters / filters.sum(axis=0), dtype=np.float32)
