"""A threshold is chosen on validation scores, by the rule, or refused with a reason."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.evidence import Scores, TestScores, Threshold, ValidationScores, choose, figures
from benchmark.evidence.threshold import rule_names
from tests.records import make_run, on_test, on_val, planted

QUICK = settings(deadline=None, max_examples=60)
SCORES = st.one_of(st.integers(0, 6).map(lambda k: k / 6), st.floats(0, 1, width=32))
ROWS = st.lists(st.tuples(st.integers(0, 1), SCORES), min_size=2, max_size=30).filter(
    lambda rows: len({label for label, _ in rows}) == 2 and len({score for _, score in rows}) > 1
)
Rows = list[tuple[int, float]]


def youden_index(rows: Rows, cut: float) -> float:
    """Sensitivity + specificity - 1 when scores from `cut` on are positive, counted one by one."""
    positive = [score for label, score in rows if label == 1]
    negative = [score for label, score in rows if label == 0]
    return sum(s >= cut for s in positive) / len(positive) + sum(s < cut for s in negative) / len(negative) - 1


def chosen(rows: Rows) -> float:
    threshold = choose(on_val([label for label, _ in rows], [score for _, score in rows]))
    assert threshold.value is not None
    return threshold.value


@QUICK
@given(rows=ROWS)
def test_youden_s_cut_is_as_good_as_the_best_of_all_cuts_between_scores(rows: Rows) -> None:
    cuts = sorted({score for _, score in rows})[1:]
    best = max(youden_index(rows, cut) for cut in cuts)
    assert youden_index(rows, chosen(rows)) == pytest.approx(best, abs=1e-12)


@QUICK
@given(rows=ROWS)
def test_youden_s_cut_is_halfway_between_two_scores_and_nearest_to_one_half_among_equals(rows: Rows) -> None:
    distinct = sorted({score for _, score in rows})
    halves = [(low + high) / 2 for low, high in itertools.pairwise(distinct)]
    best = max(youden_index(rows, cut) for cut in halves)
    equals = [cut for cut in halves if youden_index(rows, cut) >= best - 1e-9]
    assert chosen(rows) in equals
    assert abs(chosen(rows) - 0.5) == min(abs(cut - 0.5) for cut in equals)


@QUICK
@given(rows=ROWS, data=st.data())
def test_the_order_of_validation_images_changes_nothing(rows: Rows, data: st.DataObject) -> None:
    assert chosen(data.draw(st.permutations(rows))) == chosen(rows)


def test_youden_separates_what_can_be_separated() -> None:
    assert choose(on_val([0, 0, 1, 1], [0.1, 0.2, 0.4, 0.9])) == Threshold(pytest.approx(0.3), "youden")


@pytest.mark.parametrize("constant", [0.0, 0.5, 1.0])
def test_constant_scores_are_refused(constant: float) -> None:
    threshold = choose(on_val([0, 1, 0, 1], [constant] * 4))
    assert threshold.value is None
    assert threshold.reason == "all validation scores are the same"


@pytest.mark.parametrize("label", [0, 1])
def test_a_missing_class_is_refused(label: int) -> None:
    threshold = choose(on_val([label] * 3, [0.1, 0.5, 0.9]))
    assert threshold.value is None
    assert threshold.reason == "the validation split lacks a class"


@pytest.mark.parametrize(
    "scores",
    [
        on_test([0, 1], [0.1, 0.9]),
        Scores("test", np.array([0, 1]), np.array([0.1, 0.9])),
        Scores("val", np.array([0, 1]), np.array([0.1, 0.9])),
        Scores("train", np.array([0, 1]), np.array([0.1, 0.9])),
    ],
    ids=["TestScores", "bare test", "bare val", "bare train"],
)
@pytest.mark.parametrize("rule", ["youden", "fixed"])
def test_scores_of_any_other_type_are_refused(scores: Scores, rule: str) -> None:
    with pytest.raises(TypeError, match="ValidationScores"):
        choose(scores, rule)  # type: ignore[arg-type]


def test_no_parameter_of_the_choice_could_take_test_scores() -> None:
    hints = inspect.get_annotations(choose, eval_str=True)
    assert [hint for hint in hints.values() if isinstance(hint, type) and issubclass(hint, Scores)] == [
        ValidationScores
    ]
    assert TestScores not in hints.values()


def test_other_test_scores_leave_a_run_s_threshold_as_it_was() -> None:
    val = on_val(*planted(40, 40, seed=3))
    labels, drawn = planted(50, 50, seed=4)
    runs = [make_run(val=val, test=on_test(labels, found)) for found in (drawn, drawn[::-1])]
    assert runs[0].threshold == runs[1].threshold
    assert runs[0].figures()["auc"] != runs[1].figures()["auc"]


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_the_fixed_rule_gives_the_declared_value_whatever_the_scores(value: float) -> None:
    assert choose(on_val([0, 1], [0.1, 0.9]), "fixed", value) == Threshold(value, "fixed")
    assert choose(on_val([1, 1], [0.5, 0.5]), "fixed", value) == Threshold(value, "fixed")


def test_an_unknown_rule_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown threshold rule 'yuoden'") as caught:
        choose(on_val([0, 1], [0.1, 0.9]), "yuoden")
    assert all(name in str(caught.value) for name in rule_names())


@pytest.mark.parametrize("rule", rule_names())
def test_every_rule_names_itself_and_gives_a_number_between_0_and_1(rule: str) -> None:
    threshold = choose(on_val(*planted(30, 30)), rule)
    assert threshold.rule == rule
    assert threshold.reason is None
    assert threshold.value is not None
    assert 0 <= threshold.value <= 1


def test_the_chosen_threshold_beats_one_half_on_scores_that_all_lie_on_one_side() -> None:
    labels, drawn = planted(40, 40)
    val = on_val(labels, [score / 3 for score in drawn])
    threshold = choose(val).value
    assert threshold is not None
    balanced = [figures(val, cut)["balanced_accuracy"].value or 0 for cut in (0.5, threshold)]
    assert balanced[0] == 0.5
    assert balanced[1] > 0.75
