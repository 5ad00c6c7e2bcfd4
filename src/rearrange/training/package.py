"""Pack what a training run needs into one file of at most LIMIT, for a machine with a GPU and no internet.

    python -m rearrange.training.package htdemucs --data FOLDER --wheels FOLDER [--check]

What is packed is our source, the songs that are not held out, sound fonts, recorded hits and singing (Opus, mono),
and wheels of Python packages that the machine lacks, unpacked. There, `tar xf FILE`, `cd rearrange`, `. ./env.sh`,
and any recipe of runs/ goes on `data`; `python3 -m rearrange.training.package --ready` says what is missing.

Conventions: everything lies as in a checkout: data/ as recipes want it, sets unpacked in out/sets, fonts in
fonts/, wheels in site/. Weights that we have trained stay behind. The file is a .tar.xz with one folder, the same
for the same contents.

Limits: one font, FluidR3 as Ogg Vorbis and mono, where the recipes have five: all of them are ten times the limit.
Nobody sings but who is recorded. Wheels are those of one Python on one kind of machine. Nothing that is packed is
ours to publish: the file is for a machine of one's own.
"""

import argparse
import importlib.util
import lzma
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rearrange.errors import DependencyError, OutputError, SoundfontError, UsageError

__all__ = ["LIMIT", "Contents", "check", "main", "missing_packages", "pack"]

LIMIT = 60 * 2**20
TOP = "rearrange"
_ROOT = Path(__file__).resolve().parents[3]  # a checkout: src/, models/, runs/
_SOURCE = ("src/rearrange", "models", "soundfonts", "runs")
_LEFT_OUT = ("__pycache__", "weights.safetensors")
_VOICE_KBPS = 40
# What runs import, and the names under which it is installed; `tinysoundfont` where FluidSynth is not.
_NEEDED: Mapping[str, str] = {
    "av": "av", "click": "click", "demucs": "demucs", "einops": "einops", "julius": "julius", "mido": "mido",
    "mir_eval": "mir_eval", "numpy": "numpy", "pyloudnorm": "pyloudnorm", "safetensors": "safetensors",
    "scipy": "scipy", "soundfile": "soundfile", "soxr": "soxr", "torch": "torch", "tqdm": "tqdm", "yaml": "PyYAML",
}  # fmt: skip
_ENVIRONMENT = """\
# . ./env.sh: this folder's source, wheels and fonts come first
here="$(pwd)"
export PYTHONPATH="$here/src:$here/site" REARRANGE_SOUNDFONTS="$here/fonts" PYTHON="${PYTHON:-python3}"
export REARRANGE="${REARRANGE:-$here/rearrange}"
"""
_COMMAND = '#!/bin/sh\nexec "${PYTHON:-python3}" -m rearrange "$@"\n'
# Two steps on two takes, from the package's fonts alone and by the synthesiser of its wheel.
_CHECK = """\
import sys
from importlib import import_module
import rearrange
from rearrange.synth import soundfonts
assert rearrange.__file__.startswith(sys.argv[1]), rearrange.__file__
sys.modules["fluidsynth"] = None
soundfonts._SYSTEM_FOLDERS = ()
sys.exit(import_module(sys.argv[2]).main(sys.argv[3:]))
"""


@dataclass(frozen=True)
class Contents:
    """What a model's recipe wants.

    Parameters
    ----------
    sets : symbolic ones, of which held-out songs stay behind
    fonts : names in soundfonts/index.toml or stems of files
    hits, singing : recorded drums, and the vocals of songs that may train
    check : arguments that make two steps quick
    """

    sets: tuple[str, ...] = ("gmd", "pop909", "freedoom")
    fonts: tuple[str, ...] = ("fluidr3mono",)
    hits: bool = True
    singing: bool = False
    check: tuple[str, ...] = ()


_UNSEEN = ("fluidr3mono", "csound-gm")  # with the font that figures are taken with
MODELS: Mapping[str, Contents] = {
    "htdemucs": Contents(singing=True, check=("--batch", "1")),
    "drums": Contents(fonts=_UNSEEN, check=("--batch", "1")),
    "beats": Contents(fonts=_UNSEEN),
    "harmony": Contents(sets=("gmd", "pop909", "freedoom", "billboard", "openewld"), fonts=_UNSEEN),
}


def missing_packages() -> tuple[str, ...]:
    """Names to install of what runs need and this Python does not have."""
    missing = [name for module, name in _NEEDED.items() if importlib.util.find_spec(module) is None]
    players = ("fluidsynth", "tinysoundfont")
    if all(importlib.util.find_spec(player) is None for player in players):
        missing.append("tinysoundfont")
    return tuple(missing)


