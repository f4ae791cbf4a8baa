"""Which way of computing frozen layers a run may take, given what a trial of the machine found."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmark.training.frozen.methods import BFLOAT16, CLEARLY, FILTERED, KERAS, TOLERANCE, WAYS, Trial, Way, ways_of


def trial(
    filtered: float | None = None, bfloat16: float | None = None, differences: dict[Way, float] | None = None
) -> Trial:
    """A trial in which Keras makes 20 images a second and the others so many times as many."""
    speedups: dict[Way, float] = {"keras": 1.0}
    speedups |= {} if filtered is None else {"filtered": filtered}
    speedups |= {} if bfloat16 is None else {"bfloat16": bfloat16}
    found: dict[Way, float] = dict.fromkeys(speedups, 0.0)
    return Trial(
        rates={way: 20 * times for way, times in speedups.items()},
        speedups=speedups,
        differences=found | (differences or {}),
    )


@pytest.mark.parametrize(
    ("found", "auto", "float32"),
    [
        (trial(1.7, 1.1), ["filtered", "keras"], ["filtered", "keras"]),
        (trial(0.77, 0.56), ["keras"], ["keras"]),
        (trial(1.4, 2.0), ["bfloat16", "filtered", "keras"], ["filtered", "keras"]),
        (trial(1.4, 1.5), ["filtered", "keras"], ["filtered", "keras"]),  # bfloat16 is not clearly faster
        (trial(1.05, 2.0), ["bfloat16", "keras"], ["keras"]),
        (trial(None, 2.0), ["bfloat16", "keras"], ["keras"]),
        (trial(1.4, 2.0, {"bfloat16": 0.1}), ["filtered", "keras"], ["filtered", "keras"]),  # too far from float32
        (trial(1.4, 2.0, {"bfloat16": math.inf}), ["filtered", "keras"], ["filtered", "keras"]),
        (trial(1.4, None, {"filtered": 0.01}), ["keras"], ["keras"]),
        (trial(), ["keras"], ["keras"]),
    ],
)
def test_another_way_is_taken_where_it_is_clearly_faster_and_near(
    found: Trial, auto: list[str], float32: list[str]
) -> None:
    assert ways_of("auto", "auto", found).names == auto
    assert ways_of("float32", "auto", found).names == float32


@given(filtered=st.floats(0.1, 10), bfloat16=st.floats(0.1, 10))
def test_the_first_choice_is_never_slower_than_keras_and_float32_never_bfloat16(
    filtered: float, bfloat16: float
) -> None:
    found = trial(filtered, bfloat16)
    for precision in ("auto", "float32"):
        order = ways_of(precision, "auto", found).names  # type: ignore[arg-type]
        assert order[-1] == "keras"
        assert all(found.speedups[a] >= CLEARLY * found.speedups[b] for a, b in pairwise(order))
        assert precision == "auto" or "bfloat16" not in order


@given(noise=st.tuples(*[st.floats(1 / 1.07, 1.07)] * 2))
def test_ways_that_are_equally_fast_leave_it_to_keras_whatever_the_noise(noise: tuple[float, float]) -> None:
    assert ways_of("auto", "auto", trial(*noise)).names == ["keras"]


def test_a_protocol_forces_each_way() -> None:
    slow = trial(0.1, 0.1)
    assert ways_of("bfloat16", "auto", slow) == BFLOAT16
    for precision in ("auto", "float32"):
        assert ways_of(precision, "keras", trial(9.0, 9.0)) == KERAS  # type: ignore[arg-type]
        assert ways_of(precision, "filtered", slow) == FILTERED  # type: ignore[arg-type]


def test_without_a_trial_keras_computes_in_float32() -> None:
    for precision in ("auto", "float32"):
        assert ways_of(precision, "auto", None).names == ["keras"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("named", "precision", "order"),
    [
        ("keras", "auto", ["keras"]),
        ("filtered", "auto", ["filtered", "keras"]),
        ("filtered", "float32", ["filtered", "keras"]),
        ("bfloat16", "auto", ["bfloat16", "keras"]),
        ("bfloat16", "float32", ["keras"]),
    ],
)
def test_a_named_way_stands_for_the_trial_within_what_the_protocol_allows(
    named: Way, precision: str, order: list[str]
) -> None:
    assert ways_of(precision, "auto", named).names == order  # type: ignore[arg-type]


def test_the_reasons_hold_the_figures() -> None:
    (first, why), *_ = ways_of("auto", "auto", trial(1.43)).order
    assert (first, "1.43 times" in why, "28.6 against 20.0 images/s" in why) == ("filtered", True, True)
    told = ways_of("auto", "auto", trial(0.77, 9.0, {"bfloat16": 0.5})).order[0][1]
    assert "filtered: 0.77 times as fast" in told
    assert "bfloat16: features differ by 0.5" in told
    assert "bfloat16" not in ways_of("float32", "auto", trial(0.77, 9.0)).order[0][1]
    assert "filtered: could not be computed" in ways_of("float32", "auto", trial()).order[0][1]


@pytest.mark.parametrize(
    "damage",
    [
        {},
        {"rates": {}, "speedups": {}, "differences": {}},
        {"rates": {"keras": 1.0}, "speedups": {"keras": 1.0, "filtered": 2.0}, "differences": {"keras": 0.0}},
        {"rates": {"keras": -1.0}, "speedups": {"keras": 1.0}, "differences": {"keras": 0.0}},
        {"rates": {"keras": 1.0}, "speedups": {"keras": "fast"}, "differences": {"keras": 0.0}},
        {
            "rates": {"keras": 1.0, "gpu": 1},
            "speedups": {"keras": 1.0, "gpu": 1},
            "differences": {"keras": 0, "gpu": 0},
        },
    ],
)
def test_what_is_no_trial_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Trial.model_validate(damage)


def test_every_way_but_keras_has_a_tolerance() -> None:
    assert set(TOLERANCE) == set(WAYS) - {"keras"}
