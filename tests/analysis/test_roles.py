"""Who does what in bands whose parts are known."""

import pytest

from rearrange.analysis.roles import assign_roles, monophony
from rearrange.score import NoteEvent, Part, Performance, Role

LENGTH_S = 16.0


def line(low: int, *, step_s: float = 0.5, length_s: float = LENGTH_S) -> tuple[NoteEvent, ...]:
    n = int(length_s / step_s)
    return tuple(NoteEvent(i * step_s, 0.9 * step_s, low + (0, 4, 7, 5)[i % 4], 90) for i in range(n))


def chords(low: int = 60) -> tuple[NoteEvent, ...]:
    return tuple(NoteEvent(i * 2.0, 1.9, low + pitch, 70) for i in range(8) for pitch in (0, 4, 7))


def drums() -> tuple[NoteEvent, ...]:
    return tuple(NoteEvent(i * 0.5, 0.1, 36 if i % 2 == 0 else 38, 100) for i in range(32))


def roles(*parts: Part) -> dict[Role, tuple[NoteEvent, ...]]:
    return {part.role: part.notes for part in assign_roles(Performance(parts, LENGTH_S))}


def test_a_band_without_names_is_told_by_register_and_texture() -> None:
    found = roles(
        Part("1", chords(), program=0),
        Part("2", line(74), program=73),
        Part("3", line(36), program=33),
        Part("4", drums(), is_drum=True),
    )
    assert found[Role.MELODY] == line(74)
    assert found[Role.BASS] == line(36)
    assert found[Role.CHORDS] == chords()
    assert found[Role.DRUMS] == drums()


@pytest.mark.parametrize("name", ["MELODY", "Lead Vocal", "Voice", "solo"])
def test_a_name_decides_between_two_lines(name: str) -> None:
    found = roles(
        Part("synth", line(72), program=0), Part(name, line(67), program=0), Part("p", chords(), program=0)
    )
    assert found[Role.MELODY] == line(67)


def test_several_accompaniments_become_one() -> None:
    found = roles(
        Part("Melody", line(74), program=73), Part("a", chords(), program=0), Part("b", chords(48), program=48)
    )
    assert sorted(found[Role.CHORDS], key=hash) == sorted(chords() + chords(48), key=hash)
    assert len(found) == 2


def test_known_roles_are_believed() -> None:
    found = roles(
        Part("x", line(40), role=Role.MELODY, program=0), Part("y", line(72), role=Role.CHORDS, program=0)
    )
    assert found[Role.MELODY] == line(40)
    assert found[Role.CHORDS] == line(72)


def test_stems_keep_their_roles_and_a_silent_voice_gives_way_to_the_leading_part() -> None:
    other = Part("other", tuple(sorted(chords() + line(79), key=lambda n: (n.onset_s, n.pitch))), role=Role.CHORDS)
    stray = Part("vocals", (NoteEvent(1.0, 0.1, 60, 50), NoteEvent(9.0, 0.1, 66, 50)), role=Role.MELODY)
    for vocals in (Part("vocals", (), role=Role.MELODY), stray):
        found = {part.role: part for part in assign_roles(Performance((vocals, other), LENGTH_S))}
        assert len(found[Role.MELODY].notes) >= 24
        assert min(note.pitch for note in found[Role.MELODY].notes) >= 60
        assert found[Role.MELODY].confidence < 0.5


def test_sound_effects_play_nothing() -> None:
    assert roles(Part("Melody", line(72), program=73), Part("sea", chords(), program=122)).keys() == {Role.MELODY}


def test_drums_alone_and_nothing_at_all() -> None:
    assert roles(Part("d", drums(), is_drum=True)).keys() == {Role.DRUMS}
    assert roles() == {}
    assert roles(Part("empty", ())) == {}


def test_monophony_tells_a_line_from_chords() -> None:
    assert monophony(line(60)) == 1.0
    assert monophony(chords()) < 0.2
    assert monophony(()) == 0.0
