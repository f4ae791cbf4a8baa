"""What an audit reads and writes: figures that were printed together, what a finding rests on, findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmark.evidence.metrics.definitions import Confusion, find_metric, label_of
from benchmark.evidence.published.feasible import Range, printed_range
from reports.claims.model import Interpretation, PrintedMatrix, Row, TestSet
from zoo.models.card import PublishedFigure

Severity = Literal["impossible", "contradiction", "note"]
SEVERITIES: tuple[Severity, ...] = ("impossible", "contradiction", "note")

KINDS = {
    "printed-twice": "one figure stands in two places with two values",
    "off-grid": "a proportion that no whole number of images prints",
    "no-matrix": "no confusion matrix prints these figures together",
    "no-shares": "no number of images and no share of positives prints these figures together",
    "one-matrix": "exactly one confusion matrix prints the row",
    "test-size": "which of the declared test sets the row fits",
    "sample-size": "how many images a proportion can have counted over",
    "matrix-size": "a printed confusion matrix counts other images than its row",
    "matrix-not-of-row": "a printed confusion matrix does not give its row's figures",
    "matrix-of-other-row": "a printed confusion matrix gives another row's figures",
    "one-class": "decisions said to be of one class, and how many can have been alike",
    "auc-out-of-reach": "an AUC that no scores with these decisions reach",
    "loss-too-low": "a loss below what these decisions cost at least",
    "loss-too-high": "a loss above what these decisions cost at most",
    "loss-of-scores": "a loss below what the printed scores cost at least",
    "best-constant": "the printed scores hold the best answer for every image",
    "above-constant": "a loss above that of the best answer for every image",
    "settings": "a setting stated in two ways",
    "same-name": "two rows under one name",
}
"""What each kind of finding says."""


@dataclass(frozen=True)
class Cited:
    """Something printed that a finding rests on; `figure` when it is a figure."""

    text: str
    where: str
    figure: PublishedFigure | None = None


@dataclass(frozen=True)
class AuditFinding:
    """What the printed figures say about themselves.

    `impossible`: nothing can print these figures as they are read, `statement` saying how. `contradiction`: two things
    that were printed cannot both hold. `note`: a consequence worth knowing. `reading` is set when the finding is about
    one way to take an ambiguous sentence and not about what was printed. `rules_out` are the printed figures that are
    impossible, alone or together; figures they were held against are not among them.
    """

    kind: str
    severity: Severity
    row: str
    reading: str | None
    rests_on: tuple[Cited, ...]
    statement: str
    derivation: str
    rules_out: tuple[PublishedFigure, ...] = ()


@dataclass(frozen=True)
class Group:
    """The figures of one row that belong together: of one split and one moment of training."""

    row: Row
    reading: str | None
    split: str
    figures: tuple[PublishedFigure, ...]

    def of(self, metric: str) -> PublishedFigure | None:
        """The first figure of that metric."""
        return next((figure for figure in self.figures if figure.metric == metric), None)

    def cited(self, metrics: Sequence[str]) -> tuple[Cited, ...]:
        """The figures of these metrics, in their order."""
        return tuple(cite(figure) for metric in metrics for figure in self.figures if figure.metric == metric)

    def decisions(self, cut: bool = False) -> dict[str, Range]:
        """Metric of decisions -> everything that prints as its figures here; `cut` as in `printed_range`.

        Where figures of one metric have nothing in common, everything between them: that they differ is a finding of
        its own.
        """
        ranges: dict[str, Range] = {}
        for figure in self.figures:
            metric = find_metric(figure.metric)
            if metric is not None and metric.uses_threshold:
                new, old = figure_range(figure, cut), ranges.get(figure.metric)
                ranges[figure.metric] = new if old is None else _common(old, new)
        return ranges

    def finding(
        self,
        kind: str,
        severity: Severity,
        rests_on: Sequence[Cited],
        statement: str,
        derivation: str,
        rules_out: Sequence[Cited] = (),
    ) -> AuditFinding:
        """A finding about this group."""
        figures = tuple(each.figure for each in rules_out if each.figure is not None)
        return AuditFinding(
            kind, severity, self.row.name, self.reading, tuple(rests_on), statement, derivation, figures
        )


def groups(row: Row, reading: Interpretation | None = None) -> Iterator[Group]:
    """The row's figures by split and moment; one said of every epoch joins the first and the last.

    With a `reading`, only groups that hold figures of it, each with the row's other figures.
    """
    figures, own = row.figures, reading.figures if reading else ()
    if reading is not None:
        replaced = {(figure.metric, figure.split, figure.epoch) for figure in own}
        kept = tuple(f for f in figures if (f.metric, f.split, f.epoch) not in replaced)
        figures = (*own, *kept)
    moments = {(figure.split, figure.epoch): None for figure in figures}
    for split, epoch in moments:
        if epoch == "every" and ((split, "first") in moments or (split, "last") in moments):
            continue
        together = tuple(
            figure
            for figure in figures
            if figure.split == split and (figure.epoch == epoch or (figure.epoch == "every" and epoch is not None))
        )
        if reading is None or any(figure in own for figure in together):
            yield Group(row, reading.meaning if reading else None, split, together)


def figure_range(figure: PublishedFigure, cut: bool = False) -> Range:
    """Everything that prints as `figure`; a count stands for itself."""
    metric = find_metric(figure.metric)
    counted = metric is not None and metric.kind == "count"
    return printed_range(figure.value, figure.decimals, figure.upper, cut and not counted)


def cite(figure: PublishedFigure) -> Cited:
    """The figure with its split and where it stands."""
    moment = f", {figure.epoch} epoch" if figure.epoch else ""
    return Cited(f"{named(figure)}{moment}", figure.location, figure)


def named(figure: PublishedFigure) -> str:
    """`test accuracy 0.7671`."""
    return f"{figure.split} {label_of(figure.metric)} {printed(figure)}"


def printed(figure: PublishedFigure) -> str:
    """The value or the range as it was printed."""
    text = f"{figure.value:.{figure.decimals}f}"
    return text if figure.upper is None else f"{text}–{figure.upper:.{figure.decimals}f}"


def counts(matrix: Confusion | PrintedMatrix) -> str:
    """The four counts in a sentence."""
    return f"TP {matrix.tp}, FP {matrix.fp}, TN {matrix.tn}, FN {matrix.fn}"


def sizes(test: TestSet) -> str:
    """The two class sizes, negatives first."""
    return f"{test.negatives} + {test.positives}"


def _common(one: Range, other: Range) -> Range:
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low <= high else (min(one[0], other[0]), max(one[1], other[1]))
