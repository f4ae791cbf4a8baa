"""The HTML report is one file that loads nothing, says the verdicts first, and shows every text without running it."""

from __future__ import annotations

import base64
import json
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmark.evidence.comparison.verdict import VERDICTS
from benchmark.evidence.metrics.registry import measures
from benchmark.evidence.scores import TestScores
from benchmark.runs.history import NO_HISTORY
from benchmark.runs.storage.store import Store
from reports.render.html.bars import Axis, axis_over
from reports.render.html.page import render
from reports.render.html.scores import slider_data, test_scores
from reports.report import Report, build_report
from reports.text import capital
from reports.verdicts.text import flip_text, margin_text
from tests.support.pages import HOSTILE, LONG, Page, hostile, ordinary, synthetic
from tests.support.records import cards, make_run, on_test, planted
from tests.support.stored import keep
from tests.support.tiny import ROOT


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Store]:
    """Ordinary runs with claims, and their store."""
    return ordinary(tmp_path_factory.mktemp("ordinary"))


@pytest.fixture(scope="module")
def page(runs: tuple[Report, Store]) -> Page:
    """Their page."""
    return Page(render(runs[0], test_scores(*runs)))


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of hostile texts."""
    report, store, galleries = hostile(tmp_path_factory.mktemp("hostile"))
    return Page(render(report, test_scores(report, store), galleries))


def text_of(page: Page) -> str:
    """The page without its tags, as one line."""
    body = re.sub(r"<(style|script)\b.*?</\1>", " ", page.html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def sliders(page: Page) -> dict[str, list[dict[str, object]]]:
    found = re.search(r'<script type="application/json" id="sliders">(.*?)</script>', page.html, flags=re.DOTALL)
    assert found is not None
    held = json.loads(found[1])
    assert isinstance(held, dict)
    return held


def unpacked(packed: object) -> list[float]:
    assert isinstance(packed, dict)
    data = base64.b64decode(packed["data"])
    kind = {4: "f", 8: "d"}[packed["bytes"]]
    return list(struct.unpack(f"<{len(data) // packed['bytes']}{kind}", data))


@pytest.mark.parametrize("which", ["page", "attacked"])
def test_every_tag_is_closed_and_every_id_stands_once(which: str, request: pytest.FixtureRequest) -> None:
    found: Page = request.getfixturevalue(which)
    assert found.broken == []
    assert len(found.ids()) == len(set(found.ids()))


@pytest.mark.parametrize("which", ["page", "attacked"])
def test_every_link_leads_to_a_place_in_the_page_and_nothing_is_loaded(
    which: str, request: pytest.FixtureRequest
) -> None:
    found: Page = request.getfixturevalue(which)
    places = {f"#{name}" for name in found.ids()}
    for tag, attributes in found.tags:
        if tag == "a":
            assert attributes["href"] in places
        elif "href" in attributes:
            assert attributes["href"] in places, tag
        if "src" in attributes:
            assert (attributes["src"] or "").startswith("data:image/")
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
    assert "@import" not in found.html
    assert not re.search(r"url\((?!#)", found.html)


def test_the_policy_lets_the_pages_own_script_run_and_no_other(page: Page) -> None:
    metas = [attributes for tag, attributes in page.tags if attributes.get("http-equiv")]
    assert [meta["http-equiv"] for meta in metas] == ["Content-Security-Policy"]
    policy = metas[0]["content"] or ""
    assert policy.startswith("default-src 'none';")
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'$", policy)
    assert [attributes.get("type") for tag, attributes in page.tags if tag == "script"] == ["application/json", None]


def test_the_answer_is_first_then_claims_figures_curves_images_and_cards(page: Page) -> None:
    parts = [name for name in page.ids() if re.fullmatch(r"part1-[a-z]+", name)]
    assert [name for name in parts if not name.endswith("head")] == [
        *("part1-answer", "part1-verdicts", "part1-comparison", "part1-filter", "part1-table"),
        *("part1-together", "part1-images", "part1-cards", "part1-groups", "part1-audit"),
        *("part1-attribution", "part1-methods", "part1-limits", "part1-checklists", "part1-words"),
    ]
    body = text_of(page)
    assert body.index("Holds") < body.index("Does not hold") < body.index("Undetermined")


def test_each_claim_is_shown_with_verdict_reason_and_place(page: Page, runs: tuple[Report, Store]) -> None:
    body = text_of(page)
    (claims,) = runs[0].sections[0].claims
    for judged in (*claims.statements, *claims.figures):
        assert judged.decision.verdict in body
        for reason in judged.decision.reason.split("; "):
            assert reason.replace("<", "&lt;") in body
        assert judged.where in body
    for verdict, count in claims.counts().items():
        assert f"{verdict} {count}" in body
        assert VERDICTS[verdict].words in body
    flipping = [judged for judged in (*claims.statements, *claims.figures) if flip_text(judged)]
    assert flipping
    for judged in flipping:
        assert capital(flip_text(judged)) in body
    assert margin_text(claims.claims) in body


def test_every_card_has_a_row_and_a_section(page: Page) -> None:
    for name in ("attempt-5", "attempt-6a", "attempt-7"):
        assert f"part1-card-{name}" in page.ids()
        assert f'data-sort="{cards()[name].title}"' in page.html


def test_what_failed_and_what_was_skipped_is_told(page: Page) -> None:
    body = text_of(page)
    assert "seed 0 failed : MemoryError: no room" in body
    assert "attempt-2 : no weights" in body


def test_figures_at_both_thresholds_stand_in_the_page_without_the_script(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run = keep(store, "attempt-5", on_test(*planted(100, 100, 2.0, 5)))
    body = text_of(Page(render(build_report([run], store.history, scores=store))))
    assert run.threshold is not None
    assert f"at chosen, {run.threshold.value:.3f}" in body
    for chosen in (False, True):
        found = run.figures("test", chosen)["specificity"]
        assert f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]" in body


def test_the_page_holds_every_test_score_exactly(page: Page, runs: tuple[Report, Store]) -> None:
    report, store = runs
    held = sliders(page)
    assert held["part1-attempt-7"] == []
    for name in ("attempt-5", "attempt-6a"):
        own = [run for run in report.sections[0].runs if run.spec.card.name == name]
        for run, shown in zip(own, held[f"part1-{name}"], strict=True):
            scores = store.scores(run, "test")
            assert unpacked(shown["positives"]) == sorted(scores.y_score[scores.y_true == 1].tolist())
            assert unpacked(shown["negatives"]) == sorted(scores.y_score[scores.y_true == 0].tolist())
            assert run.threshold is not None
            assert shown["chosen"] == run.threshold.value


@pytest.mark.parametrize(("score", "size"), [(0.1, 8), (float(np.float32(0.1)), 4)])
def test_scores_take_four_bytes_only_where_these_hold_them(score: float, size: int) -> None:
    run = make_run()
    (held,) = slider_data([run], {run.run_id: on_test([0, 1], [0.0, score])})
    assert held["positives"]["bytes"] == size
    assert unpacked(held["positives"]) == [score]
    assert held["negatives"]["bytes"] == 4


def test_a_class_without_test_images_has_no_scores() -> None:
    run = make_run()
    (held,) = slider_data([run], {run.run_id: TestScores("test", np.array([1]), np.array([0.25]))})
    assert unpacked(held["negatives"]) == []


def test_without_scores_there_is_no_slider_and_no_curve() -> None:
    found = Page(render(build_report([make_run(), make_run("attempt-7")], lambda _: NO_HISTORY)))
    assert found.broken == []
    assert not [attributes for _, attributes in found.tags if "data-slider" in attributes]
    assert not [tag for tag, _ in found.tags if tag == "figure"]


def test_every_metric_of_decisions_moves_with_the_slider(page: Page) -> None:
    script = (ROOT / "reports/render/html/templates/report.js").read_text(encoding="utf-8")
    functions = script[script.index("const METRICS") : script.index("const unpack")]
    moved = measures(lambda metric: metric.uses_threshold)
    rows = {attributes["data-metric"]: attributes for _, attributes in page.tags if "data-metric" in attributes}
    assert rows.keys() == moved.keys()
    for name, metric in moved.items():
        ratios = json.loads(rows[name]["data-ratios"] or "")
        assert ratios == [[list(ratio.numerator), list(ratio.denominator)] for ratio in metric.ratios]
        assert ratios or re.search(rf"^    {name}:", functions, flags=re.MULTILINE), name


def test_synthetic_data_is_said_at_the_top_and_in_every_part() -> None:
    report = synthetic()
    found = Page(render(report))
    assert found.broken == []
    assert len(found.ids()) == len(set(found.ids()))
    body = text_of(found)
    assert body.index("Synthetic data.") < body.index("Part 1. ")
    assert body.count("Synthetic data.") == 1 + len(report.sections)
    assert "SYNTHETIC" in body


def test_texts_of_cards_claims_data_and_files_are_shown_and_not_run(attacked: Page) -> None:
    assert "<script>window" not in attacked.html
    assert "<img src=x" not in attacked.html
    assert "<b>NORMAL" not in attacked.html
    assert not [attributes for _, attributes in attacked.tags if "onerror" in attributes]
    body = attacked.html
    escaped = "&lt;script&gt;window.hacked=1&lt;/script&gt;&lt;img src=x onerror=&#34;window.hacked=1&#34;&gt;"
    assert body.count(escaped) > 20
    assert "{{ 7*7 }}" in body
    assert "ñ雪🫁" in body
    assert "\u202e" not in body
    assert LONG[:20] == HOSTILE[:20]


def test_a_report_without_runs_is_a_page_that_says_so() -> None:
    found = Page(render(build_report([], lambda _: NO_HISTORY)))
    assert found.broken == []
    assert "There are no runs to report." in text_of(found)


def test_a_card_that_extends_one_without_a_section_links_nowhere(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run = keep(store, "attempt-7")
    assert cards()["attempt-7"].extends
    found = Page(render(build_report([run], store.history, scores=store)))
    places = {f"#{name}" for name in found.ids()}
    assert all(attributes["href"] in places for tag, attributes in found.tags if tag == "a")


def test_the_same_report_gives_the_same_page(page: Page, runs: tuple[Report, Store]) -> None:
    assert render(runs[0], test_scores(*runs)) == page.html


def test_an_axis_holds_all_its_values_between_round_ticks() -> None:
    axis = axis_over([0.874, None, 0.983])
    assert axis is not None
    assert axis.ticks[0] <= 0.874 < 0.983 <= axis.ticks[-1]
    assert all(round(tick, 2) == pytest.approx(tick) for tick in axis.ticks)
    assert axis_over([None]) is None
    assert axis_over([]) is None


def test_an_axis_of_one_value_has_a_width() -> None:
    axis = axis_over([0.5, 0.5])
    assert axis is not None
    assert axis.ticks[0] < axis.ticks[-1]


def test_a_place_beyond_the_axis_is_its_end() -> None:
    axis = Axis((0.0, 0.5, 1.0))
    assert [axis.at(value) for value in (-1.0, 0.25, 2.0)] == ["0.00", "25.00", "100.00"]


def test_zero_is_on_an_axis_of_effects() -> None:
    axis = axis_over([0.2, 0.3], zero=True)
    assert axis is not None
    assert axis.ticks[0] <= 0 <= axis.ticks[-1]


def test_rendering_needs_no_network_library() -> None:
    heavy = "{'keras', 'tensorflow', 'jax', 'torch'}"
    code = f"import sys, reports.render.html.page; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_fourteen_cards_with_three_seeds_stay_below_five_megabytes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for place, name in enumerate(cards()):
        for seed in range(3):
            keep(store, name, on_test(*planted(234, 390, 2.0, 10 * place + seed)), seed=seed)
    report = build_report(store.runs()[0], store.history, scores=store)
    page = render(report, test_scores(report, store))
    assert len(Page(page).tags) > 1000
    assert len(page.encode("utf-8")) < 5_000_000
