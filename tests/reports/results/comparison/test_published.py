"""Published figures stand beside measured ones, with their difference and what it rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from benchmark.evidence.intervals.formulas import hanley_mcneil, newcombe, wilson
from benchmark.evidence.scores import TestScores
from benchmark.runs.history import NO_HISTORY, History
from benchmark.runs.run import DatasetFacts, Run
from benchmark.runs.storage.store import Store
from reports.claims.model import Claims
from reports.render.markdown.document import render
from reports.report import build_report
from reports.results.comparison.published import Comparison, compare_card, final_test_figures, is_different_data
from tests.support.claims import contents, row
from tests.support.judging import claims_about, report_of
from tests.support.multiclass_stores import RADIOGRAPHS, keep_multiclass, simulated
from tests.support.multiclass_stores import on_test as on_test_of
from tests.support.multiclass_stores import on_val as on_val_of
from tests.support.records import (
    HEALTHY,
    KAGGLE,
    PHANTOM,
    cards,
    make_card,
    make_run,
    of_counts,
    on_test,
    on_val,
    planted,
    recorded_history,
)
from tests.support.stored import keep

SOURCE = {
    "report": "a report",
    "section": "a section",
    "data": KAGGLE.source,
    "test": {"negatives": 234, "positives": 234},
}


def figure(metric: str, value: float, split: str = "test", decimals: int = 4, **more: Any) -> dict[str, Any]:
    return {"metric": metric, "value": value, "split": split, "decimals": decimals, "location": "a table", **more}


def compared(run: Run, history: History | None = None) -> list[Comparison]:
    return compare_card([run], lambda _: recorded_history() if history is None else history)


def only(run: Run, history: History | None = None) -> Comparison:
    (comparison,) = compared(run, history)
    return comparison


def run_with(published: dict[str, Any], **more: Any) -> Run:
    return make_run(make_card(source=SOURCE, published=[published]), **more)


def by_metric(run: Run) -> dict[str, Comparison]:
    return {c.published.metric: c for c in compared(run)}


@pytest.mark.parametrize("name", cards())
def test_every_published_figure_of_a_card_is_compared_once_and_in_order(name: str) -> None:
    run = make_run(name, seed=3)
    found = compared(run)
    assert [c.published for c in found] == list(cards()[name].published)
    assert {(c.card, c.seeds) for c in found} <= {(name, (3,))}


@pytest.mark.parametrize("name", cards())
def test_without_a_measured_figure_there_is_a_note_and_no_difference(name: str) -> None:
    for c in compared(make_run(name), NO_HISTORY):
        assert (c.measured.value is None) == (c.difference.value is None)
        if c.measured.value is None:
            assert c.note
            assert c.measured.bounds is None
            assert c.difference.bounds is None


def test_the_difference_is_measured_minus_published() -> None:
    found = by_metric(make_run("attempt-6b", test=of_counts(tp=90, fp=30, tn=70, fn=10)))
    assert found["accuracy"].measured.value == pytest.approx(0.8)
    assert found["accuracy"].difference.value == pytest.approx(0.8 - 0.7671)
    assert found["recall"].difference.value == pytest.approx(0.9 - 0.5598)
    assert found["precision"].difference.value == pytest.approx(0.75 - 0.9562)


def test_attempt_6b_s_own_matrix_differs_from_its_printed_row_by_rounding_only() -> None:
    found = by_metric(make_run("attempt-6b", dataset=KAGGLE, test=of_counts(tp=131, fp=6, tn=228, fn=103)))
    for metric in ("accuracy", "precision", "recall"):
        assert found[metric].difference.value == pytest.approx(0, abs=5e-5)
        assert not found[metric].other_data


def test_attempt_7_s_error_analysis_fits_attempt_6b_s_matrix_and_not_its_own_row() -> None:
    found = by_metric(make_run("attempt-7", dataset=KAGGLE, test=of_counts(tp=131, fp=6, tn=228, fn=103)))
    counts = ("true_positives", "false_positives", "true_negatives", "false_negatives")
    assert [found[name].difference.value for name in counts] == [0, 0, 0, 0]
    assert found["accuracy"].difference.bounds is not None
    assert found["accuracy"].difference.bounds[1] < 0


@pytest.mark.parametrize(
    ("measured", "difference"), [(0.30, -0.1013), (0.4013, 0), (0.45, 0), (0.4727, 0), (0.5, 0.0273)]
)
def test_against_a_printed_range_the_difference_is_the_distance_to_it(measured: float, difference: float) -> None:
    run = run_with(figure("accuracy", 0.4013, "train", upper=0.4727, epoch="last"))
    comparison = only(run, recorded_history({**HEALTHY, "accuracy": [0.1, 0.2, measured]}))
    assert comparison.difference.value == pytest.approx(difference)


def test_a_printed_range_of_the_test_split_has_no_interval() -> None:
    comparison = only(run_with(figure("accuracy", 0.7, upper=0.8), test=of_counts(40, 0, 50, 10)))
    assert comparison.difference.value == pytest.approx(0.1)
    assert comparison.published_interval is None
    assert comparison.difference.bounds is None


def test_a_published_rate_has_wilson_s_interval_over_the_images_the_source_states() -> None:
    assert only(run_with(figure("accuracy", 0.7671))).published_interval == wilson(359, 468)
    assert only(run_with(figure("recall", 0.5598))).published_interval == wilson(131, 234)
    assert only(run_with(figure("specificity", 0.9744))).published_interval == wilson(228, 234)


def test_a_published_auc_has_hanley_mcneil_s_interval() -> None:
    interval = only(run_with(figure("auc", 0.9608))).published_interval
    assert interval == pytest.approx((0.943, 0.979), abs=5e-4)


def test_a_published_auc_s_interval_ends_at_1() -> None:
    interval = only(run_with(figure("auc", 0.9999))).published_interval
    assert interval is not None
    assert interval[1] == 1.0


@pytest.mark.parametrize("metric", ["loss", "brier"])
def test_a_figure_without_a_known_denominator_has_no_published_interval(metric: str) -> None:
    comparison = only(run_with(figure(metric, 0.5)))
    assert comparison.published_interval is None
    assert comparison.difference.bounds is None
    assert comparison.difference.value is not None


def test_a_rate_that_no_count_prints_has_no_published_interval() -> None:
    assert only(run_with(figure("accuracy", 0.7660))).published_interval is None


def test_a_rate_whose_last_decimals_were_dropped_has_the_interval_of_its_count() -> None:
    assert only(run_with(figure("accuracy", 0.7670))).published_interval == wilson(359, 468)


def test_a_source_that_states_no_counts_gives_no_interval() -> None:
    source = {**SOURCE, "test": None}
    comparison = only(make_run(make_card(source=source, published=[figure("accuracy", 0.7671)])))
    assert comparison.published_interval is None
    assert comparison.difference.bounds is None
    assert comparison.measured.bounds is not None


def test_a_measured_figure_carries_the_run_s_own_interval() -> None:
    run = run_with(figure("accuracy", 0.7671))
    own = run.figures()["accuracy"]
    assert only(run).measured.bounds == (own.low, own.high)


def test_the_difference_of_rates_has_newcombe_s_interval_over_both_sample_sizes() -> None:
    counts = of_counts(tp=90, fp=30, tn=70, fn=10)
    recall = only(run_with(figure("recall", 0.5598), test=counts))
    assert recall.difference.bounds == pytest.approx(newcombe(90, 100, 131, 234), abs=1e-4)
    accuracy = only(run_with(figure("accuracy", 0.7671), test=counts)).difference.bounds
    drawn = newcombe(160, 200, 359, 468)
    assert accuracy is not None
    assert drawn[0] < accuracy[0] < accuracy[1] < drawn[1]  # the class sizes of this test set were fixed


def test_the_difference_of_aucs_adds_the_squares_of_both_intervals() -> None:
    run = run_with(figure("auc", 0.9340), test=on_test(*planted(80, 120)))
    comparison, own = only(run), run.figures()["auc"]
    assert own.value is not None
    assert own.low is not None
    assert own.high is not None
    z = norm.ppf(0.975)
    published = z * hanley_mcneil(0.9340, 234, 234)
    low = own.value - 0.9340 - ((own.value - own.low) ** 2 + published**2) ** 0.5
    high = own.value - 0.9340 + ((own.high - own.value) ** 2 + published**2) ** 0.5
    assert comparison.difference.bounds == pytest.approx((low, high))


def test_images_of_one_patient_widen_the_difference_from_a_published_figure() -> None:
    labels, scores = (np.repeat(values, 4) for values in planted(20, 30))  # four images alike of each patient
    patients = tuple(str(image // 4) for image in range(len(labels)))
    widths = []
    for known in (None, patients):
        run = run_with(figure("auc", 0.9340), test=TestScores("test", labels, scores, known))
        interval = only(run).difference.bounds
        assert interval is not None
        widths.append(interval[1] - interval[0])
    assert widths[1] > 1.3 * widths[0]


@pytest.mark.parametrize("printed", [0.0, 1.0])
def test_a_printed_auc_at_the_end_of_the_scale_is_as_sure_as_its_rounding(printed: float) -> None:
    interval = only(run_with(figure("auc", printed))).published_interval
    assert interval is not None
    assert interval[1] - interval[0] > 1e-4
    assert interval[0] <= printed <= interval[1]


@pytest.mark.parametrize(
    ("split", "epoch", "metric", "measured"),
    [
        ("train", "first", "loss", 0.69),
        ("train", "last", "loss", 0.4),
        ("train", None, "accuracy", 0.85),
        ("val", "first", "loss", 0.68),
        ("val", "last", "accuracy", 0.82),
    ],
)
def test_a_figure_of_an_epoch_comes_from_the_history(
    split: str, epoch: str | None, metric: str, measured: float
) -> None:
    comparison = only(run_with(figure(metric, 0.5, split, epoch=epoch)))
    assert comparison.measured.value == measured
    assert comparison.difference.value == pytest.approx(measured - 0.5)
    assert comparison.published_interval is None
    assert comparison.note is not None
    assert f"epoch {1 if epoch == 'first' else 3}" in comparison.note


def test_a_validation_figure_of_the_finished_model_comes_from_its_scores() -> None:
    run = run_with(figure("accuracy", 0.5, "val"))
    assert only(run).measured.value == run.figures("val")["accuracy"].value != run.figures("test")["accuracy"].value


def test_a_test_figure_is_that_at_one_half_and_not_at_the_chosen_threshold() -> None:
    labels, drawn = planted(100, 100)
    low = [score / 2 for score in drawn]
    run = run_with(figure("accuracy", 0.5), val=on_val(labels, low), test=on_test(labels, low))
    assert only(run).measured.value == run.figures("test")["accuracy"].value == 0.5
    assert run.figures("test", chosen=True)["accuracy"].value != 0.5


def test_a_test_figure_of_an_epoch_has_no_counterpart() -> None:
    comparison = only(run_with(figure("accuracy", 0.5, epoch="last")))
    assert comparison.measured.value is None
    assert comparison.note == "no measured counterpart"


def test_a_metric_that_nobody_measures_has_no_counterpart() -> None:
    comparison = only(run_with(figure("score", 0.97, upper=0.99)))
    assert (comparison.measured.value, comparison.difference.value) == (None, None)
    assert comparison.note == "no measured counterpart"


def test_an_undefined_figure_is_missing_with_its_reason_and_not_zero() -> None:
    comparison = only(run_with(figure("precision", 0.5), test=of_counts(tp=0, fp=0, tn=50, fn=50)))
    assert (comparison.measured.value, comparison.difference.value) == (None, None)
    assert comparison.note
    assert "undefined" in comparison.note


@pytest.mark.parametrize("name", ["attempt-1", "attempt-2", "attempt-7"])
def test_a_failed_run_gives_notes_and_no_figure(name: str) -> None:
    found = compared(make_run(name, error="ResourceExhausted: no memory"), NO_HISTORY)
    assert len(found) == len(cards()[name].published)
    for c in found:
        assert c.note == "ResourceExhausted: no memory"
        assert (c.measured.value, c.measured.bounds, c.difference.value, c.difference.bounds) == (None,) * 4


def test_a_card_that_published_nothing_has_nothing_to_compare() -> None:
    assert compared(make_run("attempt-5")) == []


@pytest.mark.parametrize(("dataset", "other"), [(PHANTOM, True), (KAGGLE, False)])
def test_only_a_run_on_the_source_s_data_is_the_same_data(dataset: DatasetFacts, other: bool) -> None:
    run = make_run("attempt-6b", dataset=dataset)
    assert is_different_data(run) is other
    assert {c.other_data for c in compared(run)} == {other}


@pytest.mark.parametrize("source", [None, {**SOURCE, "data": None}], ids=["no source", "no data"])
def test_unknown_data_counts_as_other(source: dict[str, Any] | None) -> None:
    run = make_run(make_card(source=source, published=[figure("accuracy", 0.5)]), dataset=KAGGLE)
    assert is_different_data(run)
    assert only(run).other_data


def test_final_test_figures_leave_out_other_splits_and_epochs() -> None:
    found = compared(make_run("attempt-2", seed=1))
    assert set(final_test_figures(found)) == {("attempt-2", "loss"), ("attempt-2", "accuracy")}


def test_a_card_of_several_seeds_is_compared_by_their_mean() -> None:
    runs = [
        run_with(figure("accuracy", 0.7671), seed=seed, test=of_counts(tp=90, fp=fp, tn=100 - fp, fn=10))
        for seed, fp in ((0, 30), (1, 10))
    ]
    (comparison,) = compare_card(runs, lambda run: recorded_history())
    assert comparison.seeds == (0, 1)
    assert comparison.measured.value == pytest.approx((0.8 + 0.9) / 2)
    assert comparison.difference.value == pytest.approx((0.8 + 0.9) / 2 - 0.7671)
    assert comparison.difference.reason == "an interval over seeds needs per-image scores"


def test_a_printed_precision_has_the_interval_of_all_matrices_that_print_its_row() -> None:
    """359 and 131 right decisions leave one matrix: 131 of 137 positive decisions are right."""
    printed = [figure("accuracy", 0.7671), figure("recall", 0.5598), figure("precision", 0.9562)]
    found = {c.published.metric: c for c in compared(make_run(make_card(source=SOURCE, published=printed)))}
    assert found["precision"].published_interval == wilson(131, 137)


@pytest.mark.parametrize("threshold", [0.5, 0.3])
@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("metric", ["accuracy", "recall", "auc", "precision"])
def test_the_table_and_the_verdict_agree_on_a_figure(tmp_path: Path, metric: str, seeds: int, threshold: float) -> None:
    store = Store(tmp_path / "runs")
    for seed in range(seeds):
        keep(store, "attempt-6b", on_test(*planted(234, 234, seed=seed)), seed=seed, dataset=KAGGLE)
    claims = claims_about(tmp_path / "claims", row("one", card="attempt-6b", threshold=threshold))
    (section,) = report_of(store, claims).sections
    comparison = final_test_figures(section.comparisons)["attempt-6b", metric]
    (judgement,) = (
        j for j in section.claims[0].figures if j.published is not None and j.published == comparison.published
    )
    assert judgement.measured == comparison.measured
    assert judgement.difference == comparison.difference
    assert comparison.difference.bounds is not None
    assert comparison.seeds == tuple(range(seeds))


THREE = {"report": "a report", "section": "a section", "data": RADIOGRAPHS.source}


@pytest.fixture(scope="module")
def of_three(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A card with two seeds on three classes that publishes figures of classes, averages and epochs."""
    published = [
        figure("recall", 0.9531, **{"class": "VIRUS"}),
        figure("f1", 0.9, average="macro"),
        figure("kappa", 0.8, decimals=2),
        figure("accuracy", 0.8, split="val"),
        figure("accuracy", 0.85, split="train", epoch="last"),
        figure("precision", 0.9, split="train", **{"class": "VIRUS"}),
    ]
    test = {"NORMAL": 116, "BACTERIA": 120, "VIRUS": 64}
    model = make_card("attempt-5", source=THREE | {"test": test}, published=published)
    store, labels = Store(tmp_path_factory.mktemp("three") / "runs"), [0] * 116 + [1] * 120 + [2] * 64
    for seed in (0, 1):
        scores = simulated(labels, 3, seed=seed)
        val, tested = on_val_of(RADIOGRAPHS, labels, scores), on_test_of(RADIOGRAPHS, labels, scores)
        keep_multiclass(store, model, val, tested, seed=seed)
    return store


