"""A search in a terminal."""

from __future__ import annotations

from reports.render.terminal.search import search_tables
from tests.support.searches import result
from tests.support.terminal import shown


def test_the_terminal_shows_failures_and_the_best() -> None:
    text = shown(search_tables(result()), 160)
    assert "best" in text
    assert "failed: it | broke <script>" in text
