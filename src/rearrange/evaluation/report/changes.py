"""What became of a song, in words a musician would use, measured from the notes on both sides.

For each part the song's and the arrangement's manner are read stretch by stretch (a section, or eight bars of a
long one); what is the same is not said, neighbours that read alike are one line, and what comes back later
is pointed to. Limits: of a song heard from audio the instruments are unknown, so only the new ones are named; a
manner without a plain word gets none.
"""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rearrange.evaluation.report.drumming import drum_phrases, percussion_phrase
from rearrange.evaluation.report.endings import ending_words, fill_words
from rearrange.evaluation.report.facts import Change
from rearrange.evaluation.report.feel import (
    build_words,
    measured_swing,
    song_swing,
    swing_words,
    tempo_words,
)
from rearrange.evaluation.report.names import instrument_name, instrument_words, listed
from rearrange.evaluation.report.playing import bass_phrases, chord_phrases
from rearrange.evaluation.report.recolouring import harmony_words
from rearrange.evaluation.report.stretches import Onsets, Side, Stretch, onsets_of, plays_in, sides, stretches
from rearrange.evaluation.report.tune import tune_words
from rearrange.score import Arrangement, Role, Score, Track

__all__ = ["changes"]

_PLAYS = 0.5  # of a stretch's bars: less is a touch, not a part that plays
_COLOURS = (Role.PAD, Role.ARPEGGIO, Role.COUNTER, Role.PERCUSSION)
_ORDER = ("", *Role)
# Differences from one section to the next that are variations of one manner.
_TOUCHES = (
    (re.compile(r"^ghost notes.*| with syncopation$| with pickups$"), ""),
    (re.compile(r"^hat and ride"), "hat"),
    (re.compile(r"(a moving line|bass line|bass notes|roots and fifths|roots|a line)\b"), "bass"),
)
_LATER = "; "
_NOT_PLAYING = ("the ", "without ", "chords left to ")  # how lines begin that name no manner

_MANNERS: Mapping[Role, Callable[[Onsets, Side], tuple[str, ...]]] = {
    Role.DRUMS: lambda notes, _side: drum_phrases(notes),
    Role.BASS: lambda notes, side: bass_phrases(notes, side.chords),
    Role.CHORDS: lambda notes, _side: chord_phrases(notes),
}


@dataclass(frozen=True)
class _Line:
    """What is said of a stretch.

    Lines of one `key` say much the same: the first one's text stands for all. Of one `manner`: exactly the same.
    """

    stretch: Stretch
    text: str
    key: Hashable
    manner: Hashable = None


def changes(score: Score, arrangement: Arrangement, *, instruments_known: bool = False) -> tuple[Change, ...]:
    """The changes: those of the whole song first, then in the order of bars.

    Parameters
    ----------
    instruments_known : whether the programs of the score's tracks are the song's own (it was given as MIDI)
    """
    song, ours = sides(score, arrangement)
    spans = stretches(score)
    if not spans:
        return ()
    whole = replace(spans[0], last_bar=spans[-1].last_bar, end_beat=spans[-1].end_beat)
    last = replace(spans[-1], first_bar=spans[-1].last_bar)
    tune = tune_words(song, ours, arrangement.kept_stems, known=instruments_known)
    found = [
        *_feel(tempo_words(song, ours), _in_bars(_swing(score, song, ours, spans), ""), whole),
        *_once(whole, Role.MELODY, tune),
        *_once(whole, Role.CHORDS, harmony_words(song, ours)),
        *_once(whole, Role.DRUMS, fill_words(song, ours, spans)),
        *_in_bars(_joining(song, ours, spans), ""),
        *_in_bars(_building(song, ours, spans), ""),
        *_once(last, "", ending_words(song, ours)),
    ]
    for role in _MANNERS:
        played = _track(ours, role)
        before = _track(song, role) if instruments_known else None
        instrument = instrument_words(played, before) if played is not None else ""
        found += _with_instrument(_in_bars(_part(role, song, ours, spans), role), role, instrument, whole)
    return tuple(sorted(found, key=lambda change: _place(change, whole)))


def _place(change: Change, whole: Stretch) -> tuple[bool, int, int]:
    everywhere = (change.first_bar, change.last_bar) == (whole.first_bar, whole.last_bar)
    return not everywhere, change.first_bar, _ORDER.index(change.role)


def _once(stretch: Stretch, role: str, text: str) -> list[Change]:
    return [Change(stretch.first_bar, stretch.last_bar, text, role)] if text else []


def _in_bars(lines: Sequence[_Line], role: str) -> list[Change]:
    """Neighbours that say the same as one change; what comes back later is said once, with its bars."""
    merged: list[_Line] = []
    for line in lines:
        if merged and merged[-1].key == line.key:
            stretch = replace(merged[-1].stretch, last_bar=line.stretch.last_bar)
            merged[-1] = replace(merged[-1], stretch=stretch)
        else:
            merged.append(line)
    alike: dict[Hashable, list[_Line]] = {}
    for line in merged:
        if line.text:
            alike.setdefault(line.key, []).append(line)
    found = []
    for first, *later in alike.values():
        change = Change(first.stretch.first_bar, first.stretch.last_bar, first.text, role)
        if later:
            like = "again" if all(line.manner == first.manner for line in later) else "much the same"
            change = replace(change, text=f"{change.text}{_LATER}{like} in {_bars(later)}")
        found.append(change)
    return found


def _bars(lines: Sequence[_Line]) -> str:
    """ "bars 9–16 and 25–32"."""
    spans = [(line.stretch.first_bar, line.stretch.last_bar) for line in lines]
    words = [f"{first}–{last}" if last > first else str(first) for first, last in spans]
    return f"{'bar' if len(words) == 1 and '–' not in words[0] else 'bars'} {listed(words)}"