def pack(
    contents: Contents, file: Path, *, data: Path, sets: Path, wheels: Path | None = None, limit: int = LIMIT
) -> Mapping[str, int]:
    """Write the package; return how many bytes each folder of it holds unpacked.

    Raises
    ------
    UsageError : an archive, a recording or a wheel is missing, or the package is larger than `limit`.
    SoundfontError : a font is missing.
    OutputError : it cannot be written.
    """
    sizes: dict[str, int] = {}
    # Programs are packed smaller when jumps in them are made absolute first.
    filters: list[dict[str, int]] = [{"id": lzma.FILTER_X86}] if wheels is not None else []
    filters.append({"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 26})
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=file.parent) as made:
            partial = Path(made) / "partial"
            with (
                lzma.open(partial, "wb", filters=filters) as packed,
                tarfile.open(fileobj=packed, mode="w|") as tar,
            ):
                for name, path in _files(contents, data, sets, wheels, Path(made)):
                    _add(tar, name, path)
                    folder = name.split("/")[0]
                    sizes[folder] = sizes.get(folder, 0) + path.stat().st_size
            size = partial.stat().st_size
            if size > limit:
                raise UsageError(
                    f"the package takes {size / 2**20:.1f} MiB: {limit / 2**20:.0f} are allowed",
                    "unpacked, " + ", ".join(f"{name} {n / 2**20:.1f}" for name, n in sizes.items()),
                )
            partial.replace(file)
    except OSError as exc:
        raise OutputError(f"{file}: cannot be written: {exc.strerror}") from exc
    return sizes


def _add(tar: tarfile.TarFile, name: str, path: Path) -> None:
    """A file without its date and its owner: the same contents are the same package."""
    entry = tarfile.TarInfo(f"{TOP}/{name}")
    entry.size, entry.mode = path.stat().st_size, 0o755 if os.access(path, os.X_OK) else 0o644
    with path.open("rb") as opened:
        tar.addfile(entry, opened)


def _files(
    contents: Contents, data: Path, sets: Path, wheels: Path | None, made: Path
) -> Iterator[tuple[str, Path]]:
    """Every file's name in the package, and the file."""
    for name, text in {"env.sh": _ENVIRONMENT, "rearrange": _COMMAND}.items():
        (made / name).write_text(text, encoding="utf-8")
        (made / name).chmod(0o755)
        yield name, made / name
    for folder in _SOURCE:
        yield from _tree(folder, _ROOT / folder)
    for name in contents.sets:
        yield from _set(name, data / "symbolic", sets)
    yield from _fonts(contents.fonts)
    if contents.hits:
        yield from _tree("data/samples/drum_hits", _existing(data / "samples" / "drum_hits"))
    if contents.singing:
        yield from _singing(_existing(data / "audio"), made)
    if wheels is not None:
        yield from _site(wheels, made / "site")


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise UsageError(
            f"{folder}: no such folder", "--data is the folder that holds symbolic/, samples/, audio/"
        )
    return folder


def _tree(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part in _LEFT_OUT for part in path.parts):
            yield f"{name}/{path.relative_to(folder).as_posix()}", path


def _set(name: str, data: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """An unpacked set without its held-out songs, nor what lies beside one alone in a folder."""
    from rearrange.evaluation.corpora import corpus, training_songs, unpacked

    root = unpacked(data, name, folder)
    allowed = {song.path for song in training_songs(name, root)}
    kept = {song.parent for song in allowed}
    hidden = set(root.glob(corpus(name).files)) - allowed
    alone = {song.parent for song in hidden} - kept
    for packed, path in _tree(f"out/sets/{name}", root):
        if path not in hidden and path.parent not in alone:
            yield packed, path


def _fonts(names: Sequence[str]) -> Iterator[tuple[str, Path]]:
    from rearrange.synth.soundfonts import find_soundfonts

    found = {font.name: font.path for font in find_soundfonts()}
    for name in names:
        if name not in found:
            raise SoundfontError(
                f"there is no font {name}", f"it is one of the package's: there are {list(found)}"
            )
        yield f"fonts/{found[name].name}", found[name]


def _singing(audio: Path, made: Path) -> Iterator[tuple[str, Path]]:
    """The vocals of songs that train, small and mono: a recipe places them anew anyway."""
    from rearrange.audio import Audio, read_audio, write_audio
    from rearrange.training.separator_clips import SONGS

    for song in SONGS:
        source = audio / "eir" / song / "vocals.opus"
        if not source.is_file():
            raise UsageError(f"{source}: no such recording", "--data is the folder that holds audio/eir")
        heard = read_audio(source)
        mono = Audio(heard.samples.mean(axis=0, keepdims=True), heard.sample_rate)
        small = made / f"{song}.opus"
        write_audio(small, mono, bitrate_kbps=_VOICE_KBPS)
        yield f"data/audio/eir/{song}/vocals.opus", small


def _site(wheels: Path, site: Path) -> Iterator[tuple[str, Path]]:
    found = sorted(wheels.glob("*.whl"))
    if not found:
        raise UsageError(f"{wheels}: holds no wheel", "pip download --only-binary=:all: -d FOLDER NAME")
    for wheel in found:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    yield from _tree("site", site)


def check(model: str, file: Path) -> str:
    """Unpack a package and train two steps of its model from it, on the processor; return what that printed.

    This Python's own packages are used where the packed wheels are for another one.

    Raises
    ------
    DependencyError : a package is missing here.
    UsageError : it does not train.
    """
    with TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve() / TOP
        with tarfile.open(file) as tar:
            tar.extractall(temporary, filter="data")
        paths = [str(folder / "src")]
        kept = {name: os.environ[name] for name in ("PATH", "OMP_NUM_THREADS") if name in os.environ}
        own = {**kept, "HOME": temporary, "REARRANGE_SOUNDFONTS": str(folder / "fonts")}

        def run(*command: str, path: Sequence[str]) -> "subprocess.CompletedProcess[str]":
            environment = {**own, "PYTHONPATH": os.pathsep.join(path)}
            return subprocess.run(
                [sys.executable, *command],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )

        imports = "import " + ", ".join((*_NEEDED, "tinysoundfont"))
        with_site = [*paths, str(folder / "site")]
        if (folder / "site").is_dir() and run("-c", imports, path=with_site).returncode == 0:
            paths = with_site
        elif (done := run("-c", imports, path=paths)).returncode:
            raise DependencyError(f"the check needs all packages here: {done.stderr.strip().splitlines()[-1]}")
        arguments = ["--data", "data", "--takes", "2", "--held-out", "2", "--steps", "2", *MODELS[model].check]
        done = run("-c", _CHECK, str(folder), f"rearrange.training.{model}", *arguments, path=paths)
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise UsageError(f"{file}: does not train: {' '.join(last)}")
        wheels = "the packed wheels" if paths is with_site else "this Python's own packages"
        return f"{done.stdout.strip()}\nwith {wheels}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Pack, and check; or say what is missing.

    Raises
    ------
    As `pack` and `check`; DependencyError, where `--ready` finds something missing.
    """
    parser = argparse.ArgumentParser(description="Pack what training a model on another machine needs.")
    parser.add_argument("model", choices=tuple(MODELS), nargs="?")
    parser.add_argument("--data", type=Path, help="holds symbolic/, samples/ and audio/")
    parser.add_argument("--sets", type=Path, default=Path("out/sets"), help="where sets are unpacked")
    parser.add_argument("--wheels", type=Path, help="wheels of what the other machine lacks")
    parser.add_argument("--out", type=Path, default=Path("out/package"))
    parser.add_argument("--check", action="store_true", help="train two steps from it")
    parser.add_argument("--ready", action="store_true", help="only say whether this Python has what runs need")
    options = parser.parse_args(arguments)
    if options.ready:
        missing = missing_packages()
        if missing:
            raise DependencyError(f"missing here: {', '.join(missing)}", "pack their wheels: --wheels FOLDER")
        print("all packages are there")
        return 0
    if options.model is None or options.data is None:
        raise UsageError("a model and --data are needed", f"one of {', '.join(MODELS)}")
    file = options.out / f"{options.model}.tar.xz"
    sizes = pack(MODELS[options.model], file, data=options.data, sets=options.sets, wheels=options.wheels)
    print("unpacked, MiB: " + ", ".join(f"{name} {size / 2**20:.1f}" for name, size in sizes.items()))
    print(f"{file}: {file.stat().st_size / 2**20:.1f} of {LIMIT / 2**20:.0f} MiB", flush=True)
    if options.check:
        print(check(options.model, file))
    return 0


if __name__ == "__main__":
    from rearrange.training.start import start

    sys.exit(start(main))
