"""The true state of affairs of a statement as its report prints it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import find_metric, label_of
from reports.audit.evidence import evidence_of
from reports.audit.figures import AuditRow
from reports.claims.model import Claims
from reports.claims.statement import AtLeast, AtMost, Equivalent, NotSuperior, Superior
from reports.verdicts.statements import Judged
from zoo.models.published import PublishedFigure

_EQUAL = 1e-9  # differences of printed decimals are not exact in binary


@dataclass(frozen=True)
class PrintedTruth:
    """The printed figures of the cards of a statement, as the truth to plan for.

    Attributes:
        distance: By how much the printed figures are beyond the bound of the statement; below 0 if they contradict it.
        words: The printed figure or gain, in words.
        strict: Whether the statement needs more than its bound: a gain above a margin.
    """

    distance: float
    words: str
    strict: bool

    @property
    def why_not(self) -> str | None:
        """Why there is no plan at the printed figures; None if there is one."""
        instead = "--difference X plans for another truth"
        if self.distance < 0:
            return f"{self.words} contradicts it; {instead}"
        if self.distance == 0 and self.strict:
            return f"{self.words} is not beyond its margin; {instead}"
        if self.distance == 0:
            return f"{self.words} is its bound, so no number of images shows it; {instead}"
        return None


def printed_truth(claims: Claims, rows: Mapping[str, AuditRow], assertion: Judged) -> PrintedTruth | None:
    """Find by how much printed figures are beyond the bound of a statement.

    Args:
        claims: The claims.
        rows: Its audited rows by name.
        assertion: A part of a statement.

    Returns:
        The distance; None where a figure of one of its cards is neither printed nor implied by the only possible
        confusion matrix. Several printed values of a card count with their mean.
    """
    printed = [[(each.value, each.decimals) for each in _figures(claims, assertion, name)] for name in assertion.cards]
    source = "printed" if all(printed) else "implied"
    figures = [
        of_card or _implied(claims, rows, assertion, name)
        for of_card, name in zip(printed, assertion.cards, strict=True)
    ]
    if not all(figures):
        return None
    decimals = max(places for of_card in figures for _, places in of_card)
    values = [fmean(value for value, _ in of_card) for of_card in figures]
    bound = bound_of(assertion)
    if isinstance(assertion, AtLeast):
        words = f"the {source} {label_of(assertion.key)} of {values[0]:.{decimals}f}"
        distance = bound - values[0] if isinstance(assertion, AtMost) else values[0] - bound
        return PrintedTruth(_rounded(distance), words, strict=False)
    gain = _rounded((values[1] - values[0]) if is_loss(assertion.key) else (values[0] - values[1]))
    words = f"the {source} gain of {gain:.{decimals}f}"
    if isinstance(assertion, Equivalent):
        return PrintedTruth(_rounded(bound - abs(gain)), words, strict=False)
    distance = bound - gain if isinstance(assertion, NotSuperior) else gain - bound
    return PrintedTruth(_rounded(distance), words, strict=not isinstance(assertion, NotSuperior))


def printed_values(claims: Claims, assertion: Judged, card: str) -> list[float]:
    """List the printed test figures of one card that a part of a statement is about.

    Args:
        claims: The claims.
        assertion: The part of a statement.
        card: The name of the card or of its row.

    Returns:
        The values; empty where none is printed.
    """
    return [figure.value for figure in _figures(claims, assertion, card)]


def bound_of(assertion: Judged) -> float:
    """Return the margin or the bound of a part of a statement."""
    if isinstance(assertion, AtLeast):
        return assertion.value
    return assertion.margin if isinstance(assertion, Superior) else assertion.within


def _implied(claims: Claims, rows: Mapping[str, AuditRow], assertion: Judged, card: str) -> list[tuple[float, int]]:
    """The figures that follow from the only possible matrix of a row, with four decimals."""
    evidence = evidence_of(claims, rows, card, assertion)
    return [(each.values[0], 4) for each in evidence if each.figure is None and each.values[0] == each.values[1]]


def is_loss(key: str) -> bool:
    """Return whether a lower figure is better."""
    record = find_metric(key) or find_multiclass(key)
    return record is not None and record.direction == "lower"


def _figures(claims: Claims, assertion: Judged, card: str) -> list[PublishedFigure]:
    return [
        figure
        for row in claims.rows
        if card in (row.card, row.name)
        for figure in row.figures
        if (figure.key, figure.split, figure.epoch, figure.upper) == (assertion.key, "test", None, None)
    ]


def _rounded(value: float) -> float:
    return 0.0 if abs(value) < _EQUAL else value
