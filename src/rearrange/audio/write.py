"""Writing audio files, in a stream: under a temporary name, then renamed, so that none is half-written.

WAV (16, 24 bit, float; RF64 above 4 GiB) and FLAC (16, 24 bit) are exact; MP3 (LAME), Opus, AAC in M4A and
Vorbis in Ogg are coded at a bitrate. 16-bit samples are dithered (TPDF, two least significant bits peak to
peak) with a fixed seed: the same audio gives the same file.
"""

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from rearrange.audio.encode import Encoder, open_encoder
from rearrange.audio.loudness import loudness_lufs as measure_lufs
from rearrange.audio.loudness import true_peak_dbtp
from rearrange.audio.signal import Audio, resample
from rearrange.errors import OutputError, UsageError

__all__ = ["AUDIO_FORMATS", "AudioWriter", "BitDepth", "replacing", "write_audio"]

logger = logging.getLogger(__name__)

BitDepth = Literal["16", "24", "32f"]

_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_RATES = (7350, *_MP3_RATES, 64000, 88200, 96000)
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)


@dataclass(frozen=True)
class _Format:
    container: str
    codec: str = ""
    codecs: Mapping[str, str] = field(default_factory=dict)  # by bit depth, for exact formats
    sample_rates: tuple[int, ...] = ()  # empty: any
    bitrate_kbps: int = 0  # the default for stereo; 0: not a coded format
    bitrates_kbps: tuple[int, int] = (0, 0)
    max_channels: int = 8

    @property
    def bit_depths(self) -> tuple[str, ...]:
        return tuple(self.codecs)


_FORMATS = {
    "wav": _Format("wav", codecs={"16": "pcm_s16le", "24": "pcm_s24le", "32f": "pcm_f32le"}),
    "flac": _Format("flac", codecs={"16": "flac", "24": "flac"}),
    "mp3": _Format("mp3", "libmp3lame", {}, _MP3_RATES, 256, (32, 320), 2),
    "ogg": _Format("ogg", "vorbis", {}, (), 224, (64, 500), 2),
    "opus": _Format("ogg", "libopus", {}, _OPUS_RATES, 160, (16, 510), 8),
    "m4a": _Format("ipod", "aac", {}, _AAC_RATES, 224, (32, 512), 6),
}
AUDIO_FORMATS = tuple(_FORMATS)

