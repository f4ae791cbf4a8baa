"""What follows from printed rates: the prevalence and the size of an unstated test set, and AUCs of decisions."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.evidence.metrics.printed import ratio_of
from benchmark.evidence.published.feasible import Range, metric_of
from benchmark.evidence.published.shares import prevalence_range, smallest_test_set
from reports.audit.decisions import ROUNDINGS, FeasibleMatrices
from reports.audit.figures import AuditFinding, FigureSet, cite, figure_range, named
from reports.text import capital, listed

_LARGEST_SET = 3000
_FEWEST_DECIMALS = 3
_WIDEST = 0.9  # a wider range of prevalences says nothing


def implied_test_set(figure_set: FigureSet) -> Iterator[AuditFinding]:
    """The share of positives and the smallest number of images that give the rates of a row without a test set.

    Args:
        figure_set: The final test figures of such a row.

    Yields:
        A note where at least three rates are printed and possible, and they limit the share of positives.
    """
    for rounding in ROUNDINGS:
        ranges = figure_set.decisions(rounding)
        rates = tuple(name for name in ranges if ratio_of(name) is not None)
        prevalence = prevalence_range(ranges) if len(rates) >= 3 else None
        if prevalence is None:
            continue
        low, high = prevalence
        if high - low > _WIDEST:
            return
        smallest = smallest_test_set(ranges, _LARGEST_SET)
        at_least = "no smallest number of images was found"
        if smallest is not None:
            at_least = f"at least {sum(smallest)} images, such as {smallest[0]} negatives and {smallest[1]} positives"
        cited = figure_set.cited(tuple(ranges))
        yield figure_set.finding(
            "prevalence",
            "note",
            cited,
            f"The printed rates imply that {_percent(low)} to {_percent(high)} of the images are positive, and "
            f"{at_least}.",
            f"{capital(listed([each.text for each in cited]))} are ratios of the same four counts. A linear program "
            f"gives the range of the share of positives, with all figures {rounding}; the smallest test set is found "
            "by trying all sizes.",
        )
        return


def area_of_decisions(figure_set: FigureSet, feasible: FeasibleMatrices | None) -> Iterator[AuditFinding]:
    """An AUC that equals the balanced accuracy in all its decimals, as if computed from decisions instead of scores.

    Args:
        figure_set: The final test figures of a row.
        feasible: The matrices of the row's test set; None where its class sizes are not known.

    Yields:
        A note. A constant answer and perfect decisions have equal values for a reason, and two decimals often agree by
        chance: there is no note about them.
    """
    area = figure_set.of("auc")
    if area is None or area.upper is not None or area.decimals < _FEWEST_DECIMALS:
        return
    balanced = _balanced_accuracy(figure_set, feasible)
    low, high = figure_range(area, "either")
    if balanced is None or balanced[1] < low or balanced[0] > high or balanced[1] - balanced[0] > 2 * (high - low):
        return
    value = (balanced[0] + balanced[1]) / 2
    if any(balanced[0] <= special <= balanced[1] for special in (0.5, 1.0)):
        return
    recall, specificity = figure_set.of("recall"), figure_set.of("specificity")
    also = [cite(each) for each in (recall, specificity) if each is not None]
    yield figure_set.finding(
        "auc-of-decisions",
        "note",
        (cite(area), *also),
        f"{capital(named(area))} equals the balanced accuracy of the decisions, {value:.4f}: it is probably computed "
        "from decisions, not from scores.",
        "The area under a curve with a single threshold is the mean of recall and specificity. The AUC of scores is "
        "larger unless every other threshold lies on the same two lines.",
    )


def _balanced_accuracy(figure_set: FigureSet, feasible: FeasibleMatrices | None) -> Range | None:
    if feasible is not None and feasible.possible:
        values = [metric_of(matrix, "balanced_accuracy") for matrix in feasible.likely]
        return min(values), max(values)
    ranges = figure_set.decisions()
    if "recall" in ranges and "specificity" in ranges:
        ends = [(ranges["recall"][end] + ranges["specificity"][end]) / 2 for end in (0, 1)]
        return ends[0], ends[1]
    return ranges.get("balanced_accuracy")


def _percent(share: float) -> str:
    return f"{share:.1%}"
