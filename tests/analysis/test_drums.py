"""A kit made of sines and noise, struck at known times."""

import numpy as np
import pytest

from rearrange.analysis.attacks import SAMPLE_RATE, attacks, band_spectrogram, decompose
from rearrange.analysis.drums import DrumLimits, drum_hits, without_leakage
from rearrange.analysis.notes import level_curve
from rearrange.score import NoteEvent
from tests.tones import FloatArray, hat, kick, placed, snare, tone

KICK, SNARE, CLOSED, OPEN, RIDE, TOMS = 36, 38, 42, 46, 51, (45, 47, 50)


def beat(*, bars: int = 4, beat_s: float = 0.5, gain: float = 1.0) -> tuple[FloatArray, dict[int, list[float]]]:
    """Kick on one and three, snare on two and four, closed hats on eighths."""
    rng = np.random.default_rng(0)
    times: dict[int, list[float]] = {KICK: [], SNARE: [], CLOSED: []}
    sounds = []
    for step in range(bars * 8):
        at = 0.1 + step * beat_s / 2
        times[CLOSED].append(at)
        sounds.append((at, hat(SAMPLE_RATE, rng, gain=0.2 * gain)))
        if step % 4 == 0:
            times[KICK].append(at)
            sounds.append((at, kick(SAMPLE_RATE, gain=0.8 * gain)))
        elif step % 4 == 2:
            times[SNARE].append(at)
            sounds.append((at, snare(SAMPLE_RATE, rng, gain=0.5 * gain)))
    return placed(sounds, 0.6 + bars * 4 * beat_s, SAMPLE_RATE), times


def heard(hits: tuple[NoteEvent, ...], pitch: int) -> list[float]:
    return [hit.onset_s for hit in hits if hit.pitch == pitch]


def test_a_rock_beat() -> None:
    samples, times = beat()
    hits = drum_hits(samples)
    assert heard(hits, KICK) == pytest.approx(times[KICK], abs=0.01)
    assert heard(hits, SNARE) == pytest.approx(times[SNARE], abs=0.01)
    alone = [at for at in times[CLOSED] if at not in times[KICK] + times[SNARE]]
    closed = np.array(heard(hits, CLOSED))
    assert all(np.abs(closed - at).min() <= 0.01 for at in alone)
    assert len(closed) <= len(times[CLOSED])
    assert {hit.pitch for hit in hits} == {KICK, SNARE, CLOSED}


def test_it_is_the_same_at_any_level() -> None:
    loud = [(hit.pitch, hit.velocity) for hit in drum_hits(beat()[0])]
    soft = [(hit.pitch, hit.velocity) for hit in drum_hits(beat(gain=0.01)[0])]
    assert soft == loud


def test_velocity_follows_the_stroke() -> None:
    gains = [0.3, 0.45, 0.6, 0.9]
    samples = placed(
        [(0.2 + 0.5 * i, kick(SAMPLE_RATE, gain=gain)) for i, gain in enumerate(gains)], 2.5, SAMPLE_RATE
    )
    velocities = [hit.velocity for hit in drum_hits(samples) if hit.pitch == KICK]
    assert velocities == sorted(velocities)
    assert len(set(velocities)) == 4
    assert velocities[3] / velocities[0] == pytest.approx(3**0.5, rel=0.1)


def test_open_and_closed_hats() -> None:
    rng = np.random.default_rng(1)
    sounds = [(0.2 + 0.4 * i, hat(SAMPLE_RATE, rng, decay_s=0.2 if i % 4 == 3 else 0.02)) for i in range(16)]
    hits = drum_hits(placed(sounds, 7.0, SAMPLE_RATE))
    assert heard(hits, OPEN) == pytest.approx([0.2 + 0.4 * i for i in range(3, 16, 4)], abs=0.01)
    assert len(heard(hits, CLOSED)) == 12


def test_a_ringing_cymbal_that_keeps_time_is_a_ride() -> None:
    rng = np.random.default_rng(2)
    sounds = [(0.2 + 0.5 * i, hat(SAMPLE_RATE, rng, decay_s=0.25)) for i in range(12)]
    hits = drum_hits(placed(sounds, 7.0, SAMPLE_RATE))
    assert heard(hits, RIDE) == pytest.approx([at for at, _ in sounds], abs=0.01)
    assert len(hits) <= len(sounds) + 1


