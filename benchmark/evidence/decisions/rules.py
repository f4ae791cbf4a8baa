"""Rules that turn scores of three or more classes into decisions, and their parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from benchmark.evidence.thresholds.rules import LEAST_CONFIDENCE

RuleName = Literal["argmax", "cost", "class_at", "abstain"]
RULES: tuple[RuleName, ...] = get_args(RuleName)

Target = Literal["sensitivity", "specificity", "confidence", "accuracy"]
"""What `value` states: a rate of one class against the rest, a confidence, or the accuracy of the answered images."""

MOST_COST = 1e9

Costs = Mapping[str, Mapping[str, float]]
"""Costs by true class, then by predicted class. Wrong decisions that it does not name cost 1, correct ones nothing."""


@dataclass(frozen=True)
class RuleFacts:
    """What a decision rule takes.

    Attributes:
        does: What the rule decides, in words.
        targets: What its `value` may state; the first is the default. Empty: it takes no value.
        takes_class: Whether it is about one class.
        takes_costs: Whether it needs costs.
        example: The rule as text.
    """

    does: str
    targets: tuple[Target, ...] = ()
    takes_class: bool = False
    takes_costs: bool = False
    example: str = ""


FACTS: dict[RuleName, RuleFacts] = {
    "argmax": RuleFacts("the class with the highest score", example="argmax"),
    "cost": RuleFacts("the class with the lowest expected cost", takes_costs=True, example="cost=MELANOMA:NEVUS:10"),
    "class_at": RuleFacts(
        "one class wherever its score reaches a threshold, else the best of the others",
        ("sensitivity", "specificity"),
        takes_class=True,
        example="class_at=MELANOMA:sensitivity:0.95",
    ),
    "abstain": RuleFacts(
        "no class if the highest score is below a confidence", ("confidence", "accuracy"), example="abstain=0.7"
    ),
}


def parameter_problem(
    rule: RuleName,
    of_class: str | None = None,
    target: str | None = None,
    value: float | None = None,
    costs: Costs | None = None,
    confidence: float | None = None,
) -> str | None:
    """Return what is wrong with the parameters of a rule, whatever the classes are.

    Args:
        rule: The rule.
        of_class: The class that `class_at` is about.
        target: What `value` states.
        value: A share in (0, 1].
        costs: Costs by true and predicted class.
        confidence: The confidence of `class_at`, in [0.5, 1).

    Returns:
        One line that says what would be right; None if nothing is wrong.
    """
    facts = FACTS[rule]
    example = f", as in {facts.example}"
    if not facts.takes_class and of_class is not None:
        return f"rule {rule} takes no class"
    if confidence is not None and (problem := _confidence_problem(rule, value, confidence)) is not None:
        return problem
    if not facts.takes_costs and costs:
        return f"rule {rule} takes no costs"
    if not facts.targets and (target is not None or value is not None):
        return f"rule {rule} takes no {'target' if value is None else 'value'}"
    if facts.takes_class and not of_class:
        return f"rule {rule} needs a class{example}"
    if facts.targets and target is not None and target not in facts.targets:
        return f"rule {rule} has no target '{target}'; use {' or '.join(facts.targets)}{example}"
    if facts.targets and value is None:
        return f"rule {rule} needs a value above 0, at most 1{example}"
    if facts.targets and value is not None and not 0 < value <= 1:
        return f"rule {rule} takes a value above 0, at most 1, not {value:g}"
    return _cost_problem(costs or {}, example) if facts.takes_costs else None


def _confidence_problem(rule: RuleName, value: float | None, confidence: float) -> str | None:
    if not FACTS[rule].takes_class:
        return f"rule {rule} takes no confidence; class_at does"
    if not LEAST_CONFIDENCE <= confidence < 1:
        return f"rule {rule} takes a confidence from {LEAST_CONFIDENCE:g}, below 1, not {confidence:g}"
    return "no number of images guarantees a value of 1; state less, or leave confidence out" if value == 1 else None


def _cost_problem(costs: Costs, example: str) -> str | None:
    if not any(costs.values()):
        return f"rule cost needs costs{example}"
    for true, row in costs.items():
        for called, cost in row.items():
            if true == called:
                return f"costs: a right decision for {true} costs nothing; leave {true}: {{{called}: {cost:g}}} out"
            if not (math.isfinite(cost) and 0 <= cost <= MOST_COST):
                return f"costs: {true} predicted as {called} costs {cost:g}; must be from 0 to {MOST_COST:g}"
    return None


def cost_matrix(costs: Costs, classes: tuple[str, ...]) -> tuple[tuple[float, ...], ...]:
    """Return the costs (k, k) of images of the class of the row that are predicted as the class of the column.

    Args:
        costs: Costs by true class, then predicted class.
        classes: The names of the k classes.

    Returns:
        The matrix: 0 on the diagonal, 1 for wrong decisions that `costs` does not name.

    Raises:
        ValueError: If `costs` names another class.
    """
    for name in (*costs, *(called for row in costs.values() for called in row)):
        if name not in classes:
            raise ValueError(f"costs name the class '{name}'; the classes are {', '.join(classes)}")
    matrix = tuple(
        tuple(0.0 if true == called else float(costs.get(true, {}).get(called, 1)) for called in classes)
        for true in classes
    )
    if not any(cost for row in matrix for cost in row):
        raise ValueError("every cost is 0: no decision is better than another; leave out those that are 1")
    return matrix


def in_words(
    rule: RuleName,
    of_class: str | None = None,
    target: str | None = None,
    value: float | None = None,
    confidence: float | None = None,
) -> str:
    """Describe a rule with its parameters, for prose.

    Args:
        rule: The rule.
        of_class: The class that `class_at` is about.
        target: What `value` states.
        value: The stated share.
        confidence: The confidence of `class_at`.

    Returns:
        A phrase without a full stop, such as "abstention below confidence 0.7".
    """
    if rule == "class_at":
        sure = "" if confidence is None else f" with {100 * confidence:g}% confidence"
        return f"{of_class} at {target} {value:g}{sure}, chosen on validation scores alone"
    if rule == "abstain" and target == "accuracy":
        return f"abstention for accuracy {value:g}, chosen on validation scores alone"
    if rule == "abstain":
        return f"abstention below confidence {value:g}"
    return "lowest expected cost" if rule == "cost" else "highest score"
