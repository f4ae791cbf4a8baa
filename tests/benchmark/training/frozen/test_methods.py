"""The methods by which a run may compute frozen layers, given a trial of the machine."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmark.training.frozen.methods import (
    BFLOAT16,
    FILTERED,
    KERAS,
    METHODS,
    MIN_SPEEDUP,
    TOLERANCE,
    PrefixMethod,
    PrefixTrial,
    allowed_methods,
)


def trial(
    filtered: float | None = None, bfloat16: float | None = None, differences: dict[PrefixMethod, float] | None = None
) -> PrefixTrial:
    """A trial with 20 images per second by Keras, and these speed-ups of the other methods."""
    speedups: dict[PrefixMethod, float] = {"keras": 1.0}
    speedups |= {} if filtered is None else {"filtered": filtered}
    speedups |= {} if bfloat16 is None else {"bfloat16": bfloat16}
    found: dict[PrefixMethod, float] = dict.fromkeys(speedups, 0.0)
    return PrefixTrial(
        rates={method: 20 * times for method, times in speedups.items()},
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
        (trial(1.4, 2.0, {"bfloat16": 0.1}), ["filtered", "keras"], ["filtered", "keras"]),  # inaccurate
        (trial(1.4, 2.0, {"bfloat16": math.inf}), ["filtered", "keras"], ["filtered", "keras"]),
        (trial(1.4, None, {"filtered": 0.01}), ["keras"], ["keras"]),
        (trial(), ["keras"], ["keras"]),
    ],
)
def test_a_method_is_preferred_if_it_is_clearly_faster_and_accurate(
    found: PrefixTrial, auto: list[str], float32: list[str]
) -> None:
    assert allowed_methods("auto", "auto", found).names == auto
    assert allowed_methods("float32", "auto", found).names == float32


@given(filtered=st.floats(0.1, 10), bfloat16=st.floats(0.1, 10))
def test_the_first_choice_is_never_slower_than_keras_and_float32_never_bfloat16(
    filtered: float, bfloat16: float
) -> None:
    found = trial(filtered, bfloat16)
    for precision in ("auto", "float32"):
        order = allowed_methods(precision, "auto", found).names  # type: ignore[arg-type]
        assert order[-1] == "keras"
        assert all(found.speedups[a] >= MIN_SPEEDUP * found.speedups[b] for a, b in pairwise(order))
        assert precision == "auto" or "bfloat16" not in order


@given(noise=st.tuples(*[st.floats(1 / 1.07, 1.07)] * 2))
def test_equally_fast_methods_leave_keras_despite_noise(noise: tuple[float, float]) -> None:
    assert allowed_methods("auto", "auto", trial(*noise)).names == ["keras"]


def test_a_protocol_forces_each_method() -> None:
    slow = trial(0.1, 0.1)
    assert allowed_methods("bfloat16", "auto", slow) == BFLOAT16
    for precision in ("auto", "float32"):
        assert allowed_methods(precision, "keras", trial(9.0, 9.0)) == KERAS  # type: ignore[arg-type]
        assert allowed_methods(precision, "filtered", slow) == FILTERED  # type: ignore[arg-type]


def test_without_a_trial_keras_computes_in_float32() -> None:
    for precision in ("auto", "float32"):
        assert allowed_methods(precision, "auto", None).names == ["keras"]  # type: ignore[arg-type]


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
def test_a_named_method_replaces_the_trial_if_the_protocol_allows_it(
    named: PrefixMethod, precision: str, order: list[str]
) -> None:
    assert allowed_methods(precision, "auto", named).names == order  # type: ignore[arg-type]


def test_the_reasons_contain_the_figures() -> None:
    (first, reason), *_ = allowed_methods("auto", "auto", trial(1.43)).order
    assert (first, "1.43 times" in reason, "28.6 against 20.0 images/s" in reason) == ("filtered", True, True)
    reason = allowed_methods("auto", "auto", trial(0.77, 9.0, {"bfloat16": 0.5})).order[0][1]
    assert "filtered: 0.77 times as fast" in reason
    assert "bfloat16: features differ by 0.5" in reason
    assert "bfloat16" not in allowed_methods("float32", "auto", trial(0.77, 9.0)).order[0][1]
    assert "filtered: could not be computed" in allowed_methods("float32", "auto", trial()).order[0][1]


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
def test_an_invalid_trial_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PrefixTrial.model_validate(damage)


def test_every_method_except_keras_has_a_tolerance() -> None:
    assert set(TOLERANCE) == set(METHODS) - {"keras"}
