"""Diagnosis of runs of three or more classes.

Rules on decisions count patients instead of images if a patient has several, so that chance is not underestimated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

import numpy as np
import scipy

from benchmark.evidence.diagnosis.diagnoses import GOOD_AUC, ONE_CLASS_LOWER_BOUND, ONE_CLASS_SHARE
from benchmark.evidence.diagnosis.faults import (
    NEAR_CHANCE,
    ClassCounts,
    Finding,
    batch_effects,
    class_count_faults,
    gap,
    intensity_shifts,
    loss_faults,
    overfitting,
)
from benchmark.evidence.diagnosis.training_record import TrainingDiagnostics
from benchmark.evidence.intervals.formulas import wilson
from benchmark.evidence.intervals.uncertainty import interval
from benchmark.evidence.metrics.influence import Clusters, Labels
from benchmark.evidence.metrics.multiclass import argmax, multiclass_metrics
from benchmark.evidence.metrics.probabilities import auc
from benchmark.evidence.scores import MulticlassScores

SIGNIFICANT = 0.05
"""The level of each rule, over all classes or pairs of classes together (Bonferroni)."""


def diagnose_multiclass(
    val: MulticlassScores,
    test: MulticlassScores | None,
    history: Mapping[str, Sequence[float]],
    *,
    classes: tuple[str, ...] | None = None,
    checks: TrainingDiagnostics | None = None,
    losses: Mapping[str, float] | None = None,
    counts: ClassCounts | None = None,
    decided: Mapping[str, Labels] | None = None,
) -> tuple[Finding, ...]:
    """Diagnose a run of three or more classes from its stored records.

    Args:
        val: Validation scores.
        test: Test scores; None if test was not scored.
        history: loss, accuracy, val_loss and val_accuracy, one value per epoch each; empty for a probe.
        classes: The names of the classes; None takes those of the scores.
        checks: Records of training time; None if there are none.
        losses: Reported losses by split; only if the training loss is cross-entropy.
        counts: Numbers of training images of each class under "train"; None if not recorded.
        decided: Decisions (n,) by split, -1 where the program abstained; None takes the class of the highest score.

    Returns:
        The faults, in the order of the checks.

    Raises:
        ValueError: If `classes` are not those of the scores.
    """
    classes = val.classes if classes is None else classes
    scored = [scores for scores in (val, test) if scores is not None]
    for scores in scored:
        if scores.classes != classes:
            raise ValueError(f"{scores.split} scores are of the classes {scores.classes}, not {classes}")
    calls: dict[str, Labels] = {scores.split: (decided or {}).get(scores.split, argmax(scores)) for scores in scored}
    share = _largest_share(val)
    collapse = _one_class(scored, calls)
    gain = None if test is None else float(np.mean(calls["test"] == test.y_true)) - _largest_share(test)
    lagging = gap(history, share, checks.modes if checks else None, len(val), gain)
    findings = [collapse, lagging]
    if lagging is None:
        findings.append(overfitting(history))
    if collapse is None:
        learning = _not_learning(scored, history, share) if lagging is None else None
        swapped = _swapped(scored, calls)
        findings += [learning, _never_called(scored, calls), *swapped.values()]
        if learning is None and lagging is None:
            findings += _unranked(scored[-1], {label for pair in swapped for label in pair})
    if checks is not None:
        findings += intensity_shifts(checks, {scores.split: len(scores) for scores in scored})
        findings += batch_effects(checks)
    findings += class_count_faults({**(counts or {}), **{s.split: _counts(s) for s in scored}}, classes)
    findings += [loss_faults(s.split, _entropy(s), (losses or {}).get(s.split)) for s in scored]
    return tuple(finding for finding in findings if finding is not None)


def classes_of_one_group(
    y_true: Labels,
    attributes: Mapping[str, Sequence[str]],
    classes: tuple[str, ...],
    patient: Sequence[str] | None = None,
) -> tuple[Finding, ...]:
    """Find classes all of whose images have one value of an attribute that other images do not share.

    A network can then recognise the value, such as a site, instead of the class. A class is reported if Fisher's exact
    test of the class and the value is significant at 5% over all classes and values (Bonferroni). It counts patients if
    they are known.

    Args:
        y_true: Labels (n,), from 0.
        attributes: Values (n,) of each image by name of the attribute; an empty value is unknown and does not count.
        classes: The names of the classes.
        patient: The patient of each image (n,); None where patients are not known.

    Returns:
        One fault per class and attribute, in the order of the attributes.

    Raises:
        ValueError: If an attribute has another number of values than n.
    """
    findings = []
    tests = len(classes) * sum(len({*values}) for values in attributes.values())
    for name, values in attributes.items():
        if len(values) != len(y_true):
            raise ValueError(f"{len(values)} values of {name} for {len(y_true)} images")
        array = np.array(values)
        known = array != ""
        unit = np.unique(np.arange(len(array)) if patient is None else np.array(patient), return_inverse=True)[1]
        for label, class_name in enumerate(classes):
            of_class = known & (y_true == label)
            of_value = {*array[of_class].tolist()}
            if len(of_value) != 1 or len({*array[known].tolist()}) < 2:
                continue
            (value,) = of_value
            units = np.unique(unit[known])
            is_class, has_value = np.isin(units, unit[of_class]), np.isin(units, unit[known & (array == value)])
            table = np.array([[np.sum(is_class == c, where=has_value == v) for v in (1, 0)] for c in (1, 0)])
            if scipy.stats.fisher_exact(table, alternative="greater").pvalue > SIGNIFICANT / tests:
                continue
            others = int((known & (array == value) & (y_true != label)).sum())
            findings.append(
                Finding(
                    "class-of-one-group",
                    f"{class_name} occurs only where {name} is {value}",
                    f"all {int(of_class.sum())} images of {class_name} have {name} {value}, as have {others} of "
                    f"{int((known & (y_true != label)).sum())} images of other classes: {name} may be recognised "
                    "instead of the class",
                    f"recall and false positives of {class_name} among images with {name} {value} alone; images of "
                    f"{class_name} with another {name}",
                )
            )
    return tuple(findings)


def _counts(scores: MulticlassScores) -> tuple[int, ...]:
    return tuple(np.bincount(scores.y_true, minlength=len(scores.classes)).tolist())


def _largest_share(scores: MulticlassScores) -> float:
    return max(_counts(scores)) / len(scores)


def _macro_auc(scores: MulticlassScores) -> float | None:
    return multiclass_metrics(scores.classes)["auc:macro"].value(scores, argmax(scores))


def _entropy(scores: MulticlassScores) -> float | None:
    return multiclass_metrics(scores.classes)["log_loss"].value(scores, argmax(scores))


def _one_class(scored: Sequence[MulticlassScores], calls: Mapping[str, Labels]) -> Finding | None:
    """Check whether a single class is predicted, as for two classes."""
    labels = {scores.split: _single_class(scores, calls[scores.split]) for scores in reversed(scored)}
    collapsed = {label for label in labels.values() if label is not None}
    if not collapsed or (None not in labels.values() and len(collapsed) > 1):
        return None
    label = collapsed.pop()
    affected = [scores for scores in reversed(scored) if labels[scores.split] == label]
    number = [int((calls[scores.split] == label).sum()) for scores in affected]
    if wilson(sum(number), sum(map(len, affected)))[0] < ONE_CLASS_LOWER_BOUND:
        return None
    scores, name = affected[0], scored[0].classes[label]
    where = "" if len(affected) == len(labels) else f" on {scores.split}"
    area = _macro_auc(scores)
    evidence = f"{number[0]} of {len(scores)} {scores.split} images predicted as {name}"
    if area is not None and area >= GOOD_AUC:
        return Finding(
            "one-class-threshold",
            f"one class is predicted{where} ({name}), ranking intact",
            f"{evidence}; {scores.split} macro AUC {area:.3f}: the ranking is good, the decision rule is not",
            "the same scores under a decision rule chosen on validation",
        )
    printed = "undefined" if area is None else f"{area:.3f}"
    return Finding(
        "single-class-collapse",
        f"single-class collapse{where}: {name}",
        f"{evidence}; {scores.split} macro AUC {printed}",
        "the card without its change to the card that it extends; the training images scored in inference mode",
    )


def _single_class(scores: MulticlassScores, decided: Labels) -> int | None:
    """The class that nearly all images are predicted as; None if its share is not above that of the largest class."""
    called = np.bincount(decided[decided >= 0], minlength=len(scores.classes))
    share = float(called.max()) / len(scores)
    if share < ONE_CLASS_SHARE or (share < 1 and share <= _largest_share(scores)):
        return None
    return int(called.argmax())


def _not_learning(
    scored: Sequence[MulticlassScores], history: Mapping[str, Sequence[float]], share: float
) -> Finding | None:
    if not history["accuracy"]:  # a probe has no epochs, and no learning rate to change
        return None
    best, areas = max(history["accuracy"]), [_macro_auc(scores) for scores in scored]
    if best > share + NEAR_CHANCE or areas[0] is None or max(area or 0.0 for area in areas) >= GOOD_AUC:
        return None
    return Finding(
        "not-learning",
        "no better than a constant prediction",
        f"best training accuracy {best:.2f}, and {share:.2f} from always predicting the largest class; "
        f"validation macro AUC {areas[0]:.3f}",
        "a learning rate ten times as high, or more epochs",
    )


def _never_called(scored: Sequence[MulticlassScores], calls: Mapping[str, Labels]) -> Finding | None:
    """Check whether classes are never predicted although they occur too often for that to be chance.

    If a class were predicted as often as it occurs, independently for each image or patient, the probability that it is
    never predicted would be below 5% over the number of classes.
    """
    classes = scored[0].classes
    y_true = np.concatenate([scores.y_true for scores in scored])
    decided = np.concatenate([calls[scores.split] for scores in scored])
    units = sum(len(scores) if scores.patient is None else len({*scores.patient}) for scores in scored)
    shares = np.bincount(y_true, minlength=len(classes)) / len(y_true)
    never = [
        label
        for label in range(len(classes))
        if not (decided == label).any() and (1 - shares[label]) ** units < SIGNIFICANT / len(classes)
    ]
    if not never:
        return None
    parts = " and ".join(scores.split for scores in scored)
    images = ", ".join(f"{int((y_true == label).sum())} {classes[label]}" for label in never)
    them = "this class" if len(never) == 1 else "these classes"
    evidence = f"none of {len(y_true)} images of {parts} is predicted as {them}, although {images} occur"
    change = "balanced class weights, or a decision rule with a threshold for the class"
    if len(never) == 1:
        name = classes[never[0]]
        area = auc(scored[-1].one_vs_rest(never[0]))
        if area is not None:
            evidence += f"; {scored[-1].split} AUC of {name} {area:.3f}"
        return Finding("class-never-called", f"{name} is never predicted", evidence, change)
    called = [name for label, name in enumerate(classes) if (decided == label).any()]
    return Finding(
        "partial-collapse",
        f"only {called[0]} is predicted"
        if len(called) == 1
        else f"only {len(called)} of {len(classes)} classes are predicted",
        f"predicted: {', '.join(called)}; {evidence}",
        f"{change}; the training images scored in inference mode",
    )


def _swapped(scored: Sequence[MulticlassScores], calls: Mapping[str, Labels]) -> dict[tuple[int, int], Finding]:
    """Check for two classes whose images are predicted as each other in one part, but not in the other.

    Of the images of A that are predicted as A or B, most are predicted as B, and most of B as A: both by sign tests, by
    patient, at 5% over all pairs of classes. Both tests must be significant, so no further correction is needed.
    """
    classes = scored[0].classes
    pairs = list(combinations(range(len(classes)), 2))
    findings: dict[tuple[int, int], Finding] = {}
    for a, b in pairs:
        p_values = {scores.split: _exchanged(scores, calls[scores.split], a, b) for scores in scored}
        if min(p_values.values()) > SIGNIFICANT / len(pairs):
            continue
        # If most decisions are exchanged in all parts, the labels of train differ from all of them.
        parts = [split for split, p_value in p_values.items() if p_value < 0.5]
        part = "train" if len(parts) == len(scored) > 1 else parts[0]
        names = f"{classes[a]} and {classes[b]}"
        findings[a, b] = Finding(
            "swapped-classes",
            f"labels of {names} may be swapped in {part}",
            "; ".join(_calls_between(scores, calls[scores.split], a, b) for scores in scored),
            f"the labels of {names} in {part}, looked at; the scores with both labels exchanged there",
        )
    return findings


def _exchanged(scores: MulticlassScores, decided: Labels, a: int, b: int) -> float:
    """Return the larger p-value of both sign tests."""
    return max(_more_often(scores, decided, a, b), _more_often(scores, decided, b, a))


def _more_often(scores: MulticlassScores, decided: Labels, true: int, other: int) -> float:
    """Return the one-sided p-value that images of class `true` are predicted as `other` more often than `true`."""
    of_class = scores.y_true == true
    signs = (decided[of_class] == other).astype(int) - (decided[of_class] == true)
    if scores.patient is not None:
        patients = np.unique(np.array(scores.patient)[of_class], return_inverse=True)[1]
        signs = np.sign(np.bincount(patients, signs)) if len(signs) else signs
    exchanged, changed = int((signs > 0).sum()), int((signs != 0).sum())
    return float(scipy.stats.binomtest(exchanged, changed, alternative="greater").pvalue) if changed else 1.0


def _calls_between(scores: MulticlassScores, decided: Labels, a: int, b: int) -> str:
    parts = []
    for true, other in ((a, b), (b, a)):
        of_class = scores.y_true == true
        parts.append(
            f"{int((decided[of_class] == other).sum())} of {int(of_class.sum())} {scores.classes[true]} predicted as "
            f"{scores.classes[other]} and {int((decided[of_class] == true).sum())} {scores.classes[true]}"
        )
    return f"{scores.split}: {', '.join(parts)}"


def _unranked(scores: MulticlassScores, explained: Collection[int]) -> list[Finding]:
    """Check for classes whose 95% interval of the AUC against the rest includes 0.5 or lies below it.

    Its upper end must be below a good AUC: else there may be too few images to see the ranking.
    """
    findings = []
    for label, name in enumerate(scores.classes):
        rest = scores.one_vs_rest(label)
        value = None if label in explained else auc(rest)
        if value is None:
            continue
        bounds = interval("auc", value, rest.y_score, 0.5, Clusters(rest.y_true, rest.patient))
        if bounds.low is None or bounds.high is None or bounds.low > 0.5 or bounds.high >= GOOD_AUC:
            continue
        findings.append(
            Finding(
                "unranked-class",
                f"{name} is not ranked above other classes",
                f"{scores.split} AUC of {name} against the rest {value:.3f} [{bounds.low:.3f}, {bounds.high:.3f}] with "
                f"{int(rest.y_true.sum())} images of the class",
                f"the images and labels of {name}, looked at; more training images of it",
            )
        )
    return findings
