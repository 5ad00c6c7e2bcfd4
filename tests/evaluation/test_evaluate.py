"""The whole evaluation on data made up for it: tables, files, resuming, failures, bad input."""

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rearrange.audio import Audio, write_audio
from rearrange.evaluation.run import code_fingerprint
from rearrange.genre import genre_names
from rearrange.midi import write_score
from tests.command_line import Cli, cli
from tests.songs import band_song
from tests.sounds import band

__all__ = ["cli"]  # a fixture

GENRES = genre_names()[:2]
ONE = ("--genre", GENRES[0], "--seeds", "1", "--jobs", "1")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two songs of one set, of which one is no song, and one recording."""
    folder = tmp_path / "data"
    (folder / "symbolic").mkdir(parents=True)
    for archive, songs in (("pop909", ("003", "043")), ("freedoom", ("d_e1m2",))):
        root = tmp_path / "made" / archive
        for i, song in enumerate(songs):
            path = root / song / f"{song}.mid" if archive == "pop909" else root / f"{song}.mid"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_score(path, band_song(n_bars=8 + 4 * i))
        if archive == "freedoom":
            (root / "d_e1m2.mid").write_bytes(b"no MIDI at all")
        with tarfile.open(folder / "symbolic" / f"{archive}.tar.xz", "w:xz") as tar:
            tar.add(root, arcname=archive)
    (folder / "audio" / "mixes").mkdir(parents=True)
    write_audio(folder / "audio" / "mixes" / "solo_trumpet.ogg", band(band_song(n_bars=4)))
    return folder


def tables(output: Path) -> dict[str, dict[str, dict[str, object]]]:
    """Table, row and column to cell."""
    plain = json.loads((output / "tables.json").read_text())
    return {
        table["name"]: {
            row["label"]: dict(zip((c["heading"] for c in table["columns"]), row["cells"], strict=True))
            for row in table["rows"]
        }
        for table in plain["tables"]
    }


def test_songs_are_measured_and_a_broken_one_is_told(cli: Cli, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    result = cli("evaluate", "--data", str(data), "-o", str(output), "--group", "songs", "--songs", "2", *ONE)
    assert result.code == 1
    assert "oracle freedoom d_e1m2" in result.err
    found = tables(output)["systems-oracle"]
    assert list(found) == ["copy", "instrument-swap", "random-song", "patterns", "transformer"]
    assert found["copy"]["content"]["mean"] == pytest.approx(1.0)
    assert found["copy"]["content"]["songs"] == 2
    assert 0.5 < float(str(found["patterns"]["content"]["mean"])) <= 1.0
    assert "Systems, from MIDI" in result.out
    assert (output / "tables.md").read_text().count("### ") == len(tables(output))
    assert "<h1>" in (output / "tables.html").read_text()


def test_ears_are_measured_on_what_is_known(cli: Cli, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    (data / "symbolic" / "freedoom.tar.xz").unlink()
    result = cli("evaluate", "--data", str(data), "-o", str(output), "--group", "ears", *ONE)
    assert result.code == 0
    found = tables(output)
    assert found["notes-recordings"]["rearrange"]["all notes"]["reason"] == "no notes known"
    assert "mean" in found["beats-recordings"]["librosa"]["tempo"]
    about = json.loads((output / "tables.json").read_text())["about"]
    assert "freedoom.tar.xz: no such archive" in about["left out"]


def test_silence_and_a_song_shorter_than_a_bar_are_told_in_their_cells(
    cli: Cli, data: Path, tmp_path: Path
) -> None:
    write_audio(data / "audio" / "mixes" / "solo_trumpet.ogg", Audio(np.zeros((1, 5 * 22050), np.float32), 22050))
    root = tmp_path / "short" / "pop909" / "003"
    root.mkdir(parents=True)
    song = band_song(n_bars=4)
    first = tuple(replace(t, notes=tuple(n for n in t.notes if n.onset_beat < 0.5)) for t in song.tracks)
    write_score(root / "003.mid", replace(song, tracks=first))
    (root / "beat_midi.txt").write_text("0 1 1\n1 0 0\n2 0 0\n3 0 0\n4 1 1\n")
    with tarfile.open(data / "symbolic" / "pop909.tar.xz", "w:xz") as tar:
        tar.add(root.parent, arcname="pop909")
    (data / "symbolic" / "freedoom.tar.xz").unlink()
    with tarfile.open(data / "symbolic" / "freedoom.tar.xz", "w:xz") as tar:
        tar.add(tmp_path / "made" / "pop909" / "043" / "043.mid", arcname="freedoom/d_e1m2.mid")
    output = tmp_path / "out"
    result = cli("evaluate", "--data", data, "-o", output, "--group", "songs", "--group", "ears", *ONE)
    assert result.code == 0, result.err
    found = tables(output)
    assert found["systems-oracle"]["copy"]["content"]["void"] == 1
    assert "silent" in str(found["systems-recordings"]["patterns"]["content (sound)"]["reason"])
    assert "silent" in str(found["beats-recordings"]["rearrange"]["beats"]["reason"])


def test_a_second_run_does_nothing_again(cli: Cli, data: Path, tmp_path: Path) -> None:
    arguments = (
        "evaluate",
        "--data",
        str(data),
        "-o",
        str(tmp_path / "out"),
        "--group",
        "songs",
        "--songs",
        "1",
        *ONE,
    )
    cli(*arguments)
    before = tables(tmp_path / "out")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "units").glob("*.json")}
    cli(*arguments)
    assert kept
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert tables(tmp_path / "out") == before


def test_json_goes_to_stdout(cli: Cli, data: Path, tmp_path: Path) -> None:
    (data / "symbolic" / "freedoom.tar.xz").unlink()
    result = cli(
        "evaluate", "--data", str(data), "-o", str(tmp_path / "out"), "--group", "ears", "--json", *ONE
    )  # fmt: skip
    value = json.loads(result.out)
    assert value["about"]["genres"] == GENRES[0]
    assert value["tables"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data", "nowhere"), "nowhere: no such folder"),
        (("--data", "."), "nothing to evaluate with"),
        (("--data", ".", "--genre", "polka"), "polka"),
        ((), "--data"),
    ],
)
def test_bad_input_ends_in_one_line(cli: Cli, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    result = cli("evaluate", "-o", str(tmp_path / "out"), *arguments)
    assert result.code != 0
    assert said in result.line


def test_the_fingerprint_is_of_the_code() -> None:
    assert len(code_fingerprint()) == 64
