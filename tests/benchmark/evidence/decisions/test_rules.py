"""Parameters of decision rules: what each takes, and what is said where they do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.evidence.decisions.rules import FACTS, RULES, cost_matrix, in_words, parameter_problem

CLASSES = ("BCC", "MELANOMA", "NEVUS")


def test_a_cost_matrix_has_named_costs_and_1_for_other_wrong_calls() -> None:
    costs = {"MELANOMA": {"NEVUS": 10, "BCC": 2}, "NEVUS": {"MELANOMA": 0}}
    assert cost_matrix(costs, CLASSES) == ((0, 1, 1), (2, 0, 10), (1, 0, 0))


@pytest.mark.parametrize("costs", [{"MOLE": {"NEVUS": 2}}, {"NEVUS": {"MOLE": 2}}])
def test_costs_of_a_class_that_does_not_exist_are_refused(costs: dict[str, dict[str, float]]) -> None:
    with pytest.raises(ValueError, match="costs name the class 'MOLE'; the classes are BCC, MELANOMA, NEVUS"):
        cost_matrix(costs, CLASSES)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"rule": "argmax", "of_class": "BCC"}, "rule argmax takes no class"),
        ({"rule": "argmax", "value": 0.5}, "rule argmax takes no value"),
        ({"rule": "cost", "target": "accuracy", "costs": {"A": {"B": 2}}}, "rule cost takes no target"),
        ({"rule": "abstain", "value": 0.5, "costs": {"A": {"B": 2}}}, "rule abstain takes no costs"),
        ({"rule": "cost"}, "rule cost needs costs, as in cost=MELANOMA:NEVUS:10"),
        ({"rule": "cost", "costs": {"A": {}}}, "rule cost needs costs"),
        ({"rule": "cost", "costs": {"A": {"A": 2}}}, "a right decision for A costs nothing; leave A: {A: 2} out"),
        ({"rule": "cost", "costs": {"A": {"B": -1}}}, "A predicted as B costs -1; must be from 0 to 1e+09"),
        ({"rule": "cost", "costs": {"A": {"B": float("nan")}}}, "A predicted as B costs nan"),
        ({"rule": "class_at", "value": 0.9}, "rule class_at needs a class, as in class_at=MELANOMA:sensitivity:0.95"),
        ({"rule": "class_at", "of_class": "A"}, "rule class_at needs a value above 0, at most 1"),
        (
            {"rule": "class_at", "of_class": "A", "target": "accuracy", "value": 0.9},
            "rule class_at has no target 'accuracy'; use sensitivity or specificity",
        ),
        ({"rule": "class_at", "of_class": "A", "value": 95}, "takes a value above 0, at most 1, not 95"),
        ({"rule": "abstain", "value": 0}, "takes a value above 0, at most 1, not 0"),
        ({"rule": "abstain", "value": float("nan")}, "takes a value above 0, at most 1, not nan"),
    ],
)
def test_parameters_that_do_not_fit_are_said_in_one_line(parameters: dict[str, Any], says: str) -> None:
    problem = parameter_problem(**parameters)
    assert problem is not None
    assert says in problem
    assert "\n" not in problem


def test_every_rule_has_facts_an_example_and_words() -> None:
    assert set(FACTS) == set(RULES)
    words = {in_words(rule, "BCC", "sensitivity", 0.9) for rule in RULES}
    assert len(words) == len(RULES)
    assert in_words("class_at", "BCC", "sensitivity", 0.9) == (
        "BCC at sensitivity 0.9, chosen on validation scores alone"
    )
