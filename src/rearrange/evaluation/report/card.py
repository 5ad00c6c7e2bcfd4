"""The quality card of a conversion, and the bars that are worth a second listen.

The reference is the song as it was heard (the score), so what the ears got wrong is not counted against the
arrangement. Thresholds of weak bars were set where, in nine conversions of three songs (a pop band, a piano, drums
and bass), about a tenth of the bars fell below; they mark places to listen to, not errors.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rearrange.arranger.charts import chord_lookup
from rearrange.evaluation.judge import Judge
from rearrange.evaluation.measure import NotMeasurable, measured
from rearrange.evaluation.metrics import (
    FRAMES_PER_BEAT,
    chord_agreement,
    chroma_frames,
    content_similarity,
    distinct_rhythm,
    heard_chords,
    melody_f1,
)
from rearrange.evaluation.report.facts import CardEntry, WeakBar
from rearrange.evaluation.report.stretches import Side, Stretch, onsets_of, sides
from rearrange.evaluation.report.tune import WITHIN_BEAT
from rearrange.score import CHORD_INTERVALS, Arrangement, Bar, Chord, Role, Score

__all__ = ["quality_card", "weak_bars"]

Floats = NDArray[np.float64]

_UNLIKE = 0.8  # cosine of a bar's chroma
_OTHER_CHORDS = 0.5  # of a bar's time
_HARDLY_HEARD = 1 / 3  # of the notes in the song's usual bar
_UNSURE = 0.25  # mean confidence of a bar's chords
_FEWEST_BARS = 8  # below, every bar is nearly bound to differ
_TOO_OFTEN = 9  # eight bars of vamp are a verse; what goes on without any change is a loop
_FEWEST_OF_TUNE = 2  # of one note nobody can say whether it is the tune
_LOST_TUNE = 1 / 3
_CHORD_STEP_BEAT = 0.25
_EARLY_BEAT = 0.05  # of the song: a note so little before a bar line belongs to the bar after it


def quality_card(score: Score, arrangement: Arrangement, *, judge: Judge | None = None) -> tuple[CardEntry, ...]:
    """Content, melody, chords, genre and variety, each in [0, 1], or why it cannot be said.

    Parameters
    ----------
    judge : hears the genre in the notes; None where there is none
    """
    entries: tuple[tuple[str, Callable[[], float], str], ...] = (
        (
            "content",
            lambda: _content(score, arrangement),
            "How much of the song's harmony and tune sounds at each moment, by the notes' names (chroma).",
        ),
        (
            "melody",
            lambda: _melody(score, arrangement),
            "The tune's notes that are there at their time, octaves aside, an eighth of a beat allowed.",
        ),
        (
            "chords",
            lambda: _chords(score, arrangement),
            "Share of the time in which the chords heard in the new notes are the song's, as major or minor.",
        ),
        (
            "genre",
            lambda: _genre(arrangement, judge),
            _genre_words(judge, arrangement.genre),
        ),
        (
            "variety",
            lambda: _variety(arrangement),
            "Different rhythms per bar played, mean of the parts but the tune. A loop is near 0; human bands have "
            "24 %, pop piano 40 %: neither little nor much is good in itself.",
        ),
    )
    return tuple(CardEntry(name, measured(figure), explanation) for name, figure, explanation in entries)


def _content(score: Score, arrangement: Arrangement) -> float:
    if arrangement.kept_stems:
        raise NotMeasurable("the song's own voice sounds beside the notes")
    n_beats = max(round(score.timeline.end_beat), 1)
    return content_similarity(score.tracks, arrangement.tracks, n_beats, beat_ratio=arrangement.beat_ratio)


def _melody(score: Score, arrangement: Arrangement) -> float:
    if arrangement.kept_stems:
        raise NotMeasurable("the song's own voice is kept")
    before, now = score.track(Role.MELODY), arrangement.track(Role.MELODY)
    if before is None or not before.notes:
        raise NotMeasurable("no melody was heard in the song")
    return melody_f1(before.notes, now.notes if now is not None else (), beat_ratio=arrangement.beat_ratio)


def _chords(score: Score, arrangement: Arrangement) -> float:
    if not score.chords:
        raise NotMeasurable("no chords were heard in the song")
    heard = heard_chords(arrangement.tracks, arrangement.timeline, arrangement.key)
    return chord_agreement(score.chords, heard, beat_ratio=arrangement.beat_ratio)


def _genre(arrangement: Arrangement, judge: Judge | None) -> float:
    if judge is None:
        raise NotMeasurable("no judge is installed")
    return judge.probability(judge.verdict(arrangement.tracks, arrangement.timeline), arrangement.genre)


def _variety(arrangement: Arrangement) -> float:
    bars = arrangement.timeline.bars
    if len(bars) < _FEWEST_BARS:
        raise NotMeasurable("there are too few bars")
    return distinct_rhythm(arrangement.tracks, bars)


def _genre_words(judge: Judge | None, genre: str) -> str:
    words = "How probable the genre is to a judge that learnt from people's playing, never from our arrangements"
    if judge is None or not judge.references:
        return f"{words}."
    n_genres = len(judge.references)
    people = f", people's own playing of this one gets {judge.people[genre]:.0%}" if genre in judge.people else ""
    return f"{words}. It knows {n_genres} genres: a guess would have {1 / n_genres:.0%}{people}."


def weak_bars(score: Score, arrangement: Arrangement) -> tuple[WeakBar, ...]:
    """The bars of the song to listen to, in order, each with what speaks against it."""
    song, ours = sides(score, arrangement)
    bars = score.timeline.bars
    if not bars:
        return ()
    readings = (
        _silence(song, ours, bars, arrangement),
        _unlikeness(song, ours, bars, arrangement),
        _chord_differences(score, arrangement, bars),
        _lost_tune(score, arrangement, bars),
        _what_the_ears_missed(score, song, bars),
        _repetition(ours, bars),
    )
    reasons = [[words for words in of_bar if words] for of_bar in zip(*readings, strict=True)]
    return tuple(WeakBar(bar.index + 1, tuple(found)) for bar, found in zip(bars, reasons, strict=True) if found)


def _sounding(side: Side, bars: Sequence[Bar], n_beats: int) -> Floats:
    """Chroma of each bar of the song, (bars, 12)."""
    frames = chroma_frames(side.tracks, n_beats, beat_ratio=side.beat_ratio)
    return np.array(
        [
            frames[round(bar.onset_beat * FRAMES_PER_BEAT) : round(bar.end_beat * FRAMES_PER_BEAT)].sum(axis=0)
            for bar in bars
        ]
    )


def _silence(song: Side, ours: Side, bars: Sequence[Bar], arrangement: Arrangement) -> list[str]:
    played, theirs = _onset_counts(ours, bars, drums=True), _onset_counts(song, bars, drums=True)
    held = [bool(chroma.any()) for chroma in _sounding(ours, bars, int(np.ceil(bars[-1].end_beat)))]
    return [
        "no note is played" if not now and not sounds and was and not arrangement.kept_stems else ""
        for now, was, sounds in zip(played, theirs, held, strict=True)
    ]


def _unlikeness(song: Side, ours: Side, bars: Sequence[Bar], arrangement: Arrangement) -> list[str]:
    if arrangement.kept_stems:
        return [""] * len(bars)
    n_beats = int(np.ceil(bars[-1].end_beat))
    theirs, played = _sounding(song, bars, n_beats), _sounding(ours, bars, n_beats)
    norms = np.linalg.norm(theirs, axis=1) * np.linalg.norm(played, axis=1)
    cosine = np.divide(np.sum(theirs * played, axis=1), norms, out=np.ones(len(bars)), where=norms > 0)
    return ["the notes are unlike the song's" if like < _UNLIKE else "" for like in cosine]


def _chord_differences(score: Score, arrangement: Arrangement, bars: Sequence[Bar]) -> list[str]:
    try:
        heard = heard_chords(arrangement.tracks, arrangement.timeline, arrangement.key)
    except NotMeasurable:
        return [""] * len(bars)
    theirs, ours = chord_lookup(score.chords), chord_lookup(heard)
    words = []
    for bar in bars:
        alike = []
        for beat in np.arange(bar.onset_beat + _CHORD_STEP_BEAT / 2, bar.end_beat, _CHORD_STEP_BEAT):
            chord, played = theirs(float(beat)), ours(float(beat) * arrangement.beat_ratio)
            if chord is not None and played is not None:
                alike.append(_triad(chord) == _triad(played))
        differs = len(alike) > 0 and float(np.mean(alike)) < _OTHER_CHORDS
        words.append("what is played sounds like other chords than the song's" if differs else "")
    return words


def _lost_tune(score: Score, arrangement: Arrangement, bars: Sequence[Bar]) -> list[str]:
    """Bars of which hardly a note of the tune is in the new tune, octaves aside, half a beat allowed."""
    before, now = score.track(Role.MELODY), arrangement.track(Role.MELODY)
    if before is None or now is None or arrangement.kept_stems:
        return [""] * len(bars)
    theirs = np.array([(note.onset_beat, note.pitch % 12) for note in before.notes]).reshape(-1, 2)
    ours = np.array([(n.onset_beat / arrangement.beat_ratio, n.pitch % 12) for n in now.notes]).reshape(-1, 2)
    words = []
    for bar in bars:
        inside = (theirs[:, 0] > bar.onset_beat - _EARLY_BEAT) & (theirs[:, 0] < bar.end_beat - _EARLY_BEAT)
        near = np.abs(theirs[inside, 0][:, None] - ours[:, 0][None, :]) <= WITHIN_BEAT
        same = theirs[inside, 1][:, None] == ours[:, 1][None, :]
        found = (near & same).any(axis=1)
        lost = len(found) >= _FEWEST_OF_TUNE and float(found.mean()) < _LOST_TUNE
        words.append("hardly a note of the tune is there" if lost else "")
    return words


def _triad(chord: Chord) -> tuple[int, bool]:
    """Root, and whether the third is minor."""
    return chord.root, 3 in CHORD_INTERVALS[chord.quality]


def _what_the_ears_missed(score: Score, song: Side, bars: Sequence[Bar]) -> list[str]:
    counts = _sounding_counts(song, bars)
    usual = float(np.median(counts))
    words = []
    for bar, count in zip(bars, counts, strict=True):
        chords = [
            c for c in score.chords if c.onset_beat < bar.end_beat - 1e-6 and c.end_beat > bar.onset_beat + 1e-6
        ]
        if count < _HARDLY_HEARD * usual:
            words.append("hardly a note of the song was heard here")
        elif chords and float(np.mean([chord.confidence for chord in chords])) < _UNSURE:
            words.append("the chords could hardly be told")
        else:
            words.append("")
    return words


def _onset_counts(side: Side, bars: Sequence[Bar], *, drums: bool) -> NDArray[np.int64]:
    """Notes that begin in each bar of the song."""
    starts = np.array([bar.onset_beat for bar in bars] + [bars[-1].end_beat])
    counts = np.zeros(len(bars), dtype=np.int64)
    for track in side.tracks:
        if track.is_drum and not drums:
            continue
        onsets = np.array([note.onset_beat for note in track.notes]) / side.beat_ratio
        own = np.searchsorted(starts, onsets + _EARLY_BEAT, side="right") - 1
        own = own[(own >= 0) & (own < len(bars))]
        counts += np.bincount(own, minlength=len(bars))
    return counts


def _sounding_counts(song: Side, bars: Sequence[Bar]) -> NDArray[np.int64]:
    """Pitched notes that sound in each bar, those held from before among them."""
    starts = np.array([bar.onset_beat for bar in bars])
    changes = np.zeros(len(bars) + 1, dtype=np.int64)
    for note in (note for track in song.tracks if not track.is_drum for note in track.notes):
        first = int(np.searchsorted(starts, note.onset_beat + _EARLY_BEAT, side="right")) - 1
        last = int(np.searchsorted(starts, note.onset_beat + note.duration_beat - _EARLY_BEAT, side="right")) - 1
        if last >= 0:
            changes[max(first, 0)] += 1
            changes[max(first, last) + 1] -= 1
    return np.cumsum(changes)[:-1]


def _repetition(ours: Side, bars: Sequence[Bar]) -> list[str]:
    """Bars whose accompaniment, note for note, has been played too often without any other bar between."""
    whole = Stretch(1, len(bars), bars[0].onset_beat, bars[-1].end_beat)
    played: list[set[tuple[int, int, int]]] = [set() for _ in bars]
    starts = np.array([bar.onset_beat for bar in bars])
    for number, track in enumerate(ours.tracks):
        if track.role is Role.MELODY:
            continue
        notes = onsets_of(track.notes, ours, whole)
        beats = notes.onset_beat / ours.beat_ratio
        own = np.clip(np.searchsorted(starts, beats + _EARLY_BEAT, side="right") - 1, 0, len(bars) - 1)
        at = np.round((beats - starts[own]) * 4).astype(int)
        for bar, position, pitch in zip(own, at, notes.pitch, strict=True):
            played[bar].add((number, int(position), int(pitch)))
    words, run = [], 0
    for index, notes_of_bar in enumerate(played):
        same = index > 0 and bool(notes_of_bar) and notes_of_bar == played[index - 1]
        run = run + 1 if same else 1
        words.append(f"the same bar for the {run}th time" if run >= _TOO_OFTEN else "")
    return words
