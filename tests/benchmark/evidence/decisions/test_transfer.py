"""The threshold of a class transfers to test as that of two classes does."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.metrics import recall_score

from benchmark.evidence.decisions.choice import choose_decision
from benchmark.evidence.decisions.decide import decide
from benchmark.evidence.decisions.transfer import decision_transfer
from benchmark.evidence.scores import MulticlassTestScores
from benchmark.evidence.thresholds.transfer import oracle_threshold
from tests.benchmark.evidence.decisions.test_choice import CLASSES, validation


def on_test(seed: int = 7) -> MulticlassTestScores:
    scores = validation(150, seed)
    return MulticlassTestScores("test", scores.y_true, scores.y_score, scores.classes)


def test_the_figures_at_the_chosen_threshold_are_those_of_the_decisions() -> None:
    test, chosen = on_test(), choose_decision(validation(), "class_at", of_class="MELANOMA", value=0.9)
    transfer = decision_transfer(test, chosen)
    assert transfer is not None
    decided = decide(chosen, test.y_score) == 1
    assert transfer.at_chosen["recall"].value == pytest.approx(recall_score(test.y_true == 1, decided))
    assert transfer.at_half["recall"].value == pytest.approx(recall_score(test.y_true == 1, test.y_score[:, 1] >= 0.5))
    one: Any = test.one_vs_rest(1)
    assert transfer.oracle == oracle_threshold(one, "sensitivity", 0.9)
    assert transfer.chosen == chosen.threshold


def test_a_class_without_a_threshold_has_no_figures_at_it() -> None:
    val = validation()
    few = val.y_true != 1
    lacking = type(val)("val", val.y_true[few], val.y_score[few], CLASSES)
    transfer = decision_transfer(on_test(), choose_decision(lacking, "class_at", of_class="MELANOMA", value=0.9))
    assert transfer is not None
    assert transfer.at_chosen == {}
    assert transfer.at_half


def test_rules_without_a_class_have_no_transfer() -> None:
    assert decision_transfer(on_test(), choose_decision(validation(), "abstain", value=0.5)) is None


def test_validation_scores_and_other_classes_are_refused() -> None:
    chosen = choose_decision(validation(), "class_at", of_class="MELANOMA", value=0.9)
    val: Any = validation()
    with pytest.raises(TypeError, match="needs MulticlassTestScores"):
        decision_transfer(val, chosen)
    test = on_test()
    others = MulticlassTestScores("test", test.y_true, test.y_score, ("X", "Y", "Z"))
    with pytest.raises(ValueError, match="the decision is about the classes"):
        decision_transfer(others, chosen)
