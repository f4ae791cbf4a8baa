"""Checks of printed intervals and standard deviations."""

from __future__ import annotations

import math
from collections.abc import Iterator

import scipy

from benchmark.evidence.intervals.formulas import wilson
from benchmark.evidence.metrics.printed import is_count, is_of_counts, range_of_counts, ratio_of
from benchmark.evidence.published.feasible import Range
from reports.audit.figures import AuditFinding, FigureSet, cite, figure_range, named
from reports.claims.printed import TestSet
from reports.text import capital
from zoo.models.published import PublishedFigure

_Z = 1.959964
_NARROW, _WIDE = 0.8, 1.25  # intervals within these multiples of the usual ones are as expected


def uncertainty_findings(figure_set: FigureSet, test: TestSet | None) -> Iterator[AuditFinding]:
    """Check the printed intervals and standard deviations of a row.

    Args:
        figure_set: The figures of one split and moment.
        test: The test set behind them; None where it is not known.

    Yields:
        A contradiction where a figure is outside of its interval or a standard deviation is larger than values in its
        range can have; a note where an interval belongs to another number of images than the test set has.
    """
    for figure in figure_set.figures:
        if figure.low is not None and figure.high is not None:
            yield from _interval(figure_set, figure, (figure.low, figure.high), test)
        if figure.sd is not None:
            yield from _deviation(figure_set, figure, figure.sd)


def _interval(
    figure_set: FigureSet, figure: PublishedFigure, printed: Range, test: TestSet | None
) -> Iterator[AuditFinding]:
    text = f"[{printed[0]:.{figure.decimals}f}, {printed[1]:.{figure.decimals}f}]"
    low, high = figure_range(figure, "either")
    unit = 10.0**-figure.decimals
    if high < printed[0] - unit or low > printed[1] + unit:
        yield figure_set.finding(
            "interval",
            "contradiction",
            (cite(figure),),
            f"{capital(named(figure))} is outside its printed interval {text}.",
            "A confidence interval includes its estimate.",
        )
        return
    ratio = ratio_of(figure.metric)
    n = None if ratio is None else _images(ratio.population, test)
    if n is None or figure_set.row.repeats is not None:
        return
    width, usual = printed[1] - printed[0], _usual_widths(figure.value, n)
    if usual[0] * _NARROW - unit <= width <= usual[1] * _WIDE + unit:
        return
    spread = figure.value * (1 - figure.value) or 1 / (4 * n)
    implied = round(spread * (2 * _Z / width) ** 2) if width > 0 else None
    images = "more images than any test set has" if implied is None else f"about {implied} independent images"
    why = (
        "A narrower interval can be that of a mean over folds or seeds, or of another test set."
        if width < usual[0]
        else "A wider interval can account for several images per patient, or be that of another test set."
    )
    yield figure_set.finding(
        "interval",
        "note",
        (cite(figure),),
        f"The printed interval {text} of {named(figure)} is that of {images}; the figure is a share of {n}.",
        f"Intervals of Wald, Wilson, and Clopper and Pearson for {n} images are {usual[0]:.3f} to {usual[1]:.3f} wide, "
        f"the printed one {width:.3f}. {why}",
    )


def _deviation(figure_set: FigureSet, figure: PublishedFigure, deviation: float) -> Iterator[AuditFinding]:
    if not is_of_counts(figure.metric) or is_count(figure.metric):
        return
    least, most = range_of_counts(figure.metric)
    repeats = figure_set.row.repeats
    number = 2 if repeats is None else repeats[1]
    low, high = figure_range(figure, "either")
    middle = min(max((least + most) / 2, low), high)
    # Bhatia and Davis (2000), for the sample variance of `number` values in [least, most] with this mean.
    largest = math.sqrt(max(0.0, (most - middle) * (middle - least)) * number / (number - 1))
    text = f"{deviation:.{figure.decimals}f}"
    if deviation - 10.0**-figure.decimals > largest:
        yield figure_set.finding(
            "interval",
            "contradiction",
            (cite(figure),),
            f"{capital(named(figure))} cannot have the standard deviation {text}.",
            f"Values from {least:g} to {most:g} with this mean have a standard deviation of at most {largest:.4f} "
            "(Bhatia and Davis 2000).",
        )
    elif repeats is None:
        yield figure_set.finding(
            "interval",
            "note",
            (cite(figure),),
            f"{capital(named(figure))} has a standard deviation, {text}: the row is probably a mean.",
            "If the report says over what, the row of the claims file needs `averaged: folds` or `averaged: seeds`.",
        )


def _images(population: str | None, test: TestSet | None) -> int | None:
    if test is None or population is None:
        return None
    return {"images": test.total, "positives": test.positives, "negatives": test.negatives}[population]


def _usual_widths(value: float, n: int) -> Range:
    """The narrowest and the widest of the usual 95% intervals of a proportion."""
    successes = min(n, max(0, round(value * n)))
    low, high = wilson(successes, n)
    exact_low = float(scipy.stats.beta.ppf(0.025, successes, n - successes + 1)) if successes else 0.0
    exact_high = float(scipy.stats.beta.ppf(0.975, successes + 1, n - successes)) if successes < n else 1.0
    wald = 2 * _Z * math.sqrt(successes / n * (1 - successes / n) / n)
    widths = [high - low, exact_high - exact_low, *([wald] if wald else [])]
    return min(widths), max(widths)
