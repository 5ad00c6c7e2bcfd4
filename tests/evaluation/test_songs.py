"""Test songs: annotation in the song's own beats, whatever of it is there, and complaints that name the file."""

from pathlib import Path

import numpy as np
import pytest

from rearrange.errors import MidiFormatError, TooLittleMusicError, UsageError
from rearrange.evaluation.corpora import SongRef
from rearrange.evaluation.songs import load_song, oracle_songs, score_of
from rearrange.midi import write_performance, write_score
from rearrange.score import Chord, Key, NoteEvent, Part, Performance, Role
from tests.songs import band_song

PERIOD_S = 0.6


def pop_song(folder: Path, song: str = "003", *, n_bars: int = 16) -> SongRef:
    """A band at 100 bpm as POP909 has its songs, a beat of lead-in before the first downbeat."""
    (folder / song).mkdir(parents=True)
    path = folder / song / f"{song}.mid"
    write_score(path, band_song(n_bars=n_bars, tempo_bpm=60.0 / PERIOD_S))
    return SongRef("pop909", song, path)


def annotate(song: SongRef, *, beats: str = "", chords: str = "", keys: str = "") -> None:
    for name, text in (("beat_midi", beats), ("chord_midi", chords), ("key_audio", keys)):
        if text:
            song.path.with_name(f"{name}.txt").write_text(text, encoding="utf-8")


def beat_lines(lengths: list[int], *, lead: int = 0, in_two: int = 2) -> str:
    """Bars of those lengths, after `lead` beats that belong to none."""
    downbeats = np.cumsum([lead, *lengths])
    return "\n".join(
        f"{i * PERIOD_S:.6f} {float((i - lead) % in_two == 0)} {float(i in downbeats)}"
        for i in range(lead + sum(lengths) + 1)
    )


def test_annotation_is_in_beats_of_the_song(tmp_path: Path) -> None:
    song = pop_song(tmp_path)
    annotate(
        song,
        beats=beat_lines([4] * 15),
        chords="0.0 1.2 N\n1.2 2.4 G:min7/b7\n2.4 4.8 Bb:maj(9)\n4.8 7.2 F#:hdim7\n7.2 9.6 C:sus4(b7)",
        keys="0.0 3.0 Eb:maj\n3.0 9.0 C:min\n",
    )
    known = load_song(song)
    assert known.chords == (
        Chord(2.0, 2.0, 7, "min7", 5),
        Chord(4.0, 4.0, 10, "maj", 10),
        Chord(8.0, 4.0, 6, "min7b5", 6),
        Chord(12.0, 4.0, 0, "7sus4", 0),
    )
    assert (known.key, known.n_keys) == (Key(0, "minor"), 2)
    assert float(known.timeline.seconds(8.0)) == pytest.approx(8 * PERIOD_S)
    assert score_of(known).track(Role.MELODY) is not None


def test_bars_are_as_long_as_they_are_annotated(tmp_path: Path) -> None:
    song = pop_song(tmp_path)
    annotate(song, beats=beat_lines([2, 4, 4, 6, 4, 4, 4, 4], lead=1))
    timeline = load_song(song).timeline
    assert [(onset, str(metre)) for onset, metre in timeline.metres] == [(0, "4/4"), (8, "6/4"), (14, "4/4")]
    assert float(timeline.seconds(0.0)) == pytest.approx(3 * PERIOD_S), "the short first bar leads in"


def test_bars_of_three(tmp_path: Path) -> None:
    song = pop_song(tmp_path)
    annotate(song, beats=beat_lines([6] * 8, in_two=3))
    timeline = load_song(song).timeline
    assert [str(metre) for _, metre in timeline.metres] == ["3/4"]
    assert [bar.onset_beat for bar in timeline.bars[:3]] == [0.0, 3.0, 6.0]


def test_without_annotation_the_file_speaks(tmp_path: Path) -> None:
    known = load_song(pop_song(tmp_path))
    assert known.chords is None
    assert known.key is None
    assert known.timeline.mean_tempo_bpm == pytest.approx(100.0, abs=0.01)
    score = score_of(known)
    assert score.timeline.mean_tempo_bpm == pytest.approx(100.0, abs=0.01)
    assert {chord.root for chord in score.chords} == {0, 9, 5, 7}


@pytest.mark.parametrize(
    ("annotation", "complaint"),
    [
        ({"beats": "no table"}, "beat_midi.txt: not POP909's table"),
        ({"beats": "0 1 0\n1 0 0\n"}, "beat_midi.txt: not POP909's table"),
        ({"chords": "0 1 C:maj\n1 2 H:maj"}, "chord_midi.txt, line 2: not a chord"),
        ({"chords": "0 1 C:strange"}, "chord_midi.txt, line 1: not a chord"),
        ({"chords": "0 1"}, "chord_midi.txt, line 1: not a chord"),
        ({"keys": "0 1 C:dorian"}, "key_audio.txt, line 1: not a key"),
    ],
)
def test_a_damaged_annotation_is_named(tmp_path: Path, annotation: dict[str, str], complaint: str) -> None:
    song = pop_song(tmp_path)
    annotate(song, **annotation)
    with pytest.raises(MidiFormatError, match=complaint):
        load_song(song)


def test_too_little_music(tmp_path: Path) -> None:
    short, empty = tmp_path / "short.mid", tmp_path / "empty.mid"
    hits = tuple(NoteEvent(0.1 * i, 0.1, 36, 90) for i in range(4))
    write_performance(short, Performance((Part("drums", hits, is_drum=True),), 0.5))
    write_performance(empty, Performance((), 4.0))
    for path, complaint in ((short, "shorter than a bar"), (empty, "no notes")):
        with pytest.raises(TooLittleMusicError, match=complaint):
            load_song(SongRef("freedoom", path.stem, path))


def test_the_set_lists_only_held_out_songs(tmp_path: Path) -> None:
    for song in ("001", "003", "043", "203"):
        pop_song(tmp_path / "pop909", song)
    (tmp_path / "freedoom").mkdir()
    for name in ("d_dm01", "d_bunny", "d_e1m2", "dummy"):
        (tmp_path / "freedoom" / f"{name}.mid").write_bytes(b"")
    chosen = oracle_songs(tmp_path, tmp_path)
    assert [song.id for song in chosen] == ["003", "043", "203", "d_bunny", "d_e1m2"]
    assert [song.id for song in oracle_songs(tmp_path, tmp_path, limit=1)] == ["003", "d_bunny"]
    assert [song.id for song in oracle_songs(tmp_path, tmp_path, quick=True)] == ["003", "203", "d_e1m2"]
    with pytest.raises(UsageError, match="no such archive"):
        oracle_songs(tmp_path, tmp_path / "elsewhere")
