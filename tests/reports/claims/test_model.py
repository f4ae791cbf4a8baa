"""Claims files are read strictly: every name means something, every error has its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.evidence.diagnosis.diagnoses import FINDINGS
from reports.claims.model import Claims, PrintedMatrix, claims_names, load_claims
from tests.support.claims import claims_of, contents, figure, row, write_claims
from tests.support.records import cards
from zoo.config.errors import ConfigError
from zoo.models.recipe import Loss

COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
PLAIN = row("one", figure("accuracy", 0.8125))
SAID = {"id": "said", "location": "Conclusion", "text": "It works."}


def problems(folder: Path, data: dict[str, Any]) -> list[str]:
    """The lines of the error, without the file's path."""
    path = write_claims(folder, data)
    with pytest.raises(ConfigError) as caught:
        load_claims(str(path), cards())
    assert all(line.startswith(f"{path}") for line in caught.value.lines)
    return [line.removeprefix(f"{path}: ") for line in caught.value.lines]


@pytest.fixture(scope="module")
def report() -> Claims:
    return load_claims("pneumonia_report", cards())


@pytest.mark.parametrize("name", claims_names())
def test_every_built_in_claims_file_is_valid(name: str) -> None:
    claims = load_claims(name, cards())
    assert claims.name == name
    assert all(each.loss is not None for each in claims.rows)


def test_a_row_holds_what_its_card_published_and_no_figure_stands_twice(report: Claims) -> None:
    for each in report.rows:
        published = tuple(f for f in cards()[each.card or ""].published if f.metric not in COUNTS)
        assert each.figures == published


def test_four_published_counts_are_the_row_s_matrix(report: Claims) -> None:
    location = next(f.location for f in cards()["attempt-7"].published if f.metric == "true_positives")
    assert report.matrices == (PrintedMatrix(row="attempt-7", location=location, tp=131, fp=6, tn=228, fn=103),)


