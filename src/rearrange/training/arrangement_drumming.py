"""Human drumming (Groove MIDI) as examples for the arranger, alone or in the place of an arrangement's drums.

Conventions: onsets keep the drummer's distance from the click, in beats. A clip alone has a chart without chords
and without a tune, in C, whose energy is how hard it is played. With a song, every section begins at a bar of the
clip that its label decides, so that sections return as themselves, and bars that the chart marks as fills take a
fill, into which the groove leads.

Limits: a clip's own fills are told by their toms, or by the crash on the bar after a busier snare; nobody has
annotated them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b

import numpy as np

from rearrange.analysis.form import bar_energies
from rearrange.analysis.groove import swing_ratio
from rearrange.arranger.charts import Chart, make_chart
from rearrange.score import Key, Metre, Note, Role, Score, Section, Timeline, Track, sorted_notes
from rearrange.training.arrangement_examples import Example, playable
from rearrange.training.arrangement_tables import Tables
from rearrange.training.clips import Clip, drumming
from rearrange.training.scenes import Library

__all__ = ["Drummers", "clip_example", "drummers_of", "with_drummer"]

_TOMS = frozenset((41, 43, 45, 47, 48, 50))
_CRASHES = frozenset((49, 52, 55, 57))
_SNARES = frozenset((37, 38, 40))
_FILL_TOMS = 3  # strokes of toms in a bar that is a fill, where the clip has few of them
_FILL_SNARES = 1.6  # times the usual number of snares, where a crash follows
_HIT_BEAT = 0.25
_SECTION_BARS = 8
_NEAREST = 8  # clips among which chance decides
_SWING_COST = 0.8  # of a ratio that differs by one, against a tempo that differs by a factor of e
_BROKEN_OFF = 0.3  # of a last bar may be without strokes
_EARLY_BEAT = 0.15  # a stroke this little before a bar line belongs to the bar after it


@dataclass(frozen=True)
class Drummers:
    """The clips of a share: those of each genre, and the fills."""

    by_genre: Mapping[str, tuple[Clip, ...]]
    fills: tuple[Clip, ...]


def drummers_of(songs: Library, tables: Tables) -> Drummers:
    """Who can drum what."""
    found: dict[str, list[Clip]] = {}
    for clip in songs.clips:
        for genre in tables.drumming.get(clip.style, ()):
            found.setdefault(genre, []).append(clip)
    return Drummers({genre: tuple(clips) for genre, clips in found.items()}, songs.fills)


def clip_example(clip: Clip, tables: Tables, rng: np.random.Generator) -> Example | None:
    """A clip alone; None where it has less than two bars."""
    hits = _hits(clip)
    metre = _metre(clip)
    n_beats = metre.beats_per_bar
    last = max((hit.onset_beat for hit in hits), default=0.0)
    n_bars = int((last + _EARLY_BEAT) / n_beats) + 1
    if n_bars < 2:
        return None
    end = n_bars * n_beats
    timeline = Timeline.constant(clip.tempo_bpm, end_beat=end, metre=metre)
    levels = np.zeros(n_bars)
    for hit in hits:
        levels[min(int((hit.onset_beat + _EARLY_BEAT) / n_beats), n_bars - 1)] += (hit.velocity / 127) ** 2
    energies = bar_energies(np.sqrt(levels))
    sections = tuple(
        Section(first * n_beats, (last - first) * n_beats, "A", float(np.mean(energies[first:last])))
        for first in range(0, n_bars, _SECTION_BARS)
        if (last := min(first + _SECTION_BARS, n_bars))
    )
    track = playable(Track("drums", Role.DRUMS, 0, True, hits))
    score = Score(timeline, Key(0, "major", 0.0), (), sections, (track,), energies)
    chart = make_chart(score)
    filled = _fill_bars(hits, n_beats, n_bars)
    bars = tuple(replace(bar, is_fill=bar.index in filled, variation="A") for bar in chart.bars)
    genres = tables.drumming.get(clip.style, ())
    return Example(
        kind="drumming",
        genre=str(rng.choice(genres)) if genres else "",
        style=clip.style,
        song=clip.name,
        chart=replace(chart, bars=bars),
        key=score.key,
        chords=(),
        tracks=(track,),
        timeline=timeline,
    )


def with_drummer(example: Example, drummers: Drummers, swing: float, rng: np.random.Generator) -> Example | None:
    """The same arrangement with a human drummer of its genre; None where nobody plays its metre.

    Parameters
    ----------
    swing : long:short ratio of the style's eighths, which a clip should be near to
    """
    drums = next((track for track in example.tracks if track.role is Role.DRUMS), None)
    metre = Counter(bar.metre for bar in example.chart.bars).most_common(1)[0][0]
    tempo_bpm = example.timeline.mean_tempo_bpm
    clips = [clip for clip in drummers.by_genre.get(example.genre, ()) if _metre(clip) == metre and _hits(clip)]
    if drums is None or not clips:
        return None

    def misfit(clip: Clip) -> float:
        return abs(float(np.log(clip.tempo_bpm / tempo_bpm))) + _SWING_COST * abs(_swing(clip) - swing)

    near = sorted(clips, key=lambda clip: (misfit(clip), clip.name))[:_NEAREST]
    clip = near[int(rng.integers(len(near)))]
    like = [fill for fill in drummers.fills if _metre(fill) == metre and _hits(fill)]
    like.sort(key=lambda fill: (fill.style != clip.style, misfit(fill), fill.name))
    hits = _along(example.chart, clip, like[:_NEAREST], drums, rng)
    track = playable(replace(drums, notes=hits))
    tracks = tuple(track if each is drums else each for each in example.tracks)
    return replace(example, kind="drummer", style=f"{example.style} + {clip.style}", tracks=tracks)


def _along(
    chart: Chart, clip: Clip, fills: Sequence[Clip], drums: Track, rng: np.random.Generator
) -> tuple[Note, ...]:
    """The clip's bars along the chart, wherever the drums had entered; ending and odd bars stay as they were."""
    metre = _metre(clip)
    bars = _bars_of(_hits(clip), metre.beats_per_bar)
    onsets = [bar.onset_beat for bar in chart.bars]
    owners = np.searchsorted(onsets, [note.onset_beat + _EARLY_BEAT for note in drums.notes], side="right") - 1
    plays = set(owners.tolist())
    salt = int(rng.integers(1 << 30))
    out: list[Note] = []
    for bar in chart.bars:
        if bar.index not in plays:
            continue
        if bar.variation == "ending" or bar.metre != metre:
            out += [note for note, owner in zip(drums.notes, owners, strict=True) if owner == bar.index]
            continue
        first = _number(salt, bar.label) % len(bars)
        played = bars[(first + bar.bar_in_section) % len(bars)]
        if bar.is_fill and fills:
            fill = fills[_number(salt, "fill", bar.label, bar.bar_in_section) % len(fills)]
            filled = _bars_of(_hits(fill), metre.beats_per_bar)[-1]
            begins = min((hit.onset_beat for hit in filled), default=metre.beats_per_bar) - _EARLY_BEAT
            played = [*(hit for hit in played if hit.onset_beat < begins), *filled]  # the groove leads into it
        out += [replace(note, onset_beat=max(note.onset_beat + bar.onset_beat, 0.0)) for note in played]
    return sorted_notes(out)


