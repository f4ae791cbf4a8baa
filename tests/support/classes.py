"""Planted scores of several classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmark.evidence.scores import MulticlassTestScores, MulticlassValidationScores

NAMES = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay")


def planted_classes(
    sizes: Sequence[int], gain: float, seed: int, *, noise: float = 1.0
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Labels (n,), class by class, and softmax scores (n, k) whose true class is `gain` logits higher on average."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    logits = generator.normal(0, noise, size=(len(labels), len(sizes)))
    logits[np.arange(len(labels)), labels] += gain
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return labels, shares / shares.sum(axis=1, keepdims=True)


def on_classes(
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    patient: Sequence[str] | None = None,
    *,
    classes: Sequence[str] | None = None,
    ordered: bool = False,
) -> MulticlassTestScores:
    """Test scores of the first k `NAMES`, or of `classes`."""
    names = tuple(classes or NAMES[: scores.shape[1]])
    return MulticlassTestScores("test", labels, scores, names, ordered, None if patient is None else tuple(patient))


def validation_of(
    labels: npt.NDArray[np.int64], scores: npt.NDArray[np.float64], patient: Sequence[str] | None = None
) -> MulticlassValidationScores:
    """Validation scores of the first k `NAMES`."""
    names = NAMES[: scores.shape[1]]
    return MulticlassValidationScores("val", labels, scores, names, False, None if patient is None else tuple(patient))
