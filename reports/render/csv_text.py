"""Rows as the text of a CSV file: the one place that writes cells which a person may open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A line of `heads`, then one per row.

    None is an empty cell, and a number is written in full. Text that a spreadsheet would run as a formula gets an
    apostrophe before it: names of classes, files and cards are anybody's.
    """
    return "".join(_line(row) for row in (heads, *rows))


def _line(row: Sequence[Any]) -> str:
    text = io.StringIO()
    # Only characters of the line's end are put in quotes: with \n alone, a \r in a name would begin a new row.
    csv.writer(text, lineterminator="\r\n").writerow([_cell(value) for value in row])
    return text.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(_STARTS_FORMULA) else text
