"""A figure's interval depends on its metric, its patients and whether class sizes were fixed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binomtest, norm, t
from statsmodels.stats.proportion import proportion_confint

from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.intervals.formulas import wilson
from benchmark.evidence.intervals.uncertainty import Interval, interval
from benchmark.evidence.metrics.influence import Clusters
from benchmark.evidence.metrics.registry import Figure, measures
from benchmark.evidence.scores import TestScores
from tests.support.records import of_counts, on_test, planted

METRICS = tuple(measures())

QUICK = settings(deadline=None, max_examples=30)
CUT = 0.5


def measured(
    scores: TestScores, metric: str, class_sizes: str = "drawn", patients: tuple[str, ...] | None = None
) -> Figure:
    by_patient = TestScores("test", scores.y_true, scores.y_score, patients)
    return figures(by_patient, CUT, class_sizes=class_sizes)[metric]  # type: ignore[arg-type]


def bounds(figure: Figure) -> tuple[float, float]:
    assert figure.low is not None, figure.reason
    assert figure.high is not None
    return figure.low, figure.high


def width(figure: Figure) -> float:
    low, high = bounds(figure)
    return high - low


def doubled(scores: TestScores) -> tuple[TestScores, tuple[str, ...]]:
    """Every image twice, and whose it is."""
    twice = on_test(np.repeat(scores.y_true, 2).tolist(), np.repeat(scores.y_score, 2).tolist())
    return twice, tuple(str(k // 2) for k in range(len(twice)))


SOME = on_test(*planted(90, 110, shift=1.5, seed=4))


def test_independent_proportions_have_the_interval_of_statsmodels() -> None:
    figure = measured(of_counts(tp=131, fp=6, tn=228, fn=103), "precision")
    assert bounds(figure) == pytest.approx(proportion_confint(131, 137, method="wilson"), abs=1e-12)
    assert figure.method == "Wilson"


def delong(scores: TestScores) -> tuple[float, float, float]:
    """The AUC, its variance by all pairs (DeLong et al. 1988), and its degrees of freedom (Satterthwaite 1946)."""
    ill, well = scores.y_score[scores.y_true == 1], scores.y_score[scores.y_true == 0]
    wins = (ill[:, None] > well) + 0.5 * (ill[:, None] == well)
    first, second = wins.mean(axis=1).var(ddof=1) / len(ill), wins.mean(axis=0).var(ddof=1) / len(well)
    df = (first + second) ** 2 / (first**2 / (len(ill) - 1) + second**2 / (len(well) - 1))
    return float(wins.mean()), float(first + second), float(df)


@pytest.mark.parametrize("sizes", [(90, 110), (5, 95)])
def test_the_auc_of_independent_images_has_delong_s_interval_moderated_by_newcombe_s(sizes: tuple[int, int]) -> None:
    scores = on_test(*planted(*sizes, shift=1.5, seed=4))
    area, variance, df = delong(scores)
    n, m = sizes  # negatives, positives
    by_value = area * (1 - area) / (m * n) * (1 + ((m + n) / 2 - 1) * ((1 - area) / (2 - area) + area / (1 + area)))
    moderated = (df * variance + 8 * by_value) / (df + 8)  # Smyth 2004, with 8 degrees of freedom of the prior
    logit, half = np.log(area / (1 - area)), t.ppf(0.975, df + 8) * np.sqrt(moderated) / (area * (1 - area))
    result = tuple(1 / (1 + np.exp(-end)) for end in (logit - half, logit + half))
    assert bounds(measured(scores, "auc")) == pytest.approx(result, abs=1e-12)


def test_newcombe_s_variance_is_of_no_account_in_a_large_test_set() -> None:
    scores = on_test(*planted(300, 300, shift=1.5, seed=4))
    area, variance, _ = delong(scores)
    logit, half = np.log(area / (1 - area)), norm.ppf(0.975) * np.sqrt(variance) / (area * (1 - area))
    plain = tuple(1 / (1 + np.exp(-end)) for end in (logit - half, logit + half))
    assert bounds(measured(scores, "auc")) == pytest.approx(plain, abs=2e-4)


def square_and_add(value: float, moves: list[tuple[float, float]]) -> tuple[float, float]:
    return tuple(value + sign * math.hypot(*(move[k] - value for move in moves)) for k, sign in enumerate((-1, 1)))


@pytest.mark.parametrize(("metric", "index"), [("precision", 0), ("f1", 1), ("mcc", 2), ("accuracy", 3)])
def test_few_positives_of_a_fixed_number_count_by_their_recall(metric: str, index: int) -> None:
    """All 5 positives are right, which says nothing about the spread of recall; Wilson's interval does."""
    scores = of_counts(tp=5, fp=9, tn=86, fn=0)

    def at(recall: float, fallout: float) -> float:
        tp, fp = 5 * recall, 95 * fallout
        fn, tn = 5 - tp, 95 - fp
        margins = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        values = tp / (tp + fp), 2 * tp / (2 * tp + fp + fn), (tp * tn - fp * fn) / margins, (tp + tn) / 100
        return values[index]

    (r_low, r_high), (f_low, f_high) = wilson(5, 5), wilson(9, 95)
    moves = [(at(r_low, 9 / 95), at(r_high, 9 / 95)), (at(1, f_high), at(1, f_low))]
    figure = measured(scores, metric, "fixed")
    assert figure.value is not None
    assert bounds(figure) == pytest.approx(square_and_add(figure.value, moves), abs=1e-9)
    assert figure.method == "square-and-add"


