from pathlib import Path

import pytest

from rearrange.errors import UsageError, WorkspaceError
from rearrange.evaluation.report.gather import facts_of
from rearrange.genre import load_genre
from rearrange.midi import write_score
from rearrange.pipeline.choices import settings_for
from rearrange.pipeline.engine import run
from rearrange.pipeline.song import open_song
from rearrange.pipeline.stages import stages_between
from tests.songs import band_song


def test_a_midi_files_facts_are_gathered_from_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "band.mid"
    write_score(path, band_song(n_bars=16))
    with open_song(tmp_path / "w", path) as song:
        song.genre = load_genre("jazz")
        song.arrangement = song.workspace.arrangement("jazz")
        records = stages_between("separate", "arrange")
        run(song, records, settings_for(song, records, {}, keep=False))
        facts = facts_of(song)
    assert facts.summary[0].startswith("The song: 16 bars of 4/4, C major, 110 bpm")
    assert any("instead of flute" in change.text for change in facts.changes)  # MIDI: its instruments are known
    assert [entry.name for entry in facts.card] == ["content", "melody", "chords", "genre", "variety"]
    assert facts.recipe[0].lines[0].value == "rearrange convert band.mid --genre jazz --seed 0"
    assert all(1 <= weak.bar <= 16 for weak in facts.weak_bars)


def test_a_folder_without_an_arrangement_says_so(tmp_path: Path) -> None:
    path = tmp_path / "band.mid"
    write_score(path, band_song(n_bars=4))
    with open_song(tmp_path / "w", path) as song:
        with pytest.raises(WorkspaceError):
            facts_of(song)
        records = stages_between("separate", "analyse")
        run(song, records, settings_for(song, records, {}, keep=False))
        with pytest.raises(UsageError):
            facts_of(song)
