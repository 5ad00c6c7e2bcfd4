"""Charts and parts as words of the arranger's vocabulary, and back.

A sequence is a header and bars. A bar is its chart, which is given, then its parts, written role by role:

    BOS Genre TimeSig Tempo Mode (Track Program Density)*
    (Bar Place Energy (Position ChordRoot ChordQuality [ChordBass])* Next [ChordRoot ChordQuality] Tune* TuneNotes
     (Track (Position [MicroTiming] (Hit+ | Velocity (Duration Pitch+)+))+)*)*
    EOS

`Target` stands between the bars that show a style and those of the song. `Next` looks ahead to the chord that the
next bar begins with; there is one `Tune` for each beat, the melody's pitch class over that beat's chord.

What is written is rounded: onsets to 48 a beat, velocity to eight steps (of a chord one for all), durations to
twenty, and what a role plays within one position begins together. Whatever has been read from words is written
as the same words again. Pitches that have no word, and notes before the first bar, are left out; a bar of more
than six beats cannot be written. Chords that `Chart` holds are not looked at: those that are played are passed.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from statistics import fmean

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rearrange.arranger.charts import Chart, ChartBar, chord_lookup, clipped_chords
from rearrange.arranger.header import Player
from rearrange.arranger.vocabulary import (
    BEAT,
    DRUM_KIN,
    DURATIONS,
    ID,
    MOST_BEATS,
    PITCH_SPAN,
    PLAYED_ROLES,
    QUALITY_OF,
    VELOCITIES,
    VOCABULARY,
    duration_bin,
    energy_bin,
    root_shift,
    snapped,
    velocity_bin,
)
from rearrange.score import Chord, Key, Note, Role, Track, sorted_notes
from rearrange.styles import RHYTHM_ROLES

__all__ = ["bar_shifts", "decode", "encode", "is_predicted", "onset_counts"]

_HIT_BEAT = 0.25  # how long a stroke on a drum is written in MIDI
_BUSY_TUNE = (0.0, 1.0, 2.0)  # onsets a beat
_MARKS = frozenset((ID["Bar_None"], ID["EOS_None"], ID["Target_None"]))
_TUNE_NOTES = frozenset(number for word, number in ID.items() if word.startswith("TuneNotes_"))


def encode(
    chart: Chart,
    tracks: Sequence[Track],
    *,
    key: Key,
    chords: Sequence[Chord],
    bars: range | None = None,
) -> list[list[int]]:
    """Words of each bar, chart and parts; with no tracks, of charts alone.

    Parameters
    ----------
    tracks : of one role each; a melody is not written
    chords : those played, sorted
    bars : which bars of the chart; all where it is None

    Raises
    ------
    ValueError : a bar of more than six beats, or two tracks of one role.
    """
    wanted = range(len(chart.bars)) if bars is None else bars
    played = [track for track in tracks if track.role in PLAYED_ROLES]
    if len({track.role for track in played}) < len(played):
        raise ValueError("each role is written once")
    over = _Over(chords, key)
    events = {track.role: _by_bar(track, chart, over) for track in played}
    written = []
    for index in wanted:
        words = _chart_words(chart, index, over)
        for role in PLAYED_ROLES:
            own = events.get(role, {}).get(index)
            if own:
                words += [f"Track_{role.value}", *own]
        written.append([ID[word] for word in words])
    return written


class _Over:
    """The chord that each beat sounds over, and the key where none does."""

    def __init__(self, chords: Sequence[Chord], key: Key) -> None:
        self.chords, self.tonic = chords, key.tonic
        self.at = chord_lookup(chords)

    def root(self, beat: float) -> int:
        chord = self.at(beat)
        return self.tonic if chord is None else chord.root

    def shift(self, position: int) -> int:
        """What is taken off the pitches of notes at a position, which is counted from beat 0."""
        return root_shift(self.root(position / BEAT))


def bar_shifts(chart: Chart, index: int, *, key: Key, chords: Sequence[Chord]) -> NDArray[np.int64]:
    """(n_positions,), what is taken off the pitches of notes at each position of a bar, as `encode` does."""
    over, bar = _Over(chords, key), chart.bars[index]
    first = round(bar.onset_beat * BEAT)
    n_positions = round(bar.metre.beats_per_bar * BEAT)
    return np.array([over.shift(first + position) for position in range(n_positions)])


def onset_counts(words: Sequence[int]) -> dict[Role, int]:
    """At how many moments each role plays in a bar, by the bar's words."""
    counts: dict[Role, int] = {}
    role: Role | None = None
    for number in words:
        kind, _, value = VOCABULARY[number].partition("_")
        if kind == "Track":
            role = Role(value)
        elif kind == "Bar":
            role = None
        elif kind == "Position" and role is not None:
            counts[role] = counts.get(role, 0) + 1
    return counts


