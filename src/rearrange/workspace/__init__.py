"""A song's folder: its artefacts, their records and hashes, and what is stale. See DESIGN 3."""

from rearrange.workspace.arrangement import ArrangementFolder
from rearrange.workspace.files import Fingerprint, Hashes, read_json, safe_name, set_aside, write_json
from rearrange.workspace.folder import Source, StemFiles, Workspace
from rearrange.workspace.records import Record, read_record, write_record
from rearrange.workspace.tracks import TrackFiles
from rearrange.workspace.upkeep import (
    State,
    begin_stage,
    fingerprints,
    finish_stage,
    stage_state,
    take_back_stage,
    wanted_record,
)
from rearrange.workspace.values import from_plain, to_plain

__all__ = [
    "ArrangementFolder",
    "Fingerprint",
    "Hashes",
    "Record",
    "Source",
    "State",
    "StemFiles",
    "TrackFiles",
    "Workspace",
    "begin_stage",
    "fingerprints",
    "finish_stage",
    "from_plain",
    "read_json",
    "read_record",
    "safe_name",
    "set_aside",
    "stage_state",
    "take_back_stage",
    "to_plain",
    "wanted_record",
    "write_json",
    "write_record",
]
