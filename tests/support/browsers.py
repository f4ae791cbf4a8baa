"""Pages in a browser, and what the browser reports about them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from tests.support.tiny import ROOT

PICTURES = ROOT / "build" / "screenshots"
DESKTOP, PHONE = {"width": 1200, "height": 900}, {"width": 360, "height": 780}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclass
class Opened:
    """A page in the browser, and what the browser said about it."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


def picture(page: Any, name: str, *, whole: bool = False) -> None:
    """Keeps a picture of the page, of what is visible or of the whole, where ZOO_PICTURES asks for pictures to look at.

    No test reads them, and to draw a whole page takes longer than most tests."""
    if not os.environ.get("ZOO_PICTURES"):
        return
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)


def open_all(page: Any) -> None:
    """Opens everything that can be opened."""
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")


def wider_than_the_window(page: Any) -> int:
    """The number of pixels by which the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def violations(page: Any) -> list[tuple[str, str, int]]:
    """What axe finds by the rules of WCAG 2.2 AA and its best practices: rule, first element and their number."""
    from axe_playwright_python.sync_playwright import Axe

    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    # Of what passes only one element is described: on a page of thousands that takes most of the time.
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    response = Axe().run(page, options=options).response
    return [(each["id"], each["nodes"][0]["html"][:200], len(each["nodes"])) for each in response["violations"]]
