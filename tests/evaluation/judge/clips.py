"""Drum clips of three made-up styles, played with a little human error."""

import numpy as np

from rearrange.evaluation.judge.drums import drum_windows
from rearrange.evaluation.judge.gather import Example
from rearrange.evaluation.metrics.style import style_histograms
from rearrange.score import Note, Role, Timeline, Track, sorted_notes

KICK, SNARE, HAT, OPEN, RIDE = 36, 38, 42, 46, 51
STYLES = ("floor", "straight", "swung")
# Positions in a bar of four beats, by drum.
_FIGURES = {
    "floor": {KICK: (0, 1, 2, 3), SNARE: (1, 3), OPEN: (0.5, 1.5, 2.5, 3.5)},
    "straight": {KICK: (0, 2, 2.5), SNARE: (1, 3), HAT: (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5)},
    "swung": {KICK: (0, 2), RIDE: (0, 1, 1 + 2 / 3, 2, 3, 3 + 2 / 3), SNARE: (2 + 2 / 3,)},
}


def drums(style: str, *, n_bars: int = 8, rng: np.random.Generator | None = None, shift: int = 0) -> Track:
    """A clip; with a generator, a tenth of the strokes is left out and all are up to 0.02 beats astray."""
    notes = []
    for bar in range(n_bars):
        for pitch, positions in _FIGURES[style].items():
            for position in positions:
                onset = 4.0 * bar + position
                if rng is not None and rng.random() < 0.1:
                    continue
                onset = max(onset + (rng.uniform(-0.02, 0.02) if rng is not None else 0.0), 0.0)
                notes.append(Note(onset + 4.0 * shift, 0.1, pitch, 90))
    return Track("drums", Role.DRUMS, 0, True, sorted_notes(notes))


def timeline(n_bars: int = 8) -> Timeline:
    return Timeline.constant(120.0, end_beat=4.0 * n_bars)


def examples(*, groups: int = 6, seed: int = 0) -> list[Example]:
    """Two clips of each style in every group, every other group the judge's."""
    rng = np.random.default_rng(seed)
    out = []
    for style in STYLES:
        for group in range(groups):
            for take in range(2):
                tracks = (drums(style, rng=rng),)
                out.append(
                    Example(
                        f"{style}{group}{take}",
                        style,
                        f"{style}{group}",
                        group % 2 == 0,
                        drum_windows(tracks, timeline()),
                        style_histograms(tracks, timeline().bars).normalised(),
                    )
                )
    return out