_DITHER_SEED = 0x5EED
_BLOCK_S = 10.0
_PEAK_CEILING_DBTP = -1.0  # a requested loudness is not reached by clipping


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` on success, delete it on failure.

    Raises
    ------
    OutputError : the folder or file cannot be written, or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=f".part{path.suffix}", dir=path.parent)
        os.close(handle)
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp's file is the owner's only
        temporary.replace(path)
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    finally:
        temporary.unlink(missing_ok=True)


def write_audio(
    path: str | os.PathLike[str],
    audio: Audio,
    *,
    format: str | None = None,
    sample_rate: int | None = None,
    bit_depth: BitDepth | None = None,
    bitrate_kbps: int | None = None,
    loudness_lufs: float | None = None,
) -> None:
    """Write `audio` to a file; an existing one is replaced only once the new one is complete.

    Parameters
    ----------
    format : one of AUDIO_FORMATS; None takes the file name's ending
    sample_rate : in Hz; None keeps the audio's, or the nearest higher one that the format knows
    bit_depth : wav (default "16") and flac (default "16") only
    bitrate_kbps : mp3, ogg, opus, m4a only; ogg takes it as the nearest quality (variable bitrate)
    loudness_lufs : gain to this integrated loudness, less where the true peak would pass -1 dBTP

    Raises
    ------
    UsageError : an unknown format, or an option that the format does not have.
    OutputError : the file cannot be written.
    """
    path = Path(path)
    spec = _format_of(path, format)
    rate = sample_rate or _supported_rate(spec, audio.sample_rate)
    if bit_depth is None and spec.bit_depths:
        bit_depth = "16"
    with AudioWriter(
        path, rate, audio.channels, format=format, bit_depth=bit_depth, bitrate_kbps=bitrate_kbps
    ) as writer:
        audio = resample(audio, rate)
        gain = np.float32(_gain(audio, loudness_lufs))
        block = int(_BLOCK_S * rate)
        for start in range(0, audio.n_samples, block):
            writer.write(audio.samples[:, start : start + block] * gain)


def _gain(audio: Audio, target_lufs: float | None) -> float:
    if target_lufs is None:
        return 1.0
    now_lufs = measure_lufs(audio)
    if not np.isfinite(now_lufs):
        logger.warning("silence has no loudness: written as it is")
        return 1.0
    gain_db = target_lufs - now_lufs
    room_db = _PEAK_CEILING_DBTP - true_peak_dbtp(audio)
    if gain_db > room_db:
        logger.warning(
            "%.1f LUFS would clip: written at %.1f LUFS, peak %.1f dBTP",
            target_lufs,
            now_lufs + room_db,
            _PEAK_CEILING_DBTP,
        )
    return float(10 ** (min(gain_db, room_db) / 20))


def _format_of(path: Path, format: str | None) -> _Format:
    name = (format or path.suffix.lstrip(".")).lower()
    if name not in _FORMATS:
        raise UsageError(
            f"{path}: unknown audio format {name or '(none)'!r}", f"one of {', '.join(AUDIO_FORMATS)}"
        )
    return _FORMATS[name]


def _supported_rate(spec: _Format, sample_rate: int) -> int:
    """The lowest rate of the format that loses nothing, or its highest."""
    if not spec.sample_rates or sample_rate in spec.sample_rates:
        return sample_rate
    return min((rate for rate in spec.sample_rates if rate >= sample_rate), default=max(spec.sample_rates))


class AudioWriter:
    """A sound file that is written block by block; by default a 24-bit FLAC.

    A context manager: the file appears under its name when the block ends well, and not at all when it ends
    with an exception. Samples beyond full scale are clipped (not in float WAV), counted and reported.

    Raises
    ------
    UsageError : an unknown format, or an option that the format does not have.
    OutputError : the file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sample_rate: int,
        channels: int,
        *,
        format: str | None = None,
        bit_depth: BitDepth | None = None,
        bitrate_kbps: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.sample_rate = sample_rate
        self.channels = channels
        self.n_samples = 0
        self.n_clipped = 0
        spec = _format_of(self.path, format)
        name = next(name for name, known in _FORMATS.items() if known is spec)
        if spec.sample_rates and sample_rate not in spec.sample_rates:
            known = ", ".join(map(str, spec.sample_rates))
            raise UsageError(f"{self.path}: {name} cannot hold {sample_rate} Hz", f"one of {known}")
        if not 1 <= channels <= spec.max_channels:
            raise UsageError(f"{self.path}: {name} cannot hold {channels} channels")
        if bit_depth is not None and bit_depth not in spec.bit_depths:
            known = " or ".join(spec.bit_depths)
            raise UsageError(
                f"{self.path}: {name} has no bit depth {bit_depth}",
                f"{name} takes {known}" if known else "choose a bitrate, or wav or flac",
            )
        if bitrate_kbps is not None and not spec.bitrate_kbps:
            raise UsageError(f"{self.path}: {name} has no bitrate", "choose a bit depth instead")
        low, high = spec.bitrates_kbps
        if bitrate_kbps is not None and not low <= bitrate_kbps <= high:
            raise UsageError(f"{self.path}: {name} at {bitrate_kbps} kbit/s", f"between {low} and {high}")
        self._bit_depth = bit_depth or ("24" if spec.bit_depths else None)
        self._dither = np.random.default_rng(_DITHER_SEED)
        self._file = ExitStack()
        temporary = self._file.enter_context(replacing(self.path))
        try:
            self._encoder: Encoder | None = open_encoder(
                temporary,
                container=spec.container,
                codec=spec.codec if self._bit_depth is None else spec.codecs[self._bit_depth],
                sample_rate=sample_rate,
                channels=channels,
                bitrate_kbps=(bitrate_kbps or spec.bitrate_kbps),
            )
        except BaseException as exc:
            self._abandon(exc)
            raise

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append float samples (channels, n).

        Raises
        ------
        OutputError : the disk is full, or has gone.
        ValueError : another number of channels, or the writer is closed.
        """
        if self._encoder is None:
            raise ValueError(f"{self.path} is closed")
        if samples.ndim != 2 or samples.shape[0] != self.channels:
            raise ValueError(f"expected ({self.channels}, n) samples, not {samples.shape}")
        try:
            self._encoder.write(self._quantised(samples))
        except BaseException as exc:
            self._abandon(exc)
            raise
        self.n_samples += samples.shape[1]

    def close(self) -> None:
        """Complete the file and give it its name. Closing twice does nothing."""
        if self._encoder is None:
            return
        try:
            self._encoder.close()
        except BaseException as exc:
            self._abandon(exc)
            raise
        self._encoder = None
        self._file.close()
        if self.n_clipped:
            logger.warning("%s: %d samples beyond full scale were clipped", self.path, self.n_clipped)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc is None:
            self.close()
        else:
            self._abandon(exc)

    def _abandon(self, exc: BaseException) -> None:
        """Delete the temporary file; `exc` goes on its way."""
        encoder, self._encoder = getattr(self, "_encoder", None), None
        if encoder is not None:
            encoder.abandon()
        self._file.__exit__(type(exc), exc, exc.__traceback__)

    def _quantised(self, samples: NDArray[np.float32]) -> NDArray[Any]:
        """Return what the encoder takes: int16, int32 with the sample in its upper 24 bits, or float32."""
        if self._bit_depth not in ("16", "24"):
            return samples.astype(np.float32, copy=False)
        full = np.float32(2.0 ** (int(self._bit_depth) - 1))
        scaled = samples * full
        self.n_clipped += int(np.count_nonzero(np.abs(samples) > 1.0))
        if self._bit_depth == "16":
            scaled += self._dither.random(scaled.shape, dtype=np.float32)
            scaled -= self._dither.random(scaled.shape, dtype=np.float32)
        np.clip(np.rint(scaled, out=scaled), -full, full - 1, out=scaled)
        if self._bit_depth == "16":
            return scaled.astype(np.int16)
        return scaled.astype(np.int32) << 8
