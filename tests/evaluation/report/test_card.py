from dataclasses import replace

import pytest

from rearrange.evaluation.judge import Judge, load_judge
from rearrange.evaluation.measure import Measure
from rearrange.evaluation.report.card import quality_card, weak_bars
from rearrange.genre import load_genre
from rearrange.score import Arrangement, Chord, Note, Role, Score, Timeline, Track, sorted_notes
from rearrange.stages.arrange import ArrangeSettings, arrange
from tests.songs import band_song

SONG = band_song(n_bars=16)


def as_it_is(score: Score) -> Arrangement:
    return Arrangement(score.timeline, "x", "y", score.key, score.chords, score.sections, score.tracks, seed=0)


def figures(score: Score, arrangement: Arrangement) -> dict[str, float | None]:
    return {entry.name: entry.measure.value for entry in quality_card(score, arrangement)}


def without(arrangement: Arrangement, bar: int) -> Arrangement:
    """Nothing in one bar, counted from 1."""
    start, end = 4.0 * (bar - 1), 4.0 * bar
    tracks = tuple(
        replace(track, notes=tuple(note for note in track.notes if not start <= note.onset_beat < end))
        for track in arrangement.tracks
    )
    return replace(arrangement, tracks=tracks)


def test_the_song_itself_has_a_perfect_card_and_no_weak_bar_but_a_loops() -> None:
    card = figures(SONG, as_it_is(SONG))
    assert card["content"] == pytest.approx(1.0)
    assert card["melody"] == pytest.approx(1.0)
    assert card["chords"] == pytest.approx(1.0)
    assert card["variety"] == pytest.approx(1 / 16)  # each part repeats one bar's rhythm
    assert weak_bars(SONG, as_it_is(SONG)) == ()


def test_the_judge_is_asked_for_the_arrangements_genre() -> None:
    judge = load_judge()
    arranged = arrange(SONG, load_genre("jazz"), ArrangeSettings())

    def genre_of(arrangement: Arrangement, judge: Judge | None) -> Measure:
        return next(e for e in quality_card(SONG, arrangement, judge=judge) if e.name == "genre").measure

    value = genre_of(arranged, judge).value
    assert value == pytest.approx(judge.verdict(arranged.tracks, arranged.timeline).probabilities["jazz"])
    assert genre_of(replace(arranged, genre="x"), judge) == Measure(None, "no independent reference")
    assert genre_of(arranged, None).value is None


def test_an_empty_bar_other_chords_and_a_loop_are_weak() -> None:
    found = {weak.bar: weak.reasons for weak in weak_bars(SONG, without(as_it_is(SONG), 5))}
    assert set(found) == {5}
    assert "no note is played" in found[5]

    def up(note: Note) -> Note:
        return replace(note, pitch=note.pitch + 6) if 8.0 <= note.onset_beat < 12.0 else note

    tritone = tuple(
        track if track.is_drum else replace(track, notes=tuple(up(note) for note in track.notes))
        for track in SONG.tracks
    )
    found = {weak.bar: weak.reasons for weak in weak_bars(SONG, replace(as_it_is(SONG), tracks=tritone))}
    assert set(found) == {3}
    assert set(found[3]) == {
        "the notes are unlike the song's",
        "what is played sounds like other chords than the song's",
        "hardly a note of the tune is there",
    }

    still = band_song(n_bars=12, progression=[(0, "maj")])
    found = {weak.bar: weak.reasons for weak in weak_bars(still, as_it_is(still))}
    assert found == {bar: (f"the same bar for the {bar}th time",) for bar in range(9, 13)}


def test_bars_in_which_little_was_heard_are_the_ears_fault() -> None:
    gap = without(as_it_is(SONG), 7)
    deaf = replace(SONG, tracks=gap.tracks)
    assert {w.bar: w.reasons for w in weak_bars(deaf, as_it_is(SONG))}[7] == (
        "hardly a note of the song was heard here",
    )
    unsure = tuple(replace(c, confidence=0.1) if c.onset_beat == 4.0 else c for c in SONG.chords)
    found = weak_bars(replace(SONG, chords=unsure), as_it_is(SONG))
    assert [(weak.bar, weak.reasons) for weak in found] == [(2, ("the chords could hardly be told",))]


def test_a_kept_voice_is_not_measured_in_notes() -> None:
    kept = replace(as_it_is(SONG), tracks=SONG.tracks[1:], kept_stems=("vocals",))
    reasons = {entry.name: entry.measure.reason for entry in quality_card(SONG, kept)}
    assert reasons["melody"] == "the song's own voice is kept"
    assert figures(SONG, kept)["chords"] == pytest.approx(1.0)


def test_what_cannot_be_measured_says_why() -> None:
    bar = Timeline.constant(100.0, end_beat=4.0)
    empty = Score(bar, SONG.key, (), (), ())
    nothing = Arrangement(bar, "x", "y", SONG.key, (), (), (), seed=0)
    for entry in quality_card(empty, nothing):
        assert entry.measure.value in (None, 0.0)
        assert entry.measure.reason or entry.measure.value == 0.0
    assert isinstance(weak_bars(empty, nothing), tuple)
    broken = replace(nothing, tracks=(Track("bass", Role.BASS, 33, False, (Note(float("nan"), 1.0, 40, 80),)),))
    assert all(entry.measure.value is None or entry.measure.value >= 0 for entry in quality_card(SONG, broken))


def test_an_arrangement_in_double_time_is_compared_bar_by_bar() -> None:
    slow = band_song(tempo_bpm=60.0)
    arranged = arrange(slow, load_genre("disco"), ArrangeSettings())
    assert arranged.beat_ratio == 2.0
    card = figures(slow, arranged)
    assert (card["content"] or 0) > 0.7
    assert (card["melody"] or 0) > 0.8
    assert all(1 <= weak.bar <= 16 for weak in weak_bars(slow, arranged))


def test_chords_of_a_pickup_do_not_disturb() -> None:
    early = (Chord(-1.0, 1.0, 7, "maj", 7), *SONG.chords)
    notes = sorted_notes([Note(-0.5, 0.5, 67, 80), *SONG.tracks[0].notes])
    score = replace(SONG, chords=early, tracks=(replace(SONG.tracks[0], notes=notes), *SONG.tracks[1:]))
    assert weak_bars(score, as_it_is(score)) == ()


def test_a_tune_that_is_gone_is_told_in_its_bars() -> None:
    """A semitone off, in the melody alone: the band's chords are as they were."""
    up = tuple(
        replace(t, notes=tuple(replace(n, pitch=n.pitch + 1) for n in t.notes)) if t.role is Role.MELODY else t
        for t in SONG.tracks
    )
    said = {weak.bar: weak.reasons for weak in weak_bars(SONG, replace(as_it_is(SONG), tracks=up))}
    assert sorted(said) == list(range(1, 17))
    assert all("hardly a note of the tune is there" in reasons for reasons in said.values())


def test_variety_of_a_few_bars_means_nothing() -> None:
    short = band_song(n_bars=4)
    (variety,) = (entry for entry in quality_card(short, as_it_is(short)) if entry.name == "variety")
    assert variety.measure.reason == "there are too few bars"
