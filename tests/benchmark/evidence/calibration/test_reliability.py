"""Calibration figures agree with scikit-learn, statsmodels, a published package or a slow definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm, t
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from benchmark.evidence.calibration.calibrators import Calibrator, logit
from benchmark.evidence.calibration.reliability import Binning, assess, smooth_ece
from benchmark.evidence.intervals.formulas import wilson
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import Scores, TestScores
from tests.support.records import on_test, planted

QUICK = settings(deadline=None, max_examples=40)
TIED = st.integers(0, 8).map(lambda k: k / 8)
ANY = st.floats(0, 1, width=32)
LABEL = st.integers(0, 1)
ROWS = st.one_of(*(st.lists(st.tuples(LABEL, s), min_size=1, max_size=40) for s in (TIED, ANY)))
BINNINGS: list[Binning] = ["mass", "width"]
Rows = list[tuple[int, float]]


def scores(rows: Rows) -> TestScores:
    return on_test([label for label, _ in rows], [score for _, score in rows])


def drawn(n: int, seed: int, slope: float = 1.0, shift: float = 0.0, spread: float = 1.5) -> TestScores:
    """Labels whose true log odds are `slope` times the score's, plus `shift`."""
    generator = np.random.default_rng(seed)
    x = generator.normal(0, spread, n)
    return on_test((generator.random(n) < expit(slope * x + shift)).astype(int).tolist(), expit(x).tolist())


def in_patients(n: int, seed: int) -> TestScores:
    """Calibrated scores of patients with one to four images of one label and correlated scores."""
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n), generator.integers(1, 5, n))[:n]
    label = (generator.random(n) < 0.4).astype(int)[patient]
    noise = (generator.normal(size=n)[patient] + generator.normal(size=n)) / math.sqrt(2)
    x = 2 * (2 * label + noise) - 2 + math.log(0.4 / 0.6)
    return TestScores("test", label, expit(x), tuple(f"p{number}" for number in patient))


def bounds(figure: Figure) -> tuple[float, float]:
    assert figure.low is not None
    assert figure.high is not None
    return figure.low, figure.high


@QUICK
@given(rows=ROWS)
def test_log_loss_and_brier_are_those_of_scikit_learn(rows: Rows) -> None:
    found, s = assess(scores(rows)), scores(rows)
    clipped = np.clip(s.y_score, 1e-7, 1 - 1e-7)
    assert found.log_loss == pytest.approx(log_loss(s.y_true, clipped, labels=[0, 1]), rel=1e-9)
    assert found.brier == pytest.approx(brier_score_loss(s.y_true, s.y_score, pos_label=1), abs=1e-12)


@QUICK
@given(rows=ROWS, bins=st.integers(1, 15), binning=st.sampled_from(BINNINGS))
def test_the_parts_add_up_to_the_brier_score_whatever_the_bins(rows: Rows, bins: int, binning: Binning) -> None:
    found = assess(scores(rows), bins, binning)
    parts = found.parts
    assert parts.reliability - parts.resolution + parts.uncertainty == pytest.approx(found.brier, abs=1e-12)
    assert parts.uncertainty == pytest.approx(found.prevalence * (1 - found.prevalence))
    assert parts.reliability >= 0


@QUICK
@given(rows=st.lists(st.tuples(LABEL, TIED), min_size=1, max_size=60))
def test_with_one_score_a_bin_the_parts_are_murphy_s_sums_over_distinct_scores(rows: Rows) -> None:
    parts = assess(scores(rows), 16, "width").parts
    base = sum(label for label, _ in rows) / len(rows)
    reliability = resolution = 0.0
    for score in {score for _, score in rows}:
        labels = [label for label, other in rows if other == score]
        share = sum(labels) / len(labels)
        reliability += len(labels) * (score - share) ** 2 / len(rows)
        resolution += len(labels) * (share - base) ** 2 / len(rows)
    assert (parts.reliability, parts.resolution) == pytest.approx((reliability, resolution), abs=1e-12)


@pytest.mark.parametrize(("binning", "strategy"), [("mass", "quantile"), ("width", "uniform")])
@QUICK
@given(rows=ROWS, bins=st.integers(1, 12))
def test_the_curve_is_that_of_scikit_learn(binning: Binning, strategy: str, rows: Rows, bins: int) -> None:
    s = scores(rows)
    if len(set(s.y_true.tolist())) < 2:
        return
    share, mean_score = calibration_curve(s.y_true, s.y_score, n_bins=bins, strategy=strategy)
    curve = assess(s, bins, binning).curve
    assert [part.share for part in curve] == pytest.approx(share.tolist(), abs=1e-9)
    assert [part.mean_score for part in curve] == pytest.approx(mean_score.tolist(), abs=1e-9)
    assert sum(part.n for part in curve) == len(rows)
    assert [(part.low, part.high) for part in curve] == [wilson(round(p.share * p.n), p.n) for p in curve]


