"""What the network is shown of a style before it writes: who plays, and a few bars of how they play.

They come from the sketch that the patterns have made, or from a reference song; or there are none, where the
genre's word alone says it all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from rearrange.arranger.charts import make_chart
from rearrange.arranger.header import Player
from rearrange.arranger.tokens import encode, onset_counts
from rearrange.arranger.vocabulary import ID, PLAYED_ROLES
from rearrange.score import Metre, Role, Score

__all__ = ["Bars", "Shown", "by_reference", "by_sketch", "players_in"]

Bars = list[list[int]]  # words of some bars

_SKETCH_BARS, _REFERENCE_BARS = 3, 4
_TRACKS = frozenset(ID[f"Track_{role.value}"] for role in PLAYED_ROLES)
_OWN_BARS_COST = 2  # players that a passage's own bars need more to be its example


@dataclass(frozen=True)
class Shown:
    """What stands before a passage.

    Parameters
    ----------
    players : of all the roles that are written
    genre : its slot among the network's genres; None for any
    bars : in the style, in a row: charts and parts
    """

    players: Mapping[Role, Player]
    genre: int | None
    bars: Sequence[Sequence[int]] = ()


def players_in(bars: Sequence[Sequence[int]], programs: Mapping[Role, int], metre: Metre) -> dict[Role, Player]:
    """Players as busy as they are in those of some bars in which they play."""
    counts = [onset_counts(bar) for bar in bars]
    busy = {role: [count[role] for count in counts if role in count] for role in programs}
    return {
        role: Player(program, fmean(busy[role]) / metre.beats_per_bar if busy[role] else 0.0)
        for role, program in programs.items()
    }


def by_sketch(sketched: Bars, metres: Sequence[Metre], passage: range) -> Bars:
    """Bars of a song's sketch that show its style to one of its passages: in a row, of its metre, of as many
    players as there are, and of the passage itself only where no others have nearly as many.

    Parameters
    ----------
    sketched, metres : of all bars of the song
    """
    is_alike = [metre == metres[passage[0]] for metre in metres]
    counts = [len(onset_counts(bar)) if alike else 0 for bar, alike in zip(sketched, is_alike, strict=True)]
    n = min(_SKETCH_BARS, len(sketched))

    def worth(start: int) -> int:
        meets = start < passage.stop and passage.start < start + n
        return sum(counts[start : start + n]) - (_OWN_BARS_COST if meets else 0)

    best = max(range(len(sketched) - n + 1), key=worth)
    return [sketched[index] for index in range(best, best + n) if counts[index]]


def by_reference(reference: Score, roles: frozenset[Role], metre: Metre) -> Bars:
    """The bars in a row that are most like all the others of a reference song, as those roles play them.

    Raises
    ------
    ValueError : none of them plays in that metre, or a bar is too long.
    """
    chart = make_chart(reference)
    tracks = [track for track in reference.tracks if track.role in roles]
    bars = encode(chart, tracks, key=reference.key, chords=reference.chords)
    is_alike = [bar.metre == metre for bar in chart.bars]
    played = [_played(words) if alike else frozenset() for words, alike in zip(bars, is_alike, strict=True)]
    if not any(played):
        names = " or ".join(sorted(role.value for role in roles))
        raise ValueError(f"the reference has no {names} in {metre}")
    alike = [fmean(_overlap(own, other) for other in played if other) if own else 0.0 for own in played]
    n = min(_REFERENCE_BARS, len(bars))
    best = max(range(len(bars) - n + 1), key=lambda start: sum(alike[start : start + n]))
    return [bars[index] for index in range(best, best + n) if played[index]]


def _played(words: Sequence[int]) -> frozenset[tuple[int, int]]:
    """Pairs of words that follow each other in a bar's parts."""
    starts = [i for i, word in enumerate(words) if word in _TRACKS]
    parts = words[starts[0] :] if starts else []
    return frozenset(pairwise(parts))


def _overlap(one: frozenset[tuple[int, int]], other: frozenset[tuple[int, int]]) -> float:
    return len(one & other) / len(one | other)
