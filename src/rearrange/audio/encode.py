"""Encoders: samples in, a file out. PyAV for all but Ogg Vorbis, which is soundfile's (libvorbis).

Both write through to the disk and report a full one as `OutputError`.
"""

from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rearrange.errors import OutputError

__all__ = ["Encoder", "open_encoder"]

_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_SAMPLE_FORMATS = {"int16": "s16", "int32": "s32", "float32": "flt"}  # interleaved

# Nominal bitrates of libvorbis' qualities 0 to 10 for 44.1 kHz stereo, kbit/s (libvorbis' documentation).
_VORBIS_KBPS = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)
_VORBIS_BLOCK = 4096  # libsndfile's Vorbis encoder keeps a written block on its stack: small ones


class Encoder(Protocol):
    def write(self, samples: NDArray[Any]) -> None:
        """Append int16, int32 or float32 samples (channels, n)."""

    def close(self) -> None:
        """Complete the file."""

    def abandon(self) -> None:
        """Let go of the file, complete or not."""


def open_encoder(
    path: Path, *, container: str, codec: str, sample_rate: int, channels: int, bitrate_kbps: int
) -> Encoder:
    """Open `path` for writing.

    Raises
    ------
    OutputError : the file cannot be opened, or the encoder refuses rate, channels and bitrate together.
    """
    if codec == "vorbis":
        return _VorbisEncoder(path, sample_rate, channels, bitrate_kbps)
    return _AvEncoder(
        path, container, codec, sample_rate=sample_rate, channels=channels, bitrate_kbps=bitrate_kbps
    )


class _AvEncoder:
    def __init__(
        self, path: Path, container: str, codec: str, *, sample_rate: int, channels: int, bitrate_kbps: int
    ) -> None:
        import av

        self._path, self._layout, self._rate, self._n = path, _LAYOUTS[channels], sample_rate, 0
        # Through a Python file, because its OSError (a full disk) then reaches us as it is.
        self._file = path.open("wb")
        options = {"rf64": "auto"} if container == "wav" else {}
        try:
            self._container: Any = av.open(self._file, "w", format=container, container_options=options)
            stream: Any = self._container.add_stream(codec, rate=sample_rate, layout=self._layout)
            if bitrate_kbps:
                stream.bit_rate = bitrate_kbps * 1000
            self._stream = stream
        except (av.error.FFmpegError, ValueError) as exc:
            self._file.close()
            raise OutputError(f"{codec} cannot encode {channels} channels at {sample_rate} Hz") from exc

    def write(self, samples: NDArray[Any]) -> None:
        import av

        if not samples.shape[1]:
            return
        if self._n == 0 and str(samples.dtype).startswith("int"):
            self._stream.codec_context.format = _SAMPLE_FORMATS[str(samples.dtype)]
        interleaved = np.ascontiguousarray(samples.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            interleaved, format=_SAMPLE_FORMATS[str(samples.dtype)], layout=self._layout
        )
        frame.sample_rate = self._rate
        frame.pts = self._n
        self._n += samples.shape[1]
        self._mux(frame)

    def close(self) -> None:
        import av

        self._mux(None)
        try:
            self._container.close()
            self._file.close()
        except (av.error.FFmpegError, OSError) as exc:
            raise OutputError(f"cannot be written: {exc}") from exc

    def abandon(self) -> None:
        import av

        with closing(self._file), suppress(av.error.FFmpegError, OSError):  # the file is being thrown away
            self._container.close()

    def _mux(self, frame: Any) -> None:
        import av

        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (av.error.FFmpegError, OSError) as exc:
            raise OutputError(f"cannot be written: {exc}") from exc


class _VorbisEncoder:
    def __init__(self, path: Path, sample_rate: int, channels: int, bitrate_kbps: int) -> None:
        import soundfile

        # Vorbis' bitrate is that of both channels.
        quality = np.interp(bitrate_kbps * 2 / channels, _VORBIS_KBPS, np.linspace(0, 1, len(_VORBIS_KBPS)))
        self._path, self._n = path, 0
        try:
            self._file: Any = soundfile.SoundFile(
                path, "w", sample_rate, channels, "VORBIS", format="OGG", compression_level=1 - float(quality)
            )
        except (soundfile.LibsndfileError, OSError, RuntimeError) as exc:
            raise OutputError(f"Vorbis cannot encode {channels} channels at {sample_rate} Hz") from exc

    def write(self, samples: NDArray[Any]) -> None:
        import soundfile

        try:
            for start in range(0, samples.shape[1], _VORBIS_BLOCK):
                self._file.write(np.ascontiguousarray(samples[:, start : start + _VORBIS_BLOCK].T))
        except (soundfile.LibsndfileError, OSError, AssertionError) as exc:
            # soundfile asserts that all was written
            raise OutputError("cannot be written: is the disk full?") from exc
        self._n += samples.shape[1]

    def close(self) -> None:
        import soundfile

        try:
            self._file.close()
            written = soundfile.info(self._path).frames
        except (soundfile.LibsndfileError, OSError) as exc:
            raise OutputError("cannot be written: is the disk full?") from exc
        if written != self._n:  # libsndfile does not report a failed last page
            raise OutputError("cannot be written: is the disk full?")

    def abandon(self) -> None:
        self._file.close()
