"""The pattern notation of genre files: rhythm as a line of characters.

A pattern is one or more bars separated by `|`; a bar is its beats separated by spaces; a beat is 1 to 8
characters that divide it equally: `x.x.` is four sixteenths, `x.x` a triplet, `xx` two eighths, `x` a quarter.
In compound metres (6/8, 9/8, 12/8) a beat is the dotted quarter: `x..x..` or `x.x`.

    .       rest                      -   hold the note before
    x X o   hit, accented, soft       ?   optional: played more often when the music has more energy
    s       short stab                p   push: plays the chord that comes next
    1 3 5 … chord degree (bass: 1, 3, 4, 5, 6, 7, 8 = octave; arpeggio: nth note of the voicing from below)
    a       (bass) approach note to the next chord's root      w   (bass) walking note
    u d     (counter) a scale step up or down from the note before

A `-` at the start of a bar holds the last note of the bar before. An empty pattern rests for one bar.
Positions are written straight: swing is the groove's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rearrange.score import Metre, Role

__all__ = ["SYMBOLS", "Pattern", "Step", "adapt", "parse_pattern"]

_RHYTHM = ".-xXosp?"
SYMBOLS: Mapping[Role, str] = {
    Role.DRUMS: ".xXo?",
    Role.PERCUSSION: ".xXo?",
    Role.BASS: ".-13456789awp?xXo",
    Role.CHORDS: _RHYTHM,
    Role.PAD: _RHYTHM,
    Role.ARPEGGIO: ".-12345678p?",
    Role.COUNTER: _RHYTHM + "ud",
}
_MAX_STEPS_PER_BEAT = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One sounding character: where it stands in its pattern, and how long it is held.

    `swings` is False on triplet subdivisions, which swing must not move.
    """

    onset_beat: float
    duration_beat: float
    symbol: str
    swings: bool


@dataclass(frozen=True, slots=True)
class Pattern:
    """Parsed bars: `bars[i]` holds the steps of bar i, onsets relative to that bar."""

    bars: tuple[tuple[Step, ...], ...]
    metre: Metre


def parse_pattern(text: str, role: Role, metre: Metre) -> Pattern:
    """Read one line of pattern notation.

    Raises
    ------
    ValueError : a bar with the wrong number of beats, or a character that the role has not.
    """
    compound = metre.denominator == 8 and metre.numerator % 3 == 0
    beats_per_bar = metre.numerator // 3 if compound else metre.numerator
    beat_length = 1.5 if compound else 4 / metre.denominator
    allowed = SYMBOLS[role]
    bars: list[tuple[Step, ...]] = []
    for number, bar_text in enumerate(text.split("|"), start=1):
        groups = bar_text.split()
        if not groups:
            bars.append(())
            continue
        if len(groups) != beats_per_bar:
            raise ValueError(f"bar {number} has {len(groups)} beats, not the {beats_per_bar} of {metre}")
        steps, held_beat = _parse_bar(groups, beat_length, allowed, number)
        if held_beat and not (bars and bars[-1]):
            raise ValueError(f"bar {number}, beat 1: '-' holds nothing")
        if held_beat:  # a push at the end of a bar that sounds on into the next
            last = bars[-1][-1]
            longer = Step(last.onset_beat, last.duration_beat + held_beat, last.symbol, last.swings)
            bars[-1] = (*bars[-1][:-1], longer)
        bars.append(steps)
    return Pattern(tuple(bars), metre)


def _parse_bar(groups: list[str], beat_length: float, allowed: str, number: int) -> tuple[tuple[Step, ...], float]:
    """The steps of a bar, and for how many beats it first holds on to the bar before."""
    steps: list[Step] = []
    held_beat = 0.0
    sounding = True
    for beat, group in enumerate(groups):
        if len(group) > _MAX_STEPS_PER_BEAT:
            raise ValueError(f"bar {number}, beat {beat + 1}: more than {_MAX_STEPS_PER_BEAT} characters")
        length = beat_length / len(group)
        for i, symbol in enumerate(group):
            if symbol not in allowed:
                raise ValueError(f"bar {number}, beat {beat + 1}: {symbol!r} is none of {allowed}")
            if symbol == "-" and sounding and not steps:
                held_beat += length
            elif symbol == "-" and sounding:
                last = steps[-1]
                steps[-1] = Step(last.onset_beat, last.duration_beat + length, last.symbol, last.swings)
            elif symbol == "-":
                raise ValueError(f"bar {number}, beat {beat + 1}: '-' holds nothing")
            elif symbol == ".":
                sounding = False
            else:
                swings = beat_length == 1.0 and len(group) % 3 != 0
                steps.append(Step(beat * beat_length + i * length, length, symbol, swings))
                sounding = True
    return tuple(steps), held_beat


def adapt(pattern: Pattern, metre: Metre) -> Pattern:
    """A pattern for another metre than it was written in.

    Simple to simple metre: the bar is cut, or its last beats are repeated to fill it. To a compound metre:
    each beat becomes a dotted quarter, its eighths a long and a short one, and its sixteenths triplets.
    """
    if metre == pattern.metre:
        return pattern
    source = pattern.metre.beats_per_bar
    if _is_compound(pattern.metre) != _is_compound(metre):
        factor = 1.5 if _is_compound(metre) else 1 / 1.5
        bars = tuple(
            tuple(Step(_stretch(s.onset_beat, factor), s.duration_beat * factor, s.symbol, False) for s in bar)
            for bar in pattern.bars
        )
        source *= factor
    else:
        bars = pattern.bars
    return Pattern(tuple(_fit_bar(bar, source, metre.beats_per_bar) for bar in bars), metre)


def _is_compound(metre: Metre) -> bool:
    return metre.denominator == 8 and metre.numerator % 3 == 0


def _stretch(onset_beat: float, factor: float) -> float:
    """Move a position between simple and compound beats: half a beat falls on the third eighth of three."""
    unit = 1.0 if factor > 1 else 1.5
    beat, within = divmod(onset_beat + 1e-9, unit)
    fraction = within / unit
    knots = (0.0, 0.25, 0.5, 0.75, 1.0)
    triplets = (0.0, 1 / 3, 2 / 3, 5 / 6, 1.0)
    xs, ys = (knots, triplets) if factor > 1 else (triplets, knots)
    i = max(k for k in range(4) if xs[k] <= fraction + 1e-6)
    moved = ys[i] + (ys[i + 1] - ys[i]) * (fraction - xs[i]) / (xs[i + 1] - xs[i])
    return (beat + moved) * unit * factor


def _fit_bar(bar: tuple[Step, ...], source: float, target: float) -> tuple[Step, ...]:
    kept = [
        Step(s.onset_beat, min(s.duration_beat, target - s.onset_beat), s.symbol, s.swings)
        for s in bar
        if s.onset_beat < target - 1e-6
    ]
    extra = target - source
    while extra > 1e-6:  # repeat the bar's tail, at most one bar of it at a time
        take = min(extra, source)
        base = target - extra
        kept += [
            Step(base + s.onset_beat - (source - take), s.duration_beat, s.symbol, s.swings)
            for s in bar
            if s.onset_beat >= source - take - 1e-6
        ]
        extra -= take
    return tuple(kept)
