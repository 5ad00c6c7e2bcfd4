"""The shipped model of harmony, on chroma that is known."""

from pathlib import Path

import numpy as np
import pytest

from rearrange.analysis.chroma import BeatChroma, beat_chroma, log_spectrogram
from rearrange.errors import ModelError
from rearrange.models import harmony
from rearrange.models.harmony import HarmonyConfig, HarmonyModel, Spans
from rearrange.score import CHORD_INTERVALS, Chord, Key

AXIS = ((0, "maj"), (7, "maj"), (9, "min"), (5, "maj"))


def spans_of(
    progression: tuple[tuple[int, str], ...], *, basses: tuple[int, ...] | None = None, noise: float = 0.1
) -> Spans:
    """Four beats of each chord, as notes."""
    rng = np.random.default_rng(0)
    treble, bass = [], []
    for i, (root, quality) in enumerate(progression):
        row = np.zeros(12)
        row[[(root + interval) % 12 for interval in CHORD_INTERVALS[quality]]] = 1.0
        low = np.eye(12)[basses[i] if basses else root]
        treble += [row + 0.5 * low] * 4
        bass += [low] * 4
    n = len(treble)
    return Spans(
        None, BeatChroma(np.stack(treble) + noise * rng.random((n, 12)), np.stack(bass)), np.arange(n) % 4 == 0
    )


def heard(spans: Spans, key: Key | None = None) -> harmony.Harmony:
    return harmony.load().hear(spans, np.arange(len(spans.downbeats) + 1.0), key=key)


def moved(spans: Spans, semitones: int) -> Spans:
    assert spans.notes is not None
    parts = (np.roll(part, semitones, axis=1) for part in (spans.notes.treble, spans.notes.bass))
    return Spans(None, BeatChroma(*parts), spans.downbeats)


def test_a_progression_and_its_key_are_heard() -> None:
    found = heard(spans_of(AXIS * 4))
    assert [(c.root, c.quality) for c in found.chords] == list(AXIS * 4)
    assert [c.onset_beat for c in found.chords] == [4.0 * i for i in range(16)]
    assert (found.key.tonic, found.key.mode) == (0, "major")
    assert found.key.confidence > 0.5


def test_a_song_in_minor_is_not_taken_for_its_relative_major() -> None:
    minor = ((9, "min"), (2, "min"), (4, "maj"), (9, "min"))
    found = heard(spans_of(minor * 4))
    assert (found.key.tonic, found.key.mode) == (9, "minor")


@pytest.mark.parametrize("semitones", [1, 5, 11])
def test_transposing_the_sound_transposes_chords_and_key(semitones: int) -> None:
    spans = spans_of(AXIS * 2, noise=0.3)
    one, other = heard(spans), heard(moved(spans, semitones))
    assert [((c.root - semitones) % 12, c.quality, (c.bass - semitones) % 12) for c in other.chords] == [
        (c.root, c.quality, c.bass) for c in one.chords
    ]
    assert ((other.key.tonic - semitones) % 12, other.key.mode) == (one.key.tonic, one.key.mode)


def test_sevenths_and_inversions_are_heard() -> None:
    chords = ((0, "maj7"), (9, "min7"), (2, "min7"), (7, "7"))
    assert [(c.root, c.quality) for c in heard(spans_of(chords * 2)).chords] == list(chords * 2)
    inverted = heard(spans_of(AXIS * 2, basses=(4, 7, 9, 5) * 2)).chords
    assert [(c.root, c.bass) for c in inverted][:4] == [(0, 4), (7, 7), (9, 9), (5, 5)]


def test_silence_has_neither_chords_nor_a_key() -> None:
    silent = Spans(None, BeatChroma(np.zeros((16, 12)), np.zeros((16, 12))), np.arange(16) % 4 == 0)
    found = heard(silent)
    assert found.chords == ()
    assert found.key.confidence < 0.05
    nothing = Spans(None, BeatChroma(np.zeros((0, 12)), np.zeros((0, 12))), np.zeros(0, bool))
    assert heard(nothing) == harmony.Harmony(Key(0, "major", 0.0), ())


@pytest.mark.parametrize("kind", ["noise", "drums"])
def test_noise_and_drums_alone_have_no_sure_key(kind: str) -> None:
    rate, rng = 22050, np.random.default_rng(1)
    samples = 0.3 * rng.standard_normal(rate * 8)
    if kind == "drums":
        samples *= np.exp(-(np.arange(len(samples)) % (rate // 2)) / 800.0)
        ring = np.exp(-(np.arange(len(samples)) % rate) / 3000.0)
        samples += ring * np.sin(2 * np.pi * 60.0 * np.arange(len(samples)) / rate)
    borders_s = np.arange(0.0, 8.01, 0.5)
    chroma = beat_chroma(log_spectrogram(samples, rate), borders_s)
    found = heard(Spans(chroma, BeatChroma(*np.zeros((2, 16, 12))), np.arange(16) % 4 == 0))
    assert found.key.confidence < 0.3
    assert sum(chord.duration_beat for chord in found.chords) <= 4.0


def test_a_key_that_is_known_is_kept() -> None:
    assert heard(spans_of(AXIS), Key(7, "major")).key == Key(7, "major")


def test_rows_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="downbeats"):
        Spans(None, BeatChroma(np.zeros((4, 12)), np.zeros((4, 12))), np.zeros(3, bool))
    with pytest.raises(ValueError, match="border"):
        harmony.load().hear(spans_of(AXIS), np.arange(16.0))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    shipped = harmony.load()
    harmony.save(tmp_path, shipped)
    again = harmony.load(tmp_path)
    assert again.config == shipped.config
    assert isinstance(again, HarmonyModel)
    spans = spans_of(AXIS)
    np.testing.assert_array_equal(again.chord_probabilities(spans)[0], shipped.chord_probabilities(spans)[0])
    (tmp_path / "config.json").write_text(HarmonyConfig(width=8).to_json())
    harmony.load.cache_clear()
    with pytest.raises(ModelError, match="weights"):
        harmony.load(tmp_path)
    (tmp_path / "config.json").write_text('{"depth": 3}')
    with pytest.raises(ModelError, match="depth"):
        harmony.load(tmp_path)


def test_a_chord_is_no_surer_than_certain() -> None:
    chords: tuple[Chord, ...] = heard(spans_of(AXIS)).chords
    assert all(0.0 <= chord.confidence <= 1.0 for chord in chords)
