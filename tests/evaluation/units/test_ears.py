"""What was heard against what is there: the truth scores one, what nobody knows says so."""

import numpy as np
import pytest

from rearrange.audio import Audio
from rearrange.evaluation.metrics import drum_onsets
from rearrange.evaluation.units import ears
from rearrange.score import NoteEvent, Part, Performance
from tests.songs import band_song

RATE = 8000
BEATS = np.arange(0.5, 10.0, 0.5)


def noise(seed: int) -> Audio:
    return Audio(np.random.default_rng(seed).normal(0, 0.1, (2, 2 * RATE)).astype(np.float32), RATE)


def performance(shift_s: float = 0.0) -> Performance:
    def notes(pitch: int) -> tuple[NoteEvent, ...]:
        return tuple(NoteEvent(float(beat) + shift_s, 0.3, pitch, 80) for beat in BEATS)

    parts = (Part("vocals", notes(72)), Part("bass", notes(40)), Part("drums", notes(36), is_drum=True))
    return Performance(parts, 12.0)


def test_the_true_stems_are_at_the_ceiling_and_the_mixture_far_below() -> None:
    stems = {"drums": noise(0), "bass": noise(1)}
    mix = Audio(stems["drums"].samples + stems["bass"].samples, RATE)
    true = ears.separation_measures(stems, stems)
    mixed = ears.separation_measures(stems, {"drums": mix, "bass": mix})
    assert true["sdr_drums"].value == pytest.approx(100.0)
    assert mixed["sdr_drums"].value == pytest.approx(0.0, abs=0.5)
    assert true["sdr_vocals"].reason == "the stem is silent or not known"
    assert ears.separation_measures(None, stems)["sdr_drums"].reason == "no stems known"


def test_silent_stems_say_so() -> None:
    silent = {"drums": Audio(np.zeros((2, 2 * RATE), np.float32), RATE)}
    assert ears.separation_measures(silent, silent)["sdr_drums"].value is None


def test_notes_are_scored_by_stem_and_together() -> None:
    cells = ears.note_measures(performance(), performance())
    assert [cells[name].value for name in ("notes_all", "notes_vocals", "notes_bass")] == [1.0, 1.0, 1.0]
    assert cells["notes_other"].reason == "nobody plays this part"
    late = ears.note_measures(performance(), performance(shift_s=0.1))
    assert late["notes_all"].value == 0.0
    assert ears.note_measures(None, performance())["notes_all"].reason == "no notes known"


def test_drums_are_no_pitched_notes() -> None:
    assert {note.pitch for note in ears.pitched_notes(performance())} == {72, 40}


def test_drums_by_voice() -> None:
    hits = [NoteEvent(float(beat), 0.1, pitch, 90) for beat in BEATS for pitch in (36, 42)]
    truth = drum_onsets(hits)
    heard = drum_onsets([hit for hit in hits if hit.pitch == 36])
    cells = ears.drum_measures(truth, heard)
    assert (cells["drums_kick"].value, cells["drums_hat"].value, cells["drums_mean"].value) == (1.0, 0.0, 0.5)
    assert "drums_snare" not in cells
    assert ears.drum_measures(None, truth)["drums_mean"].reason == "no drum hits known"


def test_beats_and_tempo() -> None:
    bars = BEATS[::4]
    cells = ears.beat_measures(BEATS, bars, BEATS, bars, estimate_bpm=120.0)
    assert [cells[name].value for name in ("beats", "cmlt", "amlt", "downbeats", "tempo")] == [1.0] * 5
    double = np.arange(0.5, 9.51, 0.25)
    cells = ears.beat_measures(BEATS, bars, double, None, estimate_bpm=240.0)
    assert (cells["tempo"].value, cells["tempo_octave"].value) == (0.0, 1.0)
    assert cells["downbeats"].reason == "it finds no downbeats"
    cells = ears.beat_measures(None, None, BEATS, bars, reference_bpm=121.0, estimate_bpm=120.0)
    assert (cells["beats"].reason, cells["tempo"].value) == ("no beats known", 1.0)


def test_harmony_and_form_of_the_song_itself() -> None:
    song = band_song()
    cells = ears.harmony_measures(song.chords, song.key, song.timeline, song)
    assert [cells[name].value for name in ("chords", "sevenths", "key")] == pytest.approx([1.0, 1.0, 1.0])
    assert ears.form_measures(song.sections, song.timeline, song)["boundaries"].value == pytest.approx(1.0)
    assert ears.harmony_measures(None, None, None, song)["chords"].reason == "no chords known"
    assert ears.form_measures(None, None, song)["boundaries"].reason == "no form known"
