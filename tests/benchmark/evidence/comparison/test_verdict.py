"""An interval against a margin: a claim holds, does not hold, or is undetermined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from benchmark.evidence.comparison.verdict import (
    Decision,
    above,
    all_hold,
    any_holds,
    below,
    of_one_training,
    present,
    within,
)
from benchmark.evidence.estimate import SampleEstimate


def estimate(value: float, half: float, n: int = 100) -> SampleEstimate:
    return SampleEstimate(value, value - half, value + half, n)


@pytest.mark.parametrize(
    ("value", "half", "verdict"),
    [
        (0.01, 0.03, "reproduced"),
        (0.0, 0.05, "reproduced"),
        (0.03, 0.04, "inconclusive"),
        (0.10, 0.06, "inconclusive"),
        (0.10, 0.04, "differs"),
        (-0.10, 0.04, "differs"),
        (0.0, 0.4, "inconclusive"),
    ],
)
def test_a_difference_is_judged_by_where_its_interval_lies(value: float, half: float, verdict: str) -> None:
    assert within(estimate(value, half), 0.05).verdict == verdict


@pytest.mark.parametrize(
    ("value", "half", "verdict"), [(0.95, 0.02, "reproduced"), (0.91, 0.02, "inconclusive"), (0.8, 0.05, "differs")]
)
def test_a_figure_is_judged_against_a_bound(value: float, half: float, verdict: str) -> None:
    assert above(estimate(value, half), 0.9).verdict == verdict
    opposite = {"reproduced": "differs", "differs": "reproduced"}.get(verdict, verdict)
    assert below(estimate(value, half), 0.9).verdict == opposite


@given(st.floats(-1, 1), st.floats(0.001, 1), st.floats(0, 0.5))
def test_the_sign_of_a_difference_does_not_matter_to_alike(value: float, half: float, margin: float) -> None:
    assert within(estimate(value, half), margin).verdict == within(estimate(-value, half), margin).verdict


@given(st.floats(-0.5, 0.5), st.floats(0.001, 0.5), st.floats(0, 0.5))
def test_a_narrower_interval_never_reverses_a_verdict(value: float, half: float, margin: float) -> None:
    wide, narrow = within(estimate(value, half), margin), within(estimate(value, half / 2), margin)
    assert {wide.verdict, narrow.verdict} != {"reproduced", "differs"}


@given(st.floats(-0.2, 0.2), st.floats(0.02, 0.3))
def test_the_number_of_images_needed_would_decide(value: float, half: float) -> None:
    decision = within(estimate(value, half, n=200), 0.05)
    if decision.needed is not None:
        assert decision.needed > 200
        later = half * (200 / decision.needed) ** 0.5
        assert within(estimate(value, later * 0.999, n=decision.needed), 0.05).verdict != "inconclusive"


def test_on_the_margin_itself_no_number_of_images_decides() -> None:
    assert within(estimate(0.05, 0.02), 0.05).needed is None


def test_without_an_interval_the_verdict_is_inconclusive_with_the_reason_of_the_estimate() -> None:
    decision = within(SampleEstimate(0.1, None, None, 20, "one class is missing"), 0.05)
    assert decision == Decision("inconclusive", "one class is missing")


def test_a_negative_margin_and_an_interval_upside_down_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        within(estimate(0, 0.1), -0.1)
    with pytest.raises(ValueError, match="upside down"):
        SampleEstimate(0.5, 0.6, 0.4, 10)


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [
        ([True, True], "reproduced"),
        ([False], "inconclusive"),
        ([False] * 4, "inconclusive"),
        ([False] * 5, "differs"),
        ([True] + [False] * 9, "differs"),
        ([True] * 9 + [False], "reproduced"),
        ([True, False, True], "inconclusive"),
        ([None, False], "inconclusive"),
        ([None, True], "inconclusive"),
        ([], "not run"),
    ],
)
def test_a_finding_is_judged_by_the_exact_interval_of_its_share(runs: list[bool | None], verdict: str) -> None:
    assert present(runs, "single-class collapse").verdict == verdict


def test_one_run_is_enough_where_every_seed_is_alike() -> None:
    assert present([False], "single-class collapse", every_seed_alike=True).verdict == "differs"
    assert present([True], "single-class collapse", every_seed_alike=True).verdict == "reproduced"


def test_no_run_of_three_leaves_a_share_of_63_percent() -> None:
    decision = present([False] * 3, "collapse")
    assert decision.reason == "collapse in 0 of 3 runs; the share of trainings is between 0% and 63%"


@pytest.mark.parametrize("decision", [Decision("reproduced", "yes"), Decision("inconclusive", "open", 500)])
def test_one_training_supports_a_claim_and_leaves_open_what_was_open(decision: Decision) -> None:
    assert of_one_training(decision) == decision


def test_one_training_contradicts_nothing_and_keeps_the_reason() -> None:
    decision = of_one_training(Decision("differs", "the interval lies outside"))
    assert (decision.verdict, decision.one_training) == ("inconclusive", True)
    assert decision.reason.startswith("one training cannot contradict")
    assert decision.reason.endswith("the interval lies outside")
    assert all_hold([YES, decision]).one_training
    assert not all_hold([NO, decision]).one_training
    assert any_holds([NO, decision]).one_training


YES, NO, OPEN, UNRUN = (
    Decision("reproduced", "yes"),
    Decision("differs", "no"),
    Decision("inconclusive", "open", 500),
    Decision("not run", "unrun"),
)


@pytest.mark.parametrize(
    ("parts", "every", "some"),
    [
        ([YES, YES], "reproduced", "reproduced"),
        ([YES, NO], "differs", "reproduced"),
        ([NO, NO], "differs", "differs"),
        ([YES, OPEN], "inconclusive", "reproduced"),
        ([NO, OPEN], "differs", "inconclusive"),
        ([YES, UNRUN], "not run", "reproduced"),
        ([NO, UNRUN], "differs", "not run"),
    ],
)
def test_parts_are_combined_as_in_three_valued_logic(parts: list[Decision], every: str, some: str) -> None:
    assert all_hold(parts).verdict == every
    assert any_holds(parts).verdict == some


def test_a_combination_names_what_decided_and_needs_what_its_largest_part_needs() -> None:
    assert all_hold([YES, NO]).reason == "no"
    assert all_hold([OPEN, Decision("inconclusive", "wider", 900)]).needed == 900
    assert all_hold([OPEN, Decision("inconclusive", "never", None)]).needed is None
    assert all_hold([YES, NO]).needed is None


def test_a_statement_without_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one part"):
        all_hold([])


@pytest.mark.parametrize("truth", [0.0, 0.02, 0.08, 0.15])
def test_planted_truths_are_rarely_judged_wrongly(truth: float) -> None:
    """With a correct 95% interval and a truth off the margin, at most 5% of the verdicts that decide are wrong."""
    error, margin = 0.02, 0.05
    half = float(norm.ppf(0.975)) * error
    differences = np.random.default_rng(0).normal(truth, error, 4000)
    verdicts = [within(SampleEstimate(x, x - half, x + half, 468), margin).verdict for x in differences]
    right = "reproduced" if truth <= margin else "differs"
    decided = [verdict for verdict in verdicts if verdict != "inconclusive"]
    assert sum(verdict != right for verdict in decided) <= 0.05 * len(differences)
    if decided:
        assert sum(verdict == right for verdict in decided) >= 0.95 * len(decided)