def test_figures_of_classes_have_rows_beside_their_measured_ones(of_three: Store) -> None:
    runs, _ = of_three.runs()
    (section,) = build_report(runs, of_three.history, scores=of_three).sections
    rows = {(each.published.split, each.published.key): each for each in section.comparisons}
    assert len(rows) == 6
    for split, key in (("test", "recall:class:VIRUS"), ("test", "f1:macro"), ("test", "kappa"), ("val", "accuracy")):
        values = [run.figures(split)[key].value for run in runs]
        assert rows[split, key].measured.value == pytest.approx(np.mean(values))  # type: ignore[arg-type]
    virus = rows["test", "recall:class:VIRUS"]
    assert virus.measured.bounds is not None
    assert virus.difference.value == pytest.approx(virus.measured.value - 0.9531)  # type: ignore[operator]
    assert virus.published_interval == pytest.approx(wilson(61, 64))  # 61 of 64 print as 0.9531
    assert rows["train", "precision:class:VIRUS"].note == "no measured counterpart"
    assert rows["train", "accuracy"].measured.value is not None
    assert not virus.other_data
    assert set(final_test_figures(section.comparisons)) >= {("attempt-5", "f1:macro")}
    text = render(build_report(runs, of_three.history, scores=of_three))
    assert "| test recall:class:VIRUS | 0.9531 [" in text
    assert not any("about two classes" in note for note in section.notes)


