"""Written music: pickups, ties, chords, backups, chord symbols and changes of metre."""

from pathlib import Path

import pytest

from rearrange.errors import UsageError
from rearrange.evaluation.judge.written import read_written
from rearrange.score import Metre


def note(step: str, octave: int, duration: int, extra: str = "") -> str:
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    return f"<note>{extra}{pitch}<duration>{duration}</duration></note>"


def score(*measures: str) -> str:
    body = "".join(f"<measure>{measure}</measure>" for measure in measures)
    return f"<score-partwise><part id='P1'>{body}</part></score-partwise>"


HEAD = "<attributes><divisions>2</divisions><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"


def harmony(step: str, kind: str) -> str:
    return f"<harmony><root><root-step>{step}</root-step></root><kind>{kind}</kind></harmony>"


def test_a_waltz_with_a_pickup(tmp_path: Path) -> None:
    path = tmp_path / "waltz.musicxml"
    path.write_text(
        score(
            HEAD + note("G", 4, 2),
            harmony("C", "major")
            + note("C", 5, 4)
            + note("E", 5, 4, "<chord/>")
            + note("D", 5, 2, '<tie type="start"/>'),
            harmony("G", "dominant")
            + note("D", 5, 6, '<tie type="stop"/>')
            + "<backup><duration>2</duration></backup>"
            "<note><rest/><duration>2</duration></note>",
            "<attributes><time><beats>4</beats><beat-type>4</beat-type></time></attributes>" + note("C", 5, 8),
        )
    )
    song = read_written(path)
    heard = [(n.onset_beat, n.duration_beat, n.pitch) for n in song.tracks[0].notes]
    assert heard == [(-1.0, 1.0, 67), (0.0, 2.0, 72), (0.0, 2.0, 76), (2.0, 4.0, 74), (6.0, 4.0, 72)]
    assert [(str(c), c.onset_beat, c.duration_beat) for c in song.chords] == [("C", 0.0, 3.0), ("G7", 3.0, 7.0)]
    assert song.timeline.metres == ((0.0, Metre(3, 4)), (6.0, Metre(4, 4)))
    assert [bar.onset_beat for bar in song.timeline.bars] == [0.0, 3.0, 6.0]


@pytest.mark.parametrize("text", ["", "<score-partwise/>", score("<note><rest/></note>"), "no XML"])
def test_what_is_no_score_is_one_clear_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.musicxml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"bad\.musicxml"):
        read_written(path)
