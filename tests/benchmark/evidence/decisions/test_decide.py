"""Decisions follow their rule, against hand-made cases and the definition of expected cost."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from benchmark.evidence.calibration.scaling import MulticlassCalibrator
from benchmark.evidence.decisions.decide import ABSTAINED, Decision, decide
from benchmark.evidence.decisions.rules import cost_matrix
from benchmark.evidence.thresholds.choice import Threshold
from tests.support.tiny import ROOT

CLASSES = ("BCC", "MELANOMA", "NEVUS")
SCORES = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [0.4, 0.4, 0.2], [0.1, 0.45, 0.45], [0.0, 1.0, 0.0]])


def at(threshold: float | None, of_class: str = "MELANOMA") -> Decision:
    return Decision(
        "class_at",
        CLASSES,
        of_class,
        "sensitivity",
        0.9,
        threshold=Threshold(threshold, "sensitivity"),
        reason=None if threshold is not None else "the validation split has no image of MELANOMA",
    )


def abstaining(confidence: float) -> Decision:
    return Decision("abstain", CLASSES, target="confidence", value=0.5, threshold=Threshold(confidence, "confidence"))


def test_argmax_takes_the_highest_score_and_of_equal_ones_the_first() -> None:
    assert decide(Decision("argmax", CLASSES), SCORES).tolist() == [0, 2, 0, 1, 1]
    assert decide(Decision(), SCORES).tolist() == [0, 2, 0, 1, 1]


def test_one_class_is_decided_from_its_threshold_on_and_else_the_best_of_the_others() -> None:
    assert decide(at(0.3), SCORES).tolist() == [1, 2, 1, 1, 1]
    assert decide(at(0.45), SCORES).tolist() == [0, 2, 0, 1, 1]
    assert decide(at(1.0), SCORES).tolist() == [0, 2, 0, 2, 1]
    assert decide(at(0.0), SCORES).tolist() == [1] * 5


def test_without_a_threshold_the_highest_score_decides() -> None:
    undecided = at(None)
    assert not undecided.is_chosen
    assert decide(undecided, SCORES).tolist() == [0, 2, 0, 1, 1]


def test_an_image_below_the_confidence_has_no_decision() -> None:
    assert decide(abstaining(0.45), SCORES).tolist() == [0, 2, ABSTAINED, 1, 1]
    assert decide(abstaining(0.61), SCORES).tolist() == [-1, -1, -1, -1, 1]
    assert abstaining(0.5).abstains
    assert not at(0.5).abstains


def test_a_costly_miss_is_avoided() -> None:
    costs = cost_matrix({"MELANOMA": {"BCC": 10, "NEVUS": 10}}, CLASSES)
    # Expected costs of the first image: BCC 0.3 * 10 + 0.1, MELANOMA 0.6 + 0.1, NEVUS 0.3 * 10 + 0.6.
    assert decide(Decision("cost", CLASSES, costs=costs), SCORES).tolist() == [1, 1, 1, 1, 1]


HALVED = MulticlassCalibrator("temperature", CLASSES, True, slopes=(0.5,) * 3, intercepts=(0.0,) * 3)
"""A temperature of 2."""


def test_costs_are_weighted_by_calibrated_scores() -> None:
    costs = cost_matrix({"MELANOMA": {"BCC": 4, "NEVUS": 4}}, CLASSES)
    scores = np.array([[0.9, 0.1, 0.0]])  # Calibrated: sqrt(0.9) to sqrt(0.1) is 0.75 to 0.25, above Elkan's 1 / 5.
    assert decide(Decision("cost", CLASSES, costs=costs), scores).tolist() == [0]
    assert decide(Decision("cost", CLASSES, costs=costs, calibrator=HALVED), scores).tolist() == [1]


def test_two_groups_of_equal_cost_follow_elkan_s_threshold() -> None:
    # Elkan (2001): with costs of 4 and 1, the class is decided from a probability of 1 / (1 + 4) on.
    costs = cost_matrix({"MELANOMA": {"BCC": 4, "NEVUS": 4}}, CLASSES)
    share = np.array([0.19, 0.21])
    scores = np.column_stack([1 - share, share, np.zeros(2)])
    assert decide(Decision("cost", CLASSES, costs=costs), scores).tolist() == [0, 1]


def test_a_huge_cost_does_not_hide_small_differences() -> None:
    costs = cost_matrix({"BCC": {"MELANOMA": 1e9, "NEVUS": 1e9}, "NEVUS": {"MELANOMA": 0.001}}, CLASSES)
    scores = np.array([[0.0, 0.0004, 0.9996]])  # MELANOMA costs 0.0009996, NEVUS 0.0004
    assert decide(Decision("cost", CLASSES, costs=costs), scores).tolist() == [2]


@settings(deadline=None, max_examples=60)
@given(data=st.data(), count=st.integers(3, 6))
def test_the_cheapest_class_is_that_of_the_definition(data: st.DataObject, count: int) -> None:
    whole = st.integers(0, 20)
    names = tuple("ABCDEF"[:count])
    costs = tuple(tuple(0.0 if i == j else float(data.draw(whole)) for j in range(count)) for i in range(count))
    parts = [data.draw(whole) + 1 for _ in range(count)]
    scores = np.array([parts], dtype=float) / sum(parts)
    expected = [sum(parts[true] * int(costs[true][called]) for true in range(count)) for called in range(count)]
    assert decide(Decision("cost", names, costs=costs), scores).tolist() == [expected.index(min(expected))]


def test_costs_of_1_decide_as_the_highest_score_does() -> None:
    grid = [each for each in itertools.product(range(11), repeat=3) if sum(each) == 10]
    scores = np.array(grid) / 10
    costs = cost_matrix({"BCC": {"NEVUS": 1}}, CLASSES)
    by_cost = decide(Decision("cost", CLASSES, costs=costs), scores)
    assert by_cost.tolist() == [each.index(max(each)) for each in grid]


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (Decision("argmax", CLASSES), [0, 2, 0, 1]),
        (Decision("cost", CLASSES, costs=cost_matrix({"MELANOMA": {"BCC": 3, "NEVUS": 3}}, CLASSES)), [1, 2, 1, 1]),
        (at(0.35), [0, 2, 1, 1]),
        (abstaining(0.5), [0, 2, ABSTAINED, 1]),
    ],
)
def test_the_example_of_the_documentation_is_decided_as_it_says(decision: Decision, expected: list[int]) -> None:
    page = (ROOT / "docs" / "statistics" / "decisions.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line[:3] in ("| 1", "| 2", "| 3", "| 4")]
    scores = np.array([[float(cell) for cell in row[1:4]] for row in rows])
    column = {"argmax": 4, "cost": 5, "class_at": 6, "abstain": 7}[decision.rule]
    named = [-1 if row[column] == "none" else CLASSES.index(row[column]) for row in rows]
    assert decide(decision, scores).tolist() == named == expected


@pytest.mark.parametrize("shape", [(4, 2), (4, 4), (4,)])
def test_scores_of_other_classes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be \(n, 3\)"):
        decide(at(0.5), np.zeros(shape))


def test_a_decision_must_be_complete() -> None:
    with pytest.raises(ValueError, match="needs its costs"):
        Decision("cost", CLASSES)
    with pytest.raises(ValueError, match="has a threshold, or a reason"):
        Decision("abstain", CLASSES)
    with pytest.raises(ValueError, match="has a threshold, or a reason"):
        Decision("abstain", CLASSES, threshold=Threshold(0.5, "confidence"), reason="none")
    with pytest.raises(ValueError, match="'MOLE' is not one of BCC, MELANOMA, NEVUS"):
        at(0.5, "MOLE")
    for rule, classes in (("argmax", CLASSES), ("cost", ("A", "B", "C"))):
        with pytest.raises(ValueError, match="a calibrator is for a decision by cost among the same classes"):
            Decision(rule, classes, costs=((0.0,) * 3,) * 3, calibrator=HALVED)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "decision",
    [
        Decision("argmax", CLASSES),
        Decision("cost", CLASSES, costs=cost_matrix({"BCC": {"NEVUS": 2}}, CLASSES), calibrator=HALVED),
        at(0.3),
        at(None),
        abstaining(0.7),
    ],
)
def test_a_decision_is_plain_data(decision: Decision) -> None:
    adapter = TypeAdapter(Decision)
    stored = adapter.validate_json(adapter.dump_json(decision), strict=True)
    assert stored == decision
    assert decide(stored, SCORES).tolist() == decide(decision, SCORES).tolist()
