"""Scores of images by a cheap classifier of pixels that saw no image of their patient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from benchmark.data.checks.batch_effect import Floats
from benchmark.data.dataset import DataError, Image, Pixels
from benchmark.data.text import plural

SIDE = 32
"""Side in pixels of the images that are classified."""

FOLDS = 5
_COMPONENTS = 64
_KERNELS = 500


def out_of_fold_scores(images: Sequence[Image], pixels: Pixels, classes: Sequence[str], seed: int = 0) -> Floats:
    """Score each image by a classifier that was fitted to the images of other patients.

    The classifier is a logistic regression on an approximate radial kernel of the first principal components.

    Args:
        images: The images (n,), none of them of a test part.
        pixels: Their pixels, uint8 (n, h, w, channels).
        classes: The names of the k classes.
        seed: Decides folds and kernels.

    Returns:
        Probabilities (n, k).

    Raises:
        DataError: A class has fewer patients than there are folds.
    """
    labels = np.array([image.label for image in images], dtype=np.int64)
    for label, name in enumerate(classes):
        count = len({image.patient for image in images if image.label == label})
        if count < FOLDS:
            raise DataError(
                f"{name}: {plural(count, 'patient')} outside the test part; labels are judged with at least {FOLDS} "
                "patients of each class"
            )
    from sklearn.decomposition import PCA  # here, because it loads slowly
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    inputs = pixels.mean(axis=-1).reshape(len(pixels), -1) / 255
    components = min(_COMPONENTS, len(images) // 4, inputs.shape[1])
    classifier = make_pipeline(
        StandardScaler(),
        PCA(components, whiten=True, random_state=seed),
        Nystroem(gamma=0.5 / components, n_components=min(_KERNELS, len(images) // 2), random_state=seed),
        LogisticRegression(C=3, max_iter=1000),
    )
    patients = [image.patient for image in images]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    with threadpool_limits(1, "blas"):  # small products, on which more threads only wait
        scores: Floats = cross_val_predict(
            classifier, inputs, labels, groups=patients, cv=folds, method="predict_proba"
        )
    return scores
