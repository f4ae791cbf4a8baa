"""Calibration, threshold transfer and clinical usefulness of each run on test, fitted on validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.evidence.calibration.calibrators import Calibrator, best_calibrator
from benchmark.evidence.calibration.reliability import Reliability, assess
from benchmark.evidence.calibration.utility import DecisionCurve, PredictiveValues, decision_curve, predictive_values
from benchmark.evidence.intervals.uncertainty import effective_sample_sizes
from benchmark.evidence.metrics.influence import Clusters
from benchmark.evidence.metrics.registry import confusion
from benchmark.evidence.scores import Scores
from benchmark.evidence.thresholds.transfer import ThresholdTransfer, threshold_transfer
from reports.results.guarantee_text import StatedShare, stated_share
from reports.results.measured import CardResults


@dataclass(frozen=True)
class Probabilities:
    """Calibration and decisions of one run on test.

    Attributes:
        card: Name of the card.
        seed: The seed.
        transfer: How the threshold from validation transfers to test.
        calibrator: The calibrator, fitted on validation.
        before: The reliability of the scores.
        after: The reliability of the calibrated scores; None where the calibrator was rolled back.
        values: Predictive values by prevalence, at the chosen threshold, or at 0.5 where none was chosen.
        share: What validation supports of the share that the rule states; None for rules that state none.
        curve: The decision curve of the calibrated scores, or of the scores where the calibrator was rolled back.
    """

    card: str
    seed: int
    transfer: ThresholdTransfer
    calibrator: Calibrator
    before: Reliability
    after: Reliability | None
    values: tuple[PredictiveValues, ...]
    curve: DecisionCurve
    share: StatedShare | None = None


def probabilities(measured: Mapping[str, CardResults]) -> tuple[Probabilities, ...]:
    """The probabilities of every run with a threshold record, by card and seed."""
    assessed = []
    for name, cards in measured.items():
        for run, val, test in zip(cards.runs, cards.val, cards.test, strict=True):
            if run.threshold is None:
                continue
            calibrator = best_calibrator(val)
            served = calibrator.apply(test) if calibrator.accepted else test
            at = 0.5 if run.threshold.value is None else run.threshold.value
            rule = run.spec.protocol.threshold
            assessed.append(
                Probabilities(
                    card=name,
                    seed=run.spec.seed,
                    transfer=threshold_transfer(test, run.threshold, rule.value),
                    calibrator=calibrator,
                    before=assess(test),
                    after=assess(served) if calibrator.accepted else None,
                    values=predictive_values(confusion(test, at), effective_sizes=_effective_sizes(test, at)),
                    curve=decision_curve(served),
                    share=stated_share(run, val),
                )
            )
    return tuple(assessed)


def _effective_sizes(test: Scores, threshold: float) -> tuple[float, float] | None:
    return effective_sample_sizes(test.y_true, test.y_score, threshold, Clusters(test.y_true, test.patient))
