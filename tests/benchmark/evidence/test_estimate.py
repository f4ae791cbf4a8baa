"""Every estimate has value, bounds and reason under the same names."""

from __future__ import annotations

import dataclasses

import pytest

from benchmark.evidence.comparison.paired import Difference
from benchmark.evidence.diagnosis.subgroups import Rate
from benchmark.evidence.estimate import Estimate, SampleEstimate
from benchmark.evidence.intervals.seeds import SeedFigure
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.thresholds.choice import Threshold

ESTIMATES: list[Estimate] = [
    Figure("auc", 0.5, 0.4, 0.6, None, None),
    SeedFigure("auc", 0.5, 0.4, 0.6, None, None, 1, None, None),
    Difference("auc", 0.5, 0.4, 0.6),
    Rate("recall", 5, 10, 0.5, 0.4, 0.6, None),
    Threshold(0.5, "youden", None, 0.4, 0.6),
    SampleEstimate(0.5, 0.4, 0.6, 10),
]


@pytest.mark.parametrize("estimate", ESTIMATES, ids=lambda estimate: type(estimate).__name__)
def test_bounds_are_both_ends_or_none(estimate: Estimate) -> None:
    assert (estimate.value, estimate.bounds, estimate.reason) == (0.5, (0.4, 0.6), None)
    for end in ("low", "high"):
        assert dataclasses.replace(estimate, **{end: None}).bounds is None  # type: ignore[type-var]


def test_an_estimate_is_counted_on_the_images_of_its_sample() -> None:
    figure = Figure("auc", None, None, None, None, "one class is missing")
    assert SampleEstimate.of(figure, 40) == SampleEstimate.missing(40, "one class is missing")


@pytest.mark.parametrize(("low", "high", "n"), [(0.6, 0.4, 10), (0.4, 0.6, 0)])
def test_reversed_bounds_and_an_empty_sample_are_refused(low: float, high: float, n: int) -> None:
    with pytest.raises(ValueError, match=r"upside down|at least one image"):
        SampleEstimate(0.5, low, high, n)
