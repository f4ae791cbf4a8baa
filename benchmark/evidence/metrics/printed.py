"""Figures of decisions among two classes that reports print: the registered metrics, and others that are only printed.

The others have no interval and are not measured, so they are no metrics of the registry. An undefined value is 0, as in
scikit-learn and Keras.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from benchmark.evidence.metrics.registry import Confusion, Ratio, Weights, find_metric, label_of

if TYPE_CHECKING:
    from benchmark.evidence.metrics.influence import Floats

AverageOfTwo = Literal["macro", "weighted"]
"""How figures of two classes become one: their mean, or their mean by the number of images of each class."""

_F1, _F2 = Ratio((2, 0, 0, 0), (2, 1, 0, 1)), Ratio((5, 0, 0, 0), (5, 1, 0, 4))
_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
_SWAPPED = {"true_positives": "true_negatives", "false_positives": "false_negatives"}


@dataclass(frozen=True)
class PrintedMetric:
    """A figure of decisions among two classes that is printed but not measured.

    Attributes:
        name: Its name in claims.
        label: Its name in tables and sentences.
        aliases: Other names that claims may use.
        range: Least and greatest value.
        ratio: Set if it is a ratio of counts.
        average: Set with `of` if it is an average over both classes.
        of: The figure of one class that is averaged.
        count: The weights of TP, FP, TN and FN in a number of images; None for other figures.
    """

    name: str
    label: str
    aliases: tuple[str, ...] = ()
    range: tuple[float, float] = (0.0, 1.0)
    ratio: Ratio | None = None
    average: AverageOfTwo | None = None
    of: str | None = None
    count: Weights | None = None


def _ratio(name: str, label: str, above: Weights, below: Weights, *aliases: str) -> PrintedMetric:
    return PrintedMetric(name, label, aliases, ratio=Ratio(above, below))


_RATIOS = (
    _ratio("npv", "NPV", (0, 0, 1, 0), (0, 0, 1, 1), "negative_predictive_value"),
    _ratio("f2", "F2", _F2.numerator, _F2.denominator, "f2_score"),
    _ratio("error_rate", "error rate", (0, 1, 0, 1), (1, 1, 1, 1), "error", "misclassification_rate"),
    _ratio("false_positive_rate", "false positive rate", (0, 1, 0, 0), (0, 1, 1, 0), "fpr", "fall_out"),
    _ratio("false_negative_rate", "false negative rate", (0, 0, 0, 1), (1, 0, 0, 1), "fnr", "miss_rate"),
    _ratio("f1_of_negatives", "F1 of the negatives", (0, 0, 2, 0), (0, 1, 2, 1)),
    _ratio("f2_of_negatives", "F2 of the negatives", (0, 0, 5, 0), (0, 4, 5, 1)),
)
_AVERAGED = ("precision", "recall", "specificity", "f1", "f2")
_AVERAGES: tuple[AverageOfTwo, ...] = ("macro", "weighted")
PRINTED: Mapping[str, PrintedMetric] = MappingProxyType(
    {
        each.name: each
        for each in (
            *_RATIOS,
            PrintedMetric("kappa", "kappa", ("cohen_kappa", "cohens_kappa"), (-1.0, 1.0)),
            *(
                PrintedMetric(f"{average}_{name}", f"{average} {label_of(name)}", average=average, of=name)
                for average in _AVERAGES
                for name in _AVERAGED
            ),
            PrintedMetric("f1_of_macro", "F1 of macro precision and macro recall"),
            PrintedMetric("correct", "correct images", ("right",), (0.0, math.inf), count=(1, 0, 1, 0)),
            PrintedMetric("errors", "errors", ("misclassified", "wrong"), (0.0, math.inf), count=(0, 1, 0, 1)),
        )
    }
)
"""The figures that are printed but not measured, by name."""

_OTHER_CLASS = {
    "recall": "specificity",
    "precision": "npv",
    "f1": "f1_of_negatives",
    "f2": "f2_of_negatives",
    "false_positive_rate": "false_negative_rate",
    **_SWAPPED,
}


def printed_aliases() -> dict[str, str]:
    """Return the aliases of the figures that are only printed, each with the name of its figure."""
    return {alias: each.name for each in PRINTED.values() for alias in each.aliases}


def is_of_counts(name: str) -> bool:
    """Return whether a figure of two classes follows from a confusion matrix."""
    metric = find_metric(name)
    return name in PRINTED or (metric is not None and metric.uses_threshold)


def range_of_counts(name: str) -> tuple[float, float]:
    """Return the least and the greatest value of a figure that follows from a confusion matrix."""
    metric = find_metric(name)
    return PRINTED[name].range if metric is None else metric.range


def ratio_of(name: str) -> Ratio | None:
    """Return the ratio of counts that a figure of two classes is; None if it is none."""
    metric = find_metric(name)
    if metric is not None:
        return metric.ratio
    return PRINTED[name].ratio if name in PRINTED else None


def printed_label(key: str) -> str:
    """Return the label of a printed figure for tables and sentences.

    Args:
        key: The name of a metric or of a figure of PRINTED, or a key such as `recall:class:NORMAL`.

    Returns:
        The label.
    """
    return PRINTED[key].label if key in PRINTED and find_metric(key) is None else label_of(key)


def of_other_class(name: str) -> str:
    """Return the name of the figure `name` after the positive and the negative class change places.

    Args:
        name: A figure that follows from a confusion matrix.

    Returns:
        Such as `specificity` for `recall`; the same name for accuracy, MCC and other symmetric figures.
    """
    both = _OTHER_CLASS | {other: each for each, other in _OTHER_CLASS.items()}
    return both.get(name, name)


def is_count(name: str) -> bool:
    """Return whether a figure of two classes is a number of images, which is printed exactly."""
    metric = find_metric(name)
    return metric.kind == "count" if metric is not None else name in PRINTED and PRINTED[name].count is not None


def has_average(name: str) -> bool:
    """Return whether reports print averages of a figure over two classes."""
    return name in _AVERAGED


def averaged(name: str, average: AverageOfTwo) -> str:
    """Return the name of the average of a figure over both classes; the same name for figures of both classes.

    Args:
        name: A figure that follows from a confusion matrix.
        average: How the figures of the classes become one.

    Returns:
        Such as `macro_recall` for `recall`.
    """
    return f"{average}_{name}" if name in _AVERAGED else name


def values(name: str, counts: Floats) -> Floats:
    """Compute a figure of many confusion matrices.

    Args:
        name: A figure that follows from a confusion matrix.
        counts: TP, FP, TN and FN (4, n).

    Returns:
        Values (n,); 0 where undefined.

    Raises:
        ValueError: The figure does not follow from a confusion matrix.
    """
    import numpy as np

    metric = find_metric(name)
    if name in _COUNTS:
        count: Floats = counts[_COUNTS.index(name)]
        return count
    with np.errstate(divide="ignore", invalid="ignore"):
        if metric is not None and metric.uses_threshold:
            if metric.ratios:
                shares = [np.nan_to_num(ratio.of(counts)) for ratio in metric.ratios]
                computed: Floats = np.sum(shares, axis=0) / len(shares)
            elif metric.weighted is not None:
                computed = np.nan_to_num(np.asarray(metric.weighted(counts), dtype=np.float64))
            else:
                matrices = (Confusion(*(round(count) for count in column)) for column in counts.T.tolist())
                computed = np.array([metric.evaluate(None, matrix)[0] or 0.0 for matrix in matrices])
            return computed
        if name not in PRINTED:
            raise ValueError(f"{name}: not computed from a confusion matrix")
        return np.asarray(np.nan_to_num(_printed(PRINTED[name], counts)), dtype=np.float64)


def _printed(metric: PrintedMetric, counts: Floats) -> Floats:
    import numpy as np

    tp, fp, tn, fn = counts
    if metric.count is not None:
        number: Floats = np.asarray(metric.count, dtype=np.float64) @ counts
        return number
    if metric.ratio is not None:
        ratio: Floats = metric.ratio.of(counts)
        return ratio
    if metric.name == "kappa":
        kappa: Floats = 2 * (tp * tn - fp * fn) / ((tp + fp) * (fp + tn) + (tp + fn) * (fn + tn))
        return kappa
    if metric.name == "f1_of_macro":
        precision, recall = values("macro_precision", counts), values("macro_recall", counts)
        f1: Floats = 2 * precision * recall / (precision + recall)
        return f1
    assert metric.of is not None
    positive, negative = values(metric.of, counts), values(metric.of, counts[[2, 3, 0, 1]])
    if metric.average == "macro":
        return (positive + negative) / 2
    weighted: Floats = ((tp + fn) * positive + (tn + fp) * negative) / counts.sum(axis=0)
    return weighted