def _chart_words(chart: Chart, index: int, over: _Over) -> list[str]:
    bar = chart.bars[index]
    if bar.metre.beats_per_bar > MOST_BEATS:
        raise ValueError(f"a bar of {bar.metre} is too long for the arranger: {MOST_BEATS} beats at most")
    words = ["Bar_None", f"Place_{_place(bar)}", f"Energy_{energy_bin(bar.energy)}"]
    first = round(bar.onset_beat * BEAT)
    n_positions = round(bar.metre.beats_per_bar * BEAT)
    placed: dict[int, Chord] = {}
    for chord in clipped_chords(over.chords, bar.onset_beat, bar.end_beat):
        position = max(snapped(chord.onset_beat)[0] - first, 0)
        if position < n_positions:
            placed[position] = chord
    for position, chord in sorted(placed.items()):
        words += [f"Position_{position}", *_chord_words(chord, over.tonic)]
        if chord.bass != chord.root:
            words.append(f"ChordBass_{(chord.bass - over.tonic) % 12}")
    words.append("Next_None")
    if index + 1 < len(chart.bars):
        following = over.at(chart.bars[index + 1].onset_beat)
        words += _chord_words(following, over.tonic) if following is not None else []
    return words + _tune_words(bar, over)


def _place(bar: ChartBar) -> str:
    if bar.variation in ("ending", "intro"):
        return bar.variation
    if bar.is_fill:
        return "fill"
    return "start" if bar.bar_in_section == 0 else "inside"


def _chord_words(chord: Chord, tonic: int) -> list[str]:
    return [f"ChordRoot_{(chord.root - tonic) % 12}", f"ChordQuality_{QUALITY_OF[chord.quality]}"]


def _tune_words(bar: ChartBar, over: _Over) -> list[str]:
    """The pitch class of the longest note in each beat, over that beat's chord; how busy the bar is."""
    words = []
    n_beats = bar.metre.beats_per_bar
    for beat in np.arange(bar.onset_beat, bar.end_beat - 1e-6):
        heard = {
            note: min(note.onset_beat + note.duration_beat, beat + 1) - max(note.onset_beat, beat)
            for note in bar.melody
        }
        longest = max(heard, key=lambda note: (heard[note], -note.onset_beat), default=None)
        if longest is None or heard[longest] <= 1e-6:
            words.append("Tune_rest")
        else:
            words.append(f"Tune_{(longest.pitch - over.root(float(beat))) % 12}")
    busy = sum(len(bar.melody) / n_beats > edge for edge in _BUSY_TUNE)
    return [*words, f"TuneNotes_{busy}"]


def _by_bar(track: Track, chart: Chart, over: _Over) -> dict[int, list[str]]:
    """Words of a part's events in each bar, without the Track word."""
    starts = np.array([round(bar.onset_beat * BEAT) for bar in chart.bars])
    end = round(chart.bars[-1].end_beat * BEAT) if chart.bars else 0
    found: dict[int, list[str]] = {}
    for position, group in groupby(sorted_notes(track.notes), key=lambda note: snapped(note.onset_beat)[0]):
        if not starts.size or not starts[0] <= position < end:
            continue
        struck = list(group)
        micro = snapped(struck[0].onset_beat)[1]
        drums = track.role in RHYTHM_ROLES
        words = _hit_words(struck) if drums else _pitch_words(struck, over.shift(position))
        if words:
            index = int(np.searchsorted(starts, position, side="right")) - 1
            at = [f"Position_{position - starts[index]}", *([f"MicroTiming_{micro}"] if micro else [])]
            found.setdefault(index, []).extend([*at, *words])
    return found


