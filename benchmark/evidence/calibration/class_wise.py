"""Reliability of scores of three or more classes: of the highest score, and of each class against the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmark.evidence.calibration.reliability import Binning, Reliability, assess
from benchmark.evidence.metrics.multiclass import argmax, multiclass_metrics
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import MulticlassScores, Scores, scores_of_two


@dataclass(frozen=True)
class MulticlassReliability:
    """Calibration of scores of k classes.

    Attributes:
        n: Number of images.
        accuracy: The share of images whose highest score is for the right class.
        mean_confidence: The mean of the highest scores, which equals `accuracy` at best.
        log_loss: In nats.
        brier: The squared differences of scores and labels, summed over classes; in [0, 2].
        top_label: Calibration of the highest score as a probability to be right. Its `prevalence` is the accuracy, its
            `share` of a bin the accuracy there.
        by_class: Calibration of each class's score against the rest, by class name, in the order of the classes.
    """

    n: int
    accuracy: float
    mean_confidence: float
    log_loss: float
    brier: float
    top_label: Reliability
    by_class: Mapping[str, Reliability]

    @property
    def class_wise_ece(self) -> float:
        """The mean of the expected calibration errors of the classes (Kull et al. 2019), in [0, 1]."""
        return float(np.mean([each.ece for each in self.by_class.values()]))


def assess_multiclass(scores: MulticlassScores, bins: int = 10, binning: Binning = "mass") -> MulticlassReliability:
    """Assess the calibration of scores of several classes.

    Args:
        scores: Scores of any split.
        bins: Maximum number of bins, at least 1, as of `assess`.
        binning: `mass` for bins with equal numbers of images, `width` for bins with equal ranges of scores.

    Returns:
        The calibration. Slopes and intercepts are missing, with the reason, where all images are right or wrong, or a
        class is missing.

    Raises:
        ValueError: There is less than one bin, or the binning is unknown.
    """
    correct = confidence_scores(scores)
    losses = multiclass_metrics(scores.classes)
    decided = argmax(scores)
    nats, squared = (losses[key].value(scores, decided) for key in ("log_loss", "brier"))
    assert nats is not None
    assert squared is not None
    return MulticlassReliability(
        n=len(scores),
        accuracy=float(np.mean(correct.y_true)),
        mean_confidence=float(np.mean(correct.y_score)),
        log_loss=nats,
        brier=squared,
        top_label=_of_right_and_wrong(assess(correct, bins, binning), correct),
        by_class={name: assess(scores.one_vs_rest(label), bins, binning) for label, name in enumerate(scores.classes)},
    )


def confidence_scores(scores: MulticlassScores) -> Scores:
    """Return whether the class with the highest score is right (1) or wrong (0), with that score, for each image."""
    highest = argmax(scores)
    confidence = scores.y_score[np.arange(len(scores)), highest].clip(0, 1)
    return scores_of_two(scores.split, (highest == scores.y_true).astype(np.int64), confidence, scores.patient)


def _of_right_and_wrong(top: Reliability, correct: Scores) -> Reliability:
    # The classes of a binary assessment are here the right and the wrong images.
    if len(np.unique(correct.y_true)) == 2:
        return top
    reason = f"every image is {'right' if correct.y_true.all() else 'wrong'}: there is no finite coefficient"
    figures = (Figure.missing(each.metric, reason) for each in (top.slope, top.intercept, top.in_the_large))
    slope, intercept, in_the_large = figures
    return replace(top, slope=slope, intercept=intercept, in_the_large=in_the_large)
