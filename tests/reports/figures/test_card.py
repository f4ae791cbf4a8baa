"""Figures of a card's runs: what they show, without colour too, and what is said where there is nothing to draw."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from benchmark.evidence import TestScores
from benchmark.runs.history import History
from benchmark.runs.storage.store import Store
from reports.claims.model import load_claims
from reports.figures.card import (
    decision_figure,
    history_figure,
    precision_recall_figure,
    reliability_figure,
    roc_figure,
)
from reports.figures.svg import inline_svg, to_svg
from reports.figures.verdicts import verdicts_figure
from reports.results.curves import CardCurves, card_curves, seed_history
from reports.results.measured import collect_results
from reports.results.probabilities import Probabilities, probabilities
from reports.verdicts.report import ClaimsReport, report_on_claims
from tests.support.claims import contents, figure, row, write_claims
from tests.support.records import HEALTHY, KAGGLE, cards, of_counts, on_test, planted, recorded_history
from tests.support.stored import keep, keep_seeds

Card = tuple[CardCurves, tuple[Probabilities, ...]]

OF_CURVES = (history_figure, roc_figure, precision_recall_figure)
OF_PROBABILITIES = (reliability_figure, decision_figure)


def measured(folder: Path, *seeds: TestScores) -> Card:
    store = Store(folder)
    tests = seeds or tuple(on_test(*planted(60, 60, seed=seed)) for seed in (2, 3))
    found = collect_results([keep(store, "attempt-1", test, seed=seed) for seed, test in enumerate(tests)], store)
    return card_curves(found["attempt-1"], store.history, replicates=100), probabilities(found)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    """A card with two seeds."""
    return measured(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def curves(card: Card) -> CardCurves:
    """Its curves."""
    return card[0]


@pytest.fixture(scope="module")
def drawn(card: Card) -> dict[str, Figure]:
    """Every figure of it."""
    curves, runs = card
    figures = {draw.__name__: draw(curves) for draw in OF_CURVES}
    return figures | {draw.__name__: draw(runs) for draw in OF_PROBABILITIES}


def words(drawn: Figure) -> str:
    """All that is written in a figure."""
    return " ".join(text.get_text() for text in drawn.findobj(Text) if text.get_text())


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("history_figure", ("epoch", "loss", "accuracy")),
        ("roc_figure", ("1 − specificity (false positive rate)", "recall (sensitivity)")),
        ("precision_recall_figure", ("recall (sensitivity)", "precision (positive predictive value)")),
        ("reliability_figure", ("mean score per bin", "share of positives")),
        ("decision_figure", ("threshold probability", "net benefit (TP per image)")),
    ],
)
def test_every_axis_has_a_name(drawn: dict[str, Figure], name: str, axes: tuple[str, ...]) -> None:
    assert all(axis in words(drawn[name]) for axis in axes)


def test_training_and_validation_are_told_apart_without_colour(drawn: dict[str, Figure]) -> None:
    for axes in drawn["history_figure"].axes:
        assert {text.get_text() for text in axes.texts if text.get_text()} == {"training", "validation"}
        assert [line.get_linestyle() for line in axes.lines] == ["--", "-"] * 2  # a pair a seed


def test_a_history_shows_the_stored_epochs(drawn: dict[str, Figure]) -> None:
    loss, accuracy = drawn["history_figure"].axes
    assert list(loss.lines[1].get_ydata()) == HEALTHY["val_loss"]
    assert list(accuracy.lines[0].get_ydata()) == HEALTHY["accuracy"]


def test_phases_are_named_where_they_begin(curves: CardCurves) -> None:
    rows = recorded_history(HEALTHY, "head", "finetune")
    shown = history_figure(replace(curves, history=(seed_history(0, rows),)))
    assert {"head", "finetune"} <= {text.get_text() for text in shown.axes[0].texts}
    assert [list(line.get_xdata()) for line in shown.axes[1].lines if len(line.get_xdata()) == 2] == [[3.5, 3.5]]


def test_a_loss_that_explodes_is_on_a_logarithmic_axis_that_says_so(curves: CardCurves) -> None:
    rows = recorded_history({**HEALTHY, "val_loss": [0.7, 3.0, 40.0]})
    shown = history_figure(replace(curves, history=(seed_history(0, rows),)))
    assert shown.axes[0].get_ylabel() == "loss, log scale"
    assert shown.axes[0].get_yscale() == "log"


@pytest.mark.parametrize(("epochs", "said"), [(0, "no epochs were recorded"), (1, "validation")])
def test_a_history_of_few_epochs_is_drawn_or_said_to_be_missing(curves: CardCurves, epochs: int, said: str) -> None:
    shown = history_figure(replace(curves, history=(seed_history(0, History(recorded_history().epochs[:epochs])),)))
    assert said in words(shown)
    assert len(shown.axes) == (2 if epochs else 0)


def test_curves_state_their_area_and_mark_both_thresholds_of_every_seed(drawn: dict[str, Figure]) -> None:
    for name, area in (("roc_figure", "AUC"), ("precision_recall_figure", "average precision")):
        (axes,) = drawn[name].axes
        handles, labels = axes.get_legend_handles_labels()
        found = dict(zip(labels, handles, strict=True))
        assert any(label.startswith("mean of 2 seeds\n" + area) for label in labels)
        assert "95% band" in found
        shapes = {found[f"threshold {kind}"].get_marker() for kind in ("0.5", "from validation")}
        assert len(shapes) == 2
        assert all(len(found[f"threshold {kind}"].get_xdata()) == 2 for kind in ("0.5", "from validation"))


def test_a_roc_curve_has_equal_axes_and_the_line_of_chance(drawn: dict[str, Figure]) -> None:
    (axes,) = drawn["roc_figure"].axes
    assert axes.get_aspect() == 1
    assert "chance" in words(drawn["roc_figure"])


def test_a_precision_recall_curve_has_the_line_of_its_prevalence(drawn: dict[str, Figure]) -> None:
    (axes,) = drawn["precision_recall_figure"].axes
    assert list(axes.lines[0].get_ydata()) == [0.5, 0.5]
    assert "prevalence 0.50" in words(drawn["precision_recall_figure"])


@pytest.mark.parametrize("draw", [roc_figure, precision_recall_figure])
def test_a_missing_curve_is_a_picture_of_its_reason(tmp_path: Path, draw: Callable[[CardCurves], Figure]) -> None:
    curves, _ = measured(tmp_path, on_test([0, 1] * 20, [0.5] * 40))
    assert words(draw(curves)) == "all scores are the same"


def test_reliability_shows_bins_with_their_intervals_before_and_after(tmp_path: Path) -> None:
    labels, scores = planted(200, 200, seed=2)
    sharp = np.round(np.array(scores) ** 4, 6).tolist()
    _, (run,) = measured(tmp_path, on_test(labels, sharp))
    shown = reliability_figure([run])
    spans, points = shown.axes[0].lines[1:3]
    assert list(points.get_ydata()) == [part.share for part in run.before.curve]
    assert list(spans.get_ydata()[::3]) == [part.low for part in run.before.curve]
    assert list(spans.get_ydata()[1::3]) == [part.high for part in run.before.curve]
    assert f"ECE {run.before.ece:.3f}" in words(shown)


def test_a_calibrator_that_was_rolled_back_is_said_to_be(card: Card) -> None:
    runs = card[1]
    back = [replace(run, after=None) for run in runs]
    assert "not calibrated" in words(reliability_figure(back))
    kept = replace(runs[0], after=runs[0].before)
    assert "1 calibrated" in words(reliability_figure([kept, back[1]]))


def test_a_decision_curve_stands_beside_treating_all_and_none(card: Card) -> None:
    run, other = card[1]
    (axes,) = decision_figure([run, other]).axes
    none, everyone, *models = axes.lines
    assert list(none.get_ydata()) == [0, 0]
    assert list(everyone.get_ydata()) == [point.treat_all for point in run.curve.points]
    assert [list(line.get_ydata()) for line in models] == [
        [point.model for point in each.curve.points] for each in (run, other)
    ]
    svg = inline_svg(to_svg(decision_figure([run])), "t", "d")
    assert len(set(re.findall(r"stroke-dasharray:([^;\"]+)", svg))) == 2
    assert not models[0].is_dashed()
    assert {"treat none", "treat all", "model (2 seeds)"} <= {text.get_text() for text in axes.get_legend().texts}


def judged(folder: Path, *figures: dict[str, object]) -> ClaimsReport:
    store = Store(folder / "runs")
    keep_seeds(store, "attempt-5", of_counts(tp=212, fp=20, tn=214, fn=22))
    test = {"negatives": 234, "positives": 234, "location": "Section 2"}
    source = {"report": "A study", "data": KAGGLE.source, "test": test}
    held = contents(row("one", *figures, card="attempt-5"), source=source)
    claims = load_claims(str(write_claims(folder / "claims", held)), cards())
    return report_on_claims(claims, collect_results(store.runs()[0], store), KAGGLE.title, KAGGLE.synthetic)


def test_published_figures_stand_beside_measured_ones_with_their_verdict(tmp_path: Path) -> None:
    shown = verdicts_figure(judged(tmp_path, figure("accuracy", 0.5), figure("recall", 0.906), figure("loss", 2.5)))
    assert shown is not None
    shares, losses = shown.axes
    measured, published = shares.lines[2:4]
    assert list(measured.get_xdata()) == pytest.approx([426 / 468, 212 / 234])
    assert list(published.get_xdata()) == [0.5, 0.906]
    assert measured.get_marker() != published.get_marker()
    assert [text.get_text() for text in shares.texts] == ["differs", "inconclusive"]
    assert [label.get_text() for label in shares.get_yticklabels()] == ["one  accuracy", "one  recall"]
    assert losses.get_xscale() == "log"


def test_claims_without_a_measured_counterpart_make_no_picture(tmp_path: Path) -> None:
    assert verdicts_figure(judged(tmp_path, figure("accuracy", 0.5, "train"))) is None


def test_a_name_of_any_signs_is_shown_as_it_is_and_not_as_a_formula(tmp_path: Path) -> None:
    report = judged(tmp_path, figure("accuracy", 0.5))
    name = "a $x^2$ <b>\x01" + "y" * 300
    claimed = replace(report, figures=tuple(replace(each, about=name) for each in report.figures))
    shown = verdicts_figure(claimed)
    assert shown is not None
    (label,) = shown.axes[0].get_yticklabels()
    assert label.get_text().startswith("a $x^2$ <b>\ufffd")
    assert not label.get_parse_math()
    assert len(label.get_text()) < 50


def test_drawing_leaves_the_settings_of_matplotlib_as_they_were(card: Card) -> None:
    curves, runs = card
    with matplotlib.rc_context({"lines.linewidth": 9, "axes.grid": False, "font.size": 30}):
        before = dict(matplotlib.rcParams)
        shown = roc_figure(curves)
        decision_figure(runs)
        assert dict(matplotlib.rcParams) == before
    assert shown.axes[0].lines[1].get_linewidth() < 3


def test_figures_need_neither_pyplot_nor_keras() -> None:
    code = (
        "import sys, reports.figures.card, reports.figures.verdicts, reports.figures.search;"
        "print([name for name in ('matplotlib.pyplot', 'keras', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
