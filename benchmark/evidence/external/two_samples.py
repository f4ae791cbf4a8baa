"""Figures of one model on two independent sets of images."""

from __future__ import annotations

from benchmark.evidence.intervals.formulas import mover
from benchmark.evidence.metrics.registry import Figure

INDEPENDENT = "square-and-add, independent images"
"""The method of the interval."""


def independent_difference(outside: Figure, test: Figure | None) -> Figure:
    """Return the figure on images from elsewhere minus that on the test images of the run.

    The images of both are independent, so the squares of the distances to the ends of both intervals add up (MOVER, Zou
    and Donner 2008; for proportions Newcombe 1998).

    Args:
        outside: The figure on images from elsewhere.
        test: The figure on the test images of the run; None where it was not recorded.

    Returns:
        The difference; without a value or an interval, with the reason, where one of both lacks it.
    """
    if test is None:
        return Figure.missing(outside.metric, "the run has no such test figure")
    if outside.value is None or test.value is None:
        reason = outside.reason if outside.value is None else test.reason
        return Figure.missing(outside.metric, reason or "it is undefined")
    value = outside.value - test.value
    if outside.bounds is None or test.bounds is None:
        reason = outside.reason if outside.bounds is None else test.reason
        return Figure(outside.metric, value, reason=reason or "a figure has no interval")
    low, high = mover((outside.value, test.value), outside.bounds, test.bounds, 0.0)
    caution = outside.caution or test.caution
    return Figure(outside.metric, value, low, high, INDEPENDENT, caution=caution)
