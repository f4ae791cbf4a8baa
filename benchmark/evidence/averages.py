"""Ensembles: means of the scores of several models, and which models are averaged, chosen on validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmark.evidence.scores import CLIP, MulticlassValidationScores, ValidationScores

Floats = npt.NDArray[np.float64]
Average = Literal["probabilities", "logits"]
_EQUAL = 1e-12  # nats; losses that differ by less differ by rounding


def mean_scores(scores: Sequence[Floats], weights: Sequence[float], average: Average) -> Floats:
    """Average the scores of models image by image.

    Args:
        scores: The scores of each model in [0, 1], shape (n,) for two classes, (n, k) for k classes.
        weights: The weight of each model, 0 or more, with a positive sum.
        average: `probabilities` for the weighted mean; `logits` for that of the log odds or, for k classes, of the log
            probabilities, from which probabilities are made again. Scores are clipped first.

    Returns:
        Scores of the shape of one model's.
    """
    shares = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    used = [(share, each) for share, each in zip(shares, scores, strict=True) if share > 0]
    if len(used) == 1:
        return np.array(used[0][1], dtype=np.float64)  # its very scores, which clipping would change
    if average == "probabilities":
        return _total([share * each for share, each in used])
    clipped = [(share, np.clip(each, CLIP, 1 - CLIP)) for share, each in used]
    if scores[0].ndim == 1:
        return np.asarray(1 / (1 + np.exp(-_total([share * np.log(p / (1 - p)) for share, p in clipped]))))
    products = np.exp(_total([share * np.log(p) for share, p in clipped]))
    return np.asarray(products / products.sum(axis=1, keepdims=True))


def choose_members(
    scores: Sequence[ValidationScores | MulticlassValidationScores], rounds: int, average: Average
) -> tuple[int, ...]:
    """Choose how often each model counts, by greedy forward selection with replacement (Caruana et al. 2004).

    Each round adds the model that makes the log loss of the mean lowest. The models of the round with the lowest log
    loss are chosen. Of equal ones, the first model and the first round count.

    Args:
        scores: The validation scores of each model, of the same images.
        rounds: Number of rounds, 1 or more.
        average: What is averaged.

    Returns:
        How often each model was added.

    Raises:
        TypeError: The scores are not those of validation.
    """
    for each in scores:
        if not isinstance(each, ValidationScores | MulticlassValidationScores):
            raise TypeError(f"members are chosen on validation scores, not on {type(each).__name__}")
    labels, values = scores[0].y_true, [each.y_score for each in scores]
    counts = [0] * len(scores)
    best, best_loss = tuple(counts), np.inf
    for _ in range(rounds):
        losses = []
        for index in range(len(scores)):
            tried = [count + (place == index) for place, count in enumerate(counts)]
            losses.append(cross_entropy(labels, mean_scores(values, tried, average)))
        chosen = next(index for index, loss in enumerate(losses) if loss <= min(losses) + _EQUAL)
        counts[chosen] += 1
        if losses[chosen] < best_loss - _EQUAL:
            best, best_loss = tuple(counts), losses[chosen]
    return best


def cross_entropy(y_true: npt.NDArray[np.int64], y_score: Floats) -> float:
    """Return the log loss of scores, clipped as Keras does.

    Args:
        y_true: Labels, shape (n,), from 0.
        y_score: Scores, shape (n,) for two classes, (n, k) for k classes.

    Returns:
        The mean over the images, in nats.
    """
    of_true = np.where(y_true == 1, y_score, 1 - y_score) if y_score.ndim == 1 else None
    if of_true is None:
        of_true = y_score[np.arange(len(y_true)), y_true]
    return float(-np.log(np.clip(of_true, CLIP, 1 - CLIP)).mean())


def _total(parts: Sequence[Floats]) -> Floats:
    """The sum in the order of the parts, so that equal inputs give equal bits."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
