"""Training audio: what is known of a take is what sounds in it, and nothing held out is ever played."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.errors import SoundfontError
from rearrange.mixtable import Compressor
from rearrange.models.drums import CLASSES
from rearrange.models.mel import SAMPLE_RATE
from rearrange.score import NoteEvent
from rearrange.training import audio, kits, players
from rearrange.training.audio import STEMS, Studio, Take, make_take
from rearrange.training.clips import drawn, name_of
from rearrange.training.codecs import CODECS
from rearrange.training.desk import Medium, drawn_treatment
from rearrange.training.drums import prepared
from rearrange.training.fonts import find_fonts, read_hits
from rearrange.training.kits import Kit, drum_on, font_kit, recorded_kit
from rearrange.training.scene_kinds import KINDS, make_scene
from rearrange.training.scenes import SCENE_S, Library, library
from rearrange.training.speed import AS_MADE, Speed
from rearrange.training.start import start
from tests.synth.sf2 import write_sf2
from tests.training.planted_songs import FREE

SHARED = Path(os.environ.get("REARRANGE_SHARED", Path(__file__).parents[3] / "shared"))


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_are_made_from_songs_that_are_not_held_out(kind: str, songs: Library) -> None:
    free = {song for each in FREE.values() for song in each}
    for index in range(3):
        scene = make_scene(songs, np.random.default_rng(index), kind=kind)
        assert {song.partition("/")[2] for song in scene.songs} <= free
        notes = [note for part in scene.parts for note in part.notes]
        assert notes
        assert all(0 <= note.onset_s < SCENE_S + 0.1 and 1 <= note.velocity <= 127 for note in notes)
        assert sum(part.is_drum for part in scene.parts) >= 1
        assert len(scene.beats_s) == len(scene.positions) > 4
        assert set(np.diff(scene.positions)) <= {1, 1 - scene.beats_per_bar}


def test_training_and_validation_share_no_song(unpacked_sets: Path) -> None:
    training, validation = (library(unpacked_sets, unpacked_sets, share) for share in ("training", "validation"))
    for name in ("pop909", "freedoom", "clips", "fills"):
        assert not set(getattr(training, name)) & set(getattr(validation, name))
    with pytest.raises(ValueError, match="test"):
        library(unpacked_sets, unpacked_sets, "test")


@pytest.fixture(scope="module")
def take(studio: Studio) -> Take:
    return make_take(studio, seed=3, index=1, kind="band")


def test_a_take_follows_from_seed_and_index(studio: Studio, take: Take) -> None:
    again = make_take(studio, seed=3, index=1, kind="band")
    np.testing.assert_array_equal(again.mix, take.mix)
    assert again.hits == take.hits
    other = make_take(studio, seed=3, index=2, kind="band")
    assert other.hits != take.hits


def test_stems_add_up_and_last_as_long_as_the_scene(take: Take) -> None:
    n_samples = round(SCENE_S * SAMPLE_RATE)
    assert set(take.stems) == set(STEMS)
    for sound in (*take.stems.values(), take.mix):
        assert sound.shape == (2, n_samples)
        assert np.isfinite(sound).all()
    np.testing.assert_allclose(take.dry, sum(take.stems.values()), atol=1e-6)
    assert np.abs(take.mix).max() > 0.01


def test_what_is_labelled_sounds(take: Take) -> None:
    """Each stem that has notes sounds, and drums rise where a stroke is written."""
    for stem in take.notes:
        assert np.abs(take.stems[stem]).max() > 1e-3
    level = np.abs(take.stems["drums"]).max(axis=0)
    alone = [hit for hit in take.hits if not _near(hit, take.hits)][:20]
    assert alone
    for hit in alone:
        at = round(hit.onset_s * SAMPLE_RATE)
        before, after = level[max(at - 1500, 0) : max(at - 250, 1)].max(), level[at : at + 700].max()
        assert after > before


def _near(hit: NoteEvent, hits: tuple[NoteEvent, ...]) -> bool:
    return any(other is not hit and -0.25 < hit.onset_s - other.onset_s < 0.25 for other in hits)


def _click(gain: float = 0.5, length: int = 4410) -> NDArray[np.float32]:
    tone = gain * np.exp(-np.arange(length) / 800) * np.cos(np.arange(length))
    lead = np.zeros(round(kits._PREROLL_S * SAMPLE_RATE))
    return np.tile(np.concatenate([lead, tone]).astype(np.float32), (2, 1))


def _kit(strokes: Mapping[int, int]) -> Kit:
    """A kit whose key k is a click that lasts so many samples."""
    made = {key: ((100, _click(length=length)),) for key, length in strokes.items()}
    return Kit("test", made, dict(CLASSES), {"high tom": "mid tom"}, 2.0)


def hit(onset_s: float, pitch: int, velocity: int = 100) -> NoteEvent:
    return NoteEvent(onset_s, 0.1, pitch, velocity)


def test_strokes_lie_where_they_are_written() -> None:
    kit = _kit({36: 4410})
    played = drum_on(kit, [hit(0.0, 36), hit(0.5, 36), hit(1.2345, 36)], np.random.default_rng(0), duration_s=2.0)
    level = np.abs(played.samples).max(axis=0)
    for each in played.hits:
        window = level[max(round((each.onset_s - 0.02) * SAMPLE_RATE), 0) :][:2000]
        first = max(round((each.onset_s - 0.02) * SAMPLE_RATE), 0) + int(np.argmax(window > 0.3 * window.max()))
        assert first / SAMPLE_RATE == pytest.approx(each.onset_s, abs=0.002)


def test_a_kit_plays_what_it_lacks_on_what_it_has_and_says_so() -> None:
    kit = _kit({36: 4410, 47: 4410, 70: 4410})
    played = drum_on(kit, [hit(0.1, 50), hit(0.5, 49), hit(0.8, 70)], np.random.default_rng(0), duration_s=1.0)
    assert [each.pitch for each in played.hits] == [CLASSES["mid tom"][0]]  # no crash; maracas are no class
    assert np.abs(played.samples[:, round(0.8 * SAMPLE_RATE) :]).max() > 0.01, "but maracas sound"


def test_a_closed_hat_damps_an_open_one() -> None:
    kit = _kit({42: 100, 46: 44100})
    ringing = drum_on(kit, [hit(0.1, 46)], np.random.default_rng(0), duration_s=1.0).samples
    damped = drum_on(kit, [hit(0.1, 46), hit(0.13, 42)], np.random.default_rng(0), duration_s=1.0).samples
    late = slice(round(0.17 * SAMPLE_RATE), None)
    assert np.abs(damped[:, late]).max() == 0.0 < np.abs(ringing[:, late]).max()


def test_kits_of_fonts_and_of_recordings(studio: Studio, tmp_path: Path) -> None:
    kit = font_kit(studio.fonts[0], 0)
    assert {36, 38, 42} <= set(kit.strokes)
    loudness = [np.abs(stroke).max() for _, stroke in kit.strokes[38]]
    assert loudness == sorted(loudness)
    with pytest.raises(SoundfontError, match="no such recording"):
        read_hits(tmp_path)


@pytest.mark.shared
def test_recorded_hits_of_the_data() -> None:
    folder = SHARED / "data" / "samples" / "drum_hits"
    if not folder.is_dir():
        pytest.skip("the shared recordings are not here")
    hits = read_hits(folder)
    kit = recorded_kit(hits, np.random.default_rng(0))
    assert {"kick", "snare", "closed hat", "crash"} <= set(kit.keys)
    assert all(np.isfinite(stroke).all() for each in kit.strokes.values() for _, stroke in each)


def test_fonts_that_are_unseen_are_never_trained_on(tmp_path: Path) -> None:
    for name in ("FluidR3_GM.sf2", "sf_GMbank.sf2"):
        write_sf2(tmp_path / name)
    train, unseen = (find_fonts(use, folders=[tmp_path]) for use in ("train", "unseen"))
    assert [font.name for font in train] == ["fluid-soundfont-gm"]
    assert [font.name for font in unseen] == ["csound-gm"]
    with pytest.raises(SoundfontError, match="fluid-soundfont-gm"):
        find_fonts("train", folders=[tmp_path / "nothing"])


def test_who_plays_is_who_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(players.fluidsynth, "library_version", _missing)
    players.player_name.cache_clear()
    assert players.player_name() == "tinysoundfont"
    players.player_name.cache_clear()


def _missing() -> str:
    raise players.DependencyError("FluidSynth cannot be loaded")


def test_treatments_and_media_move_no_onset() -> None:
    click = np.zeros((2, SAMPLE_RATE), dtype=np.float32)
    click[:, SAMPLE_RATE // 2 : SAMPLE_RATE // 2 + 300] = np.cos(np.arange(300))
    for seed in range(4):
        rng = np.random.default_rng(seed)
        sound = Medium(0.5, 40.0, ("mp3", 128), seed).of(drawn_treatment(rng, level_db=0.0).of(click))
        level = np.abs(sound).max(axis=0)
        first = int(np.argmax(level > 0.3 * level.max()))
        assert sound.shape == click.shape
        assert first == pytest.approx(SAMPLE_RATE // 2, abs=0.003 * SAMPLE_RATE)
    silent = np.zeros((2, 1000), dtype=np.float32)
    assert not drawn_treatment(np.random.default_rng(0), level_db=0.0).of(silent).any()


@pytest.mark.parametrize("codec", CODECS)
def test_codecs_lose_something_and_move_nothing(codec: str) -> None:
    rng = np.random.default_rng(1)
    sound = np.zeros((2, 2 * SAMPLE_RATE), dtype=np.float32)
    for onset in (9000, 30_000, 52_000, 71_000):
        sound[:, onset : onset + 3000] = 0.4 * np.exp(-np.arange(3000) / 600) * np.sin(0.07 * np.arange(3000))
    sound += 0.001 * rng.standard_normal(sound.shape).astype(np.float32)
    heard = Medium(codec=(codec, CODECS[codec][-1])).of(sound)
    assert heard.shape == sound.shape
    error = np.square(heard - sound).sum() / np.square(sound).sum()
    assert 1e-6 < error < 0.2


def test_media_narrow_clip_and_fold() -> None:
    rng = np.random.default_rng(2)
    sound = 0.1 * rng.standard_normal((2, SAMPLE_RATE)).astype(np.float32)
    narrow = Medium(top_hz=4000.0).of(sound)
    spectrum = np.abs(np.fft.rfft(narrow[0])) ** 2
    assert spectrum[5000:].sum() < 1e-3 * spectrum.sum()
    clipped = Medium(clipped_db=6.0).of(sound)
    assert np.abs(clipped).max() == pytest.approx(np.abs(sound).max() / 2, rel=0.01)
    mono = Medium(is_mono=True).of(sound)
    np.testing.assert_array_equal(mono[0], mono[1])
    clicks = np.abs(Medium(crackles_per_s=20.0).of(sound) - sound)
    assert 5 < len(np.flatnonzero(np.diff((clicks[0] > 1e-5).astype(int)) > 0)) < 40
    assert clicks.max() < np.abs(sound).max() / 2
    swell = sound * np.where(np.arange(SAMPLE_RATE) < SAMPLE_RATE // 2, 0.2, 2.0).astype(np.float32)
    squeezed = Medium(squeeze=Compressor(threshold_db=-36, ratio=6, attack_ms=5, release_ms=80)).of(swell)

    def range_of(samples: NDArray[np.float32]) -> float:
        return float(samples[:, -15_000:].std() / samples[:, 5000:20_000].std())

    assert range_of(squeezed) < 0.7 * range_of(swell)


@pytest.mark.parametrize("speed", [Speed(1.02, 0, is_tape=True), Speed(0.9, 2, is_tape=False)])
def test_what_is_known_moves_with_a_take_that_is_played_at_another_speed(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, speed: Speed
) -> None:
    as_made = make_take(studio, seed=3, index=1, kind="band")
    monkeypatch.setattr(audio, "drawn_speed", lambda rng: speed)
    moved = make_take(studio, seed=3, index=1, kind="band")
    n = len(moved.scene.beats_s)
    np.testing.assert_allclose(moved.scene.beats_s, as_made.scene.beats_s[:n] / speed.tempo, atol=1e-9)
    hits = [hit for hit in as_made.hits if hit.onset_s / speed.tempo < SCENE_S]
    assert [hit.pitch for hit in moved.hits] == [hit.pitch for hit in hits]
    for stem, notes in moved.notes.items():
        assert notes[0].pitch == as_made.notes[stem][0].pitch + speed.semitones
    assert moved.mix.shape == as_made.mix.shape
    np.testing.assert_allclose(moved.dry, sum(moved.stems.values()), atol=1e-6)


def test_a_click_is_heard_where_its_note_has_moved() -> None:
    click = np.zeros((2, 3 * SAMPLE_RATE), dtype=np.float32)
    click[:, SAMPLE_RATE : SAMPLE_RATE + 2000] = np.exp(-np.arange(2000) / 400) * np.sin(0.1 * np.arange(2000))
    for speed in (Speed(1.02, 0, is_tape=True), Speed(0.9, 2, is_tape=False), Speed(1.12, -1, is_tape=False)):
        level = np.abs(speed.of(click)).max(axis=0)
        (note,) = speed.of_notes([NoteEvent(1.0, 0.1, 60, 90)])
        assert int(np.argmax(level > 0.3 * level.max())) / SAMPLE_RATE == pytest.approx(note.onset_s, abs=0.004)
    assert AS_MADE.of(click) is click


def test_the_command_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", str(tmp_path), "--cache", str(tmp_path), "--takes", "1"]
    assert start(lambda: audio.main(arguments)) != 0
    assert ".tar.xz: no such archive" in capsys.readouterr().err


@pytest.mark.slow
def test_takes_are_made_once_and_by_several_processes_alike(studio: Studio, tmp_path: Path) -> None:
    alone = list(prepared(studio, tmp_path / "one", seed=5, count=2, n_bands=8))
    together = list(prepared(studio, tmp_path / "two", seed=5, count=2, n_bands=8, jobs=2))
    for one, two in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.mix, two.mix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rearrange.training.drums.make_take", None)  # nothing is made again
        assert len(list(prepared(studio, tmp_path / "two", seed=5, count=2, n_bands=8))) == 2


def test_a_take_of_a_song_that_is_held_out_later_is_made_anew(studio: Studio, tmp_path: Path) -> None:
    (first,) = prepared(studio, tmp_path, seed=5, count=1, n_bands=8)
    songs = studio.songs
    lost = str(first.songs[0])
    fewer = Library(
        *(tuple(song for song in each if name_of(song) != lost) for each in (songs.pop909, songs.freedoom)),
        *(tuple(clip for clip in each if clip.name != lost) for each in (songs.clips, songs.fills)),
    )
    (second,) = prepared(replace(studio, songs=fewer), tmp_path, seed=5, count=1, n_bands=8)
    assert lost not in second.songs


def test_a_song_that_leaves_does_not_change_what_others_are_drawn_for() -> None:
    names = [f"song {i}" for i in range(30)]
    picks = [drawn(names, str, np.random.default_rng(seed)) for seed in range(60)]
    fewer = [drawn(names[:-1], str, np.random.default_rng(seed)) for seed in range(60)]
    assert len(set(picks)) > 15
    assert all(one == two for one, two in zip(picks, fewer, strict=True) if one != names[-1])
