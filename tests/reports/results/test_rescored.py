"""A threshold that is chosen anew comes from stored validation scores and from nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from benchmark.evidence import TestScores, choose
from benchmark.evidence.calibration.scaling import best_multiclass_calibrator
from benchmark.evidence.scores import MulticlassValidationScores
from benchmark.evidence.thresholds.choice import choose_with_interval
from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.protocol import ThresholdRule
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.results.measured import collect_results
from reports.results.rescored import Rule, all_with_rule, with_rule
from tests.support.multiclass_stores import BETTER, three_classes_in
from tests.support.records import make_run, on_test, on_val, planted
from tests.support.stored import keep
from zoo.config.errors import ConfigError

YOUDEN, SENSITIVE = ThresholdRule(rule="youden"), ThresholdRule(rule="sensitivity", value=0.95)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


def kept(root: Path, test: TestScores | None = None) -> tuple[Run, Store]:
    store = Store(root)
    return keep(store, "attempt-1", test, on_val(*planted(60, 60, 1.5, seed=1))), store


def test_the_rule_is_read_on_validation_scores(tmp_path: Path) -> None:
    """Youden's threshold lies where scikit-learn's ROC curve of validation has the largest TPR - FPR."""
    run, store = kept(tmp_path)
    found = with_rule(run, store, YOUDEN)
    assert found.threshold is not None
    assert found.threshold.value is not None
    labels, scores = planted(60, 60, 1.5, seed=1)
    called = np.array(scores) >= found.threshold.value
    fpr, tpr, _ = roc_curve(labels, scores)
    assert np.mean(called[60:]) - np.mean(called[:60]) == pytest.approx(np.max(tpr - fpr))


def test_the_figures_are_those_at_the_threshold_that_was_chosen(tmp_path: Path) -> None:
    run, store = kept(tmp_path)
    found = with_rule(run, store, SENSITIVE)
    assert found.threshold is not None
    assert found.threshold.value is not None
    assert found.threshold.low is not None
    assert found.threshold.high is not None
    assert found.threshold.low <= found.threshold.value <= found.threshold.high
    labels, scores = planted(100, 100, seed=2)
    called = np.array(scores)[np.array(labels) == 1] >= found.threshold.value
    assert found.figures("test", chosen=True)["recall"].value == pytest.approx(np.mean(called))
    assert found.figures("val", chosen=True)["recall"].value == pytest.approx(57 / 60, abs=1 / 60)
    assert found.figures("test", chosen=True)["loss"] == run.figures("test")["loss"]
    assert found.at_half == run.at_half


def test_the_record_says_which_rule_chose_and_still_finds_its_scores(tmp_path: Path) -> None:
    run, store = kept(tmp_path)
    found = with_rule(run, store, SENSITIVE)
    assert found.spec.protocol.threshold == SENSITIVE
    assert found.run_id == run.run_id
    assert found.spec.run_id == run.spec.model_copy(update={"protocol": found.spec.protocol}).run_id != run.run_id
    assert found.model_dump().keys() == run.model_dump().keys()
    assert len(store.history(found)) == 3
    assert collect_results([found], store)["attempt-1"].thresholds == (
        found.threshold.value if found.threshold else None,
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(40)), rule=st.sampled_from([YOUDEN, SENSITIVE, ThresholdRule(rule="mcc")]))
def test_permuted_test_scores_never_change_a_threshold(place: Path, order: list[int], rule: ThresholdRule) -> None:
    labels, scores = planted(20, 20, seed=2)
    thresholds = []
    for permuted in (range(40), order):
        run, store = kept(place, on_test(labels, [scores[place] for place in permuted]))
        thresholds.append(with_rule(run, store, rule).threshold)
    assert thresholds[0] == thresholds[1]


def test_other_test_scores_never_change_a_threshold(tmp_path: Path) -> None:
    labels = [0, 1] * 20
    found = {
        with_rule(*kept(tmp_path, on_test(labels, scores)), YOUDEN).threshold
        for scores in ([0.5] * 40, [0.9, 0.1] * 20, [0.1, 0.9] * 20)
    }
    assert len(found) == 1


def test_constant_validation_scores_choose_nothing_and_say_why(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run = keep(store, "attempt-1", val=on_val([0, 1] * 30, [0.4] * 60))
    found = with_rule(run, store, SENSITIVE)
    assert found.threshold is not None
    assert found.threshold.value is None
    assert found.threshold.reason
    assert found.at_chosen == {}


def test_a_declared_threshold_is_taken_as_it_is(tmp_path: Path) -> None:
    found = with_rule(*kept(tmp_path), ThresholdRule(rule="fixed", value=0.3))
    assert found.threshold is not None
    assert found.threshold.value == 0.3


def test_the_same_rule_again_gives_the_threshold_of_the_run(tmp_path: Path) -> None:
    run, store = kept(tmp_path)
    found = with_rule(run, store, run.spec.protocol.threshold)
    assert found.threshold is not None
    assert found.threshold.value == choose(on_val(*planted(60, 60, 1.5, seed=1))).value
    assert found.at_chosen == run.at_chosen


def test_a_failed_run_comes_back_as_it_is(tmp_path: Path) -> None:
    failed = make_run("attempt-1", error="ResourceExhausted: no memory")
    assert with_rule(failed, Store(tmp_path), YOUDEN) is failed


def test_runs_that_differed_in_their_rule_alone_are_one_run_under_a_new_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    runs = [
        keep(store, card, seed=seed, protocol=make_run().spec.protocol.model_copy(update={"threshold": rule}))
        for card in ("attempt-1", "attempt-5")
        for seed in (0, 1)
        for rule in (YOUDEN, SENSITIVE)
    ]
    assert len({run.run_id for run in runs}) == 8
    found = all_with_rule(runs, store, ThresholdRule(rule="cost", value=5))
    assert [(run.spec.card.name, run.spec.seed) for run in found] == [
        (card, seed) for card in ("attempt-1", "attempt-5") for seed in (0, 1)
    ]
    assert {run.run_id for run in found} < {run.run_id for run in runs}


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return three_classes_in(tmp_path_factory.mktemp("several"))


def test_decisions_among_several_classes_are_chosen_again_on_validation(several: Store) -> None:
    run = next(run for run in several.runs()[0] if run.spec.card.name == BETTER)
    rule = DecisionRule.parse("class_at=VIRUS:sensitivity:0.9")
    rescored = with_rule(run, several, rule)
    assert rescored.run_id == run.run_id
    assert rescored.at_half == run.at_half
    assert rescored.decision is not None
    assert rescored.decision.threshold is not None
    val = several.scores(run, "val")
    assert isinstance(val, MulticlassValidationScores)
    assert rescored.decision.threshold == choose_with_interval(
        val.one_vs_rest(2),  # type: ignore[arg-type]
        "sensitivity",
        0.9,
    )
    assert rescored.figures("val", chosen=True)["recall:class:VIRUS"].value >= 0.9  # type: ignore[operator]
    test = several.scores(run, "test")
    called = test.y_score[test.y_true == 2, 2] >= rescored.decision.threshold.value  # type: ignore[operator]
    assert rescored.figures("test", chosen=True)["recall:class:VIRUS"].value == pytest.approx(called.mean())


def test_costs_give_an_expected_cost_of_both_decisions(several: Store) -> None:
    run = next(run for run in several.runs()[0] if run.spec.card.name == BETTER)
    rescored = with_rule(run, several, DecisionRule.parse("cost=VIRUS:NORMAL:10"))
    test = several.scores(run, "test")
    costs = np.ones((3, 3)) - np.eye(3)
    costs[2, 0] = 10
    highest = costs[test.y_true, test.y_score.argmax(axis=1)].mean()
    val = several.scores(run, "val")
    assert isinstance(val, MulticlassValidationScores)
    calibrator = best_multiclass_calibrator(val)
    assert calibrator.accepted
    cheapest = costs[test.y_true, (calibrator.probabilities(test.y_score) @ costs).argmin(axis=1)].mean()
    assert rescored.figures("test")["expected_cost"].value == pytest.approx(highest)
    assert rescored.figures("test", chosen=True)["expected_cost"].value == pytest.approx(cheapest)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (YOUDEN, "the runs have 3 classes: use --decision, as in --decision abstain=0.7"),
        (DecisionRule.parse("class_at=VIRAL:sensitivity:0.9"), "unknown class 'VIRAL'. Did you mean VIRUS?"),
    ],
)
def test_a_rule_that_does_not_fit_the_classes_is_refused(several: Store, rule: Rule, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        all_with_rule(several.runs()[0], several, rule)
    assert problem in str(caught.value)


def test_a_decision_is_not_for_runs_of_two_classes(tmp_path: Path) -> None:
    run, store = kept(tmp_path)
    with pytest.raises(ConfigError, match="the runs have 2 classes: use --threshold-rule"):
        all_with_rule([run], store, DecisionRule.parse("abstain=0.7"))
