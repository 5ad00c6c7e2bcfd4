"""Charts: a song bar by bar, as a band reads it.

Each bar carries its chords, its stretch of melody, its energy, where it stands in the form, and the pitch
classes that were really heard in each beat (so that a voicing can prefer them). The same code makes charts
of songs heard from audio and of MIDI files.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rearrange.score import Chord, Key, Metre, Note, Role, Score, Section, Timeline, Track

__all__ = [
    "Chart",
    "ChartBar",
    "changes_between",
    "chord_lookup",
    "clipped_chords",
    "in_beat_ratio",
    "make_chart",
]

# A section is loud (variation B) from this energy on; a song whose sections all lie on one side is split at
# its own median instead.
_LOUD = 0.55
_FILL_EVERY_BARS = 8  # long sections breathe in eights, as bands count them


@dataclass(frozen=True, slots=True)
class ChartBar:
    """One bar. `variation` is intro, A, B or ending; `evidence` has one row of 12 pitch-class weights per beat."""

    index: int
    onset_beat: float
    metre: Metre
    chords: tuple[Chord, ...]
    melody: tuple[Note, ...]
    energy: float
    section: int
    label: str
    bar_in_section: int
    bars_in_section: int
    variation: str
    is_fill: bool
    is_silent: bool
    evidence: NDArray[np.float64]

    @property
    def end_beat(self) -> float:
        return self.onset_beat + self.metre.beats_per_bar


@dataclass(frozen=True)
class Chart:
    """A song as bars. `section_energy` has one value per section."""

    bars: tuple[ChartBar, ...]
    key: Key
    section_energy: tuple[float, ...]

    @cached_property
    def _starts(self) -> list[float]:
        return [bar.onset_beat for bar in self.bars]

    def bar_at(self, beat: float) -> ChartBar:
        """The bar that a beat lies in; the first or last one outside the song."""
        return self.bars[max(bisect_right(self._starts, beat + 1e-6) - 1, 0)]

    def heard_at(self, beat: float) -> NDArray[np.float64]:
        """The 12 pitch-class weights heard in the beat that a position lies in."""
        bar = self.bar_at(beat)
        row = int(beat - bar.onset_beat + 1e-6)
        return bar.evidence[row] if 0 <= row < len(bar.evidence) else np.zeros(12)

    def heard_between(self, start_beat: float, end_beat: float) -> NDArray[np.float64]:
        """The 12 pitch-class weights heard in the beats that a stretch touches."""
        beats = np.arange(np.floor(start_beat + 1e-6), max(end_beat - 1e-6, start_beat + 0.1))
        return np.asarray(np.sum([self.heard_at(float(beat)) for beat in beats], axis=0))


def chord_lookup(chords: Sequence[Chord]) -> Callable[[float], Chord | None]:
    """A function from a beat to the chord sounding there, or None. `chords` are sorted."""
    starts = [chord.onset_beat for chord in chords]

    def chord_at(beat: float) -> Chord | None:
        i = bisect_right(starts, beat + 1e-6) - 1
        return chords[i] if i >= 0 and beat < chords[i].end_beat - 1e-6 else None

    return chord_at


def changes_between(chords: Sequence[Chord], start_beat: float, end_beat: float) -> list[float]:
    """Onsets of the chords that begin inside a held note, not within a fifth of a beat of its ends."""
    margin = 0.2
    first = bisect_right(chords, start_beat + margin, key=lambda chord: chord.onset_beat)
    last = bisect_left(chords, end_beat - margin, key=lambda chord: chord.onset_beat)
    return [chord.onset_beat for chord in chords[first:last]]


def make_chart(score: Score, *, energy_offset: float = 0.0) -> Chart:
    """Chart of a score.

    Parameters
    ----------
    energy_offset : added to every energy, in [-1, 1], before clipping to [0, 1]
    """
    bars = score.timeline.bars
    sections = score.sections or (Section(0.0, score.timeline.end_beat, "A", 0.5),)
    energies = tuple(float(np.clip(section.energy + energy_offset / 2, 0.0, 1.0)) for section in sections)
    variations = _section_variations(sections, energies)
    owner = [_section_of(bar.onset_beat, sections) for bar in bars]
    melody = score.track(Role.MELODY)
    evidence = _evidence(score.tracks, score.timeline)
    chart_bars: list[ChartBar] = []
    for bar in bars:
        section = owner[bar.index]
        first = owner.index(section)
        count = owner.count(section)
        position = bar.index - first
        notes = _between(melody.notes if melody else (), bar.onset_beat, bar.end_beat)
        chords = clipped_chords(score.chords, bar.onset_beat, bar.end_beat)
        heard = evidence[int(bar.onset_beat) : int(np.ceil(bar.end_beat))]
        energy = score.bar_energy[bar.index] if bar.index < len(score.bar_energy) else energies[section]
        last_of_song = bar.index == len(bars) - 1
        ends_section = position == count - 1 and count >= 4 and not last_of_song
        breathes = count >= 12 and position % _FILL_EVERY_BARS == _FILL_EVERY_BARS - 1 and not last_of_song
        chart_bars.append(
            ChartBar(
                index=bar.index,
                onset_beat=bar.onset_beat,
                metre=bar.metre,
                chords=chords,
                melody=notes,
                energy=float(np.clip(energy + energy_offset / 2, 0.0, 1.0)),
                section=section,
                label=sections[section].label,
                bar_in_section=position,
                bars_in_section=count,
                variation="ending" if last_of_song and len(bars) > 1 else variations[section],
                is_fill=ends_section or breathes,
                is_silent=not notes and not chords and not heard.any() and energy < 0.02,
                evidence=heard,
            )
        )
    return Chart(tuple(chart_bars), score.key, energies)


def _section_of(beat: float, sections: Sequence[Section]) -> int:
    starts = [section.onset_beat for section in sections]
    return max(int(np.searchsorted(starts, beat + 1e-6, side="right")) - 1, 0)


def _section_variations(sections: Sequence[Section], energies: Sequence[float]) -> list[str]:
    """Intro for a first section called so; B for choruses and loud sections, A for the rest."""
    loud = [
        section.label == "chorus" or energy >= _LOUD for section, energy in zip(sections, energies, strict=True)
    ]
    if len(set(loud)) == 1 and len(sections) > 1 and np.ptp(energies) > 0.05:
        middle = float(np.median(energies))
        loud = [energy > middle for energy in energies]
    variations = ["B" if is_loud else "A" for is_loud in loud]
    if sections[0].label == "intro" and len(sections) > 1:
        variations[0] = "intro"
    return variations


def _between(notes: Sequence[Note], start_beat: float, end_beat: float) -> tuple[Note, ...]:
    return tuple(note for note in notes if start_beat - 1e-6 <= note.onset_beat < end_beat - 1e-6)


def clipped_chords(chords: Sequence[Chord], start_beat: float, end_beat: float) -> tuple[Chord, ...]:
    """The chords that sound in a stretch, each cut to it."""
    clipped = []
    for chord in chords:
        onset, end = max(chord.onset_beat, start_beat), min(chord.end_beat, end_beat)
        if end - onset > 1e-6:
            clipped.append(replace(chord, onset_beat=onset, duration_beat=end - onset))
    return tuple(clipped)


def _evidence(tracks: Sequence[Track], timeline: Timeline) -> NDArray[np.float64]:
    """Sounding time times velocity of each pitch class in each beat of the song, drums excluded."""
    n_beats = max(int(np.ceil(timeline.end_beat)), 1)
    weights = np.zeros((n_beats, 12))
    for track in tracks:
        if track.is_drum:
            continue
        for note in track.notes:
            end = note.onset_beat + note.duration_beat
            for beat in range(max(int(note.onset_beat), 0), min(int(np.ceil(end)), n_beats)):
                shared = min(end, beat + 1) - max(note.onset_beat, beat)
                weights[beat, note.pitch % 12] += max(shared, 0.0) * note.velocity / 127
    return weights


def in_beat_ratio(score: Score, ratio: float) -> Score:
    """The same song written with `ratio` times as many beats: 2 is double time, 0.5 half time.

    In half time two bars become one; a section with an odd number of bars keeps a half bar at its end.

    Raises
    ------
    ValueError : ratio is not 0.5, 1 or 2, or half time is asked of a metre that cannot be halved.
    """
    if ratio == 1:
        return score
    timeline = score.timeline
    if ratio == 2:
        metres = tuple((onset * 2, metre) for onset, metre in timeline.metres)
    elif ratio == 0.5 and all(metre.numerator % 2 == 0 and metre.denominator == 4 for _, metre in timeline.metres):
        metres = _half_time_metres(score)
    else:
        raise ValueError(f"cannot write {timeline.metres[0][1]} with {ratio:g} times as many beats")

    def note(n: Note) -> Note:
        return replace(n, onset_beat=n.onset_beat * ratio, duration_beat=n.duration_beat * ratio)

    longer = Timeline(
        tuple(beat * ratio for beat in timeline.knots_beat),
        timeline.knots_s,
        metres,
        timeline.end_beat * ratio,
        timeline.confidence,
    )
    energy = _resample_energy(score, longer, ratio)
    return replace(
        score,
        timeline=longer,
        chords=tuple(
            replace(c, onset_beat=c.onset_beat * ratio, duration_beat=c.duration_beat * ratio)
            for c in score.chords
        ),
        sections=tuple(
            replace(s, onset_beat=s.onset_beat * ratio, duration_beat=s.duration_beat * ratio)
            for s in score.sections
        ),
        tracks=tuple(replace(t, notes=tuple(note(n) for n in t.notes)) for t in score.tracks),
        bar_energy=energy,
    )


def _half_time_metres(score: Score) -> tuple[tuple[float, Metre], ...]:
    metres: list[tuple[float, Metre]] = []
    for section in score.sections or (Section(0.0, score.timeline.end_beat, "A", 0.5),):
        metre = score.timeline.metre_at(section.onset_beat)
        n_bars = round(section.duration_beat / metre.beats_per_bar)
        onset = section.onset_beat / 2
        half = Metre(metre.numerator // 2, metre.denominator)
        if n_bars >= 2:
            metres.append((onset, metre))
        if n_bars % 2:
            metres.append((onset + (n_bars // 2) * metre.beats_per_bar, half))
    changes = [metres[0]]
    for onset, metre in metres[1:]:
        if metre != changes[-1][1]:
            changes.append((onset, metre))
    return tuple(changes)


def _resample_energy(score: Score, longer: Timeline, ratio: float) -> tuple[float, ...]:
    """Energy of the new bars: that of the old bar under each new bar's middle."""
    if not score.bar_energy:
        return ()
    starts = [bar.onset_beat for bar in score.timeline.bars]
    middles = [(bar.onset_beat + bar.duration_beat / 2) / ratio for bar in longer.bars]
    owners = np.clip(np.searchsorted(starts, middles, side="right") - 1, 0, len(score.bar_energy) - 1)
    return tuple(score.bar_energy[i] for i in owners)
