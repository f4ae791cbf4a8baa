"""Intervals of figures of several classes: known answers, patients, fixed class sizes, and where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from statsmodels.stats.proportion import proportion_confint

from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.intervals.formulas import (
    f1_of_jaccard,
    hanley_mcneil,
    mean_of_proportions,
    newcombe_auc,
    wilson,
    z_quantile,
)
from benchmark.evidence.intervals.multiclass import multiclass_figures
from benchmark.evidence.metrics.influence import Clusters
from benchmark.evidence.metrics.multiclass import CLASS_METRICS, argmax, multiclass_metrics
from benchmark.evidence.metrics.registry import Figure, out_of_range
from benchmark.evidence.scores import MulticlassScores, Scores
from tests.support.multiclass_scores import NAMES, drawn_decisions

QUICK = settings(deadline=None, max_examples=25)
Z = z_quantile(0.95)
COSTS = [[0.0, 1.0, 4.0], [2.0, 0.0, 1.0], [5.0, 3.0, 0.0]]


def bounds(figure: Figure) -> tuple[float, float]:
    assert figure.low is not None
    assert figure.high is not None
    return figure.low, figure.high


@pytest.mark.parametrize("images_per_patient", [1, 3])
def test_every_figure_has_an_interval_around_its_value_within_its_range(images_per_patient: int) -> None:
    scores, decided = drawn_decisions(0, n=200, k=10, images_per_patient=images_per_patient)
    decided[:10] = -1
    listed = multiclass_figures(scores, decided, abstains=True)
    assert list(listed) == list(multiclass_metrics(scores.classes, ordered=True, abstains=True))
    for key, figure in listed.items():
        if key == "quadratic_kappa":
            assert figure.value is None  # it has no place for abstentions
            continue
        low, high = bounds(figure)
        assert figure.value is not None
        assert low < figure.value < high, key
        assert out_of_range(figure, classes=10) is None
        assert ("by patient" in (figure.method or "")) == (images_per_patient > 1), key


def test_accuracy_and_top_k_have_wilson_s_interval() -> None:
    scores, decided = drawn_decisions(1, n=150, k=10)
    listed = multiclass_figures(scores, decided)
    for key in ("accuracy", "recall:weighted", "recall:micro", "precision:micro", "top_3_accuracy"):
        value = listed[key].value
        assert value is not None
        at = proportion_confint(round(value * 150), 150, method="wilson")
        assert bounds(listed[key]) == pytest.approx(at, abs=1e-12), key


@pytest.mark.parametrize("one_class", [False, True])
def test_accuracy_of_fixed_classes_of_one_size_is_balanced_accuracy(one_class: bool) -> None:
    scores, decided = drawn_decisions(1, n=150)
    y_true = np.arange(150) % 3
    right = np.zeros(150, np.int64) if one_class else np.where(np.arange(150) % 7 == 0, decided, y_true)
    balanced = MulticlassScores("test", y_true, scores.y_score, scores.classes)
    listed = multiclass_figures(balanced, right, class_sizes="fixed")
    for key in ("accuracy", "recall:weighted", "recall:micro", "recall:macro"):
        assert bounds(listed[key]) == pytest.approx(bounds(listed["balanced_accuracy"]), abs=1e-12), key
    drawn = bounds(multiclass_figures(balanced, right)["accuracy"])
    assert (drawn[1] - drawn[0]) / (bounds(listed["accuracy"])[1] - bounds(listed["accuracy"])[0]) > 0.97


@pytest.mark.parametrize("images_per_patient", [1, 3])
def test_a_class_has_the_interval_of_the_binary_metric(images_per_patient: int) -> None:
    scores, decided = drawn_decisions(2, images_per_patient=images_per_patient)
    listed = multiclass_figures(scores, decided)
    for label, name in enumerate(scores.classes):
        y_true = (scores.y_true == label).astype(np.int64)
        called = figures(Scores("test", y_true, (decided == label).astype(float), scores.patient), 0.5)
        ranked = figures(scores.one_vs_rest(label), 0.5)
        for metric in CLASS_METRICS:
            if metric == "auc":
                continue
            binary = ranked[metric] if metric == "average_precision" else called[metric]
            figure = listed[f"{metric}:class:{name}"]
            assert (figure.value, figure.low, figure.high, figure.method) == (
                binary.value,
                binary.low,
                binary.high,
                binary.method,
            )


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (3, 7), (7, 7), (45, 50), (1, 1)])
def test_the_mean_of_one_proportion_has_wilson_s_interval(successes: int, n: int) -> None:
    at = proportion_confint(successes, n, method="wilson")
    proportion, size = np.array([successes / n]), np.array([float(n)])
    assert mean_of_proportions(proportion, size, Z) == pytest.approx(at, abs=1e-7)
    assert mean_of_proportions(proportion, size, Z, dice=True) == pytest.approx(
        [f1_of_jaccard(end) for end in at], abs=1e-7
    )


@pytest.mark.parametrize("k", [2, 10])
def test_proportions_that_are_all_one_count_as_one_sample(k: int) -> None:
    low, high = mean_of_proportions(np.ones(k), np.full(k, 20.0), Z)
    pooled = wilson(20 * k, 20 * k)
    assert high == 1
    assert pooled[0] - 0.01 < low <= pooled[0]  # a little wider, for k - 1 fitted proportions


@pytest.mark.parametrize("counts", [((3, 9), (20, 40)), ((5, 5), (30, 60), (12, 31)), ((1, 4), (80, 81), (0, 12))])
def test_the_ends_follow_from_the_most_likely_proportions_with_that_mean(counts: tuple[tuple[int, int], ...]) -> None:
    """Martín Andrés et al. 2011, with the constrained likelihood maximised by SciPy."""
    x, n = (np.array(part, dtype=float) for part in zip(*counts, strict=True))
    estimate = float((x / n).mean())
    for end in mean_of_proportions(x / n, n, Z):

        def loss(p: np.ndarray) -> float:
            p = np.clip(p, 1e-12, 1 - 1e-12)
            return -float((x * np.log(p) + (n - x) * np.log1p(-p)).sum())

        fitted = minimize(
            loss,
            np.full(len(n), end),
            bounds=[(1e-9, 1 - 1e-9)] * len(n),
            constraints={"type": "eq", "fun": lambda p, end=end: p.mean() - end},
            options={"ftol": 1e-14, "maxiter": 1000},
        ).x
        variances = fitted * (1 - fitted) / n
        lost = 1 - variances / variances.sum()
        error = math.sqrt((variances * (1 + lost / np.maximum(1, n - 1))).sum()) / len(n)
        assert abs(estimate - end) == pytest.approx(Z * error, rel=2e-3)


@QUICK
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 40)), min_size=1, max_size=10),
    st.booleans(),
    st.floats(0.2, 4),
)
def test_an_interval_of_a_mean_contains_it_and_mirrors(
    counts: list[tuple[int, int]], dice: bool, inflation: float
) -> None:
    proportions = np.array([min(x, n) / n for x, n in counts])
    sizes = np.array([float(n) for _, n in counts])
    low, high = mean_of_proportions(proportions, sizes, Z, dice=dice, inflation=inflation)
    estimate = float((2 * proportions / (1 + proportions) if dice else proportions).mean())
    assert 0 <= low <= estimate + 1e-12
    assert estimate - 1e-12 <= high <= 1
    wider = mean_of_proportions(proportions, sizes, Z, dice=dice, inflation=2 * inflation)
    assert wider[0] <= low + 1e-9
    assert wider[1] >= high - 1e-9
    if not dice:
        mirrored = mean_of_proportions(1 - proportions, sizes, Z, inflation=inflation)
        assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


@pytest.mark.parametrize(("auc", "size"), [(1.0, 12), (0.9, 30), (0.5, 8)])
def test_newcombe_s_interval_of_one_auc_is_a_score_interval(auc: float, size: int) -> None:
    """With classes of one size, the variance of Newcombe 2006 (method 5) is that of Hanley and McNeil 1982."""
    sizes = np.array([float(size)])
    variances = newcombe_auc(sizes, sizes)
    assert variances(np.array([auc]))[0] == pytest.approx(hanley_mcneil(auc, size, size) ** 2)
    low, high = mean_of_proportions(np.array([auc]), sizes, Z, variances=variances)
    assert auc - low == pytest.approx(Z * hanley_mcneil(low, size, size), rel=1e-6)
    assert high - auc == pytest.approx(Z * hanley_mcneil(high, size, size), rel=1e-6, abs=1e-9)


def test_with_many_images_the_interval_of_an_auc_is_delong_s() -> None:
    scores, decided = drawn_decisions(10, n=3000)
    listed = multiclass_figures(scores, decided)
    delong = figures(scores.one_vs_rest(1), 0.5)["auc"]
    low, high = bounds(listed["auc:class:BACTERIA"])
    assert listed["auc:class:BACTERIA"].method == "Newcombe"
    assert (low, high) == pytest.approx(bounds(delong), abs=0.04 * (high - low))


@pytest.mark.parametrize(("images_per_patient", "units"), [(1, "images"), (2, "patients")])
def test_average_and_weighted_precision_need_ten_images_or_patients_of_a_class(
    images_per_patient: int, units: str
) -> None:
    scores, _ = drawn_decisions(11, n=150)
    rare = np.flatnonzero(scores.y_true == 2)[: 6 * images_per_patient]
    rows = np.sort(np.append(np.flatnonzero(scores.y_true != 2), rare))
    y_true, y_score = scores.y_true[rows], scores.y_score[rows]
    order = np.argsort(y_true, kind="stable")
    few = MulticlassScores(
        "test",
        y_true[order],
        y_score[order],
        scores.classes,
        patient=tuple(f"p{y_true[order][row]}-{row // images_per_patient}" for row in range(len(rows)))
        if images_per_patient > 1
        else None,
    )
    listed = multiclass_figures(few, argmax(few))
    for key in ("average_precision:macro", "average_precision:class:VIRUS", "precision:weighted"):
        assert listed[key].value is not None
        assert listed[key].low is None
        assert f"needs 10 {units} of each class for an interval; VIRUS has" in (listed[key].reason or "")
    assert listed["average_precision:class:NORMAL"].low is not None
    assert listed["average_precision:weighted"].low is not None


def test_repeating_every_image_by_patient_changes_no_interval_much() -> None:
    """The images of a patient are then one image: intervals by patient are those of the images without repeats."""
    scores, _ = drawn_decisions(3, n=300)
    twice = MulticlassScores(
        "test",
        np.repeat(scores.y_true, 2),
        np.repeat(scores.y_score, 2, axis=0),
        scores.classes,
        True,
        tuple(f"p{number // 2}" for number in range(600)),
    )
    once, repeated = multiclass_figures(scores, argmax(scores)), multiclass_figures(twice, argmax(twice))
    for key, figure in once.items():
        assert repeated[key].value == pytest.approx(figure.value), key
        low, high = bounds(figure)
        assert bounds(repeated[key]) == pytest.approx((low, high), abs=0.06 * (high - low)), key


def test_the_variance_of_balanced_accuracy_is_that_of_independent_recalls() -> None:
    scores, decided = drawn_decisions(4, n=200)
    influence = multiclass_metrics(scores.classes)["balanced_accuracy"].influence_values(scores, decided)
    assert influence is not None
    sizes = np.bincount(scores.y_true)
    recalls = np.array([(decided == label)[scores.y_true == label].mean() for label in range(3)])
    expected = (recalls * (1 - recalls) / (sizes - 1)).sum() / 9
    assert Clusters(scores.y_true).variance(influence) == pytest.approx(expected)


def test_fixed_class_sizes_narrow_accuracy_and_leave_recalls() -> None:
    scores, decided = drawn_decisions(5, n=300)
    decided[scores.y_true == 2] = 0  # recalls differ, so the class sizes matter
    some = np.flatnonzero(scores.y_true == 2)[:3]
    decided[some] = 2
    drawn, fixed = multiclass_figures(scores, decided), multiclass_figures(scores, decided, "fixed")
    for key in ("accuracy", "mcc", "log_loss"):
        narrow, wide = bounds(fixed[key]), bounds(drawn[key])
        assert narrow[1] - narrow[0] < wide[1] - wide[0], key
    for key in ("balanced_accuracy", *(f"recall:class:{name}" for name in scores.classes)):
        assert bounds(fixed[key]) == bounds(drawn[key]), key
    assert fixed["accuracy"].method == "Wilson"
    sizes = np.bincount(scores.y_true)
    recalls = np.array([(decided == label)[scores.y_true == label].mean() for label in range(3)])
    variance = (recalls * (1 - recalls) * sizes**2 / (sizes - 1)).sum() / 300**2
    low, high = bounds(fixed["accuracy"])
    assert high - low == pytest.approx(2 * 1.968 * math.sqrt(variance), rel=0.02)


def test_a_rare_class_with_no_error_keeps_the_macro_recall_uncertain() -> None:
    y_true = np.repeat([0, 1, 2], [2, 100, 100])
    y_score = np.full((202, 3), 0.1)
    y_score[np.arange(202), y_true] = 0.8
    y_score[[2, 150]] = (0.8, 0.1, 0.1)
    scores = MulticlassScores("test", y_true, y_score, NAMES[:3])
    low, _ = bounds(multiclass_figures(scores, argmax(scores))["recall:macro"])
    rare = wilson(2, 2)[0]
    assert low < 1 - (1 - rare) / 3 + 0.05


def test_perfect_decisions_have_intervals_where_a_formula_gives_one() -> None:
    y_true = np.repeat([0, 1, 2], 20)
    y_score = np.eye(3)[y_true] * 0.8 + 0.2 / 3
    scores = MulticlassScores("test", y_true, y_score, NAMES[:3])
    listed = multiclass_figures(scores, argmax(scores))
    assert bounds(listed["accuracy"]) == pytest.approx(wilson(60, 60))
    assert bounds(listed["recall:macro"])[1] == 1
    assert bounds(listed["auc:macro"])[1] == 1
    for key in ("mcc", "kappa", "auc:weighted", "precision:weighted"):
        assert listed[key].low is None
        assert "no interval at the end of the range" in (listed[key].reason or "")


def test_a_missing_figure_says_which_class_is_missing() -> None:
    scores, _ = drawn_decisions(6)
    present = scores.y_true != 2
    partial = MulticlassScores("test", scores.y_true[present], scores.y_score[present], scores.classes)
    listed = multiclass_figures(partial, argmax(partial))
    assert listed["recall:macro"] == Figure.missing("recall:macro", "undefined: there is no image of class VIRUS")
    assert listed["accuracy"].low is not None


def test_one_patient_shows_no_spread() -> None:
    scores, decided = drawn_decisions(7, n=30, images_per_patient=30)
    figure = multiclass_figures(scores, decided)["accuracy"]
    assert (figure.low, figure.reason) == (None, "one patient alone shows no spread")


def test_an_expected_cost_is_the_mean_of_the_costs() -> None:
    scores, decided = drawn_decisions(8)
    figure = multiclass_figures(scores, decided, costs=COSTS)["expected_cost"]
    costs = np.array(COSTS)[scores.y_true, decided]
    assert figure.value == pytest.approx(costs.mean())
    low, high = bounds(figure)
    half = 1.98 * costs.std(ddof=1) / math.sqrt(len(costs)) / costs.mean()
    assert math.log(high / low) / 2 == pytest.approx(half, rel=0.03)


@pytest.mark.parametrize("decided", [np.zeros(5), np.full(120, 3), np.full(120, -2)])
def test_decisions_that_do_not_fit_are_refused(decided: np.ndarray) -> None:
    scores, _ = drawn_decisions(9)
    with pytest.raises(ValueError, match="class indices up to 2 or -1"):
        multiclass_figures(scores, decided.astype(np.int64))


@pytest.mark.parametrize("patients", [5, 49, 55])
def test_patients_who_are_all_alike_leave_an_interval_without_width_out(patients: int) -> None:
    """Each patient has the images of drawn scores, with three of five decisions right."""
    labels, decided = np.tile([0, 1, 2, 0, 1], patients), np.tile([0, 1, 1, 2, 1], patients)
    rows = np.random.default_rng(3).dirichlet(np.ones(3), size=5)
    owners = tuple(f"p{number}" for number in range(patients) for _ in range(5))
    scores = MulticlassScores("test", labels, np.tile(rows, (patients, 1)), NAMES[:3], True, owners)
    listed = multiclass_figures(scores, decided)
    assert listed["accuracy"].value == pytest.approx(3 / 5)
    for key, figure in listed.items():
        assert figure.value is not None, key
        assert figure.low is None or figure.high - figure.low > 1e-3, key  # type: ignore[operator]
    for key in ("mcc", "kappa", "quadratic_kappa", "log_loss"):
        assert "where nothing varies" in (listed[key].reason or "")
    assert listed["recall:macro"].low is not None  # shares count each patient once (Kish 1965)
