"""Channel strips, tape and ducking: what a mix table asks for is what is heard."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.audio import Audio, loudness_lufs
from rearrange.errors import DependencyError, RearrangeError
from rearrange.mixtable import Compressor, EqBand, RoleMix, Sidechain, Tape
from rearrange.synth.effects import TRACK_LUFS, age, compress, duck_gain, noise_block, strip
from rearrange.synth.filters import FilterGraph, Node

RATE = 44100
N = 2 * RATE
T = np.arange(N) / RATE


def through(
    build: Callable[[FilterGraph, Node], Node], sound: NDArray[np.float32], block: int = 8192
) -> NDArray[np.float32]:
    """Play a sound through a graph of one source."""
    graph = FilterGraph(RATE)
    graph.finish(build(graph, graph.source("in")))
    out: list[NDArray[np.float32]] = []
    for start in range(0, sound.shape[1], block):
        graph.push("in", sound[:, start : start + block])
        out += graph.pull()
    graph.end()
    out += graph.pull()
    return np.concatenate(out, axis=1)[:, : sound.shape[1]]


def in_strip(mix: RoleMix, sound: NDArray[np.float32], gain_db: float = 0.0) -> NDArray[np.float32]:
    return through(lambda graph, node: strip(graph, node, mix, gain_db=gain_db, level_db=mix.level_db), sound)


def tone(hz: float, level: float = 0.1) -> NDArray[np.float32]:
    return np.stack([level * np.sin(2 * np.pi * hz * T)] * 2).astype(np.float32)


def music_like() -> NDArray[np.float32]:
    """Pink noise in stereo at TRACK_LUFS."""
    noise = noise_block(np.random.default_rng(1), 4 * RATE, RATE, noise_gain=0.1, crackle_gain=0)
    return noise * np.float32(10 ** ((TRACK_LUFS - loudness(noise)) / 20))


def loudness(sound: NDArray[np.float32]) -> float:
    return loudness_lufs(Audio(sound, RATE))


def level_db(sound: NDArray[np.float32]) -> float:
    middle = sound[:, RATE // 2 : -RATE // 4]
    return float(10 * np.log10(np.mean(np.square(middle.astype(np.float64))) + 1e-20))


def test_an_empty_strip_changes_nothing() -> None:
    sound = tone(440)
    np.testing.assert_allclose(in_strip(RoleMix(), sound), sound, atol=1e-6)


def test_gain_and_level_add_up_with_or_without_compressor() -> None:
    sound = tone(1000)
    assert level_db(in_strip(RoleMix(level_db=-6), sound, 4.0)) == pytest.approx(level_db(sound) - 2, abs=0.05)
    shaped = RoleMix(level_db=-6, compress=Compressor(-0.1, 1.0))
    assert level_db(in_strip(shaped, sound, 4.0)) == pytest.approx(level_db(sound) - 2, abs=0.1)


@pytest.mark.parametrize(
    ("pan", "left_db", "right_db"), [(-1, 3, -177), (0, 0, 0), (1, -177, 3), (0.5, -5.3, 2.3)]
)
def test_pan_keeps_the_power_and_loses_neither_side(pan: float, left_db: float, right_db: float) -> None:
    panned = in_strip(RoleMix(pan=pan), tone(440))
    assert level_db(panned[:1]) - level_db(tone(440)) == pytest.approx(left_db, abs=0.1)
    assert level_db(panned[1:]) - level_db(tone(440)) == pytest.approx(right_db, abs=0.1)
    right_only = tone(440) * np.float32([[0], [1]])
    assert level_db(in_strip(RoleMix(pan=-1), right_only)[:1]) > level_db(tone(440)) - 4


def test_width_zero_is_mono() -> None:
    sides = np.concatenate([tone(300)[:1], tone(500)[:1]])
    mono = in_strip(RoleMix(width=0), sides)
    np.testing.assert_allclose(mono[0], mono[1], atol=1e-6)


@pytest.mark.parametrize(
    ("mix", "hz", "change_db"),
    [
        (RoleMix(high_pass_hz=200), 50, -24),
        (RoleMix(high_pass_hz=200), 2000, 0),
        (RoleMix(low_pass_hz=2000), 8000, -26),
        (RoleMix(eq=(EqBand(1000, 6.0, 1.0),)), 1000, 6),
        (RoleMix(eq=(EqBand(1000, 6.0, 1.0),)), 60, 0),
        (RoleMix(eq=(EqBand(200, -6.0, 0.7, "low_shelf"),)), 40, -6),
        (RoleMix(eq=(EqBand(5000, 4.0, 0.7, "high_shelf"),)), 15000, 4),
        (RoleMix(low_pass_hz=20000, high_pass_hz=10), 1000, 0),
    ],
)
def test_filters_do_what_the_table_says(mix: RoleMix, hz: float, change_db: float) -> None:
    change = level_db(in_strip(mix, tone(hz))) - level_db(tone(hz))
    assert change == pytest.approx(change_db, abs=0.3 if abs(change_db) < 10 else 2)


@pytest.mark.parametrize(
    "mix",
    [
        RoleMix(compress=Compressor(-20, 3)),
        RoleMix(compress=Compressor(-30, 8, 5, 80)),
        RoleMix(drive=0.2),
        RoleMix(drive=0.6),
        RoleMix(drive=1.0),
        RoleMix(chorus=0.6),
    ],
)
def test_effects_leave_a_track_as_loud_as_it_was(mix: RoleMix) -> None:
    sound = music_like()
    assert loudness(in_strip(mix, sound)) == pytest.approx(TRACK_LUFS, abs=1.5)


def test_compressor_brings_loud_and_soft_together() -> None:
    sound = tone(500, 0.3) * np.where(T < 1, 1.0, 0.1).astype(np.float32)
    settings = Compressor(-30, 4, 5, 50)
    out = through(lambda graph, node: compress(graph, node, settings), sound)
    loud, soft = (level_db(np.repeat(out[:, a : a + RATE // 2], 2, axis=1)) for a in (RATE // 3, 3 * RATE // 2))
    assert 20 - (loud - soft) > 8  # they were 20 dB apart


def test_drive_adds_odd_harmonics() -> None:
    out = in_strip(RoleMix(drive=0.7), tone(500, 0.3))[0]
    spectrum = np.abs(np.fft.rfft(out[RATE // 2 :][:RATE] * np.hanning(RATE)))
    assert spectrum[1500] > 0.03 * spectrum[500] > 10 * spectrum[1000]


def test_strong_drive_does_not_fold_back() -> None:
    out = in_strip(RoleMix(drive=1.0), tone(6000, 0.1))[0]
    spectrum = np.abs(np.fft.rfft(out[RATE // 2 :][:RATE] * np.hanning(RATE)))
    harmonics = [6000, 18000]
    for hz in harmonics:
        spectrum[hz - 50 : hz + 50] = 0
    assert spectrum.max() < 0.02 * np.abs(np.fft.rfft(out[RATE // 2 :][:RATE] * np.hanning(RATE))).max()


def test_chorus_widens() -> None:
    out = in_strip(RoleMix(chorus=0.7), tone(700))
    assert np.corrcoef(out[:, RATE // 2 :])[0, 1] < 0.999
    assert np.isfinite(out).all()


def test_wow_and_flutter_bend_the_pitch_and_stay_in_time() -> None:
    tape = Tape(wow=1.0)
    out = through(lambda graph, node: age(graph, node, tape, reference_db=-15), tone(440))[0]
    assert np.isfinite(out).all()
    crossings = np.flatnonzero((out[:-1] < 0) & (out[1:] >= 0))
    exact = crossings + out[crossings] / (out[crossings] - out[crossings + 1])
    cents = 1200 * np.log2(RATE / np.convolve(np.diff(exact), np.ones(5) / 5, "valid")[20:-20] / 440)
    assert 8 < cents.max() < 16
    click = np.zeros((2, N), np.float32)
    click[:, RATE] = 0.5
    slight = through(lambda graph, node: age(graph, node, Tape(wow=0.2, flutter=0.2), reference_db=-15), click)
    assert abs(int(np.abs(slight[0]).argmax()) - RATE) < 0.002 * RATE


def test_tape_saturation_keeps_the_level_and_low_pass_dulls() -> None:
    sound = music_like()
    reference_db = level_db(sound)
    warm = through(lambda graph, node: age(graph, node, Tape(saturation=1.0), reference_db=reference_db), sound)
    assert loudness(warm) == pytest.approx(loudness(sound), abs=1.0)
    bright = tone(12000)
    dull = through(lambda graph, node: age(graph, node, Tape(low_pass_hz=3000), reference_db=-15), bright)
    assert level_db(dull) < level_db(bright) - 20


def test_noise_has_its_level_and_crackle_its_peak() -> None:
    noise = noise_block(np.random.default_rng(0), 1 << 16, RATE, noise_gain=0.01, crackle_gain=0)
    assert np.sqrt(np.mean(np.square(noise))) == pytest.approx(0.01, rel=0.01)
    crackle = noise_block(np.random.default_rng(0), 60 * RATE, RATE, noise_gain=0, crackle_gain=0.02)
    assert 0.01 < np.abs(crackle).max() <= 0.03
    assert np.mean(np.abs(crackle) > 1e-6) < 0.001
    same = noise_block(np.random.default_rng(0), 60 * RATE, RATE, noise_gain=0, crackle_gain=0.02)
    np.testing.assert_array_equal(crackle, same)


def test_ducking_is_as_deep_and_as_long_as_written_in_any_blocks() -> None:
    settings = Sidechain(depth_db=9, release_ms=200, roles=())
    kicks_s = [0.5, 1.0, 1.1]
    whole = duck_gain(0.0, N, RATE, kicks_s, settings)
    gain_db = 20 * np.log10(whole[0])
    for at_s, wanted_db in ((0.4, 0), (0.5, -9), (0.6, -4.5), (0.701, 0), (1.05, -7.7), (1.1, -9), (1.9, 0)):
        assert gain_db[round(at_s * RATE)] == pytest.approx(wanted_db, abs=0.1)
    starts = range(0, N, 3001)
    pieces = [duck_gain(i / RATE, min(3001, N - i), RATE, kicks_s, settings) for i in starts]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=1e-4)


def test_convolution_is_exact_and_in_time() -> None:
    response = np.zeros((2, 4000), np.float32)
    response[0, 0], response[0, 3000], response[1, 100] = 1.0, 0.5, -0.25
    click = np.zeros((2, RATE), np.float32)
    click[:, 5000] = 0.5
    out = through(lambda graph, node: graph.convolve(node, response), click)
    wanted = np.zeros_like(click)
    wanted[0, 5000], wanted[0, 8000], wanted[1, 5100] = 0.5, 0.25, -0.125
    np.testing.assert_allclose(out, wanted, atol=1e-5)


def test_mix_adds_with_gains() -> None:
    out = through(lambda graph, node: graph.mix(graph.split(node, 3), (0.5, 0.25, 1.0)), tone(440))
    np.testing.assert_allclose(out, 1.75 * tone(440), atol=1e-5)


def test_unknown_filter_and_refused_options_are_errors_of_ours() -> None:
    graph = FilterGraph(RATE)
    node = graph.source("in")
    with pytest.raises(DependencyError, match="harmonizer"):
        graph.add("harmonizer", {}, node)
    with pytest.raises(RearrangeError, match="acompressor"):
        graph.add("acompressor", {"ratio": 1000.0}, node)
    with pytest.raises(ValueError, match="already"):
        graph.source("in")
