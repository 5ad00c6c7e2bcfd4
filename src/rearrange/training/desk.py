"""What an engineer does to the stems and the mix of training audio, drawn at random, so that stems still add up.

Each stem has a channel strip (level, place, equaliser, compressor, drive, chorus) and may stand in a room. The mix
is the sum of the stems. What it then goes through (`medium`: compression, saturation, clipping, one channel, a
narrow band, noise, crackles, a lossy codec) is part of the mix alone.

Conventions: samples float32 (2, n) at SAMPLE_RATE. Onsets do not move: compressors look ahead of nothing, rooms
keep the dry sound, codecs are aligned (`codecs`).
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio, resample
from rearrange.evaluation.conditions import add_noise
from rearrange.mixtable import Compressor, EqBand, Reverb, RoleMix
from rearrange.models.mel import SAMPLE_RATE
from rearrange.synth.effects import TRACK_LUFS, compress, hiss, strip
from rearrange.synth.filters import FilterGraph
from rearrange.synth.space import reverb_response
from rearrange.training.codecs import CODECS, through_codec

__all__ = ["Medium", "Treatment", "drawn_medium", "drawn_treatment"]

Floats = NDArray[np.float32]

_KINDS = ("room", "room", "plate", "hall")
_DECAYS_S = (0.2, 0.35, 0.6, 1.0, 1.6)
_PEAK = 0.95
_CLICK_SAMPLES = 60
_TOPS_HZ = (3600.0, 12_000.0)


@dataclass(frozen=True)
class Treatment:
    """A channel strip, and a room at `room_db` of the stem's energy (None: dry)."""

    mix: RoleMix
    level_db: float
    room: Reverb | None
    room_db: float

    def of(self, samples: Floats) -> Floats:
        """The stem as it goes into the mix; silence stays silent."""
        rms = float(np.sqrt(np.mean(np.square(samples[:, ::7], dtype=np.float64))))
        if rms < 1e-6:
            return np.zeros_like(samples)
        # Loudness by root mean square: near enough for a level that is drawn anyway.
        gain_db = TRACK_LUFS - 20 * float(np.log10(rms))
        graph = FilterGraph(SAMPLE_RATE)
        graph.finish(strip(graph, graph.source("stem"), self.mix, gain_db=gain_db, level_db=self.level_db))
        n = samples.shape[1]
        graph.push("stem", samples + hiss(n))
        graph.end()
        out: Floats = np.concatenate(list(graph.pull()), axis=1)[:, :n]
        out = np.pad(out, ((0, 0), (0, n - out.shape[1])))
        if self.room is not None:
            out = out + np.float32(10 ** (self.room_db / 20)) * _reverberated(out, self.room)
        return np.asarray(out, dtype=np.float32)


@dataclass(frozen=True)
class Medium:
    """What the mix was heard through, in this order. None, 0 and False: not done.

    Parameters
    ----------
    squeeze : of the whole mix, as masters are
    drive : 0 to 1, into a soft clipper
    clipped_db : how far peaks are cut off
    is_mono : both sides the same
    top_hz : nothing above: an old recording, or a telephone's
    crackles_per_s : clicks as of a worn record; they are no drums
    codec : of `codecs.CODECS`, and its bitrate in kbit/s
    """

    drive: float = 0.0
    noise_snr_db: float | None = None
    codec: tuple[str, int] | None = None
    seed: int = 0
    squeeze: Compressor | None = None
    clipped_db: float = 0.0
    is_mono: bool = False
    top_hz: float | None = None
    crackles_per_s: float = 0.0

    def of(self, samples: Floats) -> Floats:
        peak = float(np.abs(samples).max(initial=0.0))
        if peak <= 0:
            return np.asarray(samples, dtype=np.float32)
        out = samples if self.squeeze is None else _squeezed(samples, self.squeeze)
        if self.drive > 0:
            pushed = out * np.float32((1.0 + 3.0 * self.drive) / peak)
            out = pushed / np.sqrt(1.0 + pushed**2) * np.float32(peak)
        if self.clipped_db > 0:
            limit = np.float32(float(np.abs(out).max()) * 10 ** (-self.clipped_db / 20))
            out = np.clip(out, -limit, limit)
        if self.is_mono:
            out = np.repeat(out.mean(axis=0, keepdims=True), 2, axis=0)
        if self.top_hz is not None:
            rate = round(2.0 * self.top_hz)
            out = resample(resample(Audio(out, SAMPLE_RATE), rate), SAMPLE_RATE).samples[:, : samples.shape[1]]
            out = np.pad(out, ((0, 0), (0, samples.shape[1] - out.shape[1])))
        if self.noise_snr_db is not None:
            audio = add_noise(Audio(out, SAMPLE_RATE), self.noise_snr_db, rng=np.random.default_rng(self.seed))
            out = audio.samples
        if self.crackles_per_s > 0:
            out = out + _crackles(out.shape[1], self.crackles_per_s, peak, np.random.default_rng(self.seed))
        if self.codec is not None:
            peak = float(np.abs(out).max(initial=0.0))
            gain = np.float32(_PEAK / peak if peak > _PEAK else 1.0)
            out = through_codec(Audio(out * gain, SAMPLE_RATE), *self.codec).samples / gain
        return np.asarray(out, dtype=np.float32)


