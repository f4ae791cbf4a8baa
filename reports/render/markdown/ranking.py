"""A ranking as markdown lines."""

from __future__ import annotations

from reports.render.markdown.table import table
from reports.results.pairs import Ranking
from reports.results.ranking_text import HEADS, rows, summary


def ranking_markdown(ranking: Ranking) -> list[str]:
    """What the test set can tell apart, then the cards with their groups."""
    cards = [[f"`{name}`", *cells] for name, *cells in rows(ranking)]
    return ["### Which cards can be told apart", "", summary(ranking), "", *table(HEADS, cards)]
