"""The HTML report in a browser: opened from disk, sorted, filtered, its threshold moved, printed, on a phone, in the
dark, read by a checker of accessibility, and attacked. ZOO_PICTURES=1 keeps pictures of it in
build/screenshots."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmark.evidence.metrics.registry import confusion, measures, value_of
from benchmark.evidence.scores import Scores
from reports.render.html.page import render
from reports.render.html.scores import test_scores
from reports.text import number
from tests.support.browsers import DESKTOP, PHONE, PICTURES, open_all, picture, violations, wider_than_the_window
from tests.support.pages import LONG, hostile, ordinary, synthetic

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install '.[dev]')")
pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Scores], list[Any]]:
    """The page of ordinary runs, their test scores by run id, and the runs of attempt-5."""
    folder = tmp_path_factory.mktemp("ordinary")
    made, store = ordinary(folder)
    scores = test_scores(made, store)
    path = folder / "report.html"
    path.write_text(render(made, scores), encoding="utf-8")
    return path, scores, [run for run in made.sections[0].runs if run.spec.card.name == "attempt-5"]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of hostile texts."""
    folder = tmp_path_factory.mktemp("hostile")
    made, store, galleries = hostile(folder)
    path = folder / "report.html"
    path.write_text(render(made, test_scores(made, store), galleries), encoding="utf-8")
    return path


def first_column(page: Any) -> list[str]:
    cells = page.locator("#part1-table tbody tr:visible th small.name")
    return [str(text) for text in cells.all_inner_texts()]


def test_the_page_opens_from_disk_in_silence_and_asks_for_nothing(open_page: Any, report: Any) -> None:
    opened = open_page(report[0])
    open_all(opened.page)
    opened.page.wait_for_load_state("networkidle")
    assert opened.said == []
    assert opened.asked == [report[0].as_uri()]
    assert opened.page.locator("#part1-verdicts .answers strong").count() == 3
    assert opened.page.get_by_role("heading", level=1).inner_text() == opened.page.title()
    picture(opened.page, "report-desktop")
    opened.page.evaluate("document.querySelectorAll('.contents').forEach((each) => each.remove())")
    picture(opened.page, "report-desktop-whole", whole=True)


def test_a_click_on_a_heading_sorts_by_its_column_and_a_second_one_turns_it_round(open_page: Any, report: Any) -> None:
    page = open_page(report[0]).page
    assert first_column(page) == ["attempt-5", "attempt-6a", "attempt-7"]
    heads = page.locator("#part1-table thead th")
    auc = next(place for place in range(heads.count()) if heads.nth(place).inner_text().startswith("AUC"))
    button = heads.nth(auc).locator("button:not(.why)")
    button.click()
    assert heads.nth(auc).get_attribute("aria-sort") == "ascending"
    assert first_column(page) == ["attempt-6a", "attempt-5", "attempt-7"], "what has no figure stays last"
    button.focus()
    page.keyboard.press("Enter")
    assert heads.nth(auc).get_attribute("aria-sort") == "descending"
    assert first_column(page) == ["attempt-5", "attempt-6a", "attempt-7"]
    assert [heads.nth(place).get_attribute("aria-sort") for place in range(heads.count())].count("none") == (
        heads.count() - 1
    )
    heads.nth(1).get_by_role("button").click()
    assert first_column(page) == ["attempt-5", "attempt-6a", "attempt-7"], "by title"
    heads.first.get_by_role("button").click()
    heads.first.get_by_role("button").click()
    assert first_column(page) == ["attempt-7", "attempt-6a", "attempt-5"], "by place, the last one first"


def test_every_column_of_the_comparison_can_be_sorted(open_page: Any, report: Any) -> None:
    page = open_page(report[0]).page
    heads = page.locator("#part1-table thead th")
    for place in range(heads.count()):
        heads.nth(place).locator("button:not(.why)").click()
        assert heads.nth(place).get_attribute("aria-sort") == "ascending"
        assert sorted(first_column(page)) == ["attempt-5", "attempt-6a", "attempt-7"]