@QUICK
@given(rows=ROWS, bins=st.integers(1, 12), binning=st.sampled_from(BINNINGS))
def test_the_binned_error_is_the_mean_gap_of_the_curve(rows: Rows, bins: int, binning: Binning) -> None:
    found = assess(scores(rows), bins, binning)
    gaps = [abs(part.share - part.mean_score) for part in found.curve]
    assert found.ece == pytest.approx(np.average(gaps, weights=[part.n for part in found.curve]))
    assert (found.bins, found.binning) == (bins, binning)


def test_one_bin_s_error_is_the_gap_of_the_means() -> None:
    assert assess(on_test([0, 0, 1, 0], [0.2, 0.4, 0.6, 0.8]), 1).ece == pytest.approx(0.25)


def test_bins_of_equal_mass_hold_equally_many_distinct_scores() -> None:
    curve = assess(on_test([0, 1] * 10, np.linspace(0.01, 0.99, 20).tolist()), 5).curve
    assert [part.n for part in curve] == [4] * 5


def test_tied_scores_share_a_bin() -> None:
    curve = assess(on_test([0, 1] * 10, [0.3] * 12 + [0.8] * 8), 10).curve
    assert [(part.n, part.mean_score) for part in curve] == [(12, pytest.approx(0.3)), (8, pytest.approx(0.8))]


