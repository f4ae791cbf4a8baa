"""Figures as text: missing is a dash, counts are whole, differences carry their sign."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.evidence import Figure
from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.thresholds.choice import Threshold
from reports.results.comparison.published import Comparison, difference_text, published_text
from reports.text import (
    MISSING,
    capital,
    estimate,
    interval,
    listed,
    measured,
    number,
    p_text,
    plural,
    probability,
    seconds,
    threshold,
)
from zoo.models.published import PublishedFigure


def figure(metric: str = "accuracy", value: float | None = 0.8, bounds: tuple[float, float] | None = None) -> Figure:
    low, high = bounds or (None, None)
    return Figure(metric, value, low, high, "Wilson" if bounds else None, None)


def comparison(metric: str = "accuracy", value: float = 0.5, decimals: int = 4, **more: Any) -> Comparison:
    published = PublishedFigure(
        metric=metric, value=value, upper=more.pop("upper", None), split="test", decimals=decimals, location="a table"
    )
    fields: dict[str, Any] = {
        "card": "attempt-1",
        "seeds": (0,),
        "published": published,
        "published_interval": None,
        "measured": SampleEstimate.missing(1, "not run"),
        "difference": SampleEstimate(more.pop("difference", None), *more.pop("bounds", (None, None)), 1, None),
        "other_data": True,
        "note": None,
    }
    return Comparison(**{**fields, **more})


def test_missing_is_a_dash_that_holds_no_digit() -> None:
    shown = [number(None), measured(None), measured(figure(value=None)), difference_text(comparison())]
    assert shown == [MISSING] * 4
    assert not any(character.isdigit() for character in MISSING)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, MISSING),
        (0.0, "0.000"),
        (1.0, "1.000"),
        (0.4150001, "0.415"),
        (0.0004019, "0.00040"),
        (0.012, "0.012"),
        (0.0014, "0.0014"),
        (0.9996, "0.99960"),
        (2.34e-9, "2.3e-09"),
        (1 - 1e-9, ">0.999999"),
    ],
)
def test_a_probability_near_0_or_1_has_significant_digits(value: float | None, text: str) -> None:
    assert probability(value) == text


def test_a_threshold_has_significant_digits_and_a_figure_three_decimals() -> None:
    assert threshold(Threshold(0.0004019, "sensitivity", None, 2e-7, 0.577)) == "0.00040 [2.0e-07, 0.577]"
    assert estimate(figure("recall", 0.9857, (0.921, 0.9974))) == "0.986 [0.921, 0.997]"


def test_zero_is_shown_as_zero() -> None:
    assert number(0.0) == "0.000"
    assert measured(figure(value=0.0)) == "0.000"
    assert difference_text(comparison(difference=0.0)) == "+0.000"


@pytest.mark.parametrize(
    ("value", "decimals", "text"), [(0.12345, 3, "0.123"), (24.3714, 1, "24.4"), (131.0, 0, "131")]
)
def test_a_number_has_the_decimals_asked_for(value: float, decimals: int, text: str) -> None:
    assert number(value, decimals) == text


def test_an_interval_stands_in_brackets_and_is_empty_when_there_is_none() -> None:
    assert interval((0.7, 0.8254)) == "[0.700, 0.825]"
    assert interval((-0.1, 0.2), sign=True) == "[-0.100, +0.200]"
    assert interval((0.7, 0.8254), decimals=1) == "[0.7, 0.8]"
    assert interval(None) == ""


def test_a_measured_figure_shows_its_interval_only_when_asked_and_when_it_has_one() -> None:
    whole = figure(bounds=(0.7, 0.9))
    assert measured(whole) == "0.800"
    assert measured(whole, with_interval=True) == "0.800 [0.700, 0.900]"
    assert measured(figure(), with_interval=True) == "0.800"


@pytest.mark.parametrize(
    ("value", "bounds", "sign", "text"),
    [
        (0.8, (0.7, 0.9), False, "0.80 [0.70, 0.90]"),
        (0.8, (0.7, 0.9), True, "+0.80 [+0.70, +0.90]"),
        (-0.8, None, True, "-0.80"),
        (None, None, False, MISSING),
    ],
)
def test_an_estimate_is_its_value_and_its_interval(
    value: float | None, bounds: tuple[float, float] | None, sign: bool, text: str
) -> None:
    low, high = bounds or (None, None)
    for estimated in (figure(value=value, bounds=bounds), SampleEstimate(value, low, high, 1)):
        assert estimate(estimated, 2, sign) == text


def test_no_estimate_is_a_dash() -> None:
    assert estimate(None) == MISSING


@pytest.mark.parametrize("metric", ["true_positives", "false_positives", "true_negatives", "false_negatives"])
def test_counts_are_whole_numbers(metric: str) -> None:
    assert measured(figure(metric, 131.0)) == "131"
    assert published_text(comparison(metric, 131, decimals=0)) == "131"
    assert difference_text(comparison(metric, 131, decimals=0, difference=-52.0)) == "-52"


@pytest.mark.parametrize(("value", "decimals", "text"), [(0.5, 4, "0.5000"), (0.934, 4, "0.9340"), (0.3, 1, "0.3")])
def test_a_published_figure_keeps_the_decimals_it_was_printed_with(value: float, decimals: int, text: str) -> None:
    assert published_text(comparison(value=value, decimals=decimals)) == text


def test_a_published_range_shows_both_ends() -> None:
    assert published_text(comparison(value=0.4013, upper=0.4727)) == "0.4013–0.4727"


def test_no_published_figure_is_an_empty_cell() -> None:
    assert published_text(None) == ""
    assert difference_text(None) == ""


def test_a_difference_carries_its_sign_and_its_interval() -> None:
    found = comparison(difference=0.27, bounds=(-0.01, 0.34))
    assert difference_text(found) == "+0.270 [-0.010, +0.340]"
    assert difference_text(comparison(difference=-0.06)) == "-0.060"


@pytest.mark.parametrize(("value", "text"), [(0.2, "0 s"), (42.4, "42 s"), (90.0, "90 s"), (150.0, "2.5 min")])
def test_a_duration_is_in_seconds_and_from_some_length_in_minutes(value: float, text: str) -> None:
    assert seconds(value) == text


def test_what_rounds_to_zero_has_no_minus() -> None:
    assert number(-0.0002) == "0.000"
    assert number(-0.4, 0) == "0"
    assert difference_text(comparison(difference=-0.0002)) == "+0.000"
    assert interval((-0.0001, 0.0001), sign=True) == "[+0.000, +0.000]"


@pytest.mark.parametrize(
    ("value", "text"), [(None, MISSING), (0.0, "<.001"), (0.0009, "<.001"), (0.0012, "0.001"), (1.0, "1.000")]
)
def test_a_p_value_has_three_decimals_and_is_never_zero(value: float | None, text: str) -> None:
    assert p_text(value) == text


def test_lists_counts_and_sentences_are_english() -> None:
    assert [plural(count, "seed") for count in (0, 1, 2)] == ["0 seeds", "1 seed", "2 seeds"]
    assert [listed("abc"[:count]) for count in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
    assert capital("test AUC") == "Test AUC"
