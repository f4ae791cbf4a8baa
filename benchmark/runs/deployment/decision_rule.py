"""What a run's score means: a decision at the threshold that validation chose, and a calibrated probability."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.evidence.calibration.calibrators import Calibrator, best_calibrator
from benchmark.evidence.scores import ValidationScores
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store


@dataclass(frozen=True)
class DecisionRule:
    """How the scores of one run become decisions and probabilities.

    The decision compares the raw score with the raw threshold, as the bench does: `score >= threshold` means the
    positive class, `classes[1]`. Calibration never changes the decision. Isotonic regression has ties: on either side
    of the threshold, a probability may equal `calibrated_threshold`.

    Attributes:
        classes: Names of the two classes, the positive one last.
        threshold: The threshold chosen on validation.
        calibrator: Maps scores to probabilities.
    """

    classes: tuple[str, str]
    threshold: Threshold
    calibrator: Calibrator

    @property
    def calibrated_threshold(self) -> float | None:
        """The threshold as a calibrated probability; None if no threshold was chosen."""
        return None if self.threshold.value is None else self.probability(self.threshold.value)

    def probability(self, score: float) -> float:
        """Calibrate a score.

        Args:
            score: A raw score in [0, 1].

        Returns:
            The probability of the positive class; the score itself if calibration did not lower the log loss.
        """
        return self.calibrator.probability(score)

    def problem(self, score: float) -> str | None:
        """Why an image with this raw score gets no prediction; None if score and probability are in [0, 1]."""
        if not 0 <= score <= 1:  # also when it is not a number
            return f"the model gives {score:.6g}, which is not a probability"
        probability = self.probability(score)
        if not 0 <= probability <= 1:
            return f"calibration turns the score {score:.6g} into {probability:.6g}, which is not a probability"
        return None

    def decide(self, score: float) -> str | None:
        """The predicted class for a raw score; None if no threshold was chosen."""
        return None if self.threshold.value is None else self.classes[int(score >= self.threshold.value)]

    def predict(self, image: str, score: float, outside: tuple[str, ...] = ()) -> Prediction:
        """Decide on one image.

        Args:
            image: Name of the file.
            score: Its raw score.
            outside: Why the image is unlike the training images.

        Returns:
            The prediction. It has an error, and nothing else, if `problem` names one.
        """
        if (problem := self.problem(score)) is not None:
            return Prediction(image, error=problem)
        return Prediction(image, self.probability(score), score, self.decide(score), outside)


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image file.

    Attributes:
        image: Name of the file.
        probability: Calibrated probability of the positive class, in [0, 1].
        score: Raw score of the positive class, in [0, 1].
        decision: The predicted class.
        outside: Why the image is unlike the training images; empty if nothing indicates that.
        error: Why there is no prediction. All other fields are then empty.
    """

    image: str
    probability: float | None = None
    score: float | None = None
    decision: str | None = None
    outside: tuple[str, ...] = ()
    error: str | None = None


def decider_of(run: Run, store: Store) -> DecisionRule:
    """Make the decision rule of a finished run.

    Args:
        run: The run.
        store: The store that contains it.

    Returns:
        The threshold that the bench chose, and the calibrator with the lowest cross-fitted log loss on the stored
        validation scores, as in the report.

    Raises:
        ConfigError: The scores of the run cannot be read.
        ValueError: The run did not finish.
    """
    if run.threshold is None:
        raise ValueError(f"the run {run.run_id} did not finish")
    val = store.binary_scores(run, "val")
    assert isinstance(val, ValidationScores)
    negative, positive = run.spec.dataset.classes
    return DecisionRule((negative, positive), run.threshold, best_calibrator(val))
