"""Style histograms: single notes land where they must; fits worked by hand; every metre passes."""

import io

import numpy as np
import pytest

from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics import HISTOGRAM_SHAPES, StyleHistograms, style_fit, style_histograms
from rearrange.score import Metre, Note, Role, Timeline, Track
from tests.songs import band_song

BARS = Timeline.constant(120.0, end_beat=8).bars


def part(*notes: Note, role: Role = Role.BASS) -> Track:
    return Track(role.value, role, 0, role in (Role.DRUMS, Role.PERCUSSION), notes)


def test_one_note_lands_in_one_cell_of_each_histogram() -> None:
    # Beat 1.5 of bar 2: step 18. Half a beat long: above 0.125 * 2^1.5 = 0.354, up to 0.5, so the fourth class.
    # Velocity 100 is class 6; pitch 40 is half octave 6 (36 to 41).
    counts = style_histograms([part(Note(5.5, 0.5, 40, 100))], BARS).counts
    assert {name: np.argwhere(count).tolist() for name, count in counts.items()} == {
        "bass_onset": [[18]],
        "bass_onset_duration": [[18, 3]],
        "bass_onset_velocity": [[18, 6]],
        "bass_onset_pitch": [[18, 6]],
        "bass_interval_time": [],
    }
    for name, count in counts.items():
        assert count.shape == HISTOGRAM_SHAPES[name.removeprefix("bass_")]


def test_intervals_and_their_times() -> None:
    # C2 E2 on beat 0, G2 on beat 1, C2 on beat 5. Pairs nearer than four beats: C-E (+4, 0 steps),
    # C-G (+7, 12 steps), E-G (+3, 12). G-C is exactly four beats apart: too far.
    notes = (Note(0, 1, 36, 90), Note(0, 1, 40, 90), Note(1, 1, 43, 90), Note(5, 1, 36, 90))
    pairs = style_histograms([part(*notes)], BARS).counts["bass_interval_time"]
    assert {(int(i) - 20, int(j)): pairs[i, j] for i, j in np.argwhere(pairs)} == {
        (4, 0): 1.0, (7, 12): 1.0, (3, 12): 1.0,
    }  # fmt: skip


def test_an_interval_wider_than_twenty_semitones_is_left_out() -> None:
    pairs = style_histograms([part(Note(0, 1, 30, 90), Note(1, 1, 60, 90))], BARS).counts["bass_interval_time"]
    assert not pairs.any()


def test_a_push_of_a_few_milliseconds_belongs_to_the_bar_that_it_leads_to() -> None:
    counts = style_histograms([part(Note(3.97, 1, 40, 90))], BARS).counts
    assert np.argwhere(counts["bass_onset"]).tolist() == [[0]]


def test_kinds_of_drums_are_folded() -> None:
    acoustic = style_histograms([part(Note(0, 0.1, 35, 90), Note(1, 0.1, 40, 90), role=Role.DRUMS)], BARS)
    electric = style_histograms([part(Note(0, 0.1, 36, 90), Note(1, 0.1, 38, 90), role=Role.DRUMS)], BARS)
    assert style_fit(acoustic, electric).mean == pytest.approx(1.0)


def test_melody_has_no_style_and_pickups_are_left_out() -> None:
    assert style_histograms([part(Note(0, 1, 60, 90), role=Role.MELODY)], BARS).parts() == ()
    assert style_histograms([part(Note(-1, 1, 60, 90)), part(Note(8.0, 1, 60, 90))], BARS).parts() == ()


@pytest.mark.parametrize("metre", [Metre(3, 4), Metre(6, 8), Metre(5, 4), Metre(7, 8), Metre(12, 8), Metre(2, 4)])
def test_every_metre_passes_and_fits_itself(metre: Metre) -> None:
    song = band_song(n_bars=8, metre=metre)
    histograms = style_histograms(song.tracks, song.timeline.bars)
    n_bass = sum(len(t.notes) for t in song.tracks if t.role is Role.BASS)
    assert histograms.counts["bass_onset"].sum() == n_bass
    assert style_fit(histograms, histograms).mean == pytest.approx(1.0)


def test_the_fifth_beat_counts_as_the_first() -> None:
    bars = Timeline.constant(120.0, end_beat=5, metre=Metre(5, 4)).bars
    counts = style_histograms([part(Note(4.5, 0.5, 40, 90))], bars).counts
    assert np.argwhere(counts["bass_onset"]).tolist() == [[6]]


def test_fit_by_hand() -> None:
    # The reference: a note on 1 and on 3; the estimate: on 1 alone, the same otherwise. The four histograms of
    # single notes have cosine 1/sqrt(2); the interval histogram of one note is empty: 0. Mean 4/(5 sqrt(2)).
    reference = style_histograms([part(Note(0, 1, 40, 90), Note(2, 1, 40, 90))], BARS)
    estimate = style_histograms([part(Note(0, 1, 40, 90))], BARS)
    fit = style_fit(estimate, reference)
    assert fit.by_part == {"bass": pytest.approx(0.8 / np.sqrt(2))}
    # The other way round the reference has no intervals, so nothing is asked about them.
    assert style_fit(reference, estimate).mean == pytest.approx(1 / np.sqrt(2))


def test_a_missing_part_scores_zero_and_one_too_many_does_not_count() -> None:
    song = band_song()
    whole = style_histograms(song.tracks, song.timeline.bars)
    bass = style_histograms([t for t in song.tracks if t.role is Role.BASS], song.timeline.bars)
    assert style_fit(bass, whole).mean == pytest.approx(1 / 3)
    assert style_fit(whole, bass).mean == pytest.approx(1.0)
    assert style_fit(whole, whole, parts=("drums",)).by_part == {"drums": pytest.approx(1.0)}
    assert style_fit(StyleHistograms({}), whole).mean == 0.0
    with pytest.raises(NotMeasurable, match="no drums"):
        style_fit(whole, bass, parts=("drums",))


def test_sums_and_files() -> None:
    song = band_song()
    one = style_histograms(song.tracks[:2], song.timeline.bars)
    two = style_histograms(song.tracks[2:], song.timeline.bars)
    both = one + two
    assert both.parts() == ("drums", "bass", "accompaniment")
    assert (both + one).counts["bass_onset"].sum() == 2 * one.counts["bass_onset"].sum()
    assert all(count.sum() == pytest.approx(1.0) for count in both.normalised().counts.values())
    file = io.BytesIO()
    np.savez(file, **both.counts)
    file.seek(0)
    with np.load(file) as stored:
        again = StyleHistograms({name: stored[name] for name in stored.files})
    assert style_fit(again, both).mean == pytest.approx(1.0)


def test_void_references_say_why() -> None:
    with pytest.raises(NotMeasurable, match="bar"):
        style_histograms([part(Note(0, 1, 40, 90))], ())
    with pytest.raises(NotMeasurable, match="not a number"):
        style_histograms([part(Note(float("nan"), 1, 40, 90))], BARS)
