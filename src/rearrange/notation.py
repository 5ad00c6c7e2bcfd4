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

A `-` at the start of a bar holds on to what sounds at the end of the bar before. An empty pattern rests for
one bar. Positions are written straight: swing is the groove's business.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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
_SAME_BEAT = 1e-6  # positions nearer than this are the same


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
    compound = _is_compound(metre)
    beats_per_bar = metre.numerator // 3 if compound else metre.numerator
    beat_length = 1.5 if compound else 4 / metre.denominator
    bars: list[list[Step]] = []
    sounding: list[Step] | None = None  # the bar whose last step still sounds
    for number, bar_text in enumerate(text.split("|"), start=1):
        groups = bar_text.split()
        bars.append([])
        if not groups:
            sounding = None
            continue
        if len(groups) != beats_per_bar:
            beats = "1 beat" if len(groups) == 1 else f"{len(groups)} beats"
            raise ValueError(f"bar {number} has {beats}, not the {beats_per_bar} of {metre}")
        for beat, group in enumerate(groups):
            try:
                sounding = _parse_beat(
                    group,
                    bars[-1],
                    sounding,
                    onset_beat=beat * beat_length,
                    beat_length=beat_length,
                    allowed=SYMBOLS[role],
                )
            except ValueError as exc:
                raise ValueError(f"bar {number}, beat {beat + 1}: {exc}") from None
    return Pattern(tuple(tuple(steps) for steps in bars), metre)


def _parse_beat(
    group: str,
    steps: list[Step],
    sounding: list[Step] | None,
    *,
    onset_beat: float,
    beat_length: float,
    allowed: str,
) -> list[Step] | None:
    """Add a beat's steps to its bar; `sounding`, before and after, is the bar whose last step still sounds."""
    if len(group) > _MAX_STEPS_PER_BEAT:
        raise ValueError(f"more than {_MAX_STEPS_PER_BEAT} characters")
    length = beat_length / len(group)
    for i, symbol in enumerate(group):
        if symbol not in allowed:
            raise ValueError(f"{symbol!r} is none of {allowed}")
        if symbol == "-":
            if sounding is None:
                raise ValueError("'-' holds nothing")
            sounding[-1] = replace(sounding[-1], duration_beat=sounding[-1].duration_beat + length)
        elif symbol == ".":
            sounding = None
        else:
            swings = beat_length == 1.0 and len(group) % 3 != 0
            steps.append(Step(onset_beat + i * length, length, symbol, swings))
            sounding = steps
    return sounding


def adapt(pattern: Pattern, metre: Metre) -> Pattern:
    """A pattern for another metre than it was written in.

    Between simple and compound metres each beat becomes a dotted quarter and back: its eighths a long and a short
    one, its sixteenths triplets. Then a bar that holds two or more of the new ones is divided into them (4/4 is
    two bars of 6/8, or of 2/4); another is cut, or its last beats are repeated to fill the bar. Every step starts
    inside its new bar; only a step that was held over its bar line, or over a dividing line, rings past it.
    """
    if metre == pattern.metre:
        return pattern
    source, target = pattern.metre.beats_per_bar, metre.beats_per_bar
    bars = pattern.bars
    if _is_compound(pattern.metre) != _is_compound(metre):
        factor = 1.5 if _is_compound(metre) else 1 / 1.5
        source = _stretch(source, factor)
        bars = tuple(tuple(_stretched(step, factor) for step in bar) for bar in bars)
    pieces = round(source / target)
    if pieces >= 2 and abs(pieces * target - source) < _SAME_BEAT:
        return Pattern(tuple(part for bar in bars for part in _divided(bar, pieces, target)), metre)
    return Pattern(_one_after_another([_fitted(bar, source, target) for bar in bars], target), metre)


def _is_compound(metre: Metre) -> bool:
    return metre.denominator == 8 and metre.numerator % 3 == 0


def _stretched(step: Step, factor: float) -> Step:
    onset = _stretch(step.onset_beat, factor)
    return Step(onset, _stretch(step.onset_beat + step.duration_beat, factor) - onset, step.symbol, False)


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


def _divided(bar: tuple[Step, ...], pieces: int, length: float) -> Iterator[tuple[Step, ...]]:
    for i in range(pieces):
        start = i * length
        yield tuple(
            replace(step, onset_beat=max(step.onset_beat - start, 0.0))
            for step in bar
            if start - _SAME_BEAT <= step.onset_beat < start + length - _SAME_BEAT
        )


def _fitted(bar: tuple[Step, ...], source: float, target: float) -> tuple[Step, ...]:
    """A bar of `source` beats cut to `target`, or filled up with its own tail, as often as it takes."""
    if not bar:
        return ()
    body = [replace(step, duration_beat=min(step.duration_beat, source - step.onset_beat)) for step in bar]
    held_over = bar[-1].duration_beat - body[-1].duration_beat
    kept = [
        replace(step, duration_beat=min(step.duration_beat, target - step.onset_beat))
        for step in body
        if step.onset_beat < target - _SAME_BEAT
    ]
    filled = source
    while target - filled > _SAME_BEAT:
        take = min(target - filled, source)
        shift = filled - (source - take)
        held_in = [s for s in body if s.onset_beat < source - take - _SAME_BEAT and _end(s) > source - take]
        if held_in and abs(_end(kept[-1]) - filled) < _SAME_BEAT:
            kept[-1] = replace(kept[-1], duration_beat=_end(held_in[-1]) + shift - kept[-1].onset_beat)
        tail = [s for s in body if s.onset_beat >= source - take - _SAME_BEAT]
        kept += [replace(s, onset_beat=s.onset_beat + shift) for s in tail]
        filled += take
    if held_over > _SAME_BEAT and kept and bar[-1].onset_beat < target - _SAME_BEAT:
        bars, beats = divmod(held_over + _SAME_BEAT, source)
        ring = bars * target + min(beats, target)
        kept[-1] = replace(kept[-1], duration_beat=kept[-1].duration_beat + ring)
    return tuple(kept)


def _one_after_another(bars: Sequence[tuple[Step, ...]], length: float) -> tuple[tuple[Step, ...], ...]:
    """End each step where the next begins, and the last with the pattern: bars that were filled up may not fit."""
    following = len(bars) * length
    ended: list[tuple[Step, ...]] = []
    for index in reversed(range(len(bars))):
        steps: list[Step] = []
        for step in reversed(bars[index]):
            onset = index * length + step.onset_beat
            steps.append(replace(step, duration_beat=min(step.duration_beat, following - onset)))
            following = onset
        ended.append(tuple(reversed(steps)))
    return tuple(reversed(ended))


def _end(step: Step) -> float:
    return step.onset_beat + step.duration_beat
