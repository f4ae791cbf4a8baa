"""Calibration, threshold transfer and clinical usefulness of each run on test, fitted on validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.evidence.calibration.reliability import Reliability, assess
from benchmark.evidence.calibration.utility import DecisionCurve, PredictiveValues, decision_curve, predictive_values
from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.intervals.uncertainty import effective_sample_sizes
from benchmark.evidence.metrics.influence import Clusters, Cut
from benchmark.evidence.metrics.registry import confusion
from benchmark.evidence.scores import Scores, TestScores
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.evidence.thresholds.transfer import OracleThreshold, ThresholdTransfer, threshold_transfer
from reports.computed_once import computed_once
from reports.results.folds import AnyCalibrator, FoldCalibrators
from reports.results.guarantee_text import StatedShare, stated_share
from reports.results.measured import CardResults


@dataclass(frozen=True)
class Probabilities:
    """Calibration and decisions of one run on test.

    Attributes:
        card: Name of the card.
        seed: The seed.
        transfer: How the threshold from validation transfers to test.
        calibrator: The calibrator, fitted on validation; those of the folds in words in a cross-validation.
        before: The reliability of the scores.
        after: The reliability of the calibrated scores; None where the calibrator was rolled back.
        values: Predictive values by prevalence, at the chosen threshold, or at 0.5 where none was chosen.
        share: What validation supports of the share that the rule states; None for rules that state none.
        curve: The decision curve of the calibrated scores, or of the scores where the calibrator was rolled back.
    """

    card: str
    seed: int
    transfer: ThresholdTransfer
    calibrator: AnyCalibrator | FoldCalibrators
    before: Reliability
    after: Reliability | None
    values: tuple[PredictiveValues, ...]
    curve: DecisionCurve
    share: StatedShare | None = None


def probabilities(measured: Mapping[str, CardResults]) -> tuple[Probabilities, ...]:
    """The probabilities of every run with a threshold record, by card and seed."""
    assessed = []
    for name, cards in measured.items():
        if all(run.threshold is None for run in cards.runs):
            continue
        runs = zip(cards.runs, cards.val, cards.test, cards.thresholds, cards.served, strict=True)
        for run, val, test, cut, (calibrator, served) in runs:
            if run.threshold is None:
                continue
            at = 0.5 if cut is None else cut
            rule = run.spec.protocol.threshold
            assessed.append(
                Probabilities(
                    card=name,
                    seed=run.spec.seed,
                    transfer=_transfer(test, run.threshold, rule.value, cut),
                    calibrator=calibrator,
                    before=computed_once(Reliability, assess, test),
                    after=computed_once(Reliability, assess, served) if calibrator.accepted else None,
                    values=predictive_values(confusion(test, at), effective_sizes=_effective_sizes(test, at)),
                    curve=decision_curve(served),
                    share=stated_share(run, val),
                )
            )
    return tuple(assessed)


def _transfer(test: TestScores, chosen: Threshold, value: float, cut: Cut | None) -> ThresholdTransfer:
    """The transfer of a threshold; the folds of a cross-validation have no common one that could be the best."""
    if test.fold is None:
        return threshold_transfer(test, chosen, value)
    oracle = OracleThreshold(None, chosen.rule, {}, "each fold has its own threshold")
    return ThresholdTransfer(chosen, figures(test, 0.5), {} if cut is None else figures(test, cut), oracle)


def _effective_sizes(test: Scores, threshold: Cut) -> tuple[float, float] | None:
    return effective_sample_sizes(test.y_true, test.y_score, threshold, Clusters(test.y_true, test.patient))
