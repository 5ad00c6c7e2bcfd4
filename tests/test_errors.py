"""Bad input and bad places: one clear line with a code, the right exit code, and nothing of the user's lost."""

import errno
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import rearrange.errors
from rearrange.errors import AudioFormatError, RearrangeError
from tests.command_line import Cli, cli, quick, song

__all__ = ["cli", "quick", "song"]  # fixtures


# --- the tree


def test_every_error_has_a_code_of_its_own_and_is_exported() -> None:
    classes = [
        c for _, c in inspect.getmembers(rearrange.errors, inspect.isclass) if issubclass(c, RearrangeError)
    ]
    assert {c.__name__ for c in classes} == set(rearrange.errors.__all__)
    assert len({c.code for c in classes}) == len(classes)
    assert all(c.exit_code != 0 for c in classes)


def test_an_error_is_one_line_with_code_and_hint() -> None:
    assert (
        str(AudioFormatError("x.wav: is empty", "try another")) == "[audio-format] x.wav: is empty (try another)"
    )
    assert str(AudioFormatError("x.wav: is empty")) == "[audio-format] x.wav: is empty"


@pytest.mark.parametrize(
    ("raised", "line", "code"),
    [
        (AudioFormatError("bad\nfile", "fix it"), "rearrange: [audio-format] bad file (fix it)", 1),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/y"),
            "rearrange: [system] /x/y: No space left on device",
            1,
        ),
        (MemoryError(), "rearrange: [memory] there is not enough memory", 1),
        (KeyboardInterrupt(), "rearrange: [cancelled] stopped", 130),
        (ZeroDivisionError("division by zero"), "rearrange: [internal] ZeroDivisionError: division by zero", 1),
        (rearrange.errors.UsageError("no", "yes"), "rearrange: [usage] no (yes)", 2),
    ],
)
def test_whatever_is_raised_ends_in_one_line(
    cli: Cli, quick, song: Path, raised: BaseException, line: str, code: int
) -> None:
    def failed(*_: object) -> None:
        raise raised

    quick(analyse=failed)
    done = cli("convert", song, "-g", "jazz")
    assert done.code == code
    assert done.line.startswith(line)
    done = cli("convert", song, "-g", "jazz", "--json")
    assert line.startswith(f"rearrange: [{done.json['error']['code']}]")


