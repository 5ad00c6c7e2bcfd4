"""What the arranger learns from: real parts in their roles, human drums, styles of chance, charts misheard."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rearrange.arranger.grammar import HAND_SPAN, MOST_VOICES
from rearrange.evaluation.corpora import SongRef
from rearrange.evaluation.songs import SymbolicSong
from rearrange.genre import VARIATIONS, genre_names, load_genre
from rearrange.midi import write_performance
from rearrange.score import Metre, Note, NoteEvent, Part, Performance, Role, Timeline, Track
from rearrange.training.arrangement_damage import heard_badly
from rearrange.training.arrangement_drumming import Drummers, clip_example, with_drummer
from rearrange.training.arrangement_examples import playable
from rearrange.training.arrangement_patterns import patterned
from rearrange.training.arrangement_songs import known_score, real_example, roles_of
from rearrange.training.arrangement_styles import euclidean, random_genre
from rearrange.training.arrangement_tables import arrangement_tables
from rearrange.training.clips import Clip
from tests.songs import band_song

TABLES = arrangement_tables()


def _clip(folder: Path, name: str = "beat", *, fill_bar: int | None = None) -> Clip:
    """Eight bars at 120: kick on the quarters, in one bar toms instead."""
    hits = []
    for beat in range(32):
        pitch = 45 if fill_bar is not None and beat // 4 == fill_bar else 36
        hits.append(NoteEvent(0.5 * beat + 0.01, 0.1, pitch, 90))
    write_performance(folder / f"{name}.mid", Performance((Part("drums", tuple(hits), is_drum=True),), 16.0))
    return Clip(SongRef("gmd", name, folder / f"{name}.mid"), 120.0, 4, 1.0, style="rock")


def _song(corpus: str, **lines: list[NoteEvent]) -> SymbolicSong:
    parts = tuple(Part(name, tuple(events), program=0) for name, events in lines.items())
    timeline = Timeline.constant(120.0, end_beat=32.0)
    return SymbolicSong("song", corpus, Performance(parts, 16.0), timeline, None, None)


def _quarters(pitch: int, n: int = 32, every: float = 0.5) -> list[NoteEvent]:
    return [NoteEvent(every * i, 0.9 * every, pitch + (0, 2, 4, 5)[i % 4], 80) for i in range(n)]


def test_the_tables_name_genres_that_there_are() -> None:
    assert {genre for genres in TABLES.drumming.values() for genre in genres} <= set(genre_names())
    rates = TABLES.heard
    assert rates.relative + rates.fifth + rates.mode + rates.bass + rates.none <= 1.0


def test_a_piano_is_chords_its_bridge_the_counter_line() -> None:
    song = _song("pop909", MELODY=_quarters(72), BRIDGE=_quarters(67), PIANO=_quarters(60))
    rng = np.random.default_rng(0)
    found = {track.role: track for track in roles_of(song, song.timeline, rng)}
    assert set(found) == {Role.MELODY, Role.COUNTER, Role.CHORDS}
    assert found[Role.COUNTER].notes[0].pitch == 67
    example = real_example(song, known_score(song), TABLES, None, rng)
    assert example is not None
    assert {track.role for track in example.tracks} == {Role.COUNTER, Role.CHORDS}
    assert any(bar.melody for bar in example.chart.bars)


def test_a_quartet_has_its_cello_as_bass() -> None:
    voices = {f"part {i}": _quarters(pitch) for i, pitch in enumerate((76, 69, 60, 43))}
    song = _song("openscore_quartets", **voices)
    found = {track.role: track.notes[0].pitch for track in roles_of(song, song.timeline, np.random.default_rng(0))}
    assert found == {Role.MELODY: 76, Role.COUNTER: 69, Role.CHORDS: 60, Role.BASS: 43}


def test_what_hands_cannot_play_is_left_out() -> None:
    wide = tuple(Note(0.0, 1.0, pitch, 80) for pitch in (36, 43, 48, 52, 55, 60, 64, 67, 72, 84))
    chords = playable(Track("chords", Role.CHORDS, 0, False, wide)).notes
    pitches = [note.pitch for note in chords]
    assert len(pitches) <= MOST_VOICES
    assert (pitches[0], pitches[-1]) == (36, 84)
    assert all(pitch <= 36 + HAND_SPAN or pitch >= 84 - HAND_SPAN for pitch in pitches)
    bass = playable(Track("bass", Role.BASS, 32, False, (*wide, Note(0.5, 1.0, 38, 80)))).notes
    assert [note.pitch for note in bass] == [36, 38]
    assert bass[0].duration_beat == 0.5
    deep = Track("bass", Role.BASS, 33, False, (Note(0.0, 1.0, 21, 80), Note(1.0, 1.0, 28, 80)))
    assert [note.pitch for note in playable(deep).notes] == [33, 28]
    hits = tuple(Note(1.0, 0.2, pitch, 60 + pitch) for pitch in (36, 38, 42, 44, 49))
    assert [hit.pitch for hit in playable(Track("drums", Role.DRUMS, 0, True, hits)).notes] == [36, 42, 44, 49]


def test_a_clip_keeps_its_timing_and_its_fill_is_found(tmp_path: Path) -> None:
    example = clip_example(_clip(tmp_path, fill_bar=3), TABLES, np.random.default_rng(0))
    assert example is not None
    assert example.genre in TABLES.drumming["rock"]
    assert len(example.chart.bars) == 8
    assert [bar.index for bar in example.chart.bars if bar.is_fill] == [3]
    assert not example.chords
    onsets = np.array([note.onset_beat for note in example.tracks[0].notes])
    np.testing.assert_allclose(onsets, np.arange(32) + 0.02, atol=0.01)


def test_a_drummer_plays_where_the_patterns_drums_played(tmp_path: Path) -> None:
    score = band_song(n_bars=32, tempo_bpm=120.0)
    rng = np.random.default_rng(1)
    example = patterned("a/b", score, load_genre(TABLES.drumming["rock"][0]), kind="patterns", heard=None, rng=rng)
    assert example is not None
    assert {bar.metre for bar in example.chart.bars} == {Metre()}
    example = replace(example, genre="x")
    clip, fill = _clip(tmp_path), _clip(tmp_path, "fill", fill_bar=7)
    made = with_drummer(example, Drummers({"x": (clip,)}, (fill,)), 1.0, rng)
    assert made is not None
    drums = next(track for track in made.tracks if track.role is Role.DRUMS)
    bars = example.chart.bars
    filled = {int(hit.onset_beat // 4) for hit in drums.notes if hit.pitch == 45}
    assert filled == {bar.index for bar in bars if bar.is_fill} - {len(bars) - 1}
    others = {track.role for track in made.tracks} - {Role.DRUMS}
    assert others == {track.role for track in example.tracks} - {Role.DRUMS}
    assert with_drummer(replace(example, genre="y"), Drummers({"x": (clip,)}, ()), 1.0, rng) is None


@pytest.mark.parametrize("metre", [Metre(), Metre(3, 4), Metre(6, 8), Metre(2, 4), Metre(7, 8), Metre(5, 4)])
def test_styles_of_chance_can_be_played(metre: Metre) -> None:
    for seed in range(6):
        genre = random_genre(metre, np.random.default_rng(seed))
        style = genre.styles[0]
        assert Role.BASS in style.roles
        assert set(style.roles) <= set(genre.roles)
        assert all(set(style.patterns[role]) == set(VARIATIONS) for role in style.roles)
    example = patterned(
        "a/b", band_song(n_bars=16), genre, kind="random", heard=None, rng=np.random.default_rng(0)
    )
    assert example is not None
    assert example.genre == ""
    assert all(track.notes for track in example.tracks)


def test_styles_of_chance_differ() -> None:
    drawn = [random_genre(Metre(), np.random.default_rng(seed)).styles[0] for seed in range(4)]
    assert len({style.groove.humanize_ms for style in drawn}) == 4


def test_euclid_spreads_evenly() -> None:
    assert euclidean(3, 8).count(True) == 3
    gaps = np.diff([*np.flatnonzero(euclidean(5, 16)), 16 + np.flatnonzero(euclidean(5, 16))[0]])
    assert set(gaps.tolist()) == {3, 4}
    with pytest.raises(ValueError, match="do not go"):
        euclidean(9, 8)


def test_ears_mishear_as_often_as_the_table_says() -> None:
    score = band_song(n_bars=64)
    wrong, lost, rng = [], [], np.random.default_rng(0)
    tune = score.track(Role.MELODY)
    assert tune is not None
    for _ in range(30):
        heard = heard_badly(score, TABLES.heard, rng)
        there = [heard.chord_at(chord.onset_beat + 0.1) for chord in score.chords]
        pairs = zip(there, score.chords, strict=True)
        wrong.append(
            np.mean([a is None or (a.root, a.quality, a.bass) != (b.root, b.quality, b.bass) for a, b in pairs])
        )
        left = heard.track(Role.MELODY)
        lost.append(1.0 - (len(left.notes) / len(tune.notes) if left else 0.0))
        assert [track.notes for track in heard.tracks if track.role is not Role.MELODY] == [
            track.notes for track in score.tracks if track.role is not Role.MELODY
        ]
        assert heard.sections[0].onset_beat == 0.0
        assert heard.sections[-1].end_beat == score.sections[-1].end_beat
    assert np.mean(wrong) == pytest.approx(TABLES.heard.chord_wrong, abs=0.05)
    assert 0.2 < np.mean(lost) < 0.6
