"""Suspected label errors in train and validation of a split. The test part is never opened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.data.checks.out_of_fold import SIDE, out_of_fold_scores
from benchmark.data.dataset import Dataset
from benchmark.data.splits import Split
from benchmark.evidence.diagnosis.label_errors import label_suspects
from benchmark.evidence.scores import scores_of


@dataclass(frozen=True)
class SuspectedLabel:
    """An image of train or validation whose label is probably wrong.

    Attributes:
        name: The image.
        part: `train` or `val`.
        patient: Its patient.
        given: The class that it is labelled with.
        suggested: The class with the highest score.
        score: The out-of-fold score of the given class in [0, 1]: the lower, the more suspect.
    """

    name: str
    part: str
    patient: str
    given: str
    suggested: str
    score: float


@dataclass(frozen=True)
class LabelCheck:
    """The suspects of a split.

    Attributes:
        suspects: The images, the most suspect first.
        agreement: The share of labels, in [0, 1], that the classifier gives its highest out-of-fold score. The lower
            it is, the more of the suspects have the right label.
    """

    suspects: tuple[SuspectedLabel, ...]
    agreement: float


def suspected_labels(dataset: Dataset, split: Split) -> LabelCheck:
    """Find images of train and validation whose labels are probably wrong.

    Args:
        dataset: The data set.
        split: Its parts.

    Returns:
        The suspects.

    Raises:
        DataError: A class has too few patients, or an image can no longer be read.
        ImportError: cleanlab is not installed.
    """
    images = [*split.train, *split.val]
    parts = ["train"] * len(split.train) + ["val"] * len(split.val)
    by_class = out_of_fold_scores(images, dataset.read(images, SIDE), dataset.classes)
    labels = np.array([image.label for image in images], dtype=np.int64)
    # Out-of-fold scores of training and validation images: nothing else may be chosen on them.
    y_score = by_class[:, 1] if len(dataset.classes) == 2 else by_class
    scores = scores_of("train", labels, y_score, dataset.classes, ordered=dataset.ordered)
    suspects = tuple(
        SuspectedLabel(
            images[each.row].name,
            parts[each.row],
            images[each.row].patient,
            dataset.classes[each.given],
            dataset.classes[each.suggested],
            each.score,
        )
        for each in label_suspects(scores)
    )
    return LabelCheck(suspects, float(np.mean(by_class.argmax(axis=1) == labels)))
