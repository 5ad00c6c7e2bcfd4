import logging
import sys
from pathlib import Path

import numpy as np
import pytest
from mir_eval import beat as mir_beat

from rearrange.audio import Audio
from rearrange.evaluation.baselines.ears import (
    basic_pitch_notes,
    first_drum_hits,
    harmonic_percussive_stems,
    librosa_beats,
    mixture_as_stems,
    official_stems,
    spectral_stems,
)
from rearrange.evaluation.measure import NotMeasurable
from tests.tones import kick, placed, snare, tone

RATE = 22050
SILENCE = Audio(np.zeros((2, RATE), dtype=np.float32), RATE)
BROKEN = Audio(np.full((1, RATE), np.nan, dtype=np.float32), RATE)


def test_librosa_finds_the_beats_of_a_drum_pattern() -> None:
    rng = np.random.default_rng(0)
    beats_s = 0.5 + np.arange(24) * 0.5  # 120 bpm
    hits = [(s, kick(RATE) if i % 2 == 0 else snare(RATE, rng)) for i, s in enumerate(beats_s)]
    heard = librosa_beats(Audio(placed(hits, 13.0, RATE)[np.newaxis], RATE))
    assert heard.tempo_bpm == pytest.approx(120, rel=0.04)
    assert mir_beat.f_measure(beats_s, heard.beats_s) > 0.9


def test_the_first_separator_and_its_drums() -> None:
    """Kicks every half second, and a tone that goes through: the kicks are heard, in the drums."""
    kicks = [(0.5 + i * 0.5, kick(RATE)) for i in range(8)]
    mix = Audio(placed([*kicks, (0.0, tone(76, 5.0, RATE, gain=0.1))], 5.0, RATE)[np.newaxis], RATE)
    stems = spectral_stems(mix)
    assert set(stems) == {"drums", "bass", "other", "vocals"}
    onsets = np.array([hit.onset_s for hit in first_drum_hits(stems["drums"]) if hit.pitch == 36])
    assert len(onsets) == 8
    assert np.abs(onsets - (0.5 + np.arange(8) * 0.5)).max() < 0.02
    assert first_drum_hits(SILENCE) == ()


def test_the_official_separator_is_measured_only_where_its_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REARRANGE_CACHE", str(tmp_path))
    with pytest.raises(NotMeasurable, match="htdemucs are not on this machine"):
        official_stems(SILENCE)


def test_basic_pitch_hears_a_scale() -> None:
    pitches = [60, 62, 64, 65, 67, 69, 71, 72]
    sounds = [(0.25 + i * 0.5, tone(pitch, 0.45, RATE)) for i, pitch in enumerate(pitches)]
    notes = basic_pitch_notes(Audio(placed(sounds, 4.6, RATE)[np.newaxis], RATE))
    for i, pitch in enumerate(pitches):
        assert any(n.pitch == pitch and abs(n.onset_s - (0.25 + i * 0.5)) < 0.05 for n in notes), pitch
    assert list(notes) == sorted(notes, key=lambda n: (n.onset_s, n.pitch))
    assert all(n.duration_s > 0.12 and 1 <= n.velocity <= 127 for n in notes)


def test_basic_pitch_sets_up_no_logging() -> None:
    handlers, level = list(logging.getLogger().handlers), logging.root.manager.disable
    basic_pitch_notes(SILENCE)
    assert logging.getLogger().handlers == handlers
    assert logging.root.manager.disable == level


def test_the_mixture_is_every_stem() -> None:
    assert mixture_as_stems(SILENCE, ("drums", "bass")) == {"drums": SILENCE, "bass": SILENCE}


def test_masks_part_clicks_from_tones_and_lose_nothing() -> None:
    tones = placed([(0.0, tone(48, 3.0, RATE)), (0.0, tone(64, 3.0, RATE))], 3.0, RATE)
    clicks = placed([(t, kick(RATE)[:200]) for t in np.arange(0.25, 3.0, 0.25)], 3.0, RATE)
    mix = Audio(np.stack([tones + clicks, tones + clicks]), RATE)
    stems = harmonic_percussive_stems(mix, ("drums", "bass", "other", "vocals"))
    total = sum(stem.samples for stem in stems.values())
    assert np.allclose(total, mix.samples, atol=1e-5)

    def likeness(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))

    assert likeness(stems["drums"].samples[0], clicks) > likeness(mix.samples[0], clicks) + 0.1
    assert likeness(stems["other"].samples[0], tones) > likeness(mix.samples[0], tones)


def test_silence_is_heard_as_nothing() -> None:
    assert len(librosa_beats(SILENCE).beats_s) == 0
    assert librosa_beats(SILENCE).tempo_bpm == 0.0
    assert basic_pitch_notes(SILENCE) == ()
    for n_samples in (0, 1, 100):  # shorter than any window
        short = Audio(np.zeros((1, n_samples), dtype=np.float32), RATE)
        assert len(librosa_beats(short).beats_s) == 0
        assert basic_pitch_notes(short) == ()
        assert harmonic_percussive_stems(short, ("drums", "other"))["drums"].n_samples == n_samples


@pytest.mark.parametrize("n_samples", [1, 600, 3000, 12000])
def test_the_shortest_sounds_are_no_crash(n_samples: int) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2, n_samples)).astype(np.float32)
    librosa_beats(Audio(noise, RATE))
    basic_pitch_notes(Audio(noise, RATE))
    stems = harmonic_percussive_stems(Audio(noise, RATE), ("drums", "other"))
    assert np.allclose(stems["drums"].samples + stems["other"].samples, noise, atol=1e-5)


@pytest.mark.parametrize(
    "hear",
    [librosa_beats, basic_pitch_notes, lambda audio: harmonic_percussive_stems(audio, ("drums",))],
    ids=["beats", "notes", "masks"],
)
def test_what_is_not_a_number_is_no_figure(hear) -> None:
    with pytest.raises(NotMeasurable, match="not a number"):
        hear(BROKEN)


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("librosa", "basic_pitch", "resampy")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "librosa", None)
    monkeypatch.setitem(sys.modules, "resampy", None)
    with pytest.raises(NotMeasurable, match=r"^librosa is not installed$"):
        librosa_beats(SILENCE)
    with pytest.raises(NotMeasurable, match=r"^librosa is not installed$"):
        harmonic_percussive_stems(SILENCE, ("drums",))
    with pytest.raises(NotMeasurable, match=r"is not installed$"):
        basic_pitch_notes(SILENCE)
