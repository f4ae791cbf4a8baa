"""Class switch and matrix of the HTML report in a browser: by keyboard, without script, on a phone, in the dark."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.evidence.decisions.decide import decide
from benchmark.evidence.metrics.probabilities import auc
from benchmark.evidence.metrics.registry import confusion, value_of
from benchmark.evidence.scores import MulticlassScores, Scores
from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.protocol import load_protocol
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.render.html.page import render
from reports.render.html.scores import test_scores
from reports.report import build_report
from reports.text import number
from tests.support.browsers import PHONE, open_all, picture, violations, wider_than_the_window
from tests.support.multiclass_stores import (
    BETTER,
    RADIOGRAPHS,
    WORSE,
    keep_multiclass,
    on_test,
    on_val,
    simulated,
    ten_classes_in,
    three_classes_in,
)
from tests.support.pages import HOSTILE, LONG

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install '.[dev]')")
pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

METRICS = ("recall", "specificity", "precision", "f1")
Made = tuple[Path, list[tuple[Run, MulticlassScores]]]


def made(folder: Path, store: Any, card: str) -> Made:
    """The page of a store as a file, and the runs of a card with their test scores."""
    report = build_report(store.runs()[0], store.history, scores=store)
    scores = test_scores(report, store)
    path = folder / "report.html"
    path.write_text(render(report, scores), encoding="utf-8")
    runs = [run for run in report.sections[0].runs if run.spec.card.name == card]
    return path, [(run, test) for run in runs if isinstance(test := scores[run.run_id], MulticlassScores)]


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Ten classes; the runs of the worse card."""
    folder = tmp_path_factory.mktemp("ten")
    return made(folder, ten_classes_in(folder), WORSE)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Three classes, one of which has a threshold from validation; the runs of the better card."""
    folder = tmp_path_factory.mktemp("three")
    rule = DecisionRule.parse("class_at=VIRUS:sensitivity:0.9")
    protocol = load_protocol("quick").model_copy(update={"decision": rule})
    return made(folder, three_classes_in(folder, protocol=protocol), BETTER)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names of classes with markup, of 300 letters, and like a key of a figure."""
    folder = tmp_path_factory.mktemp("hostile")
    facts = RADIOGRAPHS.model_copy(update={"classes": (HOSTILE, LONG, "recall:class:x")})
    store, truth = Store(folder / "runs"), [0, 1, 2] * 30
    scores = simulated(truth, 3)
    keep_multiclass(store, BETTER, on_val(facts, truth, scores), on_test(facts, truth, scores), facts)
    return made(folder, store, BETTER)[0]


def panel_of(page: Any, card: str) -> Any:
    page.evaluate(f"location.hash = '#part1-card-{card}'")
    return page.locator(f"[data-classes='part1-{card}']")


def read(part: Any) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
    """The counts, and the figures by column and metric."""
    cells = part.evaluate(
        "(part) => [...part.querySelectorAll('[data-count], [data-where]')].map((cell) => "
        "[cell.dataset.count, cell.dataset.where, cell.closest('tr').dataset.metric, cell.textContent])"
    )
    figures: dict[str, dict[str, str]] = {}
    for count, where, metric, text in cells:
        if count is None:
            figures.setdefault(where, {})[metric] = text
    return {count: int(text) for count, _, _, text in cells if count is not None}, figures


def figures_at(scores: Scores, threshold: float) -> dict[str, str]:
    return {name: number(value_of(name, scores, threshold)) for name in METRICS}


def figures_of(test: MulticlassScores, decided: Any, label: int) -> dict[str, str]:
    """The figures of decisions for one class against the rest."""
    binary = Scores("test", (test.y_true == label).astype(np.int64), (decided == label).astype(np.float64))
    return figures_at(binary, 0.5)


def test_counts_figures_and_areas_of_every_class_are_the_programs(open_page: Any, ten: Made) -> None:
    path, runs = ten
    opened = open_page(path)
    part = panel_of(opened.page, WORSE)
    for place, (_, test) in enumerate(runs):
        part.get_by_label("Run").select_option(str(place))
        for label, name in enumerate(test.classes):
            part.get_by_label("Class", exact=True).select_option(name)
            against = test.one_vs_rest(label)
            for threshold in (0.5, 0.0, 1.0, float(np.sort(against.y_score)[-20]), 0.123):
                part.get_by_label("Threshold, typed").fill(repr(threshold))
                counts, figures = read(part)
                assert counts == vars(confusion(against, threshold)), (name, threshold)
                assert figures["here"] == figures_at(against, threshold)
            assert figures["argmax"] == figures_of(test, test.y_score.argmax(axis=1), label)
            assert part.locator("[data-area]").inner_text() == f"AUC {number(auc(against))}"
            assert part.locator("[data-plot=roc] .other").count() == 9
            assert part.locator("[data-plot=reliability] .before.point").count() > 1
    assert opened.said == []
    part.scroll_into_view_if_needed()
    picture(opened.page, "classes-switch")


