"""The figures of an external validation on one set of images, by group."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

import numpy as np

from benchmark.evidence.calibration.reliability import assess
from benchmark.evidence.external.negatives import NPV, negative_predictive_value
from benchmark.evidence.external.observed_expected import OBSERVED_EXPECTED, observed_expected, share_of
from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.intervals.multiclass import multiclass_figures
from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.metrics.multiclass import argmax, multiclass_metrics
from benchmark.evidence.metrics.registry import Figure, label_of, measures
from benchmark.evidence.scores import AnyScores, MulticlassScores, Scores
from benchmark.runs.deployment.decision_rule import DecisionRule
from benchmark.runs.deployment.multiclass import AnyDecisionRule
from benchmark.runs.outcome import Choice, costs_of, figures_of, is_chosen
from reports.results.comparison.leading import depends_on_decisions
from reports.results.multiclass.text import overall_keys

Group = Literal["discrimination", "decisions", "calibration", "images"]
"""What a figure is about; `calibration` is of the probabilities as `zoo predict` gives them."""

Key = tuple[Group, str, str]
"""Group, key and label of a figure."""

PREVALENCE = "prevalence"
_LABELS = MappingProxyType(
    {
        NPV: "NPV",
        "precision": "PPV (precision)",
        "recall": "sensitivity (recall)",
        OBSERVED_EXPECTED: "observed / expected",
        "brier": "Brier score",
    }
)
_CLASS_METRICS = ("recall", "precision", "auc")


def calibrated(decider: AnyDecisionRule, scores: AnyScores) -> AnyScores:
    """The probabilities of images as `zoo predict` gives them, in the type of `scores`."""
    if isinstance(decider, DecisionRule):
        assert isinstance(scores, Scores)  # the run is on two classes
        return decider.calibrator.apply(scores)
    assert isinstance(scores, MulticlassScores)
    return decider.calibrator.apply(scores)


def class_counts(scores: AnyScores, classes: int) -> tuple[int, ...]:
    """Numbers of images of each class."""
    return tuple(np.bincount(scores.y_true, minlength=classes).tolist())


def grouped_figures(
    scores: AnyScores, probabilities: AnyScores, choice: Choice, class_sizes: ClassSizes
) -> dict[Key, Figure]:
    """All figures of one set of images.

    Args:
        scores: The raw scores, on which decisions and ranks rest.
        probabilities: Probabilities of the same images, whose calibration is assessed.
        choice: The threshold or the decision.
        class_sizes: Whether the class sizes were drawn or fixed.

    Returns:
        The figures, with their groups and labels, in the order of a table.
    """
    if isinstance(scores, MulticlassScores) and isinstance(probabilities, MulticlassScores):
        return _of_classes(scores, probabilities, choice, class_sizes)
    if isinstance(scores, Scores) and isinstance(probabilities, Scores):
        return _of_two(scores, probabilities, choice, class_sizes)
    raise TypeError("scores and probabilities have different numbers of classes")


def without_absent(figures: dict[Key, Figure], classes: tuple[str, ...], images: tuple[int, ...]) -> dict[Key, Figure]:
    """Figures of images that lack a class of the model: those that need this class are missing.

    Some of them have a value by their formula, such as a precision of 0 without any positive image, which says nothing
    about the model.

    Args:
        figures: The figures of `grouped_figures`.
        classes: The classes of the model; of two, the positive one is last.
        images: Numbers of images of each class.

    Returns:
        The figures, with a reason instead of a value where an image of an absent class is needed.
    """
    absent = [name for name, count in zip(classes, images, strict=True) if not count]
    if not absent:
        return figures
    if len(classes) == 2:
        present = "recall" if images[1] else "specificity"
        needless = {"accuracy", present, "brier", "log_loss", PREVALENCE}
        needy = {key for _, key, _ in figures if key not in needless}
    else:
        of_absent = tuple(f":class:{name}" for name in absent)
        averaged = {key for _, key, _ in figures if key.endswith(":macro") or key == "balanced_accuracy"}
        needy = {key for _, key, _ in figures if key.endswith(of_absent) and not key.startswith(PREVALENCE)} | averaged
    reason = f"no image is of {', '.join(absent)}"
    return {key: Figure.missing(key[1], reason) if key[1] in needy else figure for key, figure in figures.items()}


def _of_two(scores: Scores, probabilities: Scores, choice: Choice, class_sizes: ClassSizes) -> dict[Key, Figure]:
    threshold = choice.value
    by_choice: dict[str, Figure] = {}
    if isinstance(threshold, float | int):
        by_choice = figures_of(scores, choice, class_sizes)
        by_choice[NPV] = negative_predictive_value(scores, threshold, class_sizes)
    by_rank = figures(scores, 0.5, class_sizes)
    result: dict[Key, Figure] = {}
    for name in measures(lambda metric: not metric.uses_threshold and metric.kind != "loss"):
        result["discrimination", name, _label(name)] = by_rank[name]
    names = list(measures(lambda metric: metric.uses_threshold))
    place = names.index("precision") + 1 if "precision" in names else len(names)
    for name in (*names[:place], NPV, *names[place:]):
        missing = Figure.missing(name, f"no threshold was chosen: {getattr(choice, 'reason', None) or 'unknown'}")
        result["decisions", name, _label(name)] = by_choice.get(name, missing)
    assessed, losses = assess(probabilities), figures(probabilities, 0.5, class_sizes)
    of_calibration = [observed_expected(probabilities), assessed.in_the_large, assessed.slope]
    of_calibration += [losses[name] for name in measures(lambda metric: metric.kind == "loss")]
    for figure in of_calibration:
        result["calibration", figure.metric, _label(figure.metric)] = figure
    result["images", PREVALENCE, PREVALENCE] = share_of(PREVALENCE, scores.y_true == 1, scores.patient)
    return result


def _of_classes(
    scores: MulticlassScores, probabilities: MulticlassScores, choice: Choice, class_sizes: ClassSizes
) -> dict[Key, Figure]:
    by_choice = figures_of(scores, choice, class_sizes, costs_of(choice)) if is_chosen(choice) else {}
    decided = argmax(scores)
    of_raw = multiclass_figures(scores, decided, class_sizes)
    losses = multiclass_figures(probabilities, decided, class_sizes)
    records = multiclass_metrics(scores.classes, ordered=scores.ordered)
    overall = [key for key in {**of_raw, **by_choice} if key in set(overall_keys({**of_raw, **by_choice}))]
    of_class = [f"{metric}:class:{name}" for metric in _CLASS_METRICS for name in scores.classes]
    result: dict[Key, Figure] = {}
    loss_keys = [key for key in ("log_loss", "brier") if key in records]
    for key in (*overall, *of_class):
        if key not in loss_keys and not depends_on_decisions(key):
            result["discrimination", key, label_of(key)] = of_raw[key]
    for key in (*overall, *of_class):
        if depends_on_decisions(key):
            missing = Figure.missing(key, f"no decision was chosen: {getattr(choice, 'reason', None) or 'unknown'}")
            result["decisions", key, label_of(key)] = by_choice.get(key, missing)
    for label, name in enumerate(scores.classes):
        one = probabilities.one_vs_rest(label)
        assessed = assess(one)
        for figure in (observed_expected(one), assessed.in_the_large, assessed.slope):
            key = f"{figure.metric}:class:{name}"
            result["calibration", key, f"{_label(figure.metric)}, {name}"] = _renamed(figure, key)
    for key in loss_keys:
        result["calibration", key, _label(key)] = losses[key]
    for label, name in enumerate(scores.classes):
        key = f"{PREVALENCE}:class:{name}"
        result["images", key, f"{PREVALENCE}, {name}"] = share_of(key, scores.y_true == label, scores.patient)
    return result


def _renamed(figure: Figure, key: str) -> Figure:
    return Figure(key, figure.value, figure.low, figure.high, figure.method, figure.reason, figure.caution)


def _label(key: str) -> str:
    return _LABELS.get(key) or label_of(key)
