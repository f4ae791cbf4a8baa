"""A table of markdown holds any text."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from reports.render.markdown.table import cell, table


@pytest.mark.parametrize(
    "text", ["a | b", "a\nb", "<b>x</b>", "[x](javascript:alert(1))", "![x](y)", "**bold**", "a \\| b", "\x00\x1b[0m"]
)
def test_a_cell_stays_one_cell_of_plain_text(text: str) -> None:
    lines = table(["one", "two"], [[text, "next"]])
    assert len(lines) == 3
    cells = re.split(r"(?<!\\)(?:\\\\)*\|", lines[2])
    assert len(cells) == 4
    assert not re.search(r"<|(?<!\\)\]\(|(?<!\\)\*", cell(text))


@pytest.mark.parametrize("name", ["_a_", "__a__", "a_b_c", "1_000 _x_", "_ `k_1` _"])
def test_no_viewer_reads_emphasis_in_a_name(name: str) -> None:
    (paragraph,) = [token for token in MarkdownIt().parse(cell(name)) if token.type == "inline"]
    assert not [child for child in paragraph.children or () if child.type in ("em_open", "strong_open")]
    assert "".join(child.content for child in paragraph.children or ()) == name.replace("`", "")
    outside = re.sub(r"`[^`]*`", "", cell(name))
    assert not re.search(r"(?<!\\)_", outside)  # viewers before CommonMark take one_class_name for emphasis


def test_code_and_addresses_keep_their_underscores() -> None:
    text = "`a_b` at https://example.org/a_b"
    assert cell(text) == text


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    assert table(["a", "b"], [["1", "2"], ["3", ""]]) == ["| a | b |", "|---|---|", "| 1 | 2 |", "| 3 |  |"]
