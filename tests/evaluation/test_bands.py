"""Bands: the truth lies on the sound, stems add up, and the same specification gives the same samples."""

import tomllib
from collections import Counter
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from rearrange.errors import ConfigError, UsageError
from rearrange.evaluation import bands as module
from rearrange.evaluation.band_songs import inner_bars
from rearrange.evaluation.bands import SAMPLE_RATE, STEMS, Band, BandSpec, band_specs, render_band, rounds
from rearrange.evaluation.conditions import Condition
from rearrange.evaluation.measure import NotMeasurable
from rearrange.midi import write_score
from rearrange.score import Key, Timeline
from rearrange.synth.soundfonts import FOLDERS_VARIABLE
from tests.songs import band_song
from tests.synth.sf2 import write_sf2

DECLARED = """kind = "test set"
title = "Made up"
source = "here"
licence = "CC0"
built = "by hand"
excerpt_s = 9.0
quick_s = 5.0
quick_bands = 2
fonts = ["fluid-soundfont-gm", "csound-gm", "fluidr3mono"]
unseen_fonts = ["csound-gm"]
mix_lufs = -16.0
drums_lufs = -20.0
bass_lufs = -22.0
other_lufs = -22.0
vocals_lufs = -20.0

[[part]]
corpus = "freedoom"
kind = "banded"
songs = ["d_e1m2"]

[[part]]
corpus = "pop909"
kind = "arranged"
songs = ["043"]

[[condition]]
name = "dry"

[[condition]]
name = "coded"
mp3_kbps = 64

[[condition]]
name = "noisy"
noise_snr_db = 20
"""


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny font under the name of a real one, and two songs under the ids of test songs."""
    (tmp_path / "fonts").mkdir()
    write_sf2(tmp_path / "fonts" / "FluidR3_GM.sf2")
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path / "fonts"))
    (tmp_path / "bands.toml").write_text(DECLARED)
    monkeypatch.setattr(module, "SETS", tmp_path)
    for path in (tmp_path / "freedoom" / "d_e1m2.mid", tmp_path / "pop909" / "043" / "043.mid"):
        path.parent.mkdir(parents=True)
        write_score(path, band_song(n_bars=24, tempo_bpm=120.0))
    (tmp_path / "pop909" / "043" / "key_audio.txt").write_text("0.0 9.0 A:min\n")
    return tmp_path


def specs(music: Path, *, quick: bool = False) -> tuple[BandSpec, ...]:
    return band_specs(music, music, quick=quick)


def attacks_s(samples: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Where the level first passes a tenth of what it reaches, from 20 ms before each time."""
    level, found = np.abs(samples).max(axis=0), []
    for time_s in times_s:
        start = max(round((time_s - 0.02) * SAMPLE_RATE), 0)
        window = level[start : start + round(0.06 * SAMPLE_RATE)]
        found.append((start + int(np.argmax(window > 0.1 * window.max()))) / SAMPLE_RATE)
    return np.array(found)


def hits_s(band: Band, pitch: int) -> np.ndarray:
    drums = band.performance.part("drums")
    assert drums is not None
    return np.array([note.onset_s for note in drums.notes if note.pitch == pitch])


def test_specifications_go_round(music: Path) -> None:
    found = specs(music)
    assert len(found) == 6
    for song in ("d_e1m2", "043"):
        mine = [spec for spec in found if spec.song.id == song]
        assert {spec.font for spec in mine} == {"fluid-soundfont-gm", "csound-gm", "fluidr3mono"}
        assert len({spec.condition.name for spec in mine}) == 3
        assert {bool(spec.genre) for spec in mine} == {song == "043"}
        assert len({spec.genre for spec in mine}) == 1
    assert len({spec.name for spec in found}) == 6
    assert [spec.excerpt_s for spec in specs(music, quick=True)] == [5.0, 5.0]


def test_the_real_set_meets_every_font_and_condition() -> None:
    from rearrange.declared import read_table
    from rearrange.evaluation.conditions import read_conditions
    from rearrange.evaluation.corpora import SETS, corpus
    from rearrange.synth.soundfonts import known_soundfonts

    table = read_table(SETS / "bands.toml", ConfigError)
    fonts = table.list("fonts", str, "fonts")
    assert len(fonts) >= 3
    assert set(fonts) <= {font.name for font in known_soundfonts()}
    never = set(table.list("unseen_fonts", str, "fonts"))
    assert never
    assert never <= set(fonts)
    declared = tomllib.loads((files("rearrange.training") / "fonts.toml").read_text(encoding="utf-8"))
    assert never == {font["name"] for font in declared["font"] if font["use"] == "unseen"}
    conditions = read_conditions(table)
    assert conditions[0] == Condition(conditions[0].name), "the first is dry"
    parts = list(table.tables("part"))
    songs = [part.list("songs", str, "ids") for part in parts]
    for part, ids in zip(parts, songs, strict=True):
        assert set(ids) <= corpus(part.string("corpus")).test
    made = list(rounds(sum(map(len, songs)), len(parts), len(fonts), len(conditions)))
    assert len(set(made)) == len(made) == 48
    by_corpus = Counter((song % len(parts), condition) for song, _, condition in made)
    assert set(by_corpus.values()) == {3}
    by_font = Counter((font, condition) for _, font, condition in made)
    assert len(by_font) == 32
    assert set(by_font.values()) <= {1, 2}


