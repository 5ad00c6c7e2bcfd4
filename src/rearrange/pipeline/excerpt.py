"""A few bars of an arrangement, rendered and mixed in memory: what `preview` plays.

Nothing of the song's folder is read but the arrangement and, where the voice is kept, its stem; nothing is
written.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio
from rearrange.errors import UsageError
from rearrange.mixtable import MixTable
from rearrange.progress import Progress, silent, span
from rearrange.score import Arrangement, Bar, Note, Timeline, Track, sorted_notes
from rearrange.stages.mix import MixSettings, mix
from rearrange.stages.render import RenderSettings, TrackWriter, render

__all__ = ["bars_of", "excerpt", "kept_excerpt", "play"]

_UPBEAT_BEAT = 0.1  # a note this little before the first bar belongs to it: it is played early
_START_S = 0.05  # so that such a note is not cut off
_STEM_MARGIN_S = 1.0


@dataclass(frozen=True)
class KeptStems:
    """Stems of the song around an excerpt, and the song's timeline in their time and the excerpt's beats."""

    stems: Mapping[str, Audio]
    song: Timeline


def bars_of(arrangement: Arrangement, n_bars: int, section: str | None = None) -> tuple[Bar, ...]:
    """The first bars, or those from the first section with that label.

    Raises
    ------
    UsageError : there is no such section.
    """
    bars = arrangement.timeline.bars
    start = 0.0
    if section is not None:
        labels = [s.label for s in arrangement.sections]
        if section not in labels:
            known = ", ".join(dict.fromkeys(labels)) or "it has none"
            raise UsageError(f"the song has no section {section!r}", f"its sections: {known}")
        start = arrangement.sections[labels.index(section)].onset_beat
    first = next((bar.index for bar in bars if bar.end_beat > start + 1e-6), 0)
    return bars[first : first + n_bars]


def excerpt(arrangement: Arrangement, bars: tuple[Bar, ...]) -> Arrangement:
    """Those bars alone, from beat 0 on; what sounds into them or out of them is cut.

    Raises
    ------
    UsageError : there are no bars.
    """
    if not bars:
        raise UsageError("there is no bar to play")
    start, end = bars[0].onset_beat, bars[-1].end_beat
    timeline = arrangement.timeline
    return replace(
        arrangement,
        timeline=_moved(timeline, start, _START_S - float(timeline.seconds(start)), end - start),
        chords=tuple(
            replace(
                chord, onset_beat=max(chord.onset_beat, start) - start, duration_beat=_overlap(chord, start, end)
            )
            for chord in arrangement.chords
            if _overlap(chord, start, end) > 0
        ),
        sections=tuple(
            replace(part, onset_beat=max(part.onset_beat, start) - start, duration_beat=_overlap(part, start, end))
            for part in arrangement.sections
            if _overlap(part, start, end) > 0
        ),
        tracks=tuple(replace(track, notes=_cut(track, start, end)) for track in arrangement.tracks),
    )


def kept_excerpt(
    arrangement: Arrangement, bars: tuple[Bar, ...], stems: Mapping[str, Audio], song: Timeline
) -> KeptStems:
    """The kept stems around those bars."""
    start, end = (beat / arrangement.beat_ratio for beat in (bars[0].onset_beat, bars[-1].end_beat))
    from_s = max(float(song.seconds(start)) - _STEM_MARGIN_S, 0.0)
    to_s = float(song.seconds(end)) + _STEM_MARGIN_S
    cut: dict[str, Audio] = {}
    for name in arrangement.kept_stems:
        stem = stems[name]
        first, last = (min(round(time * stem.sample_rate), stem.n_samples) for time in (from_s, to_s))
        cut[name] = Audio(np.ascontiguousarray(stem.samples[:, first:last]), stem.sample_rate)
    return KeptStems(cut, _moved(song, start, -from_s, end - start))


def play(
    part: Arrangement,
    table: MixTable,
    settings: RenderSettings,
    mix_settings: MixSettings,
    *,
    kept: KeptStems | None = None,
    progress: Progress = silent,
) -> Audio:
    """Render and mix a short arrangement in memory.

    Raises
    ------
    As `render` and `mix`.
    """
    sounds: dict[str, list[NDArray[np.float32]]] = {}

    @contextmanager
    def opened(name: str) -> Iterator[TrackWriter]:
        writer = _Memory()
        yield writer
        sounds[name] = writer.blocks

    render(
        part,
        settings,
        opened,
        stems=kept.stems if kept else None,
        song=kept.song if kept else None,
        progress=span(progress, 0.0, 0.6),
    )
    rate = settings.sample_rate
    sources = {
        name: partial(_blocks, np.concatenate(blocks, axis=1), rate) for name, blocks in sounds.items() if blocks
    }
    master = _Memory()
    mix(part, table, sources, mix_settings, master.write, progress=span(progress, 0.6, 1.0))
    return Audio(np.concatenate(master.blocks, axis=1), rate)


class _Memory:
    """A writer that keeps what it is given."""

    def __init__(self) -> None:
        self.blocks: list[NDArray[np.float32]] = []

    def write(self, samples: NDArray[np.float32]) -> None:
        self.blocks.append(samples.copy())


def _blocks(
    samples: NDArray[np.float32], sample_rate: int, *, block_s: float = 10.0, start_s: float = 0.0
) -> Iterator[NDArray[np.float32]]:
    """As `audio.read_blocks`, of an array."""
    n = max(round(block_s * sample_rate), 1)
    for start in range(round(start_s * sample_rate), samples.shape[1], n):
        yield samples[:, start : start + n]


def _overlap(span_: object, start: float, end: float) -> float:
    onset, stop = span_.onset_beat, span_.end_beat  # type: ignore[attr-defined]
    return float(min(stop, end) - max(onset, start))


def _cut(track: Track, start: float, end: float) -> tuple[Note, ...]:
    notes = []
    for note in track.notes:
        onset, stop = note.onset_beat, min(note.onset_beat + note.duration_beat, end)
        sounds_in = onset < start - _UPBEAT_BEAT
        if onset >= end - _UPBEAT_BEAT or stop <= start or (sounds_in and track.is_drum):
            continue
        onset = start if sounds_in else onset
        notes.append(replace(note, onset_beat=onset - start, duration_beat=max(stop - onset, 0.01)))
    return sorted_notes(notes)


def _moved(timeline: Timeline, start: float, by_s: float, duration_beat: float) -> Timeline:
    """The timeline with beat `start` as its beat 0, and `by_s` added to its seconds."""
    end = start + max(duration_beat, 1.0)
    beats = [start, *(beat for beat in timeline.knots_beat if start < beat < end), end]
    seconds = timeline.seconds(beats) + by_s
    metres = [(0.0, timeline.metre_at(start))]
    metres += [(onset - start, metre) for onset, metre in timeline.metres if start < onset < end]
    return Timeline(
        tuple(beat - start for beat in beats),
        tuple(map(float, seconds)),
        tuple(metres),
        duration_beat,
        timeline.confidence,
    )
