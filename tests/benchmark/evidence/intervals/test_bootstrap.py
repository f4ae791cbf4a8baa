"""Replicates are the metrics of resampled patients, the same ones for every card."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as reference
from scipy.stats import bootstrap

from benchmark.evidence.intervals.bootstrap import draws, multiclass_replicates, percentile, replicates
from benchmark.evidence.metrics.influence import Clusters, centred
from benchmark.evidence.metrics.multiclass import multiclass_metrics
from benchmark.evidence.metrics.registry import get_metric, measures
from benchmark.evidence.scores import MulticlassScores
from tests.support.multiclass_scores import drawn_decisions

METRICS = tuple(measures())

N = 60
GENERATOR = np.random.default_rng(1)
Y_TRUE = np.arange(N) % 2
SCORES = np.clip(0.5 + 0.2 * (Y_TRUE - 0.5) + 0.2 * GENERATOR.standard_normal((3, N)), 0.01, 0.99)
SCORES[2] = np.round(SCORES[2], 1)  # many ties
CUTS = np.array([0.5, 0.4, 0.6])
PATIENTS = [f"p{k // 3}" for k in range(N)]


def decided(function: Callable[..., Any], **more: Any) -> Callable[..., Any]:
    return lambda y, s, w, cut: function(y, s >= cut, sample_weight=w, zero_division=np.nan, **more)


WEIGHTED: dict[str, Callable[..., Any]] = {
    "auc": lambda y, s, w, _: reference.roc_auc_score(y, s, sample_weight=w),
    "average_precision": lambda y, s, w, _: reference.average_precision_score(y, s, sample_weight=w),
    "log_loss": lambda y, s, w, _: reference.log_loss(y, np.clip(s, 1e-7, 1 - 1e-7), sample_weight=w),
    "brier": lambda y, s, w, _: reference.brier_score_loss(y, s, sample_weight=w),
    "accuracy": lambda y, s, w, cut: reference.accuracy_score(y, s >= cut, sample_weight=w),
    "precision": decided(reference.precision_score),
    "recall": decided(reference.recall_score),
    "specificity": decided(reference.recall_score, pos_label=0),
    "f1": decided(reference.f1_score),
    "balanced_accuracy": lambda y, s, w, cut: reference.balanced_accuracy_score(y, s >= cut, sample_weight=w),
    "mcc": lambda y, s, w, cut: reference.matthews_corrcoef(y, s >= cut, sample_weight=w),
}


@pytest.mark.parametrize("class_sizes", ["drawn", "fixed"])
@pytest.mark.parametrize("metric", METRICS)
def test_a_replicate_is_scikit_learn_s_metric_under_the_drawn_weights(metric: str, class_sizes: Any) -> None:
    resamples = replicates(Y_TRUE, SCORES, CUTS, PATIENTS, count=40, seed=3, class_sizes=class_sizes)[metric]
    weights = np.concatenate(list(draws(Y_TRUE, PATIENTS, count=40, seed=3, class_sizes=class_sizes)), axis=1)
    expected = [[WEIGHTED[metric](Y_TRUE, s, w, cut) for s, cut in zip(SCORES, CUTS, strict=True)] for w in weights.T]
    assert resamples == pytest.approx(np.array(expected), abs=1e-9)


def test_each_draw_has_as_many_patients_as_there_are_each_with_all_its_images() -> None:
    weights = np.concatenate(list(draws(Y_TRUE, PATIENTS, count=500, seed=0)), axis=1)
    by_patient = weights.reshape(20, 3, 500)
    assert weights.shape == (N, 500)
    assert (by_patient == by_patient[:, :1]).all()
    assert (by_patient[:, 0].sum(axis=0) == 20).all()
    assert (weights == np.round(weights)).all()


def test_every_patient_is_drawn_once_on_average_with_the_spread_of_a_multinomial() -> None:
    weights = np.concatenate(list(draws(Y_TRUE, count=20_000, seed=0)), axis=1)
    assert weights.mean(axis=1) == pytest.approx(np.ones(N), abs=5 * math.sqrt(1 / 20_000))
    assert weights.var(axis=1).mean() == pytest.approx(1 - 1 / N, rel=0.02)


def test_fixed_class_sizes_give_each_class_its_own_size_in_every_draw() -> None:
    labels = np.arange(N) % 3 == 0
    for weights in draws(labels.astype(np.int64), PATIENTS, count=300, seed=0, class_sizes="fixed"):
        assert weights[labels].sum(axis=0) == pytest.approx(labels.sum())
        assert weights[~labels].sum(axis=0) == pytest.approx((~labels).sum())


def test_the_seed_decides_the_replicates_and_nothing_else_does() -> None:
    one = replicates(Y_TRUE, SCORES, CUTS, PATIENTS, count=300, seed=7)
    again = replicates(Y_TRUE, SCORES[::-1], CUTS[::-1], PATIENTS, count=300, seed=7, metrics=("auc", "f1"))
    other = replicates(Y_TRUE, SCORES, CUTS, PATIENTS, count=300, seed=8)
    for metric in ("auc", "f1"):
        assert (again[metric] == one[metric][:, ::-1]).all()
        assert (other[metric] != one[metric]).any()
    longer = replicates(Y_TRUE, SCORES, CUTS, PATIENTS, count=450, seed=7, metrics=("auc",))
    assert (longer["auc"][:200] == one["auc"][:200]).all()


def test_equal_cards_have_equal_replicates() -> None:
    resamples = replicates(Y_TRUE, SCORES[[0, 0]], CUTS[[0, 0]], count=50, seed=0)
    assert all((values[:, 0] == values[:, 1]).all() for values in resamples.values())


@pytest.mark.parametrize("metric", ["accuracy", "brier"])
def test_the_spread_of_replicates_agrees_with_scipy_s_bootstrap(metric: str) -> None:
    def statistic(rows: Any) -> float:
        rows = np.asarray(rows, dtype=int)
        return float(WEIGHTED[metric](Y_TRUE[rows], SCORES[0][rows], np.ones(len(rows)), CUTS[0]))

    theirs = bootstrap((np.arange(N),), statistic, n_resamples=2000, vectorized=False, method="percentile", rng=0)
    ours = replicates(Y_TRUE, SCORES[:1], CUTS[:1], count=10_000, seed=0, metrics=(metric,))[metric][:, 0]
    assert ours.std(ddof=1) == pytest.approx(theirs.standard_error, rel=0.06)
    bounds = percentile(ours)
    assert bounds is not None
    assert bounds == pytest.approx(theirs.confidence_interval, abs=0.02)


@pytest.mark.parametrize("class_sizes", ["drawn", "fixed"])
@pytest.mark.parametrize("metric", METRICS)
def test_the_spread_of_replicates_by_patient_agrees_with_the_linearised_metric(metric: str, class_sizes: Any) -> None:
    generator = np.random.default_rng(2)
    labels, patients = np.arange(900) % 2, [f"p{k // 3}" for k in range(900)]
    score = np.clip(0.5 + 0.25 * (labels - 0.5) + 0.15 * generator.standard_normal(900), 0.01, 0.99)
    influence = get_metric(metric).influence_values(labels, score, 0.5)
    assert influence is not None
    expected = math.sqrt(Clusters(labels, patients).variance(centred(influence, labels, class_sizes)))
    resamples = replicates(
        labels, score[None], [0.5], patients, count=4000, seed=0, metrics=(metric,), class_sizes=class_sizes
    )
    assert resamples[metric][:, 0].std() == pytest.approx(expected, rel=0.07)


def test_a_replicate_without_a_class_leaves_undefined_what_needs_both() -> None:
    resamples = replicates(np.array([0, 1]), np.array([[0.2, 0.8]]), [0.5], count=200, seed=0)
    one_class = np.isnan(resamples["auc"][:, 0])
    assert 0.3 < one_class.mean() < 0.7
    for metric in ("average_precision", "balanced_accuracy", "mcc"):
        assert (np.isnan(resamples[metric][:, 0]) == one_class).all()
    assert not np.isnan(resamples["accuracy"]).any()
    assert not np.isnan(resamples["log_loss"]).any()
    assert percentile(resamples["auc"][:, 0]) is None


def test_the_percentile_interval_leaves_out_few_undefined_replicates() -> None:
    values = np.append(np.linspace(0, 1, 1001), np.full(20, np.nan))
    assert percentile(values) == pytest.approx((0.025, 0.975))
    assert percentile(np.append(values, np.full(60, np.nan))) is None


@pytest.mark.parametrize(
    ("scores", "thresholds", "message"),
    [(SCORES[:, :5], CUTS, "do not fit 60 labels"), (SCORES, CUTS[:2], "do not fit 60 labels")],
)
def test_shapes_that_do_not_fit_are_refused(scores: np.ndarray, thresholds: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replicates(Y_TRUE, scores, thresholds, seed=0)


def test_a_metric_without_replicates_is_refused() -> None:
    with pytest.raises(ValueError, match="no replicates of true_positives"):
        replicates(Y_TRUE, SCORES, CUTS, seed=0, metrics=("auc", "true_positives"))


@pytest.mark.parametrize("class_sizes", ["drawn", "fixed"])
def test_replicates_of_several_classes_are_the_metrics_of_the_drawn_images(class_sizes: Any) -> None:
    scores, decided = drawn_decisions(0, images_per_patient=3)
    other, otherwise = drawn_decisions(1, images_per_patient=3)
    other = MulticlassScores("test", scores.y_true, other.y_score, scores.classes, True, scores.patient)
    metrics = tuple(multiclass_metrics(scores.classes, ordered=True).values())
    values = multiclass_replicates(
        (scores, other), (decided, otherwise), count=3, seed=5, metrics=metrics, class_sizes=class_sizes
    )
    weights = next(draws(scores.y_true, scores.patient, count=3, seed=5, class_sizes=class_sizes))
    if class_sizes == "fixed":
        for label in range(3):
            sizes = weights[scores.y_true == label].sum(axis=0)
            assert sizes == pytest.approx(np.full(3, np.count_nonzero(scores.y_true == label)))
    else:  # the same metric of a data set that has each image as often as it was drawn
        rows = np.repeat(np.arange(len(scores)), weights[:, 2].astype(int))
        drawn = MulticlassScores("test", scores.y_true[rows], scores.y_score[rows], scores.classes, True)
        for metric in metrics:
            assert values[metric.key][2, 0] == pytest.approx(metric.value(drawn, decided[rows])), metric.key
    for metric in metrics:
        assert values[metric.key].shape == (3, 2)
        assert values[metric.key][:, 1] == pytest.approx(metric.weighted(other, otherwise, weights)), metric.key


def test_a_class_that_is_not_drawn_leaves_a_replicate_undefined() -> None:
    scores = MulticlassScores("test", np.array([0, 0, 1, 1, 2, 2]), np.eye(3)[[0, 1, 1, 1, 2, 0]], ("a", "b", "c"))
    metrics = [multiclass_metrics(scores.classes)[key] for key in ("recall:macro", "accuracy")]
    values = multiclass_replicates([scores], [np.array([0, 1, 1, 1, 2, 0])], count=300, seed=0, metrics=metrics)
    assert np.isnan(values["recall:macro"]).any()
    assert not np.isnan(values["accuracy"]).any()


def test_cards_of_several_classes_must_share_their_images() -> None:
    scores, decided = drawn_decisions(0)
    other, _ = drawn_decisions(1)
    metrics = [multiclass_metrics(scores.classes)["accuracy"]]
    with pytest.raises(ValueError, match="on the same images"):
        multiclass_replicates([scores, other], [decided, decided], count=2, seed=0, metrics=metrics)
    with pytest.raises(ValueError, match="0 cards"):
        multiclass_replicates([], [], count=2, seed=0, metrics=metrics)
