"""Render: a file's worth of sound per track, in time, whole or not at all."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.audio import Audio
from rearrange.errors import CancelledError, OutputError, SoundfontError
from rearrange.score import Arrangement, Key, Note, Role, Timeline, Track
from rearrange.stages.render import RenderSettings, arrangement_duration_s, render
from tests.synth.sf2 import write_sf2

RATE = 44100


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> RenderSettings:
    return RenderSettings(str(write_sf2(tmp_path_factory.mktemp("font") / "tiny.sf2")))


class Shelf:
    """Keeps what is rendered, by track; a track that fails leaves nothing."""

    def __init__(self) -> None:
        self.tracks: dict[str, NDArray[np.float32]] = {}
        self.abandoned: list[str] = []
        self._blocks: list[NDArray[np.float32]] = []

    @contextmanager
    def open(self, name: str) -> Iterator["Writer"]:
        writer = Writer()
        try:
            yield writer
        except BaseException:
            self.abandoned.append(name)
            raise
        self.tracks[name] = np.concatenate(writer.blocks, axis=1)


class Writer:
    def __init__(self) -> None:
        self.blocks: list[NDArray[np.float32]] = []

    def write(self, samples: NDArray[np.float32]) -> None:
        self.blocks.append(samples.copy())


def band(n_beats: int = 8) -> Arrangement:
    piano = tuple(Note(beat, 0.9, pitch, 80) for beat in range(n_beats) for pitch in (60, 64, 67))
    drums = tuple(Note(beat / 2, 0.1, 38, 100) for beat in range(2 * n_beats))
    lead = tuple(Note(beat + 0.5, 0.25, 76, 90) for beat in range(n_beats))
    tracks = (
        Track("Piano", Role.CHORDS, 0, False, piano),
        Track("Drums", Role.DRUMS, 0, True, drums),
        Track("Lead", Role.MELODY, 0, False, lead),
        Track("Tacet", Role.PAD, 0, False, ()),
    )
    timeline = Timeline.constant(120, end_beat=n_beats)
    return Arrangement(timeline, "any", "any", Key(0, "major"), (), (), tracks, seed=1)


def test_every_track_has_its_sound_and_all_are_equally_long(settings: RenderSettings) -> None:
    shelf, arrangement = Shelf(), band()
    summary = render(arrangement, settings, shelf.open)
    assert [track.name for track in summary.tracks] == ["Piano", "Drums", "Lead", "Tacet"]
    n = round(arrangement_duration_s(arrangement) * RATE)
    assert {track.shape for track in shelf.tracks.values()} == {(2, n)}
    assert n == round((4.0 + 3.0) * RATE)
    for track in summary.tracks:
        assert track.peak == pytest.approx(np.abs(shelf.tracks[track.name]).max())
        assert np.isfinite(track.lufs) == (track.name != "Tacet")


def test_onsets_lie_within_two_ms(settings: RenderSettings) -> None:
    shelf, arrangement = Shelf(), band()
    render(arrangement, settings, shelf.open)
    level = np.abs(shelf.tracks["Lead"]).max(axis=0)
    for beat in range(8):
        wanted = round((beat + 0.5) * 0.5 * RATE)
        window = level[wanted - 800 : wanted + 800]
        found = wanted - 800 + int(np.argmax(window > 0.1 * window.max()))
        assert abs(found - wanted) / RATE < 0.002


def test_threads_do_not_change_a_sample(settings: RenderSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for cores in (1, 4):
        monkeypatch.setattr("rearrange.stages.render._cores", lambda cores=cores: cores)
        shelf = Shelf()
        render(band(), settings, shelf.open)
        results.append(shelf.tracks)
    for name, sound in results[0].items():
        np.testing.assert_array_equal(sound, results[1][name])


def test_only_what_is_asked_for_is_rendered(settings: RenderSettings) -> None:
    shelf = Shelf()
    summary = render(band(), settings, shelf.open, only=("Lead",))
    assert list(shelf.tracks) == ["Lead"] == [track.name for track in summary.tracks]
    assert render(band(), RenderSettings("no such font"), shelf.open, only=()).tracks == ()


def test_notes_after_the_last_bar_lengthen_every_track(settings: RenderSettings) -> None:
    arrangement = band()
    late = Track("Late", Role.COUNTER, 0, False, (Note(20.0, 2.0, 60, 80),))
    arrangement = replace(arrangement, tracks=(*arrangement.tracks, late))
    shelf = Shelf()
    render(arrangement, settings, shelf.open)
    assert {track.shape[1] for track in shelf.tracks.values()} == {round((11.0 + 3.0) * RATE)}


def test_progress_rises_to_one(settings: RenderSettings) -> None:
    seen: list[float] = []
    render(band(), settings, Shelf().open, progress=lambda fraction, _: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0, abs=1e-3)


def test_too_loud_a_track_is_turned_down_smoothly_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    font = write_sf2(tmp_path / "loud.sf2", waveform="square")
    chord = tuple(Note(2.0, 2.0, pitch, 127) for pitch in range(50, 66))
    arrangement = replace(band(), tracks=(Track("Wall", Role.PAD, 0, False, (Note(0, 0.2, 60, 100), *chord)),))
    shelf = Shelf()
    summary = render(arrangement, RenderSettings(str(font)), shelf.open)
    assert np.abs(shelf.tracks["Wall"]).max() <= 0.9801
    assert summary.tracks[0].turned_down_db > 3
    assert "'Wall' was too loud" in caplog.text


def test_a_full_disk_stops_all_tracks_and_comes_out_as_it_is(settings: RenderSettings) -> None:
    shelf = Shelf()

    @contextmanager
    def full_disk(name: str) -> Iterator[Writer]:
        with shelf.open(name) as writer:
            if name == "Piano":
                raise OutputError("no space left")
            yield writer

    with pytest.raises(OutputError, match="no space left"):
        render(band(4000), settings, full_disk)
    assert "Piano" not in shelf.tracks
    assert threading.active_count() < 3


def test_cancelling_leaves_no_half_track(settings: RenderSettings) -> None:
    shelf = Shelf()

    def stop(fraction: float, message: str) -> None:
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        render(band(4000), settings, shelf.open, progress=stop)
    assert not shelf.tracks


def test_a_broken_font_is_told_before_any_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "broken.sf2"
    path.write_text("not a font")
    shelf = Shelf()
    with pytest.raises(SoundfontError, match=r"broken\.sf2"):
        render(band(), RenderSettings(str(path)), shelf.open)
    assert not shelf.tracks
    assert not shelf.abandoned


def test_kept_stem_becomes_a_track_in_the_new_time(settings: RenderSettings) -> None:
    song = Timeline.constant(100, end_beat=8)
    voice = np.zeros((1, 6 * RATE), np.float32)
    for beat in range(8):
        at = round(float(song.seconds(beat)) * RATE)
        n = np.arange(1000)
        voice[0, at : at + 1000] = 0.5 * np.sin(n / 5) * np.exp(-n / 200)
    arrangement = replace(band(), kept_stems=("vocals",))
    shelf = Shelf()
    summary = render(arrangement, settings, shelf.open, stems={"vocals": Audio(voice, RATE)}, song=song)
    assert summary.tracks[-1].name == "vocals"
    sound = shelf.tracks["vocals"]
    assert sound.shape == shelf.tracks["Piano"].shape
    for beat in range(1, 8):
        wanted = round(float(arrangement.timeline.seconds(beat)) * RATE)
        assert np.abs(sound[0, wanted : wanted + 300]).max() > 0.2
        assert np.abs(sound[0, wanted - 3000 : wanted - 1000]).max() < 0.05


def test_kept_stem_that_is_not_given_is_a_mistake(settings: RenderSettings) -> None:
    arrangement = replace(band(), kept_stems=("vocals",))
    with pytest.raises(ValueError, match="vocals"):
        render(arrangement, settings, Shelf().open)
