"""The drum network: frames, peaks and files. What it hears is a matter of training, not of these tests."""

from pathlib import Path

import numpy as np
import pytest

from rearrange.audio import Audio
from rearrange.errors import ModelError
from rearrange.models import drums
from rearrange.models.drums import (
    CLASSES,
    GROUPS,
    SAMPLE_RATE,
    DrumsConfig,
    DrumsNetwork,
    Picking,
    build,
    class_of_pitch,
    heard_in_both,
    in_company,
    load,
    pick_hits,
    save,
    undoubted,
)
from rearrange.models.stored import shipped
from rearrange.score import NoteEvent
from rearrange.stages.separate import SeparateSettings, separate
from tests.tones import FloatArray, kick, placed, snare, tone

SMALL = DrumsConfig(n_bands=40, channels=(4, 4, 4), width=8, dilations=(1, 2))


def network(config: DrumsConfig = SMALL) -> DrumsNetwork:
    import torch

    torch.manual_seed(0)
    return DrumsNetwork(config, build(config).eval())


def test_the_full_network_is_small_enough() -> None:
    assert sum(each.numel() for each in build(DrumsConfig()).parameters()) <= 1_500_000


def test_every_class_is_written_as_a_pitch_of_its_own() -> None:
    for index, pitches in enumerate(CLASSES.values()):
        assert all(class_of_pitch(pitch) == index for pitch in pitches)
    assert class_of_pitch(64) is None, "a conga is of no class"


@pytest.mark.parametrize("time_s", [0.1, 0.1025, 0.2051, 0.3375, 0.4999])
def test_peaks_are_found_between_the_frames(time_s: float) -> None:
    activations = np.zeros((2, len(CLASSES), 60), dtype=np.float32)
    activations[0, 1] = np.maximum(1 - np.abs(np.arange(60) - 100 * time_s) / 2, 0)
    activations[1, 1] = 0.5
    (hit,) = pick_hits(activations, Picking())
    assert hit.onset_s == pytest.approx(time_s, abs=0.005)
    assert (hit.pitch, hit.velocity) == (38, 64)


def test_of_a_plateau_and_of_close_peaks_one_is_taken() -> None:
    activations = np.zeros((2, len(CLASSES), 60), dtype=np.float32)
    activations[0, 0, 10:13] = 0.8
    activations[0, 3, 30], activations[0, 3, 32] = 0.9, 0.7
    activations[0, 3, 45] = 0.4  # under the threshold
    assert [(hit.pitch, round(hit.onset_s, 1)) for hit in pick_hits(activations, Picking())] == [
        (36, 0.1),
        (42, 0.3),
    ]


def test_of_drums_that_sound_alike_the_likeliest_is_struck() -> None:
    activations = np.zeros((2, len(CLASSES), 60), dtype=np.float32)
    activations[0, 3, 10], activations[0, 4, 10] = 0.3, 0.4  # closed or open: a hat, surely enough
    activations[0, 0, 10] = 0.9
    activations[1, 4, 10] = 0.5
    hits = pick_hits(activations, Picking())
    assert [(hit.pitch, hit.velocity) for hit in hits] == [(36, 1), (46, 64)]
    assert hits[1].confidence == pytest.approx(1 - 0.7 * 0.6)
    assert {name for members in GROUPS.values() for name in members} == set(CLASSES)


def test_a_stroke_is_heard_in_the_stem_and_in_the_mix() -> None:
    stem, mix = (np.zeros((2, len(CLASSES), 60), dtype=np.float32) for _ in range(2))
    stem[0, 0, [10, 30]] = 0.9
    mix[0, 0, [10, 50]] = 0.7
    stem[1, 0, 10], mix[1, 0, 10] = 0.4, 0.6
    (hit,) = pick_hits(heard_in_both(stem, mix), Picking())
    assert (hit.onset_s, hit.velocity) == (pytest.approx(0.1), 64)


def test_strokes_without_company_are_other_sounds() -> None:
    beat = [NoteEvent(20.0 + 0.5 * i, 0.1, 36, 90, confidence=0.9) for i in range(8)]
    soft = NoteEvent(21.1, 0.1, 38, 30, confidence=0.3)
    unsure = [NoteEvent(40.0 + 0.5 * i, 0.1, 36, 90, confidence=0.6) for i in range(8)]
    few = [NoteEvent(60.0 + i, 0.1, 36, 90, confidence=0.9) for i in range(3)]
    hits = sorted([*beat, soft, *unsure, *few], key=lambda hit: hit.onset_s)
    assert set(in_company(hits, 0.7)) == {*beat, soft}
    assert in_company((), 0.7) == ()


