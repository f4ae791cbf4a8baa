"""Cards against each other: figures and tests are those of other libraries, and no order of cards decides anything."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, log_loss, recall_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from benchmark.evidence import TestScores, ValidationScores
from benchmark.evidence.calibration.calibrators import best_calibrator
from benchmark.runs.protocol import load_protocol
from benchmark.runs.storage.store import Store
from reports.results.comparison.pairs import (
    compare_pair,
    difference,
    figure,
    gain_of_calibration,
    gain_of_threshold,
    rank,
)
from reports.results.measured import CardResults, collect_results
from tests.support.records import on_test, on_val, planted
from tests.support.stored import keep

NAMES = ("attempt-1", "attempt-2", "attempt-3", "attempt-4", "attempt-5")
FREE = load_protocol("quick").model_copy(
    update={"sampling": load_protocol("quick").sampling.model_copy(update={"balanced": False})}
)
SECOND = {
    "accuracy": lambda y, s: accuracy_score(y, s >= 0.5),
    "recall": lambda y, s: recall_score(y, s >= 0.5),
    "f1": lambda y, s: f1_score(y, s >= 0.5),
    "auc": roc_auc_score,
    "log_loss": log_loss,
    "brier": brier_score_loss,
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def scored(shift: float, seed: int, n: int = 100) -> TestScores:
    return on_test(*planted(n, n, shift, seed))


def squeezed(scores: TestScores | ValidationScores) -> list[float]:
    """The same ranking, all above 0.5."""
    return [0.6 + 0.4 * float(score) for score in scores.y_score]


def measured(store: Store) -> dict[str, CardResults]:
    return collect_results(store.runs()[0], store)


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CardResults]:
    """Two cards that are alike, one in between, one much worse, one much better; the better one has two seeds."""
    kept = Store(tmp_path_factory.mktemp("five"))
    for number, (name, shift) in enumerate(zip(NAMES, (1.5, 1.5, 1.9, 0.3, 4.0), strict=True)):
        keep(kept, name, scored(shift, 50 + number))
    keep(kept, "attempt-5", scored(4.0, 99), seed=1)
    return measured(kept)


def test_figures_and_differences_are_those_of_scikit_learn(five: dict[str, CardResults]) -> None:
    a, b = five["attempt-3"], five["attempt-5"]
    for pair in compare_pair(a, b, tuple(SECOND)):
        of_a, of_b = (np.mean([SECOND[pair.metric](run.y_true, run.y_score) for run in side.test]) for side in (a, b))
        assert pair.a.value == pytest.approx(of_a)
        assert pair.b.value == pytest.approx(of_b)
        assert pair.difference.value == pytest.approx(of_a - of_b)


def test_several_seeds_are_counted_with_their_spread(five: dict[str, CardResults]) -> None:
    (pair,) = compare_pair(five["attempt-5"], five["attempt-1"], ["auc"])
    values = [roc_auc_score(run.y_true, run.y_score) for run in five["attempt-5"].test]
    assert pair.difference.seeds == (2, 1)
    assert (pair.a.seeds, pair.b.seeds) == (2, 1)
    assert pair.a.spread == pytest.approx(np.std(values, ddof=1))
    assert pair.b.spread is None


def test_accuracy_is_tested_by_the_interval_of_its_difference_as_mcnemar_would(five: dict[str, CardResults]) -> None:
    a, b = five["attempt-1"], five["attempt-3"]
    right = [(side.test[0].y_score >= 0.5) == (side.test[0].y_true == 1) for side in (a, b)]
    counted = [[int(np.sum(x & y)) for y in (right[1], ~right[1])] for x in (right[0], ~right[0])]
    (pair,) = compare_pair(a, b, ["accuracy"])
    assert pair.difference.p_value == pytest.approx(mcnemar(counted, exact=False, correction=False).pvalue, abs=0.01)
    assert pair.difference.test == "Newcombe"


def test_p_values_are_adjusted_by_holm_over_all_metrics(five: dict[str, CardResults]) -> None:
    found = compare_pair(five["attempt-1"], five["attempt-3"])
    assert [pair.metric for pair in found] == [
        "accuracy",
        "balanced_accuracy",
        "precision",
        "recall",
        "specificity",
        "f1",
        "auc",
        "brier",
        "log_loss",
    ]
    raw = [pair.difference.p_value for pair in found]
    assert pytest.approx(multipletests(raw, method="holm")[1]) == [pair.p_adjusted for pair in found]


def test_the_order_of_two_cards_turns_the_sign_and_nothing_else(five: dict[str, CardResults]) -> None:
    one = compare_pair(five["attempt-1"], five["attempt-5"])
    other = compare_pair(five["attempt-5"], five["attempt-1"])
    for here, there in zip(one, other, strict=True):
        assert here.a == there.b
        assert here.difference.value == pytest.approx(-(there.difference.value or 0.0))
        assert here.p_adjusted == pytest.approx(there.p_adjusted)


def test_an_undefined_metric_has_a_reason_and_does_not_count_in_the_family(store: Store) -> None:
    """A card that calls nothing positive has no precision."""
    labels, scores = planted(100, 100)
    keep(store, "attempt-1", on_test(labels, [score / 3 for score in scores]))
    keep(store, "attempt-2", on_test(labels, scores))
    found = measured(store)
    precision, auc = compare_pair(found["attempt-1"], found["attempt-2"], ["precision", "auc"])
    assert precision.a.value is None
    assert precision.b.value is not None
    assert (precision.difference.value, precision.difference.p_value, precision.p_adjusted) == (None, None, None)
    assert precision.difference.reason
    assert auc.p_adjusted == auc.difference.p_value


def test_cards_on_other_images_are_not_compared(store: Store) -> None:
    keep(store, "attempt-1")
    keep(store, "attempt-2", images="others")
    found = measured(store)
    with pytest.raises(ValueError, match="attempt-1 and attempt-2 were scored on different test images"):
        compare_pair(found["attempt-1"], found["attempt-2"])
    gap = difference(found["attempt-1"], found["attempt-2"], "auc")
    assert gap.value is None
    assert gap.reason == "the cards were scored on different test images"
    assert rank(list(found.values()), "auc") is None


def test_cards_that_are_alike_share_a_letter_and_a_much_better_one_does_not(five: dict[str, CardResults]) -> None:
    found = rank(list(five.values()), "auc")
    assert found is not None
    assert next(iter(found.figures)) == "attempt-5"
    assert set(found.letters["attempt-1"]) & set(found.letters["attempt-2"])
    for other in NAMES[:4]:
        assert not set(found.letters["attempt-5"]) & set(found.letters[other])
    for other in NAMES[:3]:
        assert not set(found.letters["attempt-4"]) & set(found.letters[other])


def test_pairs_are_told_apart_by_holm_over_all_pairs(five: dict[str, CardResults]) -> None:
    found = rank(list(five.values()), "auc")
    assert found is not None
    couples = list(combinations(NAMES, 2))
    raw = [difference(five[a], five[b], "auc").p_value for a, b in couples]
    apart = multipletests(raw, alpha=0.05, method="holm")[0]
    assert (found.pairs, found.significant) == (10, sum(apart))
    for (a, b), told in zip(couples, apart, strict=True):
        assert bool(set(found.letters[a]) & set(found.letters[b])) != told


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(NAMES), metric=st.sampled_from(["auc", "accuracy"]))
def test_the_order_of_cards_decides_nothing(five: dict[str, CardResults], order: Sequence[str], metric: str) -> None:
    assert rank([five[name] for name in order], metric) == rank([five[name] for name in NAMES], metric)


def test_the_order_of_cards_decides_nothing_where_figures_come_from_the_bootstrap(five: dict[str, CardResults]) -> None:
    cards = list(five.values())
    assert rank(cards, "f1") == rank(cards[::-1], "f1")


@pytest.mark.parametrize("odd", NAMES[:3])
def test_one_card_on_other_images_is_left_out_wherever_it_stands(store: Store, odd: str) -> None:
    for number, name in enumerate(NAMES[:3]):
        keep(store, name, scored(1.5, number), images="others" if name == odd else "test")
    found = list(measured(store).values())
    for order in (found, found[::-1]):
        ranking = rank(order, "auc")
        assert ranking is not None
        assert ranking.left_out == (odd,)
        assert set(ranking.figures) == set(NAMES[:3]) - {odd}


def test_a_loss_ranks_the_lowest_first(five: dict[str, CardResults]) -> None:
    found = rank(list(five.values()), "brier")
    assert found is not None
    values = [each.value for each in found.figures.values() if each.value is not None]
    assert values == sorted(values)
    assert "a" in found.letters[next(iter(found.figures))]


def test_a_card_without_the_figure_is_left_out(store: Store) -> None:
    """Precision of a card that calls nothing positive is undefined, not zero."""
    for number, name in enumerate(NAMES[:2]):
        keep(store, name, scored(1.5, number))
    labels, scores = planted(100, 100)
    keep(store, "attempt-3", on_test(labels, [score / 3 for score in scores]))
    found = rank(list(measured(store).values()), "precision")
    assert found is not None
    assert found.left_out == ("attempt-3",)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_cards_are_no_ranking(five: dict[str, CardResults], count: int) -> None:
    assert rank(list(five.values())[:count], "auc") is None


def test_a_threshold_from_validation_gains_what_scikit_learn_counts(store: Store) -> None:
    test, val = scored(2.0, 3), on_val(*planted(60, 60, seed=4))
    keep(store, "attempt-1", on_test(test.y_true.tolist(), squeezed(test)), on_val(val.y_true.tolist(), squeezed(val)))
    found = measured(store)["attempt-1"]
    (cut,) = found.thresholds
    assert cut is not None
    after = accuracy_score(found.test[0].y_true, found.test[0].y_score >= cut)
    gain = gain_of_threshold(found, "accuracy")
    assert gain.value == pytest.approx(after - 0.5)
    assert after - 0.5 > 0.25
    assert gain_of_threshold(found, "auc").value == 0


def test_calibration_gains_what_the_calibrated_scores_count(store: Store) -> None:
    test, val = scored(2.0, 3), on_val(*planted(60, 60, seed=4))
    keep(store, "attempt-1", on_test(test.y_true.tolist(), squeezed(test)), on_val(val.y_true.tolist(), squeezed(val)))
    found = measured(store)["attempt-1"]
    calibrated = best_calibrator(found.val[0]).apply(found.test[0])
    gain = gain_of_calibration(found, "brier")
    expected = brier_score_loss(test.y_true, calibrated.y_score) - brier_score_loss(test.y_true, squeezed(test))
    assert gain.value == pytest.approx(expected)
    assert expected < 0


def test_one_run_without_a_threshold_or_calibrator_leaves_no_gain(store: Store) -> None:
    keep(store, "attempt-1", seed=0)
    keep(store, "attempt-1", val=on_val([0, 1] * 30, [0.7] * 60), seed=1)
    found = measured(store)["attempt-1"]
    threshold, calibration = gain_of_threshold(found, "accuracy"), gain_of_calibration(found, "accuracy")
    assert (threshold.value, threshold.reason) == (None, "a run chose no threshold")
    assert (calibration.value, calibration.reason) == (None, "a calibrator was rolled back")


def test_a_figure_is_the_mean_over_seeds_on_either_split(store: Store) -> None:
    vals = [on_val(*planted(60, 60, seed=seed)) for seed in (5, 6)]
    tests = [scored(1.5, seed) for seed in (7, 8)]
    for seed in (0, 1):
        keep(store, "attempt-1", tests[seed], vals[seed], seed=seed)
    found = measured(store)["attempt-1"]
    for split, scores in (("val", vals), ("test", tests)):
        got = figure(found, "auc", split)
        assert got.value == pytest.approx(np.mean([roc_auc_score(one.y_true, one.y_score) for one in scores]))
        assert got.n == len(scores[0])
        count = figure(found, "true_positives", split)
        expected = np.mean([np.sum((one.y_score >= 0.5) & (one.y_true == 1)) for one in scores])
        assert (count.value, count.n) == (expected, len(scores[0]))
        assert count.low is None


@pytest.mark.parametrize(
    ("metric", "split", "says"),
    [("accuracy", "train", "not stored"), ("jaccard", "test", "jaccard has no counterpart")],
)
def test_a_figure_that_is_not_there_says_why(five: dict[str, CardResults], metric: str, split: str, says: str) -> None:
    got = figure(five["attempt-1"], metric, split)
    assert got.value is None
    assert says in (got.reason or "")


def test_validation_figures_of_seeds_with_splits_of_their_own_are_not_pooled(store: Store) -> None:
    protocol = load_protocol("quick").model_copy(update={"split": "per-seed"})
    vals = [on_val(*planted(60, 60, seed=1)), on_val(*planted(50, 70, seed=2))]
    for seed, val in enumerate(vals):
        keep(store, "attempt-1", val=val, seed=seed, protocol=protocol)
    found = measured(store)["attempt-1"]
    assert len(found.runs) == 2
    got = figure(found, "auc", "val")
    assert (got.value, got.reason) == (None, "each seed has different validation images")
    assert figure(found, "auc").value is not None


@pytest.mark.parametrize(("protocol", "sizes"), [(load_protocol("quick"), "fixed"), (FREE, "drawn")])
def test_the_protocol_says_whether_class_sizes_were_fixed(store: Store, protocol: object, sizes: str) -> None:
    keep(store, "attempt-1", protocol=protocol)
    assert load_protocol("quick").sampling.balanced
    assert measured(store)["attempt-1"].class_sizes == sizes
