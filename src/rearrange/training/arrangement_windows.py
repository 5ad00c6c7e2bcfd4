"""Sequences for a training step, drawn from a pack: a header, some bars of context, then some bars of the song.

A sequence is the header, 2 to 4 bars from elsewhere in the same arrangement (of drumming now and then from another
clip of the same style and metre), Target_None, then as many bars in a row as there is room for; EOS after a song's
last bar. Now and then there is no context, so that a genre's token alone must do, or no genre, so that the context
must, or neither, so that a genre can be held against none; and now and then a role is left out, so that a part is
learnt without the others.

Everything follows from the generator that is passed.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rearrange.arranger.header import Player
from rearrange.arranger.vocabulary import ID, PLAYED_ROLES
from rearrange.score import Metre, Role
from rearrange.training.arrangement_pack import Pack
from rearrange.training.arrangement_tokens import header_ids, without_roles

__all__ = ["CONTEXT", "DRUMMING", "Windows"]

CONTEXT = 1536
_CONTEXT_BARS = (2, 4)
_WITHOUT_CONTEXT = 0.12
_WITHOUT_GENRE = 0.15
_LEFT_OUT = 0.2  # of the sequences lack a role or two
_FROM_START, _TO_END = 0.15, 0.15  # of the sequences begin with the song, or end with it
_OTHER_CLIP = 0.3  # of drumming has its context from another clip
_LEAST_BARS = 2  # after the context
DRUMMING = "drumming"
_BY_LENGTH = 0.7  # an arrangement twice as long is drawn 2**this times as often


@dataclass(frozen=True, eq=False)
class Windows:
    """What sequences are drawn from.

    Parameters
    ----------
    context : most tokens in a sequence
    weights : of each kind of arrangement, 1 where it says nothing
    """

    pack: Pack
    context: int = CONTEXT
    weights: tuple[tuple[str, float], ...] = ()

    @cached_property
    def _odds(self) -> NDArray[np.float64]:
        by_kind = dict(self.weights)
        kind = np.array([by_kind.get(str(name), 1.0) for name in self.pack.kinds])
        n_bars = np.diff(self.pack.firsts.astype(np.int64))
        odds = kind * np.where(n_bars >= _LEAST_BARS, n_bars, 0) ** _BY_LENGTH
        return np.asarray(np.cumsum(odds / odds.sum()))

    @cached_property
    def _like(self) -> dict[tuple[str, int, int], list[int]]:
        """Clips of drumming by style and metre."""
        found: dict[tuple[str, int, int], list[int]] = {}
        for i in np.flatnonzero(self.pack.kinds == DRUMMING):
            found.setdefault(self._manner(int(i)), []).append(int(i))
        return found

    def _manner(self, i: int) -> tuple[str, int, int]:
        return str(self.pack.styles[i]), int(self.pack.metres[i, 0]), int(self.pack.metres[i, 1])

    def draw(self, rng: np.random.Generator) -> NDArray[np.uint16]:
        """A sequence of at most `context` tokens."""
        pack = self.pack
        i = min(int(np.searchsorted(self._odds, rng.random(), side="right")), len(pack) - 1)
        without = self._without(i, rng)
        shown, bars = self._spans(i, rng)
        context = without_roles(pack.tokens(shown.start, shown.stop), without)
        room = self.context - len(context) - self._header_room(i) - 2
        kept, stop = [pack.ids[:0]], bars.start
        while stop < bars.stop:
            bar = without_roles(pack.tokens(stop, stop + 1), without)
            if len(bar) > room and stop > bars.start:
                break
            kept.append(bar[: max(room, 0)])
            room -= len(bar)
            stop += 1
        counted = np.array([*shown, *range(bars.start, stop)], dtype=np.int64)
        genre = "" if rng.random() < _WITHOUT_GENRE else str(pack.genres[i])
        header = self._header(i, genre, counted, without)
        is_over = stop == pack.bars(i).stop and bool(pack.ends[i]) and room >= 0
        end = [ID["EOS_None"]] if is_over else []
        whole = (header, context, [ID["Target_None"]], *kept, end)
        return np.concatenate([np.asarray(part, dtype=np.uint16) for part in whole])[: self.context]

    def _header_room(self, i: int) -> int:
        return 5 + 3 * int(np.count_nonzero(self.pack.programs[i] >= 0))

    def _header(self, i: int, genre: str, bars: NDArray[np.int64], without: frozenset[int]) -> list[int]:
        """The header of a sequence of these bars: how busy each role is, is counted in them."""
        pack = self.pack
        metre = Metre(int(pack.metres[i, 0]), int(pack.metres[i, 1]))
        n_beats = max(len(bars), 1) * metre.beats_per_bar
        busy = pack.onsets[bars].astype(np.int64).sum(axis=0) / n_beats
        players: dict[Role, Player] = {
            role: Player(int(pack.programs[i, column]), float(busy[column]))
            for column, role in enumerate(PLAYED_ROLES)
            if pack.programs[i, column] >= 0 and column not in without
        }
        return header_ids(genre, metre, float(pack.tempi_bpm[i]), is_minor=bool(pack.is_minor[i]), players=players)

    def _spans(self, i: int, rng: np.random.Generator) -> tuple[range, range]:
        """The bars that show the style, and those, from the first that is wanted, that may follow them."""
        pack, bars = self.pack, self.pack.bars(i)
        start = self._start(bars, rng)
        like = self._like.get(self._manner(i), []) if pack.kinds[i] == DRUMMING else []
        others = [other for other in like if pack.songs[other] != pack.songs[i]]
        n_shown = int(rng.integers(_CONTEXT_BARS[0], _CONTEXT_BARS[1] + 1))
        if rng.random() < _WITHOUT_CONTEXT:
            return range(start, start), range(start, bars.stop)
        if others and rng.random() < _OTHER_CLIP:
            other = pack.bars(others[int(rng.integers(len(others)))])
            first = other.start + int(rng.integers(max(len(other) - n_shown, 0) + 1))
            return self._cut(range(first, min(first + n_shown, other.stop))), range(start, bars.stop)
        n_shown = min(n_shown, len(bars) // 2)
        reach = start + int(np.count_nonzero(pack.lengths(start, bars.stop).cumsum() <= self.context))
        elsewhere = [*range(bars.start, start - n_shown + 1), *range(reach, bars.stop - n_shown + 1)]
        if elsewhere:
            first = elsewhere[int(rng.integers(len(elsewhere)))]
            return self._cut(range(first, first + n_shown)), range(start, bars.stop)
        # Too short to have both: it is shown its first bars or its last.
        if start - bars.start > len(bars) // 4:
            shown = range(bars.start, bars.start + n_shown)
            return self._cut(shown), range(max(start, shown.stop), bars.stop)
        return self._cut(range(bars.stop - n_shown, bars.stop)), range(start, bars.stop - n_shown)

    def _cut(self, shown: range) -> range:
        """As many of these bars as half of the sequence has room for."""
        lengths = self.pack.lengths(shown.start, shown.stop).cumsum()
        return shown[: int(np.count_nonzero(lengths <= self.context // 2))]

    def _start(self, bars: range, rng: np.random.Generator) -> int:
        """The first bar after the context."""
        draw = rng.random()
        if draw < _FROM_START:
            return bars.start
        if draw < _FROM_START + _TO_END:
            back = self.pack.lengths(bars.start, bars.stop)[::-1].cumsum()
            n_bars = int(np.count_nonzero(back < self.context * rng.uniform(0.3, 0.7)))
            return max(bars.stop - max(n_bars, _LEAST_BARS), bars.start)
        return bars.start + int(rng.integers(max(len(bars) - _LEAST_BARS, 1)))

    def _without(self, i: int, rng: np.random.Generator) -> frozenset[int]:
        """Columns of PLAYED_ROLES that are left out; somebody stays."""
        playing = np.flatnonzero(self.pack.programs[i] >= 0)
        if rng.random() >= _LEFT_OUT or len(playing) < 2:
            return frozenset()
        n_out = int(rng.integers(1, min(len(playing), 4)))
        return frozenset(rng.choice(playing, size=n_out, replace=False).tolist())
