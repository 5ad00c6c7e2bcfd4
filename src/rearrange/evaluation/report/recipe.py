"""What a result was made of: settings, versions, hashes and licences, and the command that makes it again.

Read from the stages' records in the workspace; the versions of libraries are those installed now. People share the
page, so files are named without their folders: nothing of the user's machine stands here.
"""

import platform
import shlex
from collections.abc import Mapping
from dataclasses import fields
from importlib import metadata
from pathlib import Path

import rearrange
from rearrange.errors import SoundfontError
from rearrange.evaluation.report.facts import RecipeGroup, RecipeLine
from rearrange.models.weights import list_models
from rearrange.pipeline.engine import record_path
from rearrange.pipeline.song import Song
from rearrange.pipeline.stages import STAGES
from rearrange.stages.arrange import ArrangeSettings
from rearrange.synth.soundfonts import SoundfontInfo, check_soundfont, resolve_soundfont
from rearrange.workspace import Fingerprint, Record, read_record

__all__ = ["recipe"]

_LIBRARIES = ("numpy", "scipy", "av", "soxr", "onnxruntime", "basic-pitch", "pyfluidsynth", "pyloudnorm")
_SEPARATOR_LIBRARIES = ("torch", "demucs")  # loaded for separators with weights only
_TRANSCRIBER, _TRANSCRIBER_LICENCE = "Basic Pitch", "Apache-2.0"  # Spotify's wheel, which carries the weights
_OWN_LICENCE = "Apache-2.0"  # of this package, its genres among it
_SHORT_SHA = 12
_OPTIONS = {  # settings that have an option of their own name in `convert`, by stage; others keep their defaults
    "separate": ("separator", "device"),
    "arrange": tuple(field.name for field in fields(ArrangeSettings)),
    "render": ("soundfont",),
    "mix": ("loudness_lufs",),
}
_FILES = ("separator", "soundfont", "genre", "like")  # settings that may be paths
_DEFAULT_NAME = {"loudness_lufs": "loudness"}  # of an option that is not called as its setting


def recipe(song: Song) -> tuple[RecipeGroup, ...]:
    """The recipe of the song's arrangement, in groups; stages that were not run are not in it.

    Raises
    ------
    UsageError : no arrangement is named.
    """
    records: dict[str, Record] = {}
    for stage in STAGES:
        record = read_record(record_path(song, stage))
        if record is not None:
            records[stage.name] = record
    groups = (
        RecipeGroup("The same again", (*_command(song, records), *_edits(song, records))),
        RecipeGroup("Settings", _settings(records)),
        RecipeGroup("Versions", _versions(records)),
        RecipeGroup("Files", _files(song, records)),
        RecipeGroup("Licences", _licences(song, records)),
    )
    return tuple(group for group in groups if group.lines)


# --- the command


def _command(song: Song, records: Mapping[str, Record]) -> list[RecipeLine]:
    """The command line; where the song's tempo or metre was told, the three that it takes."""
    name = Path(song.source.path).name
    words = ["rearrange", "convert", name]
    if "arrange" in records:
        words += ["--genre", _plain("genre", records["arrange"].settings.get("genre"))]
        if song.to_arrange.name != words[-1].removesuffix(".toml"):
            words += ["--name", song.to_arrange.name]
    defaults = {stage.name: stage.settings_type() for stage in STAGES}
    for stage, options in _OPTIONS.items():
        settings = records[stage].settings if stage in records else {}
        for option in options:
            value = settings.get(option)
            standard = getattr(defaults[stage], option)
            is_default = value == (list(standard) if isinstance(standard, tuple) else standard)
            if value is None or (is_default and option != "seed"):
                continue
            words += [f"--{_DEFAULT_NAME.get(option, option)}", _plain(option, value)]
    lines = [RecipeLine("command", shlex.join(words))]
    told = {k: v for k, v in records["analyse"].settings.items() if v is not None} if "analyse" in records else {}
    if told:
        folder = f"{Path(name).stem}.rearrange"
        first = ["rearrange", "convert", name, "-w", folder, "--until", "analyse"]
        flags = [
            word
            for key, v in told.items()
            for word in (f"--{'tempo' if key == 'tempo_bpm' else key}", _plain(key, v))
        ]
        before = f"{shlex.join(first)} && {shlex.join(['rearrange', 'analyse', '-w', folder, *flags])}"
        lines = [RecipeLine("first", before), RecipeLine("command", shlex.join([*words, "-w", folder]))]
    return lines


def _plain(name: str, value: object) -> str:
    """A setting as one writes it; of a path the file's name alone."""
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    return Path(text).name if name in _FILES else text


