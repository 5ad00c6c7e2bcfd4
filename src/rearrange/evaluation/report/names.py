"""Names of instruments, and lists of them, as they stand in a sentence."""

from collections.abc import Sequence

from rearrange.general_midi import DRUM_KITS, PROGRAM_NAMES
from rearrange.score import Track

__all__ = ["instrument_name", "instrument_words", "listed"]

_KIT_WORDS = {DRUM_KITS["brush"]: "brushes"}


def instrument_name(track: Track) -> str:
    """ "alto sax", "brushes", "room kit"."""
    if not track.is_drum:
        return PROGRAM_NAMES[track.program].rstrip(" 12")  # "electric piano 1" is one of two sounds of it
    if track.program in _KIT_WORDS:
        return _KIT_WORDS[track.program]
    names = {number: name for name, number in DRUM_KITS.items()}
    return f"{names[track.program]} kit" if track.program in names else f"drum kit {track.program + 1}"


def instrument_words(played: Track, before: Track | None) -> str:
    """ "alto sax instead of flute"; the new one alone where the old is unknown; empty where they are the same."""
    new = instrument_name(played)
    if before is None:
        return new
    old = instrument_name(before)
    return "" if old == new else f"{new} instead of {old}"


def listed(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))