def test_a_tom_is_neither_kick_nor_snare() -> None:
    rng = np.random.default_rng(3)
    time_s = np.arange(round(0.4 * SAMPLE_RATE)) / SAMPLE_RATE
    tom = (0.7 * np.sin(2 * np.pi * 130 * time_s) * np.exp(-time_s / 0.1)).astype(np.float32)
    beats = [(0.2 + i, kick(SAMPLE_RATE)) for i in range(4)]
    beats += [(0.7 + i, snare(SAMPLE_RATE, rng)) for i in range(4)]
    hits = drum_hits(placed([*beats, (4.2, tom), (4.7, tom)], 6.0, SAMPLE_RATE))
    assert [hit.onset_s for hit in hits if hit.pitch in TOMS] == pytest.approx([4.2, 4.7], abs=0.01)
    assert len(heard(hits, KICK)) == len(heard(hits, SNARE)) == 4


def test_a_pad_is_no_drum() -> None:
    time_s = np.arange(6 * SAMPLE_RATE) / SAMPLE_RATE
    pad = sum(np.sin(2 * np.pi * hz * time_s) for hz in (220, 277, 330)) * np.clip(time_s, 0, 1) * 0.1
    assert drum_hits(pad.astype(np.float32)) == ()


@pytest.mark.parametrize("n_samples", [0, 1, 100, 8820])
def test_silence_and_next_to_nothing(n_samples: int) -> None:
    assert drum_hits(np.zeros(n_samples, np.float32)) == ()
    noise = np.random.default_rng(0).standard_normal(n_samples).astype(np.float32) * 0.1
    assert all(np.isfinite(hit.onset_s) and 1 <= hit.velocity <= 127 for hit in drum_hits(noise))


def test_steady_noise_has_few_hits() -> None:
    noise = np.random.default_rng(0).standard_normal(10 * SAMPLE_RATE).astype(np.float32) * 0.1
    assert len(drum_hits(noise)) <= 20


def test_two_channels_are_a_programming_mistake() -> None:
    with pytest.raises(ValueError, match="mono"):
        drum_hits(np.zeros((2, 100), np.float32))


def test_a_higher_threshold_hears_fewer() -> None:
    rng = np.random.default_rng(4)
    sounds = [(0.2 + 0.2 * i, snare(SAMPLE_RATE, rng, gain=0.05 + 0.02 * (i * 7 % 20))) for i in range(20)]
    samples = placed(sounds, 5.0, SAMPLE_RATE)
    counts = [len(heard(drum_hits(samples, DrumLimits(threshold=t)), SNARE)) for t in (0.1, 0.3, 0.6, 0.9)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def repeated_tone(n_samples: int) -> FloatArray:
    """A piano of sorts on every eighth of `beat`."""
    duration_s = n_samples / SAMPLE_RATE
    onsets_s = np.arange(0.1, duration_s, 0.25)
    return placed([(at, tone(60, 0.2, SAMPLE_RATE)) for at in onsets_s.tolist()], duration_s, SAMPLE_RATE)


def test_attacks_that_leaked_are_dropped_and_drums_stay() -> None:
    samples, _ = beat()
    hits = drum_hits(samples)
    piano = placed(
        [(0.1 + 0.25 * i, tone(60, 0.2, SAMPLE_RATE)) for i in range(32)], len(samples) / SAMPLE_RATE, SAMPLE_RATE
    )
    drums, others = level_curve(samples, SAMPLE_RATE), level_curve(0.3 * piano, SAMPLE_RATE)
    assert without_leakage(hits, drums, others) == hits
    leaked = level_curve(0.03 * samples, SAMPLE_RATE)
    assert without_leakage(hits, leaked, level_curve(piano, SAMPLE_RATE)) == ()
    assert without_leakage((), drums, others) == ()


def test_a_break_without_drums_is_found_within_a_song() -> None:
    samples, _ = beat(bars=16)
    seam_s = 16.0
    samples[round(seam_s * SAMPLE_RATE) :] *= 0.01
    hits = drum_hits(beat(bars=16)[0])
    piano = placed(
        [(0.1 + 0.25 * i, tone(60, 0.2, SAMPLE_RATE)) for i in range(130)], len(samples) / SAMPLE_RATE, SAMPLE_RATE
    )
    kept = without_leakage(hits, level_curve(samples, SAMPLE_RATE), level_curve(0.3 * piano, SAMPLE_RATE))
    assert [hit for hit in kept if hit.onset_s < 10] == [hit for hit in hits if hit.onset_s < 10]
    assert max(hit.onset_s for hit in kept) < seam_s + 7


def test_decomposition_explains_the_attacks() -> None:
    rises = attacks(band_spectrogram(beat()[0]))
    shapes, gains = decompose(rises, 0.5)
    assert shapes.sum(axis=0) == pytest.approx(1.0, abs=1e-4)
    assert gains.shape == (len(rises), 5)
    assert gains.min() >= 0.0
    assert np.abs(rises - gains @ shapes.T).sum() < 0.5 * rises.sum()
