"""Decision rules as protocols and the command line state them."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.protocol import ThresholdRule, decision_problem, load_protocol
from tests.support.tiny import protocol
from zoo.config.errors import ConfigError

CLASSES = ("BCC", "MELANOMA", "NEVUS")


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("argmax", {}),
        ("abstain=0.7", {"rule": "abstain", "value": 0.7}),
        ("abstain = 0.7", {"rule": "abstain", "target": "confidence", "value": 0.7}),
        ("abstain=accuracy:0.95", {"rule": "abstain", "target": "accuracy", "value": 0.95}),
        ("class_at=A:sensitivity:0.95", {"rule": "class_at", "of_class": "A", "value": 0.95}),
        (
            "class_at=a:b=c:specificity:1",
            {"rule": "class_at", "of_class": "a:b=c", "target": "specificity", "value": 1},
        ),
        ("cost=A:B:10,A:C:2, B:A:0", {"rule": "cost", "costs": {"A": {"B": 10, "C": 2}, "B": {"A": 0}}}),
    ],
)
def test_a_text_is_the_rule_of_a_file(text: str, settings: dict[str, Any]) -> None:
    rule = DecisionRule.parse(text)
    assert rule == DecisionRule.model_validate(settings)
    assert DecisionRule.model_validate_json(rule.model_dump_json(), strict=True) == rule
    assert hash(rule) == hash(DecisionRule.model_validate(settings))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("argmx", "Unknown decision rule 'argmx'. Did you mean argmax?"),
        ("argmax=2", "rule argmax takes no value"),
        ("class_at", "rule class_at needs a class"),
        ("class_at=0.9", "rule class_at needs a class, a target and a value, as in class_at=MELANOMA:sensitivity:0.95"),
        ("class_at=sensitivity:0.9", "rule class_at needs a class, a target and a value"),
        ("class_at=A:sensitivty:0.9", "rule class_at has no target 'sensitivty'. Did you mean sensitivity?"),
        ("class_at=A:sensitivity:95", "rule class_at takes a value above 0, at most 1, not 95"),
        ("abstain", "rule abstain needs a value above 0, at most 1, as in abstain=0.7"),
        ("abstain=high", "rule abstain: 'high' is not a finite number, as in abstain=0.7"),
        ("abstain=nan", "rule abstain: 'nan' is not a finite number"),
        ("cost", "rule cost needs costs, as in cost=MELANOMA:NEVUS:10"),
        ("cost=A:10", "rule cost: 'A:10' is not TRUE:PREDICTED:COST, as in cost=MELANOMA:NEVUS:10"),
        ("cost=A:B:1,A:B:2", "the cost of A predicted as B is given twice"),
        ("cost=A:A:3", "a right decision for A costs nothing"),
    ],
)
def test_a_wrong_text_is_answered_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DecisionRule.parse(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_may_be_named_by_a_number() -> None:
    settings = {"rule": "class_at", "of_class": 3, "value": 0.9}
    assert DecisionRule.model_validate(settings) == DecisionRule.parse("class_at=3:sensitivity:0.9")


def test_the_classes_of_a_rule_are_those_it_names() -> None:
    assert DecisionRule().classes == ()
    assert DecisionRule.parse("class_at=A:sensitivity:0.9").classes == ("A",)
    assert DecisionRule.parse("cost=A:B:2,B:C:3").classes == ("A", "B", "C")


def test_the_words_of_a_rule_name_its_class_and_target() -> None:
    assert DecisionRule.parse("class_at=A:specificity:0.9").in_words() == (
        "A at specificity 0.9, chosen on validation scores alone"
    )


def test_a_confidence_follows_the_value_and_is_part_of_the_identity_only_where_it_is_stated() -> None:
    plain, sure = (DecisionRule.parse(f"class_at=A:sensitivity:0.9{more}") for more in ("", "@0.95"))
    assert (plain.confidence, sure.confidence) == (None, 0.95)
    identities = [protocol(decision=rule.model_dump()).identity()["decision"] for rule in (plain, sure)]
    assert identities[1] == {**identities[0], "confidence": 0.95}  # type: ignore[dict-item]
    assert "confidence" not in identities[0]  # type: ignore[operator]
    with pytest.raises(ConfigError, match=r"takes a confidence from 0\.5, below 1, not 1"):
        DecisionRule.parse("class_at=A:sensitivity:0.9@1")


def test_the_default_decision_is_no_part_of_the_identity() -> None:
    quick = load_protocol("quick")
    assert "decision" not in quick.identity()
    assert "decision" in protocol(decision={"rule": "abstain", "value": 0.7}).identity()
    costs = [{"A": {"B": 2.0}, "B": {"A": 3.0}}, {"B": {"A": 3.0}, "A": {"B": 2.0}}]
    first, second = (protocol(decision={"rule": "cost", "costs": each}) for each in costs)
    assert first == second
    assert hash(first) == hash(second)


@pytest.mark.parametrize(
    ("settings", "classes", "says"),
    [
        ({"rule": "class_at", "of_class": "MELANOME", "value": 0.9}, CLASSES, "Did you mean MELANOMA?"),
        ({"rule": "cost", "costs": {"NEVUS": {"BC": 2}}}, CLASSES, "unknown class 'BC'. Did you mean BCC?"),
        (
            {"rule": "abstain", "value": 0.9},
            ("A", "B"),
            "decision: is for three or more classes; for A and B use thres",
        ),
    ],
)
def test_a_decision_that_does_not_fit_the_classes_is_said(
    settings: dict[str, Any], classes: tuple[str, ...], says: str
) -> None:
    problem = decision_problem(protocol(decision=settings), classes)
    assert problem is not None
    assert says in problem
    assert "\n" not in problem


def test_a_threshold_of_two_classes_does_not_fit_three() -> None:
    problem = decision_problem(protocol(threshold=ThresholdRule.parse("cost=5").model_dump()), CLASSES)
    assert problem is not None
    assert (
        "threshold: is for two classes, and the data have 3; use decision:, as in decision: {rule: class_at" in problem
    )


@pytest.mark.parametrize("classes", [("A", "B"), CLASSES])
def test_a_protocol_without_either_fits_all_data(classes: tuple[str, ...]) -> None:
    assert decision_problem(load_protocol("quick"), classes) is None
    if len(classes) > 2:
        rule = DecisionRule.parse("class_at=NEVUS:sensitivity:0.9").model_dump()
        assert decision_problem(protocol(decision=rule), classes) is None
