"""The pipeline, with stages that are quick: what runs, what is skipped, and what a stop leaves behind."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rearrange.errors import (
    AudioFormatError,
    CancelledError,
    MidiFormatError,
    ModelError,
    UsageError,
    WorkspaceError,
)
from rearrange.genre import load_genre
from rearrange.midi import write_arrangement
from rearrange.pipeline.choices import settings_for
from rearrange.pipeline.engine import Stage, run
from rearrange.pipeline.song import Song, genre_reference, open_song, song_kind, the_arrangement
from rearrange.pipeline.stages import STAGES, stages_between
from rearrange.progress import Progress, silent
from rearrange.score import Arrangement, Note, Role, Track
from rearrange.score import Key as SongKey
from rearrange.workspace import read_record
from tests.quick_stages import FUNCTIONS, NOTE, TIMELINE, Plain, mix, stages


class Bench:
    """A song, and a folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.song = folder / "Größe.wav"
        self.folder = folder / "Größe.rearrange"
        soundfile.write(self.song, np.zeros((800, 2)), 8000)

    def run(
        self,
        records: list[Stage] | None = None,
        *,
        given: Mapping[str, Mapping[str, object]] | None = None,
        genre: str = "jazz",
        again_from: str | None = None,
        progress: Progress = silent,
    ) -> list[str]:
        """Run all stages; the names of those that did something."""
        records = records or stages()
        with open_song(self.folder, self.song) as song:
            song.genre = load_genre(genre)
            song.arrangement = song.workspace.arrangement(genre)
            settings = settings_for(song, records, given or {}, keep=False)
            report = run(song, records, settings, again_from=again_from, progress=progress)
        return [stage.name for stage in report.stages if stage.reason]

    @property
    def midi(self) -> Path:
        return self.folder / "arrangements" / "jazz" / "arrangement.mid"

    @property
    def mix(self) -> Path:
        return self.folder / "arrangements" / "jazz" / "mix.wav"


ALL = [stage.name for stage in STAGES]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_an_impossible_choice_does_not_stick(bench: Bench) -> None:
    def fails(_song: Song, _settings: object, _progress: Progress) -> Mapping[str, object]:
        raise ModelError("no model is called 'foo'")

    wrong = {"separate": {"separator": "foo"}}
    records = stages(real_settings=True)
    with pytest.raises(ModelError):
        bench.run(stages(real_settings=True, separate=fails), given=wrong)
    assert bench.run(records) == ALL  # with the default separator again
    with pytest.raises(ModelError):
        bench.run(stages(real_settings=True, separate=fails), given=wrong)
    assert bench.run(records) == []


def test_an_arrangement_without_notes_is_told_not_rendered(bench: Bench) -> None:
    bench.run()
    sounds = sorted(bench.midi.parent.glob("tracks/*.flac"))
    whole = bench.midi.read_bytes()
    bench.midi.write_bytes(whole[:120])
    with pytest.raises(MidiFormatError, match="no notes"):
        bench.run()
    assert sorted(bench.midi.parent.glob("tracks/*.flac")) == sounds
    bench.midi.unlink()
    assert "arrange" in bench.run()


def test_the_folder_is_as_designed(bench: Bench) -> None:
    assert bench.run() == ALL
    names = {path.relative_to(bench.folder).as_posix() for path in bench.folder.rglob("*") if path.is_file()}
    assert names >= {
        *("source.json", "stems/vocals.flac", "stems/bass.flac", "performance.mid", "score.mid", "analysis.json"),
        *("separate.json", "transcribe.json", "analyse.json"),
        *(f"arrangements/jazz/{name}" for name in ("arrangement.mid", "arrangement.json", "mix.wav")),
        *(f"arrangements/jazz/{name}.json" for name in ("arrange", "render", "mix")),
        *("arrangements/jazz/tracks/Piano.flac", "arrangements/jazz/tracks/bass.flac"),
    }
    assert not [name for name in names if ".part" in name]


def test_nothing_is_made_twice(bench: Bench) -> None:
    bench.run()
    before = {path: path.stat().st_mtime_ns for path in bench.folder.rglob("*.flac")}
    assert bench.run() == []
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert bench.run(genre="rock") == ["arrange", "render", "mix"]
    assert bench.run(again_from="arrange") == ["arrange", "render", "mix"]


