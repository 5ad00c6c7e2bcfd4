import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import rearrange
from rearrange.evaluation.report.facts import RecipeGroup
from rearrange.evaluation.report.recipe import recipe
from rearrange.genre import load_genre
from rearrange.pipeline.choices import settings_for
from rearrange.pipeline.engine import run
from rearrange.pipeline.song import Song, open_song
from rearrange.stages.arrange import VERSION
from tests.quick_stages import stages

SECRET = "private folder"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[tuple[Song, Path]]:
    """A song converted by quick stages that leave the real records."""
    folder = tmp_path / SECRET
    folder.mkdir()
    path = folder / "Größe eins.wav"
    soundfile.write(path, np.zeros((800, 2)), 8000)
    with open_song(folder / "w", path) as song:
        convert(song)
        yield song, path


def convert(song: Song, **given: dict[str, Any]) -> None:
    song.genre = load_genre("jazz")
    song.arrangement = song.workspace.arrangement("jazz")
    records = stages(real_settings=True)
    run(song, records, settings_for(song, records, given, keep=False))


def lines(groups: tuple[RecipeGroup, ...]) -> dict[str, str]:
    return {f"{group.name}/{line.label}": line.value for group in groups for line in group.lines}


def test_the_command_names_what_is_not_the_default(made: tuple[Song, Path]) -> None:
    song, _ = made
    assert lines(recipe(song))["The same again/command"] == shlex.join(
        ["rearrange", "convert", "Größe eins.wav", "--genre", "jazz", "--seed", "0"]
    )
    convert(
        song,
        arrange={"seed": 7, "strength": 0.8, "lock": ("bass",), "vocals": "play"},
        mix={"loudness_lufs": -16.0},
    )
    command = lines(recipe(song))["The same again/command"]
    assert command.endswith("--seed 7 --strength 0.8 --vocals play --lock bass --loudness -16")


def test_the_command_is_one_that_the_command_line_takes(made: tuple[Song, Path]) -> None:
    import click

    from rearrange.commands.convert import COMMANDS

    song, _ = made
    convert(song, arrange={"seed": 3, "tempo": "keep", "energy": 0.5, "style": "medium swing", "rhythm": 0.2})
    words = shlex.split(lines(recipe(song))["The same again/command"])
    (command,) = [each for each in COMMANDS if each.name == words[1]]
    context = command.make_context("convert", words[2:])
    assert isinstance(context, click.Context)
    assert (context.params["seed"], context.params["energy"], context.params["style"]) == (3, 0.5, "medium swing")


def test_a_tempo_that_was_told_takes_two_commands(made: tuple[Song, Path]) -> None:
    song, _ = made
    convert(song, analyse={"tempo_bpm": 90.0, "metre": "3/4"})
    found = lines(recipe(song))
    assert found["The same again/first"].endswith(
        "rearrange analyse -w 'Größe eins.rearrange' --tempo 90 --metre 3/4"
    )
    assert found["The same again/command"].endswith("-w 'Größe eins.rearrange'")


def test_settings_versions_hashes_and_licences_are_there(made: tuple[Song, Path]) -> None:
    song, _ = made
    found = lines(recipe(song))
    assert "strength 0.5" in found["Settings/arrange"]
    assert found["Versions/rearrange"] == rearrange.__version__
    assert f"arrange {VERSION}" in found["Versions/stages"]
    assert "numpy" in found["Versions/libraries"]
    sha = song.source.fingerprint.sha256
    assert found["Files/song: Größe eins.wav"] == f"{sha[:12]} ({sha})"
    assert found["Licences/separator separator-small"].startswith("Apache-2.0")
    assert found["Licences/transcriber Basic Pitch"] == "Apache-2.0"


def test_nothing_of_the_users_machine_is_said(made: tuple[Song, Path], tmp_path: Path) -> None:
    song, _ = made
    own = tmp_path / SECRET / "mine.toml"
    text = load_genre("jazz").path.read_text(encoding="utf-8")
    own.write_text(text.replace('name = "jazz"', 'name = "mine"', 1), encoding="utf-8")
    song.genre = load_genre(own)
    records = stages(real_settings=True)
    run(song, records, settings_for(song, records, {}, keep=False))
    groups = recipe(song)
    assert SECRET not in repr(groups)
    assert str(tmp_path) not in repr(groups)
    found = lines(groups)
    assert "--genre mine.toml" in found["The same again/command"]
    assert found["Licences/genre mine.toml"] == "your own file"


def test_what_was_edited_by_hand_is_told(made: tuple[Song, Path]) -> None:
    song, _ = made
    midi = song.to_arrange.midi_path
    midi.write_bytes(midi.read_bytes() + b"\0")
    assert "arrangement.mid" in lines(recipe(song))["The same again/edited by hand"]


def test_stages_that_were_not_run_are_not_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((800, 2)), 8000)
    with open_song(tmp_path / "w", path) as song:
        song.arrangement = song.workspace.arrangement("jazz")
        found = lines(recipe(song))
    assert not any(label.startswith("Settings") for label in found)
    assert found["The same again/command"] == "rearrange convert a.wav"
