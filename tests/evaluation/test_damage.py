"""Damage does what it says, and every metric moves the right way under it."""

from dataclasses import replace

import numpy as np
import pytest

from rearrange.evaluation.damage import (
    delay_beats,
    drop_notes,
    flatten_velocities,
    remove_swing,
    repeat_bar,
    swap_drums,
    transpose,
)
from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.sanity import DAMAGES, Damage, Sample, figures
from rearrange.score import Metre, Note, Role, Timeline, Track, sorted_notes
from tests.songs import band_song

LATE_EIGHTH = 2 / 3  # where swing of 2:1 puts the off-beat


def part(*notes: Note, role: Role = Role.BASS) -> Track:
    return Track(role.value, role, 0, role is Role.DRUMS, notes)


def shuffle_band() -> Sample:
    """Sixteen bars at 120 bpm: swung eighths, I-vi-IV-V in C, ride in the second half, no two forces alike."""
    rng = np.random.default_rng(3)
    played: dict[Role, list[Note]] = {role: [] for role in (Role.MELODY, Role.BASS, Role.CHORDS, Role.DRUMS)}

    def play(role: Role, beat: float, pitch: int, length: float = 0.3) -> None:
        early = float(rng.normal(scale=0.01))
        played[role].append(Note(max(beat + early, 0.0), length, pitch, int(rng.integers(60, 110))))

    for bar in range(16):
        root = (48, 45, 41, 43)[bar % 4]
        third = 3 if bar % 4 == 1 else 4
        for beat in range(4):
            at = 4.0 * bar + beat
            play(Role.BASS, at, root - 12 + (0, third, 7, 9)[beat])
            play(Role.MELODY, at, 72 + (0, 4, 7, 9, 2)[int(rng.integers(5))])
            play(Role.MELODY, at + LATE_EIGHTH, 72 + (0, 4, 7, 9, 2)[int(rng.integers(5))])
            play(Role.DRUMS, at, 36 if beat % 2 == 0 else 38)
            play(Role.DRUMS, at, 42 if bar < 8 else 51)
            play(Role.DRUMS, at + LATE_EIGHTH, 42 if bar < 8 else 51)
        if bar % 3 == 0:
            play(Role.DRUMS, 4.0 * bar + 2 + LATE_EIGHTH, 36)
        for at in ((0.0, 2.0), (0.0, 1 + LATE_EIGHTH), (LATE_EIGHTH, 3.0))[bar % 3]:
            for interval in (0, third, 7):
                play(Role.CHORDS, 4.0 * bar + at, root + 12 + interval, 1.0)
    tracks = tuple(
        Track(role.value, role, 0, role is Role.DRUMS, sorted_notes(notes)) for role, notes in played.items()
    )
    return Sample(tracks, Timeline.constant(120.0, end_beat=64))


BAND = shuffle_band()
WHOLE = {name: cell.value for name, cell in figures(BAND, BAND).items()}
OWN = {"distinct", "groove", "velocity", "micro-timing"}  # figures of a sample alone
LEAST = 0.002  # what counts as moved


def test_the_undamaged_sample_is_perfect() -> None:
    assert None not in WHOLE.values()
    for name in WHOLE.keys() - OWN:
        assert WHOLE[name] == pytest.approx(1.0), name
    assert BAND.swing == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_every_figure_moves_as_declared(damage: Damage) -> None:
    cells = figures(BAND, damage.apply(BAND, np.random.default_rng(0)))
    declared = damage.falls | damage.rises | damage.stays
    assert declared <= cells.keys()
    assert len(declared) == len(damage.falls) + len(damage.rises) + len(damage.stays)
    for name, cell in cells.items():
        assert cell.value is not None, f"{name}: {cell.reason}"
        if name in damage.falls:
            assert cell.value < WHOLE[name] - LEAST, name
        elif name in damage.rises:
            assert cell.value > WHOLE[name] + LEAST, name
        elif name in damage.stays:
            assert cell.value == pytest.approx(WHOLE[name], abs=1e-6), name


def test_how_far_some_of_them_fall() -> None:
    def value(name: str, figure: str) -> float:
        damage = next(damage for damage in DAMAGES if damage.name == name)
        found = figures(BAND, damage.apply(BAND, np.random.default_rng(0)))[figure].value
        assert found is not None
        return found

    # A tenth dropped: P = 1, R = 0.9, F1 = 1.8 / 1.9.
    assert value("10 % of the notes dropped", "notes") == pytest.approx(1.8 / 1.9, abs=0.005)
    assert value("10 % of the notes dropped", "melody") == pytest.approx(1.8 / 1.9, abs=0.005)
    # C major heard as Db major: no relation.
    assert value("a semitone up", "key") == 0.0
    assert value("a semitone up", "chords") < 0.05
    # Half of the hits lie off the beat, a sixth of a beat, 83 ms, from where they were; each is too late.
    assert value("swing removed", "notes") == pytest.approx(0.6, abs=0.15)
    # Every hit of four classes changes class, to one that plays elsewhere: what coincides is a hat's bar or a kick
    # on two and four, of which there is none.
    assert value("drums swapped", "drums") < 0.05
    assert value("beats 50 ms late", "CMLt") == 1.0  # 10 % of the beat at 120 bpm
    assert value("beats 100 ms late", "beats") == 0.0
    assert value("beats 100 ms late", "CMLt") == 0.0
    assert value("velocities flattened", "velocity") == 0.0
    assert value("one bar repeated", "distinct") == pytest.approx(1 / 16)
    assert value("one bar repeated", "groove") == pytest.approx(1.0)