def _edits(song: Song, records: Mapping[str, Record]) -> list[RecipeLine]:
    """What the user changed by hand, which no command makes again."""
    edited = []
    for record in records.values():
        for name, recorded in record.outputs.items():
            path = song.workspace.folder / name
            song.workspace.hashes.remember(path, recorded)
            now = song.workspace.hashes.of(path)
            if now is not None and now.sha256 != recorded.sha256:
                edited.append(path.name)
    return [RecipeLine("edited by hand", f"{', '.join(edited)}: keep it, no command makes it")] if edited else []


# --- settings and versions


def _settings(records: Mapping[str, Record]) -> tuple[RecipeLine, ...]:
    lines = []
    for stage, record in records.items():
        own = {key: value for key, value in record.settings.items() if key != "genre" or stage == "arrange"}
        words = [
            f"{_spoken(key)} {_plain(key, v)}" for key, v in own.items() if v is not None and v not in ([], ())
        ]
        if words:
            lines.append(RecipeLine(stage, ", ".join(words)))
    return tuple(lines)


def _spoken(setting: str) -> str:
    """ "true peak (dbtp)" is no word: units stay, underscores go."""
    return setting.replace("_", " ")


def _versions(records: Mapping[str, Record]) -> tuple[RecipeLine, ...]:
    stages = ", ".join(f"{name} {record.version}" for name, record in records.items())
    libraries = list(_LIBRARIES)
    if _has_weights(records):
        libraries += _SEPARATOR_LIBRARIES
    installed = ", ".join(f"{name} {version}" for name in libraries if (version := _installed(name)))
    return (
        RecipeLine("rearrange", rearrange.__version__),
        *([RecipeLine("stages", stages)] if stages else []),
        RecipeLine("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        RecipeLine("libraries", installed),
    )


def _has_weights(records: Mapping[str, Record]) -> bool:
    return "separate" in records and any(name.startswith("model") for name in records["separate"].outside)


def _installed(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""


# --- files and licences


def _files(song: Song, records: Mapping[str, Record]) -> tuple[RecipeLine, ...]:
    """sha256 of each file that the result depends on, the first digits before the whole."""
    found: dict[str, Fingerprint] = {f"song: {Path(song.source.path).name}": song.source.fingerprint}
    for record in records.values():
        for label, fingerprint in record.outside.items():
            if label != "source":
                found.setdefault(_file_label(label, records), fingerprint)
    return tuple(RecipeLine(label, _sha(fingerprint)) for label, fingerprint in found.items())


def _file_label(label: str, records: Mapping[str, Record]) -> str:
    if label == "genre":
        return (
            f"genre: {_plain('genre', records['arrange'].settings.get('genre'))}"
            if "arrange" in records
            else label
        )
    if label == "soundfont":
        font = _font(records)
        return f"soundfont: {font.path.name}" if font is not None else label
    return label


def _sha(fingerprint: Fingerprint) -> str:
    return f"{fingerprint.sha256[:_SHORT_SHA]} ({fingerprint.sha256})"


def _font(records: Mapping[str, Record]) -> SoundfontInfo | None:
    """The font that was played; None if it is no longer the one that its name means."""
    record = records.get("render")
    if record is None or "soundfont" not in record.outside:
        return None
    try:
        font = check_soundfont(resolve_soundfont(str(record.settings.get("soundfont", "default"))))
    except SoundfontError:
        return None
    return font if font.size_bytes == record.outside["soundfont"].size else None


def _licences(song: Song, records: Mapping[str, Record]) -> tuple[RecipeLine, ...]:
    lines = []
    if "separate" in records:
        name = str(records["separate"].settings.get("separator"))
        model = next((info for info in list_models() if info.name == name), None)
        licence = model.licence if model is not None else "your own model: its licence is not known here"
        lines.append(RecipeLine(f"separator {_plain('separator', name)}", licence))
    if "transcribe" in records:
        lines.append(RecipeLine(f"transcriber {_TRANSCRIBER}", _TRANSCRIBER_LICENCE))
    if "arrange" in records:
        genre = str(records["arrange"].settings.get("genre"))
        is_own = genre.lower().endswith(".toml")
        licence = "your own file" if is_own else f"{_OWN_LICENCE} (of rearrange)"
        lines.append(RecipeLine(f"genre {_plain('genre', genre)}", licence))
    if "render" in records and "soundfont" in records["render"].outside:
        font = _font(records)
        known = font.licence if font is not None and font.licence else "not known here"
        lines.append(
            RecipeLine(f"soundfont {(font.title or font.path.name) if font is not None else ''}".rstrip(), known)
        )
    lines.append(
        RecipeLine(f"song {Path(song.source.path).name}", "its owner's: an arrangement needs their leave")
    )
    return tuple(lines)
