"""FluidSynth: notes sound when, at the pitch and for as long as they are written."""

import builtins
import ctypes.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.errors import DependencyError, SoundfontError
from rearrange.score import Note, Role, Timeline, Track
from rearrange.synth import fluidsynth
from rearrange.synth.events import sounding_end_s
from rearrange.synth.fluidsynth import OUTPUT_BLOCK, Synthesizer, render_track
from tests.synth.sf2 import write_sf2

RATE = 44100
A4 = 69


@pytest.fixture(scope="module")
def font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sf2(tmp_path_factory.mktemp("font") / "tiny.sf2")


def track(*notes: Note, drum: bool = False, program: int = 0) -> Track:
    return Track("test", Role.DRUMS if drum else Role.MELODY, program, drum, notes)


def play(
    font: Path, played: Track, timeline: Timeline, duration_s: float, rate: int = RATE
) -> NDArray[np.float32]:
    blocks = render_track(played, timeline, soundfont=font, sample_rate=rate, duration_s=duration_s)
    return np.concatenate(list(blocks), axis=1)


def onsets_s(sound: NDArray[np.float32], near_s: NDArray[np.float64], rate: int = RATE) -> NDArray[np.float64]:
    """Where the sound first passes a tenth of its local peak, from 20 ms before each time."""
    level = np.abs(sound).max(axis=0)
    found = []
    for time_s in near_s:
        start = max(round((time_s - 0.02) * rate), 0)
        window = level[start : start + round(0.06 * rate)]
        found.append((start + np.argmax(window > 0.1 * window.max())) / rate)
    return np.array(found)


@pytest.mark.parametrize("drum", [False, True])
@pytest.mark.parametrize("rate", [44100, 48000])
def test_onsets_lie_within_two_ms_of_the_timeline(font: Path, drum: bool, rate: int) -> None:
    knots_s = (0.25, 4.1, 9.0)  # a tempo change, and a beat 0 that is not at 0 s
    timeline = Timeline((0.0, 8.0, 20.0), knots_s, end_beat=20.0)
    rng = np.random.default_rng(3)
    beats = np.sort(np.arange(20) + rng.uniform(-0.1, 0.1, 20))
    notes = [Note(float(beat), 0.3, 38 if drum else A4, 100) for beat in beats]
    sound = play(font, track(*notes, drum=drum), timeline, 10.0, rate)
    wanted_s = timeline.seconds(beats)
    error_ms = 1000 * (onsets_s(sound, wanted_s, rate) - wanted_s)
    assert np.abs(error_ms).max() < 2.0
    assert abs(error_ms.mean()) < 0.5


def test_length_is_exact_and_blocks_are_bounded(font: Path) -> None:
    timeline = Timeline.constant(120, end_beat=4)
    blocks = list(render_track(track(Note(0, 1, A4, 90)), timeline, soundfont=font, duration_s=2.3456))
    assert sum(block.shape[1] for block in blocks) == round(2.3456 * RATE)
    assert all(block.shape[0] == 2 and block.shape[1] <= OUTPUT_BLOCK for block in blocks)
    assert all(block.dtype == np.float32 for block in blocks)


def test_note_lasts_as_long_as_written_and_sounds_at_its_pitch(font: Path) -> None:
    timeline = Timeline.constant(60, end_beat=4)
    sound = play(font, track(Note(1.0, 0.5, A4 + 12, 127)), timeline, 3.0)[0]
    assert np.abs(sound[: int(0.99 * RATE)]).max() == 0
    assert np.abs(sound[int(1.55 * RATE) :]).max() == 0
    steady = sound[int(1.05 * RATE) : int(1.45 * RATE)]
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady)), 1 << 18))
    frequency_hz = spectrum.argmax() * RATE / (1 << 18)
    assert 1200 * abs(np.log2(frequency_hz / 880)) < 3  # cents


def test_repeated_note_starts_anew_and_is_not_cut_by_the_one_before(font: Path) -> None:
    timeline = Timeline.constant(60, end_beat=4)
    # The first note is written to last into the second, and to end inside it.
    overlapping = play(font, track(Note(0, 1.5, A4, 127), Note(1, 1.0, A4, 127)), timeline, 3.0)
    level = np.abs(overlapping[0])
    assert level[int(1.6 * RATE) : int(1.9 * RATE)].max() > 0.05
    assert level[int(2.1 * RATE) :].max() == 0


def test_two_notes_of_one_pitch_at_once_are_one_as_loud_as_the_louder(font: Path) -> None:
    timeline = Timeline.constant(60, end_beat=2)
    both = play(font, track(Note(0, 1, A4, 40), Note(0, 0.5, A4, 100)), timeline, 1.5)
    one = play(font, track(Note(0, 1, A4, 100)), timeline, 1.5)
    np.testing.assert_array_equal(both, one)


def test_velocity_is_loudness(font: Path) -> None:
    timeline = Timeline.constant(60, end_beat=2)
    peaks = [np.abs(play(font, track(Note(0, 1, A4, v)), timeline, 1.0)).max() for v in (30, 60, 90, 127)]
    assert peaks == sorted(peaks)
    assert peaks[-1] > 4 * peaks[0]


