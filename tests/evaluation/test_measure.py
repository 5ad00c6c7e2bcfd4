"""A cell holds a figure or says why not."""

import pytest

from rearrange.evaluation.measure import Measure, NotMeasurable, measured


def void() -> float:
    raise NotMeasurable("no beats annotated")


def test_a_figure_is_kept() -> None:
    assert measured(lambda x: x / 2, 1.0) == Measure(0.5)


def test_a_void_question_says_why() -> None:
    assert measured(void) == Measure(None, "no beats annotated")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_a_number_is_no_figure(value: float) -> None:
    cell = measured(lambda: value)
    assert cell.value is None
    assert "finite" in cell.reason


def test_a_mistake_in_a_metric_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        measured(lambda: 1 / 0)
