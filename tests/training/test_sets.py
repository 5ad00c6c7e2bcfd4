"""What training may see: the sets without the held-out songs, and no way around the one door to them."""

import ast
import csv
import tarfile
from pathlib import Path

import pytest

import rearrange.training
from rearrange.errors import UsageError
from rearrange.evaluation.corpora import corpus, held_out
from rearrange.midi import write_performance, write_score
from rearrange.score import NoteEvent, Part, Performance
from rearrange.training import metre, sets
from tests.songs import band_song

TRAINING = Path(rearrange.training.__file__).parent
SEED = 1
# Ids that the real split does not hold out.
FREE = {
    "pop909": ["001", "002"],
    "freedoom": ["free_one", "free_two"],
    "gmd": ["stranger/session1/1_rock_120_beat_4-4", "stranger/session1/2_rock_120_beat_3-4"],
    "openscore_lieder": ["lc0000001", "lc0000002"],
}
# What opens archives, lists folders or walks them; training gets its songs through `training_songs`.
CLOSED_DOORS = {"glob", "rglob", "iglob", "iterdir", "listdir", "scandir", "walk", "extractall", "songs_of"}
CLOSED_MODULES = {"tarfile", "zipfile", "glob", "shutil"}
# What is no song: our own checkpoints, banks and packages, single notes, the path of a program. A package packs
# sets without their held-out songs (test_package).
OPEN = {
    "htdemucs_state.py": {"glob", "iterdir"},
    "package.py": {"tarfile", "zipfile", "glob", "rglob", "extractall"},
    "samples.py": {"glob"},
    "separator_crops.py": {"zipfile"},
    "voices.py": {"shutil"},
}


def some_held_out(name: str) -> list[str]:
    """Ids as the real split has them; of a folder that is held out, a song in it."""
    listed = sorted(corpus(name).test)[:2] + sorted(corpus(name).judge)[:2]
    return [f"{each}/9_rock_120_beat_4-4" if name == "gmd" and each.count("/") < 2 else each for each in listed]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every set that training uses, with songs of ours under ids that are held out and ids that are not."""
    data = tmp_path_factory.mktemp("symbolic")
    for name, free in FREE.items():
        root = data / name
        for song in [*free, *some_held_out(name)]:
            _write_song(name, root, song)
        with tarfile.open(data / f"{name}.tar.xz", "w:xz", preset=0) as tar:
            tar.add(root, name)
    return data


def _write_song(name: str, root: Path, song: str) -> None:
    if name == "pop909":
        (root / song).mkdir(parents=True)
        score = band_song(n_bars=64, tempo_bpm=100.0)
        write_score(root / song / f"{song}.mid", score)
        beats = range(4 * 64)
        lines = [f"{float(score.timeline.seconds(beat))} 1.0 {float(beat % 4 == 0)}" for beat in beats]
        (root / song / "beat_midi.txt").write_text("\n".join(lines))
        ends = [float(score.timeline.seconds(chord.end_beat)) for chord in score.chords]
        starts = [0.0, *ends[:-1]]
        (root / song / "chord_midi.txt").write_text(
            "".join(f"{start}\t{end}\tC:maj\n" for start, end in zip(starts, ends, strict=True))
        )
    elif name == "freedoom":
        root.mkdir(exist_ok=True)
        write_score(root / f"{song}.mid", band_song(n_bars=32))
    elif name == "gmd":
        (root / song).parent.mkdir(parents=True, exist_ok=True)
        hits = tuple(NoteEvent(0.25 * i, 0.1, 36 if i % 4 == 0 else 42, 90) for i in range(200))
        write_performance(root / f"{song}.mid", Performance((Part("drums", hits, is_drum=True),), 50.0))
        is_new = not (root / "info.csv").exists()
        with (root / "info.csv").open("a", newline="") as file:
            table = csv.writer(file)
            if is_new:
                table.writerow(["midi_filename", "beat_type", "duration", "time_signature", "bpm"])
            table.writerow([f"{song}.mid", "beat", "50.0", song[-3:], "120"])
    else:
        (root / song).mkdir(parents=True)
        (root / song / f"{song}.musicxml").write_text(_lied(n_bars=40))


def _lied(*, n_bars: int) -> str:
    note = "<note><pitch><step>{}</step><octave>4</octave></pitch><duration>1</duration></note>"
    first = (
        "<attributes><divisions>1</divisions><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    )
    bars = [
        f"<measure>{first if i == 0 else ''}{''.join(note.format(step) for step in 'CEG')}</measure>"
        for i in range(n_bars)
    ]
    return f"<score-partwise><part id='P1'>{''.join(bars)}</part></score-partwise>"


@pytest.mark.parametrize("kind", sets.COUNTS)
def test_no_excerpt_comes_from_a_held_out_song(kind: str, archives: Path, tmp_path: Path) -> None:
    found = list(sets.excerpts_of(kind, archives, tmp_path, count=100, seed=SEED))
    assert found, "songs that are not held out give excerpts"
    seen = " ".join(f"{excerpt.name} {excerpt.song}" for excerpt in found)
    for name in FREE:
        for song in some_held_out(name):
            assert song.replace("/", "-") not in seen
    ids = {"songs": "pop909", "band": "pop909", "freedoom": "freedoom", "lieder": "openscore_lieder"}
    if kind in ids:
        assert {excerpt.song for excerpt in found} <= set(FREE[ids[kind]])


def test_the_split_holds_something_out_of_every_set() -> None:
    for name, free in FREE.items():
        assert not set(free) & held_out(name)
        assert some_held_out(name), f"nothing of {name} is held out"


@pytest.mark.parametrize("path", sorted(TRAINING.rglob("*.py")), ids=lambda path: path.name)
def test_training_lists_songs_through_one_door(path: Path) -> None:
    """No archive is opened and no folder listed in `training`, and no other share of a set is asked for."""
    is_open = OPEN.get(path.name, set())
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            )
            closed = CLOSED_MODULES - is_open
            assert not closed & {module.split(".")[0] for module in modules}, f"line {node.lineno}"
            if "rearrange.evaluation.corpora" in modules and path.name != "package.py":
                assert {each.name for each in node.names} <= {"training_songs", "unpacked"}, f"line {node.lineno}"
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            assert called not in CLOSED_DOORS - is_open, f"line {node.lineno} calls {called}"


def test_a_missing_archive_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="freedoom"):
        list(sets.excerpts_of("freedoom", tmp_path, tmp_path / "cache", count=1, seed=SEED))
    arguments = ["--data", str(tmp_path), "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "w.py")]
    assert metre.main(arguments) == UsageError.exit_code
    assert "gmd.tar.xz" in capsys.readouterr().err
    assert not (tmp_path / "w.py").exists()
