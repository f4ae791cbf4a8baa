"""The figures of an epoch: accuracy, with recall for two classes and balanced accuracy for more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]


@dataclass
class BinaryEpoch:
    """Sums over the batches of an epoch for two classes, weighted by their numbers of images."""

    images: int = 0
    positives: int = 0
    loss: float = 0.0
    correct: float = 0.0
    true_positives: float = 0.0

    @staticmethod
    def metrics(*, mixed: bool = False) -> list[keras.metrics.Metric]:
        """Return the metrics whose values `add` takes; those of `mixed` targets compare with the larger share."""
        if mixed:
            return [_RoundedAccuracy(name="accuracy"), _RoundedRecall(name="recall")]
        return [keras.metrics.BinaryAccuracy(name="accuracy"), keras.metrics.Recall(name="recall")]

    def add(self, logs: Mapping[str, Any], labels: Labels) -> None:
        """Add the values of the metrics and the loss for one batch with these labels."""
        images, positives = len(labels), int(labels.sum())
        self.images += images
        self.positives += positives
        self.loss += images * float(logs["loss"])
        self.correct += images * float(logs["accuracy"])
        self.true_positives += positives * float(logs["recall"])

    def means(self) -> dict[str, float]:
        """Return loss, accuracy and recall of the epoch."""
        return {
            "loss": self.loss / self.images,
            "accuracy": self.correct / self.images,
            "recall": self.true_positives / max(self.positives, 1),
        }

    @staticmethod
    def of_validation(labels: Labels, scores: npt.NDArray[np.floating]) -> dict[str, float]:
        """Return accuracy and recall at 0.5 from labels (n,) and scores (n,)."""
        positive = scores >= 0.5
        return {
            "val_accuracy": float(np.mean(positive == labels)),
            "val_recall": float(np.mean(positive[labels == 1])),
        }


@dataclass
class MulticlassEpoch:
    """Sums over the batches of an epoch for k classes, three or more.

    Attributes:
        classes: Number of classes, k.
        loss: Sum of the losses of images.
        images: Number of images per class, shape (k,).
        correct: Number of images per class whose class has the highest score, shape (k,).
    """

    classes: int
    loss: float = 0.0
    images: npt.NDArray[np.float64] = field(init=False)
    correct: npt.NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.images, self.correct = np.zeros(self.classes), np.zeros(self.classes)

    def metrics(self, *, mixed: bool = False) -> list[keras.metrics.Metric]:
        """Return the metrics whose values `add` takes; those of `mixed` targets compare with the larger share."""
        return [_CorrectByClass(self.classes, mixed)]

    def add(self, logs: Mapping[str, Any], labels: Labels) -> None:
        """Add the values of the metrics and the loss for one batch with these labels."""
        self.images += np.bincount(labels, minlength=self.classes)
        self.correct += np.asarray(logs["correct"], dtype=np.float64)
        self.loss += len(labels) * float(logs["loss"])

    def means(self) -> dict[str, float]:
        """Return loss, accuracy and balanced accuracy of the epoch."""
        return {"loss": self.loss / float(self.images.sum()), **_accuracies(self.correct, self.images)}

    def of_validation(self, labels: Labels, scores: npt.NDArray[np.floating]) -> dict[str, float]:
        """Return accuracy and balanced accuracy of the highest score from labels (n,) and scores (n, k)."""
        images = np.bincount(labels, minlength=self.classes)
        correct = np.bincount(labels[scores.argmax(axis=1) == labels], minlength=self.classes)
        return {f"val_{name}": value for name, value in _accuracies(correct, images).items()}


class _RoundedAccuracy(keras.metrics.BinaryAccuracy):  # type: ignore[misc]
    """Accuracy against the class with the larger share of a mixed target."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets in [0, 1] and scores, both (n, 1)."""
        super().update_state(keras.ops.round(y_true), y_pred, sample_weight)


class _RoundedRecall(keras.metrics.Recall):  # type: ignore[misc]
    """Recall against the class with the larger share of a mixed target."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets in [0, 1] and scores, both (n, 1)."""
        super().update_state(keras.ops.round(y_true), y_pred, sample_weight)


class _CorrectByClass(keras.metrics.Metric):  # type: ignore[misc]
    """Counts the images of each class whose class has the highest score; the first one of equal scores counts."""

    def __init__(self, classes: int, mixed: bool = False) -> None:
        super().__init__(name="correct")
        self._mixed = mixed
        self._counts = self.add_weight(shape=(classes,), initializer="zeros", name="counts")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add the counts of one batch.

        Args:
            y_true: Indicators of the classes, shape (n, k).
            y_pred: Scores, shape (n, k).
            sample_weight: Not used.
        """
        called = self._indicators(y_pred)
        y_true = self._indicators(y_true) if self._mixed else y_true
        self._counts.assign_add(keras.ops.sum(called * keras.ops.cast(y_true, self._counts.dtype), axis=0))

    def _indicators(self, rows: Any) -> Any:
        highest = keras.ops.argmax(rows, axis=-1)
        return keras.ops.one_hot(highest, self._counts.shape[0], dtype=self._counts.dtype)

    def result(self) -> Any:
        """Return the counts, shape (k,)."""
        return keras.ops.copy(self._counts)


def _accuracies(correct: npt.NDArray[Any], images: npt.NDArray[Any]) -> dict[str, float]:
    """Return the share of correct images, and the mean over the classes that have images of the share in each."""
    present = images > 0
    return {
        "accuracy": float(correct.sum() / images.sum()),
        "balanced_accuracy": float(np.mean(correct[present] / images[present])),
    }
