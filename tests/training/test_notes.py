"""Training of the note network: that crops tell the truth, a step is a step, and a stopped run goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rearrange.models.basic_pitch import SAMPLE_RATE
from rearrange.models.note_features import CHANNELS, FRAME_S, SOURCES
from rearrange.models.notes import LINES, NotesConfig, NotesNetwork, build
from rearrange.score import NoteEvent, Part, Role
from rearrange.training import note_takes
from rearrange.training.note_takes import (
    NoteTake,
    drawn_crop,
    leading_notes,
    leaking,
    read_take,
    targets_of,
    write_take,
)
from rearrange.training.notes import Recipe, scores_of, train, tuned
from rearrange.training.scenes import Library, Scene
from tests.tones import tone
from tests.training.resuming import assert_a_stopped_run_ends_where_it_would_have

CONFIG = NotesConfig(width=4, dilations=(1, 2))
RECIPE = Recipe(steps=4, batch=2, crop_frames=40, seed=1)


def note_take(seed: int, *, n_frames: int = 120) -> NoteTake:
    """A bass, a tune and a chord, each heard in its own stem and in the mix just as they are played."""
    rng = np.random.default_rng(seed)
    rows = []
    features = {name: np.zeros((n_frames, 88, CHANNELS), np.uint8) for name in SOURCES}
    for line, (name, pitch) in enumerate(zip(LINES, (72, 40, 60), strict=True)):
        for first in range(int(rng.integers(4, 10)), n_frames - 12, 24):
            at = pitch + int(rng.integers(5)) - 21
            rows.append((line, (first + 0.5) * FRAME_S, (first + 10.5) * FRAME_S, at + 21))
            for source in (name, "mix"):
                features[source][first, at, :2] = 230
                features[source][first : first + 10, at, 2:] = 200
    return NoteTake(features, np.array(rows, dtype=np.float64), "band", (f"song {seed}",))


def test_takes_are_read_as_they_were_written(tmp_path: Path) -> None:
    take = note_take(0)
    write_take(tmp_path / "take.npz", take)
    read = read_take(tmp_path / "take.npz")
    assert (read.kind, read.songs) == (take.kind, take.songs)
    np.testing.assert_array_equal(read.notes, take.notes)
    for name in SOURCES:
        np.testing.assert_array_equal(read.features[name], take.features[name])


def test_targets_say_where_notes_start_and_how_long_they_sound() -> None:
    notes = np.array([(1, (10 + 0.5) * FRAME_S, 20 * FRAME_S, 60), (0, 12 * FRAME_S, 13 * FRAME_S, 20)])
    onset, sustain = targets_of(notes, 2, 30)
    bass = LINES.index("bass")
    assert onset.shape == sustain.shape == (len(LINES), 28, 88)
    assert onset[bass, 8, 39] == 1.0
    assert 0.0 < onset[bass, 7, 39] < 0.5
    assert onset[bass, 9, 39] == pytest.approx(onset[bass, 7, 39])
    assert sustain[bass, :, 39].nonzero()[0].tolist() == list(range(8, 18))
    assert not onset[0].any(), "below the keyboard"


def test_a_crop_is_drawn_from_the_generator() -> None:
    take = note_take(0)
    ours, again = (drawn_crop(take, np.random.default_rng(5), n_frames=50) for _ in range(2))
    assert ours.seen.shape == (len(SOURCES) * CHANNELS, 50, 88)
    np.testing.assert_array_equal(ours.seen, again.seen)
    assert ours.onset.max() > 0.9


def test_stems_that_leak_still_sound_most_like_themselves() -> None:
    rng = np.random.default_rng(0)
    stems = {name: tone(pitch, 1.0, SAMPLE_RATE) for name, pitch in (("bass", 40), ("vocals", 64), ("drums", 90))}
    leaked = leaking(stems, rng)
    for name, samples in leaked.items():
        likeness = [np.corrcoef(samples, stem)[0, 1] for stem in stems.values()]
        assert list(stems)[int(np.argmax(likeness))] == name
        assert not np.allclose(samples, stems[name])


def test_a_scene_with_a_melody_needs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    tune = Part("tune", (NoteEvent(0.0, 1.0, 72, 80),), role=Role.MELODY, program=73)
    scene = Scene("band", ("pop909/1",), (tune,), np.arange(2.0), np.arange(2), 4)

    def unread(_file: object) -> None:
        raise AssertionError("no file is read")

    monkeypatch.setattr(note_takes, "load_song", unread)
    assert leading_notes(scene, Library((), (), (), ())) == frozenset()
    assert leading_notes(replace(scene, parts=()), Library((), (), (), ())) == frozenset()


def test_a_stopped_run_ends_where_it_would_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = [note_take(seed) for seed in range(3)]
    assert_a_stopped_run_ends_where_it_would_have(
        lambda folder: train(takes, CONFIG, RECIPE, folder=folder), tmp_path, monkeypatch, after=2
    )


def test_it_learns_what_can_be_heard(tmp_path: Path) -> None:
    takes = [note_take(seed) for seed in range(4)]
    recipe = replace(RECIPE, steps=50, crop_frames=60, rate=1e-2, decay=0.8, warm_up=5)
    network = tuned(train(takes, replace(CONFIG, width=6, dilations=(1,)), recipe, folder=tmp_path), takes)
    untrained = NotesNetwork(CONFIG, build(CONFIG).eval())
    assert np.mean(list(scores_of(network, [note_take(9)]).values())) > 0.3
    assert np.mean(list(scores_of(untrained, [note_take(9)]).values())) < 0.15


def test_there_must_be_takes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no takes"):
        train([], CONFIG, RECIPE, folder=tmp_path)
