"""The package for a machine without internet: what is in it, what stays behind, and how large it may be."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from rearrange.errors import DependencyError, OutputError, SoundfontError, UsageError
from rearrange.evaluation.corpora import corpus
from rearrange.training import package
from rearrange.training.package import Contents, main, missing_packages, pack
from tests.synth.sf2 import write_sf2

HELD_OUT = min(corpus("pop909").test)
TRAINED_ON = next(name for name in ("001", "004", "005") if name not in corpus("pop909").held_out)
CONTENTS = Contents(sets=("pop909",), fonts=("tiny",))


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small data folder, an unpacked set with a held-out song, a font and a checkout of two files."""
    for name in (TRAINED_ON, HELD_OUT):
        folder = tmp_path / "sets" / "pop909" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.mid").write_bytes(b"MThd")
        (folder / "beat_midi.txt").write_text("0.0 1 1\n")
    hits = tmp_path / "data" / "samples" / "drum_hits" / "kit"
    hits.mkdir(parents=True)
    (hits / "kick.flac").write_bytes(b"a kick")
    (tmp_path / "fonts").mkdir()
    write_sf2(tmp_path / "fonts" / "tiny.sf2")
    monkeypatch.setenv("REARRANGE_SOUNDFONTS", str(tmp_path / "fonts"))
    root = tmp_path / "checkout"
    for name in (
        "src/rearrange/drums.py",
        "src/rearrange/__pycache__/drums.pyc",
        "models/drums/weights.safetensors",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"source")
    monkeypatch.setattr(package, "_ROOT", root)
    return tmp_path


def packed(sources: Path, contents: Contents = CONTENTS, **options: object) -> Path:
    file = sources / "out" / "tiny.tar.xz"
    pack(contents, file, data=sources / "data", sets=sources / "sets", **options)  # type: ignore[arg-type]
    return file


def names(file: Path) -> set[str]:
    with tarfile.open(file) as tar:
        return {name.removeprefix("rearrange/") for name in tar.getnames()}


def test_it_holds_what_a_run_needs_and_no_held_out_song(sources: Path) -> None:
    assert names(packed(sources)) == {
        "env.sh",
        "rearrange",
        "src/rearrange/drums.py",
        f"out/sets/pop909/{TRAINED_ON}/{TRAINED_ON}.mid",
        f"out/sets/pop909/{TRAINED_ON}/beat_midi.txt",
        "fonts/tiny.sf2",
        "data/samples/drum_hits/kit/kick.flac",
    }


def test_the_same_contents_make_the_same_file(sources: Path) -> None:
    first = packed(sources).read_bytes()
    (sources / "fonts" / "tiny.sf2").touch()
    assert packed(sources).read_bytes() == first


def test_wheels_travel_unpacked(sources: Path) -> None:
    wheels = sources / "wheels"
    wheels.mkdir()
    with pytest.raises(UsageError, match="holds no wheel"):
        packed(sources, wheels=wheels)
    with zipfile.ZipFile(wheels / "lute-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("lute/__init__.py", "strings = 8\n")
    file = packed(sources, wheels=wheels)
    assert "site/lute/__init__.py" in names(file)
    with tarfile.open(file) as tar:
        tar.extractall(sources / "there", filter="data")
    assert (sources / "there/rearrange/site/lute/__init__.py").read_text() == "strings = 8\n"
    assert (sources / "there/rearrange/fonts/tiny.sf2").read_bytes() == (sources / "fonts/tiny.sf2").read_bytes()


def test_one_that_is_too_large_is_refused_and_not_left_behind(sources: Path) -> None:
    with pytest.raises(UsageError, match=r"takes 0\.0 MiB: 0 are allowed") as caught:
        packed(sources, limit=500)
    assert "fonts 0.0" in str(caught.value.hint)
    assert list((sources / "out").iterdir()) == []


def test_what_is_missing_is_named(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SoundfontError, match="no font grand"):
        packed(sources, Contents(sets=(), fonts=("grand",)))
    with pytest.raises(UsageError, match="no such archive"):
        packed(sources, Contents(sets=("gmd",), fonts=()))
    with pytest.raises(UsageError, match="audio: no such folder"):
        packed(sources, Contents(sets=(), fonts=(), singing=True))
    (sources / "full").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        pack(Contents((), ()), sources / "full" / "tiny.tar.xz", data=sources, sets=sources)
    with pytest.raises(UsageError, match="a model and --data"):
        main(["drums"])
    assert missing_packages() == ()
    assert main(["--ready"]) == 0
    monkeypatch.setattr(package, "_NEEDED", {"sys": "sys", "no_such_lute": "lute"})
    with pytest.raises(DependencyError, match="missing here: lute"):
        main(["--ready"])


def test_every_recipe_can_be_packed() -> None:
    """Fonts and models are named as they are elsewhere."""
    from importlib.util import find_spec

    from rearrange.synth.soundfonts import known_soundfonts

    known = {font.name for font in known_soundfonts()}
    for model, contents in package.MODELS.items():
        assert find_spec(f"rearrange.training.{model}"), model
        assert set(contents.fonts) <= known
        assert all(corpus(name).archive == name for name in contents.sets)
