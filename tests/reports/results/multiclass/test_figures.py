"""Matrices, curves and calibration of cards on three or more classes, held against scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score, roc_auc_score

from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.protocol import load_protocol
from reports.report import Section, build_report
from reports.results.measured import MulticlassResults, collect_multiclass_results, collect_results
from reports.results.multiclass.figures import ClassMatrix, class_matrix
from tests.support.multiclass_stores import BETTER, COLLAPSED, FAILED, RADIOGRAPHS, WORSE, three_classes_in
from zoo.config.errors import ConfigError

CLASSES = RADIOGRAPHS.classes


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Section, dict[str, MulticlassResults]]:
    store = three_classes_in(tmp_path_factory.mktemp("three"))
    runs = store.runs()[0]
    (section,) = build_report(runs, store.history, scores=store).sections
    return section, collect_multiclass_results(runs, store)


def test_a_matrix_is_that_of_scikit_learn_with_its_shares(study: tuple[Section, dict[str, MulticlassResults]]) -> None:
    section, measured = study
    assert section.multiclass is not None
    for name, results in measured.items():
        card = section.multiclass.card(name)
        assert card is not None
        expected = [confusion_matrix(t.y_true, t.y_score.argmax(axis=1), labels=[0, 1, 2]) for t in results.test]
        assert [matrix.counts for matrix in card.argmax.runs] == [tuple(map(tuple, each.tolist())) for each in expected]
        total = sum(expected)
        assert card.argmax.total.counts == tuple(map(tuple, total.tolist()))
        assert card.argmax.total.by_row == pytest.approx(np.array(total / total.sum(axis=1, keepdims=True)))
        assert card.chosen is None


def test_an_empty_row_or_column_has_no_shares() -> None:
    matrix = ClassMatrix.of([[0, 0, 0], [3, 0, 1], [2, 0, 0]], [0, 4, 0])
    assert matrix.by_row == ((None, None, None), (0.375, 0.0, 0.125), (1.0, 0.0, 0.0))
    assert matrix.by_column == ((0.0, None, 0.0), (0.6, None, 1.0), (0.4, None, 0.0))
    assert matrix.images == 10


def test_abstentions_are_in_no_column(study: tuple[Section, dict[str, MulticlassResults]]) -> None:
    test = study[1][BETTER].test[0]
    decided = test.y_score.argmax(axis=1).astype(np.int64)
    decided[:5] = -1
    matrix = class_matrix(test, decided)
    assert sum(matrix.abstained) == 5
    assert matrix.images == len(test)


def test_figures_of_cards_are_means_over_seeds_of_those_of_scikit_learn(
    study: tuple[Section, dict[str, MulticlassResults]],
) -> None:
    section, measured = study
    cards = {card.card.name: card.at_half for card in section.cards}
    tests = measured[BETTER].test
    called = [test.y_score.argmax(axis=1) for test in tests]
    for key, of_run in {
        "accuracy": lambda t, d: accuracy_score(t.y_true, d),
        "recall:macro": lambda t, d: recall_score(t.y_true, d, average="macro"),
        "precision:class:VIRUS": lambda t, d: precision_score(t.y_true == 2, d == 2),
        "f1:class:NORMAL": lambda t, d: f1_score(t.y_true == 0, d == 0),
        "auc:macro": lambda t, d: roc_auc_score(t.y_true, t.y_score, multi_class="ovr"),
    }.items():
        expected = np.mean([of_run(test, decided) for test, decided in zip(tests, called, strict=True)])
        figure = cards[BETTER][key]
        assert figure.value == pytest.approx(expected), key
        assert figure.bounds is not None
        assert figure.bounds[0] < expected < figure.bounds[1]
    assert cards[FAILED] == {}
    assert cards[COLLAPSED]["precision:class:VIRUS"].value is None
    assert cards[COLLAPSED]["precision:class:VIRUS"].reason == "undefined: no image is predicted as VIRUS"
    assert not [key for key in cards[BETTER] if key.endswith((":weighted", ":micro"))]


def test_the_area_under_the_curve_of_a_class_is_its_auc(study: tuple[Section, dict[str, MulticlassResults]]) -> None:
    section, measured = study
    assert section.multiclass is not None
    card = section.multiclass.card(WORSE)
    assert card is not None
    assert [curves.name for curves in card.curves] == list(CLASSES)
    assert [curves.images for curves in card.curves] == [116, 120, 64]
    test = measured[WORSE].test[0]
    for label, curves in enumerate(card.curves):
        assert curves.roc is not None
        area = float(np.trapezoid(curves.roc.y, curves.roc.x))
        assert area == pytest.approx(roc_auc_score(test.y_true == label, test.y_score[:, label]), abs=2e-3)


def test_a_card_whose_scores_are_all_the_same_has_no_curve(
    study: tuple[Section, dict[str, MulticlassResults]],
) -> None:
    assert study[0].multiclass is not None
    card = study[0].multiclass.card(COLLAPSED)
    assert card is not None
    assert {(curves.roc, curves.reason) for curves in card.curves} == {(None, "all scores are the same")}
    assert card.notes == ("Seed 0: all images have the same scores.",)
    assert not card.probabilities[0].accepted
    assert card.probabilities[0].after is None


def test_the_ranking_is_by_the_macro_auc(study: tuple[Section, dict[str, MulticlassResults]]) -> None:
    ranking = study[0].ranking
    assert ranking is not None
    assert ranking.metric == "auc:macro"
    assert list(ranking.figures) == [BETTER, WORSE, COLLAPSED]


def test_decisions_of_the_protocol_are_beside_the_highest_score(tmp_path: Path) -> None:
    rule = DecisionRule.parse("abstain=0.7")
    store = three_classes_in(tmp_path, protocol=load_protocol("quick").model_copy(update={"decision": rule}))
    runs, problems = store.runs()
    assert not problems
    (section,) = build_report(runs, store.history, scores=store).sections
    assert section.multiclass is not None
    card = section.multiclass.card(WORSE)
    assert card is not None
    assert card.chosen is not None
    assert card.chosen.rule == "abstention below confidence 0.7"
    (test,) = collect_multiclass_results(runs, store)[WORSE].test
    below = test.y_score.max(axis=1) < 0.7
    assert card.chosen.total.abstained == tuple(np.bincount(test.y_true[below], minlength=3).tolist())
    figures = next(each.at_chosen for each in section.cards if each.card.name == WORSE)
    assert figures["coverage"].value == pytest.approx(1 - below.mean())
    right = test.y_score.argmax(axis=1) == test.y_true
    assert figures["selective_accuracy"].value == pytest.approx(right[~below].mean())


def test_what_a_choice_gains_and_leaves_open_is_a_note_of_the_card(tmp_path: Path) -> None:
    rule = DecisionRule.parse("cost=VIRUS:NORMAL:10")
    store = three_classes_in(tmp_path, protocol=load_protocol("quick").model_copy(update={"decision": rule}))
    runs = store.runs()[0]
    (section,) = build_report(runs, store.history, scores=store).sections
    assert section.multiclass is not None
    card = section.multiclass.card(WORSE)
    assert card is not None
    decision = next(run.decision for run in runs if run.spec.card.name == WORSE)
    assert decision is not None
    assert decision.gain is not None
    assert decision.caution is not None
    (note,) = card.notes
    assert note.startswith("Seed 0: costs are weighted by raw scores, because calibration was rolled back (")
    assert f"by the highest score: a gain of {decision.gain.value:.3f} [" in note
    assert note.endswith(f"; caution: {decision.caution}.")


def test_results_of_another_number_of_classes_are_refused(tmp_path: Path) -> None:
    store = three_classes_in(tmp_path)
    with pytest.raises(ConfigError, match="3 classes; two are needed"):
        collect_results(store.runs()[0], store)
