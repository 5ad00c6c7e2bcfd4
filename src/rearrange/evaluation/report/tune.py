"""What became of the melody: notes kept, octave, delay, anticipations and ornaments, by matching its notes.

A note is kept if the arrangement has one of the same pitch class within half a beat of it; of several the nearest.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rearrange.evaluation.report.names import instrument_words
from rearrange.evaluation.report.stretches import Side
from rearrange.score import Note, Role, Track

__all__ = ["WITHIN_BEAT", "TuneChange", "doubling_of", "octave_words", "tune_change", "tune_words"]

WITHIN_BEAT = 0.6  # of the song: half a beat early is the same note, anticipated
_ANTICIPATED_BEAT = 0.35
_ON_BEAT = 0.1  # swing moves what lies between the beats, so delay is read on them
_ORNAMENT_BEAT = 0.5  # a longer note that is not the tune's is another tune
_SAME_TIME_BEAT = 0.02
_DOUBLED_SHARE = 0.8
_ALL = 0.95
_LATE_MS = 12.0  # a delay that is heard as laid back; attacks 10 ms apart still sound together
_SHORTER = 0.8
_RECOGNISABLE = 1 / 3  # two unrelated tunes in one key share about a quarter of their notes
_FEW_ORNAMENTS = 2


@dataclass(frozen=True, slots=True)
class TuneChange:
    """Counts of notes, and how those that were kept moved; `delay_ms` is their median on the beats."""

    n_song: int
    n_kept: int
    n_anticipated: int
    n_ornaments: int
    n_other: int
    octaves: int
    share_in_octave: float
    delay_ms: float
    length_ratio: float


def tune_change(song: Sequence[Note], result: Sequence[Note], ours: Side) -> TuneChange | None:
    """Compare two melodies; None if either has no notes.

    Parameters
    ----------
    song : in beats of the song
    result : in beats of the arrangement, `ours`
    """
    if not song or not result:
        return None
    pairs = _pairs(song, result, ours.beat_ratio)
    taken = {id(played) for _, played in pairs}
    left = [note for note in result if id(note) not in taken]
    ornaments = [note for note in left if _is_ornament(note, song, ours.beat_ratio)]
    moved = [played.onset_beat - note.onset_beat * ours.beat_ratio for note, played in pairs]
    shifts = [round((played.pitch - note.pitch) / 12) for note, played in pairs]
    octaves = max(set(shifts), key=shifts.count) if shifts else 0
    on_beat = [
        late * 60_000.0 / ours.timeline.tempo_bpm(played.onset_beat)
        for (note, played), late in zip(pairs, moved, strict=True)
        if abs(note.onset_beat - round(note.onset_beat)) < _ON_BEAT and abs(late) < _ANTICIPATED_BEAT
    ]
    lengths = [played.duration_beat / (note.duration_beat * ours.beat_ratio) for note, played in pairs]
    return TuneChange(
        n_song=len(song),
        n_kept=len(pairs),
        n_anticipated=sum(late < -_ANTICIPATED_BEAT for late in moved),
        n_ornaments=len(ornaments),
        n_other=len(left) - len(ornaments),
        octaves=octaves,
        share_in_octave=shifts.count(octaves) / len(shifts) if shifts else 0.0,
        delay_ms=float(np.median(on_beat)) if on_beat else 0.0,
        length_ratio=float(np.median(lengths)) if lengths else 1.0,
    )


def _is_ornament(note: Note, song: Sequence[Note], ratio: float) -> bool:
    """Whether an added note is short, or repeats the pitch that the song holds there."""
    if note.duration_beat <= _ORNAMENT_BEAT * max(ratio, 1.0):
        return True
    at = note.onset_beat / ratio
    return any(
        (each.pitch - note.pitch) % 12 == 0 and each.onset_beat < at < each.onset_beat + each.duration_beat
        for each in song
    )


def _pairs(song: Sequence[Note], result: Sequence[Note], ratio: float) -> list[tuple[Note, Note]]:
    """Notes of the song with the notes that stand for them, each used once; the nearest pairs first."""
    onsets = [note.onset_beat / ratio for note in result]
    candidates: list[tuple[float, int, int]] = []
    for i, note in enumerate(song):
        for j in range(bisect_left(onsets, note.onset_beat - WITHIN_BEAT), len(result)):
            if onsets[j] > note.onset_beat + WITHIN_BEAT:
                break
            if (result[j].pitch - note.pitch) % 12 == 0:
                candidates.append((abs(onsets[j] - note.onset_beat), i, j))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in sorted(candidates):
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return [(song[i], result[pairs[i]]) for i in sorted(pairs)]


def tune_words(song: Side, ours: Side, kept_stems: Sequence[str] = (), *, known: bool = False) -> str:
    """What became of the melody, in a line: "on alto sax, an octave lower; 96 of 98 notes kept, 4 ornaments".

    Parameters
    ----------
    known : whether the song's own instrument is known
    """
    before, now = _melody(song), _melody(ours)
    if "vocals" in kept_stems:
        return "the song's own voice is kept"
    if before is None:
        return ""
    if now is None:
        return "the tune is left out"
    change = tune_change(before.notes, now.notes, ours)
    if change is None:
        return ""
    instrument = instrument_words(now, before if known else None)
    if change.n_kept < _RECOGNISABLE * change.n_song:  # what is left by chance says nothing of time or ornament
        on = f"on {instrument}; " if instrument else ""
        return f"{on}another tune: only {change.n_kept} of {change.n_song} notes are the song's"
    octave = octave_words(change.octaves)
    if octave and change.share_in_octave < _ALL:
        octave = f"mostly {octave}"
    how = [f"on {instrument}" if instrument else "", octave, _late_words(change)]
    if change.length_ratio <= _SHORTER:
        how.append("shorter notes")
    if (double := doubling_of(ours.tracks)) is not None:
        how.append(f"doubled {double[1]}{' in places' if len(double[0].notes) < _ALL * len(now.notes) else ''}")
    notes = []
    if change.n_kept < change.n_song:
        notes.append(f"{change.n_kept} of {change.n_song} notes kept")
    if change.n_ornaments >= _FEW_ORNAMENTS:
        notes.append(f"{change.n_ornaments} ornamental notes added")
    if change.n_other:
        notes.append(f"{change.n_other} note{'s' if change.n_other > 1 else ''} that the song has not")
    if change.n_anticipated > 1:
        notes.append(f"{change.n_anticipated} notes half a beat early")
    return "; ".join(words for words in (", ".join(word for word in how if word), ", ".join(notes)) if words)


def _late_words(change: TuneChange) -> str:
    if abs(change.delay_ms) < _LATE_MS:
        return ""
    return f"{abs(change.delay_ms):.0f} ms {'behind' if change.delay_ms > 0 else 'ahead of'} the beat"


def _melody(side: Side) -> Track | None:
    return next((track for track in side.tracks if track.role is Role.MELODY and track.notes), None)


def octave_words(octaves: int) -> str:
    """ "an octave lower"; empty for none."""
    if octaves == 0:
        return ""
    number = {1: "an octave", 2: "two octaves", 3: "three octaves"}.get(abs(octaves), f"{abs(octaves)} octaves")
    return f"{number} {'higher' if octaves > 0 else 'lower'}"


def doubling_of(tracks: Sequence[Track]) -> tuple[Track, str] | None:
    """The track that goes with the melody note for note, and at which distance; None if none does."""
    melody = next((track for track in tracks if track.role is Role.MELODY), None)
    if melody is None or not melody.notes:
        return None
    onsets = np.array([note.onset_beat for note in melody.notes])
    for track in tracks:
        if track is melody or track.is_drum or not track.notes:
            continue
        own = np.array([note.onset_beat for note in track.notes])
        nearest = np.clip(np.searchsorted(onsets, own - _SAME_TIME_BEAT), 0, len(onsets) - 1)
        together = np.abs(onsets[nearest] - own) <= _SAME_TIME_BEAT
        if float(np.mean(together)) < _DOUBLED_SHARE:
            continue
        distance = np.array(
            [track.notes[i].pitch - melody.notes[nearest[i]].pitch for i in np.flatnonzero(together)]
        )
        usual = float(np.median(distance))
        if float(np.mean(np.abs(distance - usual) <= 1)) >= _DOUBLED_SHARE:  # thirds and sixths are of two sizes
            return track, _interval(usual)
    return None


def _interval(semitones: float) -> str:
    size, side = abs(semitones), "above" if semitones > 0 else "below"
    if size < 0.5:
        return "in unison"
    names = {(3, 4): "a third", (8, 9): "a sixth", (7, 7): "a fifth", (12, 12): "an octave"}
    name = next((name for (low, high), name in names.items() if low <= round(size) <= high), "in another voice")
    return f"{name} {side}" if name != "in another voice" else name
