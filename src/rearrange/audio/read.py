"""Reading audio files: any format FFmpeg decodes, in a stream, into one preallocated buffer.

A file that is damaged is read as far as it decodes (with a warning) if that is at least half a second;
a few samples that are not numbers are silenced (with a warning). Whatever else cannot be used is an
`AudioFormatError`. Only containers that hold music are opened: a playlist posing as audio is refused,
so that reading a file never reads another file or the network.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearrange.audio.signal import Audio, fold_matrix
from rearrange.errors import AudioFormatError
from rearrange.progress import Progress, silent

__all__ = ["AudioInfo", "audio_info", "read_audio", "read_blocks"]

logger = logging.getLogger(__name__)

_DEMUXERS = (
    "wav,w64,flac,mp3,ogg,mov,mp4,m4a,3gp,3g2,mj2,aac,aiff,matroska,webm,asf,caf,au,ape,wv,tta,ac3,eac3,dsf,amr"
)
MIN_DURATION_S = 0.5  # what is left of a damaged file must be worth the while
MAX_NOT_NUMBERS = 0.01  # share of NaN and infinite samples that is repaired rather than refused
# Coded music overshoots full scale by a few dB; samples beyond this are numbers of another scale
# (a float file that holds 16-bit integers), and are brought back to full scale.
MAX_PEAK = 8.0
_PIECE_S = 2.0  # frames are gathered to this length before they are folded and resampled
_GUESS_MAX_S = 4 * 3600.0  # a header may lie about the length: no larger buffer is asked for at first
_SCALE = {"u8": 2.0**-7, "s16": 2.0**-15, "s32": 2.0**-31, "s64": 2.0**-63}


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says."""

    sample_rate: int
    channels: int
    n_samples: int

    @property
    def duration_s(self) -> float:
        return self.n_samples / self.sample_rate


def read_audio(
    path: str | os.PathLike[str],
    *,
    sample_rate: int | None = None,
    mono: bool = False,
    max_channels: int = 2,
    until_s: float | None = None,
    progress: Progress = silent,
) -> Audio:
    """Read a sound file.

    Parameters
    ----------
    path : WAV, FLAC, MP3, Ogg, Opus, M4A/AAC, AIFF and whatever else FFmpeg decodes
    sample_rate : resample to this rate in Hz; None keeps the file's
    mono : fold to one channel
    max_channels : files with more channels are folded to stereo (ITU-R BS.775 gains, never louder)
    until_s : read no further than this; None reads to the end

    Returns
    -------
    Audio, (channels, n_samples). The rows are contiguous, the array as a whole need not be.

    Raises
    ------
    AudioFormatError : no such file, not audio, empty, damaged beyond use, or not made of numbers.
    """
    import av

    path = Path(path)
    if not path.is_file():
        raise AudioFormatError(f"{path}: no such file" if not path.exists() else f"{path}: not a file")
    if path.stat().st_size == 0:
        raise AudioFormatError(f"{path}: the file is empty")
    try:
        # An absolute path cannot be taken for a URL.
        container = av.open(str(path.resolve()), options={"format_whitelist": _DEMUXERS})
    except (av.error.FFmpegError, OSError, ValueError, UnicodeError) as exc:
        if isinstance(exc, PermissionError):
            raise AudioFormatError(f"{path}: no permission to read it") from exc
        raise AudioFormatError(
            f"{path}: not a sound file that can be read", "is it really audio, and complete?"
        ) from exc
    with container:
        if not container.streams.audio:
            raise AudioFormatError(f"{path}: there is no sound in this file")
        stream = container.streams.audio[0]
        source_rate = int(stream.rate or 0)
        if source_rate <= 0 or not stream.channels:
            raise AudioFormatError(f"{path}: the file does not say its sample rate or channels")
        loudspeakers = [channel.name for channel in stream.layout.channels]
        channels = 1 if mono else min(len(loudspeakers), 2 if len(loudspeakers) > max_channels else 8)
        fold = (
            fold_matrix(loudspeakers, channels)
            if channels != len(loudspeakers)
            else np.eye(channels, dtype=np.float32)
        )
        duration_s = _header_duration_s(container, stream)
        collector = _Collector(
            path,
            fold=fold,
            source_rate=source_rate,
            sample_rate=sample_rate or source_rate,
            duration_s=duration_s,
            progress=progress,
        )
        damaged = 0
        for frame in _frames(container, stream):
            if frame is None:
                damaged += 1
            elif frame.sample_rate == source_rate and frame.layout.nb_channels == len(loudspeakers):
                collector.add(_as_float(frame))
            else:
                damaged += 1  # a stream that changes its rate half-way: two files in one
            if until_s is not None and collector.read_s > until_s + _PIECE_S:
                break
    audio = collector.finish()
    if until_s is not None:
        audio = Audio(audio.samples[:, : round(until_s * audio.sample_rate)], audio.sample_rate)
    if damaged:
        if audio.duration_s < MIN_DURATION_S:
            raise AudioFormatError(f"{path}: the file is damaged; nothing usable could be decoded")
        logger.warning("%s is damaged: read %.1f s of it", path, audio.duration_s)
    elif duration_s and until_s is None and audio.duration_s < 0.95 * duration_s - 1.0:
        logger.warning("%s ends after %.1f s, though its header says %.1f s", path, audio.duration_s, duration_s)
    if audio.n_samples == 0:
        raise AudioFormatError(f"{path}: there is no sound in this file")
    return _in_scale(audio, path)


