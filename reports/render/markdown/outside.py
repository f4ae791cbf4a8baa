"""Renders external validations as markdown."""

from __future__ import annotations

from collections.abc import Sequence

from reports.render.markdown.table import cell, folded, table
from reports.results.outside.text import (
    INTRODUCTION,
    RECALIBRATED_HEADS,
    TITLE,
    heading,
    heads,
    recalibrated_text,
    recalibration_sentences,
    rows_text,
    sentences,
)
from reports.results.outside.validation import OutsideValidation


def outside_markdown(validations: Sequence[OutsideValidation]) -> list[str]:
    """Lines with the figures of each external validation; none without any."""
    if not validations:
        return []
    lines = [f"### {TITLE}", "", INTRODUCTION, ""]
    for validation in validations:
        lines += [f"#### {cell(heading(validation))}", ""]
        lines += [f"- {cell(sentence)}" for sentence in sentences(validation)]
        lines += ["", *table(heads(validation), rows_text(validation)), ""]
        lines += [line for text in recalibration_sentences(validation) for line in (cell(text), "")]
        if validation.recalibration is not None and validation.recalibration.rows:
            both = table(RECALIBRATED_HEADS, recalibrated_text(validation.recalibration))
            lines += folded("Both versions of the model on the same images", both)
    return lines