def test_the_class_is_chosen_by_keyboard_and_named_in_every_heading(open_page: Any, ten: Made) -> None:
    page = open_page(ten[0]).page
    part = panel_of(page, WORSE)
    part.get_by_label("Class", exact=True).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert set(part.locator("[data-class-name]").all_text_contents()) == {"2"}
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.choose") == "run"
    part.get_by_role("slider").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    against = ten[1][0][1].one_vs_rest(2)
    highest = float(against.y_score.max())
    assert read(part)[0] == vars(confusion(against, highest))
    playwright.expect(part.get_by_role("status")).to_contain_text(f"2 at {highest:.3f}: ")


def test_the_circle_on_the_roc_curve_follows_the_threshold(open_page: Any, ten: Made) -> None:
    page = open_page(ten[0]).page
    part = panel_of(page, WORSE)
    against = ten[1][0][1].one_vs_rest(0)
    for threshold in (0.2, 0.8):
        part.get_by_label("Threshold, typed").fill(repr(threshold))
        counts = confusion(against, threshold)
        circle = part.locator("[data-plot=roc] .here")
        assert float(circle.get_attribute("cx")) == pytest.approx(300 * counts.fp / (counts.fp + counts.tn), abs=0.06)
        assert float(circle.get_attribute("cy")) == pytest.approx(300 * counts.fn / (counts.tp + counts.fn), abs=0.06)


def test_the_chosen_threshold_is_offered_for_its_class_and_the_rule_has_a_column(open_page: Any, three: Made) -> None:
    path, runs = three
    part = panel_of(open_page(path).page, BETTER)
    run, test = runs[0]
    assert run.decision is not None
    assert run.decision.threshold is not None
    threshold = run.decision.threshold.value
    assert threshold is not None
    button = part.locator("[data-at=chosen]")
    for label, name in enumerate(test.classes):
        part.get_by_label("Class", exact=True).select_option(name)
        assert read(part)[1]["chosen"] == figures_of(test, decide(run.decision, test.y_score), label)
        assert button.is_visible() == (name == "VIRUS")
    assert button.inner_text() == f"chosen {threshold:.3f}"
    button.click()
    assert read(part)[0] == vars(confusion(test.one_vs_rest(2), threshold))


@pytest.mark.parametrize("script", [True, False])
def test_shares_of_rows_and_columns_are_switched_by_keyboard_with_and_without_script(
    script: bool, open_page: Any, ten: Made
) -> None:
    page = open_page(ten[0], java_script_enabled=script).page
    page.locator(f"#part1-card-{WORSE} > summary").click()
    matrix = page.locator(f"#part1-card-{WORSE} .matrix")
    cell = matrix.locator("tbody tr").nth(1).locator("td").nth(1)
    row, column = (cell.locator(f".by-{of}").text_content() for of in ("row", "column"))
    assert cell.locator(".by-row").is_visible()
    assert not cell.locator(".by-column").is_visible()
    shade = cell.evaluate("(cell) => getComputedStyle(cell).backgroundColor")
    matrix.get_by_label("the true class").focus()
    page.keyboard.press("ArrowRight")
    assert matrix.get_by_label("the predicted class").is_checked()
    assert cell.locator(".by-column").is_visible()
    assert not cell.locator(".by-row").is_visible()
    assert row != column
    assert cell.evaluate("(cell) => getComputedStyle(cell).backgroundColor") != shade


def test_without_script_everything_but_the_switch_is_there(open_page: Any, ten: Made) -> None:
    page = open_page(ten[0], java_script_enabled=False).page
    page.locator(f"#part1-card-{WORSE} > summary").click()
    card = page.locator(f"#part1-card-{WORSE}")
    assert card.locator(".slider").is_hidden()
    assert card.locator(".matrix tbody tr").count() == 10
    assert card.locator(".matrix table").is_visible()
    for title in ("ROC curve of each class", "Reliability of the predicted class"):
        assert card.locator("figure.chart", has_text=title).locator("svg").first.is_visible()
    assert page.get_by_role("heading", name="Recall of each class").is_visible()


