"""Puts the folds of each card and seed together as one run, whose figures are of every image once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TypeVar

import numpy as np

from benchmark.evidence.calibration.calibrators import Calibrator, best_calibrator
from benchmark.evidence.calibration.scaling import MulticlassCalibrator, best_multiclass_calibrator
from benchmark.evidence.decisions.decide import Decision, FoldedDecision
from benchmark.evidence.diagnosis.diagnoses import Finding
from benchmark.evidence.diagnosis.training_record import TrainingDiagnostics
from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import (
    AnyScores,
    MulticlassScores,
    MulticlassValidationScores,
    Scores,
    ValidationScores,
    rows_of_folds,
)
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.cross_validation import CrossValidatedRun, chosen_cut, is_fold, whole_spec
from benchmark.runs.outcome import costs_of, default_decision, figures_of
from benchmark.runs.run import Costs, Run, SplitFacts
from benchmark.runs.storage.beside.remembered import RunningBench, running_bench
from benchmark.runs.storage.store import Store
from reports.computed_once import computed_once
from reports.results.incomplete import incomplete
from reports.text import number, plural, span

_Scores = TypeVar("_Scores", bound=AnyScores)


def pool_folds(runs: Iterable[Run], store: Store) -> list[Run]:
    """Put the folds of each card and seed together.

    Args:
        runs: Runs of any kind.
        store: The store with their scores.

    Returns:
        The runs in the order of their first fold. Folds are one run: a finished one if all of them finished, else a
        failed one that says which folds are missing. Other runs stay as they are.

    Raises:
        ConfigError: The scores of a fold cannot be read.
    """
    bench = running_bench(store)
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(_whole_id(run, store) if is_fold(run) else run.run_id, []).append(run)
    return [_pooled(group, store, bench) if is_fold(group[0]) else group[0] for group in groups.values()]


def _whole_id(run: Run, store: Store) -> str:
    """A key that the folds of one cross-validation share; for an ensemble, those whose members do."""
    members = [store.get(run_id) for run_id in run.spec.members]
    return "-".join(
        whole_spec(spec).run_id for spec in (run.spec, *(each.spec for each in members if each is not None))
    )


def _pooled(runs: Sequence[Run], store: Store, bench: RunningBench) -> Run:
    """The run of these folds, of which some may be missing."""
    by_fold = {run.spec.fold[1]: run for run in runs if run.spec.fold is not None}
    count = runs[0].spec.protocol.test_folds
    if len(by_fold) == count and all(run.status == "ok" for run in by_fold.values()):
        return _finished(tuple(by_fold[index] for index in sorted(by_fold)), store)
    return incomplete(by_fold, bench)


def _finished(folds: tuple[Run, ...], store: Store) -> CrossValidatedRun:
    first = folds[0]
    spec = whole_spec(first.spec)
    split = _split(folds)
    several = len(spec.dataset.classes) > 2
    rule = spec.protocol.threshold.rule
    pooled = CrossValidatedRun.model_construct(
        **dict(first)
        | {
            "spec": spec,
            "members": (),  # each fold has its own
            "finished": max(run.finished for run in folds),
            "split": split,
            "threshold": None if several else Threshold(None, rule, _thresholds_in_words(folds)),
            "decision": _decision(folds) if several else None,
            "diagnosis": merged_findings([run.diagnosis for run in folds]),
            "checks": _checks(folds),
            "costs": _costs(folds),
            "files": {},
            "folds": folds,
        }
    )
    test = store.scores(pooled, "test")
    sizes = spec.protocol.class_sizes
    loss = _loss(folds)
    decision = pooled.decision
    at_half = {"loss": loss, **figures_of(test, default_decision(test), sizes, costs_of(decision))}
    cut = chosen_cut(pooled, test)
    at_chosen = {}
    if isinstance(test, Scores) and cut is not None:
        at_chosen = {"test": {"loss": loss, **figures(test, cut, sizes)}}
    elif isinstance(decision, FoldedDecision) and decision.is_chosen:
        at_chosen = {"test": {"loss": loss, **figures_of(test, decision, sizes, costs_of(decision))}}
    return pooled.model_copy(update={"at_half": {"test": at_half}, "at_chosen": at_chosen})


def _decision(folds: Sequence[Run]) -> Decision:
    """The decisions of the folds; the highest score, which every fold has in common, is one decision."""
    decisions = [run.decision for run in folds if run.decision is not None]
    classes = folds[0].spec.dataset.classes
    if len(decisions) < len(folds) or decisions[0].rule == "argmax":
        return Decision(classes=classes)
    return FoldedDecision.of(decisions)


def _thresholds_in_words(folds: Sequence[Run]) -> str:
    values = [run.threshold.value if run.threshold else None for run in folds]
    if None in values:
        fold_number = 1 + values.index(None)
        threshold = folds[fold_number - 1].threshold
        return f"fold {fold_number} of {len(folds)} chose none" + (f": {threshold.reason}" if threshold else "")
    return f"each fold has its own: {', '.join(map(number, values))}"


def _split(folds: Sequence[Run]) -> SplitFacts:
    first, count = folds[0].split, len(folds)
    tested = sum(run.split.sizes["test"] for run in folds)
    classes = dict(first.classes)
    if all("test" in run.split.classes for run in folds):
        classes["test"] = tuple(sum(n) for n in zip(*(run.split.classes["test"] for run in folds), strict=True))
    unit = "image" if folds[0].spec.dataset.patients_unknown else "patient"
    train, val = (span([run.split.sizes[part] for run in folds]) for part in ("train", "val"))
    notes: dict[str, str] = {}
    for run in folds:
        for note in run.split.notes[1:]:  # the first one names the fold
            notes.setdefault("".join(letter for letter in note if not letter.isdigit()), note)
    digest = hashlib.sha256("\n".join(run.split.fingerprint for run in folds).encode()).hexdigest()
    return SplitFacts(
        {**first.sizes, "test": tested},
        digest,
        (
            f"{count}-fold cross-validation by {unit}: each of {plural(tested, 'image')} is tested once; each of the "
            f"{count} models was trained on {train} other images and chose on {val} (train and val are counted in "
            "fold 1)",
            *notes.values(),
        ),
        classes,
    )


def merged_findings(of_folds: Sequence[Sequence[Finding]]) -> tuple[Finding, ...]:
    """The findings of all folds: one per code, with the evidence of the first fold that has it.

    Args:
        of_folds: The findings of each fold.

    Returns:
        The findings, in the order of their first appearance.
    """
    folds: dict[str, list[int]] = {}
    first: dict[str, Finding] = {}
    for fold_number, findings in enumerate(of_folds, 1):
        for finding in findings:
            first.setdefault(finding.code, finding)
            folds.setdefault(finding.code, []).append(fold_number)
    return tuple(
        replace(finding, evidence=f"in {_which(folds[code], len(of_folds))}: {finding.evidence}")
        for code, finding in first.items()
    )


def _which(folds: Sequence[int], count: int) -> str:
    if len(folds) == 1:
        return f"fold {folds[0]} of {count}"
    return f"{'all' if len(folds) == count else f'{len(folds)} of'} {count} folds, such as fold {folds[0]}"


def _checks(folds: Sequence[Run]) -> TrainingDiagnostics | None:
    """The related test images of all folds; the other records are of single models."""
    related = [run.checks.related for run in folds if run.checks and run.checks.related is not None]
    if len(related) < len(folds):
        return None
    reasons = dict.fromkeys(reason for of_fold in related for reason in of_fold)
    merged = {reason: tuple(sorted({n for each in related for n in each.get(reason, ())})) for reason in reasons}
    return TrainingDiagnostics(related=merged)


def _costs(folds: Sequence[Run]) -> Costs | None:
    costs = [run.costs for run in folds if run.costs is not None]
    if len(costs) < len(folds):
        return None
    per_epoch = [each.seconds_per_epoch for each in costs if each.seconds_per_epoch is not None]
    per_image = [each.inference_ms_per_image for each in costs if each.inference_ms_per_image is not None]
    stages = dict.fromkeys(stage for each in costs for stage in each.stages)
    return costs[0].model_copy(
        update={
            "seconds": math.fsum(each.seconds for each in costs),
            "epochs": sum(each.epochs for each in costs),
            "seconds_per_epoch": fmean(per_epoch) if per_epoch else None,
            "inference_ms_per_image": fmean(per_image) if per_image else None,
            "peak_memory_mib": max(each.peak_memory_mib for each in costs),
            "stages": {stage: math.fsum(each.stages.get(stage, 0.0) for each in costs) for stage in stages},
            "features_needed": _sum([each.features_needed for each in costs]),
            "features_computed": _sum([each.features_computed for each in costs]),
        }
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _loss(folds: Sequence[Run]) -> Figure:
    """The mean reported test loss, weighted by the images of each fold."""
    recorded = [(run.figures().get("loss"), run.split.sizes["test"]) for run in folds]
    known = [(loss.value, size) for loss, size in recorded if loss is not None and loss.value is not None]
    if len(known) < len(folds):
        return Figure.missing("loss", "a fold has no test loss")
    return Figure("loss", sum(value * size for value, size in known) / sum(size for _, size in known))


AnyCalibrator = Calibrator | MulticlassCalibrator


@dataclass(frozen=True)
class FoldCalibrators:
    """The calibrators of the folds in words, with the fields of one calibrator that tables show.

    Attributes:
        method: The method of each fold.
        accepted: Whether any fold is calibrated.
        reason: Why no fold is; None where one is.
        fits: The calibrator of each fold.
    """

    method: str
    accepted: bool
    reason: str | None
    fits: tuple[AnyCalibrator, ...] = ()


def calibrated(val: AnyScores, test: _Scores) -> tuple[AnyCalibrator | FoldCalibrators, _Scores]:
    """Calibrate test scores with a calibrator fitted on validation scores of the same model, one for each fold.

    Args:
        val: Validation scores, with folds where `test` has them.
        test: Test scores.

    Returns:
        The calibrator, or those of the folds in words, and the calibrated scores. Scores stay as they are where the
        calibrator was rolled back.
    """
    fitted = [_best(part) for part in val.by_fold()]
    y_score = test.y_score.copy()
    rows = [np.ones(len(test), dtype=np.bool_)] if test.fold is None else rows_of_folds(test.fold)
    parts: Sequence[AnyScores] = test.by_fold()
    for calibrator, part, row in zip(fitted, parts, rows, strict=True):
        y_score[row] = _applied(calibrator, part).y_score
    if test.fold is None:
        return fitted[0], replace(test, y_score=y_score)
    methods = [each.method if each.accepted else "none" for each in fitted]
    counts = {method: methods.count(method) for method in dict.fromkeys(methods)}
    text = "by fold: " + ", ".join(f"{method} {count}x" for method, count in counts.items())
    if any(each.accepted for each in fitted):
        return FoldCalibrators(text, True, None, tuple(fitted)), replace(test, y_score=y_score)
    reason = f"in every fold, such as fold 1: {fitted[0].reason}"
    return FoldCalibrators(fitted[0].method, False, reason, tuple(fitted)), replace(test, y_score=y_score)


def _best(val: AnyScores) -> AnyCalibrator:
    if isinstance(val, ValidationScores):
        return computed_once(Calibrator, best_calibrator, val)
    if isinstance(val, MulticlassValidationScores):
        return best_multiclass_calibrator(val)
    raise TypeError(f"a calibrator is fitted on validation scores, not on {type(val).__name__}")


def _applied(calibrator: AnyCalibrator, scores: AnyScores) -> AnyScores:
    if isinstance(calibrator, Calibrator) and isinstance(scores, Scores):
        return calibrator.apply(scores)
    if isinstance(calibrator, MulticlassCalibrator) and isinstance(scores, MulticlassScores):
        return calibrator.apply(scores)
    raise TypeError("the calibrator and the scores have different numbers of classes")
