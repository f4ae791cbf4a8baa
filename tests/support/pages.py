"""HTML pages that several test files look at, and what is read of them without a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from benchmark.runs.history import NO_HISTORY
from benchmark.runs.protocol import load_protocol
from benchmark.runs.storage.store import Store
from reports.gallery.gallery import Gallery, Tile, TileGroup
from reports.gallery.tiles import small_tile
from reports.report import Report, build_report
from reports.results.conditions.skipped import SkippedCard
from tests.support.judging import study
from tests.support.records import KAGGLE, make_card, make_run, of_counts, on_test, on_val, planted
from tests.support.stored import keep

HOSTILE = '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">\'"&amp; \u202eñ雪🫁 {{ 7*7 }} `|`'
LONG = HOSTILE + "W" * (300 - len(HOSTILE))
_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
_MAY_CLOSE_ITSELF = {"line", "circle", "path", "rect", "use", "svg", "symbol", "g", "defs", "clippath", "text", "desc"}


@dataclass
class Page(HTMLParser):
    """The start tags of a page with their attributes; `broken` names tags that are closed in the wrong order."""

    html: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self.feed(self.html)
        self.close()
        self.broken += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID | _MAY_CLOSE_ITSELF:
            self.broken.append(f"{tag}/")

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            self.broken.append(f"/{tag}")

    def ids(self) -> list[str]:
        """Every id, in order."""
        return [attributes["id"] or "" for _, attributes in self.tags if "id" in attributes]


def ordinary(folder: Path) -> tuple[Report, Store]:
    """Two cards of the real data, one with two seeds and both with claims, a failed run and a skipped card."""
    store = Store(folder / "runs")
    for seed in (0, 1):
        keep(store, "attempt-5", on_test(*planted(117, 117, 2.0, 11 + seed)), seed=seed)
    blind = on_test([0] * 117 + [1] * 117, [0.9] * 234)
    keep(store, "attempt-6a", blind, on_val([0, 1] * 60, [0.9] * 120))
    failed = make_run("attempt-7", dataset=KAGGLE, error="MemoryError: no room")
    report = build_report(
        [*store.runs()[0], failed],
        store.history,
        [SkippedCard("attempt-2", "no weights")],
        scores=store,
        claims=[study(folder)],
    )
    return report, store


def hostile(folder: Path) -> tuple[Report, Store, dict[str, Gallery]]:
    """Every text that a user writes holds markup, quotes, a sign that turns the writing direction, or 300 letters."""
    store = Store(folder / "runs")
    facts = KAGGLE.model_copy(update={"title": LONG, "classes": ("<b>NORMAL", LONG)})
    named = make_card("attempt-5", title=HOSTILE + "W" * 60, change="W" * 200, assumptions=LONG)
    run = keep(store, named, on_test(*planted(117, 117, 2.0)), dataset=facts)
    keep(store, "attempt-6a", of_counts(0, 0, 117, 117), dataset=facts)
    failed = make_run("attempt-7", dataset=facts, error=LONG)
    report = build_report(
        [*store.runs()[0], failed],
        store.history,
        [SkippedCard("attempt-2", LONG)],
        scores=store,
        claims=[study(folder, text=LONG, location=LONG, title=LONG)],
        notes=[LONG],
    )
    picture = small_tile(np.zeros((8, 8, 1), np.uint8))
    tile = Tile(LONG, LONG, LONG, 0.5, False, LONG, LONG, picture, picture, LONG)
    groups = (TileGroup("wrong", "Wrong", LONG, (tile,)),)
    gallery = Gallery(
        run.run_id, "attempt-5", 0, LONG, False, ("a", LONG), 0.5, LONG, groups, maps_reason=LONG, notes=(LONG,)
    )
    return report, store, {run.run_id: gallery}


def synthetic() -> Report:
    """Phantom runs under two protocols, their scores not at hand: two sections."""
    quick = load_protocol("quick")
    other = quick.model_copy(update={"name": "other", "image_size": 32})
    return build_report([make_run("attempt-1", protocol=one) for one in (quick, other)], lambda _: NO_HISTORY)
