"""Two cards on several classes, class by class, and the ranking of cards by macro figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import recall_score, roc_auc_score
from statsmodels.stats.contingency_tables import SquareTable, mcnemar
from statsmodels.stats.multitest import multipletests

from reports.results.comparison.pairs import compare_pair, rank
from reports.results.measured import MulticlassResults, collect_multiclass_results
from reports.results.multiclass.class_pairs import compare_classes
from tests.support.multiclass_stores import BETTER, COLLAPSED, WORSE, ten_classes_in, three_classes_in

Cards = dict[str, MulticlassResults]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Cards:
    store = three_classes_in(tmp_path_factory.mktemp("three"))
    return collect_multiclass_results(store.runs()[0], store)


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Cards:
    store = ten_classes_in(tmp_path_factory.mktemp("ten"))
    return collect_multiclass_results(store.runs()[0], store)


def test_recall_of_each_class_is_that_of_scikit_learn_and_one_family(ten: Cards) -> None:
    a, b = ten[BETTER], ten[WORSE]
    compared = compare_classes(a, b)
    expected = [
        np.mean([recall_score(run.y_true, run.y_score.argmax(1), average=None) for run in side.test], axis=0)
        for side in (a, b)
    ]
    assert [pair.difference.value for pair in compared.by_class] == pytest.approx((expected[0] - expected[1]).tolist())
    p_values = [pair.difference.p_value for pair in compared.by_class]
    assert [pair.p_adjusted for pair in compared.by_class] == pytest.approx(multipletests(p_values, method="holm")[1])
    assert [pair.metric for pair in compared.by_class] == [f"recall:class:{digit}" for digit in range(10)]


def test_calls_are_compared_seed_by_seed(ten: Cards) -> None:
    a, b = ten[BETTER], ten[WORSE]
    calls = compare_classes(a, b).calls
    assert [(each.seed_a, each.seed_b) for each in calls] == [(0, 0), (1, 1)]
    for place, each in enumerate(calls):
        truth, of_a, of_b = a.test[place].y_true, a.argmax[place], b.argmax[place]
        only_a, only_b = int(((of_a == truth) & (of_b != truth)).sum()), int(((of_a != truth) & (of_b == truth)).sum())
        assert (each.right.only_a, each.right.only_b) == (only_a, only_b)
        assert each.right.p_value == pytest.approx(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue)
        table = np.zeros((10, 10))
        np.add.at(table, (of_a, of_b), 1)
        assert each.shares.statistic == pytest.approx(SquareTable(table, shift_zeros=False).homogeneity().statistic)
    adjusted = multipletests([each.right.p_value for each in calls], method="holm")[1]
    assert [each.right_adjusted for each in calls] == pytest.approx(adjusted)


def test_cards_without_a_common_seed_are_paired_in_turn(three: Cards, ten: Cards) -> None:
    (one,) = compare_classes(three[BETTER], three[WORSE]).calls
    assert (one.seed_a, one.seed_b) == (0, 0)


def test_a_card_that_calls_one_class_has_no_precision_of_the_others(three: Cards) -> None:
    compared = compare_classes(three[COLLAPSED], three[WORSE], "precision")
    reasons = {pair.metric: pair.difference.reason for pair in compared.by_class if pair.difference.value is None}
    assert set(reasons) == {"precision:class:NORMAL", "precision:class:VIRUS"}
    assert reasons["precision:class:VIRUS"] == "undefined: no image is predicted as VIRUS"
    assert all(pair.p_adjusted is None for pair in compared.by_class if pair.difference.value is None)


def test_whole_figures_are_compared_once_each(three: Cards) -> None:
    metrics = [pair.metric for pair in compare_pair(three[BETTER], three[WORSE])]
    assert {"accuracy", "balanced_accuracy", "f1:macro", "auc:macro", "log_loss"} <= set(metrics)
    assert "recall:macro" not in metrics
    assert not [metric for metric in metrics if ":class:" in metric]


@pytest.mark.parametrize("metric", ["auc", "auc:macro"])
def test_cards_are_ranked_by_macro_auc(three: Cards, metric: str) -> None:
    ranking = rank(list(three.values()), metric)
    assert ranking is not None
    assert ranking.metric == "auc:macro"
    assert list(ranking.figures) == [BETTER, WORSE, COLLAPSED]
    for name, figure in ranking.figures.items():
        values = [roc_auc_score(run.y_true, run.y_score, multi_class="ovr") for run in three[name].test]
        assert figure.value == pytest.approx(np.mean(values))
    assert len(set(ranking.letters.values())) == 3


def test_equal_cards_share_a_letter(tmp_path: Path) -> None:
    store = ten_classes_in(tmp_path, ("attempt-1", "attempt-2", "attempt-3"), seeds=1)
    cards = collect_multiclass_results(store.runs()[0], store)
    first, second = (cards[name] for name in ("attempt-1", "attempt-3"))
    twin = type(second)(second.card, second.runs, first.val, first.test, second.findings, second.images)
    ranking = rank([first, twin, cards["attempt-2"]], "auc")
    assert ranking is not None
    assert ranking.letters["attempt-1"] == ranking.letters["attempt-3"] == "a"


def test_losses_rank_from_the_lowest(three: Cards) -> None:
    ranking = rank(list(three.values()), "log_loss")
    assert ranking is not None
    assert next(iter(ranking.figures)) == BETTER


def test_other_images_cannot_be_compared(three: Cards, ten: Cards) -> None:
    with pytest.raises(ValueError, match="different test images"):
        compare_classes(three[BETTER], ten[WORSE])
