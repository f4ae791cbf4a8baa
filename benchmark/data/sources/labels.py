"""Checks of the labels in a table: one class per image, two or more classes, and not an id in each row."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.data.classes import FEWEST_IMAGES, MOST_CLASSES, fewest_classes, listed, same_but_for_case
from benchmark.data.dataset import DataError
from benchmark.data.sources.layout import PART_OF
from benchmark.data.sources.table import Table

_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "path": ("file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img", "name"),
    "label": ("class", "target", "diagnosis", "dx", "category", "y", "labels", "finding"),
}
_LIKE_PATIENT = (
    *("patient", "patients", "patientid", "patientids", "patientkey", "patientname", "patientno", "patientnr"),
    *("patientnumber", "patientcode", "pid", "subject", "subjects", "subjectid", "case", "caseid", "person"),
    *("personid", "participant", "participantid", "individual", "individualid", "mrn", "medicalrecordnumber"),
)
"""Names of columns with ids of patients, in small letters and digits alone."""
_LIKE_SPLIT = ("split", "splits", "set", "subset", "part", "partition", "phase", "usage", "dataset", "splitname")
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


def check_optional_columns(path: Path, table: Table, patients_from_names: bool) -> None:
    """Refuse a column that looks like `patient` or `split` under another name: images would be split without it.

    Args:
        path: The file of the table.
        table: Its content.
        patients_from_names: Whether the user asked to take patients from file names.

    Raises:
        DataError: There is such a column, and none with the right name.
    """
    if "patient" not in table.columns and not patients_from_names:
        classes = len(_values(table, "label"))
        for name in table.columns:
            if _is_like_patient(name) and len(_values(table, name)) > classes:
                raise DataError(
                    f"{path}: column '{name}' looks like the patient: rename it to `patient`, so that all images of a "
                    "patient stay in one split; if it contains something else, give it another name"
                )
    if "split" not in table.columns:
        for name in table.columns:
            values = {value.casefold() for value in _values(table, name)}
            if _plain(name) in _LIKE_SPLIT and len(values) > 1 and values <= PART_OF.keys():
                raise DataError(
                    f"{path}: column '{name}' looks like the split: rename it to `split`, so that its test images stay "
                    "test images; if it contains something else, give it another name"
                )


def _values(table: Table, column: str) -> set[str]:
    return {row.cells[column] for row in table.rows if column in row.cells}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _is_like_patient(name: str) -> bool:
    """Whether a column is called like an id of patients, or misspelt; `PatientAge` is neither."""
    plain = _plain(name)
    near = abs(len(plain) - len("patient")) <= 1 and difflib.SequenceMatcher(None, plain, "patient").ratio() >= 0.8
    return plain in _LIKE_PATIENT or near


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
    if len(names) < fewest_classes():
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
