"""The plan for a statement says what the verdict on each of its parts comes out as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from benchmark.evidence.intervals.formulas import wilson
from benchmark.evidence.planning.noise import Noise
from reports.audit.audit import audit
from reports.planning.model import ClaimPlan, Experiment
from reports.planning.plan import plan_claims
from reports.planning.statements import statement_plans
from tests.support.claims import claims_of, contents, figure, row
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
    assert plan.if_true == "an assumed recall of 0.9"
    assert plan.attainable is not None
    assert binom.sf(min(holds) - 1, 100, 0.8 + plan.attainable) == pytest.approx(0.8, abs=0.1)


def test_a_bound_without_room_is_tried_at_half_the_room(tmp_path: Path) -> None:
    plan = planned(tmp_path, {"at_least": {"card": A, "metric": "accuracy", "value": 0.95}}, sets=40)
    assert plan.if_true == "an assumed accuracy of 0.975"


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
    assert (one.power, one.power_to_differ) == (1, None)
    assert one.note == "differs only if 5 trainings or more were run"
    assert (five.power, five.power_to_differ, five.note) == (1, 1, None)


def as_printed(folder: Path, form: dict[str, Any], sets: int = 300, difference: float | None = None) -> ClaimPlan:
    printed = (("one", 0.97, 0.959), ("two", 0.95, 0.9))
    rows = [row(name, figure("auc", auc), figure("recall", recall)) for name, auc, recall in printed]
    said = {"id": "said", "location": "Abstract", "text": "So it is.", "assertion": form}
    claims = claims_of(folder, contents(*rows, negatives=100, positives=390, statements=[said]))
    experiment = Experiment(None, Noise(), "drawn", difference or 0.1, 0.8, sets, from_printed=difference is None)
    audited = {row.name: row for row in audit(claims).rows}
    (plan,) = statement_plans(claims, audited, claims.statements[0], experiment, {})
    return plan


def test_a_bound_is_planned_for_the_printed_figure_of_its_card(tmp_path: Path) -> None:
    """SciPy's binomial gives the power at the printed recall, not at half the greatest distance."""
    plan = as_printed(tmp_path, {"at_least": {"card": "one", "metric": "recall", "value": 0.94}})
    assert plan.if_true == "the printed recall of 0.9590"
    n = np.arange(340, 440)
    first = [min(k for k in range(m + 1) if wilson(k, m)[0] > 0.94) for m in n]
    exact = binom.pmf(n, 490, 390 / 490) @ binom.sf(np.array(first) - 1, n, 0.959)
    assert plan.power == pytest.approx(exact, abs=0.08)
    assert plan.power_to_differ is None


def test_a_comparison_is_planned_for_the_printed_gain(tmp_path: Path) -> None:
    form = {"superior": {"a": "one", "b": "two", "metric": "auc"}}
    plan, stated = as_printed(tmp_path, form, sets=60), as_printed(tmp_path, form, sets=60, difference=0.02)
    assert (plan.if_true, stated.if_true) == ("the printed gain of 0.0200", "an assumed gain of 0.02")
    assert (plan.power, plan.images) == (stated.power, stated.images)


@pytest.mark.parametrize(
    ("form", "note"),
    [
        ({"superior": {"a": "two", "b": "one", "metric": "auc"}}, "the printed gain of -0.0200 contradicts it; --diff"),
        ({"superior": {"a": "one", "b": "two", "metric": "auc", "margin": 0.02}}, "is not beyond its margin"),
        ({"at_most": {"card": "one", "metric": "recall", "value": 0.9}}, "the printed recall of 0.9590 contradicts it"),
        ({"at_least": {"card": "two", "metric": "recall", "value": 0.9}}, "is its bound, so no number of images"),
        ({"equivalent": {"a": "one", "b": "two", "metric": "auc", "within": 0.01}}, "gain of 0.0200 contradicts it"),
    ],
)
def test_a_sentence_that_its_printed_figures_contradict_has_no_plan(
    tmp_path: Path, form: dict[str, Any], note: str
) -> None:
    plan = as_printed(tmp_path, form)
    assert plan.power is None
    assert note in (plan.note or "")


@pytest.mark.parametrize(
    ("says", "note"),
    [
        ({"threshold_matters": {"card": A, "metric": "recall"}}, "the threshold that validation chooses"),
        ({"at_least": {"card": A, "metric": "auc", "value": 0.8, "split": "val"}}, "plans are for test figures"),
        ({"at_most": {"card": A, "metric": "log_loss", "value": 0.8}}, "distribution of the scores"),
        ({"at_least": {"card": A, "metric": "recall", "average": "macro", "value": 0.8}}, "it is balanced accuracy"),
    ],
)
def test_what_cannot_be_planned_says_why(tmp_path: Path, says: dict[str, Any], note: str) -> None:
    plan = planned(tmp_path, says)
    assert plan.power is None
    assert plan.note is not None
    assert note in plan.note


@pytest.mark.parametrize(
    ("bound", "note"),
    [
        (0.95, "the implied recall of 0.9231 contradicts it; --difference X plans for another truth"),
        (0.9, None),
    ],
)
def test_a_figure_of_the_only_possible_matrix_counts_as_printed(tmp_path: Path, bound: float, note: str | None) -> None:
    """Brute force finds TP 360, FP 40, TN 194, FN 30 alone: 360 of 390."""
    printed = {"macro_precision": 0.8830, "macro_recall": 0.8761, "accuracy": 0.8878}
    says = {"at_least": {"card": "one", "metric": "recall", "value": bound}}
    said = {"id": "said", "location": "Abstract", "text": "So it is.", "assertion": says}
    rows = row("one", *(figure(metric, value) for metric, value in printed.items()))
    claims = claims_of(tmp_path, contents(rows, negatives=234, positives=390, statements=[said]))
    experiment = Experiment(None, Noise(), "drawn", 0.1, 0.8, 20, from_printed=True)
    audited = {each.name: each for each in audit(claims).rows}
    (plan,) = statement_plans(claims, audited, claims.statements[0], experiment, {})
    assert (plan.power is None) == (note is not None)
    if note is None:
        assert plan.if_true == "the implied recall of 0.9231"
    else:
        assert plan.note == note