def test_a_stroke_heard_otherwise_stays_unless_it_is_doubted_or_there_already() -> None:
    activations = np.zeros((2, len(CLASSES), 300), dtype=np.float32)
    activations[0, 1, [50, 150]] = 0.4
    known = [
        NoteEvent(at, 0.1, pitch, 90) for at, pitch in ((0.51, 38), (1.5, 38), (2.0, 38), (1.5, 36), (0.5, 64))
    ]
    there = [NoteEvent(1.48, 0.1, 40, 90)]
    assert undoubted(known, there, activations, Picking(doubt=0.3)) == (known[0],)
    assert undoubted(known, (), activations, Picking(doubt=0.5)) == ()


def test_chunks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = network()
    frames = np.random.default_rng(1).standard_normal((700, SMALL.n_bands)).astype(np.float32)
    whole = heard.hear(frames)
    monkeypatch.setattr(drums, "_CHUNK_FRAMES", 200)
    np.testing.assert_allclose(heard.hear(frames), whole, atol=1e-5)


def test_silence_and_next_to_nothing_have_no_drums() -> None:
    assert network().hits(np.zeros(SAMPLE_RATE, dtype=np.float32)) == ()
    assert network().hits(np.zeros(0, dtype=np.float32)) == ()
    assert isinstance(network().hits(np.full(10, 0.5, dtype=np.float32)), tuple)


def test_a_network_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = network(DrumsConfig(SMALL.n_bands, (4, 4, 4), 8, (1, 2), Picking((0.3,) * len(GROUPS), 0.05, 0.5)))
    save(tmp_path, made.config, made.module.state_dict())
    read = load(tmp_path)
    assert read.config == made.config
    frames = np.random.default_rng(1).standard_normal((100, SMALL.n_bands)).astype(np.float32)
    np.testing.assert_allclose(read.hear(frames), made.hear(frames), atol=5e-3)  # half precision


def test_what_is_wrong_with_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(tmp_path / "nothing")
    made = network()
    save(tmp_path, made.config, made.module.state_dict())
    (tmp_path / "config.json").write_text('{"depth": 3}')
    with pytest.raises(ModelError, match="depth"):
        load(tmp_path)
    with pytest.raises(ValueError, match="thresholds"):
        Picking((0.5,))


def no_drums(name: str) -> FloatArray:
    """Eight seconds without a drum in them."""
    rng = np.random.default_rng(0)
    at = np.arange(0.2, 7.5, 0.3)
    if name == "piano":
        return placed([(t, tone(48 + 5 * i % 24, 0.5, SAMPLE_RATE)) for i, t in enumerate(at)], 8.0, SAMPLE_RATE)
    if name == "strings":
        chords = [(t, tone(pitch, 2.2, SAMPLE_RATE)) for t in at[::6] for pitch in (43, 55, 59, 62)]
        return placed([(t, sound * np.linspace(0, 1, len(sound))) for t, sound in chords], 8.0, SAMPLE_RATE)
    if name == "voice":
        time_s = np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE
        phase = 2 * np.pi * 220 * time_s + 3 * np.sin(2 * np.pi * 5.5 * time_s)
        wave = sum(np.sin(k * phase) / k for k in range(1, 12))
        return (0.2 * wave * (np.sin(2 * np.pi * 0.7 * time_s) > -0.5)).astype(np.float32)
    hiss = (0.003 * rng.standard_normal(8 * SAMPLE_RATE)).astype(np.float32)
    pops = [(t, (0.3 * rng.standard_normal(30)).astype(np.float32)) for t in rng.uniform(0, 7.9, 120)]
    return hiss + placed(pops, 8.0, SAMPLE_RATE)


@pytest.mark.parametrize("name", ["piano", "strings", "voice", "crackle"])
def test_the_network_that_is_shipped_hears_no_drums_where_there_are_none(name: str) -> None:
    mix = no_drums(name)
    stem = separate(Audio(mix[np.newaxis], SAMPLE_RATE), SeparateSettings("spectral"))["drums"].samples[0]
    assert load(shipped("drums")).hits(np.ascontiguousarray(stem), mix) == ()


def test_the_network_that_is_shipped_hears_a_beat_behind_a_piano() -> None:
    rng = np.random.default_rng(0)
    beat = [(0.2 + 0.5 * i, kick(SAMPLE_RATE) if i % 2 == 0 else snare(SAMPLE_RATE, rng)) for i in range(15)]
    stem = placed(beat, 8.0, SAMPLE_RATE)
    hits = load(shipped("drums")).hits(stem, stem + no_drums("piano"))
    for pitch, first in ((36, 0), (38, 1)):
        played = [0.2 + 0.5 * i for i in range(first, 15, 2)]
        assert [hit.onset_s for hit in hits if hit.pitch == pitch] == pytest.approx(played, abs=0.02)
