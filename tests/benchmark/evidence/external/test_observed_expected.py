"""Observed over expected against a Poisson regression of statsmodels, shares against its Wilson intervals."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import t
from statsmodels.stats.proportion import proportion_confint

from benchmark.evidence.external.observed_expected import observed_expected, share_of
from benchmark.evidence.scores import TestScores


def drawn(patients: int, each: int, *, seed: int = 0) -> TestScores:
    """Labels that are half as frequent as their scores, `each` per patient, correlated within a patient."""
    generator = np.random.default_rng(seed)
    hidden = np.repeat(generator.normal(size=patients), each) + generator.normal(size=patients * each)
    score = 1 / (1 + np.exp(-hidden))
    label = (generator.random(len(score)) < score / 2).astype(np.int64)
    names = None if each == 1 else tuple(f"p{place // each}" for place in range(len(score)))
    return TestScores("test", label, score, names)


@pytest.mark.parametrize("each", [1, 3])
def test_the_ratio_and_its_interval_are_those_of_a_robust_poisson_regression(each: int) -> None:
    scores = drawn(60, each)
    groups = np.arange(len(scores)) // each
    model = sm.GLM(
        scores.y_true, np.ones(len(scores)), family=sm.families.Poisson(), offset=np.log(scores.y_score)
    ).fit(cov_type="cluster", cov_kwds={"groups": groups})
    with_positive = len(set(groups[scores.y_true == 1].tolist()))
    half = t.ppf(0.975, with_positive - 1) * model.bse[0]
    figure = observed_expected(scores)
    assert figure.value == pytest.approx(np.exp(model.params[0]))
    assert figure.bounds == pytest.approx(tuple(np.exp(model.params[0] + np.array([-half, half]))), rel=1e-6)
    assert (figure.method or "").endswith("by patient") == (each > 1)


def test_what_is_not_defined_has_a_reason() -> None:
    none = TestScores("test", np.array([0, 0]), np.array([0.2, 0.4]))
    assert observed_expected(none).value == 0
    assert observed_expected(none).reason == "an interval needs two positive images"
    certain = TestScores("test", np.array([0, 1]), np.zeros(2))
    assert observed_expected(certain).value is None
    one_patient = share_of("unlike", np.array([True, False]), ("a", "a"))
    assert one_patient.value == 0.5
    assert one_patient.bounds is None
    assert one_patient.reason is not None


def test_a_share_of_independent_images_has_wilson_s_interval() -> None:
    member = np.array([True] * 7 + [False] * 43)
    assert share_of("unlike", member, None).bounds == pytest.approx(proportion_confint(7, 50, method="wilson"))
    whole_patients = share_of("unlike", np.repeat(member, 4), tuple(f"p{place // 4}" for place in range(200)))
    low, high = whole_patients.bounds or (0.5, 0.5)
    assert high - low > 1.9 * np.diff(proportion_confint(28, 200, method="wilson"))[0]
