"""What training compares scores with: targets of images, and weights of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]


def targets_of(labels: Labels, classes: int) -> npt.NDArray[np.float32]:
    """Turn labels into what a loss of Keras compares with scores.

    Args:
        labels: Class indices, from 0 to `classes` - 1, shape (n,).
        classes: Number of classes, 2 or more.

    Returns:
        The labels, shape (n, 1), for two classes; indicators of the classes, shape (n, k), for k classes.
    """
    return labels.astype(np.float32)[:, None] if classes == 2 else np.eye(classes, dtype=np.float32)[labels]


def balanced_class_weights(labels: Labels, classes: int) -> dict[int, float]:
    """Return weights by which each class counts equally in training: n / (k n_c), as scikit-learn's `balanced`.

    Args:
        labels: Class indices of the training images, from 0 to `classes` - 1, shape (n,).
        classes: Number of classes, k.

    Returns:
        The weight of each class that has n_c > 0 images.
    """
    counts = np.bincount(labels, minlength=classes)
    return {label: len(labels) / (classes * int(count)) for label, count in enumerate(counts) if count}


def class_weights_of(
    declared: str | Mapping[str, float], labels: Labels, names: Sequence[str], classes: int
) -> dict[int, float]:
    """Return the weights of classes that a recipe declares.

    Args:
        declared: `balanced`, or weights by the name of the class.
        labels: Class indices of the training images, from 0 to `classes` - 1, shape (n,).
        names: The names of the classes, for weights by name.
        classes: Number of classes, k.

    Returns:
        Weights by class index. Those of `balanced` exist for the classes that have images.
    """
    if isinstance(declared, str):
        return balanced_class_weights(labels, classes)
    return {index: float(declared[name]) for index, name in enumerate(names)}


def image_weights(targets: npt.NDArray[np.float32], by_class: Mapping[int, float]) -> npt.NDArray[np.float32]:
    """Return the weight of each image of a batch, as Keras' `class_weight` means it.

    Args:
        targets: Targets (n, 1) or (n, k) (`targets_of`). A mixed target counts for the class with the larger share, of
            two equal shares for the lower index.
        by_class: Weights by class index; 1 for a class that is missing.

    Returns:
        The weights, shape (n,).
    """
    labels = np.round(targets[:, 0]) if targets.shape[1] == 1 else targets.argmax(axis=1)
    return np.array([by_class.get(int(label), 1.0) for label in labels], np.float32)