def _number(salt: int, *names: object) -> int:
    text = "/".join(str(name) for name in (salt, *names))
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big")


def _metre(clip: Clip) -> Metre:
    if clip.felt_quarters == 1.5:
        return Metre(3 * clip.beats_per_bar, 8)
    return Metre(clip.beats_per_bar, 4)


@lru_cache(maxsize=1024)
def _hits(clip: Clip) -> tuple[Note, ...]:
    beats_per_s = clip.tempo_bpm / 60.0
    return sorted_notes(
        [Note(max(hit.onset_s * beats_per_s, 0.0), _HIT_BEAT, hit.pitch, hit.velocity) for hit in drumming(clip)]
    )


@lru_cache(maxsize=1024)
def _swing(clip: Clip) -> float:
    return swing_ratio(np.array([hit.onset_beat for hit in _hits(clip)]))[0]


def _bars_of(hits: Sequence[Note], n_beats: float) -> list[list[Note]]:
    """The strokes of each bar, from its bar line; a last bar that breaks off counts if it is the only one."""
    n_bars = max(int((max(hit.onset_beat for hit in hits) + _EARLY_BEAT) / n_beats + _BROKEN_OFF), 1)
    bars: list[list[Note]] = [[] for _ in range(n_bars)]
    for hit in hits:
        bar = int((hit.onset_beat + _EARLY_BEAT) / n_beats)
        if bar < n_bars:
            bars[bar].append(replace(hit, onset_beat=hit.onset_beat - bar * n_beats))
    return [bar for bar in bars if bar] or bars


def _fill_bars(hits: Sequence[Note], n_beats: float, n_bars: int) -> frozenset[int]:
    """Bars of a clip in which the drummer leaves the groove."""
    toms, snares, crashes = np.zeros(n_bars), np.zeros(n_bars), np.zeros(n_bars, dtype=bool)
    for hit in hits:
        bar = min(int((hit.onset_beat + _EARLY_BEAT) / n_beats), n_bars - 1)
        toms[bar] += hit.pitch in _TOMS
        snares[bar] += hit.pitch in _SNARES
        opens = abs(hit.onset_beat - bar * n_beats) < _EARLY_BEAT
        crashes[bar] |= hit.pitch in _CRASHES and opens
    followed = np.append(crashes[1:], False)
    rolls = (toms >= _FILL_TOMS) & (toms > 2 * np.median(toms))
    snare_fills = followed & (snares > _FILL_SNARES * max(float(np.median(snares)), 1.0))
    return frozenset(np.flatnonzero(rolls | snare_fills).tolist())
