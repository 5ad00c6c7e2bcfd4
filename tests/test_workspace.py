"""A song's folder: values survive, edits are noticed and kept, damage and kills are recovered from."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearrange.errors import MidiFormatError, OutputError, WorkspaceError
from rearrange.midi import write_arrangement, write_performance
from rearrange.score import (
    Arrangement,
    Chord,
    Key,
    Metre,
    Note,
    NoteEvent,
    Part,
    Performance,
    Role,
    Score,
    Section,
    Timeline,
    Track,
)
from rearrange.workspace import (
    Fingerprint,
    Hashes,
    Record,
    Source,
    Workspace,
    begin_stage,
    finish_stage,
    from_plain,
    read_record,
    safe_name,
    set_aside,
    stage_state,
    to_plain,
    wanted_record,
    write_record,
)

PERFORMANCE = Performance(
    (
        Part("vocals", (NoteEvent(0.1, 1 / 3, 60, 80, 0.61),), role=Role.MELODY),
        Part("drums", (NoteEvent(0.2, 0.1, 36, 99),), is_drum=True),
    ),
    7.0,
)
SCORE = Score(
    Timeline((0.0, 1.0, 8.0), (1 / 3, 0.9, 4.0), ((0.0, Metre(3, 4)),), 9.0, 0.8),
    Key(7, "minor", 0.4),
    (Chord(0.0, 3.0, 7, "min7", 10, 0.3),),
    (Section(0.0, 9.0, "verse", 0.123456789, 0.5),),
    (Track("vocals", Role.MELODY, 0, False, (Note(0.1 + 0.2, 1 / 7, 60, 80),), 0.9),),
    (0.1, 0.2, 0.3),
    1.62,
    "Ein Lied",
)
ARRANGEMENT = Arrangement(
    SCORE.timeline,
    "any",
    "plain",
    SCORE.key,
    SCORE.chords,
    SCORE.sections,
    (
        Track("Piano", Role.CHORDS, 0, False, (Note(0.5, 1.0, 60, 80), Note(0.5, 1.0, 64, 80))),
        Track("Bass", Role.BASS, 33, False, (Note(0.0, 1.0, 36, 90),), 0.5),
    ),
    seed=3,
    kept_stems=("vocals",),
    settings={"lock": ["bass"], "strength": 0.5},
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "Lied.rearrange", create=True)
    workspace.write_source(Source("/music/Lied.wav", "audio", "Lied", Fingerprint("0", 1, 2)))
    return workspace


def tone(n: int, hz: float = 440.0) -> np.ndarray:
    return np.tile(0.5 * np.sin(2 * np.pi * hz * np.arange(n) / 8000), (2, 1)).astype(np.float32)


# --- values


@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        Performance,
        st.lists(
            st.builds(
                Part,
                st.text(),
                st.lists(
                    st.builds(
                        NoteEvent, st.floats(0, 9), st.floats(0, 9), st.integers(0, 127), st.integers(1, 127)
                    )
                ).map(tuple),
                st.booleans(),
                st.none() | st.sampled_from(Role),
                st.none() | st.integers(0, 127),
            )
        ).map(tuple),
        st.floats(0, 1e5),
    )
)
def test_values_survive_exactly(performance: Performance) -> None:
    import json

    assert from_plain(Performance, json.loads(json.dumps(to_plain(performance)))) == performance


@pytest.mark.parametrize(
    "plain",
    [
        {"tonic": 1},
        {"tonic": 1, "mode": "minor", "wrong": 2},
        {"tonic": "C", "mode": "minor"},
        {"tonic": True, "mode": "minor"},
        [1, "minor"],
        None,
    ],
)
def test_what_is_not_the_value_is_an_error(plain: object) -> None:
    with pytest.raises(ValueError):
        from_plain(Key, plain)


def test_artefacts_survive_exactly(workspace: Workspace) -> None:
    workspace.write_performance(PERFORMANCE)
    workspace.write_score(SCORE)
    assert workspace.read_performance() == PERFORMANCE
    assert workspace.read_score() == SCORE
    folder = workspace.arrangement("any")
    folder.write_arrangement(ARRANGEMENT, title="x")
    back = folder.read_arrangement()
    assert back == ARRANGEMENT  # all its notes lie on the grid of a MIDI file
    assert workspace.arrangement_names() == ["any"]


def test_stems_are_written_in_blocks_and_read_one_by_one(workspace: Workspace) -> None:
    left, right = tone(8000), tone(8000, 220.0)
    workspace.write_stems(
        ({"vocals": left[:, i : i + 999], "bass": right[:, i : i + 999]} for i in range(0, 8000, 999)), 8000
    )
    stems = workspace.read_stems()
    assert sorted(stems) == ["bass", "vocals"]
    assert stems["vocals"].sample_rate == 8000
    assert np.max(np.abs(stems["bass"].samples - right)) < 1e-6
    assert len(stems) == 2


def test_stems_that_break_off_leave_nothing(workspace: Workspace) -> None:
    def blocks():
        yield {"vocals": tone(1000)}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workspace.write_stems(blocks(), 8000)
    assert list((workspace.folder / "stems").iterdir()) == []


def test_a_damaged_stem_is_one_error(workspace: Workspace) -> None:
    workspace.write_stems([{"vocals": tone(8000)}], 8000)
    path = workspace.stem_paths["vocals"]
    path.write_bytes(b"no sound at all")
    with pytest.raises(WorkspaceError, match=r"vocals\.flac"):
        workspace.read_stems()["vocals"]


# --- edited in a DAW


def test_an_edited_arrangement_is_what_is_played(workspace: Workspace) -> None:
    folder = workspace.arrangement("any")
    folder.write_arrangement(ARRANGEMENT, title="x")
    bass = replace(ARRANGEMENT.tracks[1], notes=(Note(0.0, 2.0, 40, 70),))
    banjo = Track("Banjo", Role.COUNTER, 105, False, (Note(8.0, 0.5, 70, 80),))
    faster = ARRANGEMENT.timeline.scaled(1.25)
    edited = replace(ARRANGEMENT, tracks=(bass, banjo), timeline=faster)
    write_arrangement(folder.midi_path, edited)
    back = folder.read_arrangement()
    assert back.tracks == (bass, banjo)
    assert (back.genre, back.kept_stems, back.settings) == ("any", ("vocals",), ARRANGEMENT.settings)
    assert float(back.timeline.seconds(8.0)) == pytest.approx(float(faster.seconds(8.0)), abs=1e-3)


def test_an_edited_transcription_is_what_is_analysed(workspace: Workspace) -> None:
    workspace.write_performance(PERFORMANCE)

    edited = Performance((Part("bass", (NoteEvent(1.0, 0.5, 40, 80),), role=Role.BASS),), 7.0)
    write_performance(workspace.folder / "performance.mid", edited)
    assert workspace.read_performance() == edited


def test_an_unreadable_edit_is_an_error_that_names_it(workspace: Workspace) -> None:
    folder = workspace.arrangement("any")
    folder.write_arrangement(ARRANGEMENT, title="x")
    folder.midi_path.write_bytes(b"garbage")
    with pytest.raises(MidiFormatError, match=r"arrangement\.mid"):
        folder.read_arrangement()


def test_what_is_set_aside_is_numbered(tmp_path: Path) -> None:
    names = []
    for text in "abc":
        (tmp_path / "x.mid").write_text(text)
        names.append(set_aside(tmp_path / "x.mid").relative_to(tmp_path).as_posix())
    assert names == ["edited/x.mid", "edited/x 2.mid", "edited/x 3.mid"]
    assert (tmp_path / "edited" / "x 2.mid").read_text() == "b"


# --- damage


@pytest.mark.parametrize("content", ["", "{", "[]", '{"parts": 3}', '{"timeline": {}}', "\x00\xff", "[" * 100_000])
def test_damaged_json_is_one_error_that_names_the_file(workspace: Workspace, content: str) -> None:
    workspace.write_score(SCORE)
    workspace.write_performance(PERFORMANCE)
    for name, read in (("analysis.json", workspace.read_score), ("performance.json", workspace.read_performance)):
        (workspace.folder / name).write_text(content, encoding="latin-1")
        with pytest.raises(WorkspaceError, match=name):
            read()
    (workspace.folder / "source.json").write_text(content, encoding="latin-1")
    with pytest.raises(WorkspaceError, match=r"source\.json"):
        _ = workspace.source


def test_what_is_missing_says_which_command_makes_it(workspace: Workspace) -> None:
    for read, command in (
        (workspace.read_stems, "separate"),
        (workspace.read_performance, "transcribe"),
        (workspace.read_score, "analyse"),
        (workspace.arrangement("any").read_arrangement, "arrange"),
    ):
        with pytest.raises(WorkspaceError) as caught:
            read()
        assert command in caught.value.hint


def test_a_folder_that_is_not_there_or_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="no such folder"):
        Workspace(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        Workspace(tmp_path / "file" / "x.rearrange", create=True)
    with pytest.raises(OutputError, match="cannot be made"):
        Workspace(Path("/proc/x.rearrange"), create=True)


# --- hashes


def test_hashes_notice_every_edit_of_a_small_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(b"one")
    hashes = Hashes()
    first = hashes.of(path)
    assert first is not None
    path.write_bytes(b"two")  # same size
    os.utime(path, ns=(first.mtime_ns, first.mtime_ns))  # and same time
    second = hashes.of(path)
    assert second is not None
    assert second.sha256 != first.sha256
    assert hashes.of(tmp_path / "none") is None


def test_large_files_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(bytes(9 << 20))
    first = Hashes().of(path)
    assert first is not None
    hashes = Hashes()
    hashes.remember(path, first)
    monkeypatch.setattr("hashlib.file_digest", None)  # calling it would fail
    assert hashes.of(path) == first
    monkeypatch.undo()
    with path.open("r+b") as file:
        file.write(b"x")
    os.utime(path, ns=(first.mtime_ns + 1, first.mtime_ns + 1))
    changed = hashes.of(path)
    assert changed is not None
    assert changed.sha256 != first.sha256


# --- records


def run_stage(workspace: Workspace, text: str, **wanted: object) -> str:
    """Run a stage that copies `in.txt`, as the pipeline does. Returns why it ran, or nothing."""
    path = workspace.record_path("copy")
    before = read_record(path)
    arguments = {"version": 1, "settings": {"seed": 1}, "inputs": [workspace.folder / "in.txt"], "outside": {}}
    record = wanted_record(workspace, "copy", before=before, **(arguments | wanted))
    state = stage_state(workspace, before, record)
    if state.reason:
        out = workspace.folder / "out.txt"
        begin_stage(path, before, record, state, [out])
        out.write_text(text)
        finish_stage(workspace, path, before, record, [out])
    return state.reason


def test_a_stage_runs_when_something_has_changed_and_only_then(workspace: Workspace, tmp_path: Path) -> None:
    source, out = workspace.folder / "in.txt", workspace.folder / "out.txt"
    weights = tmp_path / "weights"
    source.write_text("1")
    weights.write_text("1")
    outside = {"weights": weights}
    assert run_stage(workspace, "1", outside=outside) == "it has not been made"
    assert run_stage(workspace, "1", outside=outside) == ""
    source.write_text("2")
    assert run_stage(workspace, "2", outside=outside) == "changed: in.txt"
    weights.write_text("2")
    assert run_stage(workspace, "2", outside=outside) == "changed: weights"
    assert run_stage(workspace, "3", outside=outside, settings={"seed": 2}) == "other settings: seed"
    assert run_stage(workspace, "3", outside=outside, settings={"seed": 2}, version=2) == "the stage has changed"
    out.unlink()
    assert run_stage(workspace, "3", outside=outside, settings={"seed": 2}, version=2) == "missing: out.txt"
    assert run_stage(workspace, "3", outside=outside, settings={"seed": 2}, version=2) == ""


def test_an_edit_is_kept_and_set_aside_when_the_stage_must_run(workspace: Workspace) -> None:
    source, out = workspace.folder / "in.txt", workspace.folder / "out.txt"
    source.write_text("1")
    run_stage(workspace, "ours")
    out.write_text("mine")
    assert run_stage(workspace, "ours") == ""
    assert out.read_text() == "mine"
    source.write_text("2")
    assert run_stage(workspace, "new") != ""
    assert out.read_text() == "new"
    assert (workspace.folder / "edited" / "out.txt").read_text() == "mine"


def test_a_stage_that_was_killed_runs_again_and_its_leavings_are_no_edit(workspace: Workspace) -> None:
    source, out = workspace.folder / "in.txt", workspace.folder / "out.txt"
    source.write_text("1")
    run_stage(workspace, "1")
    path = workspace.record_path("copy")
    before = read_record(path)
    record = wanted_record(
        workspace, "copy", version=2, settings={"seed": 1}, inputs=[source], outside={}, before=before
    )
    begin_stage(path, before, record, stage_state(workspace, before, record), [out])
    out.write_text("half")
    assert run_stage(workspace, "whole", version=2) == "it was broken off"
    assert not (workspace.folder / "edited").exists()
    assert out.read_text() == "whole"


def test_what_only_the_last_run_made_is_deleted(workspace: Workspace) -> None:
    path = workspace.record_path("x")
    files = [workspace.folder / name for name in ("a", "b")]
    for file in files:
        file.touch()
    record = Record("x", 1, {}, {}, {}, {})
    first = finish_stage(workspace, path, None, record, files)
    finish_stage(workspace, path, first, record, files[1:])
    assert [file.exists() for file in files] == [False, True]


@pytest.mark.parametrize("content", ["", "null", "{}", '{"stage": "x"}', "[1]"])
def test_a_damaged_record_is_as_good_as_none(workspace: Workspace, content: str) -> None:
    path = workspace.record_path("x")
    write_record(path, Record("x", 1, {"a": None, "b": [1, 2.5]}, {}, {}, {"f": Fingerprint("0", 1, 2)}))
    assert read_record(path) is not None
    path.write_text(content)
    assert read_record(path) is None


# --- the folder


def test_two_processes_do_not_write_in_one_folder(workspace: Workspace) -> None:
    code = (
        "import sys; from pathlib import Path; from rearrange.workspace import Workspace\n"
        "with Workspace(Path(sys.argv[1])).locked(): pass"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(workspace.folder)]
    with workspace.locked():
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert "another process is at work" in done.stderr
    subprocess.run(command, env=environment, check=True)


def test_what_a_killed_run_left_is_cleared_away(workspace: Workspace) -> None:
    tracks = workspace.folder / "arrangements" / "x" / "tracks"
    tracks.mkdir(parents=True)
    left = [workspace.folder / ".abc.part.json", tracks / ".xyz.part.flac"]
    kept = [tracks / "Piano.flac", tracks / ".hidden"]
    for path in (*left, *kept):
        path.touch()
    with workspace.locked():
        assert not any(path.exists() for path in left)
        assert all(path.exists() for path in kept)


@given(st.text(max_size=200))
def test_every_name_becomes_a_file_name(name: str) -> None:
    safe = safe_name(name)
    assert safe == safe_name(safe)
    assert 0 < len(safe.encode()) <= 80
    assert not set(safe) & set('/\\:*?"<>|\0')
    assert safe not in (".", "..")
    assert not safe.startswith(".")


def test_tracks_get_files_of_their_own(workspace: Workspace) -> None:
    names = ["Piano", "piano", "Ba/ss", "Ba:ss", "Gitárre 2"]
    paths = workspace.arrangement("söng").track_paths(names)
    assert [path.name for path in paths.values()] == [
        "Piano.flac",
        "piano 2.flac",
        "Ba_ss.flac",
        "Ba_ss 2.flac",
        "Gitárre 2.flac",
    ]