@pytest.mark.parametrize(
    "arguments",
    [
        ["convert"],
        ["convert", "x.wav", "--genre"],
        ["convert", "x.wav", "--strength", "2"],
        ["convert", "x.wav", "--vocals", "shout"],
        ["convert", "x.wav", "--until", "polish"],
        ["polish"],
        ["convert", "x.wav", "--genres", "jazz"],
    ],
)
def test_wrong_usage_is_one_line_and_code_2(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.code == 2
    assert done.line.startswith("rearrange: [usage] ")
    assert len(done.err.strip().splitlines()) == 1


# --- songs that are none


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("these are words, and no sound\n" * 100)


def folder(path: Path) -> None:
    path.mkdir()


def missing(path: Path) -> None:
    pass


def not_numbers(path: Path) -> None:
    soundfile.write(path, np.full((44100, 2), np.nan), 44100, subtype="FLOAT")


def silence(path: Path) -> None:
    soundfile.write(path, np.zeros((44100 * 20, 2)), 44100)


def blip(path: Path) -> None:
    soundfile.write(path, 0.5 * np.sin(np.arange(8820) / 20), 44100)


@pytest.mark.parametrize(
    ("make", "codes"),
    [
        (empty, ["audio-format"]),
        (text, ["audio-format"]),
        (folder, ["audio-format"]),
        (missing, ["audio-format"]),
        (not_numbers, ["audio-format"]),
        (silence, ["too-little-music"]),
        (blip, ["too-little-music", "audio-format"]),
    ],
)
def test_what_is_no_song_is_one_line(cli: Cli, make: Callable[[Path], None], codes: list[str]) -> None:
    make(Path("sóng.wav"))
    done = cli("convert", "sóng.wav", "-g", "jazz")
    assert done.code == 1
    assert [code for code in codes if done.line.startswith(f"rearrange: [{code}] ")]
    assert "sóng.wav" in done.line or codes[0] == "too-little-music"
    assert not Path("sóng.jazz.wav").exists()
    if codes == ["audio-format"]:
        assert not Path("sóng.rearrange").exists()


@pytest.mark.parametrize(
    "content", [b"", b"MThd", b"words, no notes", b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\4\0\xff/\0"]
)
def test_what_is_no_midi_song_is_one_line(cli: Cli, content: bytes) -> None:
    Path("song.mid").write_bytes(content)
    done = cli("convert", "song.mid", "-g", "jazz")
    assert done.code == 1
    assert done.line.startswith(("rearrange: [midi-format]", "rearrange: [too-little-music]"))


def test_a_genre_or_soundfont_that_is_none_is_told_before_the_work(cli: Cli, quick, song: Path) -> None:
    Path("my.toml").write_text('name = "my"\ncolour = 3\n')
    Path("bad.sf2").write_bytes(b"RIFF" + bytes(100))
    for arguments, code in (
        (["-g", "polka"], "genre"),
        (["-g", "my.toml"], "genre"),
        (["-g", "none.toml"], "genre"),
        (["-g", "jazz", "--soundfont", "bad.sf2"], "soundfont"),
        (["-g", "jazz", "--soundfont", "none"], "soundfont"),
        (["-g", "jazz", "--lock", "triangle"], "usage"),
        (["-g", "jazz", "-o", "out.xyz"], "usage"),
        (["-g", "jazz", "--format", "mp3", "--bit-depth", "24"], "usage"),
        (["-g", "jazz", "--bitrate", "128"], "usage"),
        (["-g", "jazz", "--format", "opus", "--sample-rate", "44100"], "usage"),
        ([], "usage"),
    ):
        done = cli("convert", song, *arguments)
        assert done.line.startswith(f"rearrange: [{code}] ")
        assert not Path("Größe 1.rearrange").exists()


# --- places that cannot be written


def test_the_song_is_never_overwritten(cli: Cli, quick, song: Path) -> None:
    before = song.read_bytes()
    Path("link.wav").symlink_to(song)
    for output in (song, "link.wav", song.absolute()):
        done = cli("convert", song, "-g", "jazz", "-o", output)
        assert done.code == 2
        assert "is the song itself" in done.line
    assert song.read_bytes() == before


@pytest.mark.parametrize("where", ["file/x.wav", "/proc/x.wav", "/proc/none/x.wav"])
def test_an_output_folder_that_cannot_be_written_is_told_before_the_work(
    cli: Cli, quick, song: Path, where: str
) -> None:
    Path("file").touch()
    done = cli("convert", song, "-g", "jazz", "-o", where)
    assert done.code == 1
    assert done.line.startswith("rearrange: [output] ")
    assert "separate" not in done.err


@pytest.mark.parametrize("where", ["file", "file/x", "/proc/x"])
def test_a_workspace_that_cannot_be_made(cli: Cli, quick, song: Path, where: str) -> None:
    Path("file").touch()
    done = cli("convert", song, "-g", "jazz", "-w", where)
    assert done.code == 1
    assert done.line.startswith("rearrange: [output] ")


@pytest.fixture
def small_disk(tmp_path: Path):
    """A disk of 200 kB, where we may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_under_the_workspace(cli: Cli, quick, song: Path, small_disk: Path) -> None:
    (small_disk / "mine").write_bytes(b"x" * 1000)

    def separate(song, settings, progress):  # type: ignore[no-untyped-def]
        noise = np.random.default_rng(0).normal(0, 0.1, (2, 400_000)).astype(np.float32)
        song.workspace.write_stems([{"vocals": noise}], 44100)
        return {}

    quick(separate=separate)
    done = cli("convert", song, "-g", "jazz", "-w", small_disk / "s")
    assert done.code == 1
    assert done.line.startswith("rearrange: [output] ")
    assert "No space left" in done.line
    assert [path.name for path in small_disk.rglob("*") if path.is_file()] == ["mine"]


def test_a_full_disk_under_the_output(cli: Cli, quick, song: Path, small_disk: Path) -> None:
    def mix(song, settings, progress):  # type: ignore[no-untyped-def]
        soundfile.write(song.to_arrange.mix_path, np.zeros((400_000, 2)), 44100)
        return {}

    quick(mix=mix)
    old = small_disk / "x.wav"
    old.write_bytes(b"what was there before")
    done = cli("convert", song, "-g", "jazz", "-o", old, "-w", "s")
    assert done.line.startswith("rearrange: [output] ")
    assert "No space left" in done.line
    assert old.read_bytes() == b"what was there before"
    assert [path.name for path in small_disk.iterdir()] == ["x.wav"]
    done = cli("convert", song, "-g", "jazz", "-o", "x.wav", "-w", "s", "--json")
    assert done.code == 0
    because = {name: stage["because"] for name, stage in done.json["stages"].items()}
    assert because.pop("report") != "up to date", "the page is made when the song is safe"
    assert set(because.values()) == {"up to date"}


def test_a_folder_in_use_is_told(cli: Cli, quick, song: Path) -> None:
    from rearrange.workspace import Workspace

    cli("convert", song, "-g", "jazz", "-w", "s")
    code = (
        "import sys; from pathlib import Path; from rearrange.workspace import Workspace\n"
        "with Workspace(Path('s')).locked(): print('locked', flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        done = cli("convert", song, "-g", "rock", "-w", "s")
        other.communicate(b"")
    assert "another process is at work" in done.line
    assert Workspace(Path("s")).arrangement_names() == ["jazz"]
    assert cli("convert", song, "-g", "rock", "-w", "s").code == 0


def test_a_damaged_folder_is_one_line_or_is_repaired(cli: Cli, quick, song: Path) -> None:
    cli("convert", song, "-g", "jazz", "-w", "s")
    Path("s/source.json").write_text("{")
    assert cli("render", "-w", "s").line.startswith("rearrange: [workspace] s/source.json: ")
    assert cli("convert", song, "-g", "jazz", "-w", "s").code == 0
    Path("s/analysis.json").write_text("{")
    assert cli("arrange", "-w", "s", "--seed", "9").line.startswith("rearrange: [workspace] ")
    assert cli("convert", song, "-g", "jazz", "-w", "s").code == 0
    Path("s/arrangements/jazz/arrangement.mid").write_bytes(b"MThd what")
    assert cli("render", "-w", "s").line.startswith("rearrange: [midi-format] ")
