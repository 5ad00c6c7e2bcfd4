"""Lossy codecs that recordings have been through: Opus, AAC and Vorbis beside `evaluation.conditions`' MP3.

Conventions: what comes back is as long as what went in, and aligned with it: a codec's delay is found by
correlation, for containers do not always tell it.

Limits: FFmpeg's own AAC encoder, libopus and libvorbis, as PyAV and soundfile bring them.
"""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio, resample
from rearrange.errors import DependencyError
from rearrange.evaluation.conditions import through_mp3

__all__ = ["CODECS", "through_codec"]

# Bitrates in kbit/s that a codec is drawn with: from where it is heard to where it hardly is.
CODECS: Mapping[str, tuple[int, ...]] = {
    "mp3": (48, 64, 96, 128, 192),
    "opus": (24, 32, 48, 64, 96),
    "aac": (48, 64, 96, 128),
    "vorbis": (48, 64, 96, 128),
}
_AV = {"opus": ("libopus", "ogg", 48_000, 960, "flt"), "aac": ("aac", "adts", 44_100, 1024, "fltp")}
_VORBIS_KBPS = (48.0, 320.0)  # of libsndfile's compression levels 1 and 0, for 44.1 kHz stereo
_MOST_DELAY_S = 0.1
_CORRELATED_S = 8.0


def through_codec(audio: Audio, codec: str, bitrate_kbps: int) -> Audio:
    """The sound after one encoding and decoding, in memory.

    Raises
    ------
    DependencyError : this PyAV has no such encoder.
    ValueError : no codec of CODECS.
    """
    if codec == "mp3":
        return through_mp3(audio, bitrate_kbps)
    if codec == "vorbis":
        decoded = _through_soundfile(audio, bitrate_kbps)
    elif codec in _AV:
        decoded = _through_av(audio, codec, bitrate_kbps)
    else:
        raise ValueError(f"{codec!r} is not one of {', '.join(CODECS)}")
    return _aligned(decoded, audio)


def _through_soundfile(audio: Audio, bitrate_kbps: int) -> Audio:
    import soundfile

    low, high = _VORBIS_KBPS
    level = float(np.clip(1.0 - (bitrate_kbps - low) / (high - low), 0.0, 1.0))
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", audio.sample_rate, audio.channels, format="OGG", subtype="VORBIS", compression_level=level
    ) as out:
        for start in range(0, audio.n_samples, 4096):  # its encoder keeps a block on its stack
            out.write(audio.samples[:, start : start + 4096].T)
    file.seek(0)
    samples, sample_rate = soundfile.read(file, dtype="float32", always_2d=True)
    return Audio(np.ascontiguousarray(samples.T), sample_rate)


def _through_av(audio: Audio, codec: str, bitrate_kbps: int) -> Audio:
    import av

    name, container_name, sample_rate, frame_samples, sample_format = _AV[codec]
    wanted = resample(audio, sample_rate)
    layout = "mono" if audio.channels == 1 else "stereo"
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=container_name) as container:
            stream: Any = container.add_stream(name, rate=sample_rate, layout=layout)
            stream.bit_rate = bitrate_kbps * 1000
            for start in range(0, wanted.n_samples, frame_samples):
                block = np.ascontiguousarray(wanted.samples[:, start : start + frame_samples])
                if sample_format == "flt":
                    block = np.ascontiguousarray(block.T.reshape(1, -1))
                frame = av.AudioFrame.from_ndarray(block, format=sample_format, layout=layout)
                frame.sample_rate, frame.pts = sample_rate, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        file.seek(0)
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=sample_rate)
        blocks: list[NDArray[np.float32]] = []
        reader: Any = av.open(file, "r")
        with reader:
            for decoded in reader.decode(audio=0):
                blocks += [np.asarray(each.to_ndarray(), dtype=np.float32) for each in resampler.resample(decoded)]
    except (av.error.FFmpegError, ValueError) as exc:
        raise DependencyError(f"PyAV cannot encode {codec} at {bitrate_kbps} kbit/s: {exc}") from exc
    return resample(Audio(np.concatenate(blocks, axis=1), sample_rate), audio.sample_rate)


def _aligned(decoded: Audio, source: Audio) -> Audio:
    """What was decoded, from where the source starts, as long as the source."""
    n = min(round(_CORRELATED_S * source.sample_rate), source.n_samples, decoded.n_samples)
    most = round(_MOST_DELAY_S * source.sample_rate)
    size = 2 * (n + most)
    spectra = (np.fft.rfft(each.samples[:, :n].mean(axis=0), size) for each in (decoded, source))
    late, dry = spectra
    alike = np.fft.irfft(late * np.conj(dry), size)
    lags = np.arange(-most, most + 1)
    delay = int(lags[np.argmax(alike[lags])])
    samples = np.pad(decoded.samples, ((0, 0), (max(-delay, 0), 0)))[:, max(delay, 0) :][:, : source.n_samples]
    out = np.pad(samples, ((0, 0), (0, source.n_samples - samples.shape[1])))
    return Audio(np.ascontiguousarray(out, dtype=np.float32), source.sample_rate)