def test_same_track_gives_the_same_samples(font: Path) -> None:
    timeline = Timeline.constant(100, end_beat=8)
    chords = [Note(beat, 0.9, pitch, 80) for beat in range(8) for pitch in (60, 64, 67, 71)]
    first, second = (play(font, track(*chords), timeline, 5.0) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_what_sounds_at_the_end_fades_out(font: Path) -> None:
    timeline = Timeline.constant(60, end_beat=4)
    sound = np.abs(play(font, track(Note(0, 10, A4, 127)), timeline, 2.0)[0])
    assert sound[-5:].max() < 1e-3 * sound.max()
    assert sound[int(1.2 * RATE) : int(1.4 * RATE)].max() > 0.9 * sound.max()


def test_notes_before_zero_start_at_zero_and_odd_notes_are_left_out(font: Path) -> None:
    timeline = Timeline.constant(60, end_beat=4)
    early = play(font, track(Note(-1.0, 1.5, A4, 100)), timeline, 1.0)[0]
    assert np.abs(early[: RATE // 100]).max() > 0
    assert np.abs(early[int(0.6 * RATE) :]).max() == 0
    nothing = track(Note(-2, 1, A4, 100), Note(0, 1, 200, 100), Note(0, 1, A4, 0))
    assert np.abs(play(font, nothing, timeline, 0.5)).max() == 0
    zero_length = play(font, track(Note(0.5, 0.0, A4, 100)), timeline, 1.0)
    assert np.abs(zero_length).max() > 0


def test_short_drum_notes_ring(font: Path) -> None:
    timeline = Timeline.constant(60, end_beat=2)
    short = play(font, track(Note(0, 0.001, 38, 100), drum=True), timeline, 1.0)
    long = play(font, track(Note(0, 0.9, 38, 100), drum=True), timeline, 1.0)
    np.testing.assert_array_equal(short, long)


def test_sf3_sounds_like_sf2(font: Path, tmp_path: Path) -> None:
    packed = write_sf2(tmp_path / "tiny.sf3", vorbis=True)
    timeline = Timeline.constant(60, end_beat=2)
    burst = track(Note(0.2, 0.5, 38, 110), drum=True)
    plain, unpacked = (play(path, burst, timeline, 0.6)[0] for path in (font, packed))
    assert np.corrcoef(plain, unpacked)[0, 1] > 0.99


def test_missing_program_is_replaced_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_sf2(tmp_path / "few.sf2", presets=((0, 4), (0, 20), (128, 8)))
    with Synthesizer(path) as synthesizer:
        assert synthesizer.preset_for(track(program=4)) == (0, 4)
        assert synthesizer.preset_for(track(program=6)) == (0, 4)  # of the same family
        assert synthesizer.preset_for(track(program=23)) == (0, 20)
        assert synthesizer.preset_for(track(program=60)) == (0, 4)
        assert synthesizer.preset_for(track(program=25, drum=True)) == (128, 8)
    assert "has no program 6" in caplog.text
    assert "has no drum kit 25" in caplog.text


def test_empty_track_is_silence(font: Path) -> None:
    timeline = Timeline.constant(60, end_beat=2)
    assert not play(font, track(), timeline, 1.0).any()
    assert sounding_end_s(track(), timeline) == 0.0
    assert sounding_end_s(track(Note(1, 2, A4, 90), Note(2, 0.5, A4, 90)), timeline) == 3.0


def test_font_that_does_not_load_is_named(tmp_path: Path) -> None:
    path = write_sf2(tmp_path / "hollow.sf2")
    content = path.read_bytes().replace(b"shdr", b"xxxx")
    path.write_bytes(content)
    with pytest.raises(SoundfontError, match=r"hollow\.sf2"), Synthesizer(path):
        pass


def test_sample_rate_out_of_range_is_a_mistake(font: Path) -> None:
    with pytest.raises(ValueError, match="96 kHz"):
        Synthesizer(font, 192000)


@pytest.fixture
def forgotten_library() -> Iterator[None]:
    """As in a fresh process: the binding is not imported yet."""
    module = sys.modules.pop("fluidsynth", None)
    fluidsynth._load.cache_clear()
    yield
    fluidsynth._load.cache_clear()
    sys.modules.pop("fluidsynth", None)
    if module is not None:
        sys.modules["fluidsynth"] = module


@pytest.mark.usefixtures("forgotten_library")
def test_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch, font: Path) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    monkeypatch.delenv("HOMEBREW_PREFIX", raising=False)
    with pytest.raises(DependencyError) as caught:
        Synthesizer(font)
    assert "libfluidsynth3" in caught.value.hint
    assert "brew install fluid-synth" in caught.value.hint


@pytest.mark.usefixtures("forgotten_library")
def test_missing_binding_says_what_to_install(monkeypatch: pytest.MonkeyPatch, font: Path) -> None:
    real_import = builtins.__import__

    def no_fluidsynth(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "fluidsynth":
            raise ModuleNotFoundError(name="fluidsynth")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_fluidsynth)
    with pytest.raises(DependencyError) as caught:
        Synthesizer(font)
    assert "pyfluidsynth" in caught.value.hint


@pytest.mark.usefixtures("forgotten_library")
def test_loading_the_library_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, font: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "1")
    Synthesizer(font).close()
    assert capfd.readouterr() == ("", "")
