"""Soundfonts: found, chosen by name or path, and refused when they are not what they say."""

import os
import re
import struct
from pathlib import Path

import pytest

from rearrange.errors import ConfigError, SoundfontError
from rearrange.synth import soundfonts
from rearrange.synth.soundfonts import (
    FOLDERS_VARIABLE,
    check_soundfont,
    find_soundfonts,
    known_soundfonts,
    resolve_soundfont,
    soundfont_folders,
)
from tests.synth.sf2 import write_sf2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only one searched."""
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path))
    monkeypatch.setattr(soundfonts, "_SYSTEM_FOLDERS", ())
    monkeypatch.setattr(soundfonts, "user_folder", lambda: tmp_path / "nowhere")
    return tmp_path


def test_index_is_valid_and_names_a_package_for_every_font() -> None:
    fonts = known_soundfonts()
    assert fonts[0].name == "fluid-soundfont-gm"
    assert len({font.name for font in fonts}) == len(fonts)
    assert all(font.package and font.licence and font.files for font in fonts)


def test_unknown_key_in_the_index_is_named(tmp_path: Path) -> None:
    index = tmp_path / "index.toml"
    index.write_text(
        '[[soundfont]]\nname = "x"\ntitle = "X"\nfiles = []\nlicence = "MIT"\nsize_mb = 1\npackge = "y"\n'
    )
    with pytest.raises(ConfigError, match="package"):
        known_soundfonts(index)


def test_default_is_the_best_known_font_and_the_last_resort_comes_last(folder: Path) -> None:
    for name in ("TimGM6mb.sf2", "MuseScore_General_Full.sf3", "mine.sf2", "FluidR3_GS.sf2"):
        write_sf2(folder / name)
    found = find_soundfonts()
    assert [font.path.name for font in found] == [
        "MuseScore_General_Full.sf3", "mine.sf2", "TimGM6mb.sf2", "FluidR3_GS.sf2",
    ]  # fmt: skip
    assert resolve_soundfont().name == "MuseScore_General_Full.sf3"
    write_sf2(folder / "FluidR3_GM.sf2")
    assert resolve_soundfont("default").name == "FluidR3_GM.sf2"


def test_a_font_that_only_adds_to_another_is_never_the_default(folder: Path) -> None:
    write_sf2(folder / "FluidR3_GS.sf2")
    with pytest.raises(SoundfontError):
        resolve_soundfont()
    assert resolve_soundfont("fluid-soundfont-gs").name == "FluidR3_GS.sf2"


@pytest.mark.parametrize("name", ["timgm6mb", "TimGM6mb", "timgm6mb.SF2", "TimGM6mb.sf2"])
def test_found_by_listed_name_stem_or_file_name(folder: Path, name: str) -> None:
    path = write_sf2(folder / "TimGM6mb.sf2")
    assert resolve_soundfont(name) == path


def test_found_by_path_wherever_it_is(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "über alles"
    elsewhere.mkdir()
    path = write_sf2(elsewhere / "klänge.sf2")
    assert resolve_soundfont(str(path)) == path


def test_links_to_one_file_count_once(folder: Path) -> None:
    path = write_sf2(folder / "FluidR3_GM.sf2")
    (folder / "default-GM.sf2").symlink_to(path)
    assert [font.path for font in find_soundfonts()] == [path]


def test_sf2_and_sf3_are_told_apart_by_version_not_by_name(folder: Path) -> None:
    assert check_soundfont(write_sf2(folder / "a.sf3")).format == "SF2"
    assert check_soundfont(write_sf2(folder / "b.sf2", vorbis=True)).format == "SF3"


@pytest.mark.parametrize("pad", [b"", b"\0"])
def test_an_odd_chunk_may_lack_its_pad_byte(tmp_path: Path, pad: bytes) -> None:
    """As in Fluid R3 Mono, which MuseScore's tools wrote."""

    def chunk(form: bytes, body: bytes) -> bytes:
        return b"LIST" + struct.pack("<I", 4 + len(body)) + form + body

    chunks = chunk(b"INFO", b"ifil\4\0\0\0\3\0\1\0") + chunk(b"sdta", b"odd") + pad + chunk(b"pdta", bytes(8))
    path = tmp_path / "odd.sf3"
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"sfbk" + chunks)
    assert check_soundfont(path).format == "SF3"


def test_none_found_says_what_to_install(folder: Path) -> None:
    with pytest.raises(SoundfontError, match="no General MIDI soundfont") as caught:
        resolve_soundfont()
    assert "fluid-soundfont-gm" in caught.value.hint


def test_known_but_missing_font_says_its_package(folder: Path) -> None:
    with pytest.raises(SoundfontError, match="not installed") as caught:
        resolve_soundfont("musescore-general")
    assert "musescore-general-soundfont" in caught.value.hint


def test_unknown_name_lists_what_there_is(folder: Path) -> None:
    write_sf2(folder / "mine.sf2")
    with pytest.raises(SoundfontError, match="'stradivari'") as caught:
        resolve_soundfont("stradivari")
    assert "mine" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not a soundfont"),
        (b"RIFF", "not a soundfont"),
        (b"This is a text file that was renamed.", "not a soundfont"),
        (b"RIFF\x10\0\0\0WAVEfmt " + bytes(40), "not a soundfont"),
        (b"RIFF\x04\0\0\0sfbk", "damaged"),
    ],
)
def test_what_is_no_soundfont_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "broken.sf2"
    path.write_bytes(content)
    with pytest.raises(SoundfontError, match=complaint) as caught:
        resolve_soundfont(str(path))
    assert str(path) in caught.value.message


def test_cut_off_font_is_told_and_left_out_of_the_list(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_sf2(folder / "half.sf2")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SoundfontError, match="cut off"):
        check_soundfont(path)
    assert find_soundfonts() == ()
    assert "half.sf2" in caplog.text


def test_missing_file_and_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(SoundfontError, match="no such soundfont"):
        resolve_soundfont(str(tmp_path / "none.sf2"))
    with pytest.raises(SoundfontError, match=re.escape(str(tmp_path))):
        resolve_soundfont(f"{tmp_path}{os.sep}")


def test_the_variable_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDERS_VARIABLE, f"{tmp_path}{os.pathsep}/other")
    assert soundfont_folders()[:2] == (tmp_path, Path("/other"))
