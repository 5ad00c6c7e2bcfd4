"""Rooms, plates, springs and echoes as impulse responses, made from nothing and always the same.

Reverberation is noise that decays band by band (RT60 falls above the damping frequency), with early
reflections where the place has walls; a spring is a train of chirps, because high notes travel more slowly
along it. A response carries its pre-delay and low cut, so that the mix needs one convolution and no more
filters. Its energy is 1: a send at 0 dB comes back as loud as it went in.

Shapes: float32 (2, n), left and right independent, which is what makes a tail wide.
Sources: J. A. Moorer, "About this reverberation business", 1979 (decaying noise); J. Parker and S. Bilbao,
"Spring reverberation: a physical perspective", DAFx 2009 (dispersion of a spring).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.mixtable import Delay, Reverb

__all__ = ["echo_response", "reverb_response"]

_SEED = 20
_BANDS_HZ = (63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0)
_RT60_LOG = 3 * np.log(10)  # amplitude falls by 60 dB = e^-6.9
_ECHO_FLOOR_DB = -50.0
_MAX_ECHO_S = 8.0


@dataclass(frozen=True, slots=True)
class _Place:
    """What tells one kind of reverberation from another.

    `reflections` early ones come between `first_ms` and `last_ms` at `reflections_db` of the tail's energy;
    the tail fades in over `build_up_ms`; `damping` weights the loss of high frequencies.
    """

    reflections: int
    first_ms: float
    last_ms: float
    reflections_db: float
    build_up_ms: float
    damping: float


# By ear and by the textbook: a room's walls are near and plain to hear, a hall's far and soft, a plate has none.
_PLACES: Mapping[str, _Place] = {
    "room": _Place(14, 3.0, 32.0, 0.0, 6.0, 1.0),
    "hall": _Place(20, 18.0, 85.0, -5.0, 45.0, 1.0),
    "plate": _Place(0, 0.0, 0.0, 0.0, 1.0, 0.5),
    "spring": _Place(0, 0.0, 0.0, 0.0, 20.0, 1.0),
}

_SPRING_DELAYS_S = (0.033, 0.041)  # one way along each of the two springs
_SPRING_TOP_HZ = 4500.0  # a spring passes nothing above
_SPRING_CHIRP_S = 0.022  # how much later its highest frequency arrives, per pass
_SPRING_TAIL_DB = -9.0  # diffuse tail against the chirps


def reverb_response(reverb: Reverb, sample_rate: int) -> NDArray[np.float32]:
    """Return the impulse response of a reverberation, (2, n), its energy 1 per channel."""
    from scipy.fft import next_fast_len

    rng = np.random.default_rng(_SEED)
    place = _PLACES[reverb.kind]
    n = next_fast_len(int((reverb.decay_s + place.last_ms / 1000) * sample_rate) + 1)
    response = _tail(rng, reverb, place, n, sample_rate)
    if reverb.kind == "spring":
        chirps = _chirps(reverb, n, sample_rate)
        response = _unit(chirps) + 10 ** (_SPRING_TAIL_DB / 20) * _unit(response)
    if place.reflections:
        walls = _reflections(rng, place, n, sample_rate)
        response = _unit(response) + 10 ** (place.reflections_db / 20) * _unit(walls)
    response = _unit(_low_cut(response, reverb.low_cut_hz, sample_rate))
    pre_delay = round(reverb.pre_delay_ms / 1000 * sample_rate)
    return np.pad(response, ((0, 0), (pre_delay, 0))).astype(np.float32)


def echo_response(delay: Delay, tempo_bpm: float, sample_rate: int) -> NDArray[np.float32]:
    """Return the impulse response of an echo in time with the music, (2, n).

    The first echo has level 1 on its louder side; each next one is `feedback` of it, duller, and leans to
    the other side.
    """
    from scipy.signal import lfilter

    spacing = delay.beats * 60.0 / tempo_bpm
    floor = 10 ** (_ECHO_FLOOR_DB / 20)
    n_echoes = 1 if delay.feedback <= 0 else 1 + int(np.log(floor) / np.log(delay.feedback))
    n_echoes = max(min(n_echoes, int(_MAX_ECHO_S / spacing)), 1)
    ring = round(0.02 * sample_rate)  # what the low-pass needs to die away
    response = np.zeros((2, round(n_echoes * spacing * sample_rate) + ring))
    pole = float(np.exp(-2 * np.pi * min(delay.low_pass_hz, 0.45 * sample_rate) / sample_rate))
    pulse = np.zeros(ring)
    pulse[0] = 1.0
    for i in range(n_echoes):
        pulse = lfilter([1 - pole], [1, -pole], pulse)
        at = round((i + 1) * spacing * sample_rate)
        near, far = (0, 1) if i % 2 == 0 else (1, 0)
        response[near, at : at + ring] += delay.feedback**i * pulse
        response[far, at : at + ring] += 0.5 * delay.feedback**i * pulse
    return response.astype(np.float32)


def _tail(
    rng: np.random.Generator, reverb: Reverb, place: _Place, n: int, sample_rate: int
) -> NDArray[np.float64]:
    """Noise that decays band by band, (2, n)."""
    spectrum = np.fft.rfft(rng.standard_normal((2, n)), axis=1)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(n, 1 / sample_rate), 1.0))
    time_s = np.arange(n) / sample_rate
    tail = np.zeros((2, n))
    centres = np.log2(_BANDS_HZ)
    for i, hz in enumerate(_BANDS_HZ):
        # Neighbouring bands cross over as cos² and sin²: together they pass everything.
        distance = octaves - centres[i]
        if i == 0:
            distance = np.maximum(distance, 0.0)
        if i == len(_BANDS_HZ) - 1:
            distance = np.minimum(distance, 0.0)
        band = np.where(np.abs(distance) < 1, np.cos(np.pi / 2 * distance) ** 2, 0.0)
        rt60 = reverb.decay_s / np.sqrt(1 + place.damping * (hz / reverb.damping_hz) ** 2)
        tail += np.fft.irfft(spectrum * band, n, axis=1) * np.exp(-_RT60_LOG * time_s / rt60)
    return np.asarray(tail * np.minimum(time_s / (place.build_up_ms / 1000), 1.0))


def _reflections(rng: np.random.Generator, place: _Place, n: int, sample_rate: int) -> NDArray[np.float64]:
    """Early reflections: single pulses, ever denser and weaker, another pattern on either side."""
    walls = np.zeros((2, n))
    for side in walls:
        position = np.sort(rng.random(place.reflections)) ** 0.7
        times_ms = place.first_ms + (place.last_ms - place.first_ms) * position
        signs = np.where(rng.random(place.reflections) < 0.3, -1.0, 1.0)
        side[np.minimum((times_ms / 1000 * sample_rate).astype(int), n - 1)] += signs * place.first_ms / times_ms
    return walls


def _chirps(reverb: Reverb, n: int, sample_rate: int) -> NDArray[np.float64]:
    """Echoes along two springs, each pass spreading low before high, (2, n)."""
    hz = np.fft.rfftfreq(2 * n, 1 / sample_rate)
    relative = np.minimum(hz / _SPRING_TOP_HZ, 1.0)
    passband = 1 / (1 + (hz / _SPRING_TOP_HZ) ** 16)
    # Group delay grows with the square of frequency; phase is its integral.
    chirp_phase = -2 * np.pi * _SPRING_CHIRP_S * _SPRING_TOP_HZ * relative**3 / 3
    springs = []
    for delay_s in _SPRING_DELAYS_S:
        passes = np.arange(1, int(reverb.decay_s / (2 * delay_s)) + 2)
        spectrum = np.zeros(len(hz), complex)
        for i in passes:
            travelled_s = (2 * i - 1) * delay_s
            gain = (-1.0) ** i * np.exp(-_RT60_LOG * travelled_s / reverb.decay_s)
            spectrum += gain * passband * np.exp(1j * ((2 * i - 1) * chirp_phase - 2 * np.pi * hz * travelled_s))
        springs.append(np.fft.irfft(spectrum, 2 * n)[:n])
    left, right = springs
    return np.stack([left + 0.5 * right, right + 0.5 * left])


def _low_cut(response: NDArray[np.float64], hz: float, sample_rate: int) -> NDArray[np.float64]:
    from scipy.signal import butter, sosfilt

    return np.asarray(sosfilt(butter(2, hz, "highpass", fs=sample_rate, output="sos"), response, axis=1))


def _unit(response: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale either side to energy 1, so that the place does not lean to one side."""
    return np.asarray(response / np.maximum(np.sqrt(np.sum(response**2, axis=1, keepdims=True)), 1e-12))
