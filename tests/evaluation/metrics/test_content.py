"""Content and melody: worked by hand, and as mir_eval has them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics import chroma_frames, content_similarity, in_reference_beats, melody_f1
from rearrange.score import Note, Role, Timeline, Track
from tests.songs import band_song

SONG = band_song(n_bars=8)
N_BEATS = 32


def part(*notes: Note, role: Role = Role.CHORDS) -> Track:
    return Track(role.value, role, 0, role is Role.DRUMS, notes)


def tune() -> tuple[Note, ...]:
    melody = SONG.track(Role.MELODY)
    assert melody is not None
    return melody.notes


def test_the_song_itself_scores_one_and_nothing_scores_zero() -> None:
    assert content_similarity(SONG.tracks, SONG.tracks, N_BEATS) == pytest.approx(1.0)
    assert content_similarity(SONG.tracks, (), N_BEATS) == 0.0
    assert melody_f1(tune(), tune()) == 1.0
    assert melody_f1(tune(), ()) == 0.0


def test_chroma_is_the_velocity_of_what_sounds() -> None:
    # C from beat 0 to 1/4 is three frames; G an octave apart, twice, from 1/6 to 1/2 is frames 2 to 5.
    chroma = chroma_frames(
        [part(Note(0, 0.25, 60, 80), Note(1 / 6, 1 / 3, 55, 10), Note(1 / 6, 1 / 3, 67, 30))], 1
    )
    expected = np.zeros((12, 12))
    expected[0:3, 0] = 80
    expected[2:6, 7] = 40
    assert np.array_equal(chroma, expected)


def test_notes_that_reach_out_of_the_song_are_cut_and_drums_are_left_out() -> None:
    chroma = chroma_frames([part(Note(-0.5, 0.75, 60, 80), Note(0.75, 9, 62, 50))], 1)
    assert np.array_equal(chroma[:, 0], [80] * 3 + [0] * 9)
    assert np.array_equal(chroma[:, 2], [0] * 9 + [50] * 3)
    assert not chroma_frames([part(Note(0, 1, 36, 99), role=Role.DRUMS)], 1).any()


def test_content_by_hand() -> None:
    # Three beats of C against C and E of one velocity in beat 1 and nothing after. Two windows of two beats:
    # beats 0-1 have C=24, C=12 E=12: cosine 1/sqrt(2); beats 1-2 are silent in the result: 0. Mean 1/(2 sqrt(2)).
    source = [part(Note(0, 3, 60, 100))]
    result = [part(Note(0, 1, 60, 50), Note(0, 1, 64, 50))]
    assert content_similarity(source, result, 3) == pytest.approx(0.5 / np.sqrt(2))


def test_windows_without_source_do_not_count() -> None:
    # Source: C in beats 0-1 of 8; windows from beat 0 and 1 hear it. The result plays on in F#: no harm after.
    source = [part(Note(0, 2, 60, 100))]
    result = [part(Note(0, 2, 60, 100), Note(3, 5, 66, 100))]
    assert content_similarity(source, result, 8) == pytest.approx(1.0)


def test_void_references_say_why() -> None:
    with pytest.raises(NotMeasurable, match="no pitched notes"):
        content_similarity((), SONG.tracks, N_BEATS)
    with pytest.raises(NotMeasurable, match="no pitched notes"):
        content_similarity([t for t in SONG.tracks if t.is_drum], SONG.tracks, N_BEATS)
    with pytest.raises(NotMeasurable, match="no pitched notes"):
        content_similarity(SONG.tracks, SONG.tracks, 0)
    with pytest.raises(NotMeasurable, match="no melody"):
        melody_f1((), tune())
    nowhere = Note(float("nan"), 1.0, 60, 80)
    with pytest.raises(NotMeasurable, match="not a number"):
        melody_f1(tune(), (nowhere,))
    with pytest.raises(NotMeasurable, match="not a number"):
        content_similarity([part(nowhere)], SONG.tracks, N_BEATS)


def test_melody_by_hand() -> None:
    # Of four notes: one right, one an octave off and an eighth of a beat late (right), one 0.2 beats late (wrong),
    # one a semitone off (wrong); and one too many. P = 2/5, R = 2/4, F1 = 4/9.
    source = [Note(i, 1, 60 + i, 80) for i in range(4)]
    result = [
        Note(0, 1, 60, 80), Note(1.125, 1, 73, 80), Note(2.2, 1, 62, 80), Note(3, 1, 64, 80), Note(5, 1, 60, 80),
    ]  # fmt: skip
    assert melody_f1(source, result) == pytest.approx(4 / 9)


LINES = st.lists(
    st.builds(
        Note,
        onset_beat=st.integers(-16, 160).map(lambda sixteenths: sixteenths / 16),
        duration_beat=st.just(0.5),
        pitch=st.integers(58, 74),
        velocity=st.just(80),
    ),
    min_size=1,
    max_size=30,
)


@given(source=LINES, result=LINES)
def test_melody_is_as_mir_eval_has_it(source: list[Note], result: list[Note]) -> None:
    from mir_eval.transcription import precision_recall_f1_overlap

    def arrays(notes: list[Note]) -> tuple[np.ndarray, np.ndarray]:
        onsets = np.array([note.onset_beat for note in notes]) + 100.0  # mir_eval's times are positive
        hz = 440.0 * 2.0 ** ((np.array([note.pitch % 12 for note in notes]) - 9) / 12)
        return np.stack([onsets, onsets + 0.1], axis=1), hz

    f1 = precision_recall_f1_overlap(*arrays(source), *arrays(result), onset_tolerance=0.125, offset_ratio=None)[2]
    assert melody_f1(source, result) == pytest.approx(f1)


def test_damage_moves_melody_and_content_down() -> None:
    up = [replace(t, notes=tuple(replace(n, pitch=n.pitch + 1) for n in t.notes)) for t in SONG.tracks]
    assert content_similarity(SONG.tracks, up, N_BEATS) < 0.5
    assert melody_f1(tune(), up[0].notes) < 0.5
    # Every other note: P = 1, R = 1/2, F1 = 2/3.
    assert melody_f1(tune(), tune()[::2]) == pytest.approx(2 / 3, abs=0.02)


def test_beat_ratio_brings_double_time_back() -> None:
    twice = tuple(replace(n, onset_beat=2 * n.onset_beat, duration_beat=2 * n.duration_beat) for n in tune())
    assert melody_f1(tune(), twice, beat_ratio=2.0) == 1.0
    alone, doubled = [part(*tune())], [part(*twice)]
    assert content_similarity(alone, doubled, N_BEATS, beat_ratio=2.0) == pytest.approx(1.0)


def test_notes_move_to_the_beats_of_the_true_song() -> None:
    # Heard at 60 bpm from 1 s on; the truth is 120 bpm from 0 s. The arrangement is in double time: its beat 4 is
    # heard beat 2, at 3 s, which is true beat 6; its beat 5 is true beat 7.
    heard = Timeline.constant(60.0, end_beat=16, start_s=1.0)
    truth = Timeline.constant(120.0, end_beat=32)
    (moved,) = in_reference_beats([part(Note(4, 1, 60, 80))], heard, truth, beat_ratio=2.0)
    assert moved.notes == (Note(6.0, 1.0, 60, 80),)


def test_on_the_same_beats_nothing_moves() -> None:
    moved = in_reference_beats(SONG.tracks, SONG.timeline, SONG.timeline)
    for ours, theirs in zip(moved, SONG.tracks, strict=True):
        assert [n.onset_beat for n in ours.notes] == pytest.approx([n.onset_beat for n in theirs.notes])
        assert [n.pitch for n in ours.notes] == [n.pitch for n in theirs.notes]
    assert in_reference_beats([part()], SONG.timeline, SONG.timeline)[0].notes == ()
