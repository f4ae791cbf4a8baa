"""Renders a ranking as markdown."""

from __future__ import annotations

from reports.render.markdown.table import table
from reports.render.words import RANKING
from reports.results.comparison.pairs import Ranking
from reports.results.comparison.ranking_text import HEADS, rows, summary


def ranking_markdown(ranking: Ranking) -> list[str]:
    """Lines with how many pairs of cards differ significantly, then the cards with their groups."""
    cards = [[f"`{name}`", *cells] for name, *cells in rows(ranking)]
    return [f"### {RANKING}", "", summary(ranking), "", *table(HEADS, cards)]
