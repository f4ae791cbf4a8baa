"""Curves over training images: points, forecasts, sentences, and that no other part of a report has their runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from sklearn.metrics import roc_auc_score

from benchmark.runs.storage.store import Store
from reports.render.csv import render as csv
from reports.render.html.page import render as html
from reports.render.json import render as report_json
from reports.render.markdown.document import render as markdown
from reports.render.terminal.training_size import curve_view, interval_chart
from reports.render.training_size import COLUMNS, curve_document, curve_rows
from reports.report import build_report, summary_of
from reports.results.training_size.figures import TrainingSizeCurve, comparable, stored_curves, training_size_curve
from reports.results.training_size.text import answers, curve_to_show, description, notes, short_answers
from tests.support.records import make_run
from tests.support.stored import keep
from tests.support.training_sizes import (
    AVAILABLE,
    SIZES,
    TESTED,
    binary_scores,
    keep_curve,
    keep_multiclass_curve,
)


def curve_of(store: Store, metric: str | None = None) -> TrainingSizeCurve:
    curve = training_size_curve(store.runs("curve")[0], store, metric)
    assert curve is not None
    return curve


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A benchmark run, and a curve of four sizes and four draws."""
    store = Store(tmp_path_factory.mktemp("curve") / "runs")
    keep(store, "attempt-1")
    keep_curve(store)
    return store


def test_points_are_means_over_draws(store: Store) -> None:
    curve = curve_of(store)
    assert (curve.metric, curve.available, curve.tested, curve.decided) == ("auc", AVAILABLE, TESTED, None)
    assert [point.images for point in curve.points] == list(SIZES)
    labels = [row % 2 for row in range(TESTED)]
    for point in curve.points:
        values = [roc_auc_score(labels, binary_scores(point.images, draw)) for draw in range(4)]
        assert list(point.values.values()) == pytest.approx(values)
        assert point.figure.value == pytest.approx(np.mean(values))
        assert point.figure.spread == pytest.approx(np.std(values, ddof=1))
        low, high = point.figure.bounds or (1, 0)
        assert low < min(values) < max(values) < high


def test_more_images_would_probably_add_what_the_curve_says(store: Store) -> None:
    curve = curve_of(store)
    lines = answers(curve)
    assert lines[0].startswith("2 times as many training images (800 instead of 400) would probably add ")
    assert lines[1].startswith("4 times as many training images (1,600 instead of 400) would probably add ")
    assert "inverse power law" in lines[2]
    assert "from 800 training images, 16 runs" in description(curve)
    assert notes(curve) == []


def test_a_sentence_gives_the_expected_gain_and_its_interval(store: Store) -> None:
    curve = curve_of(store)
    twice = curve.extrapolation.forecasts[0]
    low, high = twice.gain.bounds or (0.0, 0.0)
    assert low > 0.001
    assert f" would probably add about {twice.gain.value:.3f} AUC ({low:.3f} to {high:.3f}): " in answers(curve)[0]
    uncertain = replace(twice, gain=replace(twice.gain, low=0.0))
    flat = replace(curve, extrapolation=replace(curve.extrapolation, forecasts=(uncertain,)))
    words = f"would probably add about {twice.gain.value:.3f} AUC, at most {high:.3f}, perhaps nothing"
    assert f"{words}: AUC would be about " in answers(flat)[0]
    (sentence,) = short_answers(flat, None)
    law = curve.extrapolation.law
    assert law is not None
    fitted = f" (at 400 the fitted curve gives {law.limit - law.scale * 400**-law.exponent:.3f})."
    assert answers(flat)[0].endswith(fitted)
    assert sentence == (
        f"By the learning curve of {curve.title}, twice as many training images (800 instead of 400) {words}{fitted}"
    )
    assert short_answers(flat, 5)[1] == (
        "The curve has one split with 200 test images, so its AUC differs from that of the 5 folds."
    )
    nothing = replace(curve, extrapolation=replace(curve.extrapolation, reason="too few sizes", forecasts=()))
    (sentence,) = short_answers(nothing, None)
    assert sentence == f"From the learning curve of {curve.title}, nothing can be extrapolated: too few sizes."


