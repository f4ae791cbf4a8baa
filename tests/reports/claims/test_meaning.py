"""A row says once what its figures are of, and its figures then have names that say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reports.claims.model import Claims, load_claims
from tests.support.claims import claims_of, contents, figure, row, several, write_claims
from zoo.config.errors import ConfigError

RECALL = figure("recall", 0.9, decimals=2)


def names(claims: Claims) -> list[str]:
    return [each.key for each in claims.rows[0].figures]


def problem(folder: Path, data: dict[str, Any]) -> str:
    path = write_claims(folder, data)
    with pytest.raises(ConfigError) as caught:
        load_claims(str(path), {})
    (line,) = caught.value.lines
    return line.removeprefix(f"{path}: ")


def test_averages_of_two_classes_have_names_of_their_own(tmp_path: Path) -> None:
    figures = [figure(name, 0.8) for name in ("accuracy", "recall", "f1", "mcc")]
    claims = claims_of(tmp_path, contents(row("one", *figures, average="macro")))
    assert names(claims) == ["accuracy", "macro_recall", "macro_f1", "mcc"]
    assert not claims.rows[0].is_multiclass
    of_figure = contents(row("one", {**RECALL, "average": "weighted"}, figure("precision", 0.8)))
    assert names(claims_of(tmp_path, of_figure)) == ["weighted_recall", "precision"]


def test_an_average_of_a_row_is_that_of_three_classes_too(tmp_path: Path) -> None:
    claims = claims_of(tmp_path, several(row("one", RECALL, figure("accuracy", 0.8), average="macro")))
    assert names(claims) == ["recall:macro", "accuracy"]
    assert names(claims_of(tmp_path, several(row("one", figure("macro_f1", 0.8))))) == ["f1:macro"]


@pytest.mark.parametrize("positive", ["negatives", "NORMAL"])
def test_the_other_class_can_be_the_positive_one(tmp_path: Path, positive: str) -> None:
    test = {"negatives": 9, "positives": 9, "location": "p. 1", "classes": ["NORMAL", "PNEUMONIA"]}
    figures = [figure(name, 0.8) for name in ("accuracy", "recall", "precision", "f1", "auc")]
    claims = claims_of(tmp_path, contents(row("one", *figures, positive=positive, test=test)))
    assert names(claims) == ["accuracy", "specificity", "npv", "f1_of_negatives", "auc"]
    usual = claims_of(tmp_path, contents(row("one", RECALL, positive="positives")))
    assert names(usual) == ["recall"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"positive": "ill"}, "rows.0.positive: unknown class 'ill'."),
        ({"average": "micro"}, "rows.0.average: a micro average of two classes is their accuracy"),
        ({"averaged": "folds"}, "rows.0: `averaged: folds` needs their number; add `folds: 5`"),
        ({"seeds": 3}, "rows.0: `seeds` needs `averaged: seeds`"),
        ({"averaged": "runs"}, "rows.0.averaged: "),
    ],
)
def test_what_a_row_cannot_mean_is_one_line(tmp_path: Path, more: dict[str, Any], says: str) -> None:
    assert problem(tmp_path, contents(row("one", RECALL, **more))).startswith(says)


def test_a_positive_class_is_for_two_classes(tmp_path: Path) -> None:
    data = several(row("one", {**RECALL, "average": "macro"}, positive="virus"))
    assert problem(tmp_path, data).startswith("rows.0.positive: is for two classes; give each figure its `class`")
    of_two = several(row("one", figure("npv", 0.8)))
    assert problem(tmp_path, of_two).startswith("rows.0.figures.0.metric: npv is a figure of two classes;")


def test_a_percentage_with_its_interval_is_stored_as_fractions(tmp_path: Path) -> None:
    printed = figure("sensitivity", 92.8, decimals=1, percent=True, low=90.0, high=95.1, sd=1.5)
    claims = claims_of(tmp_path, contents(row("one", printed)))
    (found,) = claims.rows[0].figures
    assert (found.metric, found.value, found.decimals) == ("recall", 0.928, 3)
    assert (found.low, found.high, found.sd) == (0.9, 0.951, 0.015)
    assert Claims.model_validate(claims.model_dump(mode="json")) == claims


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"value": 93.1}, "recall must be within [0, 1]; is it given in percent? 93.1% is `value: 0.931"),
        ({"low": 0.8}, "an interval needs both `low` and `high`"),
        ({"low": 0.8, "high": 0.7}, "high must not be below low"),
        ({"folds": 5}, "give `averaged: folds` and `folds: 5` in the row, not in a figure"),
    ],
)
def test_a_figure_that_cannot_be_is_one_line(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    assert problem(tmp_path, contents(row("one", {**RECALL, **change}))).startswith(f"rows.0.figures.0: {says}")


def test_other_names_of_printed_figures_are_understood(tmp_path: Path) -> None:
    figures = [figure(name, 0.2) for name in ("error", "cohen_kappa", "fpr", "f2_score", "negative_predictive_value")]
    claims = claims_of(tmp_path, contents(row("one", *figures)))
    assert names(claims) == ["error_rate", "kappa", "false_positive_rate", "f2", "npv"]


def test_a_statement_is_about_measured_figures(tmp_path: Path) -> None:
    at_least = {"card": "a", "metric": "npv", "value": 1}
    said = {"id": "s", "location": "p. 3", "text": "T", "assertion": {"at_least": at_least}}
    path = write_claims(tmp_path, contents(row("one", RECALL), statements=[said]))
    with pytest.raises(ConfigError, match=r"at_least\.metric: unknown metric 'npv'"):
        load_claims(str(path), {})
