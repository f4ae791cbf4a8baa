"""Judged claims as markdown: every verdict with its reason, in tables that no text of a claims file breaks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmark.runs.storage.store import Store
from reports.claims.model import load_claims
from reports.render.markdown.document import render
from tests.reports.render.markdown.test_document import HOSTILE, tables
from tests.support.claims import figure, row
from tests.support.judging import BLIND, CARD, claims_about, report_of, study, two_cards
from tests.support.records import KAGGLE, cards, of_counts, on_test, planted
from tests.support.stored import keep


def named(text: str, head: str) -> list[dict[str, str]]:
    """The rows of the first table that has this column."""
    return next(rows for rows in tables(text) if rows and head in rows[0])


def test_each_claim_is_a_row_with_its_verdict_reason_and_place(tmp_path: Path) -> None:
    text = render(report_of(two_cards(tmp_path), study(tmp_path)))
    statements, figures = named(text, "statement"), named(text, "published")
    assert [one["verdict"] for one in statements] == ["reproduced", "inconclusive"]
    assert [one["verdict"] for one in figures] == [
        "inconclusive",
        "reproduced",
        "not comparable",
        "inconclusive",
        "impossible",
    ]
    assert all(one["why"] and one["where"] for one in (*statements, *figures))
    assert "Dicho." in statements[0]["statement"]
    assert figures[0]["difference"].startswith("+0.")
    assert "[" in figures[0]["difference"]


def test_a_count_has_no_decimals(tmp_path: Path) -> None:
    figures = named(render(report_of(two_cards(tmp_path), study(tmp_path))), "published")
    count = next(one for one in figures if "true positives" in one["published"])
    assert re.fullmatch(r"\d+ at 0\.5", count["measured"])
    assert re.fullmatch(r"[+-]\d+", count["difference"])


def test_the_summary_counts_what_the_tables_show(tmp_path: Path) -> None:
    text = render(report_of(two_cards(tmp_path), study(tmp_path)))
    line = next(line for line in text.splitlines() if line.startswith("Compared with"))
    assert "5 figures and 2 statements" in line
    for part in ("reproduced 2", "inconclusive 3", "impossible 1", "not comparable 1"):
        assert part in line


def test_one_seed_is_said_where_the_verdicts_stand(tmp_path: Path) -> None:
    text = render(report_of(two_cards(tmp_path), study(tmp_path)))
    assert "One seed was run" in text[: text.index("#### Statements")]


def test_images_that_would_be_needed_are_said(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, CARD, of_counts(tp=212, fp=20, tn=214, fn=22))
    says = {"at_least": {"card": CARD, "metric": "accuracy", "value": 0.9}}
    claims = claims_about(tmp_path, says=[says])
    (said,) = named(render(report_of(store, claims)), "statement")
    assert said["verdict"] == "inconclusive"
    assert re.search(r"about [\d,]+ test images would decide in 80% of cases", said["why"])


def test_where_a_verdict_flips_and_where_margins_come_from_are_said(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, CARD, of_counts(tp=212, fp=20, tn=214, fn=22))
    printed = row("one", figure("accuracy", 0.9145), card=CARD)
    says = {"at_least": {"card": CARD, "metric": "accuracy", "value": 0.9}}
    claims = claims_about(tmp_path, printed, says=[says], margin_from="agreed with the readers")
    own = claims.statements[0].model_copy(update={"margin_from": "a law"})
    text = render(report_of(store, claims.model_copy(update={"statements": (own,)})))
    assert "Margin of figures 0.05, of losses 10% of the value: agreed with the readers." in text
    (statement,) = named(text, "statement")
    (printed_figure,) = named(text, "published")
    assert re.search(r"would be reproduced for a bound below 0\.\d{3}; .*; its margin: a law$", statement["why"])
    flips = re.search(r"reproduced from a margin of (0\.\d{3}) on", printed_figure["why"])
    ends = re.search(r"\[([-+.\d]+), ([-+.\d]+)\]", printed_figure["difference"])
    assert flips is not None
    assert ends is not None
    assert float(flips[1]) == max(-float(ends[1]), float(ends[2]))


def test_a_margin_without_an_origin_is_named(tmp_path: Path) -> None:
    text = render(report_of(two_cards(tmp_path), study(tmp_path)))
    assert "the file does not say where it comes from." in text


def test_a_card_that_differs_has_its_changes_with_effect_and_p(tmp_path: Path) -> None:
    rows = named(render(report_of(two_cards(tmp_path), study(tmp_path))), "change")
    of_card = [one for one in rows if one["card"] == f"`{CARD}`"]
    assert of_card
    assert all(re.match(r"[+-]\d\.\d{3}", one["effect"]) for one in of_card)


def test_a_collapsed_card_without_a_measured_change_is_named_all_the_same(tmp_path: Path) -> None:
    """Constant scores have no threshold and no calibrator, and no other card here is one change away."""
    report = report_of(two_cards(tmp_path), study(tmp_path))
    (only,) = [one for one in named(render(report), "change") if one["card"] == f"`{BLIND}`"]
    assert only["change"] == "none was measured"


HOSTILE_MARKUP = f"[red]{HOSTILE}[/red] \x1b[31m `tick"


@pytest.mark.parametrize("place", ["title", "text", "location", "data"])
def test_hostile_text_breaks_no_table_and_brings_no_markup(tmp_path: Path, place: str) -> None:
    hostile, more = HOSTILE_MARKUP, {}
    dataset = KAGGLE
    if place == "title":
        more = {"title": hostile}
    elif place == "data":
        dataset = KAGGLE.model_copy(update={"title": hostile})
    else:
        more = {place: hostile}
    report = report_of(two_cards(tmp_path, dataset=dataset), study(tmp_path, **more))
    plain = report_of(two_cards(tmp_path / "plain"), study(tmp_path / "plain"))
    text = render(report)
    assert "<script" not in text
    assert "alert(1)" in text
    assert not re.search(r"^(# heading|\| a \| row)", text, flags=re.MULTILINE)
    assert [len(rows) for rows in tables(text)] == [len(rows) for rows in tables(render(plain))]
    assert [line for line in text.splitlines() if line.startswith("#")][3:] == [
        line for line in render(plain).splitlines() if line.startswith("#")
    ][3:]


@pytest.mark.parametrize("dataset", [KAGGLE, KAGGLE.model_copy(update={"source": "folder"})])
def test_the_report_s_own_claims_make_a_well_formed_document(tmp_path: Path, dataset: Any) -> None:
    store = Store(tmp_path / "runs")
    for place, card in enumerate(cards()):
        for seed in range(1 + place % 2):
            keep(store, card, on_test(*planted(60, 60, 0.3 * place, place)), seed=seed, dataset=dataset)
    claims = load_claims("pneumonia_report", cards())
    text = render(report_of(store, claims))
    assert len(named(text, "statement")) == len(claims.statements)
    assert len(named(text, "published")) == sum(len(one.figures) for one in claims.rows)
    assert "\\*\\*" not in text
    assert "nan" not in re.findall(r"[a-z]+", text)
