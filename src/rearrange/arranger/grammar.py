"""Which word may come next: what a band could play, and nothing else.

`Writing` follows several bars that are written side by side, one word of each at a time. What it allows is always
a bar that can be read and played: roles in their order, each once; positions that rise; an instrument's range; a
bass that plays one note at a time; at most five voices that two hands can reach; a drummer with two hands and two
feet. Something is always allowed, and every bar can end after any note.

Conventions: rows of masks are bars, columns words of the vocabulary; positions count from the bar's beginning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from rearrange.arranger.vocabulary import BEAT, ID, MOST_BEATS, PLAYED_ROLES, VOCABULARY, snapped
from rearrange.score import Role
from rearrange.styles import RHYTHM_ROLES

__all__ = ["HAND_SPAN", "MOST_VOICES", "OpenBar", "Writing"]

MOST_VOICES = 5
HAND_SPAN = 14  # semitones, a ninth
_FEET = frozenset((35, 36, 44))
_LIMBS = 2  # hands, and feet
_PIANO = (21, 108)
_NOTHING = -1


class _At(IntEnum):
    """What was written last."""

    CHART = 0
    TRACK = 1
    POSITION = 2
    MICRO = 3
    VELOCITY = 4
    DURATION = 5
    PITCH = 6
    HIT = 7
    END = 8


@dataclass(frozen=True)
class OpenBar:
    """A bar that is to be written.

    Parameters
    ----------
    roles : who may play
    shifts : (n_positions,), what is taken off a pitch at each position
    """

    roles: frozenset[Role]
    shifts: NDArray[np.int64]


def _values(kind: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The words of a type, and the number in each."""
    words = [number for number, word in enumerate(VOCABULARY) if word.startswith(f"{kind}_")]
    values = [int(VOCABULARY[number].partition("_")[2].partition(".")[0]) for number in words]
    return np.array(words), np.array(values)


_POSITIONS, _POSITION = _values("Position")
_MICROS, _MICRO = _values("MicroTiming")
_VELOCITIES, _ = _values("Velocity")
_DURATIONS, _DURATION = _values("Duration")
_PITCHES, _PITCH = _values("Pitch")
_HITS, _HIT = _values("Hit")
_TRACKS = np.array([ID[f"Track_{role.value}"] for role in PLAYED_ROLES])
_ENDS = np.array([ID["Bar_None"], ID["EOS_None"]])
_IS_FOOT = np.isin(_HIT, list(_FEET))
_IS_DRUM = np.array([role in RHYTHM_ROLES for role in PLAYED_ROLES])
_IS_BASS = np.array([role is Role.BASS for role in PLAYED_ROLES])

# (BEAT, micros): what may be off a position of a beat. What is nearer to another is written there, so that no two
# positions sound at one time, or in another order.
_MAY_BE_OFF = np.array(
    [
        [snapped((2 * (at + BEAT) + micro) / (2 * BEAT)) == (at + BEAT, micro) for micro in _MICRO]
        for at in range(BEAT)
    ]
)

_AFTER = np.full(len(VOCABULARY), -1)
for _words, _at in (
    (_TRACKS, _At.TRACK),
    (_POSITIONS, _At.POSITION),
    (_MICROS, _At.MICRO),
    (_VELOCITIES, _At.VELOCITY),
    (_DURATIONS, _At.DURATION),
    (_PITCHES, _At.PITCH),
    (_HITS, _At.HIT),
    (_ENDS, _At.END),
):
    _AFTER[_words] = _at
_VALUE = np.zeros(len(VOCABULARY), dtype=np.int64)
for _words, _numbers in ((_POSITIONS, _POSITION), (_DURATIONS, _DURATION), (_PITCHES, _PITCH), (_HITS, _HIT)):
    _VALUE[_words] = _numbers
_VALUE[_TRACKS] = np.arange(len(_TRACKS))


