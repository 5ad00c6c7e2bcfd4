"""The real pipeline from end to end, on a small band and a tiny soundfont."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from rearrange.audio import write_audio
from rearrange.midi import write_performance
from rearrange.score import NoteEvent, Part, Performance, Score
from tests.command_line import Cli, cli
from tests.songs import band_song
from tests.sounds import band
from tests.synth.sf2 import write_sf2

__all__ = ["cli"]  # a fixture


@pytest.fixture(scope="module")
def band_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("band") / "Bänd.wav"
    write_audio(path, band(band_song(n_bars=8)))
    return path


@pytest.mark.slow
def test_a_song_becomes_another(cli: Cli, band_wav: Path) -> None:
    result = cli("convert", band_wav, "-g", "jazz", "--json").json
    sound, rate = soundfile.read(result["output"])
    assert rate == 44100
    assert np.sqrt(np.mean(sound**2)) > 0.02
    assert result["loudness_lufs"] == pytest.approx(-14.0, abs=1.0)
    assert result["true_peak_dbtp"] <= -0.9
    assert result["tempo_bpm"] == pytest.approx(110.0, abs=1.5)
    assert result["chroma_similarity"] > 0.5
    second = cli("convert", band_wav, "-g", "rock", "--json").json
    ran = [name for name, stage in second["stages"].items() if stage["because"] != "up to date"]
    assert ran == ["arrange", "render", "mix", "report"]
    preview = cli("preview", "-w", "Bänd.rearrange", "--name", "rock", "--bars", "2", "--json").json
    assert preview["previews"][0]["duration_s"] < 12
    midi = Path(second["arrangement"])
    first_bytes = midi.read_bytes()
    assert cli("convert", band_wav, "-g", "rock", "--from", "arrange").code == 0
    assert midi.read_bytes() == first_bytes  # the same seed gives the same notes


@pytest.mark.slow
def test_signals_in_every_stage_and_a_last_run_that_completes(cli: Cli, band_wav: Path) -> None:
    """Real signals to a real process: Ctrl-C in each stage, or a kill, and the work goes on from there."""
    command = [sys.executable, "-m", "rearrange", "convert", str(band_wav), "-g", "rock"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for stage in ("separate", "transcribe", "analyse", "arrange", "render", "mix"):
        for sent, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
            with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
                assert process.stderr is not None
                while (line := process.stderr.readline()) != f"{stage} ...\n":
                    assert line, f"{stage} was never reached"
                process.send_signal(sent)
                rest = process.stderr.read()
            assert process.returncode == code
            assert "Traceback" not in rest
            assert not Path("Bänd.rock.wav").exists()
    result = cli("convert", band_wav, "-g", "rock", "--json").json
    assert [name for name, item in result["stages"].items() if item["because"] != "up to date"] == [
        "mix",
        "report",
    ]
    assert not list(Path().rglob("*.part*"))
    assert not list(Path().rglob("edited"))


@pytest.mark.slow
def test_a_preview_of_a_song_leaves_nothing_but_itself(cli: Cli, band_wav: Path) -> None:
    done = cli("preview", band_wav, "-g", "rock", "--bars", "4")
    assert done.code == 0
    assert [path.name for path in Path().iterdir()] == ["Bänd.rock.preview.wav"]
    sound, _ = soundfile.read("Bänd.rock.preview.wav")
    assert np.abs(sound).max() > 0.05


@pytest.mark.slow
def test_the_voice_is_kept_in_time(cli: Cli, band_wav: Path) -> None:
    result = cli("convert", band_wav, "-g", "rock", "--vocals", "keep", "--tempo", "120", "--json").json
    assert result["stages"]["arrange"]["figures"]["kept_stems"] == ["vocals"]
    assert Path("Bänd.rearrange/arrangements/rock/tracks/vocals.flac").is_file()
    assert cli("preview", "-w", "Bänd.rearrange", "--bars", "2").code == 0


def written(path: str, song: Score) -> None:
    """A song as a MIDI file."""
    parts = tuple(
        Part(
            track.name,
            tuple(
                NoteEvent(
                    float(song.timeline.seconds(n.onset_beat)),
                    n.duration_beat * 60 / 110,
                    n.pitch,
                    n.velocity,
                )
                for n in track.notes
            ),
            track.is_drum,
            program=track.program,
        )
        for track in song.tracks
    )
    write_performance(path, Performance(parts, 20.0))


def test_a_midi_song_becomes_another(cli: Cli, tmp_path: Path) -> None:
    written("song.mid", band_song(n_bars=8))
    result = cli("convert", "song.mid", "-g", "rock", "--json").json
    assert list(result["stages"]) == ["analyse", "arrange", "render", "mix", "report"]
    assert Path(result["output"]).stat().st_size > 100_000
    edited = mido.MidiFile(result["arrangement"])
    bass = next(track for track in edited.tracks if any(m.type == "program_change" for m in track))
    bass[:] = [m.copy(note=m.note + 1) if m.type in ("note_on", "note_off") else m for m in bass]
    edited.save(result["arrangement"])
    again = cli("convert", "song.mid", "-g", "rock", "--json").json["stages"]
    assert again["arrange"]["edited"] == ["arrangements/rock/arrangement.mid"]
    assert again["render"]["figures"]["rendered"] == 1  # the track that was edited, and no other
    assert again["mix"]["because"] != "up to date"
    square = write_sf2(tmp_path / "square.sf2", waveform="square")
    fonts = ("--soundfont", "tiny", "--soundfont", square)
    previews = cli("preview", "-w", "song.rearrange", "--bars", "2", *fonts, "--json").json["previews"]
    names = [Path(preview["output"]).name for preview in previews]
    assert names == ["song.rock.preview.tiny.wav", "song.rock.preview.square.wav"]
    assert Path(names[0]).read_bytes() != Path(names[1]).read_bytes()
    assert cli("convert", "song.mid", "-g", "rock", "--vocals", "keep").line.startswith("rearrange: [usage] ")
    assert cli("separate", "-w", "song.rearrange").code == 2


def test_the_network_drums_and_is_shown_how_by_another_song(cli: Cli) -> None:
    song = band_song(n_bars=8)
    written("song.mid", song)
    written("shown.mid", replace(song, tracks=tuple(track for track in song.tracks if track.is_drum)))
    made: list[bytes] = []
    for more in ((), ("--arranger", "transformer"), ("--like", "shown.mid")):
        result = cli("convert", "song.mid", "-g", "rock", "--no-report", *more, "--json").json
        made.append(Path(result["arrangement"]).read_bytes())
        again = cli("convert", "song.mid", "-g", "rock", "--no-report", *more, "--json").json
        assert {stage["because"] for stage in again["stages"].values()} == {"up to date"}
    assert len(set(made)) == 3
    assert (Path("song.rearrange/references") / next(os.walk("song.rearrange/references"))[1][0]).is_dir()
    missing = cli("convert", "song.mid", "-g", "rock", "--like", "nobody.mid")
    assert missing.code != 0
    assert "nobody.mid: cannot be read" in missing.line
    assert "cannot redo 'drums'" in cli("convert", "song.mid", "-g", "rock", "--redo", "drums").line


def test_a_soundfont_is_chosen_by_path(cli: Cli, tmp_path: Path) -> None:
    write_sf2(tmp_path / "square.sf2", waveform="square")
    write_performance("s.mid", Performance((Part("p", (NoteEvent(0.0, 4.0, 60, 90),)),), 8.0))
    first = cli("convert", "s.mid", "-g", "rock", "--json")
    if first.code == 0:
        second = cli("convert", "s.mid", "-g", "rock", "--soundfont", tmp_path / "square.sf2", "--json").json
        ran = [name for name, stage in second["stages"].items() if stage["because"] != "up to date"]
        assert ran == ["render", "mix", "report"]
