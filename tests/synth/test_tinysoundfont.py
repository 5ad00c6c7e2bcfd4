"""TinySoundFont: the same notes at the same times and pitches as FluidSynth plays."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.errors import DependencyError, SoundfontError
from rearrange.score import Note, Role, Timeline, Track
from rearrange.synth import tinysoundfont
from tests.synth.sf2 import write_sf2

RATE = 44100
SECONDS = Timeline.constant(60.0, end_beat=4.0)


@pytest.fixture(scope="module")
def font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tinysoundfont")
    return write_sf2(tmp_path_factory.mktemp("font") / "tiny.sf2")


def play(font: Path, *notes: Note, drum: bool = False, program: int = 0) -> NDArray[np.float32]:
    track = Track("test", Role.DRUMS if drum else Role.MELODY, program, drum, notes)
    blocks = tinysoundfont.render_track(track, SECONDS, soundfont=font, sample_rate=RATE, duration_s=4.0)
    return np.concatenate(list(blocks), axis=1)


@pytest.mark.parametrize("drum", [False, True])
def test_onsets_lie_within_two_ms_of_their_time(font: Path, drum: bool) -> None:
    times_s = (0.5, 1.25, 2.011, 3.3)
    sound = play(font, *(Note(time_s, 0.3, 69, 100) for time_s in times_s), drum=drum)
    level = np.abs(sound).max(axis=0)
    for time_s in times_s:
        start = round((time_s - 0.05) * RATE)
        window = level[start : start + round(0.1 * RATE)]
        heard_s = (start + int(np.argmax(window > 0.1 * window.max()))) / RATE
        assert heard_s == pytest.approx(time_s, abs=0.002)


def test_a_note_has_its_pitch_and_ends(font: Path) -> None:
    sound = play(font, Note(0.0, 1.0, 81, 100))
    hertz = np.fft.rfftfreq(RATE // 2, 1 / RATE)
    spectrum = np.abs(np.fft.rfft(sound[0, RATE // 4 : RATE // 4 + RATE // 2]))
    assert hertz[spectrum.argmax()] == pytest.approx(880.0, rel=0.01)
    assert np.abs(sound[:, 2 * RATE :]).max() < 1e-3


def test_a_track_does_not_depend_on_what_was_played_before(font: Path) -> None:
    first = play(font, Note(0.2, 0.5, 60, 90))
    play(font, Note(3.9, 3.0, 72, 120))
    np.testing.assert_allclose(play(font, Note(0.2, 0.5, 60, 90)), first, atol=1e-4)


def test_velocity_is_heard(font: Path) -> None:
    loud, soft = (np.abs(play(font, Note(0.0, 1.0, 69, velocity))).max() for velocity in (120, 40))
    assert loud > 2 * soft


def test_what_is_missing_is_named(font: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(b"RIFFnothing")
    with pytest.raises(SoundfontError, match=r"broken\.sf2"):
        play(broken, Note(0.0, 1.0, 60, 90))
    monkeypatch.setitem(sys.modules, "tinysoundfont", None)
    tinysoundfont._loaded.cache_clear()
    with pytest.raises(DependencyError, match="TinySoundFont is missing"):
        play(font, Note(0.0, 1.0, 60, 90))