def test_only_what_follows_a_change_is_made_again(bench: Bench) -> None:
    bench.run()
    assert bench.run(given={"arrange": {"seed": 1}}) == ["arrange", "render", "mix"]
    assert bench.run() == ["arrange", "render", "mix"]  # back to the default seed
    assert bench.run(given={"separate": {"separator": "bb"}}) == ALL
    assert bench.run() == []  # the song's own stages keep what was chosen
    soundfile.write(bench.song, np.zeros((1600, 2)), 8000)
    # The stems come out the same, so that nothing after them changes.
    assert bench.run() == ["separate", "analyse"]


def test_another_version_of_a_stage_runs_again(bench: Bench) -> None:
    bench.run()
    records = stages()
    newer = Stage("mix", 99, Plain, records[5].inputs, records[5].outputs, mix)
    assert bench.run([*records[:5], newer]) == ["mix"]


def test_an_edited_arrangement_is_kept_and_only_what_follows_runs(bench: Bench) -> None:
    bench.run()
    edited = Track("Piano", Role.CHORDS, 0, False, (Note(0.0, 1.0, 100, 80),))
    write_arrangement(bench.midi, Arrangement(TIMELINE, "x", "y", SongKey(0, "major"), (), (), (edited,), seed=0))
    bytes_before = bench.midi.read_bytes()
    assert bench.run() == ["render", "mix"]
    assert bench.midi.read_bytes() == bytes_before
    assert soundfile.read(bench.mix)[0].max() == pytest.approx(0.5, abs=1e-3)
    assert not (bench.midi.parent / "tracks" / "bass.flac").exists()  # the track was taken out
    assert bench.run() == []
    assert bench.run(given={"arrange": {"seed": 5}}) == ["arrange", "render", "mix"]
    assert (bench.midi.parent / "edited" / "arrangement.mid").read_bytes() == bytes_before


def test_an_edited_stem_and_an_edited_transcription_are_used(bench: Bench) -> None:
    bench.run()
    soundfile.write(bench.folder / "stems" / "bass.flac", np.full((800, 2), 0.9), 8000)
    assert bench.run() == ["transcribe", "analyse", "arrange", "render", "mix"]
    assert bench.run() == []


def test_an_unreadable_edit_of_midi_is_told_and_left_alone(bench: Bench) -> None:
    bench.run()
    bench.midi.write_bytes(b"garbage")
    with pytest.raises(MidiFormatError, match=r"arrangement\.mid"):
        bench.run()
    assert bench.midi.read_bytes() == b"garbage"
    bench.midi.unlink()
    assert bench.run() == ["arrange"]  # and comes out as before


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("stems/bass.flac", ["separate"]),
        ("analysis.json", ["analyse"]),
        ("performance.json", ["transcribe"]),
        ("arrangements/jazz/tracks/Piano.flac", ["render"]),
        ("arrangements/jazz/mix.wav", ["mix"]),
        ("arrangements/jazz/arrangement.json", ["arrange"]),
    ],
)
@pytest.mark.parametrize("content", [b"", b"damaged"])
def test_what_is_damaged_is_made_again(bench: Bench, name: str, expected: list[str], content: bytes) -> None:
    bench.run()
    good = (bench.folder / name).read_bytes()
    (bench.folder / name).write_bytes(content)
    assert bench.run() == expected
    assert (bench.folder / name).read_bytes() == good
    assert bench.run() == []


@pytest.mark.parametrize("name", ["separate.json", "analyse.json", "arrangements/jazz/mix.json"])
def test_a_damaged_record_only_costs_its_stage(bench: Bench, name: str) -> None:
    bench.run()
    (bench.folder / name).write_text("{")
    assert bench.run() == [Path(name).stem]
    assert bench.run() == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, CancelledError("stopped"), SystemExit, OSError(28, "full")])
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("after", [False, True])
def test_a_stop_in_any_stage_leaves_what_the_next_run_completes(
    bench: Bench, name: str, stop: BaseException, after: bool
) -> None:
    def stopped(song: Song, settings: Plain, progress: Progress) -> Mapping[str, object]:
        if after:  # all is written, but the record is not
            FUNCTIONS[name](song, settings, progress)
        raise stop

    with pytest.raises(stop if isinstance(stop, type) else type(stop)):
        bench.run(stages(**{name: stopped}))
    assert bench.run() == ALL[ALL.index(name) :]
    assert bench.run() == []
    assert not list(bench.folder.rglob("edited"))


