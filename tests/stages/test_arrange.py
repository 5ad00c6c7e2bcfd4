from dataclasses import replace

import numpy as np
import pytest

from rearrange.arranger.patterns import choose_style
from rearrange.errors import TooLittleMusicError, UsageError
from rearrange.evaluation.metrics import content_similarity, melody_f1
from rearrange.genre import genre_names, load_genre
from rearrange.score import Arrangement, Metre, Role, Score
from rearrange.stages.arrange import ArrangeSettings, arrange, choose_tempo
from tests.songs import band_song

FORM = (
    ("intro", 4, 0.2),
    ("verse", 8, 0.4),
    ("chorus", 8, 0.9),
    ("verse", 8, 0.45),
    ("chorus", 8, 0.9),
    ("outro", 4, 0.3),
)


@pytest.fixture(scope="module")
def song() -> Score:
    return band_song(sections=FORM)


def content(song: Score, arrangement: Arrangement) -> float:
    n_beats = int(song.timeline.end_beat)
    return content_similarity(song.tracks, arrangement.tracks, n_beats, beat_ratio=arrangement.beat_ratio)


@pytest.mark.parametrize("name", genre_names())
def test_every_genre_keeps_the_song_and_plays_like_a_band(song: Score, name: str) -> None:
    genre = load_genre(name)
    arrangement = arrange(song, genre, ArrangeSettings(seed=5))
    assert genre.tempo_bpm[0] * 0.999 <= arrangement.timeline.mean_tempo_bpm <= genre.tempo_bpm[1] * 1.001
    melody, theirs = arrangement.track(Role.MELODY), song.track(Role.MELODY)
    assert melody is not None
    assert theirs is not None
    assert melody_f1(theirs.notes, melody.notes, beat_ratio=arrangement.beat_ratio) >= 0.9
    assert content(song, arrangement) >= 0.8
    bass = arrangement.track(Role.BASS)
    assert bass is not None
    n_bars = len(arrangement.timeline.bars)
    for track in arrangement.tracks:
        assert track.notes
        if len(track.notes) >= 12:
            assert len({note.velocity for note in track.notes}) >= 3, f"{track.name} is at one level"
        spec = genre.roles.get(track.role)
        if spec and not track.is_drum:
            assert all(spec.range[0] <= note.pitch <= spec.range[1] for note in track.notes), track.name
        assert all(note.onset_beat >= 0 for note in track.notes)
        assert all(note.onset_beat < arrangement.timeline.end_beat for note in track.notes)
    bars_with_bass = {int(note.onset_beat // 4) for note in bass.notes}
    assert len(bars_with_bass) >= 0.8 * n_bars


@pytest.mark.parametrize("name", genre_names())
@pytest.mark.parametrize("metre", [Metre(3, 4), Metre(6, 8)], ids=str)
def test_every_genre_plays_other_metres(name: str, metre: Metre) -> None:
    song = band_song(n_bars=12, metre=metre)
    arrangement = arrange(song, load_genre(name), ArrangeSettings(seed=1))
    assert arrangement.timeline.bars[0].metre == metre or arrangement.beat_ratio != 1
    assert content(song, arrangement) >= 0.75


def test_same_seed_same_notes_another_seed_others(song: Score) -> None:
    genre = load_genre(genre_names()[0])
    first, again, other = (arrange(song, genre, ArrangeSettings(seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first.tracks != other.tracks


def test_walking_bass_walks(song: Score) -> None:
    """Where a style's bass is written in walking notes, it moves by small steps and seldom repeats."""
    genre = next(g for g in map(load_genre, genre_names()) if _walks(g.name))
    style = next(s for s in genre.styles if _walking_share(s) > 0.5)
    arrangement = arrange(song, genre, ArrangeSettings(seed=3, style=style.name))
    bass = arrangement.track(Role.BASS)
    assert bass is not None
    steps = np.abs(np.diff([note.pitch for note in bass.notes]))
    assert np.mean(steps <= 5) > 0.75
    assert np.mean(steps == 0) < 0.2
    on_ones = [n for n in bass.notes if n.onset_beat % 4 < 0.15]
    roots = {int(c.onset_beat): c.bass for c in arrangement.chords}
    hits = [n.pitch % 12 == roots[int(n.onset_beat)] for n in on_ones if int(n.onset_beat) in roots]
    assert np.mean(hits) > 0.9


def _walks(name: str) -> bool:
    return any(_walking_share(style) > 0.5 for style in load_genre(name).styles)


def _walking_share(style: object) -> float:
    variations = style.patterns[Role.BASS]  # type: ignore[attr-defined]
    symbols = [
        step.symbol
        for lines in variations["A"].alternatives
        for pattern in lines.values()
        for bar in pattern.bars
        for step in bar
    ]
    return symbols.count("w") / max(len(symbols), 1)


def test_sections_return_as_themselves(song: Score) -> None:
    """Two choruses have the same rhythm in the bass but for what energy adds."""
    genre = load_genre(genre_names()[-1])
    arrangement = arrange(song, genre, ArrangeSettings(seed=4, tempo="keep"))
    bass = arrangement.track(Role.BASS)
    assert bass is not None

    def rhythm(first_bar: int) -> list[float]:
        start = first_bar * 4
        return [round(n.onset_beat - start, 0) for n in bass.notes if start - 0.1 <= n.onset_beat < start + 28]

    assert rhythm(12) == rhythm(28)


def test_strength_zero_keeps_the_songs_parts_and_one_changes_most(song: Score) -> None:
    genre = load_genre(genre_names()[0])
    untouched = arrange(song, genre, ArrangeSettings(strength=0.0, tempo="keep"))
    for role in (Role.BASS, Role.CHORDS, Role.DRUMS):
        assert untouched.track(role) == song.track(role)
    assert content(song, untouched) > content(song, arrange(song, genre, ArrangeSettings(strength=1.0)))


def test_tempo_keep_genre_and_number(song: Score) -> None:
    genre = load_genre(genre_names()[0])
    assert arrange(song, genre, ArrangeSettings(tempo="keep")).timeline == song.timeline
    assert arrange(song, genre, ArrangeSettings(tempo="93")).timeline.mean_tempo_bpm == pytest.approx(93)
    for wrong in ("fast", "5", "-1", "nan"):
        with pytest.raises(UsageError):
            arrange(song, genre, ArrangeSettings(tempo=wrong))


def test_double_and_half_time_are_taken_where_they_are_nearer() -> None:
    genre = replace(load_genre(genre_names()[0]), tempo_bpm=(150.0, 180.0))
    assert choose_tempo(band_song(tempo_bpm=80), genre, "genre") == (160.0, 2.0)
    slow = replace(genre, tempo_bpm=(70.0, 95.0))
    assert choose_tempo(band_song(tempo_bpm=168), slow, "genre") == (84.0, 0.5)
    assert choose_tempo(band_song(tempo_bpm=100), slow, "genre") == (95.0, 1.0)
    assert choose_tempo(band_song(tempo_bpm=168), slow, "genre", may_change_feel=False) == (95.0, 1.0)


def test_locked_parts_are_identical(song: Score) -> None:
    arrangement = arrange(song, load_genre(genre_names()[0]), ArrangeSettings(lock=("melody", "drums")))
    for role in (Role.MELODY, Role.DRUMS):
        ours, theirs = arrangement.track(role), song.track(role)
        assert ours is not None
        assert theirs is not None
        assert ours.notes == theirs.notes
    with pytest.raises(UsageError, match="banjo"):
        arrange(song, load_genre(genre_names()[0]), ArrangeSettings(lock=("banjo",)))
    with pytest.raises(UsageError, match="no such part"):
        arrange(song, load_genre(genre_names()[0]), ArrangeSettings(lock=("pad",)))


def test_a_part_is_redone_and_all_else_stays(song: Score) -> None:
    genre = load_genre(genre_names()[0])
    before = arrange(song, genre)
    role = before.tracks[-1].role
    again = arrange(song, genre, ArrangeSettings(redo=(f"{role.value}=3",)))
    assert [track.program for track in again.tracks] == [track.program for track in before.tracks]
    assert [track.role for track in again.tracks if track != before.track(track.role)] == [role]
    assert arrange(song, genre, ArrangeSettings(redo=(f"{role.value}=0",))).tracks == before.tracks
    for wrong in ("drums", "drums=x", "banjo=3"):
        with pytest.raises(UsageError, match="cannot redo"):
            ArrangeSettings(redo=(wrong,))


def test_instruments_dial_keeps_the_songs_own(song: Score) -> None:
    genre = load_genre(genre_names()[0])
    kept = arrange(song, genre, ArrangeSettings(instruments=0.0)).track(Role.MELODY)
    swapped = arrange(song, genre, ArrangeSettings(instruments=1.0)).track(Role.MELODY)
    assert kept is not None
    assert swapped is not None
    assert kept.program == 73
    assert swapped.program in genre.roles[Role.MELODY].programs or any(
        swapped.program in style.programs.get(Role.MELODY, ()) for style in genre.styles
    )


def test_energy_adds_and_takes_notes(song: Score) -> None:
    genre = load_genre(genre_names()[-1])

    def n_notes(energy: float) -> int:
        tracks = arrange(song, genre, ArrangeSettings(energy=energy)).tracks
        return sum(len(track.notes) for track in tracks)

    assert n_notes(-1.0) < n_notes(0.0) <= n_notes(1.0)


def test_vocals_kept_dropped_or_missing(song: Score) -> None:
    genre = load_genre(genre_names()[0])
    kept = arrange(song, genre, ArrangeSettings(vocals="keep"), stems=("vocals", "bass"))
    assert kept.kept_stems == ("vocals",)
    assert kept.track(Role.MELODY) is None
    assert arrange(song, genre, ArrangeSettings(vocals="drop")).track(Role.MELODY) is None
    with pytest.raises(UsageError, match="no vocals stem"):
        arrange(song, genre, ArrangeSettings(vocals="keep"))
    with pytest.raises(UsageError):
        arrange(song, genre, ArrangeSettings(vocals="shout"))


@pytest.mark.parametrize("wrong", [{"strength": 1.5}, {"rhythm": -0.1}, {"energy": 2.0}, {"style": "no such"}])
def test_settings_outside_their_range_are_one_clear_line(song: Score, wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        arrange(song, load_genre(genre_names()[0]), ArrangeSettings(**wrong))


def test_a_song_of_nothing_is_too_little_music() -> None:
    song = band_song(n_bars=4)
    empty = replace(song, chords=(), tracks=())
    for name in genre_names():
        genre = load_genre(name)
        if any(Role.DRUMS not in style.roles for style in genre.styles):
            style = next(s for s in genre.styles if Role.DRUMS not in s.roles and Role.PERCUSSION not in s.roles)
            with pytest.raises(TooLittleMusicError):
                arrange(empty, genre, ArrangeSettings(style=style.name))
            return
    pytest.fail("no genre without drums to test with")


def test_solo_drums_become_the_genres_drums() -> None:
    song = band_song(n_bars=8)
    drums = song.track(Role.DRUMS)
    assert drums is not None
    genre = next(g for g in map(load_genre, genre_names()) if all(Role.DRUMS in s.roles for s in g.styles))
    arrangement = arrange(replace(song, chords=(), tracks=(drums,)), genre)
    assert {track.role for track in arrangement.tracks} <= {Role.DRUMS, Role.PERCUSSION}
    assert arrangement.track(Role.DRUMS) is not None


def test_a_pickup_stays_before_the_first_bar() -> None:
    song = band_song(n_bars=8)
    melody = song.track(Role.MELODY)
    assert melody is not None
    early = replace(melody.notes[0], onset_beat=-1.0, duration_beat=1.0)
    tracks = tuple(replace(t, notes=(early, *t.notes)) if t is melody else t for t in song.tracks)
    arrangement = arrange(replace(song, tracks=tracks), load_genre(genre_names()[0]))
    ours = arrangement.track(Role.MELODY)
    assert ours is not None
    assert ours.notes[0].onset_beat < 0
    assert float(arrangement.timeline.seconds(ours.notes[0].onset_beat)) >= -0.15


def test_styles_are_chosen_by_metre_and_tempo() -> None:
    for genre in map(load_genre, genre_names()):
        for style in genre.styles:
            middle = float(np.mean(style.tempo_bpm))
            chosen = choose_style(genre, style.metre, middle, seed=0)
            assert chosen.metre == style.metre
            assert chosen.tempo_bpm[0] <= middle <= chosen.tempo_bpm[1]
