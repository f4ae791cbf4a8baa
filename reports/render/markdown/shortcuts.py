"""Renders facts that distinguish the classes without content as markdown."""

from __future__ import annotations

from reports.render.markdown.table import cell, table
from reports.render.words import SHORTCUTS
from reports.report import Section
from reports.results.images.shortcuts_text import FACT_HEADS, GAIN_HEADS, fact_rows, gain_rows, sentences


def shortcuts_markdown(section: Section) -> list[str]:
    """Lines with the facts and what cards add over the strongest; empty where the store recorded none."""
    baseline = section.shortcuts
    if baseline is None:
        return []
    lines = [f"### {SHORTCUTS}", "", *(part for text in sentences(baseline) for part in (cell(text), ""))]
    if rows := fact_rows(baseline.shortcuts):
        lines += [*table(FACT_HEADS, rows), ""]
    if gains := [[f"`{name}`", *cells] for name, *cells in gain_rows(baseline)]:
        lines += [*table(GAIN_HEADS, gains), ""]
    return lines