def stated(*figures: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A claims file whose row is of a card and states figures of its own."""
    return contents({"name": "attempt-4", "card": "attempt-4", "figures": list(figures), **more})


def test_a_figure_of_a_card_that_its_row_states_too_counts_once(tmp_path: Path) -> None:
    published = cards()["attempt-4"].published
    again = [{**each.model_dump(exclude_none=True), "location": "elsewhere"} for each in published]
    (found,) = load_claims(str(write_claims(tmp_path, stated(*again))), cards()).rows
    assert found.figures == published


def test_of_a_figure_that_both_state_the_one_with_more_decimals_counts(tmp_path: Path) -> None:
    published = cards()["attempt-4"].published
    finer = {**published[0].model_dump(exclude_none=True), "decimals": 7, "location": "the log"}
    other = figure("brier", 0.123)
    (found,) = load_claims(str(write_claims(tmp_path, stated(finer, other))), cards()).rows
    assert [each.location for each in found.figures] == [
        "the log",
        *(f.location for f in published[1:]),
        other["location"],
    ]


@pytest.mark.parametrize(
    "change", [{"value": 0.001}, {"split": "val"}, {"epoch": "last"}, {"upper": 0.999}, {"metric": "brier"}]
)
def test_a_figure_that_differs_from_the_card_s_counts_beside_it(tmp_path: Path, change: dict[str, Any]) -> None:
    published = cards()["attempt-4"].published
    own = next(f for f in published if f.metric == "accuracy" and f.split == "test")
    other = {**own.model_dump(exclude_none=True), **change}
    (found,) = load_claims(str(write_claims(tmp_path, stated(other))), cards()).rows
    assert len(found.figures) == len(published) + 1


def test_the_field_s_other_names_mean_the_metric(tmp_path: Path) -> None:
    printed = [figure("sensitivity", 0.5), figure("ppv", 0.6), figure("roc_auc", 0.7), figure("tn", 7, decimals=0)]
    says = {"superior": {"a": "attempt-1", "b": "attempt-2", "metric": "f1_score"}}
    data = contents(row("one", *printed), statements=[{**SAID, "assertion": says}])
    claims = load_claims(str(write_claims(tmp_path, data)), cards())
    assert [each.metric for each in claims.rows[0].figures] == ["recall", "precision", "auc", "true_negatives"]
    assert claims.statements[0].assertion.superior is not None
    assert claims.statements[0].assertion.superior.metric == "f1"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sensitvity", "Did you mean sensitivity?"),
        ("presicion", "Did you mean precision?"),
        ("lift", "Known: accuracy, "),
    ],
)
def test_a_metric_misspelt_is_answered_with_one_that_means_the_same(tmp_path: Path, name: str, says: str) -> None:
    (line,) = problems(tmp_path, contents(row("one", figure(name, 0.5))))
    assert line.startswith(f"rows.0.figures.0.metric: unknown metric '{name}'. {says}")


def test_a_share_in_percent_is_refused_under_any_name(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, contents(row("one", figure("sensitivity", 93.1))))
    assert "recall must be within [0, 1]; is it given in percent?" in line


def test_fewer_counts_than_four_stay_figures(tmp_path: Path) -> None:
    figures = [figure(name, 5, decimals=0) for name in COUNTS[:3]]
    claims = claims_of(tmp_path, contents(row("one", *figures)))
    assert claims.matrices == ()
    assert len(claims.rows[0].figures) == 3


def test_the_source_s_test_set_holds_for_rows_that_state_none(tmp_path: Path) -> None:
    own = {"negatives": 10, "positives": 20, "location": "Table 3"}
    claims = claims_of(tmp_path, contents(PLAIN, row("two", figure("recall", 0.5), test=own)))
    sizes = [(each.test.negatives, each.test.positives) for each in claims.rows if each.test]
    assert sizes == [(100, 60), (10, 20)]


def test_a_card_s_test_set_and_loss_hold_for_its_row(report: Claims) -> None:
    source = cards()["attempt-6b"].source
    found = next(each for each in report.rows if each.name == "attempt-6b")
    assert source is not None
    assert source.test is not None
    assert found.test is not None
    assert (found.test.negatives, found.test.positives) == (source.test.negatives, source.test.positives)
    assert found.loss == cards()["attempt-6b"].recipe.loss


def test_a_loss_that_is_not_stated_is_cross_entropy(tmp_path: Path) -> None:
    assert claims_of(tmp_path, contents(PLAIN)).rows[0].loss == Loss()


def test_the_report_s_statements_speak_of_every_attempt_it_describes(report: Claims) -> None:
    assert len(report.statements) >= 11
    named = {
        card for statement in report.statements for form in statement.assertion.forms() for card in form.assertion.cards
    }
    assert {each.card for each in report.rows} <= named


def test_every_quoted_statement_is_translated(report: Claims) -> None:
    assert [statement.id for statement in report.statements if not statement.translation] == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rows": []}, ["rows: needs at least 1 entry"]),
        ({"rows": [{"name": "one"}]}, ["rows.0", "needs a card or figures"]),
        ({"rows": [{"name": "one", "card": "attempt-77"}]}, ["rows.0.card", "Did you mean attempt-7"]),
        ({"rows": [PLAIN, PLAIN]}, ["rows.1.name", "'one' is a duplicate"]),
        ({"rows": [row("one", figure("acuracy", 0.5))]}, ["rows.0.figures.0.metric", "Did you mean accuracy"]),
        ({"rows": [row("one", figure("accuracy", 81.25))]}, ["rows.0.figures.0", "percent"]),
        ({"rows": [{**PLAIN, "threshold": 1.0}]}, ["rows.0.threshold", "less than 1"]),
        ({"rows": [{**PLAIN, "cards": "x"}]}, ["rows.0.cards", "unknown key", "card"]),
        ({"titel": "x"}, ["titel", "unknown key", "title"]),
        ({"matrices": [{"row": "on", "location": "x", "tp": 1, "fp": 1, "tn": 1, "fn": 1}]}, ["matrices.0.row", "one"]),
        ({"matrices": [{"row": "one", "location": "x", "tp": -1, "fp": 1, "tn": 1, "fn": 1}]}, ["matrices.0.tp"]),
        ({"settings": [{"row": "two", "setting": "rate", "value": 1, "location": "x"}]}, ["settings.0.row", "'two'"]),
        (
            {"interpretations": [{"row": "two", "meaning": "x", "figures": [figure("recall", 1)]}]},
            ["interpretations.0.row"],
        ),
        ({"statements": [{**SAID, "assertion": {}}]}, ["statements.0.assertion", "exactly one of superior"]),
        (
            {
                "statements": [
                    {**SAID, "assertion": {"any": [{"at_most": {"card": "attempt-1", "metric": "auc", "value": 1}}]}}
                ]
            },
            ["statements.0.assertion.any", "needs at least 2 entries"],
        ),
        (
            {"statements": [{**SAID, "assertion": {"matrix_of": {"matrix": "one", "card": "attempt-11"}}}]},
            ["statements.0.assertion.matrix_of.card", "attempt-1"],
        ),
        (
            {
                "statements": [
                    {**SAID, "assertion": {"at_least": {"card": "attempt-7", "metric": "presicion", "value": 0.9}}}
                ]
            },
            ["statements.0.assertion.at_least.metric", "unknown metric 'presicion'. Did you mean precision"],
        ),
        (
            {"statements": [{**SAID, "assertion": {"diagnosis": {"card": "attempt-7", "finding": ["overfit"]}}}]},
            ["statements.0.assertion.diagnosis.finding.0", "Did you mean overfitting"],
        ),
        (
            {"statements": [{**SAID, "assertion": {"matrix_of": {"matrix": "one", "card": "attempt-7"}}}]},
            ["statements.0.assertion.matrix_of.matrix", "'one'"],
        ),
    ],
)
def test_what_means_nothing_is_one_line_with_its_place(tmp_path: Path, change: dict[str, Any], says: list[str]) -> None:
    (line,) = problems(tmp_path, {**contents(PLAIN), **change})
    assert [word for word in says if word not in line] == []


def test_two_forms_in_one_statement_are_refused(tmp_path: Path) -> None:
    level = {"card": "attempt-7", "metric": "auc", "value": 0.9}
    data = {**contents(PLAIN), "statements": [{**SAID, "assertion": {"at_least": level, "at_most": level}}]}
    assert any("exactly one of" in line for line in problems(tmp_path, data))


def test_two_matrices_of_one_row_are_refused(tmp_path: Path) -> None:
    matrix = {"row": "one", "location": "Table 2", "tp": 1, "fp": 1, "tn": 1, "fn": 1}
    (line,) = problems(tmp_path, {**contents(PLAIN), "matrices": [matrix, matrix]})
    assert line.startswith("matrices.1.row: 'one' is a duplicate")


def test_every_error_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    wrong = {
        "rows": [row("one", figure("acuracy", 0.5), card="attempt-77")],
        "settings": [{"row": "two", "setting": "rate", "value": 1, "location": "x"}],
    }
    assert len(problems(tmp_path, {**contents(), **wrong})) == 3


def test_a_name_that_is_not_the_file_s_is_refused(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, {**contents(PLAIN), "name": "other"})
    assert line == "name: is 'other'; must equal the file's name, 'study'"


def test_unknown_claims_are_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"Unknown claims 'pneumonia-report'. Did you mean pneumonia_report"):
        load_claims("pneumonia-report", cards())


def test_a_statement_asserts_all_of_all_and_none_of_any(tmp_path: Path) -> None:
    forms = [{"diagnosis": {"card": "attempt-1", "finding": [code]}} for code in list(FINDINGS)[:2]]
    said = [{**SAID, "id": joint, "assertion": {joint: forms}} for joint in ("all", "any")]
    said.append({**SAID, "id": "alone", "assertion": forms[0]})
    path = write_claims(tmp_path, {**contents(PLAIN), "statements": said})
    every, one_of, alone = (statement.assertion for statement in load_claims(str(path), cards()).statements)
    assert [len(says.forms()) for says in (every, one_of, alone)] == [2, 2, 1]
    assert [len(says.necessary()) for says in (every, one_of, alone)] == [2, 0, 1]


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        (figure("PPV", 0.5), "metric: unknown metric 'PPV'. Did you mean precision?"),
        (figure("accuracy", 92.79), "is it given in percent? 92.79% is `value: 0.9279, decimals: 4`"),
        (figure("accuracy", 92.7, decimals=2), "is it given in percent? 92.7% is `value: 0.9270, decimals: 4`"),
        (figure("accuracy", 0.5) | {"value": "92.79%"}, "is in percent; write the share, 0.9279, which has 4 decimals"),
        (figure("accuracy", 0.5) | {"value": "0,9279"}, "'0,9279' has a decimal comma; write 0.9279"),
        (figure("accuracy", 0.92788461), "0.92788461 has 8 decimals, but `decimals` is 4; one is a typing error"),
        (figure("accuracy", 0.9279, decimals=8), "0.9279 has 4 decimals, but `decimals` is 8; one is a typing error"),
    ],
)
def test_a_number_or_a_metric_that_is_written_wrongly_is_answered_with_what_is_meant(
    tmp_path: Path, printed: dict[str, Any], says: str
) -> None:
    (line,) = problems(tmp_path, contents(row("one", printed)))
    assert says in line


def test_zeros_at_the_end_of_a_printed_figure_need_not_be_written(tmp_path: Path) -> None:
    printed = [figure("accuracy", 0.5), figure("recall", 1.0, decimals=6), figure("precision", 0.875, decimals=6)]
    assert len(claims_of(tmp_path, contents(row("one", *printed))).rows[0].figures) == 3


def test_a_decimal_comma_in_braces_is_named(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("rows:\n  - name: one\n    figures:\n      - {metric: accuracy, value: 0,9279, decimals: 4}\n")
    with pytest.raises(ConfigError, match=r"study.yaml:4:37: .*'0,9279' has a decimal comma; write 0\.9279"):
        load_claims(str(path), cards())


def test_a_row_is_named_in_lower_case_and_its_name_in_the_source_is_an_alias(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, contents(row("ResNet A", figure("accuracy", 0.8125))))
    assert line.startswith("rows.0.name: must be lower case letters, digits, '.', '_' and '-'; write 'resnet-a'")
    assert '`alias: "ResNet A"`' in line


def test_a_file_that_cannot_name_its_claims_is_to_be_renamed(tmp_path: Path) -> None:
    path = tmp_path / "Doe 2024.yaml"
    path.write_text("title: A study\n")
    with pytest.raises(
        ConfigError, match=r"the file's name is the name of the claims: .*rename the file to 'doe-2024.yaml'"
    ):
        load_claims(str(path), cards())


@pytest.mark.parametrize(
    ("says", "answer"),
    [
        ({"at_least": {"card": "attempt-1", "metric": "auc", "value": 0.9, "at": "chosen"}}, "drop `at`"),
        ({"at_least": {"card": "attempt-1", "metric": "recall", "value": 0.9, "at": "0.3"}}, "'half' or 'chosen'"),
    ],
)
def test_decisions_that_a_statement_cannot_be_about_are_refused(
    tmp_path: Path, says: dict[str, Any], answer: str
) -> None:
    (line,) = problems(tmp_path, contents(PLAIN, statements=[{**SAID, "assertion": says}]))
    assert answer in line


def test_a_row_has_a_threshold_or_says_that_it_was_chosen(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, contents(row("one", figure("accuracy", 0.8125), threshold=0.3, at="chosen")))
    assert "`at` and `threshold` exclude each other" in line
