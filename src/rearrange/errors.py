"""The error tree.

Everything that a user can cause or cure is a `RearrangeError` with a stable code, one clear line and a
hint; `cli.main` and the web boundary are the only places that catch it. Adapters translate a third
party's errors into one of these (`raise ... from exc`). Programming mistakes stay ValueError/TypeError.
"""

__all__ = [
    "AudioFormatError",
    "CancelledError",
    "ConfigError",
    "DependencyError",
    "FetchError",
    "GenreError",
    "MidiFormatError",
    "ModelError",
    "OutputError",
    "RearrangeError",
    "SoundfontError",
    "TooLittleMusicError",
    "UsageError",
    "WorkspaceError",
]


class RearrangeError(Exception):
    """A failure that has one clear line for the user.

    Parameters
    ----------
    message : what went wrong, and where (a file's name, a line, a key)
    hint : what to do about it; empty if nothing can be done
    """

    code = "error"
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        text = f"[{self.code}] {self.message}"
        return f"{text} ({self.hint})" if self.hint else text


class UsageError(RearrangeError):
    """An option or argument that makes no sense."""

    code = "usage"
    exit_code = 2


class AudioFormatError(RearrangeError):
    """A file that cannot be read as audio, or audio that cannot be used (empty, NaN)."""

    code = "audio-format"


class MidiFormatError(RearrangeError):
    """A file that cannot be read as MIDI."""

    code = "midi-format"


class TooLittleMusicError(RearrangeError):
    """Readable audio or MIDI with nothing in it to arrange (silence, a fraction of a second)."""

    code = "too-little-music"


class GenreError(RearrangeError):
    """A genre file with an unknown key or an impossible value; names file, line and key."""

    code = "genre"


class ConfigError(RearrangeError):
    """Another declared file (models/index.toml, soundfonts/index.toml) that is wrong."""

    code = "config"


class ModelError(RearrangeError):
    """A model that is unknown, missing, or whose weights do not fit it."""

    code = "model"


class FetchError(RearrangeError):
    """A download that failed: no connection, broken off, or a wrong checksum."""

    code = "fetch"


class SoundfontError(RearrangeError):
    """A soundfont that is missing or is not one."""

    code = "soundfont"


class DependencyError(RearrangeError):
    """A system library or optional package that is not installed."""

    code = "dependency"


class WorkspaceError(RearrangeError):
    """A song's folder that is missing an artefact, or holds a damaged one."""

    code = "workspace"


class OutputError(RearrangeError):
    """A result that cannot be written: read-only folder, full disk, unknown format."""

    code = "output"


class CancelledError(RearrangeError):
    """The user stopped the work (Ctrl-C); what was finished is kept."""

    code = "cancelled"
    exit_code = 130