def test_a_filter_keeps_the_rows_that_hold_every_word(open_page: Any, report: Any) -> None:
    page = open_page(report[0]).page
    box, told = page.get_by_label("Filter the cards"), page.locator("#part1-comparison output")
    box.fill("ATTEMPT pooling")
    assert first_column(page) == ["attempt-5"]
    assert told.inner_text() == "1 of 3 rows"
    box.fill("memoryerror")
    assert first_column(page) == ["attempt-7"]
    box.fill("nothing of the kind")
    assert first_column(page) == []
    assert told.inner_text() == "0 of 3 rows"
    for odd in ("auc>", "nonsense>1", "auc>0,9"):
        box.fill(odd)
        assert told.inner_text().startswith(f"0 of 3 rows; not understood: {odd}; columns: ")
        assert "auc" in told.inner_text()
    box.fill("auc > 0.6")
    assert "not understood" not in told.inner_text()
    assert first_column(page) == ["attempt-5"], "a missing figure fulfils no condition"
    box.fill("auc<=0.5")
    assert first_column(page) == ["attempt-6a"]
    box.fill("")
    assert len(first_column(page)) == 3


def read_slider(part: Any) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
    """The counts, and the figures by column and metric."""
    cells = part.evaluate(
        "(part) => [...part.querySelectorAll('[data-count], [data-where]')].map((cell) => "
        "[cell.dataset.count, cell.dataset.where, cell.closest('tr').dataset.metric, cell.textContent])"
    )
    figures: dict[str, dict[str, str]] = {"here": {}, "half": {}, "chosen": {}}
    for count, where, metric, text in cells:
        if count is None:
            figures[where][metric] = text
    return {count: int(text) for count, _, _, text in cells if count is not None}, figures


def expected(scores: Scores, threshold: float) -> tuple[dict[str, int], dict[str, str]]:
    counted = confusion(scores, threshold)
    names = list(measures(lambda metric: metric.uses_threshold))
    return vars(counted).copy(), {name: number(value_of(name, scores, threshold)) for name in names}


def test_the_sliders_counts_and_figures_are_the_programs_at_twenty_thresholds(open_page: Any, report: Any) -> None:
    path, scores, runs = report
    page = open_page(path).page
    page.evaluate("location.hash = '#part1-card-attempt-5'")
    part = page.locator("[data-slider='part1-attempt-5']")
    tried = 0
    for place, run in enumerate(runs):
        part.get_by_label("Run").select_option(str(place))
        held = scores[run.run_id]
        ties = sorted(held.y_score.tolist())[7:-7:55]
        chosen = run.threshold.value
        for threshold in (0.0, 1.0, 0.5, 0.123, 1e-6, 0.8125, chosen, *ties):
            part.get_by_label("Threshold, typed").fill(repr(threshold))
            counts, figures = read_slider(part)
            assert (counts, figures["here"]) == expected(held, threshold), threshold
            assert figures["half"] == expected(held, 0.5)[1]
            assert figures["chosen"] == expected(held, chosen)[1]
            tried += 1
    assert tried >= 20
    part.scroll_into_view_if_needed()
    picture(page, "report-slider")


def test_the_slider_steps_through_the_scores_of_images_and_its_marks_lead_to_their_thresholds(
    open_page: Any, report: Any
) -> None:
    path, scores, runs = report
    page = open_page(path).page
    page.evaluate("location.hash = '#part1-card-attempt-5'")
    part = page.locator("[data-slider='part1-attempt-5']")
    slider, first = part.get_by_role("slider"), scores[runs[0].run_id]
    observed = sorted(set(first.y_score.tolist()))
    assert read_slider(part)[0] == expected(first, runs[0].threshold.value)[0], "it starts at the chosen threshold"
    slider.focus()
    page.keyboard.press("Home")
    assert read_slider(part)[0] == expected(first, observed[0])[0]
    for cut in observed[1:4]:
        page.keyboard.press("ArrowRight")
        assert read_slider(part)[0] == expected(first, cut)[0]
        assert slider.get_attribute("aria-valuetext") == part.get_by_label("Threshold, typed").input_value()
    page.keyboard.press("ArrowLeft")
    assert read_slider(part)[0] == expected(first, observed[2])[0]
    page.keyboard.press("PageUp")
    assert read_slider(part)[0] == expected(first, observed[12])[0]
    page.keyboard.press("End")
    assert read_slider(part)[0] == {"tp": 0, "fp": 0, "tn": 117, "fn": 117}
    part.get_by_role("button", name="chosen").click()
    assert read_slider(part)[0] == expected(first, runs[0].threshold.value)[0]
    part.get_by_role("button", name="0.5", exact=True).click()
    assert read_slider(part)[0] == expected(first, 0.5)[0]
    playwright.expect(part.get_by_role("status")).to_contain_text("At 0.500: ")
    typed = part.get_by_label("Threshold, typed")
    for entry, within in (("-5", "0"), ("7", "1")):
        typed.fill(entry)
        assert typed.get_attribute("aria-invalid") == "true"
        typed.blur()
        assert (typed.input_value(), typed.get_attribute("aria-invalid")) == (within, "false")
        assert read_slider(part)[0] == expected(first, float(within))[0]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_middle_of_the_thumb_is_below_the_line_of_the_histogram(viewport: Any, open_page: Any, report: Any) -> None:
    page = open_page(report[0], viewport=viewport).page
    page.evaluate("location.hash = '#part1-card-attempt-5'")
    part = page.locator("[data-slider='part1-attempt-5']")
    for threshold in (0.0, 0.25, 1.0):
        part.get_by_label("Threshold, typed").fill(str(threshold))
        line, left, width, thumb = part.evaluate(
            "(part) => { const range = part.querySelector('.along'), box = range.getBoundingClientRect(); "
            "return [part.querySelector('.now').getBoundingClientRect().x, box.x, box.width, "
            "parseFloat(getComputedStyle(range).getPropertyValue('--thumb'))]; }"
        )
        middle = left + thumb / 2 + threshold * (width - thumb)
        assert abs(line - middle) < 2, threshold


