"""A search as markdown."""

from __future__ import annotations

from dataclasses import replace

from reports.render.markdown.search import search_markdown
from tests.support.searches import result


def test_the_markdown_holds_all_trials_and_no_raw_markup() -> None:
    text = search_markdown(result(), {"Best so far": "search-0.svg"})
    assert "![Best so far](search-0.svg)" in text
    assert "<script>" not in text
    assert text.count("\n| ") >= 4


def test_the_markdown_says_how_many_trials_were_proposed_at_a_time() -> None:
    line = "The tuner proposed 4 trials at a time, before it learned their objectives."
    assert line in search_markdown(replace(result(), at_once=4), {})
    assert "at a time" not in search_markdown(result(), {})
