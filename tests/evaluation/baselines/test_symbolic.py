from dataclasses import replace

import pytest

from rearrange.evaluation.baselines.symbolic import SYSTEMS, arranged, copy, fitted, instrument_swap, random_song
from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics import content_similarity
from rearrange.genre import genre_names, load_genre
from rearrange.score import Arrangement, Metre, Role, Score
from tests.songs import band_song

GENRE = load_genre("jazz")
SONG = replace(band_song(n_bars=8), title="this one")
# As far from it as twelve pitch classes allow: F#, Db minor and so on.
FAR = ((6, "maj"), (1, "min"), (11, "maj"), (8, "7"))


def another(n_bars: int = 8, *, title: str = "another", metre: Metre = Metre()) -> Score:
    return replace(band_song(n_bars=n_bars, progression=FAR, metre=metre), title=title)


def content(arrangement: Arrangement, score: Score = SONG) -> float:
    n_beats = int(score.timeline.end_beat)
    return content_similarity(score.tracks, arrangement.tracks, n_beats, beat_ratio=arrangement.beat_ratio)


def test_copy_is_the_source() -> None:
    made = copy(SONG, GENRE)
    assert made.tracks == SONG.tracks
    assert made.timeline == SONG.timeline
    assert made.chords == SONG.chords
    assert (made.genre, made.beat_ratio) == (GENRE.name, 1.0)
    assert content(made) == pytest.approx(1.0)


@pytest.mark.parametrize("name", genre_names())
def test_swap_changes_instruments_and_nothing_else(name: str) -> None:
    genre = load_genre(name)
    made = instrument_swap(SONG, genre)
    assert made.timeline == SONG.timeline
    for before, after in zip(SONG.tracks, made.tracks, strict=True):
        assert replace(after, program=before.program) == before
        if before.role in genre.roles:
            assert after.program in genre.roles[before.role].programs
    assert (
        made.tracks[0].program != SONG.tracks[0].program
        or SONG.tracks[0].program in genre.roles[Role.MELODY].programs
    )


def test_a_role_the_genre_lacks_is_played_by_the_nearest() -> None:
    pads = replace(SONG, tracks=tuple(replace(t, role=Role.PAD) for t in SONG.tracks if t.role is Role.CHORDS))
    without_pads = replace(GENRE, roles={r: spec for r, spec in GENRE.roles.items() if r is not Role.PAD})
    assert instrument_swap(pads, without_pads).tracks[0].program == GENRE.roles[Role.CHORDS].programs[0]
    bare = replace(GENRE, roles={r: GENRE.roles[r] for r in (Role.MELODY, Role.BASS)})
    assert instrument_swap(pads, bare).tracks[0].program == GENRE.roles[Role.MELODY].programs[0]


def test_a_genre_without_drums_leaves_the_kit_alone() -> None:
    drums = replace(SONG.tracks[-1], program=25)
    song = replace(SONG, tracks=(drums,))
    pitched = replace(GENRE, roles={r: s for r, s in GENRE.roles.items() if r is not Role.DRUMS})
    assert instrument_swap(song, pitched).tracks == (drums,)
    with_percussion = replace(pitched, roles={**pitched.roles, Role.PERCUSSION: GENRE.roles[Role.DRUMS]})
    assert instrument_swap(song, with_percussion).tracks[0].program == GENRE.roles[Role.DRUMS].programs[0]


@pytest.mark.parametrize("n_bars", [3, 8, 13])
def test_a_random_song_is_another_song_of_the_same_length(n_bars: int) -> None:
    made = random_song(SONG, [SONG, another(n_bars)], GENRE, seed=0)
    end = SONG.timeline.end_beat * made.beat_ratio
    assert made.timeline.end_beat == pytest.approx(end)
    assert made.genre == GENRE.name
    notes = [note for track in made.tracks for note in track.notes]
    assert max(note.onset_beat + note.duration_beat for note in notes) <= end + 1e-6
    assert max(note.onset_beat for note in notes) > end - 8  # not half of it silence
    assert content(made) < content(arranged(SONG, GENRE, seed=0, arranger="patterns")) - 0.2
    assert made == random_song(SONG, [SONG, another(n_bars)], GENRE, seed=0)


def test_seeds_and_genres_draw_different_songs() -> None:
    others = [replace(another(), title=str(i), tracks=another().tracks[: 2 + i % 3]) for i in range(12)]
    others = [replace(other, key=replace(other.key, tonic=i)) for i, other in enumerate(others)]
    drawn = {random_song(SONG, others, GENRE, seed=seed).key.tonic for seed in range(8)}
    assert len(drawn) > 3
    by_genre = {random_song(SONG, others, load_genre(name), seed=0).key.tonic for name in genre_names()}
    assert len(by_genre) > 3


def test_there_must_be_another_song() -> None:
    same_notes = replace(SONG, title="under another name")
    empty = replace(SONG, tracks=(), chords=(), title="empty")
    for others in ([], [SONG], [same_notes], [another(title="this one")], [empty]):
        with pytest.raises(NotMeasurable, match="no other song"):
            random_song(SONG, others, GENRE, seed=0)


def test_repeats_lie_bar_on_bar_in_the_other_songs_metre() -> None:
    source = replace(copy(another(4, metre=Metre(3, 4)), GENRE))
    longer = fitted(source, 32.0)
    assert longer.timeline.end_beat == 32.0
    assert {bar.metre for bar in longer.timeline.bars} == {Metre(3, 4)}
    for before, after in zip(source.tracks, longer.tracks, strict=True):
        second = [n for n in after.notes if 12.0 <= n.onset_beat < 24.0]
        assert [(n.onset_beat - 12.0, n.pitch) for n in second] == [(n.onset_beat, n.pitch) for n in before.notes]
    assert longer.chords[-1].end_beat <= 32.0
    assert sum(section.duration_beat for section in longer.sections) == pytest.approx(32.0)
    assert fitted(source, source.timeline.end_beat) == source


def test_nothing_to_fit() -> None:
    with pytest.raises(NotMeasurable, match="shorter than a bar"):
        fitted(copy(SONG, GENRE), 0.0)


def test_every_system_is_called_alike() -> None:
    assert list(SYSTEMS) == ["copy", "instrument-swap", "random-song", "patterns", "transformer"]
    for name, system in SYSTEMS.items():
        assert system.name == name
        first = system.function(SONG, GENRE, 1, [another(), another(5, title="third")])
        assert first == system.function(SONG, GENRE, 1, [another(), another(5, title="third")])
        again = system.function(SONG, GENRE, 2, [another(), another(5, title="third")])
        assert (first.tracks != again.tracks) == system.uses_seed
        elsewhere = system.function(SONG, load_genre("metal"), 1, [another(), another(5, title="third")])
        assert (first.tracks != elsewhere.tracks) == system.uses_genre
