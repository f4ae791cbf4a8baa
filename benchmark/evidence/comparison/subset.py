"""Scores without some images, and the change of a figure when they are left out."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from benchmark.evidence.comparison.paired import Difference, span, with_t_test
from benchmark.evidence.intervals.seeds import UNKNOWN_SPREAD, PairedScores
from benchmark.evidence.intervals.trainings import seed_variance
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, centred
from benchmark.evidence.metrics.registry import MetricError, get_metric
from benchmark.evidence.scores import Scores

S = TypeVar("S", bound=Scores)


def without(scores: S, names: Sequence[str], left_out: Collection[str]) -> S:
    """Return scores without some images.

    Args:
        scores: Scores of n images.
        names: Unique names (n,) of the images, in the order of `scores`.
        left_out: Names of the images to leave out.

    Returns:
        Scores of the remaining images, of the same type and in the same order.

    Raises:
        ValueError: If the number of names is not n, a name occurs twice, a name in `left_out` is unknown, or a class
            would lose all its images.
    """
    if len(names) != len(scores):
        raise ValueError(f"{len(names)} names for {len(scores)} scores")
    if len(set(names)) < len(names):
        raise ValueError(f"{len(names) - len(set(names))} of {len(names)} names are duplicates")
    out = set(left_out)
    unknown = sorted(out - set(names))
    if unknown:
        raise ValueError(f"{len(unknown)} of {len(out)} images to leave out have no score, such as {unknown[0]}")
    remaining = _remaining(names, left_out)
    for label in np.unique(scores.y_true).tolist():
        if not (scores.y_true[remaining] == label).any():
            raise ValueError(f"leaving out {len(out)} of {len(names)} images leaves none of class {label}")
    patient = scores.patient
    if patient is not None:
        patient = tuple(name for name, remains in zip(patient, remaining, strict=True) if remains)
    fold = None if scores.fold is None else scores.fold[remaining]
    y_true, y_score = scores.y_true[remaining], scores.y_score[remaining]
    return replace(scores, y_true=y_true, y_score=y_score, patient=patient, fold=fold)


def effect_of_leaving_out(
    metric: str,
    card: PairedScores,
    names: Sequence[str],
    left_out: Collection[str],
    *,
    class_sizes: ClassSizes = "drawn",
    level: float = 0.95,
) -> Difference:
    """Return the change of a metric when images are left out, mean over the card's seeds.

    The standard error is that of the linearised difference: an image that is left out has no weight in the first
    figure, and its usual weight in the second. It accounts for images, by patient, and for seeds (`seed_variance`).

    Args:
        metric: Name of a metric that is not a count.
        card: Scores per seed, of n images.
        names: Unique names (n,) of the images, in the order of the scores.
        left_out: Names of the images to leave out.
        class_sizes: Whether the class sizes of the test set were drawn or fixed.
        level: Confidence level of the interval, in (0, 1).

    Returns:
        The metric without these images minus the metric with them. It has a reason instead of a value if a class would
        lose all its images or the metric is undefined.

    Raises:
        ValueError: As `without` does, except for a class without images.
    """
    seeds = (card.seeds, card.seeds)
    first = card.runs[0]
    remaining = _remaining(names, left_out)
    if len(remaining) == len(first) and len({*first.y_true[remaining].tolist()}) < len({*first.y_true.tolist()}):
        return Difference(metric, None, reason="a class would be empty without these images", seeds=seeds)
    cuts = tuple(cut[remaining] if isinstance(cut, np.ndarray) else cut for cut in card.thresholds)
    after = PairedScores(tuple(without(run, names, left_out) for run in card.runs), cuts)
    changes = [
        None if a is None or b is None else a - b
        for a, b in zip(after.values(metric), card.values(metric), strict=True)
    ]
    defined = np.array([change for change in changes if change is not None])
    if len(defined) < len(changes):
        return Difference(
            metric, None, reason=(card if None in card.values(metric) else after).reason(metric), seeds=seeds
        )
    clusters = Clusters(first.y_true, first.patient)
    try:
        influences = -card.influence_values(metric, class_sizes)
        influences[:, remaining] += after.influence_values(metric, class_sizes)
    except MetricError as failure:
        return Difference(metric, float(defined.mean()), reason=str(failure), seeds=seeds)
    influences = centred(influences, first.y_true, class_sizes)
    image_df = math.inf if card.seeds == 1 else clusters.degrees_of_freedom(influences.mean(axis=0))
    variance, df = seed_variance([defined], clusters.covariance(influences), image_df)
    note = UNKNOWN_SPREAD if card.seeds == 1 else None
    change = Difference(metric, float(defined.mean()), seeds=seeds, note=note)
    by = ", by patient" if clusters.repeated else ""
    return with_t_test(change, math.sqrt(variance), df, level, f"linearised{by}", span=span(get_metric(metric)))


def _remaining(names: Sequence[str], left_out: Collection[str]) -> npt.NDArray[np.bool_]:
    out = frozenset(left_out)
    return np.array([name not in out for name in names])
