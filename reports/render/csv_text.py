"""CSV text that is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Write rows as CSV.

    Text that a spreadsheet would run as a formula gets a leading apostrophe, because names of classes, files and cards
    are not trusted.

    Args:
        heads: Column names.
        rows: Values in the order of `heads`. None is an empty cell, numbers are not rounded, booleans are `true` and
            `false`.

    Returns:
        One line of names, then one line per row.
    """
    return "".join(_line(row) for row in (heads, *rows))


def _line(row: Iterable[Any]) -> str:
    text = io.StringIO()
    # The writer quotes only characters of the line terminator: with \n alone, \r in a name would begin a new row.
    csv.writer(text, lineterminator="\r\n").writerow([_cell(value) for value in row])
    return text.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(_STARTS_FORMULA) else text
