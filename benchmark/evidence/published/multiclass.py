"""Which decisions over three classes or more could have produced printed figures.

A printed figure is a range: all values that print as it. Undefined figures are 0, as in scikit-learn. Every image has
one class and is predicted as one class.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmark.evidence.metrics.agreement import correlation, kappa, quadratic_kappa
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.registry import Confusion, find_metric
from benchmark.evidence.published.averages import averages_are_possible
from benchmark.evidence.published.class_counts import counts_are_possible
from benchmark.evidence.published.feasible import Range, metric_of

ClassMatrix = Sequence[Sequence[int]]
"""Counts of images by true class (rows) and predicted class (columns)."""

Rule = Literal["whole number", "same", "mean", "weighted mean", "between", "averages", "decisions"]
"""Why figures contradict each other: no whole number of images gives a share; they are one figure; the classes have
another mean; accuracy is outside of the recalls; mlscorecheck finds no counts; no whole numbers of decisions exist."""

SAME = (
    ("accuracy", "recall:weighted", "recall:micro", "precision:micro", "f1:micro"),
    ("balanced_accuracy", "recall:macro"),
)
"""Figures that are equal for any decisions with one class per image."""

_OF_MATRIX = {"mcc": correlation, "kappa": kappa, "quadratic_kappa": quadratic_kappa}
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Contradiction:
    """Figures that no decisions give together, and the rule that shows it."""

    keys: tuple[str, ...]
    rule: Rule


def figure_of_matrix(matrix: ClassMatrix, classes: Sequence[str], key: str) -> float | None:
    """Compute a figure from a confusion matrix.

    Args:
        matrix: Counts (k, k) by true class and predicted class.
        classes: The k class names.
        key: The key of the figure.

    Returns:
        The value, 0 if undefined; None if it does not follow from decisions.
    """
    parsed = MeasureKey.parse(key)
    if parsed.average is None and parsed.of_class is None:
        return _of_all(matrix, parsed.metric)
    record = find_metric(parsed.metric)
    if record is None or record.of_decisions is None:
        return None
    each = [one_against_rest(matrix, label) for label in range(len(classes))]
    if parsed.of_class is not None:
        return metric_of(each[list(classes).index(parsed.of_class)], parsed.metric)
    if parsed.average == "micro":
        pooled = Confusion(*(sum(getattr(one, name) for one in each) for name in ("tp", "fp", "tn", "fn")))
        return metric_of(pooled, parsed.metric)
    weights = [1 if parsed.average == "macro" else one.tp + one.fn for one in each]
    values = [metric_of(one, parsed.metric) for one in each]
    return math.fsum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)


def one_against_rest(matrix: ClassMatrix, label: int) -> Confusion:
    """Return the counts of class `label` as the positive class against all others."""
    total, row, column = sum(map(sum, matrix)), sum(matrix[label]), sum(each[label] for each in matrix)
    tp = matrix[label][label]
    return Confusion(tp=tp, fp=column - tp, tn=total - row - column + tp, fn=row - tp)


def contradictions(
    ranges: Mapping[str, Range],
    classes: Sequence[str],
    sizes: Mapping[str, int] | None,
    *,
    of_means: bool = False,
) -> tuple[Contradiction, ...]:
    """Find figures that no decisions give together.

    Args:
        ranges: (low, high) by key of the figure.
        classes: The names of all classes; empty where they are not known.
        sizes: The number of images by class; None where it is not known.
        of_means: Whether the figures are means over several trainings. Then only rules that hold for means apply.

    Returns:
        Contradictions without a figure in common, the simplest rule first; empty if the figures are possible together.
    """
    remaining = dict(ranges)
    contradicting: list[Contradiction] = []
    of_one_set = (_no_whole_number, _unequal, _not_means, _no_averages, _no_decisions)
    for find in (_unequal, _not_means) if of_means else of_one_set:
        while (contradiction := find(remaining, classes, sizes)) is not None:
            contradicting.append(contradiction)
            for key in contradiction.keys:
                del remaining[key]
    return tuple(contradicting)


def population(key: str, sizes: Mapping[str, int]) -> int | None:
    """Return the number of images that a figure is a share of; None if it depends on decisions.

    Args:
        key: The key of the figure.
        sizes: The number of images by class.

    Returns:
        All images for accuracy, those of the class for its recall, those of the others for its specificity.
    """
    parsed, total = MeasureKey.parse(key), sum(sizes.values())
    if key in SAME[0]:
        return total
    if parsed.of_class is None or parsed.metric not in ("recall", "specificity"):
        return None
    return sizes[parsed.of_class] if parsed.metric == "recall" else total - sizes[parsed.of_class]


def mean_range(ranges: Sequence[Range], weights: Sequence[float]) -> Range:
    """Return the smallest and the largest weighted mean of values within ranges."""
    total = math.fsum(weights)
    low, high = (math.fsum(w * ends[end] for w, ends in zip(weights, ranges, strict=True)) / total for end in (0, 1))
    return low, high


def _of_all(matrix: ClassMatrix, metric: str) -> float | None:
    counts = np.array(matrix, dtype=np.float64)
    if metric == "accuracy":
        return float(np.trace(counts) / counts.sum())
    if metric == "balanced_accuracy":
        sizes = counts.sum(axis=1)
        return float(np.mean(np.diag(counts)[sizes > 0] / sizes[sizes > 0]))
    if metric not in _OF_MATRIX:
        return None
    with_abstentions = np.concatenate([counts, np.zeros((len(counts), 1))], axis=1)[:, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(_OF_MATRIX[metric](with_abstentions)[0])
    return 0.0 if math.isnan(value) else value


def _no_whole_number(
    ranges: Mapping[str, Range], classes: Sequence[str], sizes: Mapping[str, int] | None
) -> Contradiction | None:
    """A share that no whole number of its images gives."""
    if sizes is None:
        return None
    for key, (low, high) in ranges.items():
        images = population(key, sizes)
        if images is not None and not math.ceil(low * images - _ROUNDING) <= math.floor(high * images + _ROUNDING):
            return Contradiction((key,), "whole number")
    return None


def _unequal(
    ranges: Mapping[str, Range], classes: Sequence[str], sizes: Mapping[str, int] | None
) -> Contradiction | None:
    """Two figures that are one, without a value in common."""
    for group in SAME:
        keys = [key for key in group if key in ranges]
        for i, key in enumerate(keys):
            for other in keys[:i]:
                if not _meet(ranges[key], ranges[other]):
                    return Contradiction((other, key), "same")
    return None


def _not_means(
    ranges: Mapping[str, Range], classes: Sequence[str], sizes: Mapping[str, int] | None
) -> Contradiction | None:
    """An average that the printed figures of the classes cannot have; a class without figure may have any value."""
    for key, bounds in ranges.items():
        for metric, weights, rule in _averages(key, classes, sizes):
            of_classes = [str(MeasureKey(metric, of_class=name)) for name in classes]
            printed = tuple(each for each in of_classes if each in ranges)
            if not printed:
                continue
            if weights is None:
                if len(printed) == len(classes):
                    ends = [ranges[each] for each in printed]
                    between = min(low for low, _ in ends), max(high for _, high in ends)
                    if not _meet(bounds, between):
                        return Contradiction((key, *printed), "between")
                continue
            record = find_metric(metric)
            possible = (0.0, 1.0) if record is None else record.range
            if not _meet(bounds, mean_range([ranges.get(each, possible) for each in of_classes], weights)):
                return Contradiction((key, *printed), rule)
    return None


def _averages(
    key: str, classes: Sequence[str], sizes: Mapping[str, int] | None
) -> Iterator[tuple[str, list[float] | None, Rule]]:
    """The metrics whose figures of the classes average to `key`, with weights; None for unknown weights."""
    parsed = MeasureKey.parse(key)
    macro = key == "balanced_accuracy" or parsed.average == "macro"
    weighted = key in SAME[0] or parsed.average == "weighted"
    if not classes or not (macro or weighted):
        return
    metric = "recall" if key in (*SAME[0], *SAME[1]) else parsed.metric
    if macro:
        yield metric, [1.0] * len(classes), "mean"
    else:
        yield metric, None if sizes is None else [float(sizes[name]) for name in classes], "weighted mean"


def _no_averages(
    ranges: Mapping[str, Range], classes: Sequence[str], sizes: Mapping[str, int] | None
) -> Contradiction | None:
    """Averages for which mlscorecheck finds no decisions."""
    if sizes is None:
        return None

    def possible(keys: Sequence[str]) -> bool:
        return averages_are_possible({key: ranges[key] for key in keys}, sizes) is not False

    return None if possible(tuple(ranges)) else Contradiction(_irreducible(tuple(ranges), possible), "averages")


def _no_decisions(
    ranges: Mapping[str, Range], classes: Sequence[str], sizes: Mapping[str, int] | None
) -> Contradiction | None:
    """Figures that no whole numbers of decisions give."""
    if sizes is None:
        return None

    def possible(keys: Sequence[str]) -> bool:
        return counts_are_possible({key: ranges[key] for key in keys}, sizes)

    return None if possible(tuple(ranges)) else Contradiction(_irreducible(tuple(ranges), possible), "decisions")


def _irreducible(keys: Sequence[str], possible: Callable[[Sequence[str]], bool]) -> tuple[str, ...]:
    """Leave out figures, the last ones first, while the others are still impossible together."""
    remaining = list(keys)
    for key in reversed(keys):
        others = [each for each in remaining if each != key]
        if not possible(others):
            remaining = others
    return tuple(remaining)


def _meet(one: Range, other: Range) -> bool:
    return max(one[0], other[0]) <= min(one[1], other[1])
