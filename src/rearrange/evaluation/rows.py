"""A row of figures, as units of work give them.

Conventions: a row is what was measured of one system on one song, in one genre (empty where none is meant) and
with one seed. On disk rows are plain JSON values (`workspace.to_plain`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rearrange.evaluation.measure import Measure

__all__ = ["SEEN_FONT", "SEEN_RECORDING", "UNSEEN_FONT", "UNSEEN_RECORDING", "Row"]

# What our networks were trained on, of what is heard; songs are test songs always.
SEEN_FONT, UNSEEN_FONT = "a font that trains", "a font that never trains"
SEEN_RECORDING, UNSEEN_RECORDING = "recordings that train the separator", "recordings that never train"


@dataclass(frozen=True)
class Row:
    """What was measured.

    group : songs, ears, sound or cost
    set : the test set: oracle, bands or recordings
    song, corpus : which song, and of which collection
    condition : what was done to its sound: a room, noise, a codec; empty for none
    met : whether our networks were trained on its font or recording, one of the above; empty of notes
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
    met: str = ""
    measures: Mapping[str, Measure] = field(default_factory=dict)
