"""The folds of a card and seed are one run whose test scores have every image once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.evidence import TestScores, ValidationScores
from benchmark.evidence.calibration.calibrators import best_calibrator
from benchmark.evidence.metrics.registry import value_of
from benchmark.evidence.scores import Scores
from benchmark.runs.command_line import bench_command
from benchmark.runs.cross_validation import CrossValidatedRun
from benchmark.runs.protocol import Protocol, ThresholdRule
from benchmark.runs.run import Run
from benchmark.runs.storage.lookup import resolve_run
from benchmark.runs.storage.store import Store
from reports.report import build_report
from reports.results.curves import card_curves
from reports.results.folds import calibrated, pool_folds
from reports.results.measured import CardResults, collect_results
from reports.results.pairs import compare_pair
from reports.results.probabilities import probabilities
from reports.results.rescored import all_with_rule
from reports.summary.heading import data_in_words
from tests.support.records import make_spec, on_test, on_val, planted
from tests.support.stored import keep

FOLDS = 3
UNDER = Protocol(name="folded", title="Three folds", image_size=64, test_folds=FOLDS)


def fold(
    store: Store, index: int, *, card: str = "attempt-1", seed: int = 0, shift: float = 2.0, error: str = ""
) -> Run:
    """Fold `index` with 40 test images and 60 validation images; higher folds have higher scores and thresholds."""
    spec = make_spec(card, seed=seed, protocol=UNDER).model_copy(update={"fold": (FOLDS, index)})
    rise = 0.1 * index
    labels, scores = planted(20, 20, shift, seed=10 * seed + index)
    val_labels, val_scores = planted(30, 30, shift, seed=50 + index)
    raised = [rise + (1 - rise) * score for score in scores]
    val = on_val(val_labels, [rise + (1 - rise) * score for score in val_scores])
    more = {"error": error} if error else {}
    return keep(
        store, card, on_test(labels, raised), val, seed=seed, protocol=UNDER, spec=spec, images=f"of-{index}", **more
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("folded"))
    for index in range(FOLDS):
        fold(store, index)
        fold(store, index, card="attempt-2", shift=1.0)
    return store


@pytest.fixture(scope="module")
def pooled(store: Store) -> Run:
    return next(run for run in pool_folds(store.runs()[0], store) if run.spec.card.name == "attempt-1")


@pytest.fixture(scope="module")
def results(pooled: Run, store: Store) -> CardResults:
    return collect_results([pooled], store)["attempt-1"]


def folds_of(run: Run) -> tuple[Run, ...]:
    assert isinstance(run, CrossValidatedRun)
    return run.folds


def test_every_image_has_one_test_score_that_of_its_fold(store: Store, pooled: Run) -> None:
    names, scores = store.images(pooled, "test"), store.scores(pooled, "test")
    assert isinstance(scores, TestScores)
    assert list(names) == sorted(names)
    assert len(set(names)) == len(scores) == 120
    for index, run in enumerate(folds_of(pooled)):
        of_fold = dict(zip(store.images(run, "test"), store.binary_scores(run, "test").y_score, strict=True))
        assert scores.fold is not None
        rows = np.flatnonzero(scores.fold == index)
        assert {names[row]: scores.y_score[row] for row in rows} == of_fold


def test_validation_scores_of_all_folds_have_no_type_to_choose_on(store: Store, pooled: Run) -> None:
    assert type(store.scores(pooled, "val")) is Scores


def test_figures_are_of_all_images_and_thresholds_of_each_fold(store: Store, pooled: Run) -> None:
    thresholds = [run.threshold.value for run in folds_of(pooled) if run.threshold]
    assert len(set(thresholds)) == FOLDS
    right = 0
    for run, cut in zip(folds_of(pooled), thresholds, strict=True):
        test = store.binary_scores(run, "test")
        right += int(((test.y_score >= cut) == test.y_true).sum())
    assert pooled.figures("test", chosen=True)["accuracy"].value == pytest.approx(right / 120)
    assert pooled.threshold is not None
    assert pooled.threshold.value is None
    assert (pooled.threshold.reason or "").startswith("each fold has its own: ")
    of_folds = [run.figures()["auc"].value or 0.0 for run in folds_of(pooled)]
    assert pooled.figures()["auc"].value == pytest.approx(np.mean(of_folds))
    assert pooled.split.sizes["test"] == FOLDS * 200  # as the folds record it
    assert pooled.costs is not None
    assert pooled.costs.seconds == FOLDS * 42


def test_a_fold_that_is_missing_or_failed_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    fold(store, 0)
    [run] = pool_folds(store.runs()[0], store)
    assert (run.status, run.spec.fold) == ("failed", None)
    assert run.error == "folds 2 and 3 of 3 did not run; figures need every fold"
    fold(store, 1)
    fold(store, 2, error="memory")
    [run] = pool_folds(store.runs()[0], store)
    assert run.error == "fold 3 of 3 failed: memory; figures need every fold"
    [section] = build_report([run], store.history, scores=store).sections
    assert section.cards[0].at_half == {}


def test_runs_without_folds_stay_as_they_are(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run = keep(store, "attempt-1")
    assert pool_folds([run], store) == [run]


def test_each_fold_is_calibrated_by_its_own_validation_images(store: Store, pooled: Run, results: CardResults) -> None:
    _, served = calibrated(results.val[0], results.test[0])
    for index, run in enumerate(folds_of(pooled)):
        val = store.scores(run, "val")
        assert isinstance(val, ValidationScores)
        expected = best_calibrator(val).apply(store.binary_scores(run, "test"))
        assert served.fold is not None
        assert np.sort(served.y_score[served.fold == index]) == pytest.approx(np.sort(expected.y_score))


def test_curves_points_and_transfer_agree_with_the_figures(store: Store, pooled: Run, results: CardResults) -> None:
    curves = card_curves(results, store.history, replicates=50)
    assert curves.roc is not None
    assert np.trapezoid(curves.roc.y, curves.roc.x) == pytest.approx(pooled.figures()["auc"].value, abs=1e-9)
    half, chosen = curves.points
    assert (half.threshold, chosen.threshold) == (0.5, None)
    assert chosen.recall == pooled.figures("test", chosen=True)["recall"].value
    [row] = probabilities({"attempt-1": results})
    assert row.transfer.at_chosen["recall"].value == chosen.recall
    assert row.transfer.oracle.value is None
    assert row.transfer.oracle.reason == "each fold has its own threshold"


def test_cards_are_compared_on_all_images(store: Store) -> None:
    measured = collect_results(pool_folds(store.runs()[0], store), store)
    first, second = measured.values()
    pair = next(each for each in compare_pair(first, second) if each.metric == "auc")
    values = [value_of("auc", each.test[0], 0.5) for each in (first, second)]
    assert values[0] is not None
    assert values[1] is not None
    assert pair.difference.value == pytest.approx(values[0] - values[1])
    assert pair.difference.bounds is not None


def test_another_rule_is_applied_in_each_fold(store: Store) -> None:
    runs = [run for run in store.runs()[0] if run.spec.card.name == "attempt-1"]
    rescored = all_with_rule(runs, store, ThresholdRule(rule="sensitivity", value=0.9))
    [run] = pool_folds(rescored, store)
    thresholds = [fold.threshold.value for fold in rescored if fold.threshold]
    assert [fold.threshold.value for fold in folds_of(run) if fold.threshold] == thresholds
    test = store.binary_scores(run, "test")
    assert test.fold is not None
    called = test.y_score >= np.array(thresholds)[test.fold]
    assert run.figures("test", chosen=True)["recall"].value == pytest.approx(np.mean(called[test.y_true == 1]))


def test_a_name_means_all_folds_or_the_first_with_a_word(store: Store, pooled: Run) -> None:
    assert resolve_run(store, "attempt-1", pool=pool_folds).run_id == pooled.run_id
    assert resolve_run(store, pooled.run_id, pool=pool_folds) == pooled
    warnings: list[str] = []
    first = resolve_run(store, "attempt-1:0", warnings.append)
    assert first == folds_of(pooled)[0]
    assert warnings == [
        "'attempt-1:0' names the 3 folds of a cross-validation: this is fold 1, trained without the images that it "
        "tests; `zoo runs` lists the others, `zoo show attempt-1:0` has all figures"
    ]
    assert resolve_run(store, first.run_id, pool=pool_folds) == first


def test_the_heading_counts_each_image_once(pooled: Run) -> None:
    tested = sum(run.split.sizes["test"] for run in folds_of(pooled))
    assert data_in_words(pooled).startswith(f"{tested} ")


def test_the_command_for_more_runs_names_auto_as_a_built_in_protocol(tmp_path: Path) -> None:
    chosen = make_spec(protocol=UNDER.model_copy(update={"name": "auto"}))
    assert "--protocol auto --seeds 3" in bench_command(["attempt-1"], chosen, tmp_path, seeds=3)
    assert "--protocol folded.yaml" in bench_command(["attempt-1"], make_spec(protocol=UNDER), tmp_path)
