"""The architecture, held by tests: imports go down only, genres are data, and help is quick."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rearrange

PACKAGE = Path(rearrange.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "_assets" not in path.parts)

# DESIGN 2, from the ground up: a module imports its own layer and those before it. The doors (web, doctor,
# the command line) start everything and come last.
LAYERS = (
    *("errors", "progress", "assets", "declared", "general_midi"),
    *("audio", "timeline", "score", "notation", "mixtable", "midi", "styles", "genre"),
    *("analysis", "models", "synth", "arranger", "stages", "workspace", "pipeline"),
    *("evaluation", "training", "web", "doctor", "commands", "cli", "__main__"),
)

# What takes longer to import than `--help` may take. numpy is fine everywhere but at the door.
HEAVY = {
    *("torch", "demucs", "librosa", "av", "scipy", "soundfile", "soxr", "onnxruntime", "pretty_midi", "mido"),
    *("fluidsynth", "pyloudnorm", "python_stretch", "mir_eval", "symusic", "miditok", "basic_pitch", "numba"),
    "jinja2",
}

# General MIDI's own names of programs and drum kits.
GENERAL_MIDI = PACKAGE / "general_midi.py"
GENRES = sorted(path.stem for path in (PACKAGE / "genres").glob("*.toml"))
# Of these names, what is also another word of music or English is looked for only as a whole string.
ALSO_WORDS = {"ambient", "classical", "country", "electronic", "folk", "metal", "pop", "rock", "blues"}


def layer_of(path: Path) -> str:
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py")


def imports_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            if node.module == "rearrange":
                yield from (f"rearrange.{alias.name}" for alias in node.names)


def strings_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 30
    assert len(GENRES) >= 16


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_only_go_down(path: Path) -> None:
    if path.parent == PACKAGE and path.stem == "__init__":
        return
    layer = layer_of(path)
    assert layer in LAYERS, f"{layer} is in no layer"
    for name in imports_of(ast.parse(path.read_text(encoding="utf-8"))):
        if not name.startswith("rearrange."):
            continue
        below = name.split(".")[1]
        if below == "__version__":
            continue
        assert LAYERS.index(below) <= LAYERS.index(layer), f"{layer} imports {below}, which lies above it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_heavy_libraries_are_imported_where_they_are_needed(path: Path) -> None:
    """Not at the top of a module: only inside functions, or for the type checker."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            roots = {name.split(".")[0] for name in imports_of(node)}
            assert not roots & HEAVY, f"line {node.lineno} imports {roots & HEAVY}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_genre_is_named_in_code(path: Path) -> None:
    if path == GENERAL_MIDI:
        return
    for line, text in strings_of(ast.parse(path.read_text(encoding="utf-8"))):
        assert text.strip().lower() not in GENRES, f"line {line} names {text}"
        for genre in set(GENRES) - ALSO_WORDS:
            assert not re.search(rf"\b{re.escape(genre)}\b", text.lower()), f"line {line} names {genre}"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["convert", "--help"], ["preview", "--help"], ["genres", "--help"], ["--version"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from rearrange.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as exc: assert not exc.code\n"
        f"loaded = {HEAVY | {'numpy'}!r} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
