"""Recalibration on a part of the images from elsewhere, to be judged on the rest of them.

The images of a source are typed as test scores, on which nothing can be chosen. `divide` is the only door from there to
scores on which something is fitted, and it gives up the images that pass through it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmark.evidence.calibration.calibrators import Calibrator
from benchmark.evidence.calibration.reliability import assess
from benchmark.evidence.calibration.scaling import MulticlassCalibrator, calibrate_multiclass
from benchmark.evidence.scores import (
    AnyScores,
    MulticlassScores,
    MulticlassTestScores,
    MulticlassValidationScores,
    TestScores,
    ValidationScores,
    scores_of,
)

AnyValidationScores = ValidationScores | MulticlassValidationScores
AnyTestScores = TestScores | MulticlassTestScores


@dataclass(frozen=True, eq=False)
class Division:
    """Images from elsewhere in two parts that share no patient.

    Attributes:
        is_fitted: Whether each image is in the part for recalibration (n,).
        part: The scores on which the model is recalibrated.
        rest: The scores on which both versions are evaluated.
    """

    is_fitted: npt.NDArray[np.bool_]
    part: AnyValidationScores
    rest: AnyTestScores


def divide(scores: AnyTestScores, names: tuple[str, ...], share: float, seed: int) -> Division | str:
    """Divide images from elsewhere by patient, with about the same classes in both parts.

    Patients (images, where patients are not known) are ordered by a hash of seed and name, so that the division depends
    neither on the order of the images nor on a version of a library.

    Args:
        scores: The scores of images from elsewhere.
        names: The name of each image (n,), all different.
        share: The share of the patients of each class for recalibration, in (0, 1).
        seed: Seed of the order.

    Returns:
        The two parts, or the reason why there are none: a class would be missing in one of them.

    Raises:
        TypeError: The scores are not typed as test scores.
        ValueError: The share is not between 0 and 1.
    """
    if type(scores) not in (TestScores, MulticlassTestScores):
        raise TypeError(f"images from elsewhere are TestScores, not {type(scores).__name__}")
    if not 0 < share < 1:
        raise ValueError(f"the share {share:g} is not between 0 and 1")
    units = np.array(names if scores.patient is None else scores.patient)
    present = np.unique(scores.y_true)
    chosen: set[str] = set()
    rarest: dict[str, int] = {}
    frequent_first = sorted(present.tolist(), key=lambda label: -int(np.sum(scores.y_true == label)))
    for label in frequent_first:  # a patient with images of several classes counts for the rarest of them
        rarest |= dict.fromkeys(units[scores.y_true == label].tolist(), label)
    for label in frequent_first:
        of_class = sorted((unit for unit, rare in rarest.items() if rare == label), key=lambda unit: _order(unit, seed))
        count = math.floor(share * len(of_class) + 0.5)
        chosen.update(of_class[: min(max(count, 1), len(of_class) - 1)])
    is_fitted = np.array([unit in chosen for unit in units.tolist()])
    for rows in (is_fitted, ~is_fitted):
        if len(np.unique(scores.y_true[rows])) < max(2, len(present)):
            unit = "images" if scores.patient is None else "patients"
            return f"too few {unit} for a part with every class beside a rest with every class"
    part, rest = _rows(scores, is_fitted, "val"), _rows(scores, ~is_fitted, "test")
    assert isinstance(part, ValidationScores | MulticlassValidationScores)
    assert isinstance(rest, TestScores | MulticlassTestScores)
    return Division(is_fitted, part, rest)


def recalibrated(part: AnyValidationScores) -> Calibrator | MulticlassCalibrator:
    """Fit slope and intercept of the probabilities of a model on a part of the images from elsewhere.

    Two classes have the logistic recalibration of Cox (1958) by maximum likelihood, more a slope and an intercept per
    class (vector scaling of Guo et al. 2017), which is applied only if it lowers the cross-fitted log loss.

    Args:
        part: The probabilities of the model on the part for recalibration.

    Returns:
        The map from the probabilities of the model to recalibrated ones; not accepted, with the reason, if there is no
        finite positive slope.

    Raises:
        TypeError: The scores are not those of a part that `divide` made.
    """
    if isinstance(part, MulticlassValidationScores):
        return calibrate_multiclass(part, "vector")
    if type(part) is not ValidationScores:
        raise TypeError(f"a recalibration is fitted on the part that was set aside, not on {type(part).__name__}")
    assessed = assess(part)
    slope, intercept = assessed.slope.value, assessed.intercept.value
    if slope is None or intercept is None:
        return Calibrator("platt", accepted=False, reason=assessed.slope.reason or "there is no finite slope")
    if slope <= 0:
        return Calibrator("platt", accepted=False, reason="probabilities are not higher for positives here")
    return Calibrator("platt", accepted=True, parameters=(slope, intercept))


def _order(unit: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}\0{unit}".encode("utf-8", "surrogatepass")).hexdigest()


def _rows(scores: AnyTestScores, rows: npt.NDArray[np.bool_], split: str) -> AnyScores:
    patients = scores.patient
    of_rows = None if patients is None else tuple(np.array(patients, dtype=object)[rows])
    return scores_of(
        "val" if split == "val" else "test",
        scores.y_true[rows],
        scores.y_score[rows],
        scores.classes if isinstance(scores, MulticlassScores) else ("negative", "positive"),
        of_rows,
        ordered=isinstance(scores, MulticlassScores) and scores.ordered,
    )
