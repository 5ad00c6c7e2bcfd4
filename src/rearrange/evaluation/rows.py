"""A row of figures, as units of work give them.

Conventions: a row is what was measured of one system on one song, in one genre (empty where none is meant) and
with one seed. On disk rows are plain JSON values (`workspace.to_plain`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rearrange.evaluation.measure import Measure

__all__ = ["Row"]


@dataclass(frozen=True)
class Row:
    """What was measured.

    group : songs, ears, sound or cost
    set : the test set: oracle, bands or recordings
    song, corpus : which song, and of which collection
    condition : what was done to its sound: a room, noise, a codec; empty for none
    system : what was measured: an arranger, a baseline, a pair of ears
    """

    group: str
    set: str
    song: str
    system: str
    genre: str = ""
    seed: int = 0
    corpus: str = ""
    condition: str = ""
    measures: Mapping[str, Measure] = field(default_factory=dict)