def test_without_scores_figures_of_classes_are_those_that_runs_recorded(of_three: Store) -> None:
    runs, _ = of_three.runs()
    rows = {each.published.key: each for each in compare_card(runs, of_three.history)}
    assert rows["f1:macro"].measured.value == pytest.approx(np.mean([run.figures()["f1:macro"].value for run in runs]))  # type: ignore[arg-type]


def test_figures_about_two_classes_have_one_note_on_three(tmp_path: Path) -> None:
    store, labels = Store(tmp_path / "runs"), [0] * 40 + [1] * 40 + [2] * 40
    scores = simulated(labels, 3)
    val, tested = on_val_of(RADIOGRAPHS, labels, scores), on_test_of(RADIOGRAPHS, labels, scores)
    recall = make_card("attempt-5", source=THREE, published=[figure("recall", 0.9)])
    for model in ("attempt-7", recall):
        keep_multiclass(store, model, val, tested)
    runs, _ = store.runs()
    (silent,) = build_report(runs, store.history, scores=store).sections
    assert not any("about two classes" in note for note in silent.notes)
    rows = [{"name": model, "card": model} for model in ("attempt-5", "attempt-7")]
    study = Claims.model_validate(contents(*rows, name="study"))
    (section,) = build_report(runs, store.history, scores=store, claims=[study]).sections
    assert section.comparisons == ()
    notes = [note for note in section.notes if "published figures" in note]
    assert notes == [
        "The published figures of attempt-5 and attempt-7 are about two classes. They are not compared with these runs "
        "on 3 classes."
    ]
    assert not any("different data" in note for note in section.notes)
