"""A guaranteed threshold: tolerance limits from tables, the binomial distribution, patients, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from benchmark.evidence import Threshold, ValidationScores, choose
from benchmark.evidence.thresholds.choice import choose_with_interval
from benchmark.evidence.thresholds.guarantee import guarantee_at, images_needed, independent_images, lower_bound
from benchmark.evidence.thresholds.rules import get_rule
from tests.perf.guarantees import Guaranteed, tally
from tests.support.records import on_val

WILKS = {1: 59, 2: 93, 3: 124, 4: 153, 5: 181}
"""Images with which the r-th smallest of them is a one-sided 95%/95% tolerance limit (Wilks 1941; tables of nuclear
safety, such as Guba, Makai and Pal 2003)."""


def ordered(positives: int, negatives: int = 400) -> ValidationScores:
    """Images of both classes with distinct scores over the same range, so that each wrong decision pays."""
    y_score = [*np.linspace(0.1002, 0.9002, negatives), *np.linspace(0.1, 0.9, positives)]
    return on_val([0] * negatives + [1] * positives, y_score)


def missed(threshold: Threshold, scores: ValidationScores) -> int:
    assert threshold.value is not None
    return int(np.sum(scores.y_score[scores.y_true == 1] < threshold.value))


@pytest.mark.parametrize(
    ("target", "confidence", "images"),
    [
        (0.9, 0.9, 22),
        (0.9, 0.95, 29),
        (0.95, 0.9, 45),
        (0.95, 0.95, 59),
        (0.95, 0.99, 90),
        (0.99, 0.95, 299),
        (0.5, 0.75, 2),
    ],
)
def test_the_number_of_images_is_that_of_tables(target: float, confidence: float, images: int) -> None:
    """Hahn and Meeker (1991), sample sizes for one-sided distribution-free tolerance bounds."""
    assert images_needed(target, confidence) == images


def test_no_number_of_images_excludes_every_wrong_decision() -> None:
    assert images_needed(1.0, 0.95) is None
    assert "cannot be guaranteed" in str(choose(ordered(80), "sensitivity", 1.0, confidence=0.95).reason)


@pytest.mark.parametrize(("rank", "images"), WILKS.items())
def test_the_threshold_is_below_the_order_statistic_of_the_table(rank: int, images: int) -> None:
    enough, one_less = ordered(images), ordered(images - 1)
    assert missed(choose(enough, "sensitivity", 0.95, confidence=0.95), enough) == rank - 1
    fewer = choose(one_less, "sensitivity", 0.95, confidence=0.95)
    assert fewer.value is None if rank == 1 else missed(fewer, one_less) == rank - 2


@pytest.mark.parametrize("images", [60, 100, 250])
def test_as_many_are_missed_as_the_binomial_distribution_allows(images: int) -> None:
    allowed = int(binom.ppf(0.05, images, 0.05))
    allowed -= binom.cdf(allowed, images, 0.05) > 0.05
    scores = ordered(images)
    assert missed(choose(scores, "sensitivity", 0.95, confidence=0.95), scores) == allowed


@pytest.mark.parametrize(
    ("right", "images", "confidence"), [(59, 59, 0.95), (71, 75, 0.95), (40, 60, 0.9), (0, 9, 0.95)]
)
def test_the_bound_is_that_of_scipy(right: int, images: int, confidence: float) -> None:
    exact = binomtest(right, images, alternative="greater").proportion_ci(confidence, method="exact").low
    assert lower_bound(right, images, confidence) == pytest.approx(exact)


def test_too_few_images_are_named_and_no_threshold_stands_in() -> None:
    threshold = choose_with_interval(ordered(31), "sensitivity", 0.95, confidence=0.95)
    assert threshold == Threshold(
        None,
        "sensitivity",
        "sensitivity at least 0.95 with 95% confidence needs at least 59 positive validation images; there are 31",
    )


def test_images_of_one_patient_count_as_one() -> None:
    scores = ordered(90, 90)
    of_patients = ValidationScores("val", scores.y_true, scores.y_score, tuple(str(i // 3) for i in range(180)))
    assert independent_images(of_patients, 1) == pytest.approx(30)
    reason = choose(of_patients, "sensitivity", 0.95, confidence=0.95).reason
    assert str(reason).endswith("images of different patients; there are 90 of 30 patients, which count as 30")
    threshold = choose(of_patients, "sensitivity", 0.9, confidence=0.95)  # 29 are needed
    assert missed(threshold, of_patients) == 0
    assert threshold.guarantee is not None
    assert (threshold.guarantee.images, threshold.guarantee.patients) == (90, 30)


def test_a_specificity_is_guaranteed_on_negative_images() -> None:
    scores = ordered(400, 93)
    threshold = choose(scores, "specificity", 0.95, confidence=0.95)
    assert threshold.value is not None
    assert np.sum(scores.y_score[scores.y_true == 0] >= threshold.value) == 1
    assert "59 negative validation images; there are 20" in str(
        choose(ordered(400, 20), "specificity", 0.95, confidence=0.95).reason
    )


def test_without_a_confidence_the_record_says_what_validation_supports() -> None:
    scores = ordered(100)
    threshold = choose(scores, "sensitivity", 0.95)
    assert threshold.value is not None
    found = guarantee_at(scores, get_rule("sensitivity"), 0.95, threshold.value)
    assert found == threshold.guarantee
    assert found is not None
    assert (found.confidence, found.share, found.images, found.validation) == (None, 0.95, 100, 500)
    assert found.low == pytest.approx(binomtest(95, 100, alternative="greater").proportion_ci(0.95, "exact").low)
    assert choose(scores, "youden").guarantee is None


@pytest.mark.parametrize(
    ("rule", "confidence"), [("youden", 0.95), ("cost", 0.9), ("sensitivity", 1.0), ("sensitivity", 0.4)]
)
def test_a_confidence_that_a_rule_does_not_take_is_refused(rule: str, confidence: float) -> None:
    with pytest.raises(ValueError, match=f"rule {rule} takes (no|a) confidence"):
        choose(ordered(80), rule, {"cost": 5.0, "sensitivity": 0.9}.get(rule), confidence=confidence)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_guarantee_never_raises_the_threshold(data: st.DataObject) -> None:
    labels = data.draw(st.lists(st.integers(0, 1), min_size=30, max_size=90))
    levels = data.draw(st.lists(st.integers(1, 99), min_size=len(labels), max_size=len(labels)))
    scores = ValidationScores("val", [0, 1, *labels], np.array([1, 99, *levels]) / 100)
    target = data.draw(st.sampled_from([0.5, 0.7, 0.8, 0.9]))
    confidence = data.draw(st.sampled_from([0.5, 0.8, 0.95]))
    plain, sure = (choose(scores, "sensitivity", target, confidence=each) for each in (None, confidence))
    if sure.value is not None:
        assert plain.value is not None
        assert sure.value <= plain.value
        assert sure.guarantee is not None
        assert sure.guarantee.low >= target - 1e-9


@pytest.mark.slow
def test_the_guarantee_holds_in_simulated_validation_sets() -> None:
    """95% of the sets reach the target, three standard errors of 300 sets allowed; without a confidence about half."""
    for world in (Guaranteed("independent", 93), Guaranteed("patients", 60, (3,), within=0.9)):
        found = tally(world, 300)
        assert found.sets == 300
        assert found.guaranteed >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)
        assert found.plain < 0.7
