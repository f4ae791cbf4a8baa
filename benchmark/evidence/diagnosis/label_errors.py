"""Suspected label errors, by confident learning on out-of-fold scores. Test labels are refused by type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.evidence.scores import MulticlassScores, MulticlassTestScores, Scores, TestScores


@dataclass(frozen=True)
class LabelSuspect:
    """An image whose label disagrees with a confident score.

    Attributes:
        row: The place of the image in the scores.
        given: Its label.
        suggested: The class with the highest score.
        score: The score of the given label in [0, 1]: the lower, the more suspect.
    """

    row: int
    given: int
    suggested: int
    score: float


def label_suspects(scores: Scores | MulticlassScores) -> tuple[LabelSuspect, ...]:
    """Find images whose labels are probably wrong.

    Confident learning (Northcutt, Jiang and Chuang 2021): an image counts for a class if its score reaches the mean
    score of the images with that label. Images that count for another class than their own are suspects. The package
    cleanlab computes it.

    Args:
        scores: Scores of training images, each by a model that saw no image of its patient.

    Returns:
        The suspects, the lowest score of the given label first.

    Raises:
        TypeError: These are scores of test images, whose labels are never judged.
        ImportError: cleanlab is not installed.
    """
    if isinstance(scores, (TestScores, MulticlassTestScores)) or scores.split == "test":
        raise TypeError("test labels are never judged: corrected test labels would favour the model that found them")
    from cleanlab.filter import find_label_issues

    y_score = scores.y_score
    both = np.stack([1 - y_score, y_score], axis=1) if isinstance(scores, Scores) else y_score
    suspect = find_label_issues(scores.y_true, both, filter_by="confident_learning", n_jobs=1)
    rows = sorted(np.flatnonzero(suspect).tolist(), key=lambda row: (both[row, scores.y_true[row]], row))
    return tuple(
        LabelSuspect(row, int(scores.y_true[row]), int(both[row].argmax()), float(both[row, scores.y_true[row]]))
        for row in rows
    )
