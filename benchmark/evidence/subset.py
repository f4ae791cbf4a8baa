"""Scores with some images left out, so that figures can be computed again without them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

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
