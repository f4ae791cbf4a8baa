"""Rows as the text of a CSV file that is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """One line of column names, then one line per row.

    None is an empty cell, numbers are not rounded, booleans are `true` and `false`. Text that a spreadsheet would run
    as a formula gets a leading apostrophe: names of classes, files and cards come from strangers.
    """
    return "".join(_line(row) for row in (heads, *rows))


def _line(row: Iterable[Any]) -> str:
    text = io.StringIO()
    # Only characters of the line's end are put in quotes: with \n alone, a \r in a name would begin a new row.
    csv.writer(text, lineterminator="\r\n").writerow([_cell(value) for value in row])
    return text.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(_STARTS_FORMULA) else text