@pytest.mark.parametrize(("name", "reason"), [("swing removed", "not swung"), ("drums swapped", "no drums")])
def test_what_is_not_there_cannot_be_damaged(name: str, reason: str) -> None:
    song = band_song()  # straight
    damage = next(damage for damage in DAMAGES if damage.name == name)
    undrummed = tuple(track for track in song.tracks if not track.is_drum)
    with pytest.raises(NotMeasurable, match=reason):
        damage.apply(Sample(undrummed, song.timeline), np.random.default_rng(0))


def test_a_tenth_of_every_track_is_dropped() -> None:
    before = [len(track.notes) for track in BAND.tracks]
    after = drop_notes(BAND.tracks, 0.1, rng=np.random.default_rng(1))
    assert [len(track.notes) for track in after] == [round(0.9 * n) for n in before]
    assert all(set(a.notes) <= set(b.notes) for a, b in zip(after, BAND.tracks, strict=True))
    assert all(list(t.notes) == sorted(t.notes, key=lambda n: (n.onset_beat, n.pitch)) for t in after)
    assert drop_notes(BAND.tracks, 0.0, rng=np.random.default_rng(1)) == BAND.tracks
    with pytest.raises(ValueError, match="share"):
        drop_notes(BAND.tracks, 1.5, rng=np.random.default_rng(1))


def test_a_semitone_moves_pitches_and_no_drums() -> None:
    tracks = [part(Note(0, 1, 60, 80), Note(0, 1, 127, 80)), part(Note(0, 1, 36, 80), role=Role.DRUMS)]
    pitched, drums = transpose(tracks, 1)
    assert [note.pitch for note in pitched.notes] == [61, 116]
    assert [note.pitch for note in drums.notes] == [36]


def test_swing_is_undone_exactly() -> None:
    # 2:1. The beat stays, 2/3 becomes 1/2, 5/6 (half way on) 3/4. A note from 2/3 to the next beat becomes half a
    # beat long, one from 5/6 to 5/6 stays a beat long.
    swung = part(Note(1, 1, 40, 80), Note(1 + 2 / 3, 1 / 3, 40, 80), Note(1 + 5 / 6, 1, 40, 80))
    (track,) = remove_swing([swung], 2.0)
    assert [note.onset_beat for note in track.notes] == pytest.approx([1.0, 1.5, 1.75])
    assert [note.duration_beat for note in track.notes] == pytest.approx([1.0, 0.5, 1.0])
    (same,) = remove_swing([swung], 1.0)
    assert [note.onset_beat for note in same.notes] == pytest.approx([note.onset_beat for note in swung.notes])
    with pytest.raises(ValueError, match="ratio"):
        remove_swing(BAND.tracks, 0.5)


def test_drums_swapped_twice_are_what_they_were() -> None:
    assert swap_drums(swap_drums(BAND.tracks)) == BAND.tracks
    (kit,) = swap_drums([part(Note(0, 1, 36, 80), Note(1, 1, 51, 80), Note(2, 1, 49, 80), role=Role.DRUMS)])
    assert [note.pitch for note in kit.notes] == [38, 42, 49]


def test_late_beats_are_late_by_as_much_everywhere() -> None:
    late = delay_beats(BAND.timeline, 0.05)
    beats = np.array([-1.0, 0.0, 13.7, 100.0])
    assert late.seconds(beats) - BAND.timeline.seconds(beats) == pytest.approx(0.05)


def test_flat_velocities_are_the_mean() -> None:
    (track, silent) = flatten_velocities([part(Note(0, 1, 40, 70), Note(1, 1, 40, 90)), part()])
    assert [note.velocity for note in track.notes] == [80, 80]
    assert silent.notes == ()


def test_one_bar_is_played_in_every_bar() -> None:
    timeline = Timeline((0.0, 1.0), (0.0, 0.5), ((0.0, Metre()), (8.0, Metre(3, 4))), end_beat=11.0)
    track = part(Note(0, 1, 40, 80), Note(4, 1, 41, 80), Note(7.5, 1, 42, 80))
    (stuck,) = repeat_bar([track], timeline.bars, timeline.bars[1])
    # The bar has notes on its beats 0 and 3.5; the last bar has three beats only.
    assert [(n.onset_beat, n.pitch) for n in stuck.notes] == [(0, 41), (3.5, 42), (4, 41), (7.5, 42), (8, 41)]


def test_samples_without_drums_or_melody_say_so() -> None:
    bass = Sample(tuple(t for t in BAND.tracks if t.role is Role.BASS), BAND.timeline)
    cells = figures(bass, bass)
    assert cells["drums"].reason == "the reference has no drum hits"
    assert cells["style drums"].reason == "the reference has no drums"
    assert cells["melody"].reason == "the source has no melody"
    nothing = replace(BAND, tracks=())
    empty = figures(BAND, nothing)
    assert all(empty[name].value == 0.0 for name in ("content", "melody", "chords", "style", "notes", "drums"))
    assert all(cell.value is not None or cell.reason for cell in figures(nothing, BAND).values())
