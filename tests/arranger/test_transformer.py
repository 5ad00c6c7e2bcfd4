"""Songs that a network writes: with random weights, they are still what a band could play."""

from dataclasses import replace

import pytest
import torch

from rearrange.arranger.charts import make_chart
from rearrange.arranger.critics import rating, ratings
from rearrange.arranger.passages import passages
from rearrange.arranger.sampling import Sampling
from rearrange.arranger.transformer import Writer
from rearrange.arranger.vocabulary import PLAYED_ROLES, VOCABULARY, vocabulary_digest
from rearrange.errors import UsageError
from rearrange.genre import genre_names, load_genre
from rearrange.models.arranger import ArrangerConfig, ArrangerNetwork, build
from rearrange.score import Metre, Note, Role, Track
from rearrange.stages.arrange import ArrangeSettings, arrange
from tests.songs import band_song

EVERYBODY = frozenset(PLAYED_ROLES)
ASKED = ArrangeSettings(seed=3, arranger="transformer")


@pytest.fixture(scope="module")
def writer() -> Writer:
    torch.manual_seed(0)
    config = ArrangerConfig(
        n_words=len(VOCABULARY), depth=2, genres=tuple(genre_names()), vocabulary=vocabulary_digest()
    )
    # Random weights end no bar by themselves.
    return Writer(
        ArrangerNetwork(config, build(config)), Sampling(1.0, 0.95, most_words=40), EVERYBODY, n_themes=2
    )


def test_a_song_is_cut_into_passages_and_those_that_return_are_known() -> None:
    chart = make_chart(band_song(sections=[("verse", 8, 0.4), ("chorus", 5, 0.8), ("verse", 8, 0.4)]))
    chords = band_song(n_bars=21).chords
    lengths = [100] * 21
    cut = passages(chart, chords, lengths, most_words=450)
    assert [index for passage in cut for index in passage.bars] == list(range(21))
    assert [len(passage.bars) for passage in cut] == [4, 4, 4, 1, 4, 4]
    assert cut[1].again is None  # the second half of the verse has its fill
    back = [
        make_chart(band_song(sections=[("verse", 8, 0.4), ("chorus", 8, 0.8), ("verse", 8, 0.4), ("end", 8, 0.4)]))
    ]
    again = passages(back[0], band_song(n_bars=32).chords, [100] * 32, most_words=450)
    assert [passage.again for passage in again[4:6]] == [0, 1]
    assert [len(each.bars) for each in passages(chart, chords, [300] * 21, most_words=450)] == [1] * 21


def test_what_a_network_of_chance_writes_can_be_played(writer: Writer) -> None:
    song = band_song()
    genre = load_genre("jazz")
    made = arrange(song, genre, ASKED, writer=writer)
    sketched = arrange(song, genre, replace(ASKED, arranger="patterns"))
    assert made.track(Role.MELODY) == sketched.track(Role.MELODY)
    written = [track for track in made.tracks if track.role is not Role.MELODY]
    assert written
    assert {track.role for track in made.tracks} <= {track.role for track in sketched.tracks}
    for track in written:
        theirs = sketched.track(track.role)
        assert theirs is not None
        assert track.program == theirs.program
        assert track.notes != theirs.notes
        assert all(0 <= note.onset_beat < song.timeline.end_beat for note in track.notes)
        if not track.is_drum:
            low, high = genre.roles[track.role].range
            assert all(low <= note.pitch <= high for note in track.notes)


def test_the_same_seed_writes_the_same_song(writer: Writer) -> None:
    song, genre = band_song(n_bars=8), load_genre("funk")
    first, again = (arrange(song, genre, ASKED, writer=writer) for _ in range(2))
    assert first.tracks == again.tracks
    assert arrange(song, genre, replace(ASKED, seed=4), writer=writer).tracks != first.tracks


def test_a_section_that_returns_is_played_as_it_was(writer: Writer) -> None:
    form = [("verse", 8, 0.4), ("chorus", 8, 0.8), ("verse", 8, 0.4), ("outro", 4, 0.4)]
    made = arrange(band_song(sections=form), load_genre("rock"), ASKED, writer=writer)
    drums = made.track(Role.DRUMS)
    assert drums is not None
    verse, again, chorus = (
        [
            (round(note.onset_beat - start, 6), note.pitch, note.velocity)
            for note in drums.notes
            if start <= note.onset_beat < start + 28
        ]
        for start in (0.0, 64.0, 32.0)
    )
    assert verse == again
    assert verse != chorus


@pytest.mark.parametrize("metre", [Metre(3, 4), Metre(6, 8), Metre(5, 4)])
def test_other_metres_and_short_songs_are_written(writer: Writer, metre: Metre) -> None:
    assert arrange(
        band_song(n_bars=3, metre=metre, sections=[("A", 3, 0.6)]), load_genre("pop"), ASKED, writer=writer
    ).tracks
    assert arrange(
        band_song(sections=[("A", 1, 0.6)], metre=metre), load_genre("pop"), ASKED, writer=writer
    ).tracks