def _feel(tempo: str, swing: Sequence[Change], whole: Stretch) -> list[Change]:
    """Tempo and swing, in one line where both hold for the whole song."""
    if tempo and len(swing) == 1 and (swing[0].first_bar, swing[0].last_bar) == (whole.first_bar, whole.last_bar):
        return [replace(swing[0], text=f"{tempo}; {swing[0].text}")]
    return [*_once(whole, "", tempo), *swing]


def _swing(score: Score, song: Side, ours: Side, spans: Sequence[Stretch]) -> list[_Line]:
    """Swing; a stretch is told apart only where it plainly swings otherwise than the whole."""
    before, overall = song_swing(score, song), measured_swing(ours)
    lines = []
    for stretch in spans:
        own = measured_swing(ours, stretch)
        words = swing_words(before, own if own.differs_from(overall) else overall)
        lines.append(_Line(stretch, words, words))
    return lines


def _part(role: Role, song: Side, ours: Side, spans: Sequence[Stretch]) -> list[_Line]:
    """How a part's manner changed in each stretch; the result's manner decides what is alike."""
    theirs, played = _track(song, role), _track(ours, role)
    lines: list[_Line] = []
    told: frozenset[str] = frozenset()
    for stretch in spans:
        before, now = _manner(role, theirs, song, stretch), _manner(role, played, ours, stretch)
        if now is None:
            rests = _rest_words(role, ours, stretch) if before is not None else ""
            lines.append(_Line(stretch, rests, rests))
            told = frozenset()
            continue
        come = tuple(phrase for phrase in now if phrase not in (before or ()))
        gone = tuple(phrase for phrase in before or () if phrase not in now)
        gist = frozenset(filter(None, map(_gist, come)))
        if lines and come and gist <= told:  # less of the same is no news
            lines.append(replace(lines[-1], stretch=stretch))
            continue
        told = gist
        what = ", ".join(come)
        if before is not None:
            text = f"{', '.join(gone)} → {what}" if gone and come else what
        elif theirs is not None or not any(line.text for line in lines):
            text = f"{role} added{f': {what}' if what else ''}"
        else:
            text = what
        lines.append(_Line(stretch, text, (before is None, gist), frozenset(come)))
    return lines


def _gist(phrase: str) -> str:
    """What of a phrase makes a listener say that the part plays something else; empty for a mere touch."""
    for touch, plain in _TOUCHES:
        phrase = touch.sub(plain, phrase)
    return phrase


def _rest_words(role: Role, ours: Side, stretch: Stretch) -> str:
    """ "the drums rest", "without drums" where there are none at all; chords may be left to another part."""
    others = [track for track in ours.tracks if track.role in (Role.PAD, Role.ARPEGGIO)]
    instead = [instrument_name(track) for track in others if plays_in(track, ours, stretch) >= _PLAYS]
    if role is Role.CHORDS and instead:
        return f"chords left to {listed(list(dict.fromkeys(instead)))}"
    if _track(ours, role) is None:
        return f"without {role}"
    return f"the {role} {'rests' if role is Role.BASS else 'rest'}"


def _manner(role: Role, track: Track | None, side: Side, stretch: Stretch) -> tuple[str, ...] | None:
    """How a part plays in a stretch; None where it rests."""
    if track is None or plays_in(track, side, stretch) < _PLAYS:
        return None
    return _MANNERS[role](onsets_of(track.notes, side, stretch), side)


def _track(side: Side, role: Role) -> Track | None:
    return next((track for track in side.tracks if track.role is role and track.notes), None)


def _with_instrument(lines: list[Change], role: Role, instrument: str, whole: Stretch) -> list[Change]:
    """Name the instrument once, in the part's first line; a line for it alone where there is no other."""
    if not instrument:
        return lines
    first = next((i for i, change in enumerate(lines) if not change.text.startswith(_NOT_PLAYING)), None)
    if first is None:
        return lines or _once(whole, role, f"{role} on {instrument}")
    head, mark, tail = lines[first].text.partition(_LATER)
    lines[first] = replace(lines[first], text=f"{head}, on {instrument}{mark}{tail}")
    return lines


def _joining(song: Side, ours: Side, spans: Sequence[Stretch]) -> list[_Line]:
    """Parts of colour that the song itself has not; how each plays is said once."""
    lines = []
    told: set[str] = set()
    for stretch in spans:
        words, names = [], []
        for role in _COLOURS:
            theirs = _track(song, role)
            if theirs is not None and plays_in(theirs, song, stretch) >= _PLAYS:
                continue
            for track in ours.tracks:
                if track.role is role and plays_in(track, ours, stretch) >= _PLAYS:
                    names.append(track.name)
                    words.append(_colour_words(track, onsets_of(track.notes, ours, stretch), told))
        lines.append(_Line(stretch, f"with {listed(words)}" if words else "", tuple(names)))
    return lines


def _colour_words(track: Track, notes: Onsets, told: set[str]) -> str:
    if track.is_drum:
        name, manner = "percussion", percussion_phrase(notes)
    elif track.role is Role.COUNTER:
        name, manner = f"a second line on {instrument_name(track)}", ""
    else:
        name = instrument_name(track)
        if track.role is Role.PAD and "pad" not in name:
            name += " pad"
        manner = ", ".join(chord_phrases(notes))
    is_new = track.name not in told
    told.add(track.name)
    return f"{name} ({manner})" if manner and is_new else name


def _building(song: Side, ours: Side, spans: Sequence[Stretch]) -> list[_Line]:
    """Where the arrangement builds up or thins out against the stretch before, and the song does not."""
    lines = []
    for before, stretch in pairwise(spans):
        words = build_words(song, ours, before, stretch)
        lines.append(_Line(stretch, words, stretch))
    return lines
