"""Curves of a card's runs: what they are against a second source, what their bands count, why one is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import auc, precision_recall_curve, precision_score, recall_score, roc_curve

from benchmark.evidence import TestScores
from benchmark.runs.history import History
from benchmark.runs.storage.store import Store
from reports.report import build_report
from reports.results.curves import CardCurves, Curve, card_curves, seed_history
from reports.results.measured import collect_results
from tests.support.records import HEALTHY, on_test, on_val, planted, recorded_history
from tests.support.stored import keep

Patients = Sequence[str] | None
ATOL = 1e-7  # curves are read a little beside their jumps


def of(folder: Path, *seeds: TestScores, replicates: int = 100, **more: Any) -> CardCurves:
    """The curves of a card with these test scores, one a seed."""
    store = Store(folder)
    runs = [keep(store, "attempt-1", test, seed=seed, **more) for seed, test in enumerate(seeds)]
    (found,) = collect_results(runs, store).values()
    return card_curves(found, store.history, replicates=replicates)


def scored(
    negatives: int = 60, positives: int = 40, shift: float = 1.5, seed: int = 0, decimals: int = 9
) -> TestScores:
    labels, scores = planted(negatives, positives, shift, seed)
    return on_test(labels, np.round(scores, decimals).tolist())


def by_patient(scores: TestScores, patients: Patients) -> TestScores:
    return TestScores("test", scores.y_true, scores.y_score, None if patients is None else tuple(patients))


def ends(curve: Curve | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    assert curve is not None
    assert curve.low is not None
    assert curve.high is not None
    return curve.low, curve.high


@pytest.mark.parametrize("decimals", [9, 1], ids=["distinct", "tied"])
def test_the_roc_curve_of_one_seed_is_that_of_scikit_learn(tmp_path: Path, decimals: int) -> None:
    test = scored(decimals=decimals)
    found = of(tmp_path, test).roc
    assert found is not None
    false_alarms, recall, _ = roc_curve(test.y_true, test.y_score, drop_intermediate=False)
    before, after = np.array(found.x[::2]), np.array(found.x[1::2])
    assert before == pytest.approx(np.arange(61) / 60)
    assert found.x[0] == 0
    assert found.x[-1] == 1
    highest = np.array([recall[false_alarms <= x + 1e-12].max() for x in after])
    on_step = np.isin(np.round(after, 9), np.round(false_alarms, 9))
    assert np.array(found.y[1::2])[on_step] == pytest.approx(highest[on_step], abs=ATOL)
    assert np.array(found.y[1::2]) == pytest.approx(np.interp(after + 1e-9, false_alarms, recall), abs=ATOL)
    assert np.array(found.y[::2]) == pytest.approx(np.interp(before - 1e-9, false_alarms, recall), abs=ATOL)


@pytest.mark.parametrize("decimals", [9, 1], ids=["distinct", "tied"])
def test_the_precision_recall_curve_of_one_seed_is_that_of_scikit_learn(tmp_path: Path, decimals: int) -> None:
    test = scored(decimals=decimals)
    found = of(tmp_path, test).precision_recall
    assert found is not None
    precision, recall, _ = precision_recall_curve(test.y_true, test.y_score)
    recall, precision = recall[:-1], precision[:-1]  # the last point belongs to no threshold
    for x, y in zip(found.x[1::2], found.y[1::2], strict=True):
        reached = recall[recall >= x - 1e-12].min()
        assert y == pytest.approx(precision[recall == reached][-1], abs=ATOL)


def test_the_areas_under_the_curves_are_the_mean_auc_and_average_precision_over_seeds(tmp_path: Path) -> None:
    found = of(tmp_path, *(scored(seed=seed, decimals=2) for seed in range(3)))
    assert found.roc is not None
    assert found.precision_recall is not None
    assert auc(found.roc.x, found.roc.y) == pytest.approx(found.auc.value, abs=1e-6)
    area = auc(found.precision_recall.x, found.precision_recall.y)
    assert area == pytest.approx(found.average_precision.value, abs=1e-6)


def test_seeds_are_averaged_vertically(tmp_path: Path) -> None:
    """Perfect and inverted scores: half of the positives are found at every false alarm rate in between."""
    labels = [0] * 10 + [1] * 10
    good, bad = on_test(labels, [0.1] * 10 + [0.9] * 10), on_test(labels, [0.9] * 10 + [0.1] * 10)
    found = of(tmp_path, good, bad).roc
    assert found is not None
    inside = [y for x, y in zip(found.x, found.y, strict=True) if 0 < x < 1]
    assert inside == pytest.approx([0.5] * len(inside))


def test_a_large_class_is_read_at_no_more_places_than_a_picture_shows(tmp_path: Path) -> None:
    found = of(tmp_path, scored(1000, 1000)).roc
    assert found is not None
    assert len(found.x) < 600
    assert auc(found.x, found.y) == pytest.approx(of(tmp_path / "again", scored(1000, 1000)).auc.value, abs=2e-3)


def test_the_band_holds_the_curve_and_is_the_same_every_time(tmp_path: Path) -> None:
    first, again = (of(tmp_path / name, scored()) for name in ("first", "again"))
    assert first == again
    assert first.roc is not None
    low, high = ends(first.roc)
    assert all(a - 1e-9 <= y <= b + 1e-9 for a, y, b in zip(low, first.roc.y, high, strict=True))
    assert list(low) == sorted(low)
    assert "100 images" in first.band
    assert "spread over seeds unknown" in first.band


def test_images_of_one_patient_are_drawn_together(tmp_path: Path) -> None:
    """Every image twice, as two of one patient: they tell no more than one of them, and the band is no narrower."""
    single = scored()
    twice = on_test(np.repeat(single.y_true, 2).tolist(), np.repeat(single.y_score, 2).tolist())
    names = [f"{number:03}" for number in range(len(single))]
    alone = of(tmp_path / "single", by_patient(single, names))
    related = of(tmp_path / "twice", by_patient(twice, np.repeat(names, 2).tolist()))
    unrelated = of(tmp_path / "unrelated", twice)
    assert "100 patients" in related.band
    assert related.roc is not None
    assert alone.roc is not None
    shared = np.isin(np.round(related.roc.x, 6), np.round(alone.roc.x, 6))
    for theirs, ours in zip(ends(related.roc), ends(alone.roc), strict=True):
        assert np.array(theirs)[shared] == pytest.approx(np.array(ours), abs=1e-6)
    assert width(unrelated) < 0.85 * width(related)


def width(found: CardCurves) -> float:
    low, high = ends(found.roc)
    return float(np.mean(np.subtract(high, low)))


def test_seeds_that_differ_widen_the_band_and_equal_ones_do_not(tmp_path: Path) -> None:
    test = scored()
    one, equal = of(tmp_path / "one", test), of(tmp_path / "equal", test, test, test)
    assert one.roc is not None
    assert equal.roc is not None
    assert equal.roc.low == pytest.approx(one.roc.low)
    assert equal.roc.high == pytest.approx(one.roc.high)
    assert "of 3 seeds" in equal.band
    differing = of(tmp_path / "differing", scored(shift=0.5), scored(shift=1.5), scored(shift=3.0))
    assert width(differing) > 1.5 * width(equal)


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        (on_test([0, 1] * 20, [0.5] * 40), "all scores are the same"),
        (on_test([1] * 40, planted(20, 20)[1]), "one class is missing from test"),
    ],
)
def test_why_there_is_no_curve_is_said(tmp_path: Path, test: TestScores, reason: str) -> None:
    found = of(tmp_path, test)
    assert (found.roc, found.precision_recall, found.reason, found.band) == (None, None, reason, reason)
    assert not found.notes


def test_one_collapsed_seed_of_several_is_averaged_and_named(tmp_path: Path) -> None:
    test = scored()
    found = of(tmp_path, test, on_test(test.y_true.tolist(), [0.5] * len(test)))
    assert found.reason is None
    assert found.roc is not None
    assert auc(found.roc.x, found.roc.y) == pytest.approx(found.auc.value, abs=1e-6)
    assert found.notes == ("Seed 1: all scores are the same; its ROC curve is the diagonal.",)


def test_a_curve_without_a_band_says_why(tmp_path: Path) -> None:
    test = scored()
    alone = of(tmp_path / "alone", by_patient(test, ["one"] * len(test)))
    assert alone.roc is not None
    assert alone.roc.low is None
    assert alone.band == "no band: a single patient shows no variation"
    rare = of(tmp_path / "rare", on_test([1] + [0] * 30, planted(20, 11)[1]))
    assert rare.precision_recall is not None
    assert rare.precision_recall.high is None
    assert "of 100 resamples lack a class" in rare.band


def test_operating_points_are_at_a_half_and_at_the_threshold_from_validation(tmp_path: Path) -> None:
    tests = [scored(seed=seed) for seed in range(2)]
    found = of(tmp_path, *tests)
    assert [(point.seed, point.chosen) for point in found.points] == [(0, False), (0, True), (1, False), (1, True)]
    assert [point.threshold for point in found.points if not point.chosen] == [0.5, 0.5]
    for point in found.points:
        test = tests[point.seed]
        called = test.y_score >= point.threshold
        assert point.recall == pytest.approx(recall_score(test.y_true, called))
        assert point.specificity == pytest.approx(recall_score(test.y_true, called, pos_label=0))
        assert point.precision == pytest.approx(precision_score(test.y_true, called))


def test_a_seed_that_chose_no_threshold_has_one_point_and_a_note(tmp_path: Path) -> None:
    found = of(tmp_path, scored(), val=on_val([0, 1] * 30, [0.4] * 60))
    assert [point.chosen for point in found.points] == [False]
    (note,) = found.notes
    assert note.startswith("Seed 0: no threshold was chosen on validation: ")


def test_precision_is_missing_where_nothing_is_called_positive(tmp_path: Path) -> None:
    labels, scores = planted(30, 30)
    found = of(tmp_path, on_test(labels, (np.array(scores) / 3).tolist()))
    assert found.points[0].precision is None
    assert found.points[0].recall == 0


def test_epochs_are_counted_through_all_phases() -> None:
    rows = recorded_history(HEALTHY, "head", "finetune")
    found = seed_history(3, rows)
    assert found.seed == 3
    assert found.epochs == (1, 2, 3, 4, 5, 6)
    assert found.phases == ((1, "head"), (4, "finetune"))
    assert found.val_accuracy == (0.6, 0.75, 0.82) * 2


def test_what_was_not_recorded_is_missing_and_not_nought() -> None:
    found = seed_history(0, History.of([{"epoch": "1", "loss": "nan", "accuracy": "", "val_loss": "0.5"}]))
    assert (found.loss, found.accuracy, found.val_loss, found.val_accuracy) == ((None,), (None,), (0.5,), (None,))
    assert seed_history(0, History()).epochs == ()


def test_a_report_has_the_curves_of_every_card_where_there_are_scores(tmp_path: Path) -> None:
    store = Store(tmp_path)
    runs = [keep(store, card, seed=seed) for card, seed in (("attempt-7", 0), ("attempt-1", 0), ("attempt-1", 1))]
    (section,) = build_report(runs, store.history, scores=store).sections
    assert [(found.card, found.seeds) for found in section.curves] == [("attempt-1", (0, 1)), ("attempt-7", (0,))]
    assert [history.seed for history in section.curves[0].history] == [0, 1]
    assert build_report(runs, store.history).sections[0].curves == ()
