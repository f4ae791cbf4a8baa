"""Renders an external validation for a terminal, as CSV, and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType

from benchmark.evidence.estimate import Estimate
from reports.render.csv_text import csv_text
from reports.render.json_value import json_value
from reports.render.terminal.table import escape, plain_table
from reports.results.outside.text import (
    GROUPS,
    RECALIBRATED_HEADS,
    heading,
    heads,
    recalibrated_text,
    recalibration_sentences,
    rows_text,
    sentences,
)
from reports.results.outside.validation import OutsideRow, OutsideValidation
from reports.text import MISSING

COLUMNS = (
    "model", "group", "metric", "value", "low", "high", "compared_with", "compared_value", "difference",
    "difference_low", "difference_high", "reason",
)  # fmt: skip
"""The columns of the CSV."""


def outside_view(validation: OutsideValidation) -> RenderableType:
    """Render a validation: sentences, figures beside those of the test, and both versions after recalibration."""
    first, *others = heads(validation)
    table = plain_table(first, whole=others, title=escape(heading(validation)))
    group = None
    for row, cells in zip(validation.rows, rows_text(validation), strict=True):
        if row.group != group:
            table.add_row(f"[bold]{GROUPS[row.group]}[/bold]", "", "", "")
            group = row.group
        table.add_row(*map(escape, cells))
    parts: list[RenderableType] = [table, *map(escape, sentences(validation))]
    if validation.recalibration is not None:
        parts += ["", *map(escape, recalibration_sentences(validation))]
        if validation.recalibration.rows:
            both = plain_table(*RECALIBRATED_HEADS[:1], whole=RECALIBRATED_HEADS[1:])
            for cells in recalibrated_text(validation.recalibration):
                both.add_row(*map(escape, cells))
            parts.append(both)
    return Group(*parts)


def outside_summary(rows: Sequence[tuple[str, str, OutsideValidation | None, str | None]]) -> RenderableType:
    """Render several validations, a line each.

    Args:
        rows: The model, the source, its validation and, where there is none, the reason.

    Returns:
        A table with the figures of discrimination of each model on each source, and the reasons below.
    """
    texts = [
        {} if each is None else {row.label: cells[1:] for row, cells in _discrimination(each)} for _, _, each, _ in rows
    ]
    labels = list(dict.fromkeys(label for text in texts for label in text))
    heads = [head for label in labels for head in (f"{label}, test of the run", f"{label}, there", "difference")]
    table = plain_table("model", "source", whole=heads)
    missing = (MISSING,) * 3
    for (model, source, _, _), text in zip(rows, texts, strict=True):
        table.add_row(*map(escape, (model, source, *(cell for label in labels for cell in text.get(label, missing)))))
    reasons = [escape(f"{model} on {source} failed: {error}") for model, source, _, error in rows if error is not None]
    return Group(table, *reasons)


def _discrimination(validation: OutsideValidation) -> list[tuple[OutsideRow, tuple[str, ...]]]:
    """The first figure of discrimination, with its cells."""
    rows = zip(validation.rows, rows_text(validation), strict=True)
    return [(row, cells) for row, cells in rows if row.group == "discrimination"][:1]


def outside_rows(validation: OutsideValidation) -> list[tuple[Any, ...]]:
    """The figures as rows in the order of `COLUMNS`: the model as stored, then both versions on the rest."""
    rows = [
        _row("as stored", row.group, row.key, row.outside, "test of the run", row.test, row.difference)
        for row in validation.rows
    ]
    for each in () if validation.recalibration is None else validation.recalibration.rows:
        rows.append(_row("as stored, on the rest", each.group, each.key, each.as_stored, None, None, None))
        rows.append(
            _row(
                "recalibrated, on the rest",
                each.group,
                each.key,
                each.recalibrated,
                "as stored, on the rest",
                each.as_stored,
                each.difference,
            )
        )
    return rows


def outside_csv(validation: OutsideValidation) -> str:
    """CSV with one row per figure, unrounded and with empty cells for missing values."""
    return csv_text(COLUMNS, outside_rows(validation))


def outside_document(validation: OutsideValidation) -> dict[str, Any]:
    """The validation as a JSON document."""
    return {
        "evaluation_id": validation.evaluation.evaluation_id,
        "title": heading(validation),
        "text": [*sentences(validation), *recalibration_sentences(validation)],
        **json_value(validation),
    }


def _row(
    model: str,
    group: str,
    key: str,
    figure: Estimate,
    compared_with: str | None,
    compared: Estimate | None,
    difference: Estimate | None,
) -> tuple[Any, ...]:
    reason = figure.reason or (None if difference is None else difference.reason)
    return (
        model,
        group,
        key,
        figure.value,
        figure.low,
        figure.high,
        compared_with,
        None if compared is None else compared.value,
        None if difference is None else difference.value,
        None if difference is None else difference.low,
        None if difference is None else difference.high,
        reason,
    )
