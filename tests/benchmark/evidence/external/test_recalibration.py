"""Recalibration on a part: by patient, as statsmodels fits it, and closed to everything but a part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from benchmark.evidence.calibration.calibrators import Calibrator, logit
from benchmark.evidence.calibration.reliability import assess
from benchmark.evidence.external.recalibration import Division, divide, recalibrated
from benchmark.evidence.scores import MulticlassValidationScores, TestScores, ValidationScores
from benchmark.evidence.thresholds.choice import choose
from tests.support.multiclass_scores import drawn_scores


def shifted(n: int = 1200, *, slope: float = 0.5, intercept: float = -1.0, each: int = 2) -> TestScores:
    """Probabilities whose logit has this slope and intercept; `each` images per patient."""
    generator = np.random.default_rng(3)
    hidden = generator.normal(0, 1.5, n)
    label = (generator.random(n) < 1 / (1 + np.exp(-(intercept + slope * hidden)))).astype(np.int64)
    return TestScores("test", label, 1 / (1 + np.exp(-hidden)), tuple(f"p{place // each}" for place in range(n)))


def names(scores: TestScores) -> tuple[str, ...]:
    return tuple(f"i{place}" for place in range(len(scores)))


def division_of(scores: TestScores, share: float = 0.5, seed: int = 0) -> Division:
    division = divide(scores, names(scores), share, seed)
    assert isinstance(division, Division)
    return division


def test_no_patient_is_in_both_parts_and_each_has_its_share_of_both_classes() -> None:
    scores = shifted()
    division = division_of(scores, 0.3)
    assert set(division.part.patient or ()).isdisjoint(division.rest.patient or ())
    assert len(division.part) + len(division.rest) == len(scores)
    assert len(set(division.part.patient or ())) == pytest.approx(0.3 * 600, abs=1)
    assert division.part.y_true.mean() == pytest.approx(scores.y_true.mean(), abs=0.05)


def test_the_division_depends_on_the_seed_and_not_on_the_order() -> None:
    scores = shifted(200)
    order = np.random.default_rng(0).permutation(200)
    patient = tuple(np.array(scores.patient)[order].tolist())
    again = replace(scores, y_true=scores.y_true[order], y_score=scores.y_score[order], patient=patient)
    same = division_of(again)
    assert set(same.part.patient or ()) == set(division_of(scores).part.patient or ())
    assert set(division_of(scores, seed=1).part.patient or ()) != set(same.part.patient or ())


def test_the_refit_is_that_of_statsmodels_and_helps_on_the_rest() -> None:
    division = division_of(shifted())
    calibrator = recalibrated(division.part)
    design = np.column_stack([logit(division.part.y_score), np.ones(len(division.part))])
    model = sm.GLM(division.part.y_true, design, family=sm.families.Binomial()).fit()
    assert isinstance(calibrator, Calibrator)
    assert calibrator.parameters == pytest.approx(tuple(model.params), abs=1e-6)
    assert isinstance(division.rest, TestScores)
    before, after = assess(division.rest), assess(calibrator.apply(division.rest))
    assert before.slope.high is not None
    assert before.slope.high < 1
    assert before.in_the_large.high is not None
    assert before.in_the_large.high < 0
    assert after.brier < before.brier
    for figure, aim in ((after.slope, 1), (after.in_the_large, 0)):
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low < aim < figure.high


def test_calibration_in_the_large_and_slope_are_those_of_statsmodels() -> None:
    scores = shifted(each=1)
    x = logit(scores.y_score)
    binomial = sm.families.Binomial()
    large = sm.GLM(scores.y_true, np.ones(len(x)), family=binomial, offset=x).fit()
    slope = sm.GLM(scores.y_true, np.column_stack([x, np.ones(len(x))]), family=binomial).fit()
    assessed = assess(scores)
    assert assessed.in_the_large.bounds == pytest.approx(tuple(large.conf_int()[0]), abs=1e-6)
    assert assessed.slope.bounds == pytest.approx(tuple(slope.conf_int()[0]), abs=1e-6)


def test_scores_from_elsewhere_choose_nothing_unless_they_are_given_up() -> None:
    scores = shifted(100)
    with pytest.raises(TypeError, match="chosen on ValidationScores"):
        choose(scores)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="part that was set aside"):
        recalibrated(scores)  # type: ignore[arg-type]
    part = ValidationScores("val", scores.y_true, scores.y_score)
    with pytest.raises(TypeError, match="images from elsewhere are TestScores"):
        divide(part, names(scores), 0.5, 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not between 0 and 1"):
        divide(scores, names(scores), 1.0, 0)


def test_what_cannot_be_recalibrated_has_a_reason() -> None:
    few = TestScores("test", np.array([0, 0, 0, 1]), np.array([0.1, 0.2, 0.3, 0.9]), ("a", "b", "c", "d"))
    assert divide(few, ("1", "2", "3", "4"), 0.5, 0) == (
        "too few patients for a part with every class beside a rest with every class"
    )
    wrong = ValidationScores("val", np.array([0, 1, 0, 1]), np.array([0.9, 0.1, 0.2, 0.3]))
    assert recalibrated(wrong).reason == "probabilities are not higher for positives here"
    separate = ValidationScores("val", np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]))
    assert "separate the classes" in (recalibrated(separate).reason or "")


def test_three_classes_are_divided_and_refitted_per_class() -> None:
    scores = drawn_scores(1, n=300, images_per_patient=2)
    division = divide(scores, tuple(map(str, range(300))), 0.5, 0)
    assert isinstance(division, Division)
    assert isinstance(division.part, MulticlassValidationScores)
    assert division.part.ordered
    calibrator = recalibrated(division.part)
    assert calibrator.method == "vector"
    assert calibrator.accepted or calibrator.reason
