"""A metric against the number of training images: intervals, the fitted curve and its forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.metrics.registry import label_of
from reports.figures.style import COLOURS, new_figure, styled
from reports.results.training_size.figures import TrainingSizeCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def training_size_figure(curve: TrainingSizeCurve) -> Figure:
    """Draw the figure at each size with its 95% interval, each draw as a dot, the curve, and forecasts as hollow marks.

    Args:
        curve: The curve of a card.

    Returns:
        One panel with a logarithmic axis of training images.
    """
    from matplotlib.ticker import NullLocator

    figure = new_figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.add_subplot()
    for point in curve.points:
        values = [value for value in point.values.values() if value is not None]
        axes.plot([point.images] * len(values), values, ".", color=COLOURS["muted"], markersize=3)
        _mark(axes, point.images, point.figure, COLOURS["accent"], hollow=False)
    forecasts = curve.extrapolation.forecasts
    for forecast in forecasts:
        _mark(axes, forecast.images, forecast.figure, COLOURS["accent-2"], hollow=True)
    sizes = [point.images for point in curve.points] + [forecast.images for forecast in forecasts]
    if curve.extrapolation.law is not None and forecasts:
        at = np.geomspace(sizes[0], sizes[-1], 60)
        law = [curve.extrapolation.law.at(float(size)) for size in at]
        axes.plot(at, law, "--", color=COLOURS["accent-2"], linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training images")
    axes.set_ylabel(f"test {label_of(curve.metric)}")
    return figure


def _mark(axes: Axes, images: int, figure: Estimate, colour: str, *, hollow: bool) -> None:
    if figure.value is None:
        return
    if figure.bounds is not None:
        axes.plot([images, images], list(figure.bounds), color=colour)
    face = COLOURS["paper"] if hollow else colour
    axes.plot([images], [figure.value], "o", color=colour, markerfacecolor=face)
