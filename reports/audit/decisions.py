"""Checks of threshold metrics such as accuracy, precision and recall against each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmark.evidence.metrics.printed import ratio_of
from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.bounds import AUC_SLACK, auc_of_decisions
from benchmark.evidence.published.feasible import (
    Range,
    Rounding,
    TooManyCandidates,
    feasible_matrices,
    is_feasible,
    neighbours,
    smallest_conflict,
)
from benchmark.evidence.published.shares import feasible_at_any_size
from reports.audit.figures import AuditFinding, Citation, FigureSet, cite, counts, figure_range, named, printed, sizes
from reports.claims.model import TestSet
from reports.text import capital, listed, plural

Ranges = Mapping[str, Range]

ROUNDINGS: tuple[Rounding, ...] = ("rounded", "cut")
"""How all figures of a row can have been shortened: one rule for all of them."""


@dataclass(frozen=True)
class FeasibleMatrices:
    """The confusion matrices that give the printed figures of a row.

    Attributes:
        test: The test set of the matrices.
        rounded: The matrices that give the figures if these were rounded.
        cut: The further matrices that give them if all of them were cut.
        too_many: Whether there were too many candidates to enumerate; the matrices are not known then.
    """

    test: TestSet
    rounded: tuple[Confusion, ...]
    cut: tuple[Confusion, ...] = ()
    too_many: bool = False

    @property
    def likely(self) -> tuple[Confusion, ...]:
        """The matrices of rounded figures; those of truncated figures where there are none."""
        return self.rounded or self.cut

    @property
    def possible(self) -> tuple[Confusion, ...]:
        """All feasible matrices."""
        return self.rounded + self.cut


def find_matrices(figure_set: FigureSet, test: TestSet) -> FeasibleMatrices:
    """The confusion matrices on `test` that give all figures of a set rounded, and those that give all of them cut."""
    try:
        rounded, cut = (
            feasible_matrices(figure_set.decisions(rounding), test.negatives, test.positives) for rounding in ROUNDINGS
        )
    except TooManyCandidates:
        return FeasibleMatrices(test, (), too_many=True)
    known = set(rounded)
    return FeasibleMatrices(test, rounded, tuple(matrix for matrix in cut if matrix not in known))


def printed_twice(figure_set: FigureSet) -> Iterator[AuditFinding]:
    """Two figures of one metric, split and moment that no single value gives."""
    for i, first in enumerate(figure_set.figures):
        for second in figure_set.figures[i + 1 :]:
            if first.key != second.key or first.upper is not None or second.upper is not None:
                continue
            one, other = figure_range(first, "either"), figure_range(second, "either")
            if max(one[0], other[0]) > min(one[1], other[1]):
                yield figure_set.finding(
                    "printed-twice",
                    "contradiction",
                    (cite(first), cite(second)),
                    f"{capital(named(first))} is printed as {printed(second)} elsewhere.",
                    "No single value gives both, whether rounded or truncated."
                    f"{_images_apart(figure_set, first.key, one, other)}",
                )


def _images_apart(figure_set: FigureSet, key: str, one: Range, other: Range) -> str:
    """By how many images two values of one figure differ at least, as a sentence; empty where it is not known."""
    ratio, test = ratio_of(key), figure_set.row.of_two if figure_set.split == "test" else None
    if ratio is None or ratio.population is None or test is None or figure_set.row.repeats is not None:
        return ""
    n = {"images": test.total, "positives": test.positives, "negatives": test.negatives}[ratio.population]
    images = math.ceil((max(one[0], other[0]) - min(one[1], other[1])) * n)
    return f" Of {n} {ratio.population}, they differ by at least {plural(images, 'image')}."


def conflicts(figure_set: FigureSet, feasible: FeasibleMatrices | None) -> Iterator[AuditFinding]:
    """Threshold metrics that no confusion matrix gives together.

    Args:
        figure_set: The printed figures.
        feasible: The matrices of the row's test set; None where its class sizes are not known. Then the figures are
            checked against test sets of every size.

    Yields:
        A finding for each figure that is impossible alone, else one for the smallest set that is.
    """
    ranges = [figure_set.decisions(rounding) for rounding in ROUNDINGS]
    names = tuple(ranges[0])
    if feasible is None:
        clash = smallest_conflict(names, lambda some: _any(ranges, some, feasible_at_any_size))
        if clash:
            yield _no_shares(figure_set, clash)
        return
    if feasible.possible or not names:
        return
    test = feasible.test
    share = test.positives / test.total

    def possible(some: Ranges) -> bool:
        try:
            return is_feasible(some, test.negatives, test.positives)
        except TooManyCandidates:
            return True

    def possible_rates(some: Ranges) -> bool:
        return feasible_at_any_size(some, share)

    alone = [] if feasible.too_many else [name for name in names if not _any(ranges, [name], possible)]
    for name in alone:
        ratio = ratio_of(name)
        population = None if ratio is None else ratio.population
        yield _off_grid(figure_set, name, population, test) if population else _no_matrix(figure_set, [name], test)
    if alone or feasible.too_many:
        clash = smallest_conflict(names, lambda some: _any(ranges, some, possible_rates))
        if clash:
            yield _rates(figure_set, clash, test)
    elif clash := smallest_conflict(names, lambda some: _any(ranges, some, possible)):
        yield _no_matrix(figure_set, clash, test)


def the_only_matrix(figure_set: FigureSet, feasible: FeasibleMatrices) -> Iterator[AuditFinding]:
    """A note where exactly one confusion matrix gives the row."""
    if len(feasible.likely) == 1:
        how = "rounded" if feasible.rounded else "truncated"
        yield figure_set.finding(
            "one-matrix",
            "note",
            figure_set.cited(tuple(figure_set.decisions())),
            f"Exactly one confusion matrix gives this row: {counts(feasible.likely[0])}.",
            f"No other matrix of {sizes(feasible.test)} images has these figures, {how} to their decimals.",
        )


def out_of_reach(figure_set: FigureSet, feasible: FeasibleMatrices) -> Iterator[AuditFinding]:
    """An AUC that no scores with these decisions can have."""
    area = figure_set.of("auc")
    if area is None or not feasible.possible:
        return
    reach = [auc_of_decisions(matrix) for matrix in feasible.possible]
    low, high = min(bounds[0] for bounds in reach), max(bounds[1] for bounds in reach)
    lowest, highest = figure_range(area, "either")
    if highest < low - AUC_SLACK or lowest > high + AUC_SLACK:
        yield figure_set.finding(
            "auc-out-of-reach",
            "impossible",
            (cite(area), *figure_set.cited(tuple(figure_set.decisions()))),
            f"{capital(named(area))} cannot come from scores with these decisions.",
            "Every pair of a true positive and a true negative is ranked correctly, every pair of a false negative and "
            f"a false positive wrongly: the AUC lies between {low:.4f} and {high:.4f}. {AUC_SLACK:g} more is allowed "
            "for a coarse curve.",
            (cite(area),),
        )


def _any(ranges: Sequence[Ranges], names: Sequence[str], possible: Callable[[Ranges], bool]) -> bool:
    """Whether figures are possible with one of the rules of rounding."""
    return any(possible({name: each[name] for name in names}) for each in ranges)


def _rates(figure_set: FigureSet, clash: Sequence[str], test: TestSet) -> AuditFinding:
    cited = figure_set.cited(clash)
    figures = {figure.key: figure for figure in figure_set.figures if figure.key in clash}
    derivation = "No shares of true and false positives and negatives at these class sizes give them."
    if set(clash) == {"accuracy", "recall", "specificity"}:
        weights = {"recall": test.positives / test.total, "specificity": test.negatives / test.total}
        mean = sum(weight * figures[name].value for name, weight in weights.items())
        derivation = (
            f"Accuracy is the mean of recall and specificity, weighted by {test.positives} positives and "
            f"{test.negatives} negatives: {mean:.{figures['accuracy'].decimals + 1}f}."
        )
    return figure_set.finding(
        "rates",
        "impossible",
        cited,
        f"{capital(listed([each.text for each in cited]))} contradict each other on {sizes(test)} images.",
        f"{derivation} This is so whatever whole numbers they come from, with all figures rounded and with all cut.",
        cited,
    )


def _off_grid(figure_set: FigureSet, metric: str, population: str, test: TestSet) -> AuditFinding:
    figure = figure_set.of(metric)
    assert figure is not None
    sizes = {"images": test.negatives + test.positives, "positives": test.positives, "negatives": test.negatives}
    n = sizes[population]
    near = [f"{round(value * n)}/{n} = {value:.{figure.decimals + 2}f}" for value in neighbours(figure.value, n)]
    return figure_set.finding(
        "off-grid",
        "impossible",
        [cite(figure)],
        f"{capital(named(figure))} is not a whole number out of {n} {population}.",
        f"The nearest fractions are {listed(near)}.",
        [cite(figure)],
    )


def _no_matrix(figure_set: FigureSet, clash: Sequence[str], test: TestSet) -> AuditFinding:
    cited = figure_set.cited(clash)
    together = listed([c.text for c in cited])
    return figure_set.finding(
        "no-matrix",
        "impossible",
        cited,
        f"No confusion matrix of {sizes(test)} images gives {together}{' together' if len(clash) > 1 else ''}.",
        "Every matrix was tried, with all figures rounded and with all figures cut."
        + (f" {_without_one(cited)}" if len(clash) > 1 else ""),
        cited,
    )


def _without_one(cited: Sequence[Citation]) -> str:
    if len(cited) == 2:
        return (
            f"{capital(listed([each.text for each in cited]))} contradict each other; each of them alone fits a matrix."
        )
    return f"These {len(cited)} figures contradict each other; without any one of them, a matrix gives the others."


def _no_shares(figure_set: FigureSet, clash: Sequence[str]) -> AuditFinding:
    cited = figure_set.cited(clash)
    together = listed([c.text for c in cited])
    derivation = "The shares of true and false positives and negatives that they imply do not add up to 1."
    if set(clash) == {"accuracy", "precision", "recall"} and _recall_of_one(figure_set):
        derivation = (
            "Recall 1 means no false negatives. Then accuracy is 1 - FP/(all images) and precision is "
            "1 - FP/(images called positive), so precision cannot exceed accuracy."
        )
    return figure_set.finding(
        "no-shares",
        "impossible",
        cited,
        f"{capital(together)} cannot describe the same decisions, whatever the images.",
        derivation,
        cited,
    )


def _recall_of_one(figure_set: FigureSet) -> bool:
    figure = figure_set.of("recall")
    accuracy, precision = figure_set.of("accuracy"), figure_set.of("precision")
    return (
        figure is not None
        and figure.value == 1
        and accuracy is not None
        and precision is not None
        and precision.value > accuracy.value
    )
