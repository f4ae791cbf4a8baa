"""External validations as data and in every renderer: a planted shift is seen, and nothing changes without one."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmark.evidence.calibration.calibrators import Calibrator
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import AnyScores, MulticlassTestScores, TestScores
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.deployment.decision_rule import DecisionRule, decider_of
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.export.decision_file import ExportedModel
from reports.export.model_card import model_card
from reports.limits import limits
from reports.render import json as as_json
from reports.render.html.page import render as render_page
from reports.render.markdown.document import render as render_markdown
from reports.render.terminal.outside import COLUMNS, outside_csv, outside_view
from reports.render.terminal.show import run_view
from reports.report import Report, build_report
from reports.results.outside.figures import without_absent
from reports.results.outside.recalibration import recalibration_on
from reports.results.outside.text import sentences
from reports.results.outside.validation import OutsideValidation, outside_validation, outside_validations
from tests.reports.results.conditions.test_hold_out_text import ONNX
from tests.support.evaluated import keep_evaluation
from tests.support.multiclass_stores import RADIOGRAPHS, keep_multiclass, on_test, on_val, simulated
from tests.support.records import on_val as on_val_of_two
from tests.support.stored import keep


def world(count: int, prevalence: float, *, intercept: float = 0.0, slope: float = 1.0, seed: int = 0) -> TestScores:
    """Probabilities that are right at this prevalence, except for `intercept` and `slope` of their logits."""
    generator = np.random.default_rng(seed)
    prior = np.log(prevalence / (1 - prevalence))
    logit = generator.normal(prior, 1.8, count)
    label = (generator.random(count) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    score = 1 / (1 + np.exp(-(logit - intercept) / slope))
    return TestScores("test", label, score, tuple(f"p{place // 2}" for place in range(count)))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("outside") / "runs")


@pytest.fixture(scope="module")
def run(store: Store) -> Run:
    val = world(600, 0.5, seed=1)
    run = keep(store, "attempt-1", world(400, 0.5, seed=2), on_val_of_two(val.y_true.tolist(), val.y_score.tolist()))
    found = store.get(run)
    assert found is not None
    return found


def report_on(store: Store) -> Report:
    return build_report(store.runs("bench")[0], store.history, scores=store)


def test_a_report_without_an_evaluation_does_not_mention_one(store: Store, run: Run) -> None:
    report = report_on(store)
    assert report.sections[0].outside == ()
    for text in (render_markdown(report), render_page(report), as_json.render(report)):
        assert "utside validation" not in text
        assert "outside_validation" not in text


@pytest.fixture(scope="module")
def validation(store: Store, run: Run) -> OutsideValidation:
    """Images of a rarer disease whose probabilities are too high and too extreme."""
    shifted = world(800, 0.25, intercept=-1.0, slope=0.5, seed=3)
    return outside_validation(run, keep_evaluation(store, run, shifted, unlike=80), store)


def test_a_shift_shows_in_calibration_and_not_in_ranks(validation: OutsideValidation) -> None:
    for key, aim in (("observed_expected", 1.0), ("calibration_in_the_large", 0.0), ("calibration_slope", 1.0)):
        row = validation.row(key)
        assert row is not None
        assert row.outside.high is not None
        assert row.outside.high < aim
        assert row.test is not None
        assert row.test.bounds is not None
        assert row.test.bounds[0] < aim < row.test.bounds[1]
        assert row.difference.high is not None
        assert row.difference.high < 0
    auc, prevalence = validation.row("auc"), validation.row("prevalence")
    assert auc is not None
    assert auc.difference.bounds is not None
    assert auc.difference.bounds[0] < 0 < auc.difference.bounds[1]
    assert prevalence is not None
    assert prevalence.outside.value == pytest.approx(validation.images[1] / 800)
    text = " ".join(sentences(validation))
    assert "Probabilities are too high on average" in text
    assert "Probabilities are too extreme" in text
    assert "Unlike the training images: 0.100 [" in text
    assert "400 patients" in text


def test_the_threshold_is_that_of_the_run_and_stays(validation: OutsideValidation, store: Store, run: Run) -> None:
    assert validation.choice == run.threshold
    recall = validation.row("recall")
    assert recall is not None
    assert recall.test == run.figures("test", chosen=True)["recall"]
    assert store.get(run.run_id) == run


def test_recalibration_is_paired_on_the_rest_and_repairs_the_shift(validation: OutsideValidation) -> None:
    recalibration = validation.recalibration
    assert recalibration is not None
    assert sum(recalibration.part) + sum(recalibration.rest) == 800
    rows = {row.key: row for row in recalibration.rows}
    slope = rows["calibration_slope"].recalibrated
    assert slope.bounds is not None
    assert slope.bounds[0] < 1 < slope.bounds[1]
    brier = rows["brier"].difference
    assert brier is not None
    assert brier.bounds is not None
    assert brier.bounds[1] < 0
    assert rows["npv"].difference is None
    assert rows["observed_expected"].difference is None
    assert recalibration.choice != validation.choice


def test_every_renderer_shows_it(validation: OutsideValidation, store: Store, run: Run) -> None:
    report = report_on(store)
    section = report.sections[0]
    assert section.outside == (validation,) == outside_validations([run], store)
    for text in (render_markdown(report), render_page(report)):
        assert "Outside validation" in text
        assert "calibration slope" in text
        assert "images of another hospital" in text
        assert "What recalibration would give" in text
    [document] = json.loads(as_json.render(report))["sections"]
    assert document["outside_validation"][0]["evaluation"]["spec"]["data"]["source"] == "other"
    assert any("except as the outside validation of attempt-1 shows" in line for line in limits(section))
    lines = outside_csv(validation).splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    assert len(lines) == 1 + len(validation.rows) + 2 * len(section.outside[0].recalibration.rows)  # type: ignore[union-attr]


def test_the_terminal_shows_groups_and_both_versions(validation: OutsideValidation) -> None:
    file = io.StringIO()
    Console(file=file, width=160).print(outside_view(validation))
    text = file.getvalue()
    for words in ("decisions as transferred", "test of the run", "difference, paired", "observed / expected"):
        assert words in text


def test_the_view_of_a_run_names_it_in_a_line(store: Store, run: Run, validation: OutsideValidation) -> None:
    file = io.StringIO()
    Console(file=file, width=160).print(run_view(run, store, 160))
    assert f"outside validation {validation.evaluation.evaluation_id}, 800 images of other: AUC" in file.getvalue()


def test_the_model_card_mentions_it(store: Store, run: Run, validation: OutsideValidation) -> None:
    text = model_card(run, store, decider_of(run, store), ExportedModel({**ONNX, "lowered": False}))
    chapter = text.split("## Outside validation", 1)[1].split("\n## ", 1)[0]
    assert "800 images of other: AUC" in chapter
    assert "Probabilities are too extreme" in chapter


@pytest.fixture
def three(tmp_path: Path) -> tuple[Store, Run]:
    store = Store(tmp_path / "three")
    labels = [place % 3 for place in range(180)]
    val, test = (simulated(labels, 3, shift=1.5, images=seed, seed=seed) for seed in (1, 2))
    run = keep_multiclass(store, "attempt-1", on_val(RADIOGRAPHS, labels, val), on_test(RADIOGRAPHS, labels, test))
    found = store.get(run)
    assert found is not None
    return store, found


def of_labels(labels: list[int]) -> AnyScores:
    return on_test(RADIOGRAPHS, labels, simulated(labels, 3, shift=1.5, images=7, seed=7))


def test_three_classes_have_macro_figures_and_calibration_per_class(three: tuple[Store, Run]) -> None:
    store, run = three
    validation = outside_validation(run, keep_evaluation(store, run, of_labels([p % 3 for p in range(240)])), store)
    keys = [row.key for row in validation.rows]
    for key in ("auc:macro", "accuracy", "recall:class:VIRUS", "calibration_slope:class:VIRUS", "brier"):
        assert key in keys
    macro = validation.row("auc:macro")
    assert macro is not None
    assert macro.difference.bounds is not None
    recalibration = validation.recalibration
    assert recalibration is not None
    assert recalibration.reason is None
    assert "Outside validation" in render_page(report_on(store))


def test_a_class_without_images_is_said_and_its_figures_are_missing(three: tuple[Store, Run]) -> None:
    store, run = three
    labels = [place % 2 for place in range(120)]
    validation = outside_validation(run, keep_evaluation(store, run, of_labels(labels)), store)
    assert validation.absent == ("VIRUS",)
    assert any(line.startswith("No image is of VIRUS") for line in sentences(validation))
    for key, defined in (("auc:class:VIRUS", False), ("recall:class:VIRUS", False), ("recall:class:NORMAL", True)):
        row = validation.row(key)
        assert row is not None
        assert (row.outside.value is not None) == defined
        assert row.outside.reason or defined
    assert isinstance(of_labels(labels), MulticlassTestScores)


def test_images_of_one_class_have_a_recall_alone(tmp_path: Path) -> None:
    positives = TestScores("test", np.ones(40, dtype=np.int64), np.linspace(0.2, 0.9, 40))
    one = Store(tmp_path / "one")
    run = keep(one, "attempt-1")
    validation = outside_validation(run, keep_evaluation(one, run, positives), one)
    recall, auc, slope = (validation.row(key) for key in ("recall", "auc", "calibration_slope"))
    assert recall is not None
    assert recall.outside.value is not None
    assert auc is not None
    assert auc.outside.value is None
    assert slope is not None
    assert slope.outside.reason == "no image is of NORMAL"
    assert validation.recalibration is not None
    assert validation.recalibration.reason is not None


def test_probabilities_that_the_calibration_made_equal_are_not_called_equal_scores(run: Run) -> None:
    raw = world(60, 0.5, seed=7)
    calibrator = Calibrator("platt", accepted=True, parameters=(0.0, 0.3))  # a slope of 0 forgets the score
    decider = DecisionRule(run.spec.dataset.classes[:2], Threshold(0.5, "youden"), calibrator)
    recalibration = recalibration_on(run, raw, tuple(map(str, range(60))), decider, 0.5, 0)
    assert recalibration.calibrator is not None
    assert recalibration.calibrator.reason == (
        "the calibration of the run gives all of these images the same probability, whatever their score"
    )


@pytest.mark.parametrize(
    ("present", "values"),
    [
        ("b", {"accuracy", "recall:class:b", "precision:class:b", "brier", "log_loss"}),
        ("ab", {"accuracy", "recall:class:a", "precision:class:b", "auc:class:a", "mcc"}),
    ],
)
def test_figures_that_need_an_absent_class_of_several_are_missing(present: str, values: set[str]) -> None:
    figures = {("decisions", key, key): Figure(key, 0.0) for key in (*values, "f1:class:c", "f1:macro")}
    images = tuple(int(name in present) for name in "abc")
    blanked = without_absent(figures, ("a", "b", "c"), images)  # type: ignore[arg-type]
    assert {key for (_, key, _), figure in blanked.items() if figure.value is not None} == values
