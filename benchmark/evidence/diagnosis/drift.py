"""Drift: whether the scores and decisions of a batch of images differ from those of the validation images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

Floats = npt.NDArray[np.float64]

LEVEL = 0.01
"""The share of batches like validation for which any of the tests reports a difference."""

LEAST = 20
"""The fewest images that are tested: with fewer, only very large differences could be noticed."""

MOST_SCORES = 1000
"""The most scores per class that describe validation."""

UNDECIDED = "no class"
"""The name of a decision for no class, of a rule that abstains."""

_RESAMPLES = 9999


@dataclass(frozen=True)
class BatchReference:
    """What validation images got from a model.

    Attributes:
        scores: Sorted raw scores by class, at most MOST_SCORES each; of two classes only those of the positive one.
        decisions: The number of images by predicted class; None if nothing is decided.
        classes: The number of images by true class.
    """

    scores: Mapping[str, Sequence[float]]
    decisions: Mapping[str, int] | None
    classes: Mapping[str, int]


@dataclass(frozen=True)
class Drift:
    """How a batch differs from validation.

    Attributes:
        images: The number of images of the batch.
        scores_p: The smallest p-value of the classes' scores, times the number of classes tested; None if not tested.
        scores_class: The class with that p-value.
        distance: The Kolmogorov-Smirnov distance of its scores, in [0, 1].
        noticeable: The smallest distance that such a batch could show as a difference.
        decisions_p: The p-value of the shares of the predicted classes; None if not tested.
        shares: The share of each predicted class in the batch and in validation.
        reason: Why nothing was tested; None if something was.
    """

    images: int
    scores_p: float | None = None
    scores_class: str | None = None
    distance: float | None = None
    noticeable: float | None = None
    decisions_p: float | None = None
    shares: Mapping[str, tuple[float, float]] | None = None
    reason: str | None = None

    @property
    def differs(self) -> bool | None:
        """Whether a test reports a difference at LEVEL; None if nothing was tested."""
        p_values = [p for p in (self.scores_p, self.decisions_p) if p is not None]
        return min(p_values) * len(p_values) <= LEVEL if p_values else None

    def line(self) -> str:
        """Say the result in one line."""
        if self.reason is not None:
            return f"{self.images} images: not compared with validation, {self.reason}"
        parts = [
            f"scores of {self.scores_class}: p {_p(self.scores_p)}, distance {self.distance:.2f}, of which less than "
            f"{self.noticeable:.2f} would not be noticed"
        ]
        if self.decisions_p is not None and self.shares is not None:
            shares = ", ".join(
                f"{name} {here:.0%} (validation {there:.0%})" for name, (here, there) in self.shares.items()
            )
            parts.append(f"decisions: p {_p(self.decisions_p)}, {shares}")
        verdict = "unlike validation" if self.differs else "no difference from validation noticed"
        caution = ". Other shares of the true classes alone cause such a difference" if self.differs else ""
        return f"{self.images} images: {verdict}; {'; '.join(parts)}{caution}"


def batch_reference(
    scores: Floats, y_true: npt.NDArray[np.int64], decisions: Sequence[str | None] | None, classes: Sequence[str]
) -> BatchReference:
    """Describe what validation images got from a model.

    Args:
        scores: Raw scores, (m,) of the positive class of two, (m, k) of k classes.
        y_true: The labels, (m,).
        decisions: The predicted class per image, None for none; None if nothing is decided.
        classes: The names of the k classes; the positive one of two last.

    Returns:
        The reference. Of more than MOST_SCORES scores it contains that many, evenly spread over their order.
    """
    counts = None
    if decisions is not None:
        names = [*classes, UNDECIDED] if None in decisions else [*classes]
        counts = {name: sum((each or UNDECIDED) == name for each in decisions) for name in names}
    return BatchReference(
        scores={name: _spread(column) for name, column in _columns(scores, classes).items()},
        decisions=counts,
        classes={name: int((y_true == label).sum()) for label, name in enumerate(classes)},
    )


def compare_batch(reference: BatchReference, scores: Floats, decisions: Sequence[str | None]) -> Drift:
    """Test whether the scores and decisions of a batch differ from those of validation.

    Scores are compared by class with the two-sample Kolmogorov-Smirnov test, with Bonferroni's correction over the
    classes, and the counts of predicted classes with Pearson's chi-squared test, as in Rabanser et al. (NeurIPS 2019).
    The p-value of the latter is by resampling with fixed margins, so that it is valid for small counts too.

    Args:
        reference: What validation images got from the model.
        scores: Raw scores of the batch, (n,) of the positive class of two, (n, k) of k classes.
        decisions: The predicted class per image, None for none.

    Returns:
        The p-values and distances, or why nothing was tested. The tests treat images as independent: several images per
        patient make a difference by chance more frequent than LEVEL. An image without a finite score is left out.
    """
    finite = [bool(np.isfinite(row).all()) for row in scores]
    images, scores = sum(finite), scores[np.array(finite, dtype=bool)]
    decided = [each for each, usable in zip(decisions, finite, strict=True) if usable]
    of_validation = min(len(each) for each in reference.scores.values())
    if min(images, of_validation) < LEAST:
        which = "images" if images < LEAST else "validation images"
        return Drift(images, reason=f"which needs at least {LEAST} {which}")
    columns = list(_columns(scores, list(reference.scores)).items())
    tested = [(scipy.stats.ks_2samp(column, reference.scores[name]), name) for name, column in columns]
    lowest, name = min(tested, key=lambda each: (each[0].pvalue, -each[0].statistic))
    shares, decisions_p = None, None
    if reference.decisions is not None:
        shares, decisions_p = _compare_counts(reference.decisions, decided)
    level = LEVEL / len(tested) / (1 if decisions_p is None else 2)
    return Drift(
        images,
        scores_p=min(1.0, float(lowest.pvalue) * len(tested)),
        scores_class=name,
        distance=float(lowest.statistic),
        noticeable=min(1.0, math.sqrt(math.log(2 / level) / 2 * (1 / images + 1 / of_validation))),
        decisions_p=decisions_p,
        shares=shares,
    )


def _compare_counts(
    of_validation: Mapping[str, int], decisions: Sequence[str | None]
) -> tuple[dict[str, tuple[float, float]], float]:
    names = list(dict.fromkeys([*of_validation, *(each or UNDECIDED for each in decisions)]))
    of_batch = [sum((each or UNDECIDED) == name for each in decisions) for name in names]
    table = np.array([of_batch, [of_validation.get(name, 0) for name in names]])
    sums = table.sum(axis=1).tolist()
    shares = {name: (here / sums[0], there / sums[1]) for name, here, there in zip(names, *table.tolist(), strict=True)}
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:  # every image of both is called the same
        return shares, 1.0
    resampling = scipy.stats.MonteCarloMethod(n_resamples=_RESAMPLES, rng=np.random.default_rng(0))
    return shares, float(scipy.stats.chi2_contingency(table, correction=False, method=resampling).pvalue)


def _columns(scores: Floats, classes: Sequence[str]) -> dict[str, Floats]:
    if scores.ndim == 1:
        return {classes[-1]: scores}
    return {name: scores[:, label] for label, name in enumerate(classes)}


def _spread(scores: Floats) -> list[float]:
    ordered = np.sort(scores)
    if len(ordered) > MOST_SCORES:
        ordered = ordered[np.linspace(0, len(ordered) - 1, MOST_SCORES).astype(np.int64)]
    return [float(score) for score in ordered]


def _p(value: float | None) -> str:
    return "below 0.001" if value is not None and value < 0.001 else f"{value:.3f}"
