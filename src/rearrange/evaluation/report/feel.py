"""Tempo, swing and dynamics of song and arrangement, in words."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.groove import swing_ratio
from rearrange.evaluation.report.stretches import Side, Stretch, onsets_of
from rearrange.score import Role, Score

__all__ = ["Swing", "build_words", "measured_swing", "song_swing", "swing_words", "tempo_words"]

Floats = NDArray[np.float64]

_SURE = 0.2  # of a swing ratio: below it `swing_ratio` itself calls the eighths straight for want of better
_SAME_PERCENT = (
    4  # of swing: what a listener hardly tells apart (measured players vary by as much within a chorus)
)
_MOST_PERCENT = 72  # triplets are 67; beyond lie dotted eighths
_SAME_TEMPO = 0.02  # a tempo change that passes unnoticed
_DRIFT = 0.08  # of the tempo, from slow to fast passages: more than a band drifts by itself
_FULLER, _SPARSER = 1.35, 0.74  # notes per bar against the stretch before
_LOUDER = 6.0  # MIDI velocity: a step of dynamics is some 16, a third of it is heard


@dataclass(frozen=True, slots=True)
class Swing:
    """Share of a pair of notes that its first one takes, in percent; 50 is straight.

    `percent` is None where there are too few off-beat notes to tell; `unit` is "eighths" or "sixteenths".
    """

    percent: int | None
    unit: str = "eighths"

    def differs_from(self, other: "Swing") -> bool:
        """Whether both are known of the same pairs, and a listener would tell them apart."""
        if self.percent is None or other.percent is None:
            return False
        if self.percent == other.percent == 50:
            return False
        return self.unit != other.unit or abs(self.percent - other.percent) > _SAME_PERCENT

    def __str__(self) -> str:
        if self.percent is None:
            return ""
        if self.percent == 50:
            return "straight"
        return f"swing {self.percent} %{' in sixteenths' if self.unit == 'sixteenths' else ''}"


def measured_swing(side: Side, stretch: Stretch | None = None) -> Swing:
    """Swing of the accompaniment and drums, in a stretch or on the whole: of eighths, or else of sixteenths."""
    onsets = np.concatenate(
        [
            np.array([note.onset_beat for note in track.notes])
            if stretch is None
            else onsets_of(track.notes, side, stretch).onset_beat
            for track in side.tracks
            if track.role is not Role.MELODY
        ]
        or [np.zeros(0)]
    )
    eighths, sixteenths = _read(onsets), _read(2 * onsets)
    if eighths is not None and eighths > 50:
        return Swing(eighths)
    if sixteenths is not None:
        return Swing(sixteenths, "sixteenths" if sixteenths > 50 else "eighths")
    # Straight eighths say nothing of sixteenths that are hardly there.
    return Swing(eighths if stretch is None else None)


def _read(onsets_beat: Floats) -> int | None:
    """Swing percent of eighths; None where it cannot be told, or is so large that it is another rhythm."""
    ratio, sure = swing_ratio(onsets_beat)
    percent = _percent(ratio)
    return percent if sure >= _SURE and percent <= _MOST_PERCENT else None


def song_swing(score: Score, song: Side) -> Swing:
    """The song's: as analysis heard it before notes were drawn to the grid."""
    return Swing(_percent(score.swing)) if score.swing > 1 else measured_swing(song)


def _percent(ratio: float) -> int:
    return round(100 * ratio / (1 + ratio))


def swing_words(song: Swing, ours: Swing) -> str:
    """ "straight → swing 62 %"; empty where nothing changed or could be told."""
    if ours.percent is None or (song.percent is not None and not ours.differs_from(song)):
        return ""
    return f"{song} → {ours}" if song.percent is not None else str(ours)


def tempo_words(song: Side, ours: Side) -> str:
    """ "112 → 92 bpm", double and half time, and a drift that was straightened; empty where nothing changed."""
    theirs_bpm, ours_bpm = song.timeline.mean_tempo_bpm, ours.timeline.mean_tempo_bpm
    words = []
    pace = ours_bpm / ours.beat_ratio / theirs_bpm
    if ours.beat_ratio != 1:
        time = "double" if ours.beat_ratio > 1 else "half"
        words.append(f"{time} time: {theirs_bpm:.0f} → {ours_bpm:.0f} bpm, the song itself {_pace_words(pace)}")
    elif abs(pace - 1) > _SAME_TEMPO:
        words.append(f"{theirs_bpm:.0f} → {ours_bpm:.0f} bpm")
    slow, fast = _tempo_range(song)
    if fast / slow - 1 > _DRIFT and np.ptp(_tempo_range(ours)) / ours_bpm < _DRIFT / 4:
        words.append(f"steady where the song moves between {slow:.0f} and {fast:.0f} bpm")
    return ", ".join(words)


def _pace_words(pace: float) -> str:
    if abs(pace - 1) <= _SAME_TEMPO:
        return "as fast as before"
    return f"{abs(pace - 1) * 100:.0f} % {'faster' if pace > 1 else 'slower'}"


def _tempo_range(side: Side) -> tuple[float, float]:
    """Slow and fast passages: the 5th and 95th percentile of bars' tempos."""
    bars = side.timeline.bars
    seconds = np.diff(side.timeline.seconds([bar.onset_beat for bar in bars] + [side.timeline.end_beat]))
    if not len(bars):
        return 1.0, 1.0
    tempos = [60 * bar.duration_beat / length for bar, length in zip(bars, seconds, strict=True)]
    return float(np.percentile(tempos, 5)), float(np.percentile(tempos, 95))


def build_words(song: Side, ours: Side, before: Stretch, stretch: Stretch) -> str:
    """ "builds up, unlike the song (21 → 34 notes a bar)" after the stretch before; empty where both go alike."""
    words = []
    theirs, played = _step(song, before, stretch), _step(ours, before, stretch)
    if theirs is None or played is None:
        return ""
    if played.density >= _FULLER and theirs.density < _FULLER:
        words.append(
            f"builds up, unlike the song ({played.from_per_bar:.0f} → {played.to_per_bar:.0f} notes a bar)"
        )
    if played.density <= _SPARSER and theirs.density > _SPARSER:
        words.append(
            f"thins out, unlike the song ({played.from_per_bar:.0f} → {played.to_per_bar:.0f} notes a bar)"
        )
    if abs(played.louder) >= _LOUDER and played.louder * theirs.louder <= 0:
        words.append(f"{'louder' if played.louder > 0 else 'softer'} than before")
    return ", ".join(words)


@dataclass(frozen=True, slots=True)
class _Step:
    """From one stretch to the next: notes per bar, their ratio, and the difference of mean velocity."""

    from_per_bar: float
    to_per_bar: float
    louder: float

    @property
    def density(self) -> float:
        return self.to_per_bar / self.from_per_bar


def _step(side: Side, before: Stretch, stretch: Stretch) -> _Step | None:
    was, now = _velocities(side, before), _velocities(side, stretch)
    if not len(was) or not len(now):
        return None
    return _Step(len(was) / before.n_bars, len(now) / stretch.n_bars, float(now.mean() - was.mean()))


def _velocities(side: Side, stretch: Stretch) -> Floats:
    return np.concatenate(
        [onsets_of(track.notes, side, stretch).velocity for track in side.tracks] or [np.zeros(0)]
    )
