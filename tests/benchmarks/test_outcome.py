"""Whether a timed command has done the whole work, on files made here."""

from pathlib import Path

import mido
import numpy as np
import pytest

from benchmarks.clock import CommandFailed
from benchmarks.outcome import check_notes, check_sounds, is_whole, last_note_s, split_tracks
from benchmarks.song import repeats
from rearrange.audio import Audio, write_audio


def midi(path: Path, *, bars: int = 2, bpm: float = 60.0) -> Path:
    """A tempo track, a tune of `bars` notes of four beats each, an empty track and a drum."""
    file = mido.MidiFile(ticks_per_beat=480)
    tempo = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    tune = mido.MidiTrack()
    for _ in range(bars):
        tune += [mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=4 * 480)]
    drum = mido.MidiTrack(
        [mido.Message("note_on", note=36, channel=9), mido.Message("note_off", note=36, time=480)]
    )
    file.tracks.extend([tempo, tune, mido.MidiTrack(), drum])
    file.save(path)
    return path


def sound(path: Path, seconds: float) -> Path:
    write_audio(path, Audio(np.zeros((2, round(seconds * 8000)), np.float32), 8000))
    return path


def test_more_is_whole_and_less_is_not() -> None:
    assert is_whole(10.0, 10.0)
    assert is_whole(14.0, 10.0)
    assert is_whole(9.98, 10.0)
    assert not is_whole(9.9, 10.0)


def test_sounds_are_counted_and_measured(tmp_path: Path) -> None:
    files = [sound(tmp_path / "drums.wav", 2.0), sound(tmp_path / "bass.flac", 2.0)]
    check_sounds(files, wanted=2, at_least_s=2.0)
    with pytest.raises(CommandFailed, match="2 of 4 sound files"):
        check_sounds(files, wanted=4, at_least_s=2.0)
    with pytest.raises(CommandFailed, match=r"drums.wav has 2.00 s of 3.00 s"):
        check_sounds(files, wanted=2, at_least_s=3.0)


def test_notes_must_go_on_to_the_end(tmp_path: Path) -> None:
    path = midi(tmp_path / "song.mid", bars=2)
    assert last_note_s(path) == pytest.approx(8.0)
    check_notes([path], wanted=1, song_s=9.0)
    with pytest.raises(CommandFailed, match=r"at 8.0 s of 20.0 s"):
        check_notes([path], wanted=1, song_s=20.0)
    with pytest.raises(CommandFailed, match="1 of 3 MIDI files"):
        check_notes([path], wanted=3, song_s=9.0)


def test_a_file_without_notes_ends_at_once(tmp_path: Path) -> None:
    assert last_note_s(midi(tmp_path / "song.mid", bars=0)) == pytest.approx(1.0)  # the drum
    mido.MidiFile(ticks_per_beat=480).save(tmp_path / "empty.mid")
    assert last_note_s(tmp_path / "empty.mid") == 0.0


def test_tracks_alone_keep_the_tempo(tmp_path: Path) -> None:
    (tmp_path / "tracks").mkdir()
    made = split_tracks(midi(tmp_path / "song.mid", bpm=120.0), tmp_path / "tracks")
    assert [round(last_note_s(path), 3) for path in made] == [4.0, 0.5]


def test_a_song_is_repeated_until_there_is_enough() -> None:
    assert list(repeats(10, 25)) == [10, 10, 5]
    assert list(repeats(10, 10)) == [10]
    assert list(repeats(10, 3)) == [3]
    with pytest.raises(ValueError):
        list(repeats(0, 3))
