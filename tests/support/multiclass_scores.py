"""Scores of several classes, drawn at random, for tests."""

from __future__ import annotations

import numpy as np

from benchmark.evidence.metrics.influence import Labels
from benchmark.evidence.metrics.multiclass import argmax
from benchmark.evidence.scores import MulticlassTestScores

NAMES = ("NORMAL", "BACTERIA", "VIRUS", "fungus: rare", "e", "f", "g", "h", "i", "j")


def drawn_scores(
    seed: int, n: int = 120, k: int = 3, *, images_per_patient: int = 1, separation: float = 1.3, ordered: bool = True
) -> MulticlassTestScores:
    """Scores in which every class has images and, unless `separation` is large, every kind of error occurs."""
    generator = np.random.default_rng(seed)
    y_true = np.concatenate([np.arange(k).repeat(3), generator.integers(k, size=n - 3 * k)])
    hidden = generator.standard_normal((n, k)) + separation * (y_true[:, None] == np.arange(k))
    raised = np.exp(hidden)
    patients = tuple(f"p{number // images_per_patient}" for number in range(n)) if images_per_patient > 1 else None
    return MulticlassTestScores(
        "test", y_true, raised / raised.sum(axis=1, keepdims=True), NAMES[:k], ordered, patients
    )


def drawn_decisions(seed: int, n: int = 120, k: int = 3, **more: float) -> tuple[MulticlassTestScores, Labels]:
    """Scores, and the decisions by their highest."""
    scores = drawn_scores(seed, n, k, **more)  # type: ignore[arg-type]
    return scores, argmax(scores)
