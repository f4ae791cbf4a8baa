"""What recalibration on a part of the images from elsewhere would give, judged on the rest of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmark.evidence.calibration.calibrators import Calibrator
from benchmark.evidence.calibration.scaling import MulticlassCalibrator
from benchmark.evidence.comparison.multiclass import multiclass_differences
from benchmark.evidence.comparison.paired import differences
from benchmark.evidence.decisions.decide import Decision, decide_all
from benchmark.evidence.estimate import Estimate
from benchmark.evidence.external.recalibration import divide, recalibrated
from benchmark.evidence.intervals.seeds import MulticlassPairedScores, PairedScores
from benchmark.evidence.metrics.multiclass import argmax
from benchmark.evidence.metrics.registry import Figure, measures
from benchmark.evidence.scores import (
    AnyScores,
    MulticlassScores,
    MulticlassTestScores,
    MulticlassValidationScores,
    Scores,
    TestScores,
    ValidationScores,
)
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.deployment.multiclass import AnyDecisionRule
from benchmark.runs.outcome import Choice, choose, is_chosen
from benchmark.runs.run import Run
from reports.results.outside.figures import Group, Key, calibrated, class_counts, grouped_figures

_RECALIBRATED, _STORED = "a", "b"  # a difference is that of a minus b


@dataclass(frozen=True)
class RecalibratedRow:
    """One figure of both versions of a model on the same rest of the images from elsewhere.

    Attributes:
        key: Its key.
        label: Its name in tables.
        group: What it is about.
        as_stored: The figure of the model as it is stored.
        recalibrated: The figure after recalibration.
        difference: The latter minus the former, paired by image; None for figures that are not compared.
    """

    key: str
    label: str
    group: Group
    as_stored: Figure
    recalibrated: Figure
    difference: Estimate | None


@dataclass(frozen=True)
class Recalibration:
    """What recalibration on a part of the images from elsewhere would give, judged on the rest.

    Attributes:
        share: The share of the patients of each class in the part for recalibration.
        seed: Seed of the division.
        part: Numbers of images of each class in this part.
        rest: Numbers of images of each class in the rest.
        by_patient: Whether no patient is in both.
        calibrator: The map of the probabilities, refitted on the part; None without a division.
        choice: The threshold or decision, chosen again on the part by the rule of the run; None without a division.
        rows: The figures on the rest.
        reason: Why there is no recalibration; None where there is one.
    """

    share: float
    seed: int
    part: tuple[int, ...] = ()
    rest: tuple[int, ...] = ()
    by_patient: bool = False
    calibrator: Calibrator | MulticlassCalibrator | None = None
    choice: Choice | None = None
    rows: tuple[RecalibratedRow, ...] = ()
    reason: str | None = None


def recalibration_on(
    run: Run, outside: AnyScores, names: tuple[str, ...], decider: AnyDecisionRule, share: float, seed: int
) -> Recalibration:
    """Recalibrate on a part of the images from elsewhere and compare both versions on the rest.

    The run stays as it is: neither its threshold nor its calibrator changes.

    Args:
        run: The run, whose rule chooses again on the part.
        outside: The raw scores of images from elsewhere, typed as test scores.
        names: The names of the images.
        decider: The decision rule and the calibrator of the run.
        share: The share of the patients of each class for recalibration, in (0, 1).
        seed: Seed of the division.

    Returns:
        Both versions on the same images, or the reason why there is only one.
    """
    assert isinstance(outside, TestScores | MulticlassTestScores)  # as the store types them
    counts = class_counts(outside, len(run.spec.dataset.classes))
    if sum(count > 0 for count in counts) < 2:
        absent = [name for name, count in zip(run.spec.dataset.classes, counts, strict=True) if not count]
        return Recalibration(share, seed, reason=f"no image is of {', '.join(absent)}")
    division = divide(outside, names, share, seed)
    if isinstance(division, str):
        return Recalibration(share, seed, reason=division)
    part = calibrated(decider, division.part)
    assert isinstance(part, ValidationScores | MulticlassValidationScores)
    calibrator, choice = recalibrated(part), choose(run.spec.protocol, division.part)
    if isinstance(calibrator, Calibrator) and not calibrator.accepted and _are_made_equal(division.part, part):
        reason = "the calibration of the run gives all of these images the same probability, whatever their score"
        calibrator = replace(calibrator, reason=reason)
    stored = calibrated(decider, division.rest)
    after = _apply(calibrator, stored)
    assert run.choice is not None  # the run is finished
    before_figures = grouped_figures(division.rest, stored, run.choice, "drawn")
    after_figures = grouped_figures(division.rest, after, choice, "drawn")
    paired: dict[str, Estimate] = {}
    if is_chosen(run.choice) and is_chosen(choice):
        paired |= _of_decisions(division.rest, run.choice, choice, list(before_figures))
    if calibrator.accepted:
        paired |= _of_losses(stored, after, list(before_figures))
    classes = len(run.spec.dataset.classes)
    return Recalibration(
        share,
        seed,
        part=class_counts(division.part, classes),
        rest=class_counts(division.rest, classes),
        by_patient=outside.patient is not None,
        calibrator=calibrator,
        choice=choice,
        rows=tuple(
            RecalibratedRow(key, label, group, figure, after_figures[group, key, label], paired.get(key))
            for (group, key, label), figure in before_figures.items()
            if group in ("decisions", "calibration") and (group, key, label) in after_figures
        ),
    )


def _are_made_equal(raw: AnyScores, calibrated_scores: AnyScores) -> bool:
    """Whether scores differ and the probabilities made of them do not."""
    return bool(np.ptp(raw.y_score) > 0) and not np.ptp(calibrated_scores.y_score) > 0


def _apply(calibrator: Calibrator | MulticlassCalibrator, scores: AnyScores) -> AnyScores:
    if isinstance(calibrator, Calibrator):
        assert isinstance(scores, Scores)  # calibrator and scores are of the same run
        return calibrator.apply(scores)
    assert isinstance(scores, MulticlassScores)
    return calibrator.apply(scores)


def _of_decisions(rest: AnyScores, stored: Choice, again: Choice, keys: list[Key]) -> dict[str, Estimate]:
    wanted = [key for group, key, _ in keys if group == "decisions"]
    if isinstance(rest, MulticlassScores):
        assert isinstance(stored, Decision)
        assert isinstance(again, Decision)
        cards = {
            name: MulticlassPairedScores((rest,), (decide_all(each, rest),), stored.costs, each.abstains)
            for name, each in ((_STORED, stored), (_RECALIBRATED, again))
        }
        return _multiclass(wanted, cards)
    assert isinstance(stored, Threshold)
    assert isinstance(again, Threshold)
    cuts = {_STORED: stored.value, _RECALIBRATED: again.value}
    pairs = {name: PairedScores((rest,), (cut,)) for name, cut in cuts.items() if cut is not None}
    known = [name for name in measures() if name in wanted]
    return {key: each for (key, _, _), each in differences(known, pairs, same_runs=True).items()}


def _of_losses(stored: AnyScores, after: AnyScores, keys: list[Key]) -> dict[str, Estimate]:
    names = [key for group, key, _ in keys if group == "calibration"]
    if isinstance(stored, MulticlassScores) and isinstance(after, MulticlassScores):
        decided = argmax(stored)  # losses do not depend on decisions
        cards = {
            name: MulticlassPairedScores((each,), (decided,))
            for name, each in ((_STORED, stored), (_RECALIBRATED, after))
        }
        return _multiclass([key for key in names if key in ("brier", "log_loss")], cards)
    assert isinstance(stored, Scores)
    assert isinstance(after, Scores)
    known = [name for name in measures() if name in names]
    pairs = {_STORED: PairedScores((stored,), (0.5,)), _RECALIBRATED: PairedScores((after,), (0.5,))}
    return {key: each for (key, _, _), each in differences(known, pairs, same_runs=True).items()}


def _multiclass(keys: list[str], cards: Mapping[str, MulticlassPairedScores]) -> dict[str, Estimate]:
    known = [key for key in keys if key in cards[_STORED].metrics]
    if not known:
        return {}
    return {key: each for (key, _, _), each in multiclass_differences(known, cards, same_runs=True).items()}
