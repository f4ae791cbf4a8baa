"""Renders a plan for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from reports.planning.model import Plan
from reports.planning.sample_size import GuaranteePlan, WidthAnswer
from reports.planning.text import answer, heads, note_lines, row_cells
from reports.render.terminal.table import escape, plain_table
from reports.text import one_line


def plan_tables(
    claims: Plan | None, width: WidthAnswer | None = None, guarantee: GuaranteePlan | None = None
) -> RenderableType:
    """The parts of a plan that exist.

    Args:
        claims: The plan for claims, as a table; None without one.
        width: The test images for an interval, as a sentence; None without one.
        guarantee: The positives for a guarantee, as a sentence and a table; None without one.

    Returns:
        What rich prints.
    """
    parts: list[RenderableType] = []
    if claims is not None:
        parts += _claims(claims)
    if width is not None:
        parts += [Text(one_line(width.sentence))]
    if guarantee is not None:
        missed = plain_table(whole=("missed positives", "positive validation images", "validation images"))
        for count, (positives, images) in enumerate(zip(guarantee.positives, guarantee.validation, strict=True)):
            missed.add_row(str(count), f"{positives:,}", f"{images:,}")
        parts += [Text(one_line(guarantee.sentence)), Text(""), missed]
    return Group(*parts)


def _claims(plan: Plan) -> list[RenderableType]:
    first, *others = heads(plan)
    table = plain_table(first, whole=others)
    for claim in plan.claims:
        table.add_row(*map(escape, row_cells(claim)))
    lines = [Text(one_line(line)) for line in note_lines(plan)]
    return [Text(one_line(plan.title), style="bold"), Text(one_line(answer(plan))), table, *lines]
