"""Fixtures for tests of the command line: run a command in an empty folder, with stages that are quick."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

import rearrange.pipeline.stages
from rearrange.cli import main
from tests import quick_stages
from tests.synth.sf2 import write_sf2

__all__ = ["Cli", "Outcome", "cli", "quick", "song"]


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out)

    @property
    def line(self) -> str:
        """The one line of a failure, after any progress."""
        assert "Traceback" not in self.err
        return self.err.strip().splitlines()[-1]


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in an empty folder, with one tiny soundfont on the machine."""
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    write_sf2(fonts / "tiny.sf2")
    monkeypatch.setenv("REARRANGE_SOUNDFONTS", str(fonts))
    monkeypatch.setenv("REARRANGE_CACHE", str(tmp_path / "cache"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def run(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(int(caught.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace the stages' functions by quick ones, or by what is given."""

    def replace(**functions: Callable) -> None:
        records = tuple(quick_stages.stages(real_settings=True, **functions))
        monkeypatch.setattr(rearrange.pipeline.stages, "STAGES", records)

    replace()
    return replace


@pytest.fixture
def song(cli: Cli) -> Path:
    path = Path("Größe 1.wav")
    soundfile.write(path, np.zeros((8000, 2)), 8000)
    return path
