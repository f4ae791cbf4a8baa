"""A curve over training images in words, shared by all renderers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.evidence.intervals.caution import CAUTIONS
from benchmark.evidence.metrics.registry import label_of
from benchmark.evidence.training_size.extrapolation import Forecast
from reports.results.training_size.figures import SizePoint, TrainingSizeCurve
from reports.text import CAUTION, estimate, number, plural

FEW_OF_CLASS = 10
"""Training images of a class below which a note says so."""
_DRAWS_DIFFER = "some draws are no better than chance, others are better: their mean describes neither"
_NOTHING = 0.0005
"""A gain that rounds to 0.000."""

HEADS = ("training images", "per class", "draws", "lowest", "highest")


ALT = (
    "Figures by number of training images with 95% intervals, the draws as dots, and the fitted curve with its "
    "forecasts as hollow marks; the measured figures are those of the table."
)
"""What the picture of a curve shows, for readers who do not see it."""


def heading(curve: TrainingSizeCurve, curves: Sequence[TrainingSizeCurve]) -> str:
    """The title of the card, and its data and protocol where `curves` are of several."""
    several = len({each.conditions for each in curves}) > 1
    return f"{curve.title} ({curve.card})" + (f": {curve.conditions}" if several else "")


def heads(curve: TrainingSizeCurve) -> tuple[str, ...]:
    """The heads of the table of points; the figure with its interval is last."""
    return (*HEADS, f"test {label_of(curve.metric)}")


def cells(point: SizePoint) -> list[str]:
    """One row of the table of points, as text."""
    values = [value for value in point.values.values() if value is not None]
    ends = (number(min(values)), number(max(values))) if values else ("", "")
    missing = point.figure.reason if point.figure.value is None else None
    return [
        f"{point.images:,}",
        " + ".join(f"{count:,}" for count in point.by_class),
        str(point.draws),
        *ends,
        missing or estimate(point.figure),
    ]


def description(curve: TrainingSizeCurve) -> str:
    """What the curve shows, in one sentence."""
    draws = max(point.draws for point in curve.points)
    runs = sum(point.runs for point in curve.points)
    decided = "" if curve.decided is None else f" {curve.decided}"
    return (
        f"{label_of(curve.metric)}{decided} of {curve.card} on the same {curve.tested:,} test images, by number of "
        f"training images: the mean of {plural(draws, 'draw')} by {curve.unit} from {curve.available:,} training images"
        f", {plural(runs, 'run')}. The sizes of one draw are nested."
    )


def answers(curve: TrainingSizeCurve) -> list[str]:
    """What more training images would probably add, and how uncertain that is."""
    outcome, label = curve.extrapolation, label_of(curve.metric)
    last = curve.points[-1]
    if outcome.reason is not None:
        lines = [f"Nothing is extrapolated: {outcome.reason}."]
        if outcome.rise is not None and len(curve.points) > 1:
            first = curve.points[0]
            lines.append(
                f"From {first.images:,} to {last.images:,} training images, {label} improves by "
                f"{estimate(outcome.rise, sign=True)}."
            )
        return lines
    law = outcome.law
    lines = [_gain(forecast, curve) for forecast in outcome.forecasts]
    if law is not None:
        sign = "-" if law.rising else "+"
        lines.append(
            f"This extrapolates the inverse power law {law.limit:.3f} {sign} {law.scale:.3g} n^-{law.exponent:.2f}, "
            f"fitted to {plural(len(curve.points), 'size')}. The intervals account for draws, training images and test "
            f"{curve.unit}s. They assume that the law holds beyond the measured sizes, and that further images are "
            "like these."
        )
    return lines


def _gain(forecast: Forecast, curve: TrainingSizeCurve) -> str:
    label, largest = label_of(curve.metric), curve.points[-1].images
    more = f"{forecast.factor} times as many training images ({forecast.images:,} instead of {largest:,})"
    there = f"{label} would be about {estimate(forecast.figure)}"
    return f"{more} would probably {_added(forecast, label)}: {there}{_at_largest(curve)}."


def _at_largest(curve: TrainingSizeCurve) -> str:
    """The fitted value from which gains count: it differs from the measured one, which is in the table."""
    law, largest = curve.extrapolation.law, curve.points[-1].images
    return "" if law is None else f" (at {largest:,} the fitted curve gives {number(law.at(largest))})"


def _added(forecast: Forecast, label: str) -> str:
    """The expected gain and its interval: `add about 0.002 AUC, at most 0.011, perhaps nothing`."""
    low, high = forecast.gain.bounds or (0.0, 0.0)
    if high < _NOTHING:
        return "change nothing"
    about = f"add about {number(forecast.gain.value or 0.0)} {label}"
    if low < _NOTHING:
        return f"{about}, at most {number(high)}, perhaps nothing"
    return f"{about} ({number(low)} to {number(high)})"


def curve_to_show(curves: Sequence[TrainingSizeCurve], best: str | None) -> TrainingSizeCurve | None:
    """The curve that a summary quotes.

    Args:
        curves: Curves on the same data under the same protocol.
        best: The name of the best card; None without one.

    Returns:
        That of the best card, else the first; None without any.
    """
    return next((curve for curve in curves if curve.card == best), next(iter(curves), None))


def short_answers(curve: TrainingSizeCurve, folds: int | None) -> tuple[str, ...]:
    """What twice as many training images would probably add, in two sentences.

    Args:
        curve: The curve.
        folds: The number of folds of the figures beside which the sentences stand; None for one split.

    Returns:
        The sentences.
    """
    label, last, outcome = label_of(curve.metric), curve.points[-1], curve.extrapolation
    if outcome.reason is not None:
        first = f"From the learning curve of {curve.title}, nothing can be extrapolated: {outcome.reason}."
    else:
        twice = outcome.forecasts[0]
        first = (
            f"By the learning curve of {curve.title}, twice as many training images ({twice.images:,} instead of "
            f"{last.images:,}) would probably {_added(twice, label)}{_at_largest(curve)}."
        )
    if folds is None:
        return (first,)
    return (
        first,
        f"The curve has one split with {plural(curve.tested, 'test image')}, so its {label} differs from that of the "
        f"{folds} folds.",
    )


def notes(curve: TrainingSizeCurve) -> list[str]:
    """What a reader must know about the points."""
    return list(_notes(curve))


def _notes(curve: TrainingSizeCurve) -> Iterator[str]:
    few = [point for point in curve.points if min(point.by_class, default=FEW_OF_CLASS) < FEW_OF_CLASS]
    if few:
        least, of = min((count, name) for count, name in zip(few[0].by_class, curve.classes, strict=True))
        yield (
            f"With {few[0].images:,} training images, {plural(least, 'image')} of {of}: which images these are decides "
            "much of the figure."
        )
    overlapping = [point.images for point in curve.points if curve.available < 2 * point.images < 2 * curve.available]
    if overlapping:
        yield (
            f"From {overlapping[0]:,} of the {curve.available:,} training images on, draws have most images in common: "
            "the interval is for these training images, not for others of the same number."
        )
    if curve.points[-1].images == curve.available:
        yield f"At {curve.available:,} training images all draws are the same images; between them only seeds vary."
    if any(point.draws == 1 for point in curve.points):
        yield "With one draw, an interval accounts for test images only; --draws 5 shows how much draws differ."
    for caution in {point.figure.caution: None for point in curve.points if point.figure.caution is not None}:
        why = _DRAWS_DIFFER if caution == "seeds differ in kind" else CAUTIONS[caution]
        yield f"An interval with {CAUTION} may be far off: {why}."
    if curve.failed:
        yield f"{plural(curve.failed, 'run')} failed and count nowhere; the same command tries them again."
