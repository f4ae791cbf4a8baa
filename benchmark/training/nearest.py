"""Nearest neighbours among training images by cosine, their number chosen by cross-validation by patient.

Votes are weighted by similarity, as is usual for frozen features (Wu et al. 2018, CVPR, arXiv:1805.01978).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from benchmark.training.logistic import folds_by_patient
from benchmark.training.probe_facts import ProbeFacts

NEIGHBOURS = (1, 3, 5, 10, 20, 50)
"""The numbers of neighbours, in images, that are tried."""

TEMPERATURE = 0.07
"""A neighbour of cosine s has the weight exp(s / TEMPERATURE) (Wu et al. 2018)."""

_FALLBACK = 5  # scikit-learn's default
_AT_ONCE = 1024  # rows whose similarities are in memory together
_SHORTEST = 1e-12

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Training rows that vote on images.

    Attributes:
        directions: Features of length 1, shape (m, d).
        votes: The vote of each row for each class, shape (m, classes).
        count: How many of the most similar rows vote.
        facts: How `count` was chosen.
    """

    directions: Floats
    votes: Floats
    count: int
    facts: ProbeFacts


def fit_nearest(
    features: npt.NDArray[np.floating],
    labels: npt.NDArray[np.int64],
    patients: Sequence[str],
    weights: npt.NDArray[np.floating],
    classes: int,
    rows_per_image: int = 1,
) -> Neighbours:
    """Choose the number of neighbours that minimises the Brier score of held-out rows.

    All rows of a patient are in one fold. The Brier score is finite where all neighbours agree, unlike log loss.

    Args:
        features: One row per image and view, shape (n, d).
        labels: Class indices, 0 to `classes` - 1, shape (n,), each class at least once.
        patients: The patient of each row.
        weights: Weight of each row, as a vote and in the choice, above 0, shape (n,).
        classes: Number of classes, 2 or more.
        rows_per_image: Number of rows per image. The number of neighbours is multiplied by it.

    Returns:
        The rows and how many of them vote.
    """
    directions = _unit(features)
    truth = np.eye(classes, dtype=np.float32)[labels]
    votes = (truth * np.asarray(weights, dtype=np.float32)[:, None]).astype(np.float32)
    folds, notes = folds_by_patient(labels, patients, classes)
    images = _FALLBACK
    if folds:
        fewest = min(len(train) for train, _ in folds) // rows_per_image
        tried = [count for count in NEIGHBOURS if count <= fewest] or [1]
        losses = np.zeros(len(tried))
        for train, held_out in folds:
            for first in range(0, len(held_out), _AT_ONCE):
                rows = held_out[first : first + _AT_ONCE]
                for index, shares in enumerate(
                    _shares(directions[rows], directions[train], votes[train], [n * rows_per_image for n in tried])
                ):
                    losses[index] += weights[rows] @ ((shares - truth[rows]) ** 2).sum(axis=1)
        images = tried[int(losses.argmin())]
    else:
        notes.append(f"k {_FALLBACK} without cross-validation: a class has too few patients in train for two folds")
    count = min(images * rows_per_image, len(labels))
    facts = ProbeFacts(None, len(folds), len(labels), directions.shape[1], tuple(notes), neighbours=count)
    return Neighbours(directions, votes, count, facts)


@keras.saving.register_keras_serializable(package="zoo")
class NearestNeighbours(keras.layers.Layer):  # type: ignore[misc]
    """Features (n, d) to the shares of the votes of the most similar of `rows` stored rows.

    For two classes the output is the share of class 1, shape (n, 1), else those of all classes, shape (n, classes).
    """

    def __init__(self, rows: int, classes: int, count: int, **named: Any) -> None:
        super().__init__(trainable=False, **{name: value for name, value in named.items() if name != "trainable"})
        self.rows, self.classes, self.count = rows, classes, count

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights: directions (rows, d), and votes (rows, classes)."""
        self.directions = self.add_weight((self.rows, input_shape[-1]), name="directions", trainable=False)
        self.votes = self.add_weight((self.rows, self.classes), "random_uniform", name="votes", trainable=False)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Compute shares of votes.

        Args:
            inputs: Features, shape (n, d).

        Returns:
            The shares, shape (n, 1) for two classes, (n, classes) for more.
        """
        ops = keras.ops
        length = ops.maximum(ops.sqrt(ops.sum(inputs * inputs, axis=-1, keepdims=True)), _SHORTEST)
        similar, nearest = ops.top_k(ops.matmul(inputs / length, ops.transpose(self.directions)), self.count)
        weights = ops.exp((similar - 1.0) / TEMPERATURE)
        votes = ops.sum(ops.expand_dims(weights, -1) * ops.take(self.votes, nearest, axis=0), axis=1)
        shares = votes / ops.sum(votes, axis=-1, keepdims=True)
        return shares[:, 1:] if self.classes == 2 else shares

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """Return (n, 1) for two classes, (n, classes) for more."""
        return input_shape[0], 1 if self.classes == 2 else self.classes

    def get_config(self) -> dict[str, Any]:
        """Return the settings; rows and votes are weights."""
        return {**super().get_config(), "rows": self.rows, "classes": self.classes, "count": self.count}


def _unit(features: npt.NDArray[np.floating]) -> Floats:
    rows = np.asarray(features, dtype=np.float32)
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _SHORTEST)
    return np.asarray(rows / lengths, dtype=np.float32)


def _shares(rows: Floats, of: Floats, votes: Floats, counts: Sequence[int]) -> list[npt.NDArray[np.float64]]:
    """Return the shares of the votes (n, classes) of the nearest rows `of`, for each number of neighbours."""
    similar = rows @ of.T
    order = np.argsort(-similar, axis=1, kind="stable")[:, : max(counts)]
    weights = np.exp((np.take_along_axis(similar, order, axis=1).astype(np.float64) - 1) / TEMPERATURE)
    sums = np.cumsum(weights[:, :, None] * votes[order], axis=1)
    return [sums[:, count - 1] / sums[:, count - 1].sum(axis=1, keepdims=True) for count in counts]
