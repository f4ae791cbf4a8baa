"""The HTML page of three and of ten classes: matrices, figures of each class, and the data of the class switch."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from html import unescape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from benchmark.evidence.decisions.decide import decide
from benchmark.evidence.scores import AnyScores, MulticlassScores
from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.protocol import Protocol, load_protocol
from benchmark.runs.storage.store import Store
from reports.render.html import class_switch
from reports.render.html.matrix import percent
from reports.render.html.page import render
from reports.render.html.scores import test_scores
from reports.report import Report, build_report
from tests.support.multiclass_stores import (
    BETTER,
    COLLAPSED,
    FAILED,
    RADIOGRAPHS,
    WORSE,
    keep_multiclass,
    on_test,
    on_val,
    simulated,
    ten_classes_in,
    three_classes_in,
)
from tests.support.pages import HOSTILE, LONG, Page, ordinary

Made = tuple[str, Report, dict[str, AnyScores]]


def made(store: Store) -> Made:
    """The page of a store, its report and its scores."""
    report = build_report(store.runs()[0], store.history, scores=store)
    scores = test_scores(report, store)
    return render(report, scores), report, scores


def deciding(text: str) -> Protocol:
    """A protocol with this decision rule."""
    return load_protocol("quick").model_copy(update={"decision": DecisionRule.parse(text)})


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two cards on ten classes with two seeds each."""
    return made(ten_classes_in(tmp_path_factory.mktemp("ten")))


