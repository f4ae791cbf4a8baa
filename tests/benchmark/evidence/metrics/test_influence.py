"""Influence values are the derivatives of the metrics, and their sums by patient give the published variances."""

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
from scipy.stats import ttest_ind

from benchmark.evidence.metrics.influence import Clusters, cells, centred
from benchmark.evidence.metrics.registry import get_metric, measures

METRICS = tuple(measures())

QUICK = settings(deadline=None, max_examples=30)
CUT = 0.5


def decided(function: Callable[..., Any], **more: Any) -> Callable[..., Any]:
    return lambda y, s, w: function(y, s >= CUT, sample_weight=w, **more)


WEIGHTED: dict[str, Callable[..., Any]] = {
    "auc": lambda y, s, w: reference.roc_auc_score(y, s, sample_weight=w),
    "average_precision": lambda y, s, w: reference.average_precision_score(y, s, sample_weight=w),
    "log_loss": lambda y, s, w: reference.log_loss(y, np.clip(s, 1e-7, 1 - 1e-7), sample_weight=w),
    "brier": lambda y, s, w: reference.brier_score_loss(y, s, sample_weight=w),
    "accuracy": decided(reference.accuracy_score),
    "precision": decided(reference.precision_score),
    "recall": decided(reference.recall_score),
    "specificity": decided(reference.recall_score, pos_label=0),
    "f1": decided(reference.f1_score),
    "balanced_accuracy": decided(reference.balanced_accuracy_score),
    "mcc": decided(reference.matthews_corrcoef),
}


