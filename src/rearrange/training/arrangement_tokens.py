"""Examples as packs of tokens, and what is done to tokens of a pack before they are shown.

Conventions: a pack's arrangement is a stretch of bars in one metre; a song that changes its metre gives several.
A stretch that no token can say is left out.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from rearrange.arranger.header import Header, Player, encode_header
from rearrange.arranger.tokens import encode, onset_counts
from rearrange.arranger.vocabulary import ID, PLAYED_ROLES, VOCABULARY
from rearrange.genre import genre_names
from rearrange.score import Metre, Role
from rearrange.training.arrangement_examples import Example
from rearrange.training.arrangement_pack import Pack, joined

__all__ = ["VERSION", "header_ids", "packed", "without_roles"]

VERSION = 1  # of what a pack holds; another one is prepared anew

_LEAST_BARS = 4
_MOST_BAR_TOKENS = 700  # a bar that has more leaves no room for another
_BAR = ID["Bar_None"]
_TRACKS = {ID[f"Track_{role.value}"]: column for column, role in enumerate(PLAYED_ROLES)}
_COLUMN = np.full(len(VOCABULARY), -1, dtype=np.int16)
_COLUMN[list(_TRACKS)] = list(_TRACKS.values())
_IS_MARK = (_COLUMN >= 0) | (np.arange(len(_COLUMN)) == _BAR)


def header_ids(
    genre: str, metre: Metre, tempo_bpm: float, *, is_minor: bool, players: Mapping[Role, Player]
) -> list[int]:
    """Words of a header.

    Parameters
    ----------
    genre : its slot is its place among `genre_names()`; empty for none
    """
    slot = genre_names().index(genre) if genre else None
    return encode_header(Header(slot, metre, tempo_bpm, "minor" if is_minor else "major", players))


def packed(examples: Sequence[Example]) -> Pack:
    """The tokens of arrangements; a pack without any where no token can say them."""
    packs = [pack for example in examples for pack in _stretches(example)]
    return joined(packs) if packs else _nothing()


def _stretches(example: Example) -> list[Pack]:
    found = []
    bars = example.chart.bars
    for _, run in groupby(range(len(bars)), key=lambda index: bars[index].metre):
        stretch = list(run)
        if len(stretch) >= min(_LEAST_BARS, len(bars)):
            pack = _stretch(example, range(stretch[0], stretch[-1] + 1))
            found += [pack] if pack is not None else []
    return found


def _stretch(example: Example, bars: range) -> Pack | None:
    metre = example.chart.bars[bars[0]].metre
    players = {track.role: track.program for track in example.tracks if track.notes}
    try:
        encode_header(Header(None, metre, example.timeline.mean_tempo_bpm, example.key.mode))
        written = encode(example.chart, example.tracks, key=example.key, chords=example.chords, bars=bars)
    except ValueError:
        return None  # a bar that is too long, or a metre without a word
    lengths = [len(bar) for bar in written]
    if max(lengths) > _MOST_BAR_TOKENS:
        return None
    ids = np.array([word for bar in written for word in bar], dtype=np.uint16)
    bar_ends = np.cumsum(lengths).astype(np.uint32)
    return Pack(
        ids=ids,
        bar_ends=bar_ends,
        onsets=_onsets(written),
        firsts=np.array([0, len(bars)], dtype=np.uint32),
        programs=np.array([[players.get(role, -1) for role in PLAYED_ROLES]], dtype=np.int16),
        metres=np.array([[metre.numerator, metre.denominator]], dtype=np.uint8),
        tempi_bpm=np.array([example.timeline.mean_tempo_bpm], dtype=np.float32),
        is_minor=np.array([example.key.mode == "minor"]),
        begins=np.array([bars.start == 0]),
        ends=np.array([bars.stop == len(example.chart.bars)]),
        kinds=np.array([example.kind]),
        genres=np.array([example.genre]),
        styles=np.array([example.style]),
        songs=np.array([example.song]),
    )


def _nothing() -> Pack:
    text, flag = np.zeros(0, dtype="<U1"), np.zeros(0, dtype=np.bool_)
    return Pack(
        ids=np.zeros(0, dtype=np.uint16),
        bar_ends=np.zeros(0, dtype=np.uint32),
        onsets=np.zeros((0, len(PLAYED_ROLES)), dtype=np.uint8),
        firsts=np.zeros(1, dtype=np.uint32),
        programs=np.zeros((0, len(PLAYED_ROLES)), dtype=np.int16),
        metres=np.zeros((0, 2), dtype=np.uint8),
        tempi_bpm=np.zeros(0, dtype=np.float32),
        is_minor=flag,
        begins=flag,
        ends=flag,
        kinds=text,
        genres=text,
        styles=text,
        songs=text,
    )


def _owners(ids: NDArray[np.uint16]) -> NDArray[np.int64]:
    """The column of the role that each token of some bars belongs to; -1 for a chart's."""
    marks = np.flatnonzero(_IS_MARK[ids])
    last = np.searchsorted(marks, np.arange(len(ids)), side="right") - 1
    owner = np.append(_COLUMN[ids[marks]], -1)[last]  # what comes before any mark has the -1 at the end
    return np.asarray(owner, dtype=np.int64)


def _onsets(bars: Sequence[Sequence[int]]) -> NDArray[np.uint8]:
    """Moments at which each of PLAYED_ROLES plays in each bar."""
    counts = [[found.get(role, 0) for role in PLAYED_ROLES] for found in map(onset_counts, bars)]
    return np.asarray(np.minimum(counts, 255), dtype=np.uint8)


def without_roles(ids: NDArray[np.uint16], columns: frozenset[int]) -> NDArray[np.uint16]:
    """Bars without the parts of some of PLAYED_ROLES, which are given by their columns."""
    if not columns or not len(ids):
        return ids
    return ids[~np.isin(_owners(ids), list(columns))]
