"""Recorded instruments: what is labelled sounds, in tune, from notes that are named wrongly or out of tune."""

from pathlib import Path

import numpy as np
import pytest

from rearrange.audio import Audio, write_audio
from rearrange.errors import SoundfontError
from rearrange.models.mel import SAMPLE_RATE
from rearrange.score import NoteEvent
from rearrange.training import samples
from rearrange.training.samples import Instrument, play_samples, read_instruments, tuning_of, within

DECLARED = """
[[instrument]]
name = "organ"
licence = "none"
files = "organ/*.wav"
octaves = 1
plays = ["vocals"]
release_s = 0.05
reach = 6
soft = "_p"
"""


def _tone(pitch: float, gain: float) -> Audio:
    time_s = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    hz = 440.0 * 2 ** ((pitch - 69) / 12)
    wave = sum(np.sin(2 * np.pi * hz * k * time_s) / k for k in range(1, 6))
    lead = np.zeros(2000)
    return Audio(np.concatenate([lead, gain * wave])[None].astype(np.float32), SAMPLE_RATE)


@pytest.fixture
def organ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instrument:
    """Notes named an octave low; the higher one is a third of a semitone sharp."""
    (tmp_path / "organ").mkdir()
    write_audio(tmp_path / "organ" / "C3_f.wav", _tone(60.0, 0.3))
    write_audio(tmp_path / "organ" / "Gs3_f.wav", _tone(68.33, 0.2))
    write_audio(tmp_path / "organ" / "Gs3_p.wav", _tone(68.0, 0.1))
    (tmp_path / "samples.toml").write_text(DECLARED)
    monkeypatch.setattr(samples, "_DECLARED", tmp_path / "samples.toml")
    return read_instruments(tmp_path)[0]


def test_notes_sound_in_tune_where_they_are_labelled(organ: Instrument) -> None:
    assert [each.pitch for each in organ.recordings] == [60, 68, 68]
    notes = [NoteEvent(0.2 + 0.5 * i, 0.4, pitch, 90) for i, pitch in enumerate((57, 60, 66, 68, 71))]
    played = play_samples(organ, notes, np.random.default_rng(0), duration_s=3.0)
    assert played.samples.shape == (2, 3 * SAMPLE_RATE)
    assert [note.pitch for note in played.notes] == [note.pitch for note in notes]
    for note in played.notes:
        first = round(note.onset_s * SAMPLE_RATE)
        assert abs(tuning_of(played.samples[:, first : first + 17_000], note.pitch)) < 0.05
        assert np.abs(played.samples[:, first - 1500 : first - 150]).max() < 0.02
        assert np.abs(played.samples[:, first : first + 500]).max() > 0.02


def test_soft_notes_are_soft_and_from_soft_recordings(organ: Instrument) -> None:
    def energy(velocity: int) -> float:
        note = [NoteEvent(0.1, 0.5, 68, velocity)]
        return float(np.square(play_samples(organ, note, np.random.default_rng(0), duration_s=1.0).samples).sum())

    assert energy(110) > 3 * energy(50)
    assert {each.is_soft for each in organ.recordings} == {True, False}


def test_a_part_outside_the_compass_is_moved_by_octaves() -> None:
    notes = [NoteEvent(float(i), 0.5, pitch, 90) for i, pitch in enumerate((38, 40, 43, 71))]
    moved = within((60, 80), notes)
    assert [note.pitch for note in moved] == [62, 64, 67, 71]
    assert within((30, 72), notes) == tuple(notes)


def test_no_recordings_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SoundfontError, match="alto_sax"):
        read_instruments(tmp_path)
