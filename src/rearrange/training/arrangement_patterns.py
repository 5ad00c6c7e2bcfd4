"""Real charts as our patterns arrange them, in genres that are written and in styles that nobody has written."""

import numpy as np

from rearrange.arranger.charts import in_beat_ratio, make_chart
from rearrange.errors import TooLittleMusicError
from rearrange.genre import Genre
from rearrange.score import Score
from rearrange.stages.arrange import ArrangeSettings, arrange
from rearrange.training.arrangement_damage import heard_badly
from rearrange.training.arrangement_examples import Example, playable, transposed
from rearrange.training.arrangement_tables import Heard

__all__ = ["patterned", "swing_of"]

_HARMONY = (0.2, 0.5, 0.5, 0.7)  # dials that are drawn; the half is as the genre says
_OWN_TEMPO_SHARE = 0.25  # of the arrangements that keep the song's tempo


def patterned(
    song: str,
    score: Score,
    genre: Genre,
    *,
    kind: str,
    heard: Heard | None,
    rng: np.random.Generator,
    semitones: int = 0,
) -> Example | None:
    """A song arranged in a genre by its patterns; None where there is too little of it.

    Who plays has read the chart: where it is damaged, what is played agrees with the damage.

    Parameters
    ----------
    song : corpus and id
    heard : how badly the song is heard; None: as it is
    semitones : by how many the song is moved before it is arranged, so that every part stays in its range
    """
    score = transposed(score, semitones)
    basis = heard_badly(score, heard, rng) if heard is not None else score
    settings = ArrangeSettings(
        seed=int(rng.integers(1 << 31)),
        harmony=float(rng.choice(_HARMONY)),
        tempo="keep" if rng.random() < _OWN_TEMPO_SHARE else "genre",
        vocals="drop",
    )
    try:
        made = arrange(basis, genre, settings)
    except TooLittleMusicError:
        return None
    return Example(
        kind=kind,
        genre=genre.name if genre.path.stem == genre.name else "",
        style=made.style,
        song=song,
        chart=make_chart(in_beat_ratio(basis, made.beat_ratio)),
        key=made.key,
        chords=made.chords,
        tracks=tuple(playable(track) for track in made.tracks if track.notes),
        timeline=made.timeline,
    )


def swing_of(genre: Genre, style: str) -> float:
    """Long:short ratio of the eighths in a style; of one that swings sixteenths they are even."""
    groove = next(each.groove for each in genre.styles if each.name == style)
    return groove.swing if groove.swing_unit_beat == 0.5 else 1.0
