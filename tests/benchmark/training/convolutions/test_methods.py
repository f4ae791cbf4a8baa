"""Which method of convolutions a run uses, and what is said about it."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from benchmark.training.convolutions.methods import ConvolutionTrial, chosen_convolutions


def trial(direct: float = 2.0, filtered: float = 1.0, difference: float = 1e-6) -> ConvolutionTrial:
    return ConvolutionTrial(direct=direct, filtered=filtered, difference=difference)


def test_clearly_faster_filtering_is_used() -> None:
    chosen = chosen_convolutions("auto", trial())
    assert chosen.method == "filtered"
    assert chosen.reason == "2.00 times as fast as direct convolutions in a trial of this machine"


@pytest.mark.parametrize("filtered", [1.9, 2.0, 4.0])
def test_filtering_that_is_not_clearly_faster_is_not_used(filtered: float) -> None:
    chosen = chosen_convolutions("auto", trial(filtered=filtered))
    assert chosen.method == "direct"
    assert chosen.reason.startswith(f"filtered ones are {2 / filtered:.2f} times as fast")


@pytest.mark.parametrize("difference", [1e-3, 1e9])
def test_filtering_that_differs_is_not_used(difference: float) -> None:
    chosen = chosen_convolutions("auto", trial(difference=difference))
    assert chosen.method == "direct"
    assert chosen.reason.startswith("filtered results differ by")


def test_a_protocol_that_names_a_method_decides() -> None:
    assert chosen_convolutions("direct", trial()).method == "direct"
    assert chosen_convolutions("filtered", trial(filtered=4)).method == "filtered"
    assert chosen_convolutions("filtered", None).reason == "asked for"


def test_without_a_trial_convolutions_are_direct() -> None:
    assert chosen_convolutions("auto", None).method == "direct"


def test_the_variable_is_named_as_the_reason() -> None:
    chosen = chosen_convolutions("auto", "filtered")
    assert (chosen.method, chosen.reason) == ("filtered", "ZOO_CONVOLUTIONS names filtered")


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan])
def test_a_trial_that_took_no_time_is_damaged(seconds: float) -> None:
    with pytest.raises(ValidationError):
        trial(filtered=seconds)