@pytest.mark.parametrize("which", ["three", "ten"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_no_width_needs_sideways_scrolling(
    width: int, which: str, open_page: Any, request: pytest.FixtureRequest
) -> None:
    path, _ = request.getfixturevalue(which)
    opened = open_page(path, viewport={**PHONE, "width": width})
    assert wider_than_the_window(opened.page) <= 0
    open_all(opened.page)
    assert wider_than_the_window(opened.page) <= 0
    assert opened.said == []
    assert opened.asked == [path.as_uri()]
    picture(opened.page, f"classes-{which}-{width}", whole=True)


def test_a_matrix_of_ten_classes_fits_on_a_phone(open_page: Any, ten: Made) -> None:
    page = open_page(ten[0], viewport={"width": 390, "height": 780}).page
    open_all(page)
    for frame in page.locator(".matrix .scroll").all():
        assert frame.evaluate("(frame) => frame.scrollWidth - frame.clientWidth") <= 0
    page.locator(".matrix").first.scroll_into_view_if_needed()
    picture(page, "classes-matrix-phone")


def contrast(first: str, second: str) -> float:
    """The contrast of two colours (WCAG 2)."""

    def luminance(text: str) -> float:
        numbers = [float(each) for each in re.findall(r"[\d.]+(?:e-?\d+)?", text.replace("srgb", ""))][:3]
        shares = [each if text.startswith("color(") else each / 255 for each in numbers]
        linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_cell_is_readable_on_its_shade(scheme: str, open_page: Any, ten: Made) -> None:
    page = open_page(ten[0], color_scheme=scheme).page
    open_all(page)
    pairs = page.evaluate(
        "[...document.querySelectorAll('.classes tbody td:not(.total)')].map((cell) => "
        "[getComputedStyle(cell).color, getComputedStyle(cell).backgroundColor])"
    )
    assert len(pairs) == 200
    assert len({background for _, background in pairs}) > 5
    assert min(contrast(*pair) for pair in pairs) >= 4.5


@pytest.mark.parametrize(("which", "scheme", "width"), [("three", "dark", 1280), ("ten", "light", 390)])
def test_axe_finds_nothing(which: str, scheme: str, width: int, open_page: Any, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(which)[0]
    page = open_page(path, color_scheme=scheme, viewport={"width": width, "height": 844}).page
    open_all(page)
    assert violations(page) == []


def test_the_curves_of_all_cards_follow_the_class(open_page: Any, ten: Made) -> None:
    part = open_page(ten[0]).page.locator("#part1-together")
    roc, loss = part.locator(".plane").first, part.locator(".plane").nth(2)
    mean = roc.locator(".line:visible path").first.get_attribute("d")
    part.get_by_label("Curves of").select_option("3")
    assert roc.locator(".line:visible").count() == 2
    assert roc.locator(".line:visible path").first.get_attribute("d") != mean
    assert loss.locator(".line:visible").count() > 0, "training has no classes"
    part.get_by_label("Curves of").select_option("all classes")
    assert roc.locator(".line:visible path").first.get_attribute("d") == mean


def test_on_paper_the_matrix_remains_and_the_switches_are_gone(open_page: Any, ten: Made) -> None:
    page = open_page(ten[0], color_scheme="dark").page
    open_all(page)
    page.emulate_media(media="print")
    card = page.locator(f"#part1-card-{WORSE}")
    assert card.locator(".matrix table").is_visible()
    assert card.locator(".switch").is_hidden()
    assert card.locator(".slider").is_hidden()


def test_hostile_names_of_classes_are_shown_and_not_run_and_do_not_break_the_layout(
    open_page: Any, attacked: Path
) -> None:
    for width in (390, 1280):
        opened = open_page(attacked, viewport={**PHONE, "width": width})
        open_all(opened.page)
        part = opened.page.locator(f"[data-classes='part1-{BETTER}']")
        part.get_by_label("Class", exact=True).select_option("1")
        assert opened.page.evaluate("typeof window.hacked") == "undefined"
        assert wider_than_the_window(opened.page) <= 0
        assert opened.said == []
        assert set(part.locator("[data-class-name]").all_text_contents()) == {LONG.replace("\u202e", " ")}
