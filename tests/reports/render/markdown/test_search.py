"""A search as markdown."""

from __future__ import annotations

from reports.render.markdown.search import search_markdown
from tests.support.searches import result


def test_the_markdown_holds_all_trials_and_no_raw_markup() -> None:
    text = search_markdown(result(), {"Best so far": "search-0.svg"})
    assert "![Best so far](search-0.svg)" in text
    assert "<script>" not in text
    assert text.count("\n| ") >= 4
