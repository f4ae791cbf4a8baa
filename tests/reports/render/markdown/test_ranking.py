"""A ranking as markdown."""

from __future__ import annotations

from pathlib import Path

from reports.render.markdown.ranking import ranking_markdown
from reports.results.comparison.pairs import rank
from reports.results.measured import collect_results
from tests.support.judging import two_cards


def test_every_card_is_a_row_in_order(tmp_path: Path) -> None:
    store = two_cards(tmp_path)
    ranking = rank(list(collect_results(store.runs()[0], store).values()), "auc")
    assert ranking is not None
    rows = [line for line in ranking_markdown(ranking) if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(ranking.figures)
    assert len({row.count("|") for row in rows}) == 1