def test_what_is_typed_outside_of_zero_and_one_moves_nothing_and_is_marked(open_page: Any, report: Any) -> None:
    page = open_page(report[0]).page
    page.evaluate("location.hash = '#part1-card-attempt-5'")
    part = page.locator("[data-slider='part1-attempt-5']")
    before = read_slider(part)
    typed = part.get_by_label("Threshold, typed")
    for text in ("1.5", "-0.1", ""):
        typed.fill(text)
        assert typed.get_attribute("aria-invalid") == "true"
        assert read_slider(part) == before
    typed.fill("0.25")
    assert typed.get_attribute("aria-invalid") == "false"


def test_a_card_without_a_chosen_threshold_says_so(open_page: Any, report: Any) -> None:
    page = open_page(report[0]).page
    page.evaluate("location.hash = '#part1-card-attempt-6a'")
    part = page.locator("[data-slider='part1-attempt-6a']")
    assert part.get_by_role("button", name="none chosen").is_disabled()
    assert set(read_slider(part)[1]["chosen"].values()) == {"–"}


def test_a_link_to_a_card_opens_it(open_page: Any, report: Any) -> None:
    page = open_page(report[0]).page
    card = page.locator("#part1-card-attempt-5")
    assert card.get_attribute("open") is None
    page.locator("#part1-table").get_by_role("link", name="Scratch CNN, average pooling", exact=True).click()
    playwright.expect(card).to_have_attribute("open", "")
    page.get_by_role("button", name="Close all").click()
    assert card.get_attribute("open") is None
    page.get_by_role("button", name="Open all").click()
    assert page.locator("details.card[open]").count() == page.locator("details.card").count()


def test_without_scripts_everything_but_the_controls_is_there(open_page: Any, report: Any) -> None:
    page = open_page(report[0], java_script_enabled=False).page
    assert page.locator("#part1-table tbody tr").count() == 3
    assert page.locator("#part1-filter").is_hidden()
    assert page.locator("[data-theme-toggle]").is_hidden()
    page.locator("#part1-card-attempt-5 > summary").click()
    assert page.locator("#part1-card-attempt-5 .figures").is_visible()
    assert page.locator("#part1-card-attempt-5 .chart svg").count() == 5
    assert page.locator("#part1-card-attempt-5 .slider").is_hidden()


def test_on_paper_the_answer_is_one_page_and_what_is_closed_stays_closed(open_page: Any, report: Any) -> None:
    page = open_page(report[0], color_scheme="dark").page
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for selector in (".contents", ".slider", ".filter", ".tools", ".command button"):
        for place in range(page.locator(selector).count()):
            assert page.locator(selector).nth(place).is_hidden()
    assert page.evaluate("getComputedStyle(document.querySelector('.answer-first')).breakAfter") == "page"
    page.set_viewport_size({"width": 688, "height": 1000})  # A4 without its margins, at 96 pixels per inch
    assert page.locator(".next").bounding_box()["y"] + page.locator(".next").bounding_box()["height"] < 1000
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('.best-card')).paddingLeft)") > 4
    assert page.locator(".best-card").bounding_box()["x"] >= 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.card[open]").count() == 0
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.pdf(path=PICTURES / "report.pdf", format="A4", prefer_css_page_size=True)
    pages = max(
        map(int, re.findall(rb"/Type /Pages.*?/Count (\d+)", (PICTURES / "report.pdf").read_bytes(), re.DOTALL))
    )
    assert 1 < pages < 20


