"""Checks of figures that come from decisions - accuracy, precision, recall and their like - against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmark.evidence.metrics.definitions import Confusion, get_metric
from benchmark.evidence.published.bounds import auc_of_decisions
from benchmark.evidence.published.feasible import (
    TooManyCandidates,
    feasible_at_any_size,
    feasible_matrices,
    fits,
    is_feasible,
    neighbours,
    smallest_conflict,
)
from reports.audit.figures import AuditFinding, Group, cite, counts, figure_range, named, printed, sizes
from reports.claims.model import TestSet
from reports.text import capital, listed

_AUC_SLACK = 0.01  # Keras integrates the curve over 200 thresholds


@dataclass(frozen=True)
class Matrices:
    """The confusion matrices of `test` that print a row's figures.

    `rounded` are those that print them rounded, `cut` the further ones that do so where decimals were dropped instead.
    `too_many` when there were more candidates than can be looked through; nothing is known then.
    """

    test: TestSet
    rounded: tuple[Confusion, ...]
    cut: tuple[Confusion, ...] = ()
    too_many: bool = False

    @property
    def likely(self) -> tuple[Confusion, ...]:
        """Those of rounded figures; those of cut ones where there are none."""
        return self.rounded or self.cut

    @property
    def possible(self) -> tuple[Confusion, ...]:
        """All of them: what none of these allows is impossible."""
        return self.rounded + self.cut


def matrices_of(group: Group, test: TestSet) -> Matrices:
    """The matrices of `test` that print the group's figures."""
    try:
        found = feasible_matrices(group.decisions(cut=True), test.negatives, test.positives)
    except TooManyCandidates:
        return Matrices(test, (), too_many=True)
    ranges = group.decisions()
    rounded: list[Confusion] = []
    cut: list[Confusion] = []
    for matrix in found:
        (rounded if fits(matrix, ranges) else cut).append(matrix)
    return Matrices(test, tuple(rounded), tuple(cut))


def printed_twice(group: Group) -> Iterator[AuditFinding]:
    """Two figures of one metric, split and moment that no one value prints as."""
    for i, first in enumerate(group.figures):
        for second in group.figures[i + 1 :]:
            if first.metric != second.metric or first.upper is not None or second.upper is not None:
                continue
            one, other = figure_range(first, cut=True), figure_range(second, cut=True)
            if max(one[0], other[0]) > min(one[1], other[1]):
                yield group.finding(
                    "printed-twice",
                    "contradiction",
                    (cite(first), cite(second)),
                    f"{capital(named(first))} is {printed(second)} elsewhere.",
                    "No one value prints as both, rounded or cut.",
                )


def conflicts(group: Group, found: Matrices | None) -> Iterator[AuditFinding]:
    """Decision figures that no matrix of the row's test set prints, or no matrix at all where its size is not known."""
    ranges = group.decisions(cut=True)
    if found is None:
        clash = smallest_conflict(
            tuple(ranges), lambda names: feasible_at_any_size({name: ranges[name] for name in names})
        )
        if clash:
            yield _no_shares(group, clash)
        return
    if found.possible or found.too_many or not ranges:
        return
    test = found.test

    def possible(names: Sequence[str]) -> bool:
        try:
            return is_feasible({name: ranges[name] for name in names}, test.negatives, test.positives)
        except TooManyCandidates:
            return True

    alone = [name for name in ranges if not possible([name])]
    for name in alone:
        ratio = get_metric(name).ratio
        population = None if ratio is None else ratio.population
        yield _off_grid(group, name, population, test) if population else _no_matrix(group, [name], test)
    if not alone and (clash := smallest_conflict(tuple(ranges), possible)):
        yield _no_matrix(group, clash, test)


def the_only_matrix(group: Group, found: Matrices) -> Iterator[AuditFinding]:
    """A row that one confusion matrix alone prints."""
    if len(found.likely) == 1:
        how = "rounded to their decimals" if found.rounded else "cut to their decimals"
        yield group.finding(
            "one-matrix",
            "note",
            group.cited(tuple(group.decisions())),
            f"One confusion matrix prints this row: {counts(found.likely[0])}.",
            f"Of all matrices of {sizes(found.test)} images no other has these figures, {how}.",
        )


def out_of_reach(group: Group, found: Matrices) -> Iterator[AuditFinding]:
    """An AUC outside of what scores with these decisions can have."""
    area = group.of("auc")
    if area is None or not found.possible:
        return
    reach = [auc_of_decisions(matrix) for matrix in found.possible]
    low, high = min(bounds[0] for bounds in reach), max(bounds[1] for bounds in reach)
    lowest, highest = figure_range(area, cut=True)
    if highest < low - _AUC_SLACK or lowest > high + _AUC_SLACK:
        yield group.finding(
            "auc-out-of-reach",
            "impossible",
            (cite(area), *group.cited(tuple(group.decisions()))),
            f"{capital(named(area))} cannot come from scores with these decisions.",
            f"Pairs of a positive above the threshold and a negative below it are in order, the reverse out of order: "
            f"the AUC is within {low:.4f} and {high:.4f}, and {_AUC_SLACK:g} is left for a coarse curve.",
            (cite(area),),
        )


def _off_grid(group: Group, metric: str, population: str, test: TestSet) -> AuditFinding:
    figure = group.of(metric)
    assert figure is not None
    sizes = {"images": test.negatives + test.positives, "positives": test.positives, "negatives": test.negatives}
    n = sizes[population]
    near = [f"{round(value * n)}/{n} = {value:.{figure.decimals + 2}f}" for value in neighbours(figure.value, n)]
    return group.finding(
        "off-grid",
        "impossible",
        [cite(figure)],
        f"{capital(named(figure))} is no whole number out of {n} {population}.",
        f"The nearest are {listed(near)}.",
        [cite(figure)],
    )


def _no_matrix(group: Group, clash: Sequence[str], test: TestSet) -> AuditFinding:
    cited = group.cited(clash)
    together = listed([c.text for c in cited])
    return group.finding(
        "no-matrix",
        "impossible",
        cited,
        f"No confusion matrix of {sizes(test)} images prints {together}{' together' if len(clash) > 1 else ''}.",
        "All were tried, with figures rounded or cut"
        + ("; leaving any one of them out, some fit." if len(clash) > 1 else "."),
        cited,
    )


def _no_shares(group: Group, clash: Sequence[str]) -> AuditFinding:
    cited = group.cited(clash)
    together = listed([c.text for c in cited])
    derivation = "The shares of true and false positives and negatives that they ask for do not add up to 1."
    if set(clash) == {"accuracy", "precision", "recall"} and _recall_of_one(group):
        derivation = (
            "With recall 1 nothing positive is missed, so accuracy is 1 - FP/all and precision 1 - FP/(images called "
            "positive): precision cannot exceed accuracy."
        )
    return group.finding(
        "no-shares",
        "impossible",
        cited,
        f"{capital(together)} cannot be of the same decisions, whatever the images.",
        derivation,
        cited,
    )


def _recall_of_one(group: Group) -> bool:
    figure = group.of("recall")
    accuracy, precision = group.of("accuracy"), group.of("precision")
    return (
        figure is not None
        and figure.value == 1
        and accuracy is not None
        and precision is not None
        and precision.value > accuracy.value
    )