def slow_smooth_error(s: Scores, bandwidth: float) -> float:
    """The integral of |mean residual x reflected Gaussian kernel|, the kernel summed over its reflections."""
    at = (np.arange(4000) + 0.5) / 4000
    smoothed = np.zeros_like(at)
    for label, score in zip(s.y_true, s.y_score, strict=True):
        for turn in range(-4, 5):
            for image in (2 * turn + score, 2 * turn - score):
                smoothed += (label - score) * norm.pdf(at, image, bandwidth) / len(s)
    return float(np.mean(np.abs(smoothed)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [3, 20])
def test_the_smooth_error_is_the_bandwidth_that_equals_its_slow_definition(n: int, seed: int) -> None:
    s = drawn(n, seed, slope=0.4, shift=0.5)
    found = smooth_ece(s)
    assert slow_smooth_error(s, found) == pytest.approx(found, abs=5e-4)


@QUICK
@given(score=ANY, positives=st.integers(0, 10))
def test_the_smooth_error_of_constant_scores_is_their_distance_to_the_share_of_positives(
    score: float, positives: int
) -> None:
    s = on_test([1] * positives + [0] * (10 - positives), [score] * 10)
    assert smooth_ece(s) == pytest.approx(abs(score - positives / 10), abs=1e-5)  # the grid of the kernel is finite


@pytest.mark.parametrize(
    ("n", "power", "published"),
    [(50, 2, 0.1082), (200, 2, 0.1546), (200, 1, 0.0223), (468, 0.5, 0.1708)],
)
def test_the_smooth_error_is_that_of_its_authors_package(n: int, power: float, published: float) -> None:
    """Values of `smECE` in relplot 1.0.3, whose search for the bandwidth stops at steps of 1/1024."""
    score = (np.arange(n) + 0.5) / n
    label = (np.arange(n) * (math.sqrt(5) - 1) / 2) % 1 < score**power
    assert smooth_ece(on_test(label.astype(int).tolist(), score.tolist())) == pytest.approx(published, abs=1.5e-3)


@QUICK
@given(rows=ROWS)
def test_every_error_is_within_0_and_1_and_no_smooth_error_exceeds_the_mean_residual(rows: Rows) -> None:
    s = scores(rows)
    found = assess(s)
    assert 0 <= found.ece <= 1
    assert 0 <= found.smooth_ece <= float(np.mean(np.abs(s.y_true - s.y_score))) + 1e-6


@QUICK
@given(rows=ROWS, step=st.floats(0, 1e-3))
def test_the_smooth_error_is_continuous_where_the_binned_one_jumps(rows: Rows, step: float) -> None:
    """All scores moved by at most `step` move the error by at most 2 steps, and the grid's cell."""
    s = scores(rows)
    moved = on_test(s.y_true.tolist(), np.clip(s.y_score + step, 0, 1).tolist())
    assert abs(smooth_ece(moved) - smooth_ece(s)) <= 2 * step + 2 / 4096


def test_the_binned_error_jumps_where_a_pair_of_scores_crosses_a_bin_s_edge() -> None:
    labels = [0, 1] * 50
    below = on_test(labels, [0.4999, 0.5001] * 50)
    above = on_test(labels, [0.5003, 0.5001] * 50)
    assert assess(below, 2, "width").ece == pytest.approx(0.5, abs=1e-3)
    assert assess(above, 2, "width").ece == pytest.approx(0, abs=1e-3)
    assert smooth_ece(below) < 0.03


def statsmodels_fit(s: Scores) -> sm.Logit:
    return sm.Logit(s.y_true, sm.add_constant(logit(s.y_score)))


@pytest.mark.parametrize("s", [drawn(20, 1), drawn(468, 2, 0.5, -1), drawn(200, 3, 2.0, 0.5)], ids=["20", "468", "200"])
def test_slope_and_intercept_and_their_intervals_are_those_of_statsmodels(s: TestScores) -> None:
    expected = statsmodels_fit(s).fit(disp=0, tol=1e-12)
    (intercept, slope), limits = expected.params, expected.conf_int()
    found = assess(s)
    assert (found.slope.value, *bounds(found.slope)) == pytest.approx((slope, *limits[1]), rel=1e-5, abs=1e-7)
    assert (found.intercept.value, *bounds(found.intercept)) == pytest.approx(
        (intercept, *limits[0]), rel=1e-5, abs=1e-7
    )
    assert found.slope.method == "Wald"


@pytest.mark.parametrize("s", [drawn(20, 1), drawn(468, 2, 0.5, -1)], ids=["20", "468"])
def test_calibration_in_the_large_is_statsmodels_intercept_with_the_logits_as_offset(s: TestScores) -> None:
    model = sm.GLM(s.y_true, np.ones(len(s)), family=sm.families.Binomial(), offset=logit(s.y_score))
    expected = model.fit(tol=1e-12)
    found = assess(s).in_the_large
    assert (found.value, *bounds(found)) == pytest.approx(
        (expected.params[0], *expected.conf_int()[0]), rel=1e-5, abs=1e-7
    )


def test_intervals_of_several_images_a_patient_are_statsmodels_cluster_robust_ones() -> None:
    s = in_patients(300, 4)
    assert s.patient is not None
    groups, n = np.unique(s.patient, return_inverse=True)[1], len(set(s.patient))
    clustered = {"groups": groups, "use_correction": False}
    expected = statsmodels_fit(s).fit(disp=0, tol=1e-12, cov_type="cluster", cov_kwds=clustered)
    rarer = min(len(np.unique(groups[s.y_true == label])) for label in (0, 1))
    errors = expected.bse * math.sqrt(n / (n - 1)) * t.ppf(0.975, rarer - 1)
    found = assess(s)
    for figure, value, half in zip((found.intercept, found.slope), expected.params, errors, strict=True):
        assert bounds(figure) == pytest.approx((value - half, value + half), rel=1e-5, abs=1e-7)
        assert figure.method == "Wald, clustered by patient"


def test_the_interval_in_the_large_is_statsmodels_cluster_robust_one() -> None:
    s = in_patients(300, 4)
    assert s.patient is not None
    groups, n = np.unique(s.patient, return_inverse=True)[1], len(set(s.patient))
    model = sm.GLM(s.y_true, np.ones(len(s)), family=sm.families.Binomial(), offset=logit(s.y_score))
    clustered = {"groups": groups, "use_correction": False}
    expected = model.fit(tol=1e-12, cov_type="cluster", cov_kwds=clustered)
    half = expected.bse[0] * math.sqrt(n / (n - 1)) * t.ppf(0.975, n - 1)
    middle = expected.params[0]
    assert bounds(assess(s).in_the_large) == pytest.approx((middle - half, middle + half), rel=1e-5, abs=1e-7)


def test_patients_of_one_image_each_change_no_interval() -> None:
    s = drawn(60, 5)
    known = TestScores("test", s.y_true, s.y_score, tuple(f"p{i}" for i in range(60)))
    assert assess(known) == assess(s)


def test_images_of_one_patient_only_have_values_without_intervals() -> None:
    s = drawn(60, 5)
    found = assess(TestScores("test", s.y_true, s.y_score, ("p",) * 60))
    for figure in (found.slope, found.intercept, found.in_the_large):
        assert figure.value is not None
        assert (figure.low, figure.high, figure.method) == (None, None, None)
        assert "one patient" in (figure.reason or "")


def test_one_patient_of_a_class_leaves_an_interval_in_the_large_only() -> None:
    s = on_test([0] * 6 + [1] * 3, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.4, 0.7, 0.8])
    found = assess(TestScores("test", s.y_true, s.y_score, ("a", "b", "c", "d", "e", "f", "g", "g", "g")))
    assert found.slope.value is not None
    assert found.slope.low is None
    assert found.in_the_large.low is not None


