"""The folds of a card and seed are one run whose test scores have every image once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.evidence import TestScores, ValidationScores
from benchmark.evidence.calibration.calibrators import best_calibrator
from benchmark.evidence.decisions.decide import Decision, FoldedDecision, decide, decide_all
from benchmark.evidence.metrics.registry import value_of
from benchmark.evidence.scores import MulticlassTestScores, Scores
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.command_line import bench_command
from benchmark.runs.cross_validation import CrossValidatedRun
from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.protocol import Protocol, ThresholdRule
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.remembered import remember_bench
from benchmark.runs.storage.lookup import resolve_run
from benchmark.runs.storage.store import Store
from reports.figures.card import history_figure
from reports.gallery.multiclass import decisions_of
from reports.render.html.scores import slider_data
from reports.render.markdown.cards import diagnosis_markdown
from reports.render.markdown.document import render as render_markdown
from reports.report import Section, build_report
from reports.results.comparison.pairs import compare_pair
from reports.results.curves import card_curves, learning_curves
from reports.results.folds import calibrated, pool_folds
from reports.results.measured import CardResults, collect_multiclass_results, collect_results
from reports.results.multiclass.figures import multiclass_card
from reports.results.probabilities import probabilities
from reports.results.rescored import all_with_rule
from reports.summary.heading import data_in_words
from tests.support.multiclass_stores import RADIOGRAPHS, make_multiclass_run, simulated
from tests.support.multiclass_stores import on_test as multiclass_test
from tests.support.multiclass_stores import on_val as multiclass_val
from tests.support.records import HEALTHY, make_spec, on_test, on_val, planted
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
    assert run.error == "interrupted: folds 2 and 3 of 3 did not run; figures need every fold"
    section = section_of([run], store)
    [card] = section.cards
    assert (card.failed, card.errors, card.pending) == ((), (), (run.error,))
    assert section.summary is not None
    assert section.summary.reason == "the bench was interrupted before a card finished"
    assert section.summary.problems[0].code == "unfinished-runs"
    assert "failed" not in "".join([*diagnosis_markdown([run]), section.summary.problems[0].text])
    fold(store, 1)
    fold(store, 2, error="memory")
    [run] = pool_folds(store.runs()[0], store)
    assert run.error == "fold 3 of 3 failed: memory; figures need every fold"
    [section] = build_report([run], store.history, scores=store).sections
    assert section.cards[0].at_half == {}
    for index in range(FOLDS):
        fold(store, index, error=f"ended at {index}.5 GiB of memory during step {index}")
    [run] = pool_folds(store.runs()[0], store)
    assert run.error == "all 3 folds failed: ended at 0.5 GiB of memory during step 0; figures need every fold"
    assert section_of([run], store).cards[0].errors == (run.error,)


def section_of(runs: list[Run], store: Store) -> Section:
    [section] = build_report(runs, store.history, scores=store).sections
    return section


def test_folds_that_a_running_bench_awaits_have_not_failed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    spec = fold(store, 0).spec
    fold(store, 1, error="memory")
    ids = {spec.model_copy(update={"fold": (FOLDS, index)}).run_id: "attempt-1" for index in range(FOLDS)}
    remember_bench(store, [*ids, "0" * 12], spec.dataset, cards={**ids, "0" * 12: "attempt-2"})
    with store.claim(list(ids)[2]):
        pooled = pool_folds(store.runs()[0], store)
        section = section_of(pooled, store)
    assert pooled[0].error == "not finished yet: 1 of 3 folds has finished; figures need every fold"
    [card] = section.cards
    assert (card.failed, card.errors, card.pending) == ((), (), (pooled[0].error,))
    assert section.summary is not None
    assert section.summary.problems[0].text == (
        f"The bench is still running: {card.card.title} is not finished yet; waiting: attempt-2."
    )
    assert "failed: " not in "".join(diagnosis_markdown(pooled))
    [run] = pool_folds(store.runs()[0], store)
    assert run.error == "fold 2 of 3 failed: memory; fold 3 of 3 did not run; figures need every fold"


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


def test_learning_curves_are_those_of_each_fold(store: Store, results: CardResults) -> None:
    curves = learning_curves(results.runs, store.history)
    assert [(each.seed, each.fold, each.label) for each in curves] == [
        (0, number, f"seed 0, fold {number}") for number in (1, 2, 3)
    ]
    assert all(each.val_loss == tuple(HEALTHY["val_loss"]) for each in curves)
    lines = history_figure(replace(card_curves(results, store.history, replicates=50), history=curves)).axes[0].lines
    assert len(lines) == 2 * FOLDS


def test_the_slider_has_the_threshold_of_each_fold_and_the_counts_at_them(store: Store, pooled: Run) -> None:
    test = store.scores(pooled, "test")
    [entry] = slider_data([pooled], {pooled.run_id: test})
    assert entry["chosen"] is None
    assert entry["folds"] == [run.threshold.value for run in folds_of(pooled) if run.threshold]
    counts, chosen = entry["counts"], pooled.figures("test", chosen=True)
    assert counts["tp"] / (counts["tp"] + counts["fn"]) == pytest.approx(chosen["recall"].value)
    assert counts["tn"] / (counts["tn"] + counts["fp"]) == pytest.approx(chosen["specificity"].value)
    [fold_entry] = slider_data([folds_of(pooled)[0]], {folds_of(pooled)[0].run_id: test})
    assert "folds" not in fold_entry


def three_classes(store: Store, rule: dict[str, object]) -> Run:
    """Three folds of three classes as one run; the scores of higher folds are more certain."""
    under = UNDER.model_copy(update={"decision": DecisionRule.model_validate(rule)})
    for index in range(FOLDS):
        spec = make_spec("attempt-1", dataset=RADIOGRAPHS, protocol=under).model_copy(update={"fold": (FOLDS, index)})
        parts = []
        for images, count in ((2 * index, 60), (2 * index + 1, 45)):
            labels = [place % 3 for place in range(count)]
            parts.append((labels, simulated(labels, 3, shift=1.5 + index, images=images)))
        val, test = multiclass_val(RADIOGRAPHS, *parts[0]), multiclass_test(RADIOGRAPHS, *parts[1])
        run = make_multiclass_run("attempt-1", val, test, protocol=under, spec=spec)
        names = [[f"{part}-{index}/{place}" for place in range(count)] for part, count in (("val", 60), ("test", 45))]
        store.save(run, [(val, names[0]), (test, names[1])])
    [pooled] = pool_folds(store.runs()[0], store)
    return pooled


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        ({"rule": "abstain", "target": "accuracy", "value": 0.9}, "coverage"),
        (
            {"rule": "class_at", "of_class": "VIRUS", "target": "sensitivity", "value": 0.95},
            "recall:class:VIRUS",
        ),
        ({"rule": "cost", "costs": {"VIRUS": {"NORMAL": 5.0}}}, "expected_cost"),
    ],
    ids=lambda value: value["rule"] if isinstance(value, dict) else None,
)
def test_each_fold_of_three_classes_decides_on_its_images(tmp_path: Path, rule: dict[str, object], key: str) -> None:
    """The decisions together are those of each fold alone, which the record of the fold has."""
    store = Store(tmp_path / "runs")
    pooled = three_classes(store, rule)
    assert pooled.decision is not None
    assert pooled.decision.is_chosen
    results = collect_multiclass_results([pooled], store)["attempt-1"]
    assert results.chosen is not None
    [decided], test = results.chosen, results.test[0]
    assert test.fold is not None
    for index, run in enumerate(folds_of(pooled)):
        assert run.decision is not None
        rows = test.fold == index
        assert decided[rows].tolist() == decide(run.decision, test.y_score[rows]).tolist()
    by_fold = [run.figures("test", chosen=True)[key].value or 0.0 for run in folds_of(pooled)]
    assert len(set(by_fold)) > 1
    assert pooled.figures("test", chosen=True)[key].value == pytest.approx(np.mean(by_fold))  # folds of equal sizes
    report = build_report([pooled], store.history, scores=store)
    text = render_markdown(report)
    if pooled.decision.threshold is None and key != "expected_cost":
        assert "each fold has its own threshold: " in text
    assert multiclass_card(results, store.history).chosen is not None
    assert decisions_of(pooled, test).tolist() == decided.tolist()


def test_a_fold_of_three_classes_that_chose_nothing_is_named() -> None:
    chose = Decision("abstain", ("a", "b", "c"), target="accuracy", value=0.9, threshold=Threshold(0.7, "accuracy"))
    none = replace(chose, threshold=Threshold(None, "accuracy", "no image is right"), reason="no image is right")
    together = FoldedDecision.of([chose, none])
    assert together.reason == "fold 2 of 2 chose none: no image is right"
    assert together.thresholds == ()
    scores = MulticlassTestScores("test", np.array([0, 1]), np.eye(3)[:2], ("a", "b", "c"), fold=np.array([0, 1]))
    assert decide_all(together, scores).tolist() == [0, 1]
    with pytest.raises(ValueError, match="different rules"):
        FoldedDecision.of([chose, replace(chose, value=0.8)])
    with pytest.raises(ValueError, match="these scores have no folds"):
        decide_all(FoldedDecision.of([chose, chose]), replace(scores, fold=None))


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
