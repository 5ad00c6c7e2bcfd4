"""The page as a stage: made by convert, skipped where nothing changed, never stale."""

import re
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from rearrange.midi import write_performance
from rearrange.score import NoteEvent, Part, Performance
from tests.command_line import Cli, cli, quick, song
from tests.songs import band_song

__all__ = ["cli", "quick", "song"]  # fixtures

PAGE = "song.rearrange/arrangements/rock/report.html"


@pytest.fixture
def midi(cli: Cli) -> str:
    band = band_song(n_bars=4)
    parts = tuple(
        Part(
            track.name,
            tuple(
                NoteEvent(
                    float(band.timeline.seconds(n.onset_beat)), n.duration_beat * 60 / 110, n.pitch, n.velocity
                )
                for n in track.notes
            ),
            track.is_drum,
            program=track.program,
        )
        for track in band.tracks
    )
    write_performance("song.mid", Performance(parts, 9.0))
    return "song.mid"


def reasons(result: dict) -> dict[str, str]:
    return {name: stage["because"] for name, stage in result["stages"].items()}


def test_a_conversion_leaves_a_page_and_makes_it_again_only_for_a_reason(cli: Cli, midi: str) -> None:
    done = cli("convert", midi, "-g", "rock", "--json").json
    assert done["report"] == PAGE
    html = Path(PAGE).read_text(encoding="utf-8")
    assert "MIDI as it came" in html  # a MIDI file has no sound of its own: it is played
    sides = [re.search(f'id="sound-{side}">([^<]*)<', html) for side in "ab"]
    assert all(found and len(found[1]) > 20_000 for found in sides)
    figures = done["stages"]["report"]["figures"]
    assert figures["tracks"] == len(done["stages"]["arrange"]["figures"]["tracks"])
    assert figures["megabytes"] == pytest.approx(Path(PAGE).stat().st_size / 1e6, rel=0.02)

    before = Path(PAGE).stat().st_mtime_ns
    assert reasons(cli("convert", midi, "-g", "rock", "--json").json)["report"] == "up to date"
    assert Path(PAGE).stat().st_mtime_ns == before
    assert "page" in cli("convert", midi, "-g", "rock").out

    arrangement = Path(done["arrangement"])
    edited = mido.MidiFile(arrangement)
    bass = next(track for track in edited.tracks if any(m.type == "program_change" for m in track))
    bass[:] = [m.copy(note=m.note + 1) if m.type in ("note_on", "note_off") else m for m in bass]
    edited.save(arrangement)
    again = reasons(cli("convert", midi, "-g", "rock", "--json").json)
    assert "arrangement.mid" in again["report"]
    assert Path(PAGE).read_text(encoding="utf-8") != html


def test_another_mix_makes_another_page(cli: Cli, midi: str) -> None:
    cli("convert", midi, "-g", "rock")
    before = Path(PAGE).stat().st_mtime_ns
    files = cli("mix", "-w", "song.rearrange", "--loudness", "-20", "--json").json["files"]
    assert PAGE in files
    assert Path(PAGE).stat().st_mtime_ns != before


def test_without_a_page_none_is_left_that_shows_something_else(cli: Cli, midi: str) -> None:
    cli("convert", midi, "-g", "rock")
    assert "report" not in cli("convert", midi, "-g", "rock", "--no-report", "--json").json
    assert Path(PAGE).is_file()  # it still shows what lies beside it
    cli("convert", midi, "-g", "rock", "--no-report", "--loudness", "-20")
    assert not Path(PAGE).exists()
    assert PAGE not in cli("mix", "-w", "song.rearrange", "--loudness", "-18", "--json").json["files"]


def test_a_page_that_cannot_be_made_costs_nobody_the_song(
    cli: Cli, quick: object, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path("Größe 1.rearrange/arrangements/jazz/report.html")
    folder.mkdir(parents=True)
    done = cli("convert", song, "-g", "jazz")
    assert done.code == 1
    assert "report.html" in done.line
    assert Path("Größe 1.jazz.wav").is_file()


def test_a_mix_of_the_user_s_own_is_measured_anew(cli: Cli, midi: str) -> None:
    done = cli("convert", midi, "-g", "rock", "--json").json
    mix = Path(done["arrangement"]).with_name("mix.wav")
    sound, rate = soundfile.read(mix)
    soundfile.write(mix, np.zeros_like(sound), rate)
    assert "mix.wav" in reasons(cli("convert", midi, "-g", "rock", "--json").json)["report"]
    assert '"gains":{"a":1.0,"b":1.0}' in Path(PAGE).read_text(encoding="utf-8")
