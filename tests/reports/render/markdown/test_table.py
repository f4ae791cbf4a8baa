"""A table of markdown holds any text."""

from __future__ import annotations

import re

import pytest

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


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    assert table(["a", "b"], [["1", "2"], ["3", ""]]) == ["| a | b |", "|---|---|", "| 1 | 2 |", "| 3 |  |"]
