"""Recordings: excerpts, stems that add up, annotation by name, and complaints that say which file."""

import os
from pathlib import Path

import numpy as np
import pytest

from rearrange.audio import Audio, write_audio
from rearrange.errors import AudioFormatError, ConfigError, UsageError
from rearrange.evaluation import recordings as module
from rearrange.evaluation.recordings import SAMPLE_RATE, Recording, recording, recordings
from rearrange.score import Key

SHARED = Path(os.environ.get("REARRANGE_SHARED", Path(__file__).parents[3] / "shared"))

HEAD = """kind = "test set"
title = "Made up"
source = "here"
licence = "CC0"
built = "by hand"
quick = ["short"]
"""
SHORT = """
[[recording]]
name = "short"
title = "A short one"
licence = "CC0"
use = "evaluate only"
mix = "short/mix.wav"
beats = "short/beats.txt"
drum_hits = "short/hits.txt"
"""
LONG = """
[[recording]]
name = "long"
title = "A long one"
licence = "CC0"
use = "train, evaluate"
start_s = 2
stems = { drums = "long/drums.wav", other = "long/other.wav" }
tempo_bpm = 90
metre = "3/4"
key = "Eb minor"
"""


def declare(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "recordings.toml").write_text(HEAD + text, encoding="utf-8")
    monkeypatch.setattr(module, "SETS", folder)


def ramp(path: Path, duration_s: float, *, step: float, sample_rate: int = SAMPLE_RATE) -> None:
    """A sound that says what time it is: `step` of full scale more every second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time_s = np.arange(round(duration_s * sample_rate)) // sample_rate
    write_audio(path, Audio((step * (time_s + 1)).astype(np.float32)[None, :], sample_rate), bit_depth="32f")


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    declare(monkeypatch, tmp_path, SHORT + LONG)
    ramp(tmp_path / "short" / "mix.wav", 3.0, step=0.1)
    (tmp_path / "short" / "beats.txt").write_text("0.5\t1\n1.0\t2\n1.5\t1\n")
    (tmp_path / "short" / "hits.txt").write_text("1.0 \t SDG \n0.5 \t KD \n0.75 \t TMB \n1.5 \t CRC\n")
    ramp(tmp_path / "long" / "drums.wav", 6.0, step=0.1)
    ramp(tmp_path / "long" / "other.wav", 5.5, step=0.05)
    return tmp_path


def test_annotation_is_read_by_name(music: Path) -> None:
    short = recording(music, "short")
    assert short.beats_s is not None
    assert short.downbeats_s is not None
    assert short.drum_hits is not None
    np.testing.assert_array_equal(short.beats_s, [0.5, 1.0, 1.5])
    np.testing.assert_array_equal(short.downbeats_s, [0.5, 1.5])
    played = {name: times.tolist() for name, times in short.drum_hits.items() if len(times)}
    assert played == {"kick": [0.5], "snare": [1.0], "crash": [1.5]}
    assert short.stems() is None
    long = recording(music, "long")
    assert (long.beats_s, long.downbeats_s, long.drum_hits) == (None, None, None)
    assert (long.tempo_bpm, long.metre, long.key) == (90, "3/4", Key(3, "minor"))


def test_an_excerpt_begins_where_it_is_declared(music: Path) -> None:
    long = recording(music, "long")
    part = long.mix(duration_s=1.5)
    assert part.duration_s == 1.5
    ratio = part.samples[0, -1] / part.samples[0, 0]
    assert ratio == pytest.approx(4 / 3, abs=0.01), "the third second, then the fourth"
    assert recording(music, "short").mix(duration_s=10.0).duration_s == pytest.approx(3.0)


def test_stems_add_up_to_the_mix_at_any_length(music: Path) -> None:
    long = recording(music, "long")
    for duration_s in (None, 2.0):
        stems, mix = long.stems(duration_s=duration_s), long.mix(duration_s=duration_s)
        assert stems is not None
        assert list(stems) == ["drums", "other"]
        total = sum(stem.samples for stem in stems.values())
        np.testing.assert_allclose(total, mix.samples, atol=1e-6)
        assert float(np.abs(mix.samples).max()) <= 0.98 + 1e-6
    assert long.mix().duration_s == pytest.approx(6.0)


def test_what_is_missing_is_left_out_and_asking_for_it_is_an_error(music: Path) -> None:
    (music / "long" / "other.wav").unlink()
    assert [each.name for each in recordings(music)] == ["short"]
    assert [each.name for each in recordings(music, share="quick")] == ["short"]
    with pytest.raises(UsageError, match="no recording long"):
        recording(music, "long")
    with pytest.raises(UsageError, match="none of the test recordings"):
        recordings(music / "elsewhere")


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("beats", "one two\n", "beats.txt: not a table"),
        ("beats", "1.0\n2.0\n", "beats.txt: not a table of rising times"),
        ("beats", "1.0 1\n0.5 2\n", "beats.txt: not a table of rising times"),
        ("hits", "0.5 KD\n1.0 GONG\n", "hits.txt, line 2: not a drum hit"),
        ("hits", "KD\n", "hits.txt, line 1: not a drum hit"),
    ],
)
def test_a_damaged_annotation_is_named(music: Path, name: str, text: str, complaint: str) -> None:
    (music / "short" / f"{name}.txt").write_text(text)
    short = recording(music, "short")
    with pytest.raises(AudioFormatError, match=complaint):
        _ = short.beats_s if name == "beats" else short.drum_hits


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (SHORT + "start_s = 3\n", "heard from its beginning"),
        (SHORT.replace('mix = "short/mix.wav"', ""), "mix or stems"),
        (LONG.replace("Eb minor", "H minor"), "is no key"),
        (LONG.replace("use =", "uses ="), "use"),
    ],
)
def test_a_wrong_declaration_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, complaint: str
) -> None:
    declare(monkeypatch, tmp_path, text)
    with pytest.raises(ConfigError, match=complaint):
        recordings(tmp_path)


@pytest.mark.shared
def test_the_real_ones() -> None:
    folder = SHARED / "data" / "audio"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    found: dict[str, Recording] = {each.name: each for each in recordings(folder)}
    assert [name for name, each in found.items() if not each.is_music] == ["speech"]
    for each in found.values():
        if each.beats_s is not None and each.drum_hits is not None:
            assert len(each.drum_hits["kick"]) > 5
            assert each.mix().duration_s > float(each.beats_s[-1])
    assert "bass" not in found["hydrogen"].stem_files
    few = [each.name for each in recordings(folder, share="quick")]
    assert few == ["Rock", "solo_trumpet", "choice_drum_bass"]
