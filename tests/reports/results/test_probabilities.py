"""What scores are worth as probabilities and decisions on test, with everything fitted on validation."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss, log_loss, recall_score

from benchmark.evidence import TestScores, ValidationScores
from benchmark.evidence.calibration.utility import DecisionCurve, NetBenefit
from benchmark.runs.storage.store import Store
from reports.render.markdown.probabilities import probabilities_markdown
from reports.results.measured import collect_results
from reports.results.probabilities import Probabilities, probabilities
from tests.support.records import on_test, on_val, planted
from tests.support.stored import keep


def sharpened(factor: float, images: int = 300) -> tuple[ValidationScores, TestScores]:
    """Validation and test of one model whose logits are `factor` times the calibrated ones."""
    val, test = planted(images, images, seed=1), planted(images, images, seed=2)
    scores = [expit(factor * 2 * logit(np.array(each[1]))).tolist() for each in (val, test)]
    return on_val(val[0], scores[0]), on_test(test[0], scores[1])


def of(folder: Path, val: ValidationScores | None = None, test: TestScores | None = None) -> Probabilities:
    store = Store(folder)
    run = keep(store, "attempt-1", test, val)
    (found,) = probabilities(collect_results([run], store))
    return found


def test_each_run_is_a_row_by_card_and_seed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    runs = [keep(store, card, seed=seed) for card, seed in (("attempt-7", 0), ("attempt-1", 1), ("attempt-1", 0))]
    found = probabilities(collect_results(runs, store))
    assert [(row.card, row.seed) for row in found] == [("attempt-1", 0), ("attempt-1", 1), ("attempt-7", 0)]


def test_scores_that_are_too_sure_are_calibrated_on_validation_and_better_on_test(tmp_path: Path) -> None:
    val, test = sharpened(4.0)
    found = of(tmp_path, val, test)
    assert found.calibrator.accepted
    assert found.after is not None
    assert found.before.log_loss == pytest.approx(log_loss(test.y_true, test.y_score), rel=1e-6)
    assert found.before.brier == pytest.approx(brier_score_loss(test.y_true, test.y_score))
    assert found.after.log_loss < found.before.log_loss
    assert found.before.slope.value is not None
    assert found.before.slope.value < 0.5
    assert found.after.slope.value == pytest.approx(1, abs=0.25)


def test_a_calibrator_that_does_not_help_is_rolled_back_and_the_report_says_so(tmp_path: Path) -> None:
    """Of the images scored p, a share of p is positive: nothing is left to learn but noise."""
    levels = [(0.1, 4, 36), (0.3, 12, 28), (0.5, 20, 20), (0.7, 28, 12), (0.9, 36, 4)]
    labels = [label for _, ill, well in levels for label in [1] * ill + [0] * well]
    found = of(tmp_path, on_val(labels, [p for p, ill, well in levels for _ in range(ill + well)]))
    assert not found.calibrator.accepted
    assert found.after is None
    assert any("rolled back" in line for line in probabilities_markdown([found]))


def test_what_is_fitted_does_not_depend_on_test(tmp_path: Path) -> None:
    val, test = sharpened(4.0)
    other = on_test(test.y_true[::-1].tolist(), test.y_score.tolist())
    found = [of(tmp_path / name, val, each) for name, each in (("a", test), ("b", other))]
    grid = on_test([0, 1] * 50, np.linspace(0.01, 0.99, 100).tolist())
    assert found[0].transfer.chosen == found[1].transfer.chosen
    assert np.array_equal(*(one.calibrator.apply(grid).y_score for one in found))


def test_test_figures_stand_at_half_at_the_chosen_threshold_and_in_hindsight(tmp_path: Path) -> None:
    val, test = on_val(*planted(60, 60, seed=1)), on_test(*planted(100, 100, seed=2))
    shown = of(tmp_path, on_val(val.y_true.tolist(), (val.y_score * 0.4).tolist()), test).transfer
    assert shown.chosen.value is not None
    for figures, threshold in ((shown.at_half, 0.5), (shown.at_chosen, shown.chosen.value)):
        assert figures["recall"].value == pytest.approx(recall_score(test.y_true, test.y_score >= threshold))
    best, chosen = (
        figures["recall"].value + figures["specificity"].value  # type: ignore[operator]
        for figures in (shown.oracle.figures, shown.at_chosen)
    )
    assert best >= chosen


def test_predictive_values_are_those_of_bayes_at_the_chosen_threshold(tmp_path: Path) -> None:
    found = of(tmp_path)
    recall, specificity = (found.transfer.at_chosen[name].value for name in ("recall", "specificity"))
    assert recall is not None
    assert specificity is not None
    for value in found.values:
        share = value.prevalence
        wanted = recall * share / (recall * share + (1 - specificity) * (1 - share))
        assert value.ppv.value == pytest.approx(wanted)
    assert [value.prevalence for value in found.values] == [0.05, 0.15, 0.25]


@pytest.mark.parametrize(
    ("val", "test"),
    [
        (([0, 1] * 30, [0.4] * 60), ([0, 1] * 30, [0.4] * 60)),
        (([0, 1] * 30, [0.4] * 60), ([1] * 20, [0.9] * 20)),
        (([0] * 60, list(np.linspace(0, 1, 60))), ([0] * 60, list(np.linspace(0, 1, 60)))),
        (([0, 1] * 30, [0.0, 1.0] * 30), ([0, 1] * 30, [0.0, 1.0] * 30)),
        (([0, 1], [0.2, 0.8]), ([0, 1], [0.2, 0.8])),
    ],
    ids=["constant", "constant and one class", "one class", "perfect and certain", "two images"],
)
def test_scores_that_show_nothing_are_a_row_too(
    tmp_path: Path, val: tuple[list[int], list[float]], test: tuple[list[int], list[float]]
) -> None:
    lines = probabilities_markdown([of(tmp_path, on_val(*val), on_test(*test))])
    assert sum(line.startswith("| `attempt-1`") for line in lines) == 5
    assert not any(re.search(r"\b(nan|NaN|None)\b", line) for line in lines)


def test_a_threshold_that_could_not_be_chosen_says_why_in_its_place(tmp_path: Path) -> None:
    found = of(tmp_path, on_val([0, 1] * 30, [0.4] * 60))
    assert found.transfer.chosen.reason is not None
    assert any(found.transfer.chosen.reason in line for line in probabilities_markdown([found]))


def test_where_acting_on_the_scores_pays_is_shown_as_ranges(tmp_path: Path) -> None:
    curve = DecisionCurve(
        0.5,
        tuple(
            NetBenefit(cut, model, 0.2)
            for cut, model in ((0.1, 0.3), (0.2, 0.3), (0.3, 0.1), (0.4, 0.25), (0.5, 0.0), (0.6, None))
        ),
    )
    found = of(tmp_path)
    assert found.curve.better_than_both()
    text = "\n".join(probabilities_markdown([replace(found, curve=curve)]))
    assert "| 0.10 to 0.20, 0.40 |" in text
    never = replace(found, curve=DecisionCurve(0.5, (NetBenefit(0.5, 0.0, 0.2),)))
    assert "| nowhere |" in "\n".join(probabilities_markdown([never]))
