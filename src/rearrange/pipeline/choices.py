"""What the user chose for each stage: given now, chosen in this folder before, or the default."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from rearrange.errors import UsageError
from rearrange.pipeline.engine import Stage, record_path
from rearrange.pipeline.song import Song
from rearrange.workspace import from_plain, read_record

__all__ = ["settings_for"]


def settings_for(
    song: Song, stages: Sequence[Stage], given: Mapping[str, Mapping[str, Any]], *, keep: bool
) -> dict[str, object]:
    """Settings by stage name.

    The stages of the song itself (separate, transcribe, analyse) keep what was chosen for them in this
    folder, so that a second genre does not undo a better separation. The stages of an arrangement do so
    with `keep`, else they start from their defaults.

    Parameters
    ----------
    given : by stage, the settings that the user gave

    Raises
    ------
    UsageError : a value is out of range.
    """
    settings: dict[str, object] = {}
    for stage in stages:
        base = _chosen_before(song, stage) if keep or not stage.of_arrangement else None
        settings[stage.name] = replace(base or stage.settings_type(), **given.get(stage.name, {}))
    return settings


def _chosen_before(song: Song, stage: Stage) -> Any:
    """The settings of the stage's last run; None if there was none, or they no longer make sense."""
    record = read_record(record_path(song, stage))
    if record is None:
        return None
    names = {field.name for field in fields(stage.settings_type)}
    try:
        return from_plain(stage.settings_type, {k: v for k, v in record.settings.items() if k in names})
    except (ValueError, UsageError):
        return None