def _hit_words(notes: Sequence[Note]) -> list[str]:
    loudest: dict[int, int] = {}
    for note in notes:
        kin = DRUM_KIN.get(note.pitch)
        if kin is not None:
            loudest[kin] = max(loudest.get(kin, 0), velocity_bin(note.velocity))
    return [f"Hit_{pitch}.{velocity}" for pitch, velocity in sorted(loudest.items())]


def _pitch_words(notes: Sequence[Note], shift: int) -> list[str]:
    low, high = PITCH_SPAN
    longest: dict[int, int] = {}
    for note in notes:
        pitch = note.pitch - shift
        if low <= pitch <= high:
            longest[pitch] = max(longest.get(pitch, 0), duration_bin(note.duration_beat))
    if not longest:
        return []
    words = [f"Velocity_{velocity_bin(fmean(note.velocity for note in notes))}"]
    for duration in sorted(set(longest.values())):
        words.append(f"Duration_{DURATIONS[duration]}")
        words += [f"Pitch_{pitch}" for pitch in sorted(longest) if longest[pitch] == duration]
    return words


def decode(
    bars: Sequence[Sequence[int]],
    chart: Chart,
    *,
    key: Key,
    chords: Sequence[Chord],
    players: Mapping[Role, Player],
    first_bar: int = 0,
) -> tuple[Track, ...]:
    """Tracks of what is written in some bars in a row; a role that plays nothing has no track.

    Parameters
    ----------
    bars : words of each bar, with or without its chart
    first_bar : index in the chart of the first of them

    Raises
    ------
    ValueError : words that are no bar.
    """
    over = _Over(chords, key)
    notes: dict[Role, list[Note]] = {}
    for index, words in enumerate(bars, start=first_bar):
        if index >= len(chart.bars):
            raise ValueError(f"there is no bar {index} in a chart of {len(chart.bars)}")
        for role, note in _read(words, round(chart.bars[index].onset_beat * BEAT), over):
            notes.setdefault(role, []).append(note)
    return tuple(
        Track(role.value, role, players[role].program, role in RHYTHM_ROLES, sorted_notes(notes[role]))
        for role in PLAYED_ROLES
        if role in notes and role in players
    )


def _read(words: Sequence[int], first: int, over: _Over) -> Iterator[tuple[Role, Note]]:
    """Notes of one bar that begins at a position."""
    role: Role | None = None
    position: int | None = None
    micro, velocity, duration = 0, 0, 0.0
    for number in words:
        kind, _, value = VOCABULARY[number].partition("_")
        if kind == "Track":
            role, position = Role(value), None
        elif role is None:
            continue  # the chart
        elif kind == "Position":
            position, micro, velocity, duration = first + int(value), 0, 0, 0.0
        elif kind == "MicroTiming":
            micro = int(value)
        elif kind == "Velocity":
            velocity = VELOCITIES[int(value)]
        elif kind == "Duration":
            duration = int(value) / BEAT
        elif kind == "Hit" and position is not None:
            pitch, _, loud = value.partition(".")
            onset = (2 * position + micro) / (2 * BEAT)
            yield role, Note(onset, _HIT_BEAT, int(pitch), VELOCITIES[int(loud)])
        elif kind == "Pitch" and position is not None and velocity and duration:
            onset = (2 * position + micro) / (2 * BEAT)
            yield role, Note(onset, duration, int(value) + over.shift(position), velocity)
        elif number not in _MARKS:
            raise ValueError(f"{VOCABULARY[number]} stands where it cannot")


def is_predicted(ids: ArrayLike) -> NDArray[np.bool_]:
    """Which words of a sequence a model writes itself: parts, and the mark that ends a bar's parts.

    Parameters
    ----------
    ids : (n,), from the sequence's beginning

    Returns
    -------
    (n,); False for headers, charts and `Target`, which are given.
    """
    numbers = np.asarray(ids)
    opens, closes = np.isin(numbers, list(_TUNE_NOTES)), np.isin(numbers, list(_MARKS))
    marks = np.where(opens | closes, np.arange(len(numbers)), -1)
    last = np.concatenate([[-1], np.maximum.accumulate(marks)[:-1]]) if len(numbers) else marks
    return np.asarray((last >= 0) & opens[last] & (numbers != ID["Target_None"]))
