"""How the score of an image is shown: as a calibrated probability where calibration is used, else as it is."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.evidence.calibration.calibrators import Calibrator
from benchmark.evidence.calibration.scaling import MulticlassCalibrator
from reports.text import probability


@dataclass(frozen=True)
class Scale:
    """The scale of the scores of one run wherever an image is shown.

    Attributes:
        calibrated: Whether they are probabilities that were calibrated on validation.
        folds: The number of folds of a cross-validation where they are, and of all folds; None for a single model and
            where all folds agree.
    """

    calibrated: bool
    folds: tuple[int, int] | None = None

    @property
    def noun(self) -> str:
        """The name of a value on this scale."""
        return "probability" if self.calibrated else "score"

    @property
    def head(self) -> str:
        """The name in captions and heads of columns, followed by the class in brackets."""
        return "Prob" if self.calibrated else "Score"

    @property
    def words(self) -> str:
        """What a value on this scale is."""
        if self.folds is not None:
            return "probability (calibrated on validation in {} of {} folds, else the score)".format(*self.folds)
        return "probability (calibrated on validation)" if self.calibrated else "score (not calibrated)"


def scale_of(*calibrators: Calibrator | MulticlassCalibrator | None) -> Scale:
    """The scale of a run with this calibrator, or with those of its folds; one that was rolled back changes no score.

    Args:
        calibrators: The calibrator, or that of each fold; None and none leave scores as they are.

    Returns:
        The scale.
    """
    used = sum(each is not None and each.accepted for each in calibrators)
    return Scale(used > 0, (used, len(calibrators)) if 0 < used < len(calibrators) else None)


AS_SCORED = Scale(calibrated=False)
"""The scale without calibration."""


def probability_text(score: float, threshold: float) -> str:
    """`score` with two decimals, or as many as it needs to differ from `threshold`, from 0 and from 1."""
    decimals = 2
    while decimals < 6 and score != threshold and round(score, decimals) == round(threshold, decimals):
        decimals += 1
    return probability(score, decimals)


def short_name(classes: tuple[str, ...]) -> str:
    """The first letter of the positive class, or its whole name if both classes share that letter."""
    negative, positive = classes
    return positive if positive[:1] == negative[:1] else positive[:1]