def test_a_stop_by_progress_ends_the_run(bench: Bench) -> None:
    def cancel(fraction: float, message: str) -> None:
        if message.startswith("transcribe"):
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        bench.run(progress=cancel)
    assert bench.run() == ALL[1:]


def test_a_first_stage_that_fails_leaves_no_folder(bench: Bench) -> None:
    def failed(song: Song, settings: Plain, progress: Progress) -> Mapping[str, object]:
        raise AudioFormatError("no music")

    with pytest.raises(AudioFormatError):
        bench.run(stages(separate=failed))
    assert not bench.folder.exists()
    bench.folder.mkdir()
    (bench.folder / "mine.txt").touch()
    with pytest.raises(AudioFormatError):
        bench.run(stages(separate=failed))
    assert (bench.folder / "mine.txt").exists()


def test_progress_rises_from_0_to_1(bench: Bench) -> None:
    seen: list[float] = []
    bench.run(progress=lambda fraction, message: seen.append(fraction))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, pytest.approx(1.0))


def test_records_hold_what_a_run_was_made_of(bench: Bench) -> None:
    bench.run(given={"arrange": {"seed": 4}})
    record = read_record(bench.folder / "arrangements" / "jazz" / "arrange.json")
    assert record is not None
    assert record.settings == {"seed": 4, "separator": "a", "genre": "jazz"}
    assert set(record.inputs) == {"analysis.json"}
    assert {len(fingerprint.sha256) for fingerprint in record.outputs.values()} == {64}
    assert record.finished
    assert record.peak_memory_bytes > 1 << 20
    assert record.figures == {"seed": 4}


# --- songs


def test_a_midi_song_enters_at_analyse(bench: Bench, tmp_path: Path) -> None:
    bench.song = tmp_path / "song.mid"
    write_arrangement(bench.song, Arrangement(TIMELINE, "x", "y", SongKey(0, "major"), (), (), (NOTE,), seed=0))
    assert bench.run() == ["analyse", "arrange", "render", "mix"]
    assert bench.run() == []


def test_songs_are_told_apart(bench: Bench, tmp_path: Path) -> None:
    bench.run()
    moved = tmp_path / "elsewhere.wav"
    bench.song.rename(moved)
    bench.song = moved
    assert bench.run() == []  # the same song in another place
    other = tmp_path / "other.wav"
    soundfile.write(other, np.ones((900, 1)) / 2, 8000)
    bench.song = other
    with pytest.raises(WorkspaceError, match="another song"):
        bench.run()


def test_what_is_not_a_song(tmp_path: Path) -> None:
    for path, complaint in ((tmp_path, "folder"), (tmp_path / "none.wav", "No such file")):
        with pytest.raises(AudioFormatError, match=complaint):
            song_kind(path)
    (tmp_path / "x.MID").write_bytes(b"")
    (tmp_path / "y.wav").write_bytes(b"MThd")
    (tmp_path / "z").write_bytes(b"RIFF")
    kinds = [song_kind(tmp_path / name) for name in ("x.MID", "y.wav", "z")]
    assert kinds == ["midi", "midi", "audio"]


def test_arrangements_by_name(bench: Bench) -> None:
    bench.run()
    with open_song(bench.folder) as song:
        assert the_arrangement(song.workspace, None).name == "jazz"
        bench.run(genre="rock")
        with pytest.raises(UsageError, match="several"):
            the_arrangement(song.workspace, None)
        with pytest.raises(UsageError, match="no arrangement 'polka'"):
            the_arrangement(song.workspace, "polka")


def test_stage_names_are_checked() -> None:
    assert [stage.name for stage in stages_between("analyse", "render")] == ["analyse", "arrange", "render"]
    with pytest.raises(UsageError, match="comes after"):
        stages_between("mix", "arrange")
    with pytest.raises(UsageError, match="no stage"):
        stages_between("mix", "polish")


def test_a_genre_of_the_users_own_is_found_by_its_file_whatever_its_name(tmp_path: Path) -> None:
    packaged = load_genre("jazz")
    own = tmp_path / "jazz.toml"
    own.write_bytes(packaged.path.read_bytes())
    assert genre_reference(packaged) == "jazz"
    assert genre_reference(load_genre(own)) == str(own)
