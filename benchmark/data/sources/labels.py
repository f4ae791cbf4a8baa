"""Checks of the labels in a table: one class per image, two or more classes, and not an id in each row."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.data.classes import FEWEST_IMAGES, MOST_CLASSES, listed, same_but_for_case
from benchmark.data.dataset import DataError
from benchmark.data.sources.table import Table

_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "path": ("file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img", "name"),
    "label": ("class", "target", "diagnosis", "dx", "category", "y", "labels", "finding"),
}
_EXAMPLES = 3


def missing_column(path: Path, table: Table, column: str) -> DataError:
    """Make the error for a column that a table lacks, with the column that probably is meant.

    Args:
        path: The file of the table.
        table: Its content.
        column: The missing column: path or label.

    Returns:
        The error.
    """
    same = [name for name in table.columns if name.casefold() in (column, *_SYNONYMS[column])]
    near = same or difflib.get_close_matches(column, table.columns, n=1, cutoff=0.7)
    hint = f"; rename '{near[0]}' to {column}" if near else f"; add a column {column}"
    flags = [
        name
        for name in table.columns
        if {row.cells.get(name, "0") for row in table.rows} == {"0", "1"} and name.casefold() != "patient"
    ]
    if column == "label" and not near and len(flags) > 1:
        hint = f"; {listed(flags, 4)} look like one column per class: give one column label with the name of the class"
    return DataError(f"{path}: the column '{column}' is missing; its columns are {listed(table.columns)}{hint}")


def check_labels(path: Path, table: Table) -> None:
    """Refuse rows without a label, and cells with several labels. Raises DataError."""
    without = [row.place for row in table.rows if "label" not in row.cells]
    if without:
        more = ", ..." if len(without) > _EXAMPLES else ""
        rows = "row has" if len(without) == 1 else "rows have"
        raise DataError(
            f"{path}: {len(without)} {rows} no label ({', '.join(without[:_EXAMPLES])}{more}); give a label, or leave "
            "the rows out"
        )
    labels = {row.cells["label"] for row in table.rows}
    for row in table.rows:
        if (several := _several(row.cells["label"], labels)) is not None:
            raise DataError(
                f"{path}: {row.place} has several labels ({listed(several)}): images with several labels are not "
                "supported; give one label per image"
            )


def check_classes(path: Path, table: Table, names: Sequence[str]) -> None:
    """Refuse one class, one class in two spellings, and labels that are ids.

    Args:
        path: The file of the table.
        table: Its content.
        names: The different labels.

    Raises:
        DataError: The labels are not classes.
    """
    rows = len(table.rows)
    if len(names) < 2:
        raise DataError(f"{path}: all {rows} rows have the label '{names[0]}'; two or more classes are needed")
    if (pair := same_but_for_case(row.cells["label"] for row in table.rows)) is not None:
        first, second = (next(row.place for row in table.rows if row.cells["label"] == name) for name in pair)
        raise DataError(
            f"{path}: the labels '{pair[0]}' ({first}) and '{pair[1]}' ({second}) differ only in case: give them one "
            "name"
        )
    if (len(names) > 2 and rows < FEWEST_IMAGES * len(names)) or len(names) > MOST_CLASSES:
        counts = Counter(row.cells["label"] for row in table.rows)
        raise DataError(
            f"{path}: the column label has {len(names)} values in {rows} rows, such as "
            f"{listed([name for name, _ in counts.most_common(_EXAMPLES)])}: it looks like an id; give the class, with "
            f"at least {FEWEST_IMAGES} images each"
        )


def _several(label: str, labels: set[str]) -> list[str] | None:
    """The labels that one cell contains: parts between separators, where each or, for |, any is a label by itself."""
    for separator, enough in (("|", any), (";", all), (",", all)):
        parts = [part.strip() for part in re.split(re.escape(separator), label)]
        if len(parts) > 1 and all(parts) and enough(part in labels for part in parts):
            return parts
    return None
