"""What happens to music before anybody hears it: a room, noise, a lossy file.

Conventions: a condition keeps the length of the sound and the time of its onsets; those that add something keep
the dry sound as it is. Noise comes from a seed: the same seed, the same samples.

Sources: pink noise has equal power per octave; MP3 is LAME's, through PyAV's FFmpeg; rooms are `synth.space`'s.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio
from rearrange.declared import Table
from rearrange.errors import DependencyError
from rearrange.mixtable import Reverb
from rearrange.synth.space import reverb_response

__all__ = ["Condition", "add_noise", "add_reverb", "read_conditions", "through_mp3"]

LOWEST_NOISE_HZ = 20.0  # pink noise has no end of power below
PEAK = 0.98  # of full scale: what a condition makes louder is turned down, with all of the sound, to this
_MP3_FRAME = 1152  # samples


@dataclass(frozen=True, slots=True)
class Condition:
    """What is done to a mix, in this order: reverberation, noise, MP3. None: not done.

    Parameters
    ----------
    reverb : kind and decay; `reverb_db` is the energy of what it adds against the dry sound's
    noise_snr_db : of the sound, as root mean square over its length, against pink noise
    mp3_kbps : bitrate of LAME, constant
    """

    name: str
    reverb: Reverb | None = None
    reverb_db: float = -6.0
    noise_snr_db: float | None = None
    mp3_kbps: int | None = None

    def applied(self, audio: Audio, *, seed: int) -> Audio:
        """The sound under this condition.

        Raises
        ------
        DependencyError : this PyAV has no MP3 encoder.
        """
        if self.reverb is not None:
            audio = add_reverb(audio, self.reverb, level_db=self.reverb_db)
        if self.noise_snr_db is not None:
            audio = add_noise(audio, self.noise_snr_db, rng=np.random.default_rng(seed))
        peak = float(np.abs(audio.samples).max(initial=0.0))
        if peak > PEAK:
            audio = Audio(audio.samples * np.float32(PEAK / peak), audio.sample_rate)
        return through_mp3(audio, self.mp3_kbps) if self.mp3_kbps is not None else audio


def read_conditions(table: Table) -> tuple[Condition, ...]:
    """The conditions that a test set declares under `condition`.

    Raises
    ------
    ConfigError : a value is missing or impossible.
    """
    found = []
    for each in table.tables("condition"):
        kind = each.string("reverb", "none", one_of=("none", "room", "hall"))
        snr_db = each.optional_number("noise_snr_db", low=-20, high=100)
        kbps = each.optional_number("mp3_kbps", low=32, high=320)
        decay_s = each.number("decay_s", 0.5, low=0.05, high=10)
        found.append(
            Condition(
                name=each.string("name"),
                reverb=None if kind == "none" else Reverb(kind=kind, decay_s=decay_s),
                reverb_db=each.number("reverb_db", -6.0, low=-40, high=20),
                noise_snr_db=snr_db,
                mp3_kbps=None if kbps is None else int(kbps),
            )
        )
        each.finish()
    return tuple(found)


def add_reverb(audio: Audio, reverb: Reverb, *, level_db: float) -> Audio:
    """The dry sound and its reverberation, `level_db` louder than it; the tail beyond the end is cut.

    Source: convolution with `synth.space.reverb_response`, whose energy is 1.
    """
    from scipy.signal import oaconvolve

    response = reverb_response(reverb, audio.sample_rate)
    dry = audio.samples if audio.channels == 2 else np.repeat(audio.samples[:1], 2, axis=0)
    wet = oaconvolve(dry, response, axes=1)[:, : audio.n_samples]
    wanted = float(np.sqrt(np.mean(np.square(dry, dtype=np.float64)))) * 10 ** (level_db / 20)
    rms = float(np.sqrt(np.mean(np.square(wet, dtype=np.float64))))
    out = dry + wet * (wanted / rms if rms > 0 else 0.0)
    return Audio(out.astype(np.float32), audio.sample_rate)


def add_noise(audio: Audio, snr_db: float, *, rng: np.random.Generator) -> Audio:
    """Pink noise, another on each channel, `snr_db` below the sound's root mean square; silence stays silent.

    Source: white noise whose spectrum is divided by the square root of frequency, i.e. -3 dB per octave.
    """
    from scipy.fft import next_fast_len

    n = next_fast_len(audio.n_samples, real=True)
    spectrum = np.fft.rfft(rng.standard_normal((audio.channels, n)), axis=1)
    hertz = np.fft.rfftfreq(n, 1.0 / audio.sample_rate)
    spectrum *= np.where(hertz < LOWEST_NOISE_HZ, 0.0, 1.0 / np.sqrt(np.maximum(hertz, LOWEST_NOISE_HZ)))
    noise = np.fft.irfft(spectrum, n, axis=1)[:, : audio.n_samples]
    level = float(np.sqrt(np.mean(np.square(audio.samples, dtype=np.float64)))) * 10 ** (-snr_db / 20)
    noise *= level / max(float(np.sqrt(np.mean(np.square(noise)))), 1e-12)
    return Audio((audio.samples + noise).astype(np.float32), audio.sample_rate)


def through_mp3(audio: Audio, bitrate_kbps: int) -> Audio:
    """The sound after one MP3 encoding and decoding, in memory, aligned with what went in.

    What encoder and decoder put in front is known from the file's LAME tag, and FFmpeg's decoder leaves it out.

    Raises
    ------
    DependencyError : this PyAV has no MP3 encoder.
    """
    import av

    file = io.BytesIO()
    layout = "mono" if audio.channels == 1 else "stereo"
    try:
        with av.open(file, "w", format="mp3") as container:
            stream: Any = container.add_stream("libmp3lame", rate=audio.sample_rate, layout=layout)
            stream.bit_rate = bitrate_kbps * 1000
            for start in range(0, audio.n_samples, _MP3_FRAME):
                block = np.ascontiguousarray(audio.samples[:2, start : start + _MP3_FRAME])
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
                frame.sample_rate, frame.pts = audio.sample_rate, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        file.seek(0)
        reader: Any = av.open(file, "r", format="mp3")
        with reader:
            blocks: list[NDArray[np.float32]] = [frame.to_ndarray() for frame in reader.decode(audio=0)]
    except (av.error.FFmpegError, ValueError) as exc:
        raise DependencyError(f"PyAV cannot make an MP3 of {bitrate_kbps} kbit/s: {exc}") from exc
    decoded = np.concatenate(blocks, axis=1)[:, : audio.n_samples]
    missing = audio.n_samples - decoded.shape[1]
    return Audio(np.pad(decoded, ((0, 0), (0, missing))).astype(np.float32), audio.sample_rate)
