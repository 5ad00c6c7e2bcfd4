"""The effects of a mix table, as chains of filters: a channel strip per track, and the ageing of the whole.

Levels. A track enters its strip at TRACK_LUFS, whatever its instrument and soundfont. Thresholds, drive and
saturation are therefore relative to a known level, and what a compressor or a drive takes from, or adds to, a
signal of that level is made up for: `level_db` stays the level.

Order in a strip: filters and equaliser, compressor, drive, chorus, then level, width and place in one matrix.
Source: FFmpeg filters documentation.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rearrange.mixtable import Compressor, EqBand, RoleMix, Sidechain, Tape
from rearrange.synth.filters import FilterGraph, Node

__all__ = ["TRACK_LUFS", "age", "compress", "duck_gain", "hiss", "noise_block", "strip"]

TRACK_LUFS = -23.0  # of a track while it sounds (EBU R 128's level for programmes)
# Root mean square per channel of a stereo track of that loudness (pink noise): two channels add 3 dB, and
# K-weighting takes as much from the bass.
_REFERENCE_DB = TRACK_LUFS - 1.0
# A compressor's detector rises faster than it falls, and so reads above the root mean square (noise, measured).
_DETECTOR_DB = 1.5

_EQ_FILTERS = {"bell": "equalizer", "low_shelf": "lowshelf", "high_shelf": "highshelf"}
_TOP = 0.45  # of the sample rate: no filter sits closer to the end of the band
DRIVE_DB = 24.0  # into the soft clipper at drive 1: a distorted guitar
SATURATION_DB = 12.0  # the same for the whole mix, at saturation 1
_CLEAN_DRIVE_DB = 10.0
WOW_HZ, FLUTTER_HZ = 0.6, 7.0
# FFmpeg's vibrato moves a delay by up to 5 ms: these depths bend the pitch by 13 and by 6 cents, which is a
# machine in need of repair.
_WOW_DEPTH, _FLUTTER_DEPTH = 0.8, 0.03
_VIBRATO_DELAY_S = 0.005  # the length of FFmpeg's delay line
_VIBRATO_START_S = 0.02
_CRACKLES_PER_S = 6.0
_DUCK_ATTACK_S = 0.004


def strip(graph: FilterGraph, node: Node, mix: RoleMix, *, gain_db: float, level_db: float) -> Node:
    """Add a channel strip behind a track.

    Parameters
    ----------
    gain_db : brings the track to TRACK_LUFS
    level_db : its level in the mix
    """
    shaped = mix.compress is not None or mix.drive > 0
    if shaped:
        node = graph.add("volume", {"volume": _gain(gain_db), "precision": "float"}, node)
        gain_db = 0.0
    node = _filters(graph, node, mix)
    if mix.compress is not None:
        node = compress(graph, node, mix.compress)
    if mix.drive > 0:
        node = _saturate(graph, node, DRIVE_DB * mix.drive)
    if mix.chorus > 0:
        node = _chorus(graph, node, mix.chorus)
    return _place(graph, node, mix.pan, mix.width, gain_db + level_db)


def _filters(graph: FilterGraph, node: Node, mix: RoleMix) -> Node:
    top = _TOP * graph.sample_rate
    if mix.high_pass_hz is not None:
        node = graph.add("highpass", {"f": min(mix.high_pass_hz, top)}, node)
    if mix.low_pass_hz is not None and mix.low_pass_hz < top:
        node = graph.add("lowpass", {"f": mix.low_pass_hz}, node)
    for band in mix.eq:
        node = _equalise(graph, node, band, top)
    return node


def _equalise(graph: FilterGraph, node: Node, band: EqBand, top_hz: float) -> Node:
    options = {"f": min(band.hz, top_hz), "t": "q", "w": band.q, "g": band.gain_db}
    return graph.add(_EQ_FILTERS[band.kind], options, node)


def compress(graph: FilterGraph, node: Node, settings: Compressor, *, reference_db: float = _REFERENCE_DB) -> Node:
    """Add a compressor that leaves a signal of root mean square `reference_db` as loud as it was."""
    taken_db = max(reference_db + _DETECTOR_DB - settings.threshold_db, 0.0) * (1 - 1 / settings.ratio)
    options = {
        "threshold": max(_gain(settings.threshold_db), 0.001),
        "ratio": settings.ratio,
        "attack": settings.attack_ms,
        "release": settings.release_ms,
        "makeup": min(_gain(taken_db), 64.0),
    }
    return graph.add("acompressor", options, node)


def _saturate(graph: FilterGraph, node: Node, drive_db: float, *, reference_db: float = _REFERENCE_DB) -> Node:
    """Add a soft clipper that leaves a signal of root mean square `reference_db` as loud as it was.

    The curve is x / sqrt(1 + x²): as round as tanh, in a seventh of the time. Oversampling takes ten times as
    long as the clipper, and is spent where the harmonics are strong enough to fold back. (asoftclip's own
    oversampling loses 6 dB, measured with FFmpeg 8.)
    """
    # Mean square of what a signal with a normal distribution, such as a full mix has, becomes.
    deviation = np.linspace(-5, 5, 501)
    density = np.exp(-(deviation**2) / 2) / np.exp(-(deviation**2) / 2).sum()
    driven = np.square(deviation * _gain(reference_db + drive_db))
    after = _gain(reference_db) / math.sqrt(float(np.sum(density * driven / (1 + driven))))
    node = graph.add("volume", {"volume": _gain(drive_db), "precision": "float"}, node)
    oversampled = drive_db > _CLEAN_DRIVE_DB
    if oversampled:
        node = graph.add("aresample", {"sample_rate": 2 * graph.sample_rate}, node)
    node = graph.add("asoftclip", {"type": "alg"}, node)
    if oversampled:
        node = graph.add("aresample", {"sample_rate": graph.sample_rate}, node)
    return graph.add("volume", {"volume": after, "precision": "float"}, node)


def _chorus(graph: FilterGraph, node: Node, amount: float) -> Node:
    """Add two slowly moving copies per side, each side with its own delays, so that the sound widens."""
    sides = graph.add("channelsplit", {"channel_layout": "stereo"}, node).context
    voices = []
    for side, (delays_ms, speeds_hz) in enumerate((("21|33", "0.41|0.29"), ("24|37", "0.33|0.47"))):
        decay = 0.45 * amount
        options = {
            "in_gain": 1.0,
            "out_gain": 1 / math.sqrt(1 + 2 * decay**2),
            "delays": delays_ms,
            "decays": f"{decay:.4g}|{decay:.4g}",
            "speeds": speeds_hz,
            "depths": "2|1.6",
        }
        voices.append(graph.add("chorus", options, Node(sides, side)))
    return graph.add("join", {"inputs": 2, "channel_layout": "stereo"}, *voices)


def _place(graph: FilterGraph, node: Node, pan: float, width: float, level_db: float) -> Node:
    """Add level, width and pan as one matrix.

    The middle is panned at equal power (unity in the centre); the sides narrow as the track leaves it, so
    that nothing of a stereo instrument is lost at the far left or right.
    """
    gain = _gain(level_db)
    angle = (pan + 1) * math.pi / 4
    left, right = math.sqrt(2) * math.cos(angle) * gain, math.sqrt(2) * math.sin(angle) * gain
    side = width * (1 - abs(pan))
    same, other = (1 + side) / 2, (1 - side) / 2
    matrix = (
        f"stereo|c0={left * same:.9g}*c0+{left * other:.9g}*c1|c1={right * other:.9g}*c0+{right * same:.9g}*c1"
    )
    return graph.add("pan", {"args": matrix}, node)


def age(graph: FilterGraph, node: Node, tape: Tape, *, reference_db: float) -> Node:
    """Add saturation, wow, flutter and dullness; `reference_db` is the root mean square of the mix."""
    if tape.saturation > 0:
        node = _saturate(graph, node, SATURATION_DB * tape.saturation, reference_db=reference_db)
    speeds = [
        (hz, amount * depth)
        for amount, hz, depth in ((tape.wow, WOW_HZ, _WOW_DEPTH), (tape.flutter, FLUTTER_HZ, _FLUTTER_DEPTH))
        if amount > 0
    ]
    if speeds:
        # FFmpeg's vibrato begins with whatever was in its memory: what it says in the first ms is cut off, and
        # with it the delay that it adds.
        start = round(_VIBRATO_START_S * graph.sample_rate)
        node = graph.add("adelay", {"delays": f"{start}S", "all": 1}, node)
        for hz, depth in speeds:
            node = graph.add("vibrato", {"f": hz, "d": depth}, node)
            start += round((1 - depth / 2) * _VIBRATO_DELAY_S * graph.sample_rate)
        node = graph.add("atrim", {"start_sample": start}, node)
        node = graph.add("asetpts", {"expr": "N/SR/TB"}, node)
    if tape.low_pass_hz is not None and tape.low_pass_hz < _TOP * graph.sample_rate:
        node = graph.add("lowpass", {"f": tape.low_pass_hz}, node)
    return node


def hiss(n: int) -> NDArray[np.float32]:
    """Return noise of -180 dB, (2, n), always the same, to be added to what goes through filters.

    In silence the filters' memories decay to numbers so small that the processor takes 40 times as long over
    them (measured). The hiss keeps them awake, and is 36 dB below the last bit of 24.
    """
    return _hiss(n).copy()


@cache
def _hiss(n: int) -> NDArray[np.float32]:
    return np.float32(1e-9) * np.random.default_rng(0).standard_normal((2, n), dtype=np.float32)


def noise_block(
    rng: np.random.Generator, n: int, sample_rate: int, *, noise_gain: float, crackle_gain: float
) -> NDArray[np.float32]:
    """Return tape noise of root mean square `noise_gain` and record crackle of peak `crackle_gain`, (2, n).

    The noise falls by 3 dB per octave within a block; crackles are single clicks, few loud and many soft.
    """
    from scipy.fft import irfft, rfft

    block: NDArray[np.float32] = np.zeros((2, n), np.float32)
    if noise_gain > 0:
        spectrum = rfft(rng.standard_normal((2, n), dtype=np.float32), axis=1)
        hz = np.fft.rfftfreq(n, 1 / sample_rate)
        pink = irfft(spectrum / np.sqrt(np.maximum(hz, 40.0)).astype(np.float32), n, axis=1)
        block += pink * np.float32(noise_gain / max(float(np.sqrt(np.mean(pink**2))), 1e-12))
    if crackle_gain > 0:
        n_clicks = int(rng.poisson(_CRACKLES_PER_S * n / sample_rate))
        at = rng.integers(0, n, n_clicks)
        size = crackle_gain * rng.random(n_clicks) ** 4 * rng.choice([-1.0, 1.0], n_clicks)
        balance = rng.random(n_clicks)
        for offset, decay in enumerate((1.0, -0.6, 0.25)):  # a click of three samples: bright, not a thud
            inside = at + offset < n
            np.add.at(block[0], at[inside] + offset, (decay * size * balance)[inside])
            np.add.at(block[1], at[inside] + offset, (decay * size * (1 - balance))[inside])
    return block


def duck_gain(
    start_s: float, n: int, sample_rate: int, kicks_s: Sequence[float], sidechain: Sidechain
) -> NDArray[np.float32]:
    """Return the gain by which ducked tracks are multiplied under the kicks, (2, n).

    It falls to -`depth_db` in a few ms before each kick and comes back over `release_ms`: the curve that
    a compressor keyed by the kick is set up to draw, exactly.
    """
    kicks = np.asarray(kicks_s)
    release_s = sidechain.release_ms / 1000
    time_s = start_s + np.arange(n) / sample_rate
    low, high = np.searchsorted(kicks, [start_s - release_s, start_s + n / sample_rate + _DUCK_ATTACK_S])
    depth = np.zeros(n)
    for kick_s in kicks[low:high]:
        first = max(int((kick_s - _DUCK_ATTACK_S - start_s) * sample_rate), 0)
        last = min(int((kick_s + release_s - start_s) * sample_rate) + 1, n)
        since = time_s[first:last] - kick_s
        rise = np.clip(1 + since / _DUCK_ATTACK_S, 0, 1)
        fall = 0.5 + 0.5 * np.cos(np.pi * np.clip(since / release_s, 0, 1))
        depth[first:last] = np.maximum(depth[first:last], rise * fall)
    gain = (10 ** (-sidechain.depth_db * depth / 20)).astype(np.float32)
    return np.stack([gain, gain])


def _gain(level_db: float) -> float:
    return float(10.0 ** (level_db / 20))
