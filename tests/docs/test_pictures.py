"""The pictures and the example report of the documentation are made by one command from one store."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from benchmark.runs.storage.store import Store
from docs import pictures
from reports.text import measured
from tests.support.records import PHANTOM
from tests.support.stored import keep

CARDS = ("attempt-1", "attempt-4", "attempt-6b")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Runs of three cards, as a bench on the phantom leaves them."""
    kept = Store(tmp_path / "runs")
    for card in CARDS:
        keep(kept, card, dataset=PHANTOM)
    return kept


def test_the_answer_names_the_best_card_and_asks_nothing_of_the_network(store: Store, tmp_path: Path) -> None:
    pictures.draw_answer(store.root, tmp_path / "answer.svg")
    drawn = (tmp_path / "answer.svg").read_text(encoding="utf-8")
    words = html.unescape(" ".join(re.findall(r">([^<>]+)</text>", drawn))).replace("\xa0", " ")
    best = max(store.runs()[0], key=lambda run: run.figures()["auc"].value or 0)
    assert best.spec.card.title in words
    assert measured(best.figures()["auc"]).split()[0] in words
    assert set(re.findall(r"https?://[^\s\"')]+", drawn)) <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}
    pictures.draw_answer(store.root, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text(encoding="utf-8") == drawn


def test_a_store_without_runs_makes_no_picture(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="contains no runs"):
        pictures.draw_answer(tmp_path / "nothing", tmp_path / "answer.svg")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium")
def test_one_command_makes_both_pictures_and_the_example(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    made = tmp_path / "docs"
    monkeypatch.setattr("sys.argv", ["pictures", "--store", str(store.root), "--out", str(made)])
    pictures.main()
    assert {path.name for path in made.iterdir()} == {"answer.svg", "report.png", "example"}
    assert {"report.html", "report.md"} <= {path.name for path in (made / "example").iterdir()}
    shown = Image.open(made / "report.png")
    assert shown.width == pictures.WIDTH
    assert 300 < shown.height < 1600  # the answer, not the whole report
    assert len(shown.convert("RGB").getcolors(1_000_000) or ()) > 10
