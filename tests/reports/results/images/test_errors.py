"""The test images and the cards that miss them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from benchmark.evidence.calibration.calibrators import best_calibrator
from benchmark.evidence.calibration.scaling import best_multiclass_calibrator
from benchmark.runs.storage.store import Store
from reports.render.html.image_table import images_view
from reports.report import build_report
from reports.results.folds import pool_folds
from reports.results.images.errors import ImageErrors, image_errors
from reports.results.images.errors_text import left_out, meaning, summary
from reports.results.measured import collect_multiclass_results, collect_results
from tests.reports.results.test_folds import FOLDS, fold
from tests.support.multiclass_stores import BETTER, COLLAPSED, RADIOGRAPHS, three_classes_in
from tests.support.records import KAGGLE, make_run, on_test, on_val, planted
from tests.support.stored import keep

TRUTH = [0, 0, 1, 1]
RIGHT, LAST_WRONG = [0.1, 0.4, 0.8, 0.9], [0.1, 0.6, 0.8, 0.3]


def calibrated(score: float) -> float:
    """The probability of a score by the validation images that `keep` gives a run."""
    return best_calibrator(on_val(*planted(60, 60, seed=1))).probability(score)


def errors_of(store: Store, *cards: tuple[str, list[list[float]]]) -> ImageErrors | None:
    """The errors of cards with the test scores of each seed; all thresholds chosen on validation are left at 0.5."""
    runs = []
    for name, seeds in cards:
        for seed, scores in enumerate(seeds):
            keep(store, name, on_test(TRUTH, scores), seed=seed)
    runs = [run.model_copy(update={"threshold": None}) for run in store.runs()[0]]
    return image_errors(collect_results(runs, store), KAGGLE.classes)


def test_the_image_that_most_cards_miss_is_first_and_its_scores_are_those_of_the_positive_class(tmp_path: Path) -> None:
    errors = errors_of(Store(tmp_path), ("attempt-1", [RIGHT]), ("attempt-5", [LAST_WRONG]))
    assert errors is not None
    assert errors.cards == ("attempt-1", "attempt-5")
    assert errors.probability_of == KAGGLE.classes[1]
    assert [(row.name, row.true_class, row.misses) for row in errors.rows[:2]] == [
        ("test/1", KAGGLE.classes[0], 1),
        ("test/3", KAGGLE.classes[1], 1),
    ]
    assert errors.rows[0].probability == (calibrated(0.4), calibrated(0.6))
    assert errors.rows[0].missed == (False, True)
    assert [row.name for row in errors.missed_by_any] == ["test/1", "test/3"]
    assert errors.missed_by_all == ()
    assert summary(errors) == "Both cards miss 0 of 4 test images; at least one card misses 2."
    assert "if most of its runs do" not in meaning(errors, {})


def test_a_card_misses_an_image_that_most_of_its_runs_decide_wrongly(tmp_path: Path) -> None:
    seeds = [RIGHT, LAST_WRONG, [0.1, 0.7, 0.8, 0.9]]
    errors = errors_of(Store(tmp_path), ("attempt-1", seeds))
    assert errors is not None
    of = {row.name: row for row in errors.rows}
    assert (of["test/1"].wrong_runs, of["test/1"].missed) == ((2,), (True,))
    assert (of["test/3"].wrong_runs, of["test/3"].missed) == ((1,), (False,))
    assert of["test/1"].probability == (pytest.approx(np.mean([calibrated(score) for score in (0.4, 0.6, 0.7)])),)
    assert "if most of its runs do" in meaning(errors, {})


def test_a_card_with_one_answer_and_a_card_on_other_images_are_left_out_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keep(store, "attempt-7", on_test(TRUTH, LAST_WRONG), images="other")
    errors = errors_of(store, ("attempt-1", [LAST_WRONG]), ("attempt-5", [[0.9] * 4]))
    assert errors is not None
    assert errors.cards == ("attempt-1",)
    assert (errors.one_answer, errors.other_images) == (("attempt-5",), ("attempt-7",))
    assert summary(errors) == "The card misses 2 of 4 test images."
    assert left_out(errors, {"attempt-5": "Average pooling"}) == [
        "Left out, because every image gets the same answer: Average pooling.",
        "Left out, because they were scored on other test images: attempt-7.",
    ]
    assert errors_of(Store(tmp_path / "constant"), ("attempt-5", [[0.9] * 4])) is None


def test_three_classes_have_the_score_of_the_true_class_and_miss_as_often_as_scikit_learn_says(tmp_path: Path) -> None:
    store = three_classes_in(tmp_path)
    measured = collect_multiclass_results([run for run in store.runs()[0] if run.status == "ok"], store)
    errors = image_errors(measured, RADIOGRAPHS.classes)
    assert errors is not None
    assert errors.one_answer == (COLLAPSED,)
    assert errors.probability_of is None
    card = errors.cards.index(BETTER)
    results = measured[BETTER]
    wrong = sum(
        len(test) - accuracy_score(test.y_true, test.y_score.argmax(axis=1), normalize=False) for test in results.test
    )
    assert sum(row.wrong_runs[card] for row in errors.rows) == wrong
    row = errors.rows[0]
    place = results.images.index(row.name)
    label = RADIOGRAPHS.classes.index(row.true_class)
    served = [best_multiclass_calibrator(val).apply(test) for val, test in zip(results.val, results.test, strict=True)]
    assert row.probability[card] == pytest.approx(np.mean([test.y_score[place, label] for test in served]))
    assert "by the decision rule" in meaning(errors, {})


def test_a_report_has_the_images_of_each_section_and_none_without_scores(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run = keep(store, "attempt-5")
    (section,) = build_report([run], store.history, scores=store).sections
    assert section.image_errors is not None
    assert len(section.image_errors.rows) == 200
    (bare,) = build_report([make_run("attempt-5")], store.history).sections
    assert bare.image_errors is None


def test_calibration_is_stated_card_by_card(tmp_path: Path) -> None:
    errors = errors_of(Store(tmp_path), ("attempt-1", [RIGHT]), ("attempt-5", [LAST_WRONG]))
    assert errors is not None
    assert errors.calibrated == ((1, 1), (1, 1))
    assert "Values are probabilities of PNEUMONIA, calibrated on validation." in meaning(errors, {})
    none = replace(errors, calibrated=((0, 1), (0, 1)))
    assert "Values are scores of PNEUMONIA, not calibrated." in meaning(none, {})
    some = meaning(replace(errors, calibrated=((2, 5), (0, 5))), {"attempt-5": "Average pooling"})
    assert some.endswith("probabilities: in 2 of 5 models: attempt-1; not calibrated: Average pooling.")


def test_each_image_has_its_fold_and_the_threshold_of_the_model_that_tests_it(tmp_path: Path) -> None:
    """A value is at its threshold or above if and only if the model of its fold calls the image positive."""
    store = Store(tmp_path)
    for index in range(FOLDS):
        fold(store, index)
    [run] = pool_folds(store.runs()[0], store)
    errors = image_errors(collect_results([run], store), KAGGLE.classes)
    assert errors is not None
    assert {row.fold for row in errors.rows} == {1, 2, 3}
    assert errors.calibrated[0][1] == FOLDS
    assert len({row.threshold for row in errors.rows}) == FOLDS
    for row in errors.rows:
        (value,), (threshold,), (missed,) = row.probability, row.threshold, row.missed
        assert threshold is not None
        assert row.name.startswith(f"of-{(row.fold or 0) - 1}/")
        if abs(value - threshold) > 1e-9:  # calibration by isotonic regression may map both to one value
            assert (value > threshold) == (missed == (row.true_class == KAGGLE.classes[0]))
    assert "Each fold has its own model and threshold" in meaning(errors, {})
    [section] = build_report([run], store.history, scores=store).sections
    view = images_view(section, ["attempt-1"], {}, {"attempt-1": "A"})
    assert view is not None
    assert list(view.thresholds) == [1, 2, 3]
    assert view.rows[0].cells[0].threshold in {values[0] for values in view.thresholds.values()}


def test_a_card_with_several_seeds_has_no_single_threshold(tmp_path: Path) -> None:
    errors = errors_of(Store(tmp_path), ("attempt-1", [RIGHT, LAST_WRONG]))
    assert errors is not None
    assert {row.threshold for row in errors.rows} == {(None,)}
    assert errors.rows[0].fold is None
