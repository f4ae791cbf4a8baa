"""Renders the test images that every card misses as markdown."""

from __future__ import annotations

from reports.render.markdown.table import cell, folded, table
from reports.render.words import MISSED_IMAGES
from reports.report import Section
from reports.results.images.errors import ImageErrors
from reports.results.images.errors_text import left_out, meaning, summary
from reports.text import plural, probability

_MOST = 50


def image_errors_markdown(section: Section) -> list[str]:
    """Lines with the test images that every card misses, at most 50; empty without scores."""
    errors = section.image_errors
    if errors is None:
        return []
    titles = {card.card.name: card.card.title for card in section.cards}
    rows = errors.missed_by_all
    lines = [f"### {MISSED_IMAGES}", "", cell(f"{summary(errors)} {meaning(errors, titles)}"), ""]
    lines += [line for sentence in left_out(errors, titles) for line in (cell(sentence), "")]
    if not rows:
        return lines
    of_rows = (
        [row.name, row.true_class, probability(min(row.probability), 2), probability(max(row.probability), 2)]
        for row in rows[:_MOST]
    )
    listing = table(["image", "true class", "lowest probability", "highest probability"], of_rows)
    if len(rows) > _MOST:
        listing += ["", f"{len(rows) - _MOST} more are in `images.csv` (`zoo report --format csv`)."]
    return [*lines, *folded(f"Missed by every card: {_count(len(rows), errors)}", listing)]


def _count(rows: int, errors: ImageErrors) -> str:
    """How many images are listed here, and where all others are."""
    missed = len(errors.missed_by_any)
    listed_here = f"{min(rows, _MOST)} of {rows:,} shown" if rows > _MOST else plural(rows, "image")
    if missed == rows:
        return listed_here
    return f"{listed_here}, of {missed:,} that some card misses; `report.html` and `images.csv` have all"
