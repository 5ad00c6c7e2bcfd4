"""The command line as a user meets it: what is printed, what is written, and the exit code."""

import importlib
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rearrange.cli import rearrange as group
from rearrange.commands.console import Interrupt
from rearrange.genre import genre_names
from tests import quick_stages
from tests.command_line import Cli, cli, quick, song

__all__ = ["cli", "quick", "song"]  # fixtures

PACKAGE_PATH = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


# --- help


def commands(prefix: Sequence[str] = (), command=group):  # type: ignore[no-untyped-def]
    yield list(prefix), command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands([*prefix, name], child)


@pytest.mark.parametrize(
    ("path", "command"), list(commands()), ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_every_command_has_help_with_an_example(cli: Cli, path: list[str], command: object) -> None:
    done = cli(*path, "--help")
    assert done.code == 0
    assert "Example" in done.out
    assert f"rearrange {' '.join(path)}".strip() in done.out
    assert "GENRE" not in done.out


def test_the_commands_are_those_of_this_release() -> None:
    assert set(group.commands) == {
        *(
            "convert",
            "separate",
            "transcribe",
            "analyse",
            "arrange",
            "render",
            "mix",
            "preview",
            "export",
            "genres",
        ),
        *("soundfonts", "models", "batch", "evaluate", "train", "doctor"),
    }


# --- convert


def test_convert_writes_the_song_the_folder_and_says_where(cli: Cli, quick, song: Path) -> None:
    done = cli("convert", song, "--genre", "jazz")
    assert done.code == 0
    assert Path("Größe 1.jazz.wav").is_file()
    assert Path("Größe 1.rearrange/arrangements/jazz/arrangement.mid").is_file()
    assert "Größe 1.jazz.wav" in done.out
    assert "arrangement.mid" in done.out
    assert "\r" not in done.err  # no bar where there is no terminal
    assert [line for line in done.err.splitlines() if line.endswith("...")] == [
        *(f"{stage} ..." for stage in ("separate", "transcribe", "analyse", "arrange", "render", "mix")),
        *("write ...", "report ..."),
    ]
    again = cli("convert", song, "--genre", "jazz")
    assert again.err.count("up to date") == 7


@pytest.mark.parametrize("format", ["flac", "mp3", "ogg", "opus", "m4a"])
def test_convert_writes_every_format(cli: Cli, quick, song: Path, format: str) -> None:
    assert cli("convert", song, "-g", "jazz", "--format", format).code == 0
    assert Path(f"Größe 1.jazz.{format}").stat().st_size > 100
    assert cli("convert", song, "-g", "jazz", "-o", f"sub/other.{format}").code == 0
    assert Path(f"sub/other.{format}").is_file()
    assert Path("sub/Größe 1.rearrange").is_dir()


def test_convert_takes_depth_rate_and_loudness(cli: Cli, quick, song: Path) -> None:
    done = cli(
        "convert", song, "-g", "jazz", "--bit-depth", "24", "--sample-rate", "48000", "-o", "x.wav", "-w", "dir"
    )
    assert done.code == 0
    info = soundfile.info("x.wav")
    assert (info.samplerate, info.subtype) == (48000, "PCM_24")
    assert Path("dir/source.json").is_file()


def test_convert_as_json(cli: Cli, quick, song: Path) -> None:
    result = cli("convert", song, "-g", "jazz", "--json").json
    assert Path(result["output"]).is_file()
    assert Path(result["arrangement"]).is_file()
    assert Path(result["score"]).is_file()
    assert set(result["stages"]) == {"separate", "transcribe", "analyse", "arrange", "render", "mix", "report"}
    assert all(stage["seconds"] >= 0 for stage in result["stages"].values())
    assert result["peak_memory_bytes"] > 1 << 20
    assert result["real_time_factor"] > 0
    assert result["tempo_bpm"] == 120.0
    assert 0 <= result["chroma_similarity"] <= 1


def test_until_and_from(cli: Cli, quick, song: Path) -> None:
    result = cli("convert", song, "--until", "analyse", "--json").json  # needs no genre
    assert "output" not in result
    assert list(result["stages"]) == ["separate", "transcribe", "analyse"]
    assert not Path("Größe 1.wav.wav").exists()
    cli("convert", song, "-g", "jazz")
    stages = cli("convert", song, "-g", "jazz", "--from", "render", "--json").json["stages"]
    assert [name for name, stage in stages.items() if stage["because"] != "up to date"] == [
        "render",
        "mix",
        "report",
    ]


def test_several_arrangements_by_name(cli: Cli, quick, song: Path) -> None:
    cli("convert", song, "-g", "jazz")
    assert cli("convert", song, "-g", "jazz", "--name", "late", "--seed", "2").code == 0
    assert Path("Größe 1.late.wav").is_file()
    folder = "Größe 1.rearrange"
    several = cli("render", "-w", folder)
    assert several.code == 2
    assert "jazz, late" in several.line
    assert cli("render", "-w", folder, "--name", "late").code == 0


def test_a_song_may_have_a_name_that_is_no_utf_8(cli: Cli, quick, song: Path) -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    try:
        Path(name).write_bytes(song.read_bytes())
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    assert cli("convert", name, "-g", "jazz").code == 0
    assert cli("convert", name, "-g", "jazz", "--json").code == 0


# --- one stage alone


def test_stages_one_by_one(cli: Cli, quick, song: Path) -> None:
    assert cli("separate", song, "-w", "s").code == 0
    for stage in ("transcribe", "analyse"):
        assert cli(stage, "-w", "s").code == 0
    assert cli("arrange", "-w", "s", "--genre", "rock", "--seed", "3").code == 0
    for stage in ("render", "mix"):
        done = cli(stage, "-w", "s", "--json")
        assert done.code == 0
        assert Path(done.json["files"][0]).is_file()
    assert "up to date" in cli("mix", "-w", "s").out
    assert "up to date" in cli("arrange", "-w", "s").out  # genre and seed stay as they were
    assert "seed 4" in cli("arrange", "-w", "s", "--seed", "4").out


def test_a_stage_without_what_it_needs_says_what_to_run(cli: Cli, quick, song: Path) -> None:
    assert "no such folder" in cli("render", "-w", "none").line
    cli("separate", song, "-w", "s")
    for stage, command in (("analyse", "transcribe"), ("render", "arrange"), ("mix", "arrange")):
        done = cli(stage, "-w", "s")
        assert done.code == 1
        assert f"rearrange {command}" in done.line


# --- export


def test_export_midi_and_stems(cli: Cli, quick, song: Path) -> None:
    cli("convert", song, "-g", "jazz")
    done = cli("export", "-w", "Größe 1.rearrange", "--to", "midi", "-o", "daw", "--json")
    assert [Path(name).name for name in done.json["files"]] == ["Größe 1.score.mid", "Größe 1.jazz.mid"]
    done = cli("export", "-w", "Größe 1.rearrange", "--to", "stems", "-o", "daw")
    assert done.code == 0
    files = sorted(path.relative_to("daw/Größe 1.stems").as_posix() for path in Path("daw").rglob("*.wav"))
    assert files == ["jazz/Piano.wav", "jazz/bass.wav", "song/bass.wav", "song/vocals.wav"]
    assert soundfile.info("daw/Größe 1.stems/song/bass.wav").subtype == "PCM_24"
    assert cli("export", "-w", "Größe 1.rearrange", "--to", "musicxml").code == 2


# --- batch


def test_batch_goes_on_past_a_failure_and_lists_it(cli: Cli, quick, song: Path) -> None:
    folder = Path("album")
    folder.mkdir()
    for name in ("a.wav", "c.flac", "c.wav"):
        soundfile.write(folder / name, np.zeros((8000, 1)), 8000)
    (folder / "b.mid").write_bytes(b"no midi")
    (folder / "cover.png").touch()

    def analyse(song, settings, progress):  # type: ignore[no-untyped-def]
        from rearrange.midi import read_midi

        if song.is_midi:
            read_midi(song.path)
        if song.path.name == "a.wav":
            raise ZeroDivisionError("a mistake of ours")
        return quick_stages.FUNCTIONS["analyse"](song, settings, progress)

    quick(analyse=analyse)
    done = cli("batch", folder, "-g", "jazz", "-o", "out", "--format", "flac")
    assert done.code == 1
    assert sorted(path.name for path in Path("out").glob("*.flac")) == [
        "c.flac.jazz.flac",
        "c.wav.jazz.flac",
    ]
    assert "2 of 4 songs failed:\n  album/a.wav: ZeroDivisionError: a mistake of ours\n  album/b.mid: " in done.err
    assert not Path("out/b.rearrange").exists()
    done = cli("batch", folder, "-g", "jazz", "-o", "out", "--json")
    assert done.code == 1
    assert [item["code"] for item in done.json["failed"]] == ["internal", "midi-format"]
    assert len(done.json["songs"]) == 2


def test_batch_does_not_take_its_own_results_for_songs(cli: Cli, quick, song: Path) -> None:
    for _ in range(2):
        assert cli("batch", ".", "-g", "jazz").code == 0
    assert sorted(path.name for path in Path().glob("*.wav")) == ["Größe 1.jazz.wav", "Größe 1.wav"]


def test_batch_of_nothing(cli: Cli, song: Path) -> None:
    Path("empty").mkdir()
    assert "no song in this folder" in cli("batch", "empty", "-g", "jazz").line
    assert cli("batch", song, "-g", "jazz").code == 2
    assert "no genre 'polka'" in cli("batch", ".", "-g", "polka").line


# --- what there is


def test_genres(cli: Cli) -> None:
    listed = cli("genres")
    assert [line.split()[0] for line in listed.out.splitlines()] == list(genre_names())
    assert cli("genres", "list").out == listed.out
    shown = cli("genres", "show", "jazz", "--json").json
    assert shown["name"] == "jazz"
    assert len(shown["styles"]) >= 3
    assert "bpm" in cli("genres", "show", "jazz").out
    unknown = cli("genres", "show", "polka")
    assert (unknown.code, "known: ambient" in unknown.line) == (1, True)


def test_soundfonts(cli: Cli) -> None:
    assert "tiny" in cli("soundfonts").out
    font = next(font for font in cli("soundfonts", "list", "--json").json["soundfonts"] if font["name"] == "tiny")
    assert font["format"] == "SF2"
    assert Path(cli("soundfonts", "show", "tiny", "--json").json["path"]).is_file()
    assert "no soundfont 'none'" in cli("soundfonts", "show", "none").line


def test_models(cli: Cli) -> None:
    assert "spectral" in cli("models").out
    models = {model["name"]: model for model in cli("models", "list", "--json").json["models"]}
    assert models["spectral"]["installed"]
    assert not models["htdemucs"]["installed"]
    assert "research" in cli("models", "show", "htdemucs").out
    assert cli("models", "verify").code == 0
    missing = cli("models", "verify", "htdemucs")
    assert missing.code == 1
    assert "rearrange models fetch htdemucs" in missing.out


def test_models_fetch_without_a_connection(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REARRANGE_MODELS_URL", "http://127.0.0.1:9")  # nobody listens there
    done = cli("models", "fetch", "htdemucs")
    assert done.code == 1
    assert done.line.startswith("rearrange: [fetch]")
    assert "research" in done.err  # the licence is shown before anything is fetched


def test_doctor(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = {item["what"]: item for item in cli("doctor", "--json").json["findings"]}
    assert findings["python"]["state"] == "ok"
    assert findings["model htdemucs"]["cure"] == "rearrange models fetch htdemucs"
    monkeypatch.setattr("rearrange.doctor._LIBRARIES", (("no-such-library", "no_such_library", "nothing"),))
    done = cli("doctor")
    assert done.code == 1
    assert "pip install no-such-library" in done.out
    assert "missing: no-such-library" in done.err


# --- terminals, pipes and Ctrl-C


def test_a_bar_on_a_terminal(tmp_path: Path) -> None:
    code = (
        "from rearrange.commands.console import Console\n"
        "with Console().listening() as console:\n"
        "    for i in range(11): console(i / 10, 'mix: at work')\n"
    )
    parent, child = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], stderr=child, env=PACKAGE_PATH) as process:
        process.wait()
    os.close(child)
    shown = os.read(parent, 100_000).decode()
    os.close(parent)
    assert "100% mix: at work" in shown
    assert "\r" in shown
    assert shown.endswith("\r")  # wiped at the end


def test_a_reader_that_goes_away_is_no_error(cli: Cli) -> None:
    process = subprocess.run(
        f"{sys.executable} -m rearrange genres | head -1",
        shell=True,
        env=PACKAGE_PATH,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stderr == ""


@pytest.mark.parametrize("stage", ["separate", "transcribe", "analyse", "arrange", "render", "mix"])
def test_ctrl_c_in_every_stage_and_a_second_run_that_completes(cli: Cli, quick, song: Path, stage: str) -> None:
    def interrupted(song, settings, progress):  # type: ignore[no-untyped-def]
        quick_stages.FUNCTIONS[stage](song, settings, progress)
        raise KeyboardInterrupt

    quick(**{stage: interrupted})
    done = cli("convert", song, "-g", "jazz")
    assert done.code == 130
    assert "stopped" in done.line
    assert not Path("Größe 1.jazz.wav").exists()
    quick()
    done = cli("convert", song, "-g", "jazz", "--json")
    assert done.code == 0
    made = [name for name, item in done.json["stages"].items() if item["because"] != "up to date"]
    assert made[0] == stage
    assert not list(Path().rglob(".*part*"))


def test_ctrl_c_lets_an_import_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken off, some libraries abort, and a process that has caught it still ends as if it had not."""
    (tmp_path / "slow_to_import.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGINT)\nexec('whole = True')\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with Interrupt.watched():
        module = importlib.import_module("slow_to_import")
        assert module.whole
        assert Interrupt.seen, "the next progress report stops"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with Interrupt.watched(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_by_signal(tmp_path: Path) -> None:
    """A real SIGINT to a real process, in the midst of its work."""
    soundfile.write(tmp_path / "song.wav", np.random.default_rng(0).normal(0, 0.1, (44100 * 60, 2)), 44100)
    command = [sys.executable, "-m", "rearrange", "separate", "song.wav", "-w", "s"]
    with subprocess.Popen(command, cwd=tmp_path, env=PACKAGE_PATH, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "separate ...\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        error = process.stderr.read()
    assert process.returncode == 130
    assert re.search(r"\[cancelled\] stopped", error)
    assert "Traceback" not in error
    assert not list((tmp_path).rglob("*.flac"))
