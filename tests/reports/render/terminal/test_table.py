"""Tables of many rows look as rich draws them, at every width."""

from __future__ import annotations

import pytest

from reports.render.terminal import table
from reports.render.terminal.table import Column, LongTable
from tests.support.terminal import shown

COLUMNS = (Column("run"), Column("card", folds=True), Column("AUC", "right"))
ROWS = tuple((f"{number:04x}", f"card {'x' * (1 + number % 30)} [red]", f"{number / 7:.3f}") for number in range(40))


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], (("1", "模型", "0.5"), ("2", "é" * 20, "–"))])
@pytest.mark.parametrize("width", [24, 40, 60, 80, 160])
def test_a_long_table_is_drawn_as_rich_draws_it(
    rows: tuple[tuple[str, ...], ...], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = shown(LongTable(COLUMNS, rows), width)
    monkeypatch.setattr(table, "_LINES", -1)  # no table of one row has so many lines
    assert quick == shown(LongTable(COLUMNS, rows), width)
    assert all(row[0] in quick for row in rows)
