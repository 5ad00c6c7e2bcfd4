"""The pattern notation: what each line of characters means, and laws that hold for every line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearrange.notation import SYMBOLS, Pattern, adapt, parse_pattern
from rearrange.score import Metre, Role

FOUR, THREE, SIX = Metre(4, 4), Metre(3, 4), Metre(6, 8)
METRES = (FOUR, THREE, SIX, Metre(2, 4), Metre(5, 4), Metre(7, 8), Metre(9, 8), Metre(12, 8), Metre(2, 2))


def heard(text: str, role: Role = Role.CHORDS, metre: Metre = FOUR) -> list[list[tuple[float, float, str]]]:
    """(onset, duration, symbol) of each step, bar by bar."""
    return steps_of(parse_pattern(text, role, metre))


def steps_of(pattern: Pattern) -> list[list[tuple[float, float, str]]]:
    return [[(round(s.onset_beat, 6), round(s.duration_beat, 6), s.symbol) for s in bar] for bar in pattern.bars]


def test_the_characters_of_a_group_share_its_beat() -> None:
    assert heard("x xx x.xx .") == [
        [(0, 1, "x"), (1, 0.5, "x"), (1.5, 0.5, "x"), (2, 0.25, "x"), (2.5, 0.25, "x"), (2.75, 0.25, "x")]
    ]
    assert heard(". . . ...X") == [[(3.75, 0.25, "X")]]
    triplet = heard("xxx . . .")[0]
    assert [onset for onset, _, _ in triplet] == pytest.approx([0, 1 / 3, 2 / 3])


def test_the_beat_of_a_compound_metre_is_a_dotted_quarter() -> None:
    assert heard("x.x x..", metre=SIX) == [[(0, 0.5, "x"), (1, 0.5, "x"), (1.5, 0.5, "x")]]
    assert len(heard("x x x x", metre=Metre(12, 8))[0]) == 4


def test_the_beat_of_seven_eight_is_an_eighth() -> None:
    assert heard("x . x . x . .", metre=Metre(7, 8)) == [[(0, 0.5, "x"), (1, 0.5, "x"), (2, 0.5, "x")]]


def test_a_hyphen_holds_over_beats_and_bar_lines() -> None:
    assert heard("x- -- .. x-") == [[(0, 2, "x"), (3, 1, "x")]]
    assert heard("x. .. .. .p | -- .x -- --") == [[(0, 0.5, "x"), (3.5, 1.5, "p")], [(1.5, 2.5, "x")]]


def test_a_note_can_be_held_through_bars_that_strike_nothing() -> None:
    assert heard("x- -- -- -- | -- -- -- -- | -- -- x- --") == [[(0, 10, "x")], [], [(2, 2, "x")]]


@pytest.mark.parametrize(
    "text", ["- x x x", "x . - x", "x x x . | - x x x", "x x x x | | - x x x", ". - x x", "x. -- .. .."]
)
def test_a_hyphen_after_a_rest_holds_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="'-' holds nothing"):
        parse_pattern(text, Role.CHORDS, FOUR)


def test_an_empty_bar_rests() -> None:
    assert heard("") == [[]]
    assert heard("x x x x | | x . . .") == [[(i, 1, "x") for i in range(4)], [], [(0, 1, "x")]]


def test_swing_leaves_triplets_and_compound_beats_alone() -> None:
    swings = [s.swings for s in parse_pattern("xx x.xx xxx xxxxxx", Role.CHORDS, FOUR).bars[0]]
    assert swings == [True] * 5 + [False] * 9
    assert not any(s.swings for s in parse_pattern("xxx x-x", Role.CHORDS, SIX).bars[0])


@pytest.mark.parametrize(
    ("text", "role", "metre", "complaint"),
    [
        ("x x x", Role.CHORDS, FOUR, "bar 1 has 3 beats, not the 4 of 4/4"),
        ("x x x x | x", Role.CHORDS, FOUR, "bar 2 has 1 beat, not the 4 of 4/4"),
        ("x x x", Role.CHORDS, SIX, "bar 1 has 3 beats, not the 2 of 6/8"),
        ("x x xz x", Role.CHORDS, FOUR, "bar 1, beat 3: 'z' is none of .-xXosp?"),
        ("1 . 2 .", Role.BASS, FOUR, "bar 1, beat 3: '2' is none of"),
        ("x - x .", Role.DRUMS, FOUR, "bar 1, beat 2: '-' is none of"),
        ("x . . . | x . xxxxxxxxx .", Role.PAD, FOUR, "bar 2, beat 3: more than 8 characters"),
    ],
)
def test_what_cannot_be_played_is_named_by_bar_and_beat(
    text: str, role: Role, metre: Metre, complaint: str
) -> None:
    with pytest.raises(ValueError) as caught:  # the text is compared as a whole, not as a regular expression
        parse_pattern(text, role, metre)
    assert str(caught.value).startswith(complaint)


def test_four_four_becomes_two_bars_of_six_eight() -> None:
    pattern = parse_pattern("1- -- 5. .a", Role.BASS, FOUR)
    assert steps_of(adapt(pattern, SIX)) == [[(0, 3, "1")], [(0, 1, "5"), (2.5, 0.5, "a")]]


def test_straight_eighths_become_long_and_short() -> None:
    shuffled = adapt(parse_pattern("xx xx", Role.CHORDS, Metre(2, 4)), SIX)
    assert steps_of(shuffled) == [[(0, 1, "x"), (1, 0.5, "x"), (1.5, 1, "x"), (2.5, 0.5, "x")]]
    assert not any(step.swings for step in shuffled.bars[0])


def test_six_eight_fills_a_bar_of_four_four_twice() -> None:
    pattern = parse_pattern("x.x x..", Role.CHORDS, SIX)
    assert [onset for onset, _, _ in steps_of(adapt(pattern, FOUR))[0]] == [0, 0.5, 1, 2, 2.5, 3]


def test_a_bar_is_cut_or_filled_up_with_its_last_beats() -> None:
    pattern = parse_pattern("x o X s", Role.CHORDS, FOUR)
    assert [symbol for _, _, symbol in steps_of(adapt(pattern, THREE))[0]] == ["x", "o", "X"]
    assert [symbol for _, _, symbol in steps_of(adapt(pattern, Metre(5, 4)))[0]] == ["x", "o", "X", "s", "s"]


def test_held_notes_stay_held_in_another_metre() -> None:
    whole = parse_pattern("x- -- -- -- | -- -- -- --", Role.PAD, FOUR)
    assert steps_of(adapt(whole, THREE)) == [[(0, 6, "x")], []]
    assert steps_of(adapt(whole, Metre(5, 4))) == [[(0, 10, "x")], []]
    assert steps_of(adapt(parse_pattern("1- -- 5- --", Role.BASS, FOUR), Metre(5, 4))) == [
        [(0, 2, "1"), (2, 3, "5")]
    ]


def beats_in(metre: Metre) -> int:
    return metre.numerator // 3 if metre.denominator == 8 and metre.numerator % 3 == 0 else metre.numerator


@st.composite
def patterns(draw: st.DrawFn) -> tuple[str, Role, Metre]:
    """A line of notation without mistakes, with its role and metre."""
    role = draw(st.sampled_from(sorted(SYMBOLS)))
    metre = draw(st.sampled_from(METRES))
    bars, sounding = [], False
    for _ in range(draw(st.integers(1, 4))):
        groups = []
        for _ in range(beats_in(metre)):
            group = ""
            for _ in range(draw(st.integers(1, 8))):
                symbol = draw(st.sampled_from([c for c in SYMBOLS[role] if sounding or c != "-"]))
                sounding = symbol != "." if symbol != "-" else sounding
                group += symbol
            groups.append(group)
        bars.append(" ".join(groups))
    return " | ".join(bars), role, metre


def check_bars(pattern: Pattern) -> None:
    """Each step starts inside its bar and sounds; none overlaps the next, nor outlasts the pattern."""
    length = pattern.metre.beats_per_bar
    onsets, ends = [], []
    for index, bar in enumerate(pattern.bars):
        for step in bar:
            assert -1e-6 <= step.onset_beat < length - 1e-6
            assert step.duration_beat > 0
            onsets.append(index * length + step.onset_beat)
            ends.append(onsets[-1] + step.duration_beat)
    assert all(end <= onset + 1e-5 for end, onset in zip(ends, onsets[1:], strict=False))
    assert all(end <= len(pattern.bars) * length + 1e-5 for end in ends)


@given(patterns())
def test_every_step_lies_inside_its_bar(line: tuple[str, Role, Metre]) -> None:
    text, role, metre = line
    pattern = parse_pattern(text, role, metre)
    assert len(pattern.bars) == text.count("|") + 1
    assert sum(len(bar) for bar in pattern.bars) == sum(c not in ".-| " for c in text)
    check_bars(pattern)


@given(patterns(), st.sampled_from(METRES))
def test_adapting_keeps_steps_inside_the_new_bar(line: tuple[str, Role, Metre], metre: Metre) -> None:
    pattern = parse_pattern(*line)
    adapted = adapt(pattern, metre)
    assert adapted.metre == metre
    assert len(adapted.bars) % len(pattern.bars) == 0
    check_bars(adapted)
    # What begins the first bar still begins it.
    if pattern.bars[0] and pattern.bars[0][0].onset_beat == 0:
        assert adapted.bars[0][0].symbol == pattern.bars[0][0].symbol
        assert adapted.bars[0][0].onset_beat == pytest.approx(0, abs=1e-6)


@given(patterns())
def test_adapting_to_its_own_metre_changes_nothing(line: tuple[str, Role, Metre]) -> None:
    pattern = parse_pattern(*line)
    assert adapt(pattern, line[2]) is pattern
