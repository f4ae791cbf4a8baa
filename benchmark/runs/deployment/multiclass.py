"""What a run's scores of three or more classes mean: the decision of its rule, and calibrated probabilities."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmark.evidence.calibration.scaling import MulticlassCalibrator, best_multiclass_calibrator
from benchmark.evidence.decisions.decide import ABSTAINED, Decision, decide
from benchmark.evidence.scores import SUM_TOLERANCE, MulticlassValidationScores
from benchmark.runs.deployment.decision_rule import DecisionRule, Prediction, decider_of
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MulticlassPrediction:
    """The prediction for one image file among k classes.

    Attributes:
        image: Name of the file.
        decision: The predicted class; None if the rule abstains, or if nothing was chosen.
        probability: Calibrated probability of the predicted class, in [0, 1].
        probabilities: Calibrated probability of each class, by name; they sum to 1.
        scores: Raw score of each class, by name; they sum to 1.
        abstained: Whether the rule leaves the image without a class.
        outside: Why the image is unlike the training images; empty if nothing indicates that.
        error: Why there is no prediction. All other fields are then empty.
    """

    image: str
    decision: str | None = None
    probability: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    abstained: bool = False
    outside: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class MulticlassDecisionRule:
    """How the scores of one run become decisions among k classes and probabilities.

    Decisions are those of the bench. They compare raw scores, except that `cost` weights costs by calibrated
    probabilities. So the predicted class need not have the highest calibrated probability.

    Attributes:
        decision: The decision chosen on validation.
        calibrator: Maps scores to probabilities; that of the decision if it has one.
    """

    decision: Decision
    calibrator: MulticlassCalibrator

    def __post_init__(self) -> None:
        if self.decision.calibrator not in (None, self.calibrator):
            raise ValueError("the probabilities need the calibrator that the decision was chosen with")

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the k classes, in the order of the scores."""
        return self.decision.classes

    def predict(self, image: str, scores: Floats, outside: tuple[str, ...] = ()) -> MulticlassPrediction:
        """Decide on one image.

        Args:
            image: Name of the file.
            scores: Raw scores (k,).
            outside: Why the image is unlike the training images.

        Returns:
            The prediction. It has an error, and nothing else, if the scores or their calibration are no probabilities.
        """
        if (problem := self._problem(scores)) is not None:
            return MulticlassPrediction(image, error=problem)
        probabilities = self.calibrator.probabilities(scores[None])[0]
        label = int(decide(self.decision, scores[None])[0]) if self.decision.is_chosen else None
        called = None if label in (None, ABSTAINED) else label
        return MulticlassPrediction(
            image,
            decision=None if called is None else self.classes[called],
            probability=None if called is None else float(probabilities[called]),
            probabilities=dict(zip(self.classes, probabilities.tolist(), strict=True)),
            scores=dict(zip(self.classes, scores.tolist(), strict=True)),
            abstained=label == ABSTAINED,
            outside=outside,
        )

    def _problem(self, scores: Floats) -> str | None:
        wrong = scores[~((scores >= 0) & (scores <= 1))]  # also those that are not a number
        if len(wrong):
            return f"the model gives {wrong[0]:.6g}, which is not a probability"
        if not abs(scores.sum() - 1) <= SUM_TOLERANCE:
            return f"the model gives scores that sum to {scores.sum():.6g} over the classes, not to 1"
        probabilities = self.calibrator.probabilities(scores[None])[0]
        if not np.isfinite(probabilities).all():
            return "calibration turns the scores into numbers that are not probabilities"
        return None


AnyDecisionRule = DecisionRule | MulticlassDecisionRule
AnyPrediction = Prediction | MulticlassPrediction


def any_decider_of(run: Run, store: Store) -> AnyDecisionRule:
    """Make the decision rule of a finished run on any number of classes.

    Args:
        run: The run.
        store: The store that contains it.

    Returns:
        As `decider_of` for two classes. For more, the decision that the bench chose with its calibrator. If it has
        none, the calibrator is that with the lowest cross-fitted log loss on the stored validation scores.

    Raises:
        ConfigError: The scores of the run cannot be read.
        ValueError: The run did not finish.
    """
    if len(run.spec.dataset.classes) == 2:
        return decider_of(run, store)
    if run.decision is None:
        raise ValueError(f"the run {run.run_id} did not finish")
    return MulticlassDecisionRule(run.decision, calibrator_of_classes(run, store))


def calibrator_of_classes(run: Run, store: Store) -> MulticlassCalibrator:
    """The calibrator of a run on three or more classes: that of its decision, else the best one on validation.

    Args:
        run: A finished run.
        store: The store that contains it.

    Returns:
        The calibrator, accepted or rolled back.

    Raises:
        ConfigError: The scores of the run cannot be read.
    """
    if run.decision is not None and run.decision.calibrator is not None:
        return run.decision.calibrator
    val = store.scores(run, "val")
    assert isinstance(val, MulticlassValidationScores)
    return best_multiclass_calibrator(val)