def test_the_summary_quotes_the_curve_of_its_best_card_under_its_conditions(store: Store) -> None:
    curve = curve_of(store)
    runs = store.runs("bench")[0]
    summary = summary_of(runs, store, [curve])
    assert summary.more_images == short_answers(curve, None)
    assert not any("zoo curve" in step.command for step in summary.next_steps)
    other = replace(curve, card="attempt-2")
    assert curve_to_show([other, curve], "attempt-1") is curve
    assert curve_to_show([other], "attempt-1") is other
    assert any("zoo curve" in step.command for step in summary_of(runs, store, [other]).next_steps)
    assert summary_of(runs, store, [replace(curve, comparable="other data")]).more_images == ()
    spec = runs[0].spec
    folded = spec.model_copy(update={"protocol": spec.protocol.model_copy(update={"test_folds": 5})})
    assert comparable(folded) == curve.comparable != folded.conditions


def test_a_figure_of_decisions_is_that_at_the_chosen_thresholds(store: Store) -> None:
    curve = curve_of(store, "recall")
    assert curve.decided is not None
    runs = store.runs("curve")[0]
    first = next(run for run in runs if run.spec.subset is not None and run.spec.subset.images == 400)
    assert first.figures("test", chosen=True)["recall"].value in curve.points[-1].values.values()


def test_a_failed_run_is_named_and_its_draw_is_not_extrapolated(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep_curve(store, failed=[(100, 2)])
    curve = curve_of(store)
    assert curve.points[1].draws == 3
    assert any("1 run failed" in note for note in notes(curve))
    assert curve.extrapolation.forecasts
    keep_curve(store, draws=1, sizes=(10,), failed=[(10, 0)])
    assert [point.images for point in curve_of(store).points] == list(SIZES)


def test_classes_of_any_number_have_a_curve(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep_multiclass_curve(store)
    curve = curve_of(store)
    assert (curve.metric, len(curve.points), len(curve.classes)) == ("auc:macro", 4, 3)
    values = [point.figure.value or 0 for point in curve.points]
    assert values == sorted(values)


def test_all_formats_have_the_same_figures(store: Store) -> None:
    curve = curve_of(store)
    document, rows = curve_document(curve), curve_rows(curve)
    assert json.loads(json.dumps(document))["points"][0]["figure"]["value"] == curve.points[0].figure.value
    assert [row["kind"] for row in rows] == ["measured"] * 4 + ["forecast"] * 2
    assert all(tuple(row) == COLUMNS for row in rows)
    console = Console(width=140)
    with console.capture() as capture:
        console.print(curve_view(curve))
    text = capture.get()
    for point in curve.points:
        assert f"{point.figure.value:.3f}" in text
    chart = interval_chart(curve)
    assert [("o" in line, "~" in line) for line in chart[:6]] == [(True, False)] * 4 + [(False, True)] * 2


def test_a_report_has_the_curve_in_a_section_of_its_own(store: Store) -> None:
    bench, trainings = store.runs("bench")[0], store.runs("curve")[0]
    without = build_report(bench, store.history, scores=store)
    report = build_report(bench, store.history, scores=store, curve_runs=trainings)
    for before, after in zip(without.sections, report.sections, strict=True):
        assert before.summary is not None
        assert after.summary is not None
        assert before.summary.more_images == ()
        quoted = {"more_images": after.summary.more_images, "next_steps": after.summary.next_steps}
        assert replace(after, summary=replace(before.summary, **quoted)) == after
    assert len(report.training_sizes) == 1
    for render in (markdown, html, report_json):
        plain, whole = render(without), render(report)
        assert "raining images" in whole.replace(plain, "")
        assert "training_images" not in plain
        assert "Training images" not in plain
    assert set(csv(report, store)) - set(csv(without, store)) == {"training_images"}


def test_only_the_latest_version_of_a_card_has_a_curve(store: Store) -> None:
    runs = store.runs("curve")[0]
    old = [run.model_copy(update={"finished": "2020-01-01T00:00:00+00:00"}) for run in runs]
    old = [run.model_copy(update={"spec": run.spec.model_copy(update={"semantics": 1})}) for run in old]
    assert stored_curves([*old, *runs], store) == stored_curves(runs, store)
    assert training_size_curve([make_run(error="no")], store) is None