@pytest.mark.parametrize(
    ("s", "reason"),
    [
        (on_test([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]), "separate"),
        (on_test([1, 1, 0, 0], [0.1, 0.2, 0.3, 0.4]), "separate"),
        (on_test([0, 0, 1, 1], [0.1, 0.2, 0.2, 0.4]), "separate"),
        (on_test([0, 1, 0, 1], [0.3] * 4), "the same"),
        (on_test([1, 1, 1], [0.1, 0.2, 0.3]), "one class"),
        (on_test([0], [0.5]), "one class"),
    ],
)
def test_a_slope_that_does_not_exist_is_missing_with_a_reason(s: TestScores, reason: str) -> None:
    found = assess(s)
    for figure in (found.slope, found.intercept):
        assert (figure.value, figure.low, figure.high) == (None, None, None)
        assert reason in (figure.reason or "")


def test_constant_scores_have_calibration_in_the_large() -> None:
    found = assess(on_test([0, 0, 0, 1] * 5, [0.5] * 20)).in_the_large
    assert found.value == pytest.approx(math.log(1 / 3))


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_calibration_in_the_large(label: int) -> None:
    found = assess(on_test([label] * 5, [0.1, 0.2, 0.5, 0.8, 0.9]))
    assert found.in_the_large.value is None
    assert "one class" in (found.in_the_large.reason or "")
    assert found.parts.uncertainty == 0


@pytest.mark.filterwarnings("error")
@QUICK
@given(rows=ROWS, bins=st.integers(1, 12), binning=st.sampled_from(BINNINGS))
def test_any_scores_are_assessed_and_what_is_missing_has_a_reason(rows: Rows, bins: int, binning: Binning) -> None:
    found = assess(scores(rows), bins, binning)
    for figure in (found.slope, found.intercept, found.in_the_large):
        if figure.value is None:
            assert figure.reason
            assert (figure.low, figure.high, figure.method) == (None, None, None)
        else:
            assert all(map(math.isfinite, (figure.value, *bounds(figure))))


@QUICK
@given(rows=ROWS, data=st.data())
def test_the_order_of_images_changes_nothing(rows: Rows, data: st.DataObject) -> None:
    before, after = assess(scores(rows)), assess(scores(data.draw(st.permutations(rows))))
    assert after.smooth_ece == pytest.approx(before.smooth_ece, abs=1e-6)
    assert after.ece == pytest.approx(before.ece, abs=1e-9)
    assert after.parts.resolution == pytest.approx(before.parts.resolution, abs=1e-9)
    assert [part.n for part in after.curve] == [part.n for part in before.curve]


def test_the_right_calibrator_turns_slope_and_intercept_into_1_and_0() -> None:
    s = drawn(468, 6, slope=0.5, shift=1.0)
    fitted = assess(s)
    assert fitted.slope.value is not None
    assert fitted.intercept.value is not None
    inverse = Calibrator("platt", accepted=True, parameters=(fitted.slope.value, fitted.intercept.value))
    after = assess(inverse.apply(s))
    assert after.slope.value == pytest.approx(1, abs=1e-6)
    assert after.intercept.value == pytest.approx(0, abs=1e-6)
    assert after.in_the_large.value == pytest.approx(0, abs=1e-6)
    assert after.log_loss < fitted.log_loss
    assert after.smooth_ece < fitted.smooth_ece
    assert after.parts.reliability < fitted.parts.reliability


def test_no_bin_is_refused() -> None:
    with pytest.raises(ValueError, match="0 bins"):
        assess(on_test([0, 1], [0.1, 0.9]), 0)


def test_an_unknown_binning_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown binning 'equal'; known: mass, width"):
        assess(on_test([0, 1], [0.1, 0.9]), 5, "equal")  # type: ignore[arg-type]


def test_validation_scores_may_be_assessed_too() -> None:
    labels, found = planted(20, 20)
    val = Scores("val", np.array(labels), np.array(found))
    assert assess(val) == assess(on_test(labels, found))


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True])
def test_the_intervals_hold_the_truth_in_95_of_100_simulated_test_sets(clustered: bool) -> None:
    """Calibrated scores of 468 images; the bounds leave room for the chance of 500 sets (3.3 standard errors)."""
    sets = (in_patients(468, seed) if clustered else drawn(468, seed) for seed in range(500))
    found = np.zeros(3)
    for one in map(assess, sets):
        pairs = ((one.slope, 1.0), (one.intercept, 0.0), (one.in_the_large, 0.0))
        found += [low <= truth <= high for (low, high), truth in ((bounds(figure), truth) for figure, truth in pairs)]
    assert (np.abs(found / 500 - 0.95) <= 0.033).all()
