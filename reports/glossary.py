"""Statistical words with their meaning in a sentence or two, as `docs/glossary.md` has them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TERMS: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": ("The share of images that are predicted correctly."),
        "AUC": (
            "The chance that a random image of the positive class has a higher score than a random image of the other "
            "class; 0.5 is guessing, 1 is perfect. The macro AUC is the mean over classes, each against the rest."
        ),
        "balanced accuracy": (
            "The mean of the recalls of all classes, so that rare classes count as much as frequent ones."
        ),
        "baseline": (
            "A card that a model must beat to be of use: the same answer for every image, or logistic regression on "
            "pixels."
        ),
        "calibration": (
            "A map from scores to probabilities that are right on average: of the images with probability 0.3, three "
            "in ten are positive. For three or more classes, by temperature scaling or vector scaling."
        ),
        "card": ("A model, its recipe, and the figures published about it, in one YAML file."),
        "clearly worse": (
            "A card whose difference from the best card is significant at the 5% level, all comparisons with the best "
            "card counted together (Holm's method). See the summary."
        ),
        "confidence interval": (
            "The values that are compatible with the test images. A 95% interval contains the true value in 95% of "
            "data sets. It narrows with more images."
        ),
        "diagnosis": (
            "A named cause of a run's failure, with the figures that support it and the change that would test it."
        ),
        "F1": ("The harmonic mean of precision and recall."),
        "guarantee": (
            "The statement that a threshold, chosen on validation, has at least a stated sensitivity or specificity on "
            "further images like these, with a stated confidence."
        ),
        "Holm's method": (
            "A correction for many tests at once: with it, the chance of even one false alarm among them is at most 5%."
        ),
        "leading figures": (
            "The figures that a table gives first: at the chosen threshold, or by the decision of the protocol. Those "
            "at 0.5, or of the highest score, are beside them."
        ),
        "macro average": (
            "The mean of a figure over the classes, each with the same weight. The weighted average weights classes "
            "by their images; the micro average counts all pairs of an image and a class."
        ),
        "paired comparison": (
            "The difference of two cards on the same images. It needs fewer images than a comparison of two separate "
            "tests."
        ),
        "patient": (
            "The unit of independence. Images of one patient never cross a split and count as one cluster in "
            "intervals. Patients are not known if the source does not say which images belong together; images are "
            "then drawn and counted individually."
        ),
        "precision": (
            "Of the images that are predicted positive, the share that are positive. It depends on how frequent the "
            "positive class is. The precision of a protocol is different: the number format of frozen layers."
        ),
        "protocol": (
            "The conditions that all cards of a comparison share: image size, sampling, seeds, views, threshold rule, "
            "budget."
        ),
        "recall": (
            "The share of the images of a class that are predicted as this class. For the positive class it is also "
            "called sensitivity."
        ),
        "ROC curve": ("Recall against the share of false alarms, at every threshold. The diagonal is guessing."),
        "score": ("The output of a model for an image, between 0 and 1. It is a probability only if it is calibrated."),
        "seed": (
            "The number that determines initial weights, dropout, and the order of batches and views. Splits depend "
            "on the protocol's own seed instead."
        ),
        "sensitivity": ("The share of images of the positive class that are predicted positive; also called recall."),
        "specificity": ("The share of images of the other class that are predicted negative."),
        "test": ("The images that are scored once. Nothing fitted, chosen, stopped or calibrated sees them."),
        "test fold": (
            "One of the parts into which all images are divided, each patient in one part. A model that was trained "
            "without the part tests it."
        ),
        "threshold": (
            "The score at or above which an image is predicted positive. Figures at the threshold that a rule chose "
            "on validation lead, with those at 0.5 beside them."
        ),
        "validation": (
            "The images used to choose thresholds, to calibrate, to stop early and to search. Their scores are not "
            "results."
        ),
        "view": (
            "One augmented version of a training image. The protocol's view seed draws the views, so all cards and "
            "seeds see the same ones."
        ),
        "Youden": (
            "The threshold rule youden: the largest recall + specificity − 1 on validation, named after its author "
            "(Youden 1950)."
        ),
    }
)
"""The meaning of each word, in alphabetical order."""

_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "auc": "AUC",
        "auc:macro": "macro average",
        "recall:macro": "balanced accuracy",
        "balanced_accuracy": "balanced accuracy",
        "f1": "F1",
    }
)


def term_of(metric: str) -> str | None:
    """The word of `TERMS` that explains a metric, by its name or key; None without one."""
    name = _KEYS.get(metric, metric)
    return name if name in TERMS else None
