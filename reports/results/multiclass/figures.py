"""The test results of cards on three or more classes as plain data: matrices, curves and calibration of each class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from benchmark.evidence.calibration.class_wise import MulticlassReliability, assess_multiclass
from benchmark.evidence.metrics.forms import matrix
from benchmark.evidence.metrics.influence import Labels
from benchmark.evidence.scores import MulticlassScores
from benchmark.runs.history import Histories
from reports.results.curves import Curve, SeedHistory, curves_without_bands, learning_curves
from reports.results.measured import MulticlassResults
from reports.results.multiclass.decision_text import decision_remarks

ARGMAX = "the class with the highest score"
"""The rule of decisions that need no choice on validation."""


@dataclass(frozen=True)
class ClassMatrix:
    """The decisions on images of each class. Row and column i belong to class i.

    Attributes:
        counts: The numbers of images (k, k): rows are true classes, columns are called classes.
        abstained: The number of images of each true class (k,) on which no class was called.
        by_row: The share of each cell among the images of its true class, abstentions included; None for a class
            without images.
        by_column: The share of each cell among the images that were called its class; None for a class that was never
            called.
    """

    counts: tuple[tuple[int, ...], ...]
    abstained: tuple[int, ...]
    by_row: tuple[tuple[float | None, ...], ...]
    by_column: tuple[tuple[float | None, ...], ...]

    @classmethod
    def of(cls, counts: Sequence[Sequence[int]], abstained: Sequence[int]) -> ClassMatrix:
        """The matrix of these counts (k, k) and abstentions (k,), with its shares."""
        images = [sum(row) + extra for row, extra in zip(counts, abstained, strict=True)]
        called = [sum(column) for column in zip(*counts, strict=True)]
        return cls(
            counts=tuple(tuple(row) for row in counts),
            abstained=tuple(abstained),
            by_row=tuple(tuple(_share(n, total) for n in row) for row, total in zip(counts, images, strict=True)),
            by_column=tuple(tuple(_share(n, total) for n, total in zip(row, called, strict=True)) for row in counts),
        )

    @property
    def images(self) -> int:
        """The number of images."""
        return sum(map(sum, self.counts)) + sum(self.abstained)


@dataclass(frozen=True)
class DecidedRuns:
    """The decisions of every run of a card by one rule.

    Attributes:
        rule: The rule in words.
        runs: The matrix of each run, in the order of the seeds.
        total: The sum of the matrices.
    """

    rule: str
    runs: tuple[ClassMatrix, ...]
    total: ClassMatrix


@dataclass(frozen=True)
class ClassCurves:
    """The curves of one class against the rest on test, as means over seeds without bands.

    Attributes:
        name: The name of the class.
        images: The number of test images of the class.
        prevalence: Their share of the test images.
        roc: The ROC curve (x: share of other images called the class, y: recall); None where there is none.
        precision_recall: The precision-recall curve (x: recall, y: precision); None likewise.
        reason: Why there are no curves.
    """

    name: str
    images: int
    prevalence: float
    roc: Curve | None
    precision_recall: Curve | None
    reason: str | None = None


@dataclass(frozen=True)
class MulticlassProbabilities:
    """Calibration of one run on test, fitted on validation.

    Attributes:
        seed: The seed.
        method: The name of the calibrator.
        accepted: Whether the calibrator is used; False where it was rolled back.
        reason: Why it was rolled back.
        before: The reliability of the scores.
        after: The reliability of the calibrated scores; None where the calibrator was rolled back.
    """

    seed: int
    method: str
    accepted: bool
    reason: str | None
    before: MulticlassReliability
    after: MulticlassReliability | None


@dataclass(frozen=True)
class MulticlassCard:
    """What one card has for three or more classes, all seeds on the same test images.

    Attributes:
        card: Name of the card.
        seeds: The seeds.
        argmax: The decisions for the class with the highest score.
        chosen: The decisions by the protocol's rule; None where it is argmax, or where a run chose no decision.
        curves: The curves of each class, in the order of the classes.
        probabilities: The calibration of each run, in the order of the seeds.
        history: The learning curves of each seed, and of each fold.
        notes: Sentences about single seeds.
    """

    card: str
    seeds: tuple[int, ...]
    argmax: DecidedRuns
    chosen: DecidedRuns | None
    curves: tuple[ClassCurves, ...]
    probabilities: tuple[MulticlassProbabilities, ...]
    history: tuple[SeedHistory, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MulticlassSection:
    """The part of a section that only three or more classes have.

    Attributes:
        classes: The names of the classes, in the order of the scores.
        ordered: Whether their order is a scale.
        cards: The cards with finished runs, by name.
    """

    classes: tuple[str, ...]
    ordered: bool
    cards: tuple[MulticlassCard, ...]

    def card(self, name: str) -> MulticlassCard | None:
        """The card `name`; None if it has no finished run."""
        return next((card for card in self.cards if card.card == name), None)


def multiclass_section(
    classes: tuple[str, ...], ordered: bool, measured: Mapping[str, MulticlassResults], history: Histories
) -> MulticlassSection:
    """The matrices, curves and calibration of every card.

    Args:
        classes: The names of the classes.
        ordered: Whether their order is a scale.
        measured: The results by name of card.
        history: Returns the epochs of a run.

    Returns:
        The part of the section.
    """
    with threadpool_limits(1, "blas"):  # calibrators solve small systems, on which more threads only wait
        cards = tuple(multiclass_card(each, history) for each in measured.values())
    return MulticlassSection(classes, ordered, cards)


def multiclass_card(results: MulticlassResults, history: Histories) -> MulticlassCard:
    """The matrices, curves and calibration of one card; `history` returns the epochs of a run."""
    chosen, decision = results.chosen, results.runs[0].decision
    return MulticlassCard(
        card=results.card.name,
        seeds=tuple(run.spec.seed for run in results.runs),
        argmax=_decided(ARGMAX, results.test, results.argmax),
        chosen=None if chosen is None or decision is None else _decided(decision.in_words(), results.test, chosen),
        curves=tuple(_class_curves(results)),
        probabilities=tuple(_probabilities(results)),
        history=learning_curves(results.runs, history),
        notes=tuple(_notes(results)),
    )


def class_matrix(scores: MulticlassScores, decided: Labels) -> ClassMatrix:
    """The decisions (n,) on images of each class; -1 is an abstention."""
    counts = matrix(scores, decided).astype(np.int64)
    return ClassMatrix.of(counts[:, :-1].tolist(), counts[:, -1].tolist())


def _decided(rule: str, runs: Sequence[MulticlassScores], decided: Sequence[Labels]) -> DecidedRuns:
    matrices = tuple(class_matrix(scores, labels) for scores, labels in zip(runs, decided, strict=True))
    total = np.sum([each.counts for each in matrices], axis=0)
    abstained = np.sum([each.abstained for each in matrices], axis=0)
    return DecidedRuns(rule, matrices, ClassMatrix.of(total.tolist(), abstained.tolist()))


def _notes(results: MulticlassResults) -> Iterator[str]:
    for run, test in zip(results.runs, results.test, strict=True):
        if np.ptp(test.y_score, axis=0).max() == 0:
            yield f"Seed {run.spec.seed}: all images have the same scores."
        decision = run.decision
        if decision is not None and decision.reason is not None:
            yield f"Seed {run.spec.seed}: nothing was chosen on validation: {decision.reason}."
        if decision is not None and (remarks := decision_remarks(decision)):
            yield f"Seed {run.spec.seed}: {'; '.join(remarks)}."


def _share(count: int, total: int) -> float | None:
    return count / total if total else None


def _class_curves(results: MulticlassResults) -> Iterator[ClassCurves]:
    y_true = results.test[0].y_true
    for label, name in enumerate(results.classes):
        roc, precision_recall, reason = curves_without_bands([scores.one_vs_rest(label) for scores in results.test])
        images = int(np.count_nonzero(y_true == label))
        yield ClassCurves(name, images, images / len(y_true), roc, precision_recall, reason)


def _probabilities(results: MulticlassResults) -> Iterator[MulticlassProbabilities]:
    for run, test, (calibrator, served) in zip(results.runs, results.test, results.served, strict=True):
        yield MulticlassProbabilities(
            seed=run.spec.seed,
            method=calibrator.method,
            accepted=calibrator.accepted,
            reason=calibrator.reason,
            before=assess_multiclass(test),
            after=assess_multiclass(served) if calibrator.accepted else None,
        )
