"""The grammar: whatever is drawn from what it allows is a bar that a band can play."""

import numpy as np
import pytest

from rearrange.arranger.charts import make_chart
from rearrange.arranger.grammar import HAND_SPAN, MOST_VOICES, OpenBar, Writing
from rearrange.arranger.header import Player
from rearrange.arranger.tokens import decode, encode
from rearrange.arranger.vocabulary import BEAT, ID, PLAYED_ROLES, VOCABULARY, root_shift
from rearrange.genre import genre_names, load_genre
from rearrange.score import Chord, Key, Metre, Note, Role, Score, Section, Timeline, Track
from rearrange.training.arrangement_examples import playable
from rearrange.training.arrangement_patterns import patterned
from tests.songs import band_song

RANGES = {Role.BASS: (28, 55), Role.CHORDS: (40, 84), Role.COUNTER: (90, 91)}
PLAYERS = {role: Player(0, 1.0) for role in PLAYED_ROLES}
ROOTS = (0, 7, 1, 6)


def _chart(metre: Metre = Metre()) -> tuple[Score, tuple[Chord, ...]]:
    end = metre.beats_per_bar
    chords = tuple(Chord(end / 4 * i, end / 4, root, "maj", root) for i, root in enumerate(ROOTS))
    timeline = Timeline.constant(120.0, end_beat=end, metre=metre)
    return Score(timeline, Key(0, "major"), chords, (Section(0.0, end, "A", 0.5),), ()), chords


def _bar(n_positions: int = 4 * BEAT, roles: frozenset[Role] = frozenset(PLAYED_ROLES)) -> OpenBar:
    shifts = [root_shift(ROOTS[4 * position // n_positions]) for position in range(n_positions)]
    return OpenBar(roles, np.array(shifts))


def _drawn(writing: Writing, n_rows: int, rng: np.random.Generator, most: int = 150) -> list[list[int]]:
    """Bars drawn blindly; a bar of `most` words ends where it may."""
    bars: list[list[int]] = [[] for _ in range(n_rows)]
    for step in range(4 * most):
        if writing.is_over.all():
            return bars
        allowed = writing.allowed()
        assert allowed[~writing.is_over].any(axis=1).all(), "something is always allowed"
        weights = rng.random(allowed.shape) * allowed
        weights[:, ID["Bar_None"]] *= 1.01 if step > most else 0.4
        if step > most:
            weights[:, ID["Bar_None"]] *= 9
        words = weights.argmax(axis=1)
        over = writing.is_over
        writing.push(words)
        for row in np.flatnonzero(~over):
            bars[row].append(int(words[row]))
    raise AssertionError("bars that never end")


@pytest.mark.slow
@pytest.mark.parametrize("metre", [Metre(), Metre(3, 4), Metre(6, 4), Metre(3, 8)])
def test_ten_thousand_blind_bars_can_be_played(metre: Metre) -> None:
    rng = np.random.default_rng(0)
    score, chords = _chart(metre)
    chart = make_chart(score)
    n_positions, n_rows = round(metre.beats_per_bar * BEAT), 250
    n_notes = 0
    for _ in range(10):
        writing = Writing([_bar(n_positions)] * n_rows, RANGES)
        for words in _drawn(writing, n_rows, rng):
            tracks = decode([words], chart, key=Key(0, "major"), chords=chords, players=PLAYERS)
            assert [track.role for track in tracks] == [r for r in PLAYED_ROLES if r in {t.role for t in tracks}]
            for track in tracks:
                n_notes += len(track.notes)
                _is_playable(track)
            (again,) = encode(chart, tracks, key=Key(0, "major"), chords=chords)
            assert again[-len(words) + 1 :] == words[:-1] or len(words) == 1
    assert n_notes > 20_000


def _is_playable(track: Track) -> None:
    low, high = RANGES.get(track.role, (21, 108))
    together: dict[float, list[Note]] = {}
    for note in track.notes:
        together.setdefault(note.onset_beat, []).append(note)
        assert track.is_drum or low <= note.pitch <= high
    for notes in together.values():
        pitches = [note.pitch for note in notes]
        assert len(set(pitches)) == len(pitches)
        if track.is_drum:
            feet = sum(pitch in (35, 36, 44) for pitch in pitches)
            assert feet <= 2
            assert len(pitches) - feet <= 2
        else:
            assert len(pitches) <= (1 if track.role is Role.BASS else MOST_VOICES)
            assert all(p <= min(pitches) + HAND_SPAN or p >= max(pitches) - HAND_SPAN for p in pitches)


def test_what_patterns_play_is_allowed() -> None:
    """The words of training are such as may be drawn."""
    song = band_song(n_bars=8)
    for genre in genre_names()[:4]:
        made = patterned(
            "ours/0", song, load_genre(genre), kind="patterns", heard=None, rng=np.random.default_rng(0)
        )
        assert made is not None
        tracks = [playable(track) for track in made.tracks]
        bars = encode(made.chart, tracks, key=made.key, chords=made.chords)
        charts = encode(made.chart, [], key=made.key, chords=made.chords)
        at = Score(made.timeline, made.key, made.chords, (), ()).chord_at
        for bar, words, chart in zip(made.chart.bars, bars, charts, strict=True):
            roots = [at(bar.onset_beat + p / BEAT) for p in range(round(bar.metre.beats_per_bar * BEAT))]
            shifts = [root_shift(made.key.tonic if chord is None else chord.root) for chord in roots]
            writing = Writing([OpenBar(frozenset(PLAYED_ROLES), np.array(shifts))], {})
            for word in [*words[len(chart) :], ID["Bar_None"]]:
                assert writing.allowed()[0, word], f"{genre}: {VOCABULARY[word]} in bar {bar.index}"
                writing.push(np.array([word]))
            assert writing.is_over.all()


def test_only_who_is_there_plays_and_the_song_ends_where_it_may() -> None:
    writing = Writing([_bar(roles=frozenset([Role.BASS])), _bar()], {}, may_end_song=[False, True])
    first, second = ({VOCABULARY[word] for word in np.flatnonzero(row)} for row in writing.allowed())
    assert first == {"Track_bass", "Bar_None"}
    assert second == {*(f"Track_{role.value}" for role in PLAYED_ROLES), "Bar_None", "EOS_None"}


def test_what_cannot_be_is_said_so() -> None:
    with pytest.raises(ValueError, match="cannot play"):
        Writing([_bar()], {Role.BASS: (60, 50)})
    with pytest.raises(ValueError, match="at most"):
        Writing([_bar(7 * BEAT)], {})
    with pytest.raises(ValueError, match="not allowed"):
        Writing([_bar()], {}).push(np.array([ID["Pitch_60"]]))
