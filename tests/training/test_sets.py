"""What training may see: the sets without the held-out songs, and no way around the one door to them."""

import ast
import tarfile
from pathlib import Path

import pytest

import rearrange.training
from rearrange.errors import UsageError
from rearrange.evaluation.corpora import held_out
from rearrange.training import metre, sets
from tests.training.planted_songs import FREE, some_held_out, write_song

TRAINING = Path(rearrange.training.__file__).parent
SEED = 1
# What opens archives, lists folders or walks them; training gets its songs through `training_songs`.
CLOSED_DOORS = {"glob", "rglob", "iglob", "iterdir", "listdir", "scandir", "walk", "extractall", "songs_of"}
CLOSED_MODULES = {"tarfile", "zipfile", "glob", "shutil"}
# What is no song: our own checkpoints, banks and packages, single notes, the path of a program. A package packs
# sets without their held-out songs (test_package).
OPEN = {
    "arrangement_pack.py": {"zipfile"},
    "htdemucs_state.py": {"glob", "iterdir"},
    "package.py": {"tarfile", "zipfile", "glob", "rglob", "extractall"},
    "samples.py": {"glob"},
    "separator_crops.py": {"zipfile"},
    "voices.py": {"shutil"},
}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every set that training uses, with songs of ours under ids that are held out and ids that are not."""
    data = tmp_path_factory.mktemp("symbolic")
    for name, free in FREE.items():
        root = data / name
        for song in [*free, *some_held_out(name)]:
            write_song(name, root, song)
        with tarfile.open(data / f"{name}.tar.xz", "w:xz", preset=0) as tar:
            tar.add(root, name)
    return data


@pytest.mark.parametrize("kind", sets.COUNTS)
def test_no_excerpt_comes_from_a_held_out_song(kind: str, archives: Path, tmp_path: Path) -> None:
    found = list(sets.excerpts_of(kind, archives, tmp_path, count=100, seed=SEED))
    assert found, "songs that are not held out give excerpts"
    seen = " ".join(f"{excerpt.name} {excerpt.song}" for excerpt in found)
    for name in FREE:
        for song in some_held_out(name):
            assert song.replace("/", "-") not in seen
    ids = {"songs": "pop909", "band": "pop909", "freedoom": "freedoom", "lieder": "openscore_lieder"}
    if kind in ids:
        assert {excerpt.song for excerpt in found} <= set(FREE[ids[kind]])


def test_the_split_holds_something_out_of_every_set() -> None:
    for name, free in FREE.items():
        assert not set(free) & held_out(name)
        assert some_held_out(name), f"nothing of {name} is held out"


@pytest.mark.parametrize("path", sorted(TRAINING.rglob("*.py")), ids=lambda path: path.name)
def test_training_lists_songs_through_one_door(path: Path) -> None:
    """No archive is opened and no folder listed in `training`, and no other share of a set is asked for."""
    is_open = OPEN.get(path.name, set())
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            )
            closed = CLOSED_MODULES - is_open
            assert not closed & {module.split(".")[0] for module in modules}, f"line {node.lineno}"
            if "rearrange.evaluation.corpora" in modules and path.name != "package.py":
                assert {each.name for each in node.names} <= {"training_songs", "unpacked"}, f"line {node.lineno}"
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            assert called not in CLOSED_DOORS - is_open, f"line {node.lineno} calls {called}"


def test_a_missing_archive_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="freedoom"):
        list(sets.excerpts_of("freedoom", tmp_path, tmp_path / "cache", count=1, seed=SEED))
    arguments = ["--data", str(tmp_path), "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "w.py")]
    assert metre.main(arguments) == UsageError.exit_code
    assert "gmd.tar.xz" in capsys.readouterr().err
    assert not (tmp_path / "w.py").exists()
