"""The input and output of an audit: figures that were printed together, and findings with their citations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.printed import is_count, is_of_counts, printed_label
from benchmark.evidence.metrics.registry import Confusion
from benchmark.evidence.published.feasible import Range, Rounding, cut_range, printed_range
from reports.claims.printed import Interpretation, MulticlassTestSet, PrintedMatrix, Row, TestSet
from zoo.models.published import PublishedFigure

Severity = Literal["impossible", "contradiction", "ambiguous", "note"]
SEVERITIES: tuple[Severity, ...] = ("impossible", "contradiction", "ambiguous", "note")

Outcome = Literal["impossible", "contradictory", "would fit", "consistent", "not checked"]
"""What the audit says about the printed figures of a row: no data give them; they contradict something else that is
printed; they fit only with a meaning that the row does not state; they fit as stated; nothing could be checked."""

KINDS = {
    "printed-twice": "one figure is printed with two values",
    "off-grid": "a proportion that no whole number of images gives",
    "no-matrix": "no confusion matrix gives these figures together",
    "no-shares": "no number of images and no share of positives gives these figures together",
    "rates": "rates that contradict each other at the stated class sizes, whatever whole numbers they come from",
    "no-mean": "figures that are no means over the stated number of folds or seeds",
    "would-fit": "figures that fit only with a meaning that the row does not state",
    "matrix-would-fit": "a printed confusion matrix that fits transposed, or with its classes swapped",
    "prevalence": "the share of positives and the smallest number of images that the rates imply",
    "auc-of-decisions": "an AUC that is the balanced accuracy of the decisions",
    "interval": "a printed interval or standard deviation that its figure or its test set cannot have",
    "one-matrix": "exactly one confusion matrix gives the row",
    "test-size": "which of the declared test sets the row fits",
    "averages": "figures over several classes that no decisions average to",
    "misprint": "which single misprint would explain contradictory figures, and what should have been printed",
    "sample-size": "the smallest number of images that a proportion can be based on",
    "sources": "figures of one row that two places print, each possible alone and not together",
    "matrix-size": "a printed confusion matrix has other class sizes than the test set of its row",
    "matrix-not-of-row": "a printed confusion matrix does not give its row's figures",
    "matrix-of-other-row": "a printed confusion matrix gives another row's figures",
    "one-class": "decisions reported as all the same, and how many can have been",
    "auc-out-of-reach": "an AUC that no scores with these decisions can have",
    "loss-too-low": "a loss below the minimum for these decisions",
    "loss-too-high": "a loss above the maximum for these decisions",
    "loss-of-scores": "a loss below the minimum for the printed scores",
    "best-constant": "the printed scores include the best constant prediction",
    "above-constant": "a loss above that of the best constant prediction",
    "settings": "a setting with two stated values",
    "same-name": "two rows with one name",
    "sentence": "a sentence that the printed figures, or the figures that they imply, contradict",
    "sentence-support": "whether the printed figures show a sentence, only agree with it, or say nothing about it",
    "unknown-name": "a sentence about a name that no row and no card has, and that resembles a row",
}
"""Each kind of finding, with its meaning."""


@dataclass(frozen=True)
class Citation:
    """Evidence that a finding cites: printed text and its location, and the figure where it is one."""

    text: str
    where: str
    figure: PublishedFigure | None = None


@dataclass(frozen=True)
class Explanation:
    """A misprint that alone would explain the contradictions of a row.

    Attributes:
        printed: The printed number, with its name.
        would_be: What should have been printed; None where it does not follow.
        matrices: The confusion matrices of two classes with which all other figures agree, at most ten.
        matrix_count: The number of these matrices; None where they are not known.
    """

    printed: str
    would_be: str | None = None
    matrices: tuple[Confusion, ...] = ()
    matrix_count: int | None = None


@dataclass(frozen=True)
class AuditFinding:
    """A consequence of the printed figures.

    Attributes:
        kind: One of `KINDS`.
        severity: `impossible` when no data can give these figures, `contradiction` when two printed things cannot both
            be true, `ambiguous` when the figures fit only with a meaning that is not stated, `note` for a consequence
            worth knowing.
        row: Name of the row.
        reading: The interpretation of an ambiguous sentence under which the finding appears; None for a finding about
            the printed figures themselves.
        rests_on: The evidence.
        statement: The finding in a sentence.
        derivation: How it follows from the evidence.
        rules_out: The printed figures that are impossible, alone or together. Figures that they were compared with are
            not among them.
        explanations: The misprints that a finding of the kind `misprint` names.
        would_fit: The meanings that a finding of the kind `would-fit` names.
    """

    kind: str
    severity: Severity
    row: str
    reading: str | None
    rests_on: tuple[Citation, ...]
    statement: str
    derivation: str
    rules_out: tuple[PublishedFigure, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    would_fit: tuple[str, ...] = ()


@dataclass(frozen=True)
class FigureSet:
    """The figures of one row for one split and one moment of training."""

    row: Row
    reading: str | None
    split: str
    figures: tuple[PublishedFigure, ...]

    def of(self, metric: str) -> PublishedFigure | None:
        """The first figure of a metric, or of a key of several classes; None where the set has none."""
        return next((figure for figure in self.figures if figure.key == metric), None)

    def cited(self, metrics: Sequence[str]) -> tuple[Citation, ...]:
        """Citations of the figures of these metrics, or keys of several classes, in the order of `metrics`."""
        return tuple(cite(figure) for metric in metrics for figure in self.figures if figure.key == metric)

    def decisions(self, rounding: Rounding = "rounded") -> dict[str, Range]:
        """The values that each printed figure that follows from a confusion matrix can have.

        Where two figures of one metric have no value in common, the range spans both: `printed_twice` reports them.

        Args:
            rounding: Whether all figures were rounded or cut to their decimals; `either` allows each figure both.

        Returns:
            Lower and upper end by the name of the metric.
        """
        return self._ranges([each for each in self.figures if is_of_counts(each.key)], rounding)

    def of_classes(self, rounding: Rounding = "either") -> dict[str, Range]:
        """The values that each printed figure of several classes can have, by its key."""
        return self._ranges([each for each in self.figures if find_multiclass(each.key) is not None], rounding)

    def _ranges(self, figures: Sequence[PublishedFigure], rounding: Rounding) -> dict[str, Range]:
        ranges: dict[str, Range] = {}
        for figure in figures:
            new, old = figure_range(figure, rounding), ranges.get(figure.key)
            ranges[figure.key] = new if old is None else _common(old, new)
        return ranges

    def finding(
        self,
        kind: str,
        severity: Severity,
        rests_on: Sequence[Citation],
        statement: str,
        derivation: str,
        rules_out: Sequence[Citation] = (),
        explanations: Sequence[Explanation] = (),
        would_fit: Sequence[str] = (),
    ) -> AuditFinding:
        """A finding about this set.

        Args:
            kind: One of `KINDS`.
            severity: One of `SEVERITIES`.
            rests_on: The evidence.
            statement: The finding in a sentence.
            derivation: How it follows from the evidence.
            rules_out: Citations of the figures that it shows to be impossible.
            explanations: The misprints that it names.
            would_fit: The meanings that it names.

        Returns:
            The finding, with the row and the interpretation of this set.
        """
        figures = tuple(each.figure for each in rules_out if each.figure is not None)
        return AuditFinding(
            kind,
            severity,
            self.row.name,
            self.reading,
            tuple(rests_on),
            statement,
            derivation,
            figures,
            tuple(explanations),
            tuple(would_fit),
        )


@dataclass(frozen=True)
class DerivedFigure:
    """A metric that follows from the printed figures of a row.

    Attributes:
        metric: Name of the metric; for three classes or more the key of the figure.
        low: Its smallest value over all feasible confusion matrices.
        high: Its largest value.
        interval: Its 95% interval, which covers those of all feasible matrices; None where no method exists.
        method: Name of the method; None without an interval.
    """

    metric: str
    low: float
    high: float
    interval: Range | None
    method: str | None


@dataclass(frozen=True)
class AuditRow:
    """A row of the claims, with the confusion matrices that give its final test figures.

    Attributes:
        name: Name of the row.
        called: Its name in the report, if it has one.
        test: Its test set; None where it is not stated.
        matrices: The matrices of two classes that give the figures if these were rounded; None where they cannot be
            listed.
        cut: The further matrices that give them if they were truncated; None where they cannot be listed.
        reason: Why the matrices cannot be listed.
        derived: The metrics that follow from `matrices`, or from `cut` where that is empty.
        outcome: What the audit says about its printed figures.
        would_fit: The meanings with which the figures fit, where they do not fit as stated.
        misprint: The only single misprint that explains the contradictions of the row; None without exactly one.
    """

    name: str
    called: str | None
    test: TestSet | MulticlassTestSet | None
    matrices: tuple[Confusion, ...] | None
    cut: tuple[Confusion, ...] | None
    reason: str | None
    derived: tuple[DerivedFigure, ...]
    outcome: Outcome = "not checked"
    would_fit: tuple[str, ...] = ()
    misprint: Explanation | None = None


def figure_sets(row: Row, reading: Interpretation | None = None) -> Iterator[FigureSet]:
    """The figures of a row by split and moment.

    A figure that was printed for every epoch joins the sets of the first and of the last epoch.

    Args:
        row: A row of the claims.
        reading: An interpretation of an ambiguous sentence. Its figures replace those of the row.

    Yields:
        A set for each split and moment; with a `reading`, only the sets that contain one of its figures.
    """
    figures, interpreted = row.figures, reading.figures if reading else ()
    if reading is not None:
        replaced = {(figure.key, figure.split, figure.epoch) for figure in interpreted}
        others = tuple(f for f in figures if (f.key, f.split, f.epoch) not in replaced)
        figures = (*interpreted, *others)
    moments = {(figure.split, figure.epoch): None for figure in figures}
    for split, epoch in moments:
        if epoch == "every" and ((split, "first") in moments or (split, "last") in moments):
            continue
        together = tuple(
            figure
            for figure in figures
            if figure.split == split and (figure.epoch == epoch or (figure.epoch == "every" and epoch is not None))
        )
        if reading is None or any(figure in interpreted for figure in together):
            yield FigureSet(row, reading.meaning if reading else None, split, together)


def figure_range(figure: PublishedFigure, rounding: Rounding = "rounded") -> Range:
    """The range of values that print as `figure`: rounded, cut, or either. A count is exact."""
    if rounding == "rounded" or is_count(figure.metric):
        return printed_range(figure.value, figure.decimals, figure.upper)
    if rounding == "cut":
        return cut_range(figure.value, figure.decimals, figure.upper)
    return printed_range(figure.value, figure.decimals, figure.upper, cut=True)


def cite(figure: PublishedFigure) -> Citation:
    """A citation of the figure, with its split, moment and location."""
    moment = f", {figure.epoch} epoch" if figure.epoch else ""
    return Citation(f"{named(figure)}{moment}", figure.location, figure)


def named(figure: PublishedFigure) -> str:
    """A figure as text: `test accuracy 0.7671`."""
    return f"{figure.split} {printed_label(figure.key)} {printed(figure)}"


def printed(figure: PublishedFigure) -> str:
    """The value or the range with the decimals it was printed with."""
    text = f"{figure.value:.{figure.decimals}f}"
    return text if figure.upper is None else f"{text}–{figure.upper:.{figure.decimals}f}"


def counts(matrix: Confusion | PrintedMatrix) -> str:
    """The four counts as text: `TP 1, FP 2, TN 3, FN 4`."""
    return f"TP {matrix.tp}, FP {matrix.fp}, TN {matrix.tn}, FN {matrix.fn}"


def sizes(test: TestSet | MulticlassTestSet) -> str:
    """The class sizes as text, of two classes the negatives first: `12 + 34`."""
    if isinstance(test, MulticlassTestSet):
        return " + ".join(map(str, test.sizes.values()))
    return f"{test.negatives} + {test.positives}"


def _common(one: Range, other: Range) -> Range:
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low <= high else (min(one[0], other[0]), max(one[1], other[1]))
