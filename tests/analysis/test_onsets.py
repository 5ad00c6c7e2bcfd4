"""Onset strength: where it peaks, in which register, and that loudness does not matter."""

import numpy as np
import pytest

from rearrange.analysis.onsets import FRAME_RATE_HZ, band_spectrogram, flatten_level, note_envelope, onset_envelope
from rearrange.score import NoteEvent
from tests import tones

ONSETS_S = np.arange(0.5, 5.5, 0.437)


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000])
@pytest.mark.parametrize("kind", ["kick", "tone"])
def test_strength_peaks_at_the_onset(sample_rate: int, kind: str) -> None:
    sound = tones.kick(sample_rate) if kind == "kick" else tones.tone(57, 0.4, sample_rate)
    samples = tones.placed([(time, sound) for time in ONSETS_S], 6.0, sample_rate)
    strength = onset_envelope(band_spectrogram(samples, sample_rate)).strength
    for onset in ONSETS_S:
        frame = round(onset * FRAME_RATE_HZ)
        peak = frame - 6 + int(np.argmax(strength[frame - 6 : frame + 8]))
        assert abs(peak / FRAME_RATE_HZ - onset) <= 0.02


def test_a_kick_is_low_and_a_hat_is_high() -> None:
    rng = np.random.default_rng(0)
    samples = tones.placed([(1.0, tones.kick(22050)), (2.0, tones.hat(22050, rng))], 3.0, 22050)
    envelope = onset_envelope(band_spectrogram(samples, 22050))
    assert np.argmax(envelope.low) == pytest.approx(100, abs=3)
    assert np.argmax(envelope.high[150:]) + 150 == pytest.approx(200, abs=3)
    assert envelope.low[195:205].max() < 0.3 * envelope.low.max()


def test_loudness_does_not_change_strength() -> None:
    samples = tones.placed([(time, tones.kick(22050)) for time in ONSETS_S], 6.0, 22050)
    loud = onset_envelope(band_spectrogram(samples, 22050)).strength
    quiet = onset_envelope(band_spectrogram(samples * np.float32(0.01), 22050)).strength
    np.testing.assert_allclose(loud, quiet, atol=1e-2)


def test_silence_has_no_onsets() -> None:
    envelope = onset_envelope(band_spectrogram(np.zeros(22050, np.float32), 22050))
    assert not envelope.strength.any()
    assert not flatten_level(np.zeros(500, np.float32)).any()


def test_a_sound_shorter_than_the_window_is_one_frame_or_more() -> None:
    assert len(onset_envelope(band_spectrogram(np.zeros(10, np.float32), 22050))) >= 1


def test_notes_go_to_their_registers() -> None:
    notes = [NoteEvent(1.0, 0.5, 40, 100), NoteEvent(2.0, 0.5, 72, 100)]
    hits = [NoteEvent(3.0, 0.1, 36, 100), NoteEvent(4.0, 0.1, 42, 100)]
    envelope = note_envelope(notes, 5.0, drum_hits=hits)
    assert envelope.low[100] > 0
    assert envelope.low[300] > 0
    assert envelope.low[200] == 0
    assert envelope.mid[200] > 0
    assert envelope.high[400] > 0


def test_stereo_is_refused() -> None:
    with pytest.raises(ValueError, match="mono"):
        band_spectrogram(np.zeros((2, 100), np.float32), 22050)
