"""Intervals of thresholds that rest on an inverted test, against the same test from another source."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

import benchmark.evidence.thresholds.intervals as module
from benchmark.evidence import ValidationScores
from benchmark.evidence.thresholds.choice import choose_with_interval
from tests.support.records import on_val, planted

RULES = [("sensitivity", 0.9), ("specificity", 0.8), ("prevalence", None), ("cost", 5.0), ("cost", 0.2)]


def val_of(count: int, seed: int = 0) -> ValidationScores:
    return on_val(*planted(count, count, seed=seed))


def gaps(scores: ValidationScores) -> Iterator[tuple[float, float, np.ndarray]]:
    """The thresholds from above `low` to `high` that call the same images positive, and which these are."""
    ends = [0.0, *np.unique(scores.y_score), 1.0]
    for low, high in itertools.pairwise(ends):
        yield float(low), float(high), scores.y_score >= high


def hull(kept: list[tuple[float, float]]) -> tuple[float, float]:
    return kept[0][0], kept[-1][1]


def bounds(scores: ValidationScores, rule: str, value: float | None) -> tuple[float | None, float | None]:
    found = choose_with_interval(scores, rule, value)
    return found.low, found.high


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("rule", "label"), [("sensitivity", 1), ("specificity", 0)])
@pytest.mark.parametrize("target", [0.7, 0.9, 0.98])
def test_a_target_share_has_the_thresholds_whose_wilson_interval_holds_it(
    rule: str, label: int, target: float, seed: int
) -> None:
    val, kept = val_of(40, seed), []
    for low, high, called in gaps(val):
        right = int((called[val.y_true == label] == bool(label)).sum())
        ends = proportion_confint(right, 40, method="wilson")
        if ends[0] <= target <= ends[1]:
            kept.append((low, high))
    assert bounds(val, rule, target) == pytest.approx(hull(kept))


@pytest.mark.parametrize("seed", range(3))
def test_matched_prevalence_has_the_thresholds_that_mcnemar_leaves(seed: int) -> None:
    val, kept = val_of(40, seed), []
    for low, high, called in gaps(val):
        false, missed = int((called & (val.y_true == 0)).sum()), int((~called & (val.y_true == 1)).sum())
        if false == missed or mcnemar([[0, false], [missed, 0]], exact=False, correction=False).pvalue >= 0.05:
            kept.append((low, high))
    assert bounds(val, "prevalence", None) == pytest.approx(hull(kept))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ratio", [0.2, 1.0, 5.0, 20.0])
def test_a_cost_has_the_thresholds_that_no_window_beside_them_speaks_against(ratio: float, seed: int) -> None:
    val = val_of(25, seed)
    labels = val.y_true[np.argsort(val.y_score)]
    ends = [0.0, *np.sort(val.y_score), 1.0]
    assert len(set(ends)) == len(ends)
    share, kept = 1 / (1 + ratio), []
    for cut in range(51):
        above = [labels[cut:end] for end in range(cut + 1, 51)]
        below = [labels[start:cut] for start in range(cut)]
        too_few = [binom.cdf(w.sum(), len(w), share) - binom.pmf(w.sum(), len(w), share) / 2 for w in above]
        too_many = [binom.sf(w.sum(), len(w), share) + binom.pmf(w.sum(), len(w), share) / 2 for w in below]
        if min([*too_few, *too_many]) >= 0.05:
            kept.append((ends[cut], ends[cut + 1]))
    assert bounds(val, "cost", ratio) == pytest.approx(hull(kept))


@pytest.mark.parametrize(("rule", "value"), RULES)
def test_the_choice_lies_within(rule: str, value: float | None) -> None:
    for seed in range(10):
        found = choose_with_interval(val_of(30, seed), rule, value)
        assert found.low is not None
        assert found.value is not None
        assert found.high is not None
        assert found.low <= found.value <= found.high


def test_two_equal_images_of_each_patient_say_what_one_says() -> None:
    one = val_of(40)
    names = tuple(str(image) for image in range(80)) * 2
    twice = ValidationScores("val", np.tile(one.y_true, 2), np.tile(one.y_score, 2), names)
    assert bounds(twice, "cost", 5.0) == bounds(one, "cost", 5.0)
    for rule, value in RULES:
        low, high = bounds(twice, rule, value)
        alone = bounds(one, rule, value)
        assert low is not None
        assert high is not None
        assert alone[0] is not None
        assert alone[1] is not None
        assert low <= alone[0]
        assert high >= alone[1]


@pytest.mark.parametrize(("rule", "value"), RULES)
def test_looking_at_fewer_cuts_never_makes_an_interval_narrower(
    rule: str, value: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    val = val_of(150)
    fine = bounds(val, rule, value)
    monkeypatch.setattr(module, "CANDIDATES", 60)
    coarse = bounds(val, rule, value)
    assert None not in (*fine, *coarse)
    assert coarse[0] <= fine[0] < fine[1] <= coarse[1]  # type: ignore[operator]
    assert coarse[1] - coarse[0] < fine[1] - fine[0] + 0.1  # type: ignore[operator]


def test_few_images_leave_a_high_target_open_to_the_end_of_the_scale() -> None:
    assert bounds(val_of(12), "sensitivity", 0.99)[0] == 0.0
    assert bounds(val_of(12), "specificity", 0.99)[1] == 1.0
    assert bounds(val_of(12), "cost", 50.0)[0] == 0.0


@pytest.mark.parametrize(("rule", "value"), RULES)
@pytest.mark.parametrize(("top", "patients"), [(0.99, 0), (1.0, 0), (0.99, 30)], ids=["plain", "saturated", "patients"])
@pytest.mark.parametrize("steps", [4, 10, 1000])
def test_the_choice_lies_within_whatever_the_ties(
    rule: str, value: float | None, top: float, patients: int, steps: int
) -> None:
    for seed in range(15):
        random = np.random.default_rng(seed)
        y_true = (np.arange(120) < random.integers(4, 110)).astype(int)
        drawn = np.round(random.normal(2.5 * y_true, 1.2) * steps / 4) / steps
        names = tuple(str(name) for name in random.integers(0, patients, 120)) if patients else None
        val = ValidationScores("val", y_true, np.clip(drawn, 0, top), names)
        found = choose_with_interval(val, rule, value)
        if found.value is not None:
            assert found.low is not None
            assert found.high is not None
            assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_interval_reaches_from_the_choice_in_a_gap_to_the_scores_that_miss_the_target() -> None:
    """Nothing lies between the classes: specificity alone puts the threshold into the gap."""
    scores = [*np.linspace(0.01, 0.2, 100), *np.linspace(0.8, 0.99, 100)]
    found = choose_with_interval(on_val([0] * 100 + [1] * 100, scores), "sensitivity", 0.9)
    assert found.value == pytest.approx(0.5)
    assert found.low == pytest.approx(0.2)
    assert found.high is not None
    assert 0.8 < found.high < 0.85


def test_shares_that_jump_over_the_target_leave_the_threshold_before_the_jump() -> None:
    labels = [1] * 100 + [0] * 100
    scores = [0.2] * 3 + [0.4] * 40 + [0.6] * 57 + [0.2] * 70 + [0.4] * 10 + [0.6] * 20
    assert bounds(on_val(labels, scores), "sensitivity", 0.9) == pytest.approx((0.2, 0.4))
    mirrored = on_val([1 - label for label in labels], [1 - score for score in scores])
    assert bounds(mirrored, "specificity", 0.9) == pytest.approx((0.6, 0.8))


def test_a_jump_to_a_share_that_may_reach_the_target_leaves_both_thresholds() -> None:
    """Recall .99, .88, .40: the second may be .9 on images without end, or the first is the choice."""
    labels = [1] * 100 + [0] * 100
    scores = [0.2] * 1 + [0.4] * 11 + [0.6] * 48 + [0.8] * 40 + [0.1] * 20 + [0.2] * 20 + [0.5] * 60
    assert bounds(on_val(labels, scores), "sensitivity", 0.9) == pytest.approx((0.2, 0.6))


def test_numbers_that_are_nowhere_equal_leave_the_thresholds_beside_the_jump() -> None:
    val = on_val([1] * 60 + [0] * 140, [0.2] * 20 + [0.8] * 40 + [0.2] * 10 + [0.8] * 130)
    assert bounds(val, "prevalence", None) == pytest.approx((0.2, 1.0))


def test_scores_of_one_are_above_every_threshold() -> None:
    labels, scores = [0] * 20 + [1] * 10, [0.2] * 10 + [1.0] * 10 + [0.5] * 5 + [1.0] * 5
    found = choose_with_interval(on_val(labels, scores), "cost", 0.2)
    assert found.value is not None
    assert (found.low, found.high) == pytest.approx((0.2, 1.0))


@pytest.mark.parametrize(("rule", "value"), [("prevalence", None), ("sensitivity", 0.95), ("cost", 5.0)])
def test_a_choice_between_the_cuts_that_are_looked_at_has_its_interval(rule: str, value: float | None) -> None:
    scores = [*np.linspace(0.01, 0.2, 9900), *np.linspace(0.8, 0.99, 100)]
    found = choose_with_interval(on_val([0] * 9900 + [1] * 100, scores), rule, value)
    assert found.low is not None
    assert found.value is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high
    assert found.high - found.low < 0.7


@pytest.mark.parametrize("patients", [False, True])
def test_youden_s_threshold_with_few_positives_has_the_interval_of_the_same_cost(patients: bool) -> None:
    """Both rules have one optimum if a missed positive costs as much as the negatives per positive."""
    y_true, y_score = planted(90, 10, shift=1.8, seed=3)
    owners = tuple(str(k // 2) for k in range(100)) if patients else None
    scores = ValidationScores("val", np.array(y_true), np.array(y_score), owners)
    youden, cost = choose_with_interval(scores, "youden"), choose_with_interval(scores, "cost", 9.0)
    assert youden.value == cost.value
    assert youden.bounds == cost.bounds
    assert youden.bounds is not None


def test_youden_s_threshold_with_many_positives_has_the_interval_of_resamples() -> None:
    y_true, y_score = planted(60, 60, shift=1.8, seed=3)
    scores = ValidationScores("val", np.array(y_true), np.array(y_score))
    first, second = (choose_with_interval(scores, "youden", replicates=100, seed=seed) for seed in (1, 2))
    cost = choose_with_interval(scores, "cost", 1.0)
    assert first.value == second.value == cost.value
    assert len({first.bounds, second.bounds, cost.bounds}) == 3
