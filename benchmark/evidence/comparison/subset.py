"""Scores with some images left out, and how far a figure moves without them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from benchmark.evidence.comparison.paired import Difference, judged
from benchmark.evidence.intervals.seeds import UNKNOWN_SPREAD, PairedScores, seed_variance
from benchmark.evidence.metrics.influence import ClassSizes, Clusters, centred
from benchmark.evidence.scores import Scores

S = TypeVar("S", bound=Scores)


def without(scores: S, names: Sequence[str], left_out: Collection[str]) -> S:
    """`scores` of the images whose name is not in `left_out`, of the same type and in the same order.

    `names` (n,) are the images' names in the order of `scores`, each once. Raises ValueError when there are not as
    many names as scores, when a name stands twice, when one of `left_out` is not among them, and when a class that
    `scores` hold would vanish.
    """
    if len(names) != len(scores):
        raise ValueError(f"{len(names)} names for {len(scores)} scores")
    if len(set(names)) < len(names):
        raise ValueError(f"{len(names) - len(set(names))} of {len(names)} names stand more than once")
    unknown = sorted(set(left_out) - set(names))
    if unknown:
        raise ValueError(f"{len(unknown)} images to leave out have no score here, such as {unknown[0]}")
    out = frozenset(left_out)
    kept = np.array([name not in out for name in names])
    for label in np.unique(scores.y_true).tolist():
        if not (scores.y_true[kept] == label).any():
            raise ValueError(f"without {len(out)} of {len(names)} images no image of class {label} would be left")
    patient = None if scores.patient is None else tuple(p for p, keep in zip(scores.patient, kept, strict=True) if keep)
    return replace(scores, y_true=scores.y_true[kept], y_score=scores.y_score[kept], patient=patient)


def effect_of_leaving_out(
    metric: str,
    card: PairedScores,
    names: Sequence[str],
    left_out: Collection[str],
    *,
    class_sizes: ClassSizes = "drawn",
    level: float = 0.95,
) -> Difference:
    """`metric` of the card without the images `left_out` minus that with them, mean over its seeds.

    `names` (n,) are the images in the order of the scores. The interval counts images, by patient, and seeds: the
    standard error is that of the linearised difference, in which an image left out has no weight in the first figure
    and its own in the second. Raises ValueError as `without` does, but for a class that would vanish: that is a
    difference without a value, with its reason.
    """
    seeds = (card.seeds, card.seeds)
    first = card.runs[0]
    out = frozenset(left_out)
    kept = np.array([name not in out for name in names])
    if len(kept) == len(first) and len({*first.y_true[kept].tolist()}) < len({*first.y_true.tolist()}):
        return Difference(metric, None, reason="without these images a class would vanish", seeds=seeds)
    after = PairedScores(tuple(without(run, names, out) for run in card.runs), card.thresholds)
    changes = [
        None if a is None or b is None else a - b
        for a, b in zip(after.values(metric), card.values(metric), strict=True)
    ]
    known = np.array([change for change in changes if change is not None])
    if len(known) < len(changes):
        return Difference(metric, None, reason="undefined for these decisions or classes", seeds=seeds)
    units = Clusters(first.y_true, first.patient)
    moved = -card.influences(metric, class_sizes)
    moved[:, kept] += after.influences(metric, class_sizes)
    moved = centred(moved, first.y_true, class_sizes)
    image_df = math.inf if card.seeds == 1 else units.degrees_of_freedom(moved.mean(axis=0))
    variance, df = seed_variance([known], units.covariance(moved), image_df)
    note = UNKNOWN_SPREAD if card.seeds == 1 else None
    found = Difference(metric, float(known.mean()), seeds=seeds, note=note)
    by = ", by patient" if units.repeated else ""
    return judged(found, math.sqrt(variance), df, level, f"linearised{by}")