def audio_info(path: str | os.PathLike[str]) -> AudioInfo:
    """Return what the header of a WAV or FLAC artefact says.

    Raises
    ------
    AudioFormatError : the file is missing or is neither.
    """
    with _soundfile(Path(path)) as file:
        return AudioInfo(int(file.samplerate), int(file.channels), int(file.frames))


def read_blocks(
    path: str | os.PathLike[str], *, block_s: float = 10.0, start_s: float = 0.0
) -> Iterator[NDArray[np.float32]]:
    """Yield consecutive blocks (channels, n) of a WAV or FLAC artefact, in constant memory.

    Raises
    ------
    AudioFormatError : the file is missing, is neither, or is damaged.
    """
    with _soundfile(Path(path)) as file:
        file.seek(min(round(start_s * file.samplerate), file.frames))
        n_block = max(round(block_s * file.samplerate), 1)
        left = file.frames - file.tell()
        while left > 0:
            block: NDArray[np.float32] = file.read(min(n_block, left), dtype="float32", always_2d=True)
            if not len(block):
                raise AudioFormatError(f"{path}: the file is cut short")
            left -= len(block)
            yield np.ascontiguousarray(block.T)


def _soundfile(path: Path) -> Any:
    import soundfile

    try:
        return soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, OSError) as exc:
        raise AudioFormatError(f"{path}: not a WAV or FLAC file that can be read") from exc


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """Yield decoded frames, and None for each packet that does not decode."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError:
            yield None
            return
        try:
            yield from packet.decode()
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            yield None


def _header_duration_s(container: Any, stream: Any) -> float:
    """Length by the header in seconds, 0 where it says nothing."""
    if stream.duration and stream.time_base:
        return max(float(stream.duration * stream.time_base), 0.0)
    return max(float(container.duration or 0) / 1e6, 0.0)


def _as_float(frame: Any) -> NDArray[np.float32]:
    """Return a decoded frame as float32 (channels, n)."""
    name = str(frame.format.name)
    samples: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    kind = name.removesuffix("p")
    if kind == "u8":
        samples = samples.astype(np.float32) - 128.0
    scale = _SCALE.get(kind, 1.0)
    return (samples * np.float32(scale)).astype(np.float32, copy=False)


class _Collector:
    """Folds, repairs and resamples what is added, into one growing buffer."""

    def __init__(
        self,
        path: Path,
        *,
        fold: NDArray[np.float32],
        source_rate: int,
        sample_rate: int,
        duration_s: float,
        progress: Progress,
    ) -> None:
        import soxr

        self._path, self._fold, self._duration_s, self._progress = path, fold, duration_s, progress
        self._rate = sample_rate
        channels = len(fold)
        self._resampler = (
            soxr.ResampleStream(source_rate, sample_rate, channels, dtype="float32")
            if sample_rate != source_rate
            else None
        )
        guess_s = min(duration_s, _GUESS_MAX_S) + 1.0
        # Pages that are never written to cost no memory, so a generous buffer is free.
        self._buffer = np.empty((channels, int(guess_s * sample_rate)), dtype=np.float32)
        self._n = 0
        self._pending: list[NDArray[np.float32]] = []
        self._n_pending = 0
        self._piece = int(_PIECE_S * source_rate)
        self._total = self._not_numbers = 0

    @property
    def read_s(self) -> float:
        """Seconds that are folded and resampled so far."""
        return self._n / self._rate

    def add(self, samples: NDArray[np.float32]) -> None:
        self._pending.append(samples)
        self._n_pending += samples.shape[1]
        if self._n_pending >= self._piece:
            self._flush(last=False)

    def finish(self) -> Audio:
        self._flush(last=True)
        if self._total and self._not_numbers > MAX_NOT_NUMBERS * self._total:
            raise AudioFormatError(
                f"{self._path}: {self._not_numbers / self._total:.0%} of its samples are not numbers"
            )
        if self._not_numbers:
            logger.warning("%s: %d samples were not numbers and are silenced", self._path, self._not_numbers)
        return Audio(self._buffer[:, : self._n], self._rate)

    def _flush(self, *, last: bool) -> None:
        if self._pending:
            piece = np.concatenate(self._pending, axis=1)
        else:
            piece = np.zeros((self._fold.shape[1], 0), np.float32)
        self._pending, self._n_pending = [], 0
        finite = np.isfinite(piece)
        if not finite.all():
            self._not_numbers += int(finite.size - np.count_nonzero(finite))
            piece = np.where(finite, piece, np.float32(0))
        self._total += piece.size
        if self._fold.shape[0] != self._fold.shape[1]:
            piece = self._fold @ piece
        if self._resampler is not None:
            piece = self._resampler.resample_chunk(np.ascontiguousarray(piece.T), last=last)
            piece = piece.reshape(-1, len(self._fold)).T
        end = self._n + piece.shape[1]
        if end > self._buffer.shape[1]:
            grown = np.empty((len(self._fold), int(1.5 * end)), dtype=np.float32)
            grown[:, : self._n] = self._buffer[:, : self._n]
            self._buffer = grown
        self._buffer[:, self._n : end] = piece
        self._n = end
        if self._duration_s:
            self._progress(min(self._n / self._rate / self._duration_s, 1.0), "reading")


def _in_scale(audio: Audio, path: Path) -> Audio:
    peak = max(max(-float(channel.min()), float(channel.max())) for channel in audio.samples)
    if peak > MAX_PEAK:
        logger.warning("%s: samples reach %.3g times full scale; scaled to full scale", path, peak)
        audio.samples[...] *= np.float32(1 / peak)
    return audio
