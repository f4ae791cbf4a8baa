"""Metrics of several classes agree with scikit-learn, and their influence values are their derivatives."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.evidence.metrics.influence import Labels
from benchmark.evidence.metrics.multiclass import (
    argmax,
    class_metrics,
    find_multiclass,
    is_of_classes,
    multiclass_metric_names,
    multiclass_metrics,
)
from benchmark.evidence.metrics.registry import find_metric, label_of, range_of
from benchmark.evidence.scores import MulticlassScores
from tests.support.multiclass_scores import NAMES, drawn_decisions

QUICK = settings(deadline=None, max_examples=6)
COSTS = {k: [[float(abs(i - j) * (1 + i)) for j in range(k)] for i in range(k)] for k in (3, 10)}

Reference = Callable[[Any, Any, Any, Any], float]
WHOLE: dict[str, Reference] = {
    "accuracy": lambda y, s, d, w: reference.accuracy_score(y, d, sample_weight=w),
    "balanced_accuracy": lambda y, s, d, w: reference.balanced_accuracy_score(y, d, sample_weight=w),
    "mcc": lambda y, s, d, w: reference.matthews_corrcoef(y, d, sample_weight=w),
    "kappa": lambda y, s, d, w: reference.cohen_kappa_score(y, d, sample_weight=w),
    "quadratic_kappa": lambda y, s, d, w: reference.cohen_kappa_score(y, d, weights="quadratic", sample_weight=w),
    "log_loss": lambda y, s, d, w: reference.log_loss(y, s, sample_weight=w),
    "brier": lambda y, s, d, w: reference.brier_score_loss(y, s, sample_weight=w),
    "top_3_accuracy": lambda y, s, d, w: reference.top_k_accuracy_score(y, s, k=3, sample_weight=w),
    "top_5_accuracy": lambda y, s, d, w: reference.top_k_accuracy_score(y, s, k=5, sample_weight=w),
    "expected_cost": lambda y, s, d, w: np.average(np.array(COSTS[s.shape[1]])[y, d], weights=w),
}
OF_CLASSES: dict[str, Callable[..., Any]] = {
    "recall": lambda y, s, d, w, average: reference.recall_score(y, d, average=average, sample_weight=w),
    "precision": lambda y, s, d, w, average: reference.precision_score(y, d, average=average, sample_weight=w),
    "f1": lambda y, s, d, w, average: reference.f1_score(y, d, average=average, sample_weight=w),
    "auc": lambda y, s, d, w, average: reference.roc_auc_score(
        y, s, average=average, multi_class="ovr", sample_weight=w
    ),
    "average_precision": lambda y, s, d, w, average: reference.average_precision_score(
        np.eye(s.shape[1])[y], s, average=average, sample_weight=w
    ),
}


def expected(key: str, scores: MulticlassScores, decided: Labels, weights: Any = None) -> float | None:
    """What scikit-learn says; None for what it does not compute."""
    metric, _, rest = key.partition(":")
    if not rest:
        known = WHOLE.get(metric)
        return None if known is None else float(known(scores.y_true, scores.y_score, decided, weights))
    if metric not in OF_CLASSES:
        return None
    average = None if rest.startswith("class:") else rest
    if metric == "auc" and average == "micro":
        y_true = np.eye(len(scores.classes))[scores.y_true]
        return float(reference.roc_auc_score(y_true, scores.y_score, average="micro", sample_weight=weights))
    value = OF_CLASSES[metric](scores.y_true, scores.y_score, decided, weights, average)
    return float(value if average else value[scores.classes.index(rest.removeprefix("class:"))])


def every_metric(scores: MulticlassScores) -> dict[str, Any]:
    return multiclass_metrics(scores.classes, ordered=True, costs=COSTS[len(scores.classes)], abstains=True)


@pytest.mark.parametrize("k", [3, 10])
@QUICK
@given(seed=st.integers(0, 10_000))
def test_every_value_is_scikit_learn_s(k: int, seed: int) -> None:
    scores, decided = drawn_decisions(seed, k=k, separation=2.5)
    compared = 0
    for key, metric in every_metric(scores).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            at = expected(key, scores, decided)
        value = metric.value(scores, decided)
        if at is not None and value is not None:
            assert value == pytest.approx(at, abs=1e-9), key
            compared += 1
    assert compared > 20


@pytest.mark.parametrize("k", [3, 10])
def test_specificity_is_that_of_each_class_against_the_rest(k: int) -> None:
    scores, decided = drawn_decisions(4, k=k)
    pairs = reference.multilabel_confusion_matrix(scores.y_true, decided)
    metrics = every_metric(scores)
    by_class = [pair[0, 0] / pair[0].sum() for pair in pairs]
    for name, at in zip(scores.classes, by_class, strict=True):
        assert metrics[f"specificity:class:{name}"].value(scores, decided) == pytest.approx(at)
    pooled = pairs.sum(axis=0)
    shares = np.bincount(scores.y_true) / len(scores)
    assert metrics["specificity:macro"].value(scores, decided) == pytest.approx(np.mean(by_class))
    assert metrics["specificity:weighted"].value(scores, decided) == pytest.approx(shares @ by_class)
    assert metrics["specificity:micro"].value(scores, decided) == pytest.approx(pooled[0, 0] / pooled[0].sum())


@pytest.mark.parametrize("k", [3, 10])
@QUICK
@given(seed=st.integers(0, 10_000), abstained=st.booleans())
def test_influence_values_are_derivatives_by_the_weights(k: int, seed: int, abstained: bool) -> None:
    scores, decided = drawn_decisions(seed, k=k, separation=2.5)
    if abstained:
        decided[-4:] = -1
    step, some = 1e-5, [0, 5, 50, len(scores) - 1]
    weights = np.ones((len(scores), 2 * len(some)))
    for column, image in enumerate(some):
        weights[image, 2 * column] += step
        weights[image, 2 * column + 1] -= step
    for key, metric in every_metric(scores).items():
        influence = metric.influence_values(scores, decided)
        if influence is None:
            assert metric.value(scores, decided) is None
            continue
        values = metric.weighted(scores, decided, weights)
        assert influence.sum() == pytest.approx(0, abs=1e-9), key
        assert (values[::2] - values[1::2]) / (2 * step) == pytest.approx(influence[some], abs=1e-7, rel=1e-4), key


@pytest.mark.parametrize("k", [3, 10])
def test_values_under_weights_are_scikit_learn_s(k: int) -> None:
    scores, decided = drawn_decisions(2, n=300, k=k, separation=2.5)
    weights = np.random.default_rng(0).integers(1, 4, size=(len(scores), 3)).astype(float)
    compared = 0
    for key, metric in every_metric(scores).items():
        values = metric.weighted(scores, decided, weights)
        assert metric.weighted(scores, decided, np.ones((len(scores), 1)))[0] == pytest.approx(
            metric.value(scores, decided)
        ), key
        for column in range(3):
            at = expected(key, scores, decided, weights[:, column])
            if at is not None:
                assert values[column] == pytest.approx(at, abs=1e-9), key
                compared += 1
    assert compared > 60


def test_a_class_without_images_has_no_recall_and_leaves_no_macro_mean() -> None:
    scores, _ = drawn_decisions(0)
    present = scores.y_true != 1
    scores = MulticlassScores("test", scores.y_true[present], scores.y_score[present], scores.classes, True)
    decided, metrics = argmax(scores), every_metric(scores)
    assert (decided == 1).any()
    for key in ("recall:class:BACTERIA", "recall:macro", "balanced_accuracy", "auc:macro", "average_precision:macro"):
        assert metrics[key].evaluate(scores, decided) == (None, "undefined: there is no image of class BACTERIA"), key
        assert np.isnan(metrics[key].weighted(scores, decided, np.ones((len(scores), 1)))).all()
    assert metrics["precision:class:BACTERIA"].value(scores, decided) == 0  # it is called, and never right
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for key in ("recall:weighted", "precision:weighted", "f1:weighted"):
            assert metrics[key].value(scores, decided) == pytest.approx(expected(key, scores, decided))
        assert reference.recall_score(scores.y_true, decided, average=None)[1] == 0  # scikit-learn has a figure here


def test_a_class_that_is_never_called_has_no_precision() -> None:
    scores, decided = drawn_decisions(0)
    decided[decided == 2] = 0
    metrics = every_metric(scores)
    for key in ("precision:class:VIRUS", "precision:macro", "precision:weighted"):
        assert metrics[key].evaluate(scores, decided) == (None, "undefined: no image is predicted as VIRUS"), key
    assert metrics["recall:class:VIRUS"].value(scores, decided) == 0
    assert metrics["f1:class:VIRUS"].value(scores, decided) == 0


def test_one_class_alone_leaves_agreement_undefined() -> None:
    y_score = np.full((4, 3), 1 / 3)
    scores = MulticlassScores("test", np.zeros(4), y_score, NAMES[:3], True)
    metrics = every_metric(scores)
    for key in ("mcc", "kappa", "quadratic_kappa", "auc:macro", "specificity:class:NORMAL"):
        value, reason = metrics[key].evaluate(scores, argmax(scores))
        assert value is None
        assert reason is not None
        assert reason.startswith("undefined: "), key
        assert metrics[key].influence_values(scores, argmax(scores)) is None
    assert metrics["specificity:class:NORMAL"].evaluate(scores, argmax(scores))[1] == (
        "undefined: every image is of class NORMAL"
    )


def test_an_abstention_is_in_no_class_and_never_correct() -> None:
    scores, decided = drawn_decisions(1)
    decided[::5] = -1
    metrics = every_metric(scores)
    chosen = decided >= 0
    assert metrics["coverage"].value(scores, decided) == pytest.approx(chosen.mean())
    right = scores.y_true == decided
    assert metrics["accuracy"].value(scores, decided) == pytest.approx(right.mean())
    assert metrics["selective_accuracy"].value(scores, decided) == pytest.approx(right[chosen].mean())
    assert metrics["precision:micro"].value(scores, decided) == pytest.approx(right[chosen].mean())
    for key in ("recall:macro", "precision:macro", "f1:macro", "f1:micro", "recall:weighted"):
        metric, _, average = key.partition(":")
        function = getattr(reference, f"{metric}_score")
        at = function(scores.y_true, decided, labels=[0, 1, 2], average=average)
        assert metrics[key].value(scores, decided) == pytest.approx(at), key
    assert metrics["mcc"].value(scores, decided) == pytest.approx(reference.matthews_corrcoef(scores.y_true, decided))
    assert metrics["kappa"].value(scores, decided) == pytest.approx(reference.cohen_kappa_score(scores.y_true, decided))
    for key, reason in (("quadratic_kappa", "some decisions abstain"), ("expected_cost", "no column for decisions")):
        value, why = metrics[key].evaluate(scores, decided)
        assert value is None
        assert reason in (why or "")
    decided[:] = -1
    assert metrics["selective_accuracy"].evaluate(scores, decided) == (None, "undefined: every decision abstains")


def test_ties_go_to_the_lowest_class() -> None:
    y_score = np.full((10, 10), 0.1)
    scores = MulticlassScores("test", np.arange(10), y_score, NAMES)
    assert argmax(scores).tolist() == [0] * 10
    assert every_metric(scores)["top_3_accuracy"].value(scores, argmax(scores)) == pytest.approx(0.3)


def test_the_brier_score_reaches_two_and_the_log_loss_its_clip() -> None:
    scores = MulticlassScores("test", np.array([0, 1]), np.array([[0, 1.0, 0], [1.0, 0, 0]]), NAMES[:3])
    metrics = every_metric(scores)
    assert metrics["brier"].value(scores, argmax(scores)) == 2
    assert metrics["brier"].range == (0, 2)
    assert metrics["log_loss"].value(scores, argmax(scores)) == pytest.approx(-math.log(1e-7))


def test_which_metrics_exist_depends_on_the_classes_and_the_decisions() -> None:
    plain, rich = multiclass_metrics(NAMES[:3]), multiclass_metrics(NAMES, ordered=True, abstains=True, costs=COSTS[10])
    some = {"quadratic_kappa", "top_3_accuracy", "top_5_accuracy", "coverage", "selective_accuracy", "expected_cost"}
    assert not some & plain.keys()
    assert some <= rich.keys()
    assert "recall:class:fungus: rare" in rich
    assert list(plain)[:3] == ["accuracy", "balanced_accuracy", "mcc"]
    start = list(plain).index("recall:macro")
    assert list(plain)[start : start + 6] == [
        *("recall:macro", "recall:class:NORMAL", "recall:class:BACTERIA", "recall:class:VIRUS"),
        *("recall:weighted", "recall:micro"),
    ]


def test_a_macro_figure_is_never_listed_without_its_classes() -> None:
    metrics = multiclass_metrics(NAMES[:3])
    for key, metric in metrics.items():
        if metric.average is not None:
            of_class = metrics[f"{metric.metric}:class:NORMAL"]
            assert metric.display == (of_class.display if metric.average == "macro" else "detail"), key


def test_what_a_key_measures_is_known_without_the_classes() -> None:
    for key, metric in multiclass_metrics(NAMES, ordered=True, abstains=True, costs=COSTS[10]).items():
        facts = find_multiclass(key)
        assert facts is not None
        assert (facts.label, facts.range, facts.direction, facts.display) == (
            metric.label,
            metric.range,
            metric.direction,
            metric.display,
        )
        assert facts.label == label_of(key)
        assert facts.range == range_of(key, classes=3)
        assert str(facts.key) == key
    macro = find_multiclass("auc:macro")
    assert macro is not None
    assert (macro.metric, macro.average, macro.of_class, macro.label) == ("auc", "macro", None, "macro AUC")
    of_class = find_multiclass("f1:class:NORMAL")
    assert of_class is not None
    assert (of_class.average, of_class.of_class, of_class.label) == (None, "NORMAL", "F1 of NORMAL")


@pytest.mark.parametrize("key", ["recall", "accuracy:macro", "mcc:class:NORMAL", "nonsense", "recall:mean", "recall:"])
def test_other_keys_measure_nothing(key: str) -> None:
    assert find_multiclass(key) is None


def test_names_of_metrics_are_those_of_the_keys() -> None:
    rich = multiclass_metrics(NAMES, ordered=True, abstains=True, costs=COSTS[10])
    assert list(dict.fromkeys(metric.metric for metric in rich.values())) == [
        name for name in multiclass_metric_names() if name in {metric.metric for metric in rich.values()}
    ]
    assert {metric.metric for metric in rich.values()} == set(multiclass_metric_names())
    assert [name for name in multiclass_metric_names() if is_of_classes(name)] == list(class_metrics())
    assert all(find_metric(name) is record for name, record in class_metrics().items())


@pytest.mark.parametrize(
    ("costs", "problem"),
    [
        ([[0, 1], [1, 0]], "must be 3 rows of 3"),
        ([[0, 1, 1], [1, 0, 1], [1, 1, -1]], "at least 0"),
        ([[0, 1, 1], [1, 0, 1], [1, 1, math.inf]], "finite"),
    ],
)
def test_costs_that_do_not_fit_are_refused(costs: list[list[float]], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        multiclass_metrics(NAMES[:3], costs=costs)


def test_two_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="two have metrics"):
        multiclass_metrics(NAMES[:2])