@pytest.fixture(scope="module")
def abstaining(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Cards on three classes that abstain below a confidence: one with two seeds, one collapsed, one failed."""
    return made(three_classes_in(tmp_path_factory.mktemp("three"), protocol=deciding("abstain=0.7")))


def text_of(html: str) -> str:
    """The page without its tags, as one line."""
    body = re.sub(r"<(style|script)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", body).split()))


def card_of(html: str, name: str) -> str:
    """The section of one card."""
    begin = html.index(f'<details class="card" id="part1-card-{name}"')
    return html[begin : html.find('<details class="card"', begin + 1)]


def matrices(html: str) -> list[list[list[int]]]:
    """The counts of every matrix, without totals."""
    tables = re.findall(r'<table class="classes[^"]*">(.*?)</table>', html, flags=re.DOTALL)
    bodies = [
        re.findall(r"<tr>.*?</tr>", table.partition("<tbody>")[2].partition("</tbody>")[0], flags=re.DOTALL)
        for table in tables
    ]
    return [[[int(n) for n in re.findall(r"<small>(\d+)</small>", row)] for row in body] for body in bodies]


def panels(html: str) -> dict[str, Any]:
    """The data of the class switches."""
    (text,) = re.findall(r'<script type="application/json" id="class-scores">(.*?)</script>', html, flags=re.DOTALL)
    data = json.loads(text)
    assert isinstance(data, dict)
    return data


def labels(data: str) -> list[int]:
    raw = base64.b64decode(data)
    return list(struct.unpack(f"<{len(raw) // 2}h", raw))


def floats(packed: dict[str, Any]) -> list[float]:
    raw = base64.b64decode(packed["data"])
    return list(struct.unpack(f"<{len(raw) // packed['bytes']}{ {4: 'f', 8: 'd'}[packed['bytes']] }", raw))


@pytest.mark.parametrize("which", ["ten", "abstaining"])
def test_every_tag_is_closed_every_id_is_unique_and_every_link_leads_somewhere(
    which: str, request: pytest.FixtureRequest
) -> None:
    page = Page(request.getfixturevalue(which)[0])
    assert page.broken == []
    assert len(page.ids()) == len(set(page.ids()))
    places = {f"#{name}" for name in page.ids()}
    assert all(attributes["href"] in places for tag, attributes in page.tags if tag == "a")
    named = {a["for"] for tag, a in page.tags if tag == "label" and "for" in a} | {
        name for _, a in page.tags for name in (a.get("aria-labelledby") or "").split()
    }
    assert named <= set(page.ids())


def test_the_policy_allows_the_one_script_with_the_class_switch(ten: Made) -> None:
    scripts = re.findall(r"<script>(.*?)</script>", ten[0], flags=re.DOTALL)
    assert len(scripts) == 1
    assert "[data-classes]" in scripts[0]
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'" in unescape(
        ten[0]
    )


def test_the_page_of_two_classes_has_nothing_of_several(tmp_path: Path) -> None:
    report, store = ordinary(tmp_path)
    html = render(report, test_scores(report, store))
    folder = resources.files("reports.render.html.templates")
    script = re.sub(r"{% if multiclass %}.*?{% endif %}\n", "", (folder / "report.js").read_text(), flags=re.DOTALL)
    assert re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL) == [script]
    (style,) = re.findall(r"<style>\n(.*?)\n</style>", html, flags=re.DOTALL)
    assert (folder / "report.css").read_text() in style
    assert (folder / "multiclass.css").read_text() not in style
    assert "class-scores" not in html
    assert "data-classes" not in html


def test_the_matrix_is_that_of_scikit_learn_summed_over_seeds(ten: Made) -> None:
    html, report, scores = ten
    for card in (BETTER, WORSE):
        tests = [scores[run.run_id] for run in report.sections[0].runs if run.spec.card.name == card]
        assert len(tests) == 2
        total = sum(confusion_matrix(one.y_true, one.y_score.argmax(axis=1), labels=range(10)) for one in tests)
        assert matrices(card_of(html, card)) == [total.tolist()]


def test_a_cell_has_its_share_of_the_row_and_of_the_column_as_text(ten: Made) -> None:
    html = card_of(ten[0], WORSE)
    counts = np.array(matrices(html)[0])
    cells = re.findall(
        r'<td class="(\w+)" style="--row:([\d.]+);--column:([\d.]+)"><b class="by-row">(.*?)</b>'
        r'<b class="by-column">(.*?)</b><small>(\d+)</small></td>',
        html,
    )
    assert len(cells) == 100
    for place, (kind, row_shade, column_shade, row, column, count) in enumerate(cells):
        true, called = divmod(place, 10)
        shares = counts[true, called] / counts[true].sum(), counts[true, called] / counts[:, called].sum()
        assert int(count) == counts[true, called]
        assert kind == ("none" if not counts[true, called] else "right" if true == called else "wrong")
        assert [unescape(row), unescape(column)] == [percent(share) for share in shares]
        assert [float(row_shade), float(column_shade)] == pytest.approx(np.sqrt(shares), abs=6e-4)


def test_the_matrix_is_a_table_with_headers_and_a_caption(abstaining: Made) -> None:
    (table, *_) = re.findall(r'<table class="classes.*?</table>', card_of(abstaining[0], BETTER), flags=re.DOTALL)
    assert "<caption>" in table
    for name in RADIOGRAPHS.classes:
        assert f'<th scope="col"><span>{name}</span></th>' in table
        assert f'<th scope="row">{name}</th>' in table
    assert '<th scope="colgroup" colspan="3">predicted</th>' in table


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.001, "<1"),
        (0.0051, "1"),
        (0.256, "26"),
        (0.9949, "99"),
        (0.9951, ">99"),
        (1.0, "100"),
    ],
)
def test_a_share_is_zero_or_whole_only_if_it_is(share: float | None, text: str) -> None:
    assert percent(share) == text


def test_abstentions_have_a_column_and_the_rule_has_a_matrix_and_figures_of_its_own(abstaining: Made) -> None:
    html, report, scores = abstaining
    card = card_of(html, BETTER)
    of_argmax, of_rule = matrices(card)
    runs = [run for run in report.sections[0].runs if run.spec.card.name == BETTER]
    expected = np.zeros((3, 4), int)
    for run in runs:
        test = scores[run.run_id]
        assert run.decision is not None
        for true, called in zip(test.y_true, decide(run.decision, test.y_score), strict=True):
            expected[true, called] += 1  # an abstention is -1: the last column
    assert expected[:, 3].sum() > 0
    assert of_rule == expected.tolist()
    assert np.shape(of_argmax) == (3, 3)
    assert "<span>abstained</span>" in card
    body = text_of(card)
    assert body.count("Figures of each class: ") == 2
    assert "Decision: abstention below confidence 0.7." in body
    assert "coverage" in body
    assert "selective accuracy" in body


def test_costs_are_in_a_table(tmp_path: Path) -> None:
    rule = "cost=NORMAL:VIRUS:2,VIRUS:NORMAL:10"
    html, _, _ = made(three_classes_in(tmp_path, protocol=deciding(rule)))
    card = text_of(card_of(html, BETTER))
    assert "Decision: lowest expected cost." in card
    assert "true class NORMAL BACTERIA VIRUS NORMAL 0 1 2 BACTERIA 1 0 1 VIRUS 10 1 0" in card


def test_no_macro_figure_is_without_the_recall_of_the_classes(ten: Made) -> None:
    html, report, _ = ten
    (section,) = report.sections
    body = text_of(html)
    table = body[body.index("Recall of each class") : body.index("Diagnosis")]
    for figures in section.cards:
        recalls = [figures.at_half[f"recall:class:{name}"].value for name in section.classes]
        assert all(recall is not None and f"{recall:.3f}" in table for recall in recalls)
        lowest = min(recall for recall in recalls if recall is not None)
        name = section.classes[recalls.index(lowest)]
        assert f"lowest recall {lowest:.3f} ({name})" in text_of(card_of(html, figures.card.name))


def test_every_figure_of_a_class_has_its_interval(ten: Made) -> None:
    html, report, _ = ten
    card = text_of(card_of(html, WORSE))
    figures = next(each for each in report.sections[0].cards if each.card.name == WORSE)
    for metric in ("recall", "precision", "f1", "auc", "average_precision"):
        for name in report.sections[0].classes:
            estimate = figures.at_half[f"{metric}:class:{name}"]
            assert estimate.bounds is not None
            assert f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]" in card


def test_the_class_switch_has_the_scores_labels_and_decisions_of_every_run(abstaining: Made) -> None:
    html, report, scores = abstaining
    data = panels(html)
    assert data.keys() == {f"part1-{name}" for name in (BETTER, WORSE, COLLAPSED)}
    runs = [run for run in report.sections[0].runs if run.spec.card.name == BETTER]
    panel = data[f"part1-{BETTER}"]
    assert panel["classes"] == list(RADIOGRAPHS.classes)
    for run, entry in zip(runs, panel["runs"], strict=True):
        test = scores[run.run_id]
        assert isinstance(test, MulticlassScores)
        assert run.decision is not None
        assert labels(entry["y_true"]) == test.y_true.tolist()
        assert floats(entry["y_score"]) == test.y_score.ravel().tolist()
        assert labels(entry["decided"]) == decide(run.decision, test.y_score).tolist()
        assert entry["label"] == f"seed {run.spec.seed}"
        assert len(entry["reliability"]) == 3


def test_the_chosen_threshold_is_given_for_its_class_alone(tmp_path: Path) -> None:
    html, report, _ = made(three_classes_in(tmp_path, protocol=deciding("class_at=VIRUS:sensitivity:0.9")))
    run = next(run for run in report.sections[0].runs if run.spec.card.name == BETTER)
    assert run.decision is not None
    assert run.decision.threshold is not None
    entry = panels(html)[f"part1-{BETTER}"]["runs"][0]
    assert entry["thresholds"] == [None, None, run.decision.threshold.value]
    assert f"Seed 0: threshold of VIRUS {run.decision.threshold.value:.3f}" in text_of(html)


def test_without_scores_the_page_has_figures_but_no_switch_and_no_matrix(tmp_path: Path) -> None:
    store = three_classes_in(tmp_path)
    html = render(build_report(store.runs()[0], store.history))
    page = Page(html)
    assert page.broken == []
    assert "class-scores" not in html
    assert matrices(html) == []
    assert "Recall of each class" in text_of(html)


def test_a_page_that_would_be_too_large_is_without_the_switch_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = three_classes_in(tmp_path)
    monkeypatch.setattr(class_switch, "_MOST_SCORES", 100)
    html, _, _ = made(store)
    assert "class-scores" not in html
    assert "The class switch is left out" in text_of(html)
    assert len(matrices(html)) == 3


def test_failed_and_collapsed_cards_have_their_rows(tmp_path: Path) -> None:
    html, _, _ = made(three_classes_in(tmp_path))
    assert "failed: ResourceExhausted: no memory" in text_of(html)
    assert f"part1-card-{FAILED}" in Page(html).ids()
    (of_argmax,) = matrices(card_of(html, COLLAPSED))
    assert [row[1] for row in of_argmax] == [sum(row) for row in of_argmax]


def test_names_of_classes_are_text(tmp_path: Path) -> None:
    names = (HOSTILE, LONG, "recall:class:x")
    facts = RADIOGRAPHS.model_copy(update={"classes": names, "title": LONG})
    truth = [0, 1, 2] * 30
    store = Store(tmp_path / "runs")
    scores = simulated(truth, 3)
    keep_multiclass(store, BETTER, on_val(facts, truth, scores), on_test(facts, truth, scores), facts)
    html, _, _ = made(store)
    page = Page(html)
    assert page.broken == []
    assert len(page.ids()) == len(set(page.ids()))
    assert "<script>window" not in html
    assert "<img src=x" not in html
    assert not [attributes for _, attributes in page.tags if "onerror" in attributes]
    assert "\u202e" not in html
    plain = [name.replace("\u202e", " ") for name in names]
    assert panels(html)[f"part1-{BETTER}"]["classes"] == plain
