"""How the scores of each run serve as probabilities and decisions on test, with everything fitted on validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.evidence.calibration.calibrators import Calibrator, best_calibrator
from benchmark.evidence.calibration.reliability import Reliability, assess
from benchmark.evidence.calibration.utility import DecisionCurve, PredictiveValues, decision_curve, predictive_values
from benchmark.evidence.intervals.uncertainty import effective_sample_sizes
from benchmark.evidence.metrics.definitions import confusion
from benchmark.evidence.metrics.influence import Clusters
from benchmark.evidence.scores import Scores
from benchmark.evidence.thresholds.transfer import ThresholdTransfer, threshold_transfer
from reports.results.measured import CardResults


@dataclass(frozen=True)
class Probabilities:
    """One run: how its threshold transfers, how calibrated its test scores are before and after, and what a call is
    worth where the disease is rarer. `after` is None where the calibrator was rolled back; `values` is at the chosen
    threshold, or at 0.5 where none was chosen; `curve` reads the scores as calibrated, or as they are where the
    calibrator was rolled back."""

    card: str
    seed: int
    transfer: ThresholdTransfer
    calibrator: Calibrator
    before: Reliability
    after: Reliability | None
    values: tuple[PredictiveValues, ...]
    curve: DecisionCurve


def probabilities(measured: Mapping[str, CardResults]) -> tuple[Probabilities, ...]:
    """Of every run that chose a threshold record, by card and seed."""
    found = []
    for name, cards in measured.items():
        for run, val, test in zip(cards.runs, cards.val, cards.test, strict=True):
            if run.threshold is None:
                continue
            calibrator = best_calibrator(val)
            served = calibrator.apply(test) if calibrator.accepted else test
            at = 0.5 if run.threshold.value is None else run.threshold.value
            rule = run.spec.protocol.threshold
            found.append(
                Probabilities(
                    card=name,
                    seed=run.spec.seed,
                    transfer=threshold_transfer(test, run.threshold, rule.value),
                    calibrator=calibrator,
                    before=assess(test),
                    after=assess(served) if calibrator.accepted else None,
                    values=predictive_values(confusion(test, at), effective_sizes=_worth(test, at)),
                    curve=decision_curve(served),
                )
            )
    return tuple(found)


def _worth(test: Scores, threshold: float) -> tuple[float, float] | None:
    units = Clusters(test.y_true, test.patient)
    return effective_sample_sizes(test.y_true, test.y_score, threshold, units)
