"""Net benefit and predictive values agree with the definition, a published table and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from scipy.stats import t as student
from statsmodels.stats.proportion import confint_proportions_2indep

from benchmark.evidence.calibration.utility import (
    PREVALENCES,
    THRESHOLDS,
    NetBenefit,
    decision_curve,
    predictive_values,
)
from benchmark.evidence.intervals.uncertainty import effective_sample_sizes
from benchmark.evidence.metrics.influence import Clusters
from benchmark.evidence.metrics.registry import Confusion, Figure, confusion
from benchmark.evidence.scores import Scores
from tests.support.records import of_counts, on_test, planted
from tests.support.worlds import World, draw, truth

QUICK = settings(deadline=None, max_examples=40)
SCORES = st.one_of(st.integers(0, 8).map(lambda k: k / 8), st.floats(0, 1, width=32))
ROWS = st.lists(st.tuples(st.integers(0, 1), SCORES), min_size=1, max_size=40)
CUTS = st.one_of(st.integers(0, 7).map(lambda k: k / 8), st.floats(0, 0.99))
SHARES = st.floats(0.01, 0.99)
COUNT = st.integers(0, 60)
COUNTS = st.builds(Confusion, COUNT, COUNT, COUNT, COUNT)
Rows = list[tuple[int, float]]


def labels(rows: Rows) -> list[int]:
    return [label for label, _ in rows]


def found(rows: Rows) -> list[float]:
    return [score for _, score in rows]


def ppv(counted: Confusion, prevalence: float) -> Figure:
    return predictive_values(counted, (prevalence,))[0].ppv


def npv(counted: Confusion, prevalence: float) -> Figure:
    return predictive_values(counted, (prevalence,))[0].npv


def test_net_benefit_of_a_worked_example() -> None:
    """10 images, 4 positive: at 0.2 three true and two false positives, (3 - 2 x 0.25) / 10."""
    scores = on_test([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [0.9, 0.7, 0.2, 0.1, 0.5, 0.3, 0.1, 0.1, 0.05, 0.0])
    curve = decision_curve(scores, (0.2,))
    assert curve.prevalence == 0.4
    assert curve.points == (NetBenefit(0.2, pytest.approx(0.25), pytest.approx(0.4 - 0.6 * 0.25), 0.0),)


@pytest.mark.parametrize(
    ("percent", "published"),
    [
        *[(3, 0.278), (5, 0.263), (8, 0.239), (10, 0.222), (20, 0.125), (30, 0.0), (40, -0.167), (50, -0.4)],
        *[(60, -0.75), (70, -1.333), (80, -2.5), (90, -6.0), (96, -16.5)],
    ],
)
def test_treating_all_is_worth_what_a_published_table_says(percent: int, published: float) -> None:
    """PMC6993280, table 4: "intervention to all patients" at a prevalence of 30%."""
    (point,) = decision_curve(on_test(*planted(7, 3)), (percent / 100,)).points
    assert point.treat_all == pytest.approx(published, abs=5.1e-4)


@QUICK
@given(rows=ROWS, cut=CUTS)
def test_net_benefit_is_counted_from_the_decisions_at_the_threshold(rows: Rows, cut: float) -> None:
    scores = on_test(labels(rows), found(rows))
    counted = confusion(scores, cut)
    (point,) = decision_curve(scores, (cut,)).points
    assert point.model == pytest.approx((counted.tp - counted.fp * cut / (1 - cut)) / len(rows), abs=1e-9)
    everyone = sum(labels(rows)) - (len(rows) - sum(labels(rows))) * cut / (1 - cut)
    assert point.treat_all == pytest.approx(everyone / len(rows), abs=1e-9)
    assert point.treat_none == 0


@QUICK
@given(rows=ROWS, cut=CUTS, times=st.integers(2, 9))
def test_a_stated_prevalence_is_worth_what_a_sample_of_that_prevalence_is(rows: Rows, cut: float, times: int) -> None:
    """Each positive image counted several times is a sample of a higher prevalence and the same sensitivity."""
    scores = on_test(labels(rows), found(rows))
    many = [row for row in rows for _ in range(times if row[0] else 1)]
    copied = decision_curve(on_test(labels(many), found(many)), (cut,))
    if 0 < copied.prevalence < 1:
        stated = decision_curve(scores, (cut,), prevalence=copied.prevalence).points[0]
        assert stated.model == pytest.approx(copied.points[0].model, abs=1e-9)
        assert stated.treat_all == pytest.approx(copied.points[0].treat_all, abs=1e-9)


def test_the_sample_s_own_prevalence_stated_changes_nothing() -> None:
    scores = on_test(*planted(30, 20))
    stated, sampled = decision_curve(scores, prevalence=0.4), decision_curve(scores)
    assert [point.threshold for point in stated.points] == list(THRESHOLDS)
    assert [p.model for p in stated.points] == pytest.approx([p.model for p in sampled.points])


@QUICK
@given(rows=ROWS)
def test_no_model_is_worth_more_than_knowing_the_labels(rows: Rows) -> None:
    curve = decision_curve(on_test(labels(rows), found(rows)))
    known = decision_curve(on_test(labels(rows), [float(label) for label in labels(rows)]))
    for model, best in zip(curve.points, known.points, strict=True):
        assert model.model is not None
        assert best.model == pytest.approx(curve.prevalence)
        assert model.model <= best.model + 1e-12


@pytest.mark.parametrize("constant", [0.0, 0.5, 1.0])
def test_constant_scores_are_worth_treating_all_or_none_and_never_more(constant: float) -> None:
    curve = decision_curve(on_test([0, 1, 0, 1], [constant] * 4))
    assert curve.better_than_both() == ()
    for point in curve.points:
        assert point.model == pytest.approx(point.treat_all if constant >= point.threshold else 0)


def test_the_thresholds_at_which_the_model_is_worth_most_are_named() -> None:
    curve = decision_curve(on_test([0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.6, 0.9]), (0.05, 0.25, 0.5, 0.8, 0.95))
    assert curve.better_than_both() == (0.25, 0.5, 0.8)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_net_benefit_at_another_prevalence(label: int) -> None:
    scores = on_test([label] * 4, [0.1, 0.4, 0.6, 0.9])
    stated = decision_curve(scores, (0.5,), prevalence=0.2)
    assert stated.points == (NetBenefit(0.5, None, pytest.approx(-0.6), 0.0),)
    assert "one class" in (stated.reason or "")
    assert stated.better_than_both() == ()
    assert decision_curve(scores, (0.5,)).points[0].model == pytest.approx(0.5 if label else -0.5)


@pytest.mark.parametrize("threshold", [-0.1, 1.0, 1.5, math.nan])
def test_a_threshold_probability_outside_0_and_1_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold probability"):
        decision_curve(on_test([0, 1], [0.1, 0.9]), (threshold,))


@pytest.mark.parametrize("prevalence", [0.0, 1.0, 5.0, -0.1, math.nan])
def test_a_prevalence_outside_0_and_1_is_refused(prevalence: float) -> None:
    with pytest.raises(ValueError, match="prevalence"):
        decision_curve(on_test([0, 1], [0.1, 0.9]), prevalence=prevalence)
    with pytest.raises(ValueError, match="prevalence"):
        predictive_values(Confusion(3, 1, 4, 2), (prevalence,))


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, math.nan])
def test_a_level_outside_0_and_1_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        predictive_values(Confusion(3, 1, 4, 2), level=level)


def test_predictive_values_of_a_worked_example() -> None:
    """Sensitivity 90%, specificity 80%: of 1000 with 50 ill, 45 and 190 are called; 760 and 5 are not."""
    (found,) = predictive_values(Confusion(tp=90, fp=20, tn=80, fn=10), (0.05,))
    assert found.ppv.value == pytest.approx(45 / (45 + 190))
    assert found.npv.value == pytest.approx(760 / (760 + 5))


@QUICK
@given(counted=COUNTS)
def test_at_the_sample_s_own_prevalence_predictive_values_are_the_sample_s_shares(counted: Confusion) -> None:
    positives, n = counted.tp + counted.fn, counted.tp + counted.fn + counted.fp + counted.tn
    if 0 < positives < n:
        above, below = ppv(counted, positives / n), npv(counted, positives / n)
        if above.value is not None:
            assert above.value == pytest.approx(counted.tp / (counted.tp + counted.fp))
        if below.value is not None:
            assert below.value == pytest.approx(counted.tn / (counted.tn + counted.fn))


@QUICK
@given(counted=COUNTS, prevalence=SHARES, level=st.sampled_from([0.8, 0.95, 0.99]))
def test_limits_are_those_of_statsmodels_score_interval_of_the_likelihood_ratio(
    counted: Confusion, prevalence: float, level: float
) -> None:
    ill, well = counted.tp + counted.fn, counted.tn + counted.fp
    if not min(counted.tp, counted.fp, counted.fn, counted.tn):
        return  # statsmodels' search gives no limit at an empty cell
    limits = confint_proportions_2indep(
        counted.tp, ill, counted.fp, well, method="score", compare="ratio", alpha=1 - level, correction=False
    )
    expected = [r * prevalence / (r * prevalence + 1 - prevalence) for r in limits]
    figure = predictive_values(counted, (prevalence,), level)[0].ppv
    assert (figure.low, figure.high) == pytest.approx(expected, abs=1e-5)


@QUICK
@given(counted=COUNTS, prevalence=SHARES)
def test_npv_is_the_ppv_of_the_swapped_classes(counted: Confusion, prevalence: float) -> None:
    swapped = Confusion(tp=counted.tn, fp=counted.fn, tn=counted.tp, fn=counted.fp)
    one, other = npv(counted, prevalence), ppv(swapped, 1 - prevalence)
    assert (one.value is None) == (other.value is None)
    if one.value is not None:
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=1e-12)


@QUICK
@given(counted=COUNTS, prevalence=SHARES)
def test_a_value_lies_in_its_interval_and_a_missing_one_has_a_reason(counted: Confusion, prevalence: float) -> None:
    for figure in (ppv(counted, prevalence), npv(counted, prevalence)):
        if figure.value is None:
            assert figure.reason
            assert (figure.low, figure.high, figure.method) == (None, None, None)
        else:
            assert figure.low is not None
            assert figure.high is not None
            assert 0 <= figure.low <= figure.value + 1e-9 <= figure.high + 2e-9 <= 1 + 3e-9
            assert figure.low < figure.high


@QUICK
@given(counted=COUNTS, shares=st.tuples(SHARES, SHARES))
def test_more_prevalence_is_more_ppv_and_less_npv(counted: Confusion, shares: tuple[float, float]) -> None:
    rare, common = predictive_values(counted, sorted(shares))
    if rare.ppv.value is not None:
        assert common.ppv.value >= rare.ppv.value  # type: ignore[operator]
    if rare.npv.value is not None:
        assert common.npv.value <= rare.npv.value  # type: ignore[operator]


def test_no_false_positive_leaves_a_ppv_of_1_whose_interval_ends_there_but_starts_below() -> None:
    """The lower limit solves the score equation: with no false positive the test of a ratio r is one of 0 of 100."""
    figure = ppv(Confusion(tp=100, fp=0, tn=100, fn=0), 0.05)
    assert (figure.value, figure.high) == (1.0, 1.0)
    assert figure.low is not None
    # Sensitivity 1 leaves the constrained sensitivity at 1, so that 1 / r is Wilson's upper limit of 0 of 100.
    z2 = norm.ppf(0.975) ** 2
    ratio = (100 + z2) / z2
    assert figure.low == pytest.approx(ratio * 0.05 / (ratio * 0.05 + 0.95), rel=1e-6)


def test_no_true_positive_leaves_a_ppv_of_0() -> None:
    figure = ppv(Confusion(tp=0, fp=10, tn=90, fn=100), 0.15)
    assert (figure.value, figure.low) == (0.0, 0.0)
    assert figure.high is not None
    assert 0 < figure.high < 0.15


def test_calling_everything_positive_tells_nothing_beyond_the_prevalence() -> None:
    for share, found in zip(PREVALENCES, predictive_values(Confusion(tp=234, fp=234, tn=0, fn=0)), strict=True):
        assert found.prevalence == share
        assert found.ppv.value == pytest.approx(share)
        assert found.ppv.low is not None
        assert found.ppv.high is not None
        assert found.ppv.low < share < found.ppv.high
        assert found.npv.value is None
        assert found.npv.reason == "no image is predicted negative"


@pytest.mark.parametrize(
    ("counted", "metric", "reason"),
    [
        (Confusion(tp=0, fp=0, tn=5, fn=5), "ppv", "no image is predicted positive"),
        (Confusion(tp=5, fp=5, tn=0, fn=0), "npv", "no image is predicted negative"),
        (Confusion(tp=5, fp=0, tn=0, fn=5), "ppv", "one class is missing"),
        (Confusion(tp=0, fp=5, tn=5, fn=0), "npv", "one class is missing"),
        (Confusion(tp=0, fp=0, tn=0, fn=0), "ppv", "one class is missing"),
    ],
)
def test_what_is_undefined_is_missing_with_a_reason(counted: Confusion, metric: str, reason: str) -> None:
    figure = getattr(predictive_values(counted, (0.15,))[0], metric)
    assert figure == Figure(metric, None, None, None, None, reason)


def test_predictive_values_read_the_confusion_of_scores() -> None:
    counted = confusion(of_counts(tp=131, fp=6, tn=228, fn=103), 0.5)
    assert ppv(counted, 0.5).value == pytest.approx(131 / 137)


def mercaldo(counted: Confusion, prevalence: float) -> tuple[float, float] | None:
    """Limits of the standard logit interval of the PPV (Mercaldo et al. 2007), None at an empty cell."""
    if not (counted.tp and counted.fp):
        return None
    ill, well = counted.tp + counted.fn, counted.tn + counted.fp
    centre = math.log(counted.tp / ill * prevalence / (counted.fp / well * (1 - prevalence)))
    half = norm.ppf(0.975) * math.sqrt(1 / counted.tp - 1 / ill + 1 / counted.fp - 1 / well)
    return 1 / (1 + math.exp(half - centre)), 1 / (1 + math.exp(-half - centre))


def coverage(n: int, sensitivity: float, specificity: float) -> tuple[float, float]:
    """Exact coverage of PPV intervals by Koopman and by Mercaldo, over all counts of n ill and n well."""
    true, false = np.arange(n + 1), np.arange(n + 1)
    chance = np.outer(
        [math.comb(n, k) * sensitivity**k * (1 - sensitivity) ** (n - k) for k in true],
        [math.comb(n, k) * (1 - specificity) ** k * specificity ** (n - k) for k in false],
    )
    truth = sensitivity * 0.15 / (sensitivity * 0.15 + (1 - specificity) * 0.85)
    hit = np.zeros(2)
    for tp, fp in zip(*np.nonzero(chance > 1e-9), strict=True):
        counted = Confusion(tp=int(tp), fp=int(fp), tn=int(n - fp), fn=int(n - tp))
        figure, logit = ppv(counted, 0.15), mercaldo(counted, 0.15)
        if figure.low is not None and figure.high is not None:
            hit[0] += chance[tp, fp] * (figure.low <= truth <= figure.high)
        if logit is not None:
            hit[1] += chance[tp, fp] * (logit[0] <= truth <= logit[1])
    return hit[0], hit[1]


@pytest.mark.slow
@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.6, 0.97), (0.9, 0.9), (0.98, 0.6)])
def test_ppv_intervals_hold_the_truth_in_95_of_100_test_sets(sensitivity: float, specificity: float) -> None:
    """Exactly, by adding up all outcomes of 234 ill and 234 well children."""
    koopman, _ = coverage(234, sensitivity, specificity)
    assert 0.935 <= koopman <= 0.965


def test_patients_whose_images_are_all_alike_count_once() -> None:
    once = of_counts(tp=30, fp=4, tn=50, fn=6)
    names = tuple(str(image) for image in range(len(once))) * 3
    thrice = Scores("test", np.tile(once.y_true, 3), np.tile(once.y_score, 3), names)
    worth = effective_sample_sizes(thrice.y_true, thrice.y_score, 0.5, Clusters(thrice.y_true, thrice.patient))
    assert worth is not None
    wanted = [(images - 1) * (norm.ppf(0.975) / student.ppf(0.975, images - 1)) ** 2 for images in (54, 36)]
    assert worth == pytest.approx(wanted)
    (by_patient,) = predictive_values(confusion(thrice, 0.5), (0.15,), effective_sizes=worth)
    (alone,) = predictive_values(confusion(once, 0.5), (0.15,))
    for metric in ("ppv", "npv"):
        found, single = getattr(by_patient, metric), getattr(alone, metric)
        assert found.value == pytest.approx(single.value)
        assert found.low == pytest.approx(single.low, abs=0.02)
        assert found.high == pytest.approx(single.high, abs=0.02)
        assert found.method == "Koopman, likelihood ratio, by patient"


def test_where_no_error_happened_patients_count_as_if_their_images_were_alike() -> None:
    names = ("a", "a", "b", "b", "c", "c", "d", "d")
    scores = Scores("test", np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0.1] * 4 + [0.9] * 4), names)
    assert effective_sample_sizes(scores.y_true, scores.y_score, 0.5, Clusters(scores.y_true, names)) == (2, 2)


@pytest.mark.parametrize("patients", [None, ("a", "b", "c", "d")])
def test_single_images_are_worth_what_they_are(patients: tuple[str, ...] | None) -> None:
    y_true, y_score = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9])
    assert effective_sample_sizes(y_true, y_score, 0.5, Clusters(y_true, patients)) is None


@pytest.mark.slow
def test_predictive_values_by_patient_hold_the_truth_in_95_of_100_test_sets() -> None:
    world = World(0.85, clustered=True, specificity=0.8)
    drawn = draw(world, 400, seed=5)
    true, missed = truth(world, drawn.thresholds), np.zeros(2)
    for k, cut in enumerate(drawn.cuts.tolist()):
        scores = Scores("test", drawn.y_true[k], drawn.scores[k, 0, 0], drawn.patients)
        worth = effective_sample_sizes(scores.y_true, scores.y_score, cut, Clusters(scores.y_true, scores.patient))
        called, healthy = true["recall"][k] * 0.15, true["specificity"][k] * 0.85
        at = called / (called + 0.85 - healthy)
        for method, counted in enumerate((worth, None)):
            found = predictive_values(confusion(scores, cut), (0.15,), effective_sizes=counted)[0].ppv
            missed[method] += not (found.low or 0) <= at <= (found.high or 1)
    slack = 3.5 * math.sqrt(0.05 * 0.95 / 400)
    assert missed[0] / 400 <= 0.05 + slack
    assert missed[1] / 400 > 0.05 + slack


def test_calling_all_images_positive_is_as_uncertain_by_patient_as_its_patients_are_few() -> None:
    y_true = np.repeat([0, 1], 100)
    scores = Scores("test", y_true, np.full(200, 0.9), tuple(str(image // 4) for image in range(200)))
    worth = effective_sample_sizes(scores.y_true, scores.y_score, 0.5, Clusters(y_true, scores.patient))
    assert worth == (25, 25)
    counted = confusion(scores, 0.5)
    by_patient, alone = (predictive_values(counted, (0.15,), effective_sizes=each)[0].ppv for each in (worth, None))
    assert by_patient.low is not None
    assert alone.low is not None
    assert by_patient.low < alone.low < 0.15


@pytest.mark.parametrize("n", [5, 25, 117, 233, 234, 1000])
def test_where_all_are_called_positive_the_limits_are_those_of_algebra(n: int) -> None:
    """With k1 = n1 and k2 = n2 the score test of a ratio r below 1 is sqrt(n (1 - r) / r)."""
    ratio = n / (n + norm.ppf(0.975) ** 2)
    found = ppv(Confusion(tp=n, fp=n, tn=0, fn=0), 0.05)
    assert found.low == pytest.approx(ratio * 0.05 / (ratio * 0.05 + 0.95), rel=1e-9)
    assert found.high == pytest.approx(0.05 / ratio / (0.05 / ratio + 0.95), rel=1e-9)