def drawn_set(seed: int, n: int = 40, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores in which every kind of decision occurs."""
    generator = np.random.default_rng(seed)
    y_true = np.arange(n) % 2
    y_score = np.clip(0.5 + 0.15 * (y_true - 0.5) + 0.2 * generator.standard_normal(n), 0.01, 0.99)
    y_true[:4], y_score[:4] = (0, 0, 1, 1), (0.2, 0.8, 0.2, 0.8)
    return y_true, np.round(y_score, 1) if ties else y_score


def definition_of_obuchowski(y_true: np.ndarray, y_score: np.ndarray, patients: list[str]) -> float:
    """Obuchowski 1997, patient by patient and pair by pair."""
    positive, negative = y_score[y_true == 1], y_score[y_true == 0]
    m, n = len(positive), len(negative)

    def psi(x: float, y: float) -> float:
        return 1.0 if x > y else 0.5 if x == y else 0.0

    area = sum(psi(x, y) for x in positive for y in negative) / (m * n)
    s10, s01, s11 = 0.0, 0.0, 0.0
    names = sorted(set(patients))
    with_positive = with_negative = 0
    for name in names:
        images = [k for k, patient in enumerate(patients) if patient == name]
        ill = [y_score[k] for k in images if y_true[k] == 1]
        well = [y_score[k] for k in images if y_true[k] == 0]
        of_ill = sum(sum(psi(x, y) for y in negative) / n for x in ill) - len(ill) * area
        of_well = sum(sum(psi(x, y) for x in positive) / m for y in well) - len(well) * area
        s10, s01, s11 = s10 + of_ill**2, s01 + of_well**2, s11 + of_ill * of_well
        with_positive, with_negative = with_positive + bool(ill), with_negative + bool(well)
    i10, i01, i = with_positive, with_negative, len(names)
    s10 *= i10 / ((i10 - 1) * m)
    s01 *= i01 / ((i01 - 1) * n)
    return s10 / m + s01 / n + 2 * i / (i - 1) * s11 / (m * n)


def test_every_metric_but_the_counts_has_an_influence() -> None:
    with pytest.raises(KeyError):
        get_metric("true_positives").influence_values(*drawn_set(0), CUT)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("metric", METRICS)
def test_an_influence_is_the_derivative_of_scikit_learn_s_weighted_metric(metric: str, ties: bool) -> None:
    y_true, y_score = drawn_set(3, ties=ties)
    influence = get_metric(metric).influence_values(y_true, y_score, CUT)
    assert influence is not None
    step = 1e-5
    for image in range(len(y_true)):
        up, down = np.ones(len(y_true)), np.ones(len(y_true))
        up[image] += step
        down[image] -= step
        slope = (WEIGHTED[metric](y_true, y_score, up) - WEIGHTED[metric](y_true, y_score, down)) / (2 * step)
        assert influence[image] == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("metric", METRICS)
@QUICK
@given(seed=st.integers(0, 10**6), ties=st.booleans())
def test_influence_values_sum_to_zero(metric: str, seed: int, ties: bool) -> None:
    influence = get_metric(metric).influence_values(*drawn_set(seed, ties=ties), CUT)
    assert influence is not None
    assert influence.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("metric", "labels", "scores"),
    [
        ("auc", [1, 1], [0.2, 0.3]),
        ("average_precision", [0, 0], [0.2, 0.3]),
        ("precision", [0, 1], [0.2, 0.3]),
        ("recall", [0, 0], [0.2, 0.3]),
        ("specificity", [1, 1], [0.2, 0.3]),
        ("balanced_accuracy", [1, 1], [0.2, 0.3]),
        ("f1", [0, 0], [0.2, 0.3]),
        ("mcc", [0, 1], [0.2, 0.3]),
    ],
)
def test_an_undefined_metric_has_no_influence(metric: str, labels: list[int], scores: list[float]) -> None:
    assert get_metric(metric).influence_values(np.array(labels), np.array(scores), CUT) is None


def test_no_influence_warns_about_a_division() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = [
            get_metric(metric).influence_values(np.array(labels), np.array(scores), CUT)
            for metric in METRICS
            for labels, scores in (([1, 1, 0], [0.0, 0.0, 0.0]), ([1, 1], [0.0, 1.0]))
        ]
    assert all(np.isfinite(influence).all() for influence in result if influence is not None)


def test_cells_are_numbered_in_the_order_of_the_counts() -> None:
    assert cells(np.array([1, 0, 0, 1]), np.array([0.9, 0.9, 0.1, 0.1]), CUT).tolist() == [0, 1, 2, 3]


@QUICK
@given(seed=st.integers(0, 10**6), ties=st.booleans())
def test_the_variance_of_the_auc_is_delong_s_when_images_are_independent(seed: int, ties: bool) -> None:
    y_true, y_score = drawn_set(seed, ties=ties)
    influence = get_metric("auc").influence_values(y_true, y_score, CUT)
    assert influence is not None
    ill, well = y_score[y_true == 1], y_score[y_true == 0]
    wins = (ill[:, None] > well) + 0.5 * (ill[:, None] == well)  # DeLong et al. 1988, by all pairs
    expected = wins.mean(axis=1).var(ddof=1) / len(ill) + wins.mean(axis=0).var(ddof=1) / len(well)
    assert Clusters(y_true).variance(influence) == pytest.approx(expected, rel=1e-9)
    alone = [str(image) for image in range(len(y_true))]
    assert Clusters(y_true, alone).variance(influence) == pytest.approx(expected, rel=1e-9)


@QUICK
@given(seed=st.integers(0, 10**6), ties=st.booleans())
def test_the_variance_of_the_auc_of_equally_large_patients_is_obuchowski_s(seed: int, ties: bool) -> None:
    generator = np.random.default_rng(seed)
    y_true, patients = np.tile([1, 1, 0], 13), [f"p{image // 3}" for image in range(39)]
    y_score = np.round(generator.random(39), 1 if ties else 6)
    influence = get_metric("auc").influence_values(y_true, y_score, CUT)
    assert influence is not None
    result = float(Clusters(y_true, patients).covariance(influence[None])[0, 0])
    assert result == pytest.approx(definition_of_obuchowski(y_true, y_score, patients), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("metric", METRICS)
def test_a_second_copy_of_each_patient_s_image_adds_no_information(metric: str) -> None:
    """Counted as independent images they would halve the variance."""
    y_true, y_score = drawn_set(5)
    alone = get_metric(metric).influence_values(y_true, y_score, CUT)
    twice = get_metric(metric).influence_values(np.tile(y_true, 2), np.tile(y_score, 2), CUT)
    assert alone is not None
    assert twice is not None
    patients = [str(image % len(y_true)) for image in range(2 * len(y_true))]
    once = Clusters(y_true).variance(alone)
    assert Clusters(np.tile(y_true, 2), patients).variance(twice) == pytest.approx(once, rel=1e-9)
    assert Clusters(np.tile(y_true, 2)).variance(twice) == pytest.approx(once / 2, rel=0.05)


@QUICK
@given(data=st.data(), seed=st.integers(0, 10**6))
def test_neither_the_order_of_images_nor_the_names_of_patients_matter(data: st.DataObject, seed: int) -> None:
    y_true, y_score = drawn_set(seed)
    owners = np.arange(len(y_true)) // 3
    order = np.array(data.draw(st.permutations(range(len(y_true)))))
    influence = get_metric("mcc").influence_values(y_true, y_score, CUT)
    shuffled = get_metric("mcc").influence_values(y_true[order], y_score[order], CUT)
    assert influence is not None
    assert shuffled is not None
    one = Clusters(y_true, [f"p{o}" for o in owners])
    other = Clusters(y_true[order], [f"{100 - o}" for o in owners[order]])
    assert other.variance(shuffled) == pytest.approx(one.variance(influence), rel=1e-9)
    assert other.degrees_of_freedom(shuffled) == pytest.approx(one.degrees_of_freedom(influence), rel=1e-9)


def test_fixed_class_sizes_leave_the_variance_within_the_classes() -> None:
    y_true, y_score = drawn_set(8, n=60)
    influence = get_metric("accuracy").influence_values(y_true, y_score, CUT)
    assert influence is not None
    right = (y_score >= CUT) == (y_true == 1)
    stratified = sum(
        (len(images) / len(right)) ** 2 * images.var(ddof=1) / len(images)
        for images in (right[y_true == 0], right[y_true == 1])
    )
    assert Clusters(y_true).variance(centred(influence, y_true, "fixed")) == pytest.approx(stratified, rel=1e-9)
    assert centred(influence, y_true, "drawn") is influence


def test_degrees_of_freedom_are_about_the_number_of_patients_when_all_weigh_the_same() -> None:
    generator = np.random.default_rng(0)
    y_true, owners = np.arange(4000) % 2, [str(k // 2) for k in range(4000)]
    clusters = Clusters(y_true, owners)
    assert clusters.degrees_of_freedom(generator.standard_normal(4000)) == pytest.approx(2000, rel=0.1)


def test_degrees_of_freedom_are_few_when_one_patient_dominates_the_variance() -> None:
    influence = np.full(100, 1e-6)
    influence[0] = 1.0
    assert Clusters(np.arange(100) % 2).degrees_of_freedom(influence) == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("values", [np.zeros(4), np.array([1.0, -1.0, 1.0, -1.0])])
def test_degrees_of_freedom_stay_within_1_and_the_number_of_clusters_less_1(values: np.ndarray) -> None:
    assert 1 <= Clusters(np.array([0, 1, 0, 1])).degrees_of_freedom(values) <= 3


def test_what_cannot_vary_is_correlated_with_nothing() -> None:
    clusters = Clusters(np.array([0, 1, 0, 1]))
    assert clusters.correlation(np.zeros(4), np.array([1.0, -1.0, 0.0, 0.0])) == 0
    assert clusters.correlation(np.array([1.0, -1.0, 0, 0]), np.array([2.0, -2.0, 0, 0])) == pytest.approx(1)


def test_patients_of_another_number_than_images_are_refused() -> None:
    with pytest.raises(ValueError, match="3 patients for 2 images"):
        Clusters(np.array([0, 1]), ["a", "b", "c"])


def test_a_cluster_s_sum_agrees_with_its_images() -> None:
    clusters = Clusters(np.array([0, 1, 1]), ["b", "a", "b"])
    assert clusters.sums(np.array([[1.0, 2.0, 4.0]])).tolist() == [[2.0, 5.0]]
    assert (clusters.count, clusters.counts, clusters.repeated) == (2, (1, 2), True)
    assert math.isclose(
        clusters.variance(np.array([1.0, 2.0, 4.0])), clusters.covariance(np.array([[1.0, 2.0, 4.0]]))[0, 0]
    )


@QUICK
@given(st.integers(0, 1000))
def test_the_covariance_of_several_classes_adds_up_from_its_classes(seed: int) -> None:
    """Independent images: the products of each class, corrected for its number of images (DeLong et al. 1988)."""
    generator = np.random.default_rng(seed)
    y_true = np.append(np.arange(4), generator.integers(0, 4, size=40))
    influences = generator.standard_normal((2, len(y_true)))
    expected = np.zeros((2, 2))
    for label in range(4):
        of_class = influences[:, y_true == label]
        n = of_class.shape[1]
        expected += (n / (n - 1) if n > 1 else 1) * of_class @ of_class.T
    assert Clusters(y_true).covariance(influences) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["recall", "specificity"])
@QUICK
@given(st.integers(0, 1000))
def test_the_variance_of_a_rate_by_patient_is_that_of_the_jackknife(metric: str, seed: int) -> None:
    """Each patient is left out in turn; a patient with many images moves the rate most."""
    generator = np.random.default_rng(seed)
    owners = np.append(np.zeros(30, dtype=int), generator.integers(0, 12, size=60))
    y_true, y_score = (np.arange(90) % 2).astype(np.int64), generator.random(90)
    influence = get_metric(metric).influence_values(y_true, y_score, CUT)
    assert influence is not None
    right, label = (y_score >= CUT) == y_true, int(metric == "recall")
    of_class = y_true == label
    units = np.unique(owners[of_class])
    moves = [right[of_class & (owners != unit)].mean() - right[of_class].mean() for unit in units]
    expected = (len(units) - 1) / len(units) * np.square(moves).sum()
    assert Clusters(y_true, owners).variance(influence) == pytest.approx(expected)


def test_the_effective_number_of_patients_is_kish_s() -> None:
    """Kish 1965: 1 + squared coefficient of variation of the sizes is the loss of unequal weights."""
    sizes = np.array([1, 1, 2, 5, 11])
    owners = np.repeat(np.arange(5), sizes)
    y_true = (owners % 2).astype(np.int64)
    clusters = Clusters(y_true, owners)
    assert clusters.effective_count() == pytest.approx(5 / (1 + np.var(sizes) / sizes.mean() ** 2))
    assert clusters.effective_counts() == pytest.approx((14**2 / (1 + 4 + 121), 6**2 / (1 + 25)))
    assert clusters.effective_count((owners < 2).astype(float)) == pytest.approx(2)


def test_design_freedom_follows_the_sizes_of_the_patients() -> None:
    """With images alike within a patient, a patient of m images contributes m squared; independent ones, m."""
    sizes = np.array([1, 2, 3, 4, 6] * 4)
    owners = np.repeat(np.arange(20), sizes)
    y_true = np.ones(len(owners), dtype=np.int64)
    clusters = Clusters(y_true, owners)
    alike = np.where(owners % 2 == 0, 1.0, -1.0)  # one value per patient
    assert clusters.design_freedom(alike) == pytest.approx((sizes**2).sum() ** 2 / (sizes**4).sum() - 1)
    within = np.where(np.arange(len(owners)) % 2 == 0, 1.0, -1.0)  # values that cancel in a patient
    assert clusters.design_freedom(within) == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum() - 1)


def test_design_freedom_of_independent_images_is_that_of_welch_s_test() -> None:
    generator = np.random.default_rng(1)
    first, second = generator.normal(size=7), generator.normal(scale=3, size=30)
    influence = np.concatenate([(first - first.mean()) / 7, (second - second.mean()) / 30])
    clusters = Clusters(np.repeat([1, 0], [7, 30]))
    expected = ttest_ind(first, second, equal_var=False).df
    assert clusters.design_freedom(influence) == pytest.approx(expected)
    assert clusters.degrees_of_freedom(influence) <= expected


@pytest.mark.parametrize("clusters", [3, 49, 301])
def test_values_that_cancel_in_every_cluster_have_no_variance(clusters: int) -> None:
    values = np.tile([0.1, 0.2, -0.7, 0.4], clusters) / clusters
    y_true, owners = np.tile([0, 0, 1, 1], clusters), np.repeat(np.arange(clusters), 4)
    assert Clusters(y_true, owners).variance(values) == 0
    values[0] *= 1.001
    assert Clusters(y_true, owners).variance(values) > 1e-12 / clusters**2
    assert Clusters(y_true).variance(values) > 0
