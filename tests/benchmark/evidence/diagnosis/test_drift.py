"""A batch against validation: the tests are SciPy's, the level is kept, and what cannot be tested says why."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmark.evidence.diagnosis.drift import (
    LEVEL,
    MOST_SCORES,
    UNDECIDED,
    BatchReference,
    batch_reference,
    compare_batch,
)

TWO, THREE = ("HEALTHY", "ILL"), ("A", "B", "C")


def draw(images: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Scores of a positive class, half of the images of each class."""
    generator = np.random.default_rng(seed)
    return 1 / (1 + np.exp(-generator.normal(2 * (np.arange(images) % 2) - 1 + shift, 1.5)))


def called(scores: np.ndarray, classes: tuple[str, ...] = TWO) -> list[str | None]:
    if scores.ndim == 1:
        return [classes[int(score >= 0.5)] for score in scores]
    return [classes[label] for label in scores.argmax(axis=1)]


def validation(images: int = 120) -> BatchReference:
    scores = draw(images, 0)
    return batch_reference(scores, np.arange(images) % 2, called(scores), TWO)


def shares(images: int, seed: int) -> np.ndarray:
    """Scores of three classes."""
    return np.random.default_rng(seed).dirichlet([1, 1, 1], images)


def test_two_classes_are_compared_by_the_tests_of_scipy() -> None:
    batch = draw(40, 1, shift=0.8)
    drift = compare_batch(validation(), batch, called(batch))
    expected = stats.ks_2samp(batch, draw(120, 0))
    assert drift.scores_p == pytest.approx(expected.pvalue)
    assert drift.distance == pytest.approx(expected.statistic)
    of_batch, of_validation = (sum(each == "ILL" for each in called(x)) for x in (batch, draw(120, 0)))
    fisher = stats.fisher_exact([[of_batch, 40 - of_batch], [of_validation, 120 - of_validation]]).pvalue
    assert drift.decisions_p == pytest.approx(fisher, abs=0.02)
    assert drift.shares is not None
    assert drift.shares["HEALTHY"] == pytest.approx((1 - of_batch / 40, 1 - of_validation / 120))
    assert drift.shares["ILL"] == (of_batch / 40, of_validation / 120)


def test_the_distance_that_would_not_be_noticed_is_where_the_asymptotic_test_reports_nothing() -> None:
    drift = compare_batch(validation(), draw(40, 1), called(draw(40, 1)))
    effective = 40 * 120 / 160
    assert stats.kstwobign.sf(drift.noticeable * np.sqrt(effective)) == pytest.approx(LEVEL / 2, rel=0.01)


def test_several_classes_have_one_test_each_corrected_for_their_number() -> None:
    val, batch = shares(100, 0), shares(60, 1)
    batch[:, 0] **= 0.2
    batch /= batch.sum(axis=1, keepdims=True)
    reference = batch_reference(val, np.arange(100) % 3, called(val, THREE), THREE)
    drift = compare_batch(reference, batch, called(batch, THREE))
    p_values = [stats.ks_2samp(batch[:, label], val[:, label]).pvalue for label in range(3)]
    assert drift.scores_p == pytest.approx(min(1, 3 * min(p_values)))
    assert drift.scores_class == THREE[int(np.argmin(p_values))]
    assert drift.differs
    counts = [[called(x, THREE).count(name) for name in THREE] for x in (batch, val)]
    asymptotic = stats.chi2_contingency(counts, correction=False).pvalue
    assert drift.decisions_p == pytest.approx(asymptotic, abs=0.02)


def test_batches_like_validation_differ_as_rarely_as_stated() -> None:
    batches = [draw(50, seed) for seed in range(1, 151)]
    # A new validation for each: the statement is about both.
    differing = 0
    for number, batch in enumerate(batches):
        scores = draw(80, 10_000 + number)
        reference = batch_reference(scores, np.arange(80) % 2, called(scores), TWO)
        differing += bool(compare_batch(reference, batch, called(batch)).differs)
    assert stats.binomtest(differing, 150, LEVEL, alternative="greater").pvalue > 0.001


def test_a_shift_is_noticed_and_says_what_else_may_cause_it() -> None:
    batch = draw(60, 1, shift=3.0)
    drift = compare_batch(validation(), batch, called(batch))
    assert drift.differs
    assert drift.line().startswith("60 images: unlike validation; scores of ILL: p below 0.001, distance ")
    assert drift.line().endswith("Other shares of the true classes alone cause such a difference")
    alike = compare_batch(validation(), draw(60, 1), called(draw(60, 1)))
    assert alike.line().startswith("60 images: no difference from validation noticed; scores of ILL: p 0.")
    assert "would not be noticed" in alike.line()


@pytest.mark.parametrize(
    ("of_batch", "of_validation", "reason"),
    [(19, 120, "at least 20 images"), (40, 19, "at least 20 validation images")],
)
def test_too_few_images_are_not_compared(of_batch: int, of_validation: int, reason: str) -> None:
    drift = compare_batch(validation(of_validation), draw(of_batch, 1), called(draw(of_batch, 1)))
    assert (drift.differs, drift.scores_p, drift.decisions_p) == (None, None, None)
    assert reason in drift.line()
    assert compare_batch(validation(), np.array([]), []).differs is None


def test_scores_that_are_no_numbers_are_left_out() -> None:
    batch = np.concatenate([draw(40, 1), [np.nan, np.inf]])
    drift = compare_batch(validation(), batch, [*called(draw(40, 1)), None, None])
    assert drift == compare_batch(validation(), draw(40, 1), called(draw(40, 1)))


def test_without_decisions_only_scores_are_compared() -> None:
    reference = batch_reference(draw(120, 0), np.arange(120) % 2, None, TWO)
    drift = compare_batch(reference, draw(40, 1), [None] * 40)
    assert (drift.decisions_p, drift.shares) == (None, None)
    assert "decisions" not in drift.line()


def test_images_without_a_class_and_batches_of_one_class_are_counted() -> None:
    val = shares(100, 0)
    decisions = [None if number < 10 else name for number, name in enumerate(called(val, THREE))]
    reference = batch_reference(val, np.arange(100) % 3, decisions, THREE)
    assert reference.decisions is not None
    assert reference.decisions[UNDECIDED] == 10
    drift = compare_batch(reference, shares(40, 1), [None] * 40)
    assert drift.shares is not None
    assert drift.shares[UNDECIDED] == (1.0, 0.1)
    assert drift.differs
    one = batch_reference(draw(50, 0), np.ones(50, dtype=np.int64), ["ILL"] * 50, TWO)
    assert compare_batch(one, draw(40, 1), ["ILL"] * 40).decisions_p == 1.0


def test_many_validation_scores_are_thinned_over_their_order() -> None:
    scores = draw(5000, 0)
    kept = batch_reference(scores, np.arange(5000) % 2, None, TWO).scores["ILL"]
    assert len(kept) == MOST_SCORES
    assert (kept[0], kept[-1]) == (scores.min(), scores.max())
    assert stats.ks_2samp(kept, scores).statistic < 0.002
