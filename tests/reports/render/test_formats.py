"""JSON, CSV and LaTeX: the figures of the report, missing ones missing, hostile text shown and never run."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.runs.storage.store import Store
from reports.frames.load import load_figures, load_runs
from reports.render import csv as csv_tables
from reports.render import json as json_document
from reports.render import latex
from reports.report import Report, build_report
from tests.support.records import PHANTOM, make_card, make_run, recorded_history
from tests.support.study import COLLAPSED, FAILED, SEVERAL, SINGLE, report_in

HOSTILE = (
    r"=cmd|' /C calc'!A0 <script>alert(1)</script> \input{/etc/passwd} 100% & #1 _x^2 ~ {a} $1 -- “é” " + "x" * 300
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report_in(tmp_path_factory.mktemp("study"))


NO_STORE = Store(Path("no-such-store"))


def hostile() -> Report:
    card = make_card(change=HOSTILE[:200], title=HOSTILE[:200])
    dataset = PHANTOM.model_copy(update={"title": HOSTILE, "source": HOSTILE})
    return build_report([make_run(card, dataset=dataset, error=HOSTILE)], lambda _: recorded_history())


def rows(report: Report, table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_tables.render(report, NO_STORE)[table])))


# JSON


def test_the_document_has_these_parts_under_these_names(report: Report) -> None:
    document = json.loads(json_document.render(report))
    assert set(document) == {"version", "title", "sections", "skipped"}
    (section,) = document["sections"]
    assert set(section) == {
        *(
            "title",
            "summary",
            "synthetic",
            "notes",
            "leading",
            "findings",
            "cards",
            "runs",
            "comparisons",
            "ranking",
            "claims",
        ),
        *("probabilities", "curves", "methods", "limits", "checklists"),
    }
    (claims,) = section["claims"]
    assert set(claims) == {
        *("name", "title", "source", "data", "counts", "statements", "figures", "changes", "audit", "notes"),
        *("margin", "loss_margin", "margin_from"),
    }
    assert set(section["cards"][0]) == {
        *("card", "seeds", "failed", "left_out", "thresholds", "at_half", "at_chosen", "diagnosis", "errors"),
        *("seconds", "pending"),
    }
    assert set(claims["figures"][0]) == {
        *("about", "claim", "where", "decision", "published", "measured", "difference", "quote", "at"),
        "margin_from",
    }


def test_the_document_holds_the_figures_of_the_report(report: Report) -> None:
    (section,) = json.loads(json_document.render(report))["sections"]
    single = next(card for card in section["cards"] if card["card"]["name"] == SINGLE)
    assert single["at_half"]["accuracy"]["value"] == pytest.approx(359 / 468)
    assert section["findings"]["counts"] == {"holds": 4, "does not hold": 1, "undetermined": 8}
    assert {run["run_id"] for run in section["runs"]} == {run.run_id for run in report.sections[0].runs}
    failed = next(card for card in section["cards"] if card["card"]["name"] == FAILED)
    assert failed["at_half"] == {}


def test_what_json_lacks_is_null() -> None:
    assert json_document.json_value((float("nan"), np.float64("inf"), 1.5)) == [None, None, 1.5]
    assert json_document.json_value({"a": np.array([1, 2]), "b": {2, 1}, "c": np.int64(3)}) == {
        "a": [1, 2],
        "b": [1, 2],
        "c": 3,
    }


def test_what_has_no_place_in_json_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        json_document.json_value({"a": object()})


def test_the_same_report_is_the_same_document(report: Report) -> None:
    assert json_document.render(report) == json_document.render(report)


def test_hostile_text_comes_back_from_json_as_it_was() -> None:
    (section,) = json.loads(json_document.render(hostile()))["sections"]
    assert section["runs"][0]["error"] == HOSTILE


# CSV


def test_tables_are_tidy(report: Report) -> None:
    for name in csv_tables.render(report, NO_STORE):
        table = rows(report, name)
        assert table
        assert all(None not in row and None not in row.values() for row in table)
        if name != "figures":
            assert {(row["protocol"], row["synthetic"]) for row in table} == {("quick", "false")}


def test_runs_and_figures_have_the_columns_and_values_of_the_frames(tmp_path: Path) -> None:
    report = report_in(tmp_path)
    store = Store(tmp_path / "runs")
    files = csv_tables.render(report, store)
    for name, load in (("runs", load_runs), ("figures", load_figures)):
        frame = load(store.root, frame="arrow")
        cells = list(csv.reader(io.StringIO(files[name])))
        assert cells[0] == frame.column_names
        assert len(cells) == 1 + frame.num_rows
    accuracy = {row["run_id"]: row["test_accuracy"] for row in load_runs(store.root, frame="arrow").to_pylist()}
    for row in csv.DictReader(io.StringIO(files["runs"])):
        assert (float(row["test_accuracy"]) if row["test_accuracy"] else None) == accuracy[row["run_id"]]


def test_every_run_has_its_figures_at_both_thresholds(report: Report) -> None:
    recalls = [row for row in rows(report, "figures") if row["card"] == SEVERAL and row["metric"] == "recall"]
    assert {(row["seed"], row["split"], row["at"]) for row in recalls} == {
        (seed, split, at) for seed in "01" for split in ("val", "test") for at in ("half", "chosen")
    }
    (accuracy,) = [
        row
        for row in rows(report, "figures")
        if (row["card"], row["split"], row["at"], row["metric"]) == (SINGLE, "test", "half", "accuracy")
    ]
    assert float(accuracy["value"]) == pytest.approx(359 / 468)
    assert float(accuracy["low"]) < float(accuracy["value"]) < float(accuracy["high"])


def test_missing_is_an_empty_cell_with_a_reason(report: Report) -> None:
    (mcc,) = [row for row in rows(report, "cards") if (row["card"], row["metric"]) == (COLLAPSED, "mcc")]
    assert (mcc["value"], mcc["low"], mcc["high"]) == ("", "", "")
    assert mcc["reason"]


def test_claims_have_verdicts_and_runs_have_errors(report: Report) -> None:
    verdicts = {(row["about"], row["published"]): row["verdict"] for row in rows(report, "claims")}
    assert verdicts["odd", "0.9113"] == "impossible"
    assert len(rows(report, "claims")) == 13
    (failed,) = [row for row in rows(report, "runs") if row["status"] == "failed"]
    assert (failed["error"], failed["seconds"]) == ("ResourceExhausted: no memory", "")


def test_no_cell_of_text_starts_a_formula() -> None:
    held = [cell for name in ("figures", "runs") for row in rows(hostile(), name) for cell in row.values()]
    assert any("cmd" in cell for cell in held)
    assert not any(re.match(r"[=@+]|-\D", cell) for cell in held)


# LaTeX


def bodies(text: str) -> list[str]:
    """The rows of every table."""
    tables = re.findall(r"\\endlastfoot\n(.*?)\\end\{longtable\}", text, flags=re.DOTALL)
    return [line for table in tables for line in table.splitlines()]


def unescaped(text: str) -> str:
    """`text` without what escapes it."""
    return re.sub(r"\\(?:text[a-z]+\{\}|[{}$&#%_])", "", text)


def test_there_is_a_table_for_comparison_ranking_and_claims(report: Report) -> None:
    text = latex.render(report)
    assert re.findall(r"\\label\{tab:(.*?)\}", text) == ["comparison", "ranking", "claims"]
    assert text.count(r"\begin{longtable}") == text.count(r"\end{longtable}") == 3
    assert r"\toprule" in text
    assert "attempt-{}6b & 1 & 0.767 [0.717, 0.812] (0.767) & 0.560" in text
    assert any(line.startswith("impossible & odd &") for line in bodies(text))


def test_every_row_has_as_many_cells_as_its_table_has_columns(report: Report) -> None:
    text = latex.render(report)
    for table in re.findall(r"\\begin\{longtable\}(.*?)\\end\{longtable\}", text, flags=re.DOTALL):
        head = re.search(r"\\toprule\n(.*?)\\\\", table)
        assert head is not None
        for row in bodies(rf"\endlastfoot{table.partition('endlastfoot')[2]}\end{{longtable}}"):
            assert unescaped(row).count("&") == head[1].count("&")


def test_missing_is_a_dash_and_a_minus_is_one(report: Report) -> None:
    rows_of = bodies(latex.render(report))
    assert any(line.startswith("attempt-{}2 & 0 & -- & --") for line in rows_of)
    assert any(r"\textminus{}0." in line for line in rows_of)
    assert not any(re.search(r"(?<![\w}])-\{\}\d", line) for line in rows_of)


def test_hostile_text_is_printed_and_not_obeyed() -> None:
    text = latex.render(hostile())
    left = unescaped(text)
    assert r"\input" not in left
    assert "alert(1)" in text
    assert left.count("{") == left.count("}")
    caption = re.search(r"\\caption\{(.*)\}\\label", text)
    assert caption is not None
    assert not re.search(r"[\\$&#%_^~<>|]", unescaped(caption[1]))


@pytest.mark.parametrize("sign", list("\\{}$&#%_^~<>|\"`'-?!"))
def test_every_special_sign_is_escaped(sign: str) -> None:
    assert latex.escape(f"a{sign}b") != f"a{sign}b"
    assert latex.escape(sign * 2) == latex.escape(sign) * 2


def test_a_text_over_lines_is_one_line() -> None:
    assert latex.escape("a\n\nb\x00") == "a b"


def test_the_three_formats_agree(report: Report, tmp_path: Path) -> None:
    document: dict[str, Any] = json.loads(json_document.render(report))["sections"][0]
    found = {card["card"]["name"]: card["at_half"] for card in document["cards"]}
    for row in rows(report, "cards"):
        if row["at"] == "half":
            value = found[row["card"]][row["metric"]]["value"]
            assert (row["value"] == "") == (value is None)
            assert value is None or float(row["value"]) == pytest.approx(value)