def test_a_phone_needs_no_sideways_scrolling(open_page: Any, report: Any) -> None:
    opened = open_page(report[0], viewport=PHONE)
    assert wider_than_the_window(opened.page) <= 0
    picture(opened.page, "report-phone")
    open_all(opened.page)
    assert wider_than_the_window(opened.page) <= 0
    assert opened.said == []
    picture(opened.page, "report-phone-whole", whole=True)


def test_dark_colours_follow_the_system_and_the_button(open_page: Any, report: Any) -> None:
    page = open_page(report[0], color_scheme="dark").page
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    assert dark != "rgb(255, 255, 255)"
    picture(page, "report-dark")
    page.get_by_role("button", name="Switch to light colours").click()
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.get_by_role("button", name="Switch to dark colours").click()
    assert page.evaluate(background) == dark


def test_the_first_stop_of_the_keyboard_leads_to_the_report(open_page: Any, report: Any) -> None:
    page = open_page(report[0]).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing(scheme: str, width: int, open_page: Any, report: Any) -> None:
    page = open_page(report[0], color_scheme=scheme, viewport={"width": width, "height": 844}).page
    open_all(page)
    assert violations(page) == []


def test_a_word_is_explained_by_pointer_and_by_key(open_page: Any, report: Any) -> None:
    page = open_page(report[0]).page
    word, note = page.get_by_role("button", name="sensitivity"), page.locator("#part1-term-sensitivity")
    assert not note.is_visible()
    word.click()
    assert "predicted as" in note.inner_text()
    page.keyboard.press("Escape")
    assert not note.is_visible()
    word.focus()
    page.keyboard.press("Enter")
    assert note.is_visible()


def test_the_legend_switches_the_curves_of_a_card(open_page: Any, report: Any) -> None:
    page = open_page(report[0]).page
    part = page.locator("#part1-together")
    lines = part.locator(".line.s1:visible")
    at_first = lines.count()
    assert at_first > 1
    part.get_by_role("checkbox").nth(1).focus()
    page.keyboard.press("Space")
    assert lines.count() == 0
    part.get_by_role("button", name="All").click()
    assert lines.count() == at_first
    part.get_by_role("button", name="None").click()
    assert part.locator(".line:visible").count() == 0


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_the_answer_is_on_the_first_screen(width: int, height: int, open_page: Any, report: Any) -> None:
    page = open_page(report[0], viewport={"width": width, "height": height}).page
    assert wider_than_the_window(page) <= 0
    card = page.locator(".best-card").bounding_box()
    assert card["y"] + card["height"] <= height
    menu = "document.querySelector('.contents ul')"
    if page.evaluate(f"{menu}.scrollWidth > {menu}.clientWidth"):
        assert "gradient" in page.evaluate(f"getComputedStyle({menu}).backgroundImage")  # a shade: it scrolls
    if width > 1000:
        assert page.locator(".problems").bounding_box()["y"] < height
        assert page.locator(".command").first.bounding_box()["y"] < height
    picture(page, f"report-first-screen-{width}")


def test_hostile_texts_are_shown_and_not_run_and_do_not_break_the_layout(open_page: Any, attacked: Path) -> None:
    opened = open_page(attacked, viewport=PHONE)
    page = opened.page
    open_all(page)
    page.wait_for_load_state("networkidle")
    assert opened.said == []
    assert opened.asked[0] == attacked.as_uri()
    assert all(url.startswith("data:image/") for url in opened.asked[1:])
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.evaluate("document.scripts.length") == 2
    page.evaluate("Promise.all([...document.images].map((image) => image.decode()))")
    visible = LONG.replace("\u202e", " ")
    assert page.get_by_text(visible).count() > 10
    assert wider_than_the_window(page) <= 0
    picture(page, "report-hostile-phone")
    page.set_viewport_size(DESKTOP)
    assert wider_than_the_window(page) <= 0
    picture(page, "report-hostile", whole=True)


def test_two_parts_have_their_own_contents_and_say_that_they_are_synthetic(open_page: Any, tmp_path: Path) -> None:
    made = synthetic()
    path = tmp_path / "report.html"
    path.write_text(render(made), encoding="utf-8")
    opened = open_page(path, viewport=PHONE)
    assert opened.page.get_by_text("Synthetic data.").first.is_visible()
    assert opened.page.get_by_role("navigation").count() == 1 + len(made.sections)
    assert wider_than_the_window(opened.page) <= 0
    assert opened.said == []