class Writing:
    """Bars that are being written side by side.

    Parameters
    ----------
    bars : one of each row
    ranges : lowest and highest pitch of each role; a piano's where it says nothing
    may_end_song : rows that may end with EOS, as well as with Bar

    Raises
    ------
    ValueError : a range without a pitch, or a bar that is too long.
    """

    def __init__(
        self,
        bars: Sequence[OpenBar],
        ranges: Mapping[Role, tuple[int, int]],
        *,
        may_end_song: Sequence[bool] | None = None,
    ) -> None:
        n = len(bars)
        bounds = [ranges.get(role, _PIANO) for role in PLAYED_ROLES]
        self._low, self._high = (np.array(each) for each in zip(*bounds, strict=True))
        if (self._low > self._high).any() or (self._high < _PIANO[0]).any() or (self._low > _PIANO[1]).any():
            raise ValueError("an instrument without a note that a piano has cannot play")
        if any(not 0 < len(bar.shifts) <= MOST_BEATS * BEAT for bar in bars):
            raise ValueError(f"a bar has at most {MOST_BEATS} beats")
        self._length = np.array([len(bar.shifts) for bar in bars])
        self._shifts = np.zeros((n, MOST_BEATS * BEAT), dtype=np.int64)
        for row, bar in enumerate(bars):
            self._shifts[row, : len(bar.shifts)] = bar.shifts
        self._players = np.array([[role in bar.roles for role in PLAYED_ROLES] for bar in bars]).reshape(n, -1)
        self._may_end_song = np.array([False] * n if may_end_song is None else may_end_song, dtype=np.bool_)
        self._at = np.full(n, _At.CHART)
        self._role = np.full(n, _NOTHING)
        self._position = np.full(n, _NOTHING)
        self._duration = np.zeros(n, dtype=np.int64)
        self._last = np.full(n, _NOTHING)  # the pitch or stroke before, in its group
        self._voices = np.full((n, MOST_VOICES), _NOTHING)  # pitches at the position
        self._limbs = np.zeros((n, 2), dtype=np.int64)  # hands and feet that strike there
        self._mask: NDArray[np.bool_] | None = None  # of what may come next, once it is asked for

    @property
    def is_over(self) -> NDArray[np.bool_]:
        """(rows,), bars that have ended."""
        return np.asarray(self._at == _At.END)

    def allowed(self) -> NDArray[np.bool_]:
        """(rows, n_words), what may come next; nothing in bars that have ended. It cannot be written to."""
        if self._mask is None:
            self._mask = self._masked()
            self._mask.flags.writeable = False
        return self._mask

    def _masked(self) -> NDArray[np.bool_]:
        at, n = self._at, len(self._at)
        mask = np.zeros((n, len(VOCABULARY)), dtype=np.bool_)
        drums = _IS_DRUM[self._role]
        sounded = (at == _At.PITCH) | (at == _At.HIT)
        between = sounded | (at == _At.CHART)
        mask[:, _TRACKS] = between[:, None] & self._players & (np.arange(len(_TRACKS)) > self._role[:, None])
        mask[:, _ENDS[0]] = between
        mask[:, _ENDS[1]] = between & self._may_end_song
        within = (self._position[:, None] < _POSITION) & (self._length[:, None] > _POSITION)
        mask[:, _POSITIONS] = (sounded | (at == _At.TRACK))[:, None] & within
        mask[:, _MICROS] = (at == _At.POSITION)[:, None] & _MAY_BE_OFF[self._position % BEAT]
        placed = (at == _At.POSITION) | (at == _At.MICRO)
        mask[:, _VELOCITIES] = (placed & ~drums)[:, None]
        mask[:, _HITS] = ((placed & drums) | (at == _At.HIT))[:, None] & self._strokes()
        reach = self._reach()
        room = (self._voices == _NOTHING).any(axis=1)
        more = (at == _At.PITCH) & room & ~_IS_BASS[self._role]
        rising = reach & (self._last[:, None] < _PITCH)
        mask[:, _PITCHES] = ((at == _At.DURATION) | more)[:, None] & rising
        again = more & reach.any(axis=1)
        longer = again[:, None] & (self._duration[:, None] < _DURATION)
        mask[:, _DURATIONS] = (at == _At.VELOCITY)[:, None] | longer
        return mask

    def _strokes(self) -> NDArray[np.bool_]:
        free = self._limbs < _LIMBS
        return (self._last[:, None] < _HIT) & np.where(_IS_FOOT, free[:, 1:], free[:, :1])

    def _reach(self) -> NDArray[np.bool_]:
        """(rows, pitches), what the instrument has and the hands can add to what they hold."""
        rows = np.arange(len(self._at))
        shift = self._shifts[rows, np.maximum(self._position, 0)]
        sounding = _PITCH + shift[:, None]
        low = np.maximum(self._low, _PIANO[0])[self._role][:, None]
        high = np.minimum(self._high, _PIANO[1])[self._role][:, None]
        reach = (sounding >= low) & (sounding <= high)
        held = self._voices[:, None, :]  # (rows, 1, voices)
        is_held = held != _NOTHING
        new = np.broadcast_to(_PITCH[None, :, None], (len(rows), len(_PITCH), 1))
        lowest = np.minimum(np.where(is_held, held, 999).min(axis=2, keepdims=True), new)
        highest = np.maximum(held.max(axis=2, keepdims=True), new)
        both = np.concatenate([np.broadcast_to(held, (*new.shape[:2], held.shape[2])), new], axis=2)
        is_there = both != _NOTHING
        by_hand = (both <= lowest + HAND_SPAN) | (both >= highest - HAND_SPAN) | ~is_there
        doubled = ((held == new) & is_held).any(axis=2)
        return np.asarray(reach & by_hand.all(axis=2) & ~doubled)

    def push(self, words: NDArray[np.int64]) -> None:
        """One word of each row; of a bar that has ended it is not looked at.

        Raises
        ------
        ValueError : a word that is not allowed.
        """
        live = np.flatnonzero(~self.is_over)
        new = np.asarray(words)[live]
        if not self.allowed()[live, new].all():
            raise ValueError("a word that is not allowed")
        self._mask = None
        self._push(live, new)

    def _push(self, live: NDArray[np.int64], new: NDArray[np.int64]) -> None:
        at, value = _AFTER[new], _VALUE[new]
        self._at[live] = at
        track, position = at == _At.TRACK, at == _At.POSITION
        self._role[live[track]] = value[track]
        self._position[live[track]] = _NOTHING
        moved = live[track | position]
        self._last[moved] = _NOTHING
        self._duration[moved] = 0
        self._voices[moved] = _NOTHING
        self._limbs[moved] = 0
        self._position[live[position]] = value[position]
        duration = at == _At.DURATION
        self._duration[live[duration]] = value[duration]
        self._last[live[duration]] = _NOTHING
        pitch, hit = at == _At.PITCH, at == _At.HIT
        self._last[live[pitch | hit]] = value[pitch | hit]
        rows = live[pitch]
        self._voices[rows, (self._voices[rows] != _NOTHING).sum(axis=1)] = value[pitch]
        np.add.at(self._limbs, (live[hit], np.isin(value[hit], list(_FEET)).astype(np.int64)), 1)
