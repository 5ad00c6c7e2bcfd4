"""Scenes of written music: the notes that are written, at their beats; chords comped where they are written."""

from pathlib import Path

import numpy as np
import pytest

from rearrange.evaluation.corpora import SongRef
from rearrange.score import Role
from rearrange.training.scene_kinds import WRITTEN_KINDS, make_scene
from rearrange.training.scenes import SCENE_S, Library
from rearrange.training.sheets import lead_sheet, written_song

CHORDS = (("C", "major"), ("F", "major"), ("G", "dominant"), ("C", "major"))


def _score(path: Path, *, parts: int, metre: tuple[int, int] = (4, 4), harmony: bool = False) -> SongRef:
    """Forty bars of quarter notes: a scale, each part a third below the one above it."""
    beats, unit = metre
    time = f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>"
    listed, written = "", ""
    for part in range(parts):
        listed += f'<score-part id="P{part}"><part-name>part</part-name></score-part>'
        bars = ""
        for bar in range(40):
            root, kind = CHORDS[bar % 4]
            symbol = f"<harmony><root><root-step>{root}</root-step></root><kind>{kind}</kind></harmony>"
            notes = "".join(
                f"<note><pitch><step>{'CDEFGAB'[(beat - 2 * part) % 7]}</step><octave>{5 - part}</octave></pitch>"
                "<duration>1</duration></note>"
                for beat in range(beats)
            )
            head = f"<attributes><divisions>1</divisions>{time if bar == 0 else ''}</attributes>"
            bars += f'<measure number="{bar}">{head}{symbol if harmony and part == 0 else ""}{notes}</measure>'
        written += f'<part id="P{part}">{bars}</part>'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<score-partwise><part-list>{listed}</part-list>{written}</score-partwise>")
    corpus = "openewld" if harmony else "openscore_quartets" if parts == 4 else "openscore_lieder"
    return SongRef(corpus, path.stem, path)


def test_parts_keep_their_notes_and_beats(tmp_path: Path) -> None:
    song = written_song(_score(tmp_path / "four.xml", parts=4), np.random.default_rng(0))
    assert song is not None
    assert song.timeline.metres[0][1].beats_per_bar == 4
    assert [part.program for part in song.performance.parts] == [40, 40, 41, 42]
    beats = song.timeline.beats([note.onset_s for note in song.performance.parts[0].notes])
    np.testing.assert_allclose(beats, np.arange(160), atol=1e-6)
    assert song.performance.parts[0].notes[0].pitch == 72


def test_a_lead_sheet_is_comped_as_written(tmp_path: Path) -> None:
    for seed in range(4):
        song = lead_sheet(_score(tmp_path / "sheet.xml", parts=1, harmony=True), np.random.default_rng(seed))
        assert song is not None
        assert song.chords is not None
        melody, chords = song.performance.parts
        assert melody.name == "MELODY"
        for note in chords.notes:
            beat = float(song.timeline.beats(note.onset_s)) + 1e-6
            chord = next(each for each in song.chords if each.onset_beat <= beat < each.end_beat)
            wanted = {"maj": (0, 4, 7), "7": (0, 4, 7, 10)}[chord.quality]
            assert (note.pitch - chord.root) % 12 in wanted


def test_a_metre_of_no_use_and_no_chords_make_no_song(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    assert written_song(_score(tmp_path / "seven.xml", parts=4, metre=(7, 8)), rng) is None
    assert lead_sheet(_score(tmp_path / "bare.xml", parts=2), rng) is None
    (tmp_path / "broken.xml").write_text("<score-partwise>")
    assert written_song(SongRef("openewld", "broken", tmp_path / "broken.xml"), rng) is None


@pytest.mark.parametrize("kind", [kind for kind in WRITTEN_KINDS if kind != "sheet"])
def test_scenes_of_scores(tmp_path: Path, kind: str) -> None:
    four, two = (_score(tmp_path / f"{n}.xml", parts=n) for n in (4, 2))
    songs = Library((), (), (), (), lieder=(two,), quartets=(four,))
    scene = make_scene(songs, np.random.default_rng(0), kind=kind)
    assert scene.kind == kind
    assert set(scene.songs) <= songs.names
    assert not any(part.is_drum for part in scene.parts)
    assert scene.parts[0].role is (Role.MELODY if kind == "lied" else Role.CHORDS)
    assert set(np.diff(scene.positions)) == {1, -3}
    onsets_s = [note.onset_s for note in scene.parts[0].notes]
    assert min(onsets_s) >= 0
    assert max(onsets_s) < SCENE_S + 0.1
    astray_s = [np.abs(scene.beats_s - onset_s).min() for onset_s in onsets_s[1:-1]]
    assert max(astray_s) < 0.06