def test_truth_lies_on_the_sound(music: Path) -> None:
    band = render_band(next(spec for spec in specs(music) if spec.song.id == "d_e1m2"))
    assert band.mix.duration_s == pytest.approx(9.0, abs=1.1)
    kicks = hits_s(band, 36)
    assert np.abs(attacks_s(band.stems["drums"].samples, kicks) - kicks).max() < 0.002
    pitched = {part.name: part.notes[0].onset_s for part in band.performance.parts if not part.is_drum}
    assert set(pitched) == {"bass", "other", "vocals"}
    for name, onset_s in pitched.items():
        first = attacks_s(band.stems[name].samples, np.array([onset_s]))
        assert abs(float(first[0]) - onset_s) < 0.002
    # The bass drum is on every downbeat, and beats are half a second apart.
    np.testing.assert_allclose(band.downbeats_s, kicks, atol=1e-6)
    np.testing.assert_allclose(np.diff(band.beats_s), 0.5, atol=1e-6)
    assert {chord.root for chord in band.chords} == {0, 9, 5, 7}
    assert band.sections is None
    assert band.known["chords"] == "heard in the true notes"


def test_stems_are_dry_and_add_up_and_have_their_loudness(music: Path) -> None:
    spec = replace(specs(music)[0], condition=Condition("dry"))
    dry = render_band(spec)
    assert tuple(dry.stems) == STEMS
    total = sum(stem.samples for stem in dry.stems.values())
    np.testing.assert_allclose(dry.mix.samples, total, atol=1e-6)
    coded = render_band(replace(spec, condition=Condition("coded", mp3_kbps=64)))
    np.testing.assert_array_equal(coded.stems["drums"].samples, dry.stems["drums"].samples)
    lag = np.correlate(coded.mix.samples[0, :44100], dry.mix.samples[0, 100:44000], mode="valid")
    assert abs(int(np.argmax(lag)) - 100) < 0.002 * SAMPLE_RATE


def test_the_same_specification_gives_the_same_samples(music: Path) -> None:
    spec = next(spec for spec in specs(music, quick=True) if spec.song.id == "043")
    spec = replace(spec, font="fluid-soundfont-gm", condition=Condition("noisy", noise_snr_db=20.0))
    one, other = render_band(spec), render_band(spec)
    np.testing.assert_array_equal(one.mix.samples, other.mix.samples)
    assert one.performance == other.performance
    assert one.key == Key(9, "minor")
    assert one.known == {"chords": "as arranged", "key": "annotated", "sections": "as arranged"}
    assert one.sections is not None
    assert one.sections[0].onset_beat == 0.0


def test_a_missing_font_says_its_package(music: Path) -> None:
    with pytest.raises(NotMeasurable, match=r"not-installed-font is not installed"):
        render_band(replace(specs(music)[0], font="not-installed-font"))


def test_mistakes_are_named(music: Path) -> None:
    (music / "bands.toml").write_text(DECLARED.replace("d_e1m2", "d_dm01"))
    with pytest.raises(ConfigError, match="d_dm01 is no test song of freedoom"):
        specs(music)
    (music / "bands.toml").write_text(DECLARED)
    with pytest.raises(UsageError, match="no such archive"):
        band_specs(music, music / "elsewhere")


def test_an_excerpt_is_whole_bars_from_inside() -> None:
    timeline = Timeline.constant(120.0, end_beat=80.0)  # twenty bars of two seconds
    bars = inner_bars(timeline, 10.0)
    assert [bar.index for bar in bars] == [5, 6, 7, 8, 9]
    assert [bar.index for bar in inner_bars(timeline, 100.0)] == list(range(20))
    assert [bar.index for bar in inner_bars(timeline, 35.0)] == list(range(3, 20))
    assert len(inner_bars(timeline, 0.5)) == 1, "a bar at least"
    assert inner_bars(timeline, 10.0, tune_beat=48.0)[0].index == 10, "two bars before the melody"
    assert inner_bars(timeline, 10.0, tune_beat=79.0)[-1].index == 19
    with pytest.raises(NotMeasurable, match="shorter than a bar"):
        inner_bars(Timeline.constant(120.0, end_beat=0.0), 10.0)
