"""From scores to a record: what is chosen on validation, figures at the default and the chosen decisions, diagnosis.

Two classes have a threshold, 0.5 by default. More have a decision, by default the class with the highest score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmark.evidence.decisions.choice import choose_decision
from benchmark.evidence.decisions.decide import Decision, decide, decide_all
from benchmark.evidence.diagnosis.diagnoses import SPLIT_FAULTS, Finding, diagnose
from benchmark.evidence.diagnosis.multiclass import diagnose_multiclass
from benchmark.evidence.diagnosis.training_record import TrainingDiagnostics
from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.intervals.multiclass import multiclass_figures
from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.metrics.multiclass import multiclass_metrics
from benchmark.evidence.metrics.registry import Figure, values
from benchmark.evidence.scores import AnyScores, MulticlassScores, MulticlassValidationScores, Scores, ValidationScores
from benchmark.evidence.thresholds.choice import Threshold, choose_with_interval
from benchmark.runs.protocol import Protocol
from zoo.models.card import ModelCard

HALF = 0.5
Choice = Threshold | Decision
"""A threshold of two classes, or a decision among more."""

Costs = Sequence[Sequence[float]] | None


def choose(protocol: Protocol, val: AnyScores) -> Choice:
    """Choose on validation scores as the protocol asks.

    Args:
        protocol: The protocol.
        val: Validation scores.

    Returns:
        The choice; with a reason if nothing could be chosen.

    Raises:
        TypeError: The scores are from another split.
    """
    if isinstance(val, ValidationScores):
        rule = protocol.threshold
        return choose_with_interval(val, rule.rule, rule.value, confidence=rule.confidence)
    if isinstance(val, MulticlassValidationScores):
        return choose_decision(val, **protocol.decision.parameters, class_sizes=protocol.class_sizes)
    raise TypeError(f"a decision is chosen on validation scores, not on {type(val).__name__}")


def unintended(findings: Iterable[Finding], card: ModelCard) -> tuple[Finding, ...]:
    """Return the findings without what a card does by design: the same answer for every image is no collapse.

    Args:
        findings: The diagnosis of a run.
        card: Its card.

    Returns:
        All findings, or those about data and split for a card that looks at nothing.
    """
    return tuple(finding for finding in findings if not card.looks_at_nothing or finding.code in SPLIT_FAULTS)


def is_chosen(choice: Choice) -> bool:
    """Return whether the choice has a value; else only the default decisions exist."""
    return choice.is_chosen if isinstance(choice, Decision) else choice.value is not None


def default_decision(scores: AnyScores) -> Choice:
    """Return the decisions before anything is chosen: at 0.5, or for the class with the highest score."""
    if isinstance(scores, MulticlassScores):
        return Decision(classes=scores.classes)
    return Threshold(HALF, "fixed")


def figures_of(scores: AnyScores, choice: Choice, class_sizes: ClassSizes, costs: Costs = None) -> dict[str, Figure]:
    """Compute the figures of decisions, with intervals.

    Args:
        scores: Scores of one split.
        choice: A threshold or decision for these scores, with a value.
        class_sizes: Whether the class sizes were drawn or fixed.
        costs: The costs behind the expected cost of three or more classes; None: there is no such figure.

    Returns:
        The figures by metric or key.

    Raises:
        TypeError: The choice is for another number of classes, or has no value.
    """
    if isinstance(scores, MulticlassScores) and isinstance(choice, Decision):
        decided = decide_all(choice, scores)
        return multiclass_figures(scores, decided, class_sizes, costs=costs, abstains=choice.abstains)
    if isinstance(scores, Scores) and isinstance(choice, Threshold) and choice.value is not None:
        return figures(scores, choice.value, class_sizes)
    raise TypeError(f"{choice} does not decide on {type(scores).__name__}")


def values_of(
    scores: AnyScores, choice: Choice, known: Mapping[str, float | None], costs: Costs = None
) -> dict[str, float | None]:
    """Compute the values of `figures_of` without intervals.

    Args:
        scores: Scores of one split.
        choice: A threshold or decision for these scores, with a value.
        known: Values that are used as they are.
        costs: As in `figures_of`.

    Returns:
        Values by metric or key; None where undefined. A metric whose function fails is absent.

    Raises:
        TypeError: As `figures_of` does.
    """
    if isinstance(scores, MulticlassScores) and isinstance(choice, Decision):
        records = multiclass_metrics(scores.classes, ordered=scores.ordered, costs=costs, abstains=choice.abstains)
        decided = decide(choice, scores.y_score)
        return {key: known[key] if key in known else record.value(scores, decided) for key, record in records.items()}
    if isinstance(scores, Scores) and isinstance(choice, Threshold) and choice.value is not None:
        return values(scores, choice.value, known)
    raise TypeError(f"{choice} does not decide on {type(scores).__name__}")


def costs_of(choice: Choice | None) -> Costs:
    """Return the costs (k, k) of a decision by true and predicted class; None without any."""
    return choice.costs if isinstance(choice, Decision) else None


def findings(
    val: AnyScores,
    test: AnyScores | None,
    curves: Mapping[str, Sequence[float]],
    *,
    classes: tuple[str, ...],
    checks: TrainingDiagnostics | None,
    losses: Mapping[str, float] | None,
    counts: Mapping[str, tuple[int, ...]] | None,
) -> tuple[Finding, ...]:
    """Diagnose a run.

    Args:
        val: Validation scores.
        test: Test scores; None if test was not scored.
        curves: loss, accuracy, val_loss and val_accuracy, one value per epoch each.
        classes: The names of the classes.
        checks: Records of training time; None if there are none.
        losses: Reported losses by split; None unless the training loss is cross-entropy.
        counts: Numbers of images of each class by split; None if they are not recorded.

    Returns:
        The faults, in the order of the checks.

    Raises:
        TypeError: The scores of the two splits are not of the same number of classes.
    """
    if isinstance(val, Scores) and not isinstance(test, MulticlassScores):
        return diagnose(val, test, curves, classes=classes, checks=checks, losses=losses, counts=counts)
    if isinstance(val, MulticlassScores) and not isinstance(test, Scores):
        return diagnose_multiclass(val, test, curves, classes=classes, checks=checks, losses=losses, counts=counts)
    raise TypeError("validation and test have different numbers of classes")