def test_f1_has_the_interval_of_its_jaccard_proportion() -> None:
    low, high = wilson(131, 131 + 6 + 103)
    figure = measured(of_counts(tp=131, fp=6, tn=228, fn=103), "f1")
    assert bounds(figure) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)), abs=1e-12)


def test_balanced_accuracy_adds_the_squares_of_recall_and_specificity() -> None:
    scores = of_counts(tp=131, fp=6, tn=228, fn=103)
    recall, specificity, figure = (measured(scores, m) for m in ("recall", "specificity", "balanced_accuracy"))
    assert recall.value is not None
    assert specificity.value is not None
    assert figure.value is not None
    down = math.hypot(recall.value - bounds(recall)[0], specificity.value - bounds(specificity)[0]) / 2
    up = math.hypot(bounds(recall)[1] - recall.value, bounds(specificity)[1] - specificity.value) / 2
    assert bounds(figure) == pytest.approx((figure.value - down, figure.value + up), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_a_second_copy_of_every_image_narrows_the_interval_only_where_patients_are_unknown(metric: str) -> None:
    twice, patients = doubled(SOME)
    once = width(measured(SOME, metric))
    assert width(measured(twice, metric, patients=patients)) == pytest.approx(once, rel=0.06)
    assert width(measured(twice, metric)) == pytest.approx(once / math.sqrt(2), rel=0.06)


@pytest.mark.parametrize("metric", METRICS)
def test_patients_with_one_image_each_change_nothing(metric: str) -> None:
    alone = tuple(f"p{k}" for k in range(len(SOME)))
    result, expected = measured(SOME, metric, patients=alone), measured(SOME, metric)
    # The names put the images in another order, in which sums may end in another last bit.
    assert (result.value, *bounds(result)) == pytest.approx((expected.value, *bounds(expected)), rel=1e-9, abs=1e-12)
    assert (result.method, result.reason) == (expected.method, expected.reason)


def test_an_interval_by_patient_says_so() -> None:
    twice, patients = doubled(SOME)
    result = figures(TestScores("test", twice.y_true, twice.y_score, patients), CUT)
    assert all(result[metric].method.endswith(", by patient") for metric in METRICS)  # type: ignore[union-attr]


@pytest.mark.parametrize("metric", METRICS)
def test_fixed_class_sizes_never_widen_an_interval(metric: str) -> None:
    assert width(measured(SOME, metric, "fixed")) <= width(measured(SOME, metric)) * 1.03


def test_precision_varies_less_where_the_number_of_positives_was_fixed() -> None:
    """With recall .97 and specificity .55 most of what Wilson counts is the class sizes'."""
    scores = of_counts(tp=227, fp=105, tn=129, fn=7)
    recall, fallout, positives, negatives = 227 / 234, 105 / 234, 234, 234
    value = 227 / 332
    delta = value**2 * (1 - value) ** 2 * ((1 - recall) / (positives * recall) + (1 - fallout) / (negatives * fallout))
    figure = measured(scores, "precision", "fixed")
    assert width(figure) == pytest.approx(2 * 1.96 * math.sqrt(delta), rel=0.03)
    assert width(measured(scores, "precision")) > 1.5 * width(figure)


@pytest.mark.parametrize("class_sizes", ["drawn", "fixed"])
@pytest.mark.parametrize("counts", [(40, 0, 40, 0), (40, 40, 0, 0), (0, 0, 40, 40), (0, 40, 0, 40)])
def test_decisions_without_spread_have_intervals_of_rates_that_contain_the_truth_of_chance(
    counts: tuple[int, int, int, int], class_sizes: str
) -> None:
    tp, fp, tn, fn = counts
    result = figures(of_counts(tp, fp, tn, fn), CUT, class_sizes=class_sizes)  # type: ignore[arg-type]
    for metric in ("accuracy", "recall", "specificity", "balanced_accuracy"):
        low, high = bounds(result[metric])
        value = result[metric].value
        assert value is not None
        assert 0 <= low <= value <= high <= 1
        assert low < high


def test_patients_who_are_all_right_count_once_each() -> None:
    scores, patients = of_counts(tp=30, fp=0, tn=30, fn=0), tuple(f"p{k // 3}" for k in range(60))
    assert bounds(measured(scores, "accuracy", patients=patients)) == pytest.approx(wilson(20, 20), abs=1e-12)


def test_one_patient_alone_has_no_interval_and_has_a_reason() -> None:
    figure = measured(SOME, "accuracy", patients=("p",) * len(SOME))
    assert (figure.low, figure.method) == (None, None)
    assert figure.reason == "one patient alone shows no spread"


@pytest.mark.parametrize(("metric", "value"), [("average_precision", 1.0), ("mcc", 1.0)])
def test_a_perfect_figure_without_a_proportion_has_no_interval_and_has_a_reason(metric: str, value: float) -> None:
    figure = measured(on_test([0] * 10 + [1] * 10, [0.1, 0.2] * 5 + [0.8, 0.9] * 5), metric)
    assert (figure.value, figure.low) == (value, None)
    assert figure.reason
    assert "no interval" in figure.reason


@pytest.mark.parametrize("positives", [4, 50, 234])
@pytest.mark.parametrize("patients", [False, True])
def test_classes_that_are_separated_leave_the_doubt_of_as_many_pairs(positives: int, patients: bool) -> None:
    """Clopper and Pearson's lower end for all pairs right (SciPy); patients with two equal images each count once."""
    labels, scores = np.repeat([0, 1], [2 * positives, positives]), np.repeat([0.1, 0.9], [2 * positives, positives])
    owners = tuple(str(k // 2) for k in range(len(labels))) if patients else None
    figure = measured(TestScores("test", labels, scores), "auc", patients=owners)
    pairs = positives // 2 if patients else positives
    expected = binomtest(pairs, pairs).proportion_ci(0.95, method="exact")
    assert bounds(figure) == pytest.approx((expected.low, 1.0), abs=1e-9)
    turned = measured(TestScores("test", labels, 1 - scores), "auc", patients=owners)
    assert bounds(turned) == pytest.approx((0.0, 1 - expected.low), abs=1e-9)
    folds = np.arange(len(labels)) // 2 % 2  # each of half of the patients of either class
    of_folds = figures(replace(TestScores("test", labels, scores, owners), fold=folds), CUT)["auc"]
    assert bounds(of_folds) == pytest.approx((expected.low, 1.0), abs=1e-9)


def test_average_precision_with_few_negatives_has_no_interval() -> None:
    figures_of = [measured(on_test(*planted(count, 100, shift=1.5, seed=4)), "average_precision") for count in (9, 10)]
    assert figures_of[0].reason == (
        "average precision needs 10 negative images for an interval if most are positive; there are 9"
    )
    assert figures_of[1].low is not None


def test_an_interval_that_rests_on_few_images_is_marked() -> None:
    """Of 4 positives recall says little, and of 96 negatives specificity says enough."""
    result = figures(on_test(*planted(96, 4, shift=1.5, seed=4)), CUT)
    marked = {metric for metric in METRICS if result[metric].caution == "few units"}
    assert marked == {metric for metric in METRICS if result[metric].low is not None} - {"specificity"}
    assert "recall" in marked
    assert not any(figure.caution for figure in figures(SOME, CUT).values())


def test_an_interval_that_rests_on_one_patient_is_marked() -> None:
    scores = on_test(*planted(60, 60, shift=1.5, seed=4))
    owners = tuple("one" if k % 2 else f"p{k}" for k in range(120))  # half of the images of either class
    result = figures(TestScores("test", scores.y_true, scores.y_score, owners), CUT)
    assert {figure.caution for figure in result.values() if figure.low is not None} == {"few units"}


def test_losses_that_are_equal_on_every_image_have_no_interval() -> None:
    figure = measured(on_test([0, 1, 0, 1], [0.5] * 4), "brier")
    assert (figure.value, figure.low) == (0.25, None)
    assert figure.reason


def test_an_undefined_metric_has_no_interval() -> None:
    result = interval("precision", 0.0, np.array([0.1, 0.2]), CUT, Clusters(np.array([0, 1])))
    assert result == Interval(None, None, None, "undefined for these decisions or classes")


def test_a_count_has_no_interval() -> None:
    with pytest.raises(KeyError):
        interval("true_positives", 1.0, SOME.y_score, CUT, Clusters(SOME.y_true))


@pytest.mark.parametrize("metric", METRICS)
@QUICK
@given(seed=st.integers(0, 10**6), size=st.integers(2, 6), class_sizes=st.sampled_from(["drawn", "fixed"]))
def test_every_interval_contains_its_value_and_stays_in_range(
    metric: str, seed: int, size: int, class_sizes: str
) -> None:
    scores = on_test(*planted(30, 25, shift=1.0, seed=seed))
    patients = tuple(f"p{k // size}" for k in range(len(scores)))
    figure = measured(scores, metric, class_sizes, patients)
    low, high = bounds(figure)
    assert figure.value is not None
    assert (-1 if metric == "mcc" else 0) <= low <= figure.value + 1e-12
    assert figure.value - 1e-12 <= high <= (16.2 if metric == "log_loss" else 1)


@pytest.mark.parametrize("metric", METRICS)
def test_a_higher_level_widens_the_interval(metric: str) -> None:
    value = measured(SOME, metric).value
    assert value is not None
    narrow, wide = (
        interval(metric, value, SOME.y_score, CUT, Clusters(SOME.y_true), level=level) for level in (0.8, 0.99)
    )
    assert narrow.low is not None
    assert narrow.high is not None
    assert wide.low is not None
    assert wide.high is not None
    assert wide.low < narrow.low < narrow.high < wide.high


def test_wilson_by_patient_is_near_the_beta_interval_of_the_same_effective_size() -> None:
    """Korn and Graubard 1998 put the same effective sample size into the beta distribution."""
    generator = np.random.default_rng(0)
    ease = np.repeat(generator.beta(6, 2, 150), 3)
    labels, right = np.tile([0, 1], 225), generator.random(450) < ease
    scores = on_test(labels.tolist(), np.where(right == (labels == 1), 0.9, 0.1).tolist())
    patients = tuple(f"p{k // 3}" for k in range(450))
    by_patient = right.reshape(150, 3).sum(axis=1)
    p = right.mean()
    effective = p * (1 - p) / (np.var(by_patient / 3, ddof=1) / 150)
    k = p * effective
    expected = (beta.ppf(0.025, k + 0.5, effective - k + 0.5), beta.ppf(0.975, k + 0.5, effective - k + 0.5))
    assert bounds(measured(scores, "accuracy", patients=patients)) == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize("patients", [False, True])
@pytest.mark.parametrize("metric", ["precision", "f1"])
def test_one_class_called_under_fixed_class_sizes_still_leaves_doubt(metric: str, patients: bool) -> None:
    """Nothing varies within a class there; recall is that of so many patients, each with images alike."""
    y_true = np.repeat([0, 1], 100)
    clusters = Clusters(y_true, [str(place // 2) for place in range(200)] if patients else None)
    rates = {"precision": 0.5, "f1": 2 / 3}
    result = interval(metric, rates[metric], np.full(200, 0.9), 0.5, clusters, class_sizes="fixed")
    end = wilson(100 // (1 + patients), 100 // (1 + patients))[0]
    low = {"precision": end / (end + 1), "f1": 2 * end / (end + 2)}[metric]
    high = {"precision": 1 / (1 + end), "f1": 2 / (2 + end)}[metric]
    assert (result.low, result.high) == pytest.approx((low, high))


@pytest.mark.parametrize("patients", [False, True])
def test_accuracy_of_fixed_class_sizes_adds_the_squares_of_recall_and_specificity(patients: bool) -> None:
    """Weighted by the class sizes, so that in balanced classes it is balanced accuracy, of one class called too."""
    owners = tuple(str(k // 2) for k in range(400)) if patients else None
    for positives, cut in ((200, 0.5), (200, 0.0), (100, 0.5)):
        scores = on_test(*planted(400 - positives, positives, shift=1.5, seed=4))
        by_patient = TestScores("test", scores.y_true, scores.y_score, owners)
        of_all = figures(by_patient, cut, class_sizes="fixed")
        share = positives / 400
        ends = []
        for side in (0, 1):
            parts = [
                weight * abs(bounds(of_all[name])[side] - (of_all[name].value or 0.0))
                for name, weight in (("recall", share), ("specificity", 1 - share))
            ]
            ends.append(math.hypot(*parts))
        value = of_all["accuracy"].value or 0.0
        assert bounds(of_all["accuracy"]) == pytest.approx((value - ends[0], value + ends[1]), abs=1e-12)
        if share == 0.5:
            assert bounds(of_all["accuracy"]) == pytest.approx(bounds(of_all["balanced_accuracy"]), abs=1e-12)


def alike(patients: int) -> TestScores:
    """Patients whose images and decisions are the same: four images each, of which one is wrong."""
    owners = tuple(f"p{number}" for number in range(patients) for _ in range(4))
    labels, scores = np.tile([1, 1, 0, 0], patients), np.tile([0.9, 0.4, 0.2, 0.1], patients)
    return TestScores("test", labels, scores, owners)


@pytest.mark.parametrize("patients", [3, 7, 49, 55, 301])
def test_patients_who_are_all_alike_leave_an_interval_without_width_out(patients: int) -> None:
    """MCC is (2 * 1 - 0 * 1) / sqrt(1 * 2 * 2 * 3) for any number of patients, so they show no spread."""
    of_scores = figures(alike(patients), CUT)
    assert of_scores["mcc"].value == pytest.approx(2 / math.sqrt(12))
    assert of_scores["mcc"].low is None
    assert "where nothing varies" in (of_scores["mcc"].reason or "")
    for metric, figure in of_scores.items():
        assert figure.low is None or width(figure) > 1e-3, metric
    assert width(of_scores["accuracy"]) > 1e-2  # a share counts each patient once (Kish 1965)


def test_one_patient_who_differs_gives_an_interval() -> None:
    scores = alike(55)
    changed = scores.y_score.copy()
    changed[1] = 0.6
    assert width(figures(TestScores("test", scores.y_true, changed, scores.patient), CUT)["mcc"]) > 1e-4
