"""Checks of figures that are stated to be means over folds or seeds."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.evidence.intervals.formulas import wilson
from benchmark.evidence.metrics.printed import ratio_of
from benchmark.evidence.published.feasible import Range, TooManyCandidates, is_feasible
from benchmark.evidence.published.means import fits_as_mean, fits_with_any_folds
from reports.audit.decisions import ROUNDINGS
from reports.audit.figures import AuditFinding, DerivedFigure, FigureSet, figure_range, sizes
from reports.claims.printed import Row, TestSet
from reports.text import capital, listed


def averaged_findings(figure_set: FigureSet, test: TestSet) -> Iterator[AuditFinding]:
    """Check whether the figures of a row can be means over its stated number of folds or seeds.

    Args:
        figure_set: The final test figures of a row that states `averaged`.
        test: Its test set of two classes; for folds, the images of all folds together.

    Yields:
        At most one finding. Folds that are not stratified are not tried, so figures that no stratified folds give are
        ambiguous unless a figure alone is beyond its range.
    """
    repeats = figure_set.row.repeats
    assert repeats is not None
    over, number = repeats
    area = figure_set.of("auc")
    aurocs = None if area is None else figure_range(area, "either")
    for rounding in ROUNDINGS:
        ranges = figure_set.decisions(rounding)
        if fits_as_mean(ranges, test.negatives, test.positives, over, number, aurocs).possible:
            return
        if over == "folds" and _of_all_folds(ranges, test):
            return
    names = tuple(figure_set.decisions())
    cited = figure_set.cited((*names, "auc"))
    together = listed([each.text for each in cited])
    by_rounding = [figure_set.decisions(rounding) for rounding in ROUNDINGS]
    if over == "folds" and any(fits_with_any_folds(ranges, number, aurocs) for ranges in by_rounding):
        yield figure_set.finding(
            "no-mean",
            "ambiguous",
            cited,
            f"{capital(together)} are not the mean of {number} stratified folds of {sizes(test)} images, nor the "
            "figures of all folds together.",
            "mlscorecheck and an integer program find no counts per fold, with all figures rounded or all cut. Folds "
            "that are not stratified could have other class sizes; they are not tried.",
            would_fit=("the mean of folds that are not stratified",),
        )
        return
    yield figure_set.finding(
        "no-mean",
        "impossible",
        cited,
        f"{capital(together)} are not the mean of {number} {over} on {sizes(test)} images.",
        f"mlscorecheck and an integer program find no counts for the {over}, with all figures rounded or all cut.",
        cited,
    )


def averaged_figures(row: Row, test: TestSet) -> Iterator[DerivedFigure]:
    """The printed means of proportions, with Wilson's interval for as many images as the test set has.

    Args:
        row: A row that states `averaged`.
        test: Its test set.

    Yields:
        Accuracy, recall and specificity where they are printed.
    """
    images = {"images": test.total, "positives": test.positives, "negatives": test.negatives}
    for figure in row.figures:
        ratio = ratio_of(figure.metric)
        if figure.split != "test" or figure.epoch is not None or ratio is None or ratio.population is None:
            continue
        n = images[ratio.population]
        low, high = (min(n, max(0, round(end * n))) for end in figure_range(figure))
        high_end = figure.value if figure.upper is None else figure.upper
        interval = wilson(low, n)[0], wilson(high, n)[1]
        yield DerivedFigure(figure.metric, figure.value, high_end, interval, "Wilson")


def _of_all_folds(ranges: dict[str, Range], test: TestSet) -> bool:
    """Whether the figures can be those of the decisions of all folds together."""
    try:
        return is_feasible(ranges, test.negatives, test.positives)
    except TooManyCandidates:
        return True
