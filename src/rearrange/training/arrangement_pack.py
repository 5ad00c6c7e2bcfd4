"""Arrangements as they are kept for training: the tokens of their bars, and what a header says of them.

Conventions: a pack is a few columns. `ids` holds the tokens of all bars one after the other, `bar_ends` where each
bar ends in them; arrangement i has the bars `firsts[i]` to `firsts[i + 1]`, all in one metre, and the i-th row of
every other column. Sequences are made of a pack when a batch is drawn (`arrangement_windows`).

A pack is one .npz whose columns are compressed with LZMA: a token takes about half a byte.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.errors import UsageError

__all__ = ["Pack", "joined", "read_pack", "write_pack"]


@dataclass(frozen=True, eq=False)
class Pack:
    """Arrangements.

    Parameters
    ----------
    ids : (n_tokens,) uint16
    bar_ends : (n_bars,) uint32, where each bar's tokens end
    onsets : (n_bars, roles) uint8, moments at which each of PLAYED_ROLES plays in a bar
    firsts : (n + 1,) uint32, the first bar of each arrangement; the last is the number of bars
    programs : (n, roles) int16, General MIDI; -1 for a role that does not play
    metres : (n, 2) uint8, numerator and denominator
    tempi_bpm : (n,) float32
    is_minor, begins, ends : (n,) bool; the last two say whether its first and last bars are the song's
    kinds, genres, styles, songs : (n,) text
    """

    ids: NDArray[np.uint16]
    bar_ends: NDArray[np.uint32]
    onsets: NDArray[np.uint8]
    firsts: NDArray[np.uint32]
    programs: NDArray[np.int16]
    metres: NDArray[np.uint8]
    tempi_bpm: NDArray[np.float32]
    is_minor: NDArray[np.bool_]
    begins: NDArray[np.bool_]
    ends: NDArray[np.bool_]
    kinds: NDArray[np.str_]
    genres: NDArray[np.str_]
    styles: NDArray[np.str_]
    songs: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.kinds)

    def bars(self, arrangement: int) -> range:
        """The bars of an arrangement."""
        return range(int(self.firsts[arrangement]), int(self.firsts[arrangement + 1]))

    def tokens(self, first: int, stop: int) -> NDArray[np.uint16]:
        """Tokens of some bars in a row."""
        start = int(self.bar_ends[first - 1]) if first else 0
        return self.ids[start : int(self.bar_ends[stop - 1])] if stop > first else self.ids[:0]

    def lengths(self, first: int, stop: int) -> NDArray[np.int64]:
        """How many tokens each of some bars has."""
        starts = self.bar_ends[first - 1 : stop - 1] if first else np.append(0, self.bar_ends[: stop - 1])
        return np.asarray(self.bar_ends[first:stop], dtype=np.int64) - np.asarray(starts, dtype=np.int64)


def joined(packs: Sequence[Pack]) -> Pack:
    """Packs one after the other.

    Raises
    ------
    UsageError : there is none.
    """
    if not packs:
        raise UsageError("there is no arrangement to pack")
    columns = {name: np.concatenate([getattr(pack, name) for pack in packs]) for name in _COLUMNS}
    n_ids = np.cumsum([0, *(len(pack.ids) for pack in packs)])
    n_bars = np.cumsum([0, *(len(pack.bar_ends) for pack in packs)])
    columns["bar_ends"] = np.concatenate(
        [
            pack.bar_ends.astype(np.uint32) + np.uint32(before)
            for pack, before in zip(packs, n_ids[:-1], strict=True)
        ]
    )
    firsts = [pack.firsts[:-1] + np.uint32(before) for pack, before in zip(packs, n_bars[:-1], strict=True)]
    columns["firsts"] = np.concatenate([*firsts, n_bars[-1:]]).astype(np.uint32)
    return Pack(**columns)


_COLUMNS = tuple(field.name for field in fields(Pack))


def write_pack(path: Path, pack: Pack, about: Mapping[str, str], *, small: bool = False) -> None:
    """Write a pack, under a temporary name first; the same pack gives the same file.

    Parameters
    ----------
    about : what it was made from; `read_pack` asks for the same
    small : compress as well as can be, which takes a while
    """
    partial = path.with_suffix(".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = zipfile.ZIP_LZMA if small else zipfile.ZIP_DEFLATED
    text = "\n".join(f"{name}: {value}" for name, value in sorted(about.items()))
    with zipfile.ZipFile(partial, "w", kind) as file:
        for name, column in (*((name, getattr(pack, name)) for name in _COLUMNS), ("about", np.array(text))):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(column), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), kind)
    partial.replace(path)


def read_pack(path: Path, about: Mapping[str, str] | None = None) -> Pack | None:
    """Read a pack; None where there is no such file, it is broken, or made from something else than `about`."""
    if not path.is_file():
        return None
    try:
        with np.load(path) as file:
            text = str(file["about"])
            if about is not None and text != "\n".join(f"{name}: {each}" for name, each in sorted(about.items())):
                return None
            return Pack(**{name: file[name] for name in _COLUMNS})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
