"""Renders labels that are probably wrong as markdown."""

from __future__ import annotations

from reports.render.markdown.table import cell, table
from reports.render.words import LABEL_ERRORS
from reports.report import Section
from reports.results.images.label_errors_text import HEADS, rows, sentences


def label_errors_markdown(section: Section) -> list[str]:
    """Lines with the suspects; empty where the store recorded none."""
    labels = section.label_errors
    if labels is None:
        return []
    lines = [f"### {LABEL_ERRORS}", "", *(part for text in sentences(labels) for part in (cell(text), ""))]
    if labels.suspects:
        lines += [*table(HEADS, rows(labels)), ""]
    return lines
