"""What this machine has and lacks: interpreter, libraries, soundfonts, models, room and cores.

Each finding is `ok`, `missing` (something does not work without it) or `note` (good to know).
"""

import importlib
import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rearrange.errors import RearrangeError

__all__ = ["Finding", "examine"]

_PYTHONS = ((3, 11), (3, 14))  # from, and below
_ROOM_BYTES = 2 << 30  # stems, tracks and mix of a song of ten minutes take about 1 GiB
_MEMORY_BYTES = 4 << 30
# Distribution, the module to import, and what it is for.
_LIBRARIES = (
    ("av", "av", "audio files and the mix's filters"),
    ("soxr", "soxr", "resampling"),
    ("soundfile", "soundfile", "WAV and FLAC"),
    ("pyloudnorm", "pyloudnorm", "loudness"),
    ("scipy", "scipy", "filters"),
    ("onnxruntime", "onnxruntime", "transcription"),
    ("mido", "mido", "MIDI files"),
    ("pyfluidsynth", "fluidsynth", "playing soundfonts"),
    ("python-stretch", "python_stretch", "stretching kept vocals"),
)
_OPTIONAL = (("torch", "torch", "Demucs"), ("demucs", "demucs.pretrained", "Demucs"))


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `cure` says what to install or do."""

    state: Literal["ok", "missing", "note"]
    what: str
    detail: str
    cure: str = ""


def examine(folder: Path = Path()) -> Iterator[Finding]:
    """Look at everything; `folder` is where results would be written."""
    yield _python()
    for distribution, module, purpose in _LIBRARIES:
        yield _library(distribution, module, purpose, "missing")
    for distribution, module, purpose in _OPTIONAL:
        yield _library(distribution, module, purpose, "note")
    yield _guarded("fluidsynth", _fluidsynth)
    yield _guarded("soundfont", _soundfont)
    yield _guarded("basic-pitch", _basic_pitch)
    yield from _models()
    yield _room(folder)
    yield _cores()
    yield _memory()


def _python() -> Finding:
    now = ".".join(map(str, sys.version_info[:3]))
    low, high = _PYTHONS
    if low <= sys.version_info[:2] < high:
        return Finding("ok", "python", now)
    wanted = f"{low[0]}.{low[1]} to {high[0]}.{high[1] - 1}"
    return Finding("missing", "python", now, f"install Python {wanted}")


def _library(distribution: str, module: str, purpose: str, absent: Literal["missing", "note"]) -> Finding:
    try:
        version = importlib.metadata.version(distribution)
        if module != "fluidsynth":  # it looks for the system library at import: `_fluidsynth` does that
            importlib.import_module(module)
    except (ImportError, OSError) as exc:
        return Finding(absent, distribution, f"{purpose}: {exc}", f"pip install {distribution}")
    return Finding("ok", distribution, f"{version} ({purpose})")


def _guarded(what: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except RearrangeError as exc:
        return Finding("missing", what, exc.message, exc.hint)


def _fluidsynth() -> Finding:
    from rearrange.synth.fluidsynth import Synthesizer
    from rearrange.synth.soundfonts import resolve_soundfont

    with Synthesizer(resolve_soundfont()):
        return Finding("ok", "fluidsynth", "the system library plays the default soundfont")


def _soundfont() -> Finding:
    from rearrange.synth.soundfonts import find_soundfonts, resolve_soundfont

    default = resolve_soundfont()
    return Finding("ok", "soundfont", f"{default} (and {len(find_soundfonts()) - 1} more)")


def _basic_pitch() -> Finding:
    from rearrange.models.basic_pitch import weights_path

    return Finding("ok", "basic-pitch", str(weights_path()))


def _models() -> Iterator[Finding]:
    from rearrange.models.weights import list_models

    try:
        infos = list_models()
    except RearrangeError as exc:
        yield Finding("missing", "models", exc.message, exc.hint)
        return
    for info in infos:
        if info.installed:
            yield Finding("ok", f"model {info.name}", info.description)
        else:
            yield Finding("note", f"model {info.name}", "not fetched", f"rearrange models fetch {info.name}")


def _room(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as exc:
        return Finding("missing", "folder", f"{folder.absolute()}: {exc.strerror}", "work in another folder")
    if free < _ROOM_BYTES:
        return Finding("note", "disk", f"{free / 2**30:.1f} GiB free", "a song of ten minutes takes about 1 GiB")
    return Finding("ok", "disk", f"{free / 2**30:.1f} GiB free")


def _cores() -> Finding:
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return Finding("ok", "cores", str(len(affinity(0)) if affinity else os.cpu_count() or 1))


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if total < _MEMORY_BYTES:
        return Finding("note", "memory", f"{total / 2**30:.1f} GiB", "songs of an hour take 3 GiB")
    return Finding("ok", "memory", f"{total / 2**30:.1f} GiB")
