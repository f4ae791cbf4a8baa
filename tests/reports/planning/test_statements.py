"""The plan for a statement says what the verdict on each of its parts comes out as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from benchmark.evidence.planning.noise import Noise
from reports.planning.model import ClaimPlan, Experiment
from reports.planning.plan import plan_claims
from tests.support.judging import claims_about

A, B = "attempt-5", "attempt-6a"


def planned(folder: Path, says: dict[str, Any], seeds: int = 1, difference: float = 0.1, sets: int = 300) -> ClaimPlan:
    claims = claims_about(folder, says=[says])
    experiment = Experiment({"negatives": 100, "positives": 100}, Noise(seeds), "fixed", difference, 0.8, sets)
    return plan_claims(claims, experiment).claims[-1]


def test_a_bound_has_the_power_of_the_exact_binomial(tmp_path: Path) -> None:
    plan = planned(tmp_path, {"at_least": {"card": A, "metric": "recall", "value": 0.8}})
    holds = [k for k in range(101) if proportion_confint(k, 100, method="wilson")[0] > 0.8]
    assert plan.power == pytest.approx(binom.sf(min(holds) - 1, 100, 0.9), abs=0.08)
    assert plan.if_true == "recall 0.9"
    assert plan.attainable is not None
    assert binom.sf(min(holds) - 1, 100, 0.8 + plan.attainable) == pytest.approx(0.8, abs=0.1)


def test_a_bound_without_room_is_tried_at_half_the_room(tmp_path: Path) -> None:
    plan = planned(tmp_path, {"at_least": {"card": A, "metric": "accuracy", "value": 0.95}}, sets=40)
    assert plan.if_true == "accuracy 0.975"


def test_equal_cards_are_found_within_a_margin_that_is_wide_enough(tmp_path: Path) -> None:
    plans = [
        planned(tmp_path / str(margin), {"equivalent": {"a": A, "b": B, "metric": "auc", "within": margin}}, sets=40)
        for margin in (0.05, 0.3)
    ]
    assert [plan.power for plan in plans] == [0, 1]
    assert plans[0].attainable == plans[1].attainable
    assert 0.05 < (plans[0].attainable or 0) < 0.2


def test_cards_that_are_equal_never_show_that_one_is_not_better_at_all(tmp_path: Path) -> None:
    plan = planned(tmp_path, {"not_superior": {"a": A, "b": B, "metric": "recall"}}, sets=60)
    assert (plan.power or 0) < 0.1
    assert plan.note is not None
    assert plan.note.startswith("no number of images")


def test_a_diagnosis_is_supported_by_one_seed_and_ruled_out_by_five(tmp_path: Path) -> None:
    says = {"diagnosis": {"card": A, "finding": ["overfitting"]}}
    one, five = planned(tmp_path / "one", says), planned(tmp_path / "five", says, seeds=5)
    assert (one.power, one.power_to_differ) == (1, 0)
    assert one.note == "differs only if 5 trainings or more were run"
    assert (five.power, five.power_to_differ, five.note) == (1, 1, None)


@pytest.mark.parametrize(
    ("says", "note"),
    [
        ({"threshold_matters": {"card": A, "metric": "recall"}}, "the threshold that validation chooses"),
        ({"at_least": {"card": A, "metric": "auc", "value": 0.8, "split": "val"}}, "plans are for test figures"),
        ({"at_most": {"card": A, "metric": "log_loss", "value": 0.8}}, "distribution of the scores"),
        ({"at_least": {"card": A, "metric": "recall", "average": "macro", "value": 0.8}}, "three classes or more"),
    ],
)
def test_what_cannot_be_planned_says_why(tmp_path: Path, says: dict[str, Any], note: str) -> None:
    plan = planned(tmp_path, says)
    assert plan.power is None
    assert plan.note is not None
    assert note in plan.note
