"""What the note network sees: shapes, times and levels of known sounds."""

import numpy as np
import pytest

from rearrange.analysis.decoding import HeardNote
from rearrange.models import basic_pitch
from rearrange.models.note_features import (
    CHANNELS,
    FRAME_S,
    SOURCES,
    joined,
    loudness,
    note_levels,
    of_one_length,
    source_features,
)
from tests.tones import placed, tone

RATE = basic_pitch.SAMPLE_RATE


@pytest.fixture(scope="module")
def network() -> basic_pitch.BasicPitch:
    return basic_pitch.load()


def test_a_tone_stands_at_its_pitch_and_time(network: basic_pitch.BasicPitch) -> None:
    samples = placed([(1.0, tone(64, 1.0, RATE))], 3.0, RATE)
    features = source_features(network, samples)
    assert features.shape == (-(-len(samples) // 512), 88, CHANNELS)
    sounding = slice(round(1.1 / FRAME_S), round(1.9 / FRAME_S))
    for channel in (2, 3, 4):
        assert int(features[sounding, :, channel].sum(axis=0, dtype=int).argmax()) == 64 - 21
    onset = features[:, 64 - 21, :2].max(axis=1)
    assert (int(onset.argmax()) + 0.5) * FRAME_S == pytest.approx(1.0, abs=0.03)
    assert features[: round(0.8 / FRAME_S), :, 4].max() < features[sounding, :, 4].max() - 80  # 40 dB


def test_levels_are_relative_to_the_mix(network: basic_pitch.BasicPitch) -> None:
    samples = placed([(0.2, tone(64, 1.0, RATE))], 1.5, RATE)
    quiet = {name: source_features(network, samples if name == "mix" else 0.1 * samples) for name in SOURCES}
    seen = joined(quiet, 20, 40, loudness(quiet["mix"]))
    assert seen.shape == (len(SOURCES) * CHANNELS, 20, 88)
    mix, vocals = (seen[i * CHANNELS + 4, :, 64 - 21] for i in (0, 1))
    assert mix - vocals == pytest.approx(20 / 60, abs=0.02)  # 20 dB of a range of 60
    assert seen.min() >= 0.0


def test_what_does_not_come_is_silent(network: basic_pitch.BasicPitch) -> None:
    heard = source_features(network, np.zeros(1000, np.float32))
    longer = np.zeros((5, 88, CHANNELS), np.uint8)
    made = of_one_length({"mix": heard, "bass": longer})
    assert list(made) == list(SOURCES)
    assert {len(each) for each in made.values()} == {5}
    assert not made["vocals"].any()
    assert len(of_one_length({})["mix"]) == 0
    assert np.isfinite(loudness(of_one_length({})["mix"]))


def test_a_louder_note_is_louder(network: basic_pitch.BasicPitch) -> None:
    samples = placed([(0.2, tone(60, 0.5, RATE, gain=0.03)), (1.2, tone(60, 0.5, RATE, gain=0.3))], 2.0, RATE)
    notes = [HeardNote(at, at + 0.5, 60, 0.9, 0.9, round(at / FRAME_S)) for at in (0.2, 1.2)]
    soft, loud = note_levels(source_features(network, samples), notes)
    assert loud - soft == pytest.approx(20.0, abs=2.0)
    highest = HeardNote(0.2, 0.5, 108, 0.9, 0.9, 10_000)
    assert np.isfinite(note_levels(source_features(network, samples), [highest])).all()
