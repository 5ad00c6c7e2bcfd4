"""`rearrange train`: from a tiny library to a model that loads, and one line for what is missing."""

import shutil
from importlib import import_module
from pathlib import Path

import pytest

from rearrange.models.drums import load
from rearrange.synth import soundfonts
from rearrange.training import drums
from rearrange.training.scenes import Library, library
from tests.command_line import Cli, cli
from tests.synth.sf2 import write_sf2
from tests.training.planted_songs import FREE, write_song

__all__ = ["cli"]  # fixture


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Songs of ours under ids that are not held out, as `--sets` finds them; no archive beside them."""
    for name in ("gmd", "pop909", "freedoom"):
        for song in FREE[name]:
            write_song(name, tmp_path / "sets" / name, song)
    (tmp_path / "data").mkdir()
    return tmp_path


def test_without_a_model_it_lists_what_can_be_trained(cli: Cli) -> None:
    names = [line.split()[0] for line in cli("train").out.splitlines()]
    assert "drums" in names
    for name in names:
        assert callable(import_module(f"rearrange.training.{name}").main)


def test_what_is_missing_is_one_line(cli: Cli, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "drums" in cli("train", "trombones").line
    assert "--data" in cli("train", "drums").line
    done = cli("train", "drums", "--data", data / "data", "--sets", data / "nowhere")
    assert (done.code, "gmd.tar.xz: no such archive" in done.line) == (2, True)
    monkeypatch.setattr(soundfonts, "soundfont_folders", list)
    done = cli("train", "drums", "--data", data / "data", "--sets", data / "sets")
    assert (done.code, "fluid-soundfont-gm" in done.line) == (1, True)
    assert cli("train", "drums", "--data", data, "--", "--batch", "many").code == 2


def test_two_steps_make_a_model_that_loads(cli: Cli, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fonts = data / "few fonts"
    fonts.mkdir()
    for name in ("FluidR3_GM.sf2", "sf_GMbank.sf2"):
        shutil.copy(write_sf2(data / "tiny.sf2"), fonts / name)
    monkeypatch.setattr(soundfonts, "soundfont_folders", lambda: [fonts])
    shares = [library(data / "data", data / "sets", share) for share in ("training", "validation")]
    names = ("pop909", "freedoom", "clips", "fills")
    every = Library(*(sum((getattr(share, name) for share in shares), ()) for name in names))
    monkeypatch.setattr(drums, "library", lambda *_: every)  # too few songs for two shares
    given = ("--data", data / "data", "--sets", data / "sets", "--out", data / "out", "--bank", data / "takes")
    few = ("--takes", 1, "--held-out", 1, "--steps", 2, "--seed", 3)
    done = cli("train", "drums", *given, *few, "--", "--batch", 1)
    assert done.code == 0, done.err
    assert "without recorded hits" in done.out
    assert done.out.splitlines()[-1] == f"written to {data / 'out' / 'model'}"
    assert load(data / "out" / "model").config.n_bands == 80
    assert len(list((data / "takes").iterdir())) == 3