def _crackles(n_samples: int, per_s: float, peak: float, rng: np.random.Generator) -> Floats:
    """(n_samples,) clicks of a millisecond, here and there, of any loudness up to a third of the music's peak."""
    out: Floats = np.zeros(n_samples + _CLICK_SAMPLES, dtype=np.float32)
    for at in rng.integers(0, n_samples, rng.poisson(per_s * n_samples / SAMPLE_RATE)).tolist():
        shape = np.exp(-np.arange(_CLICK_SAMPLES) / rng.uniform(2, 15))
        out[at : at + _CLICK_SAMPLES] += rng.choice((-1, 1)) * peak * 10 ** (rng.uniform(-40, -10) / 20) * shape
    return out[:n_samples]


def _squeezed(samples: Floats, compressor: Compressor) -> Floats:
    """Compressed where it is louder than the threshold, relative to TRACK_LUFS, at the level it had."""
    rms = float(np.sqrt(np.mean(np.square(samples[:, ::7], dtype=np.float64))))
    gain_db = TRACK_LUFS - 20 * float(np.log10(max(rms, 1e-9)))
    graph = FilterGraph(SAMPLE_RATE)
    loud = graph.add("volume", {"volume": f"{gain_db:.3f}dB", "precision": "float"}, graph.source("mix"))
    squeezed = compress(graph, loud, compressor)
    graph.finish(graph.add("volume", {"volume": f"{-gain_db:.3f}dB", "precision": "float"}, squeezed))
    n = samples.shape[1]
    graph.push("mix", samples)
    graph.end()
    out: Floats = np.concatenate(list(graph.pull()), axis=1)[:, :n]
    return np.pad(out, ((0, 0), (0, n - out.shape[1])))


@lru_cache(maxsize=16)
def _response(room: Reverb) -> Floats:
    return reverb_response(room, SAMPLE_RATE)


def _reverberated(samples: Floats, room: Reverb) -> Floats:
    from scipy.signal import oaconvolve

    return np.asarray(oaconvolve(samples, _response(room), axes=1)[:, : samples.shape[1]], dtype=np.float32)


def drawn_treatment(rng: np.random.Generator, *, level_db: float, is_drums: bool = False) -> Treatment:
    """A channel strip and a room for a stem; `level_db` is its usual level."""
    eq = []
    if rng.random() < 0.7:
        eq.append(EqBand(hz=float(rng.uniform(60, 250)), gain_db=float(rng.normal(0, 4)), kind="low_shelf"))
        eq.append(EqBand(hz=float(rng.uniform(2500, 9000)), gain_db=float(rng.normal(0, 4)), kind="high_shelf"))
        hz, q = float(np.exp(rng.uniform(np.log(150), np.log(6000)))), float(rng.uniform(0.5, 2))
        eq.append(EqBand(hz=hz, gain_db=float(rng.normal(0, 4)), q=q))
    mix = RoleMix(
        pan=0.0 if is_drums else float(np.clip(rng.normal(0, 0.3), -0.9, 0.9)),
        width=float(rng.choice((0.0, 0.5, 1.0), p=(0.25, 0.25, 0.5))),
        eq=tuple(eq),
    )
    if rng.random() < 0.4:
        compressor = Compressor(
            threshold_db=float(rng.uniform(-36, -18)),
            ratio=float(rng.uniform(1.5, 6)),
            attack_ms=float(rng.uniform(1, 30)),
            release_ms=float(rng.uniform(50, 300)),
        )
        mix = replace(mix, compress=compressor)
    if rng.random() < (0.15 if is_drums else 0.1):
        mix = replace(mix, drive=float(rng.uniform(0.05, 0.5)))
    if not is_drums and rng.random() < 0.15:
        mix = replace(mix, chorus=float(rng.uniform(0.2, 0.8)))
    if rng.random() < 0.08:
        mix = replace(mix, low_pass_hz=float(rng.uniform(4000, 12000)))
    room = None
    if rng.random() < 0.55:
        room = Reverb(kind=str(rng.choice(_KINDS)), decay_s=float(rng.choice(_DECAYS_S)))
    return Treatment(mix, level_db + float(rng.normal(0, 3.5)), room, float(rng.uniform(-24, -6)))


def drawn_medium(rng: np.random.Generator) -> Medium:
    """What the mix goes through: each of these seldom, most often nothing."""
    codec = None
    if rng.random() < 0.2:
        name = str(rng.choice(list(CODECS)))
        codec = name, int(rng.choice(CODECS[name]))
    squeeze = None
    if rng.random() < 0.15:
        squeeze = Compressor(
            threshold_db=float(rng.uniform(-32, -20)),
            ratio=float(rng.uniform(2, 8)),
            attack_ms=float(rng.uniform(1, 20)),
            release_ms=float(rng.uniform(50, 400)),
        )
    return Medium(
        drive=float(rng.uniform(0.1, 1.0)) if rng.random() < 0.3 else 0.0,
        noise_snr_db=float(rng.uniform(15, 50)) if rng.random() < 0.15 else None,
        codec=codec,
        seed=int(rng.integers(1 << 31)),
        squeeze=squeeze,
        clipped_db=float(rng.uniform(1, 9)) if rng.random() < 0.08 else 0.0,
        is_mono=rng.random() < 0.1,
        top_hz=float(np.exp(rng.uniform(*np.log(_TOPS_HZ)))) if rng.random() < 0.08 else None,
        crackles_per_s=float(rng.uniform(1, 25)) if rng.random() < 0.05 else 0.0,
    )