def test_a_song_of_two_metres_is_written_in_both(writer: Writer) -> None:
    song = band_song(n_bars=16)
    changing = replace(song.timeline, metres=((0.0, Metre()), (32.0, Metre(3, 4))), end_beat=62.0)
    made = arrange(replace(song, timeline=changing), load_genre("rock"), ASKED, writer=writer)
    onsets = [note.onset_beat for track in made.tracks if track.role is not Role.MELODY for note in track.notes]
    assert min(onsets) < 32.0 < max(onsets)


def test_what_has_no_word_is_one_clear_line(writer: Writer) -> None:
    with pytest.raises(UsageError, match="7/4") as caught:
        arrange(band_song(metre=Metre(7, 4)), load_genre("pop"), ASKED, writer=writer)
    assert "--arranger patterns" in str(caught.value.hint)
    with pytest.raises(UsageError, match="arranger is 'chance'"):
        ArrangeSettings(arranger="chance")


def test_locked_parts_are_not_written(writer: Writer) -> None:
    song = band_song(n_bars=8)
    made = arrange(song, load_genre("funk"), replace(ASKED, lock=("bass",), tempo="keep"), writer=writer)
    bass, own = made.track(Role.BASS), song.track(Role.BASS)
    assert bass is not None
    assert own is not None
    assert bass.notes == own.notes


def test_another_song_shows_how_to_drum(writer: Writer) -> None:
    song, rock, drums_only = (
        band_song(n_bars=8),
        load_genre("rock"),
        replace(writer, roles=frozenset((Role.DRUMS,))),
    )
    reference = band_song(n_bars=12, progression=((6, "min"), (1, "maj")))
    alone = replace(reference, tracks=tuple(t for t in reference.tracks if t.is_drum), chords=())
    plain = replace(ASKED, arranger="patterns")
    like, like_alone, unlike, sketched = (
        arrange(song, rock, settings, writer=drums_only, reference=shown)
        for settings, shown in ((plain, reference), (plain, alone), (ASKED, None), (plain, None))
    )
    for made in (like, like_alone, unlike):
        for track in made.tracks:
            assert (track == sketched.track(track.role)) == (track.role is not Role.DRUMS)
    assert len({each.track(Role.DRUMS) for each in (like, like_alone, unlike)}) == 3


def test_what_a_reference_cannot_show_is_one_clear_line(writer: Writer) -> None:
    song, drums_only = band_song(n_bars=8), replace(writer, roles=frozenset((Role.DRUMS,)))
    silent = replace(song, tracks=tuple(track for track in song.tracks if not track.is_drum))
    for reference, genre, line in (
        (silent, "rock", "the reference has no drums in 4/4"),
        (band_song(n_bars=8, metre=Metre(3, 4)), "rock", "the reference has no drums in 4/4"),
        (song, "classical", "Classical has no drums here"),
    ):
        with pytest.raises(UsageError, match=line) as caught:
            arrange(song, load_genre(genre), ASKED, writer=drums_only, reference=reference)
        assert "--like" in str(caught.value.hint)


def test_a_genre_that_people_have_drummed_is_drummed_from_its_name(writer: Writer) -> None:
    song, rock = band_song(n_bars=8), load_genre("rock")
    shown = replace(writer, roles=frozenset((Role.DRUMS,)))
    network = ArrangerNetwork(replace(writer.network.config, drummed=("rock",)), writer.network.module)
    made = [
        arrange(song, rock, ASKED, writer=each).track(Role.DRUMS)
        for each in (shown, replace(shown, network=network))
    ]
    assert made[0] != made[1]


def test_critics_hear_wrong_chords_rubs_other_rhythms_and_silence() -> None:
    song = band_song(n_bars=4, sections=[("A", 4, 0.6)])
    chart = make_chart(song)
    band = tuple(track for track in song.tracks if track.role is not Role.MELODY)
    assert list(ratings(band, band, chart.bars, song.chords).values()) == pytest.approx([1.0] * 4)

    def changed(role: Role, semitones: int = 0, beats: float = 0.0, keep: int = 1) -> tuple[Track, ...]:
        def moved(note: Note) -> Note:
            return replace(note, onset_beat=note.onset_beat + beats, pitch=note.pitch + semitones)

        return tuple(
            replace(track, notes=tuple(map(moved, track.notes[::keep]))) if track.role is role else track
            for track in band
        )

    best = rating(band, band, chart.bars, song.chords)
    for name, worse in {
        "chords": changed(Role.CHORDS, semitones=1),
        "tune": changed(Role.CHORDS, semitones=1),
        "rhythm": changed(Role.DRUMS, beats=0.5),
        "presence": tuple(track for track in band if track.role is not Role.BASS),
    }.items():
        found = ratings(worse, band, chart.bars, song.chords)
        assert found[name] < 0.95, name
        assert rating(worse, band, chart.bars, song.chords) < best
