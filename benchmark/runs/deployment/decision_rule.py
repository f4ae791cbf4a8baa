"""What a run's score means: a decision at the threshold that validation chose, and a calibrated probability."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmark.evidence.calibration.calibrators import Calibrator, best_calibrator
from benchmark.evidence.diagnosis.out_of_distribution import OODReference
from benchmark.evidence.scores import ValidationScores
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store

LOOKS = {"grey": "grey levels", "layout": "grey levels by place", "features": "features"}
"""What the references of a kept model compare, in words."""


@dataclass(frozen=True)
class DecisionRule:
    """How the scores of one run are read.

    The decision compares the raw score with the raw threshold, as the bench does: `score >= threshold` is the positive
    class, `classes[1]`. Calibration never changes it; `calibrated_threshold` is the same threshold on the scale of
    probabilities. Isotonic regression has ties, so that there a probability may equal it on either side.
    """

    classes: tuple[str, str]
    threshold: Threshold
    calibrator: Calibrator

    @property
    def calibrated_threshold(self) -> float | None:
        """The probability that the threshold's own score gets; None where no threshold was chosen."""
        return None if self.threshold.value is None else self.probability(self.threshold.value)

    def probability(self, score: float) -> float:
        """The calibrated probability of the positive class for a raw `score` in [0, 1]; the score itself where the
        calibrator was rolled back."""
        return self.calibrator.probability(score)

    def problem(self, score: float) -> str | None:
        """Why nothing is said of an image with this raw `score`; None for a score and a probability in [0, 1]."""
        if not 0 <= score <= 1:  # also when it is not a number
            return f"the model gives {score:.6g}, which is no probability"
        probability = self.probability(score)
        if not 0 <= probability <= 1:
            return f"calibration makes {probability:.6g} of the score {score:.6g}, which is no probability"
        return None

    def decide(self, score: float) -> str | None:
        """The class called; None where no threshold was chosen."""
        return None if self.threshold.value is None else self.classes[int(score >= self.threshold.value)]


@dataclass(frozen=True)
class Prediction:
    """What is said of one image file. `probability` (calibrated) and `score` (raw), in [0, 1], are of the positive
    class.

    `outside` lists why the image is unlike those the model was trained on; empty when nothing says so. An image that
    could not be read, or of which the model says nothing that is a probability, has an `error`, and nothing else.
    """

    image: str
    probability: float | None = None
    score: float | None = None
    decision: str | None = None
    outside: tuple[str, ...] = ()
    error: str | None = None


def decider_of(run: Run, store: Store) -> DecisionRule:
    """The decider of a finished run: its threshold as the bench chose it, and the calibrator with the lowest
    cross-fitted log loss on its stored validation scores, as in the report. Raises ConfigError."""
    if run.threshold is None:
        raise ValueError(f"the run {run.run_id} did not finish")
    val = store.scores(run, "val")
    assert isinstance(val, ValidationScores)
    return DecisionRule(run.spec.dataset.classes, run.threshold, best_calibrator(val))


def ood_reasons(
    references: Mapping[str, OODReference],
    described: Mapping[str, Any],
    *,
    colour: bool,
    channels: Literal[1, 3],
) -> tuple[str, ...]:
    """Why an image is unlike the training images. `described` holds its row (1, d) by the name of each reference;
    `colour` says that it is in colour, `channels` 1 that all training images were grey."""
    reasons = ["in colour, trained on grey images alone"] if colour and channels == 1 else []
    for name, reference in references.items():
        distance = float(reference.distances(described[name])[0])
        if not distance <= reference.limit:  # also when it is not a number
            reasons.append(f"{LOOKS.get(name, name)} {_ratio(distance, reference.limit)} times the limit")
    return tuple(reasons)


def _ratio(distance: float, limit: float) -> str:
    times = distance / limit if limit > 0 else math.inf
    return "over 100" if not times <= 100 else f"{times:.2f}" if times < 2 else f"{times:.0f}"
