"""A report on a held-out site says so in its head, methods, limits, checklists and model card."""

from __future__ import annotations

import pytest

from benchmark.runs.deployment.decision_rule import decider_of
from benchmark.runs.storage.store import Store
from reports.export.decision_file import ExportedModel
from reports.export.model_card import model_card
from reports.render.html.page import render as render_html
from reports.render.markdown.document import render
from reports.report import build_report
from reports.results.conditions.hold_out_text import hold_out_text
from tests.support.records import KAGGLE
from tests.support.stored import keep

ONNX = {"opset": 18, "input": "image", "output": "score", "size": 96, "channels": 1, "checked": 4, "difference": 1e-6}
SENTENCE = "tested on site C, trained and validated on every other site"
FALSE = ("come from one source", "not done", "images of the same source")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("held") / "runs")
    keep(made, "attempt-7", dataset=KAGGLE.model_copy(update={"hold_out": "site=C", "known_as": None}))
    return made


def test_the_report_says_on_which_images_the_models_were_tested(store: Store) -> None:
    report = build_report(store.runs()[0], store.history, scores=store)
    text = render(report)
    head = text.split("### The best card")[0]
    assert f"100 NORMAL and 100 PNEUMONIA; {SENTENCE}." in head
    assert f"The models were {SENTENCE}: how they perform elsewhere is unknown" in text
    assert f"{SENTENCE}; validation is drawn from the images to train on" in text
    assert text.count(f"| {SENTENCE}; whether site C differs from them in hospital, machine and population") == 2
    assert "none: the 200 test images are site C" in text
    page = render_html(report)
    for false in FALSE:
        assert false not in text
        assert false not in page
    assert page.count(SENTENCE) >= 4


def test_the_model_card_says_it_too(store: Store) -> None:
    run = store.runs()[0][0]
    text = model_card(run, store, decider_of(run, store), ExportedModel({**ONNX, "lowered": False}))
    assert f"The model was {SENTENCE}; no other such use was tested." in text
    assert "No such use was tested" not in text
    assert f"The models were {SENTENCE}: how they perform elsewhere is unknown" in text
    assert "come from one source" not in text


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (None, None),
        ("year=2022", "tested on year 2022, trained and validated on every other year"),
        ("a=b=c", "tested on the images with a=b=c, trained and validated on all others"),
    ],
)
def test_each_column_has_its_words(request_: str | None, words: str | None) -> None:
    assert hold_out_text(KAGGLE.model_copy(update={"hold_out": request_})) == words
