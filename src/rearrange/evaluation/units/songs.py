"""One song of MIDI through every system, in every genre, with every seed.

Conventions: the song's own beats and annotation are the reference. Systems that know no seed, or no genre, are
arranged once; what depends on the genre, the judge's view, is still a row for each genre.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from rearrange.errors import RearrangeError, TooLittleMusicError
from rearrange.evaluation.baselines.symbolic import SYSTEMS, System
from rearrange.evaluation.judge import load_judge
from rearrange.evaluation.measure import Measure, NotMeasurable
from rearrange.evaluation.metrics import chords_in_reference_beats
from rearrange.evaluation.rows import Row
from rearrange.evaluation.songs import SongRef, load_song, score_of
from rearrange.evaluation.units.judged import (
    Reference,
    genre_measures,
    reference_of,
    song_measures,
    variety_measures,
)
from rearrange.genre import load_genre
from rearrange.score import Arrangement, Score, Timeline

__all__ = ["Trial", "oracle_song", "rows_of_systems", "scores_of"]

# The floor needs no more than one draw of a song; three would double the time of the whole table.
_ONE_SEED = ("random-song",)


def oracle_song(
    song: SongRef, others: Sequence[SongRef], genres: Sequence[str], seeds: Sequence[int]
) -> Sequence[Row]:
    """All rows of a song given as MIDI.

    Parameters
    ----------
    others : songs that the random one is drawn from

    Raises
    ------
    RearrangeError : the song's file cannot be read.
    """
    trial = Trial("oracle", song.id, song.corpus)
    try:
        known = load_song(song)
        score = score_of(known)
    except TooLittleMusicError as exc:
        void = dict.fromkeys(("content", "genre"), Measure(None, exc.message))
        return [trial.row("songs", system, void, genre, seeds[0]) for system in SYSTEMS for genre in genres]
    chords = known.chords and chords_in_reference_beats(known.chords, known.timeline, score.timeline)
    reference = reference_of(score, chords, known.key)
    return rows_of_systems(
        trial, score, reference, others=scores_of(others), genres=genres, seeds=seeds, heard=None
    )


def scores_of(songs: Sequence[SongRef]) -> tuple[Score, ...]:
    """The scores of those songs that can be read: to be drawn from is all they are for."""
    scores = []
    for song in songs:
        with suppress(RearrangeError):
            scores.append(score_of(load_song(song)))
    return tuple(scores)


class Trial:
    """What rows of one song have in common."""

    def __init__(self, set_name: str, song: str, corpus: str, condition: str = "", met: str = "") -> None:
        self.set_name, self.song, self.corpus, self.condition, self.met = set_name, song, corpus, condition, met

    def row(self, group: str, system: str, measures: Mapping[str, Measure], genre: str = "", seed: int = 0) -> Row:
        return Row(
            group, self.set_name, self.song, system, genre, seed, self.corpus, self.condition, self.met, measures
        )


def rows_of_systems(
    trial: Trial,
    score: Score,
    reference: Reference | None,
    *,
    others: Sequence[Score],
    genres: Sequence[str],
    seeds: Sequence[int],
    heard: Timeline | None,
    more: Callable[[Arrangement], Mapping[str, Measure]] = lambda _arrangement: {},
    systems: Mapping[str, System] = SYSTEMS,
) -> list[Row]:
    """Rows of group `songs` for every system, genre and seed.

    Parameters
    ----------
    score : what the systems are given
    reference : what the song is; None where nobody knows its notes
    heard : the timeline of `score` where it was heard, and not taken from the reference
    more : what else is measured of an arrangement
    """
    judge = load_judge()
    rows: list[Row] = []
    for system in systems.values():
        chosen = seeds[:1] if not system.uses_seed or system.name in _ONE_SEED else seeds
        for seed in chosen:
            same: tuple[Arrangement, Mapping[str, Measure]] | None = None
            for genre in genres:
                if same is None or system.uses_genre:
                    made = _made(system, score, genre, seed, others)
                    if isinstance(made, Measure):
                        rows.append(trial.row("songs", system.name, {"content": made, "genre": made}, genre, seed))
                        continue
                    same = made, {**_common(reference, made, heard), **more(made)}
                arrangement, common = same
                of_genre = genre_measures(judge, arrangement, genre)
                rows.append(trial.row("songs", system.name, {**common, **of_genre}, genre, seed))
    return rows


def _made(system: System, score: Score, genre: str, seed: int, others: Sequence[Score]) -> Arrangement | Measure:
    """An arrangement, or why there is none."""
    try:
        return system.function(score, load_genre(genre), seed, others)
    except NotMeasurable as exc:
        return Measure(None, str(exc))
    except RearrangeError as exc:
        return Measure(None, exc.message)


def _common(
    reference: Reference | None, arrangement: Arrangement, heard: Timeline | None
) -> Mapping[str, Measure]:
    """What does not depend on the genre that was wanted."""
    of_song = song_measures(reference, arrangement, heard=heard) if reference is not None else {}
    return {**of_song, **variety_measures(arrangement)}
