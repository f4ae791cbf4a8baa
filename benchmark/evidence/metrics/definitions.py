"""Metrics: one small function each, its direction declared beside it. Undefined is None, never 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from sklearn.metrics import average_precision_score

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.intervals.uncertainty import interval
from benchmark.evidence.metrics.influence import ClassSizes, Units, losses, placements
from benchmark.evidence.scores import Scores


@dataclass(frozen=True)
class Confusion:
    """Counts of decisions; positive means score >= threshold."""

    tp: int
    fp: int
    tn: int
    fn: int


@dataclass(frozen=True)
class Figure(Estimate):
    """A metric's value with its 95% interval; `method` names the interval's, `reason` says why something is missing."""

    metric: str
    value: float | None
    low: float | None
    high: float | None
    method: str | None
    reason: str | None


@dataclass(frozen=True)
class Metric:
    """A registered metric: `of_decisions` reads a Confusion, `of_scores` the scores; one of the two is set.

    `counts(confusion)` gives (successes, n) of a proportion. `within` are the least and the greatest value.
    """

    name: str
    direction: Literal["higher", "lower", "none"]
    of_decisions: Callable[[Confusion], float | None] | None = None
    of_scores: Callable[[Scores], float | None] | None = None
    counts: Callable[[Confusion], tuple[int, int]] | None = None
    within: tuple[float, float] = (0.0, 1.0)


_METRICS: dict[str, Metric] = {}
METRICS: Mapping[str, Metric] = MappingProxyType(_METRICS)
"""All metrics by name."""

_ANY = (-math.inf, math.inf)
_LOSS = (0.0, math.inf)
_ROUNDING = 1e-9  # a correlation or a mean of a perfect ranking may come out a few bits above 1

_Decision = Callable[[Confusion], float | None]
_Score = Callable[[Scores], float | None]


def decision_metric(
    direction: Literal["higher", "lower", "none"],
    counts: Callable[[Confusion], tuple[int, int]] | None = None,
    within: tuple[float, float] = (0.0, 1.0),
) -> Callable[[_Decision], _Decision]:
    """Register a function of a Confusion under its own name."""

    def register(function: _Decision) -> _Decision:
        name = function.__name__
        _METRICS[name] = Metric(name, direction, of_decisions=function, counts=counts, within=within)
        return function

    return register


def score_metric(
    direction: Literal["higher", "lower"], within: tuple[float, float] = (0.0, 1.0)
) -> Callable[[_Score], _Score]:
    """Register a function of Scores under its own name."""

    def register(function: _Score) -> _Score:
        _METRICS[function.__name__] = Metric(function.__name__, direction, of_scores=function, within=within)
        return function

    return register


def confusion(scores: Scores, threshold: float) -> Confusion:
    """Decisions of `scores` at `threshold`."""
    called = scores.y_score >= threshold
    positive = scores.y_true == 1
    return Confusion(
        tp=int(np.sum(called & positive)),
        fp=int(np.sum(called & ~positive)),
        tn=int(np.sum(~called & ~positive)),
        fn=int(np.sum(~called & positive)),
    )


def figures(scores: Scores, threshold: float, class_sizes: ClassSizes = "drawn") -> dict[str, Figure]:
    """Every metric of `scores` at `threshold`, each with its 95% interval (`uncertainty.interval`): by patient where a
    patient has several images. `class_sizes="fixed"` is for a test set whose share of positives was chosen, as in a
    balanced draw."""
    counted = confusion(scores, threshold)
    units = Units(scores.y_true, scores.patient)
    return {m.name: _figure(m, scores, threshold, counted, units, class_sizes) for m in METRICS.values()}


def value_of(metric: str, scores: Scores, threshold: float) -> float | None:
    """The value of a metric by name, None where it is undefined. Raises KeyError for an unknown one."""
    return _value(METRICS[metric], scores, confusion(scores, threshold))


def values(
    scores: Scores, threshold: float, known: Mapping[str, float | None] = MappingProxyType({})
) -> dict[str, float | None]:
    """Every metric of `scores` at `threshold` without its interval, None where it is undefined; those that are `known`
    are taken over."""
    counted = confusion(scores, threshold)
    missing = {name: _value(metric, scores, counted) for name, metric in METRICS.items() if name not in known}
    return {name: known[name] if name in known else missing[name] for name in METRICS}


def out_of_range(figure: Figure) -> str | None:
    """Why `figure` cannot be one of its metric, in words: a value or a bound that the metric cannot take, bounds in
    the wrong order. None when it can be, and for a metric that is not registered, the `loss` of a recipe apart."""
    least, greatest = (
        _LOSS if figure.metric == "loss" else METRICS[figure.metric].within if figure.metric in METRICS else _ANY
    )
    for number in (figure.value, figure.low, figure.high):
        if number is not None and not least - _ROUNDING <= number <= greatest + _ROUNDING:
            return f"{figure.metric} {number:g} is not within {least:g} and {greatest:g}"
    if figure.low is not None and figure.high is not None and figure.low > figure.high:
        return f"{figure.metric}: the interval ends at {figure.high:g}, below its begin at {figure.low:g}"
    return None


def _value(metric: Metric, scores: Scores, counted: Confusion) -> float | None:
    if metric.of_scores is not None:
        return metric.of_scores(scores)
    return metric.of_decisions(counted) if metric.of_decisions else None


def _figure(
    metric: Metric, scores: Scores, threshold: float, counted: Confusion, units: Units, class_sizes: ClassSizes
) -> Figure:
    value = _value(metric, scores, counted)
    if value is None:
        return Figure(metric.name, None, None, None, None, "undefined for these decisions or classes")
    if metric.direction == "none":
        return Figure(metric.name, value, None, None, None, None)
    found = interval(metric.name, value, scores.y_score, threshold, units, class_sizes=class_sizes)
    return Figure(metric.name, value, found.low, found.high, found.method, found.reason)


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


@score_metric("lower", within=(0.0, math.inf))
def log_loss(scores: Scores) -> float | None:
    """Mean binary cross-entropy in nats, scores clipped to 1e-7 as Keras does."""
    return float(losses("log_loss", scores.y_true, scores.y_score).mean())


@score_metric("lower")
def brier(scores: Scores) -> float | None:
    """Mean squared difference of score and label (Brier 1950)."""
    return float(losses("brier", scores.y_true, scores.y_score).mean())


@score_metric("higher")
def auc(scores: Scores) -> float | None:
    """Area under the ROC curve, ties one half; undefined without both classes."""
    if len(np.unique(scores.y_true)) < 2:
        return None
    return float(placements(scores.y_true, scores.y_score)[scores.y_true == 1].mean())


@score_metric("higher")
def average_precision(scores: Scores) -> float | None:
    """Area under the precision-recall steps; undefined without both classes."""
    if len(np.unique(scores.y_true)) < 2:
        return None
    return float(average_precision_score(scores.y_true, scores.y_score))


@decision_metric("higher", counts=lambda c: (c.tp + c.tn, c.tp + c.tn + c.fp + c.fn))
def accuracy(c: Confusion) -> float | None:
    """Share of right decisions."""
    return _ratio(c.tp + c.tn, c.tp + c.tn + c.fp + c.fn)


@decision_metric("higher")
def balanced_accuracy(c: Confusion) -> float | None:
    """Mean of recall and specificity."""
    sensitivity, specific = recall(c), specificity(c)
    return None if sensitivity is None or specific is None else (sensitivity + specific) / 2


@decision_metric("higher", counts=lambda c: (c.tp, c.tp + c.fp))
def precision(c: Confusion) -> float | None:
    """Share of positive decisions that are right; undefined when there is none."""
    return _ratio(c.tp, c.tp + c.fp)


@decision_metric("higher", counts=lambda c: (c.tp, c.tp + c.fn))
def recall(c: Confusion) -> float | None:
    """Share of positives found (sensitivity)."""
    return _ratio(c.tp, c.tp + c.fn)


@decision_metric("higher", counts=lambda c: (c.tn, c.tn + c.fp))
def specificity(c: Confusion) -> float | None:
    """Share of negatives left alone."""
    return _ratio(c.tn, c.tn + c.fp)


@decision_metric("higher")
def f1(c: Confusion) -> float | None:
    """Harmonic mean of precision and recall; undefined when nothing is positive and nothing is called so."""
    return _ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn)


@decision_metric("higher", within=(-1.0, 1.0))
def mcc(c: Confusion) -> float | None:
    """Matthews' correlation; undefined when all decisions or all labels are of one class."""
    margins = (c.tp + c.fp) * (c.tp + c.fn) * (c.tn + c.fp) * (c.tn + c.fn)
    return _ratio(c.tp * c.tn - c.fp * c.fn, math.sqrt(margins))


@decision_metric("none", within=(0.0, math.inf))
def true_positives(c: Confusion) -> float | None:
    """Positives called positive."""
    return float(c.tp)


@decision_metric("none", within=(0.0, math.inf))
def false_positives(c: Confusion) -> float | None:
    """Negatives called positive."""
    return float(c.fp)


@decision_metric("none", within=(0.0, math.inf))
def true_negatives(c: Confusion) -> float | None:
    """Negatives called negative."""
    return float(c.tn)


@decision_metric("none", within=(0.0, math.inf))
def false_negatives(c: Confusion) -> float | None:
    """Positives called negative."""
    return float(c.fn)
