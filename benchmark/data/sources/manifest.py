"""Images that a table lists: one row per image with its path, label and possibly patient, split and further facts."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.data.classes import listed, natural_order
from benchmark.data.dataset import DataError, Dataset, Image, Part, PatientFacts, Problem
from benchmark.data.levels import Stored, levels_of
from benchmark.data.patients import compile_pattern, patient_facts, patient_key, patient_notes
from benchmark.data.sources.declared import beside, declared_order, read_declared
from benchmark.data.sources.entries import printable
from benchmark.data.sources.folder import check_pattern, check_readable
from benchmark.data.sources.labels import check_classes, check_labels, check_optional_columns, missing_column
from benchmark.data.sources.layout import PART_OF
from benchmark.data.sources.scan import reader, scan
from benchmark.data.sources.table import Row, read_table
from benchmark.data.text import plural
from zoo.config.strict_yaml import suggest

COLUMNS = ("path", "label", "patient", "split")
"""The columns with a meaning; all others are facts about the images."""

_EXAMPLES = 3


@dataclass(frozen=True)
class _Entry:
    """A row of the manifest.

    Attributes:
        row: The row.
        name: The path of its file, relative to the folder that contains all files.
        label: Its class.
        part: The part that it belongs to; "all" without a column `split`.
        patient: Its patient, if a column says so.
    """

    row: Row
    name: str
    label: str
    part: Part
    patient: str | None


def open_manifest(path: Path, patient_pattern: str | None = None, source: str | None = None) -> Dataset:
    """Open the images that a table lists.

    The table has the columns `path`, relative to its folder, and `label`, and optionally `patient` and `split` (train,
    val, test). Each further column becomes an attribute of the images. Classes are in alphabetical order, whole numbers
    by value, unless STEM.classes.yaml beside the table declares another.

    Args:
        path: A .csv or .parquet file.
        patient_pattern: A regular expression for file names whose named groups form the patient's key.
        source: What the user named; `path` by default.

    Returns:
        The data set.

    Raises:
        DataError: The table or a row is not as described, a patient is in two splits, or more than 5% of the files
            cannot be read.
    """
    table = read_table(path)
    for needed in ("path", "label"):
        if needed not in table.columns:
            raise missing_column(path, table, needed)
    if patient_pattern is not None and "patient" in table.columns:
        raise DataError(f"--patients '{patient_pattern}': {path} has a column patient; leave out one of the two")
    pattern = compile_pattern(patient_pattern)
    check_optional_columns(path, table, patient_pattern is not None)
    check_labels(path, table)
    declared = read_declared(beside(path))
    names = natural_order({row.cells["label"] for row in table.rows})
    if declared is not None:
        _check_known(path, table.rows, declared.order.classes, declared.path)
    check_classes(path, table, names)
    root, entries = _entries(path, table.rows, "split" in table.columns)
    _check_splits(path, entries, names)
    paths: dict[str, Path] = {}
    stored: dict[str, Stored] = {}
    images: list[Image] = []
    problems: list[Problem] = []
    known = 0
    for entry, scanned in zip(entries, scan(root, [root / entry.name for entry in entries]), strict=True):
        name = printable(entry.name)
        if scanned.stored is None:
            problems.append(Problem(name, scanned.reason or "cannot be read"))
            continue
        paths[name], stored[name] = root / entry.name, scanned.stored
        patient = entry.patient if "patient" in table.columns else patient_key(name, pattern)
        known += patient is not None
        images.append(Image(name, entry.part, names.index(entry.label), patient or name, scanned.digest))
    check_readable(path, len(entries), problems)
    _check_every_class(path, images, names)
    if patient_pattern is not None:
        check_pattern(path, patient_pattern, images)
    images.sort(key=lambda image: image.name)
    if "patient" in table.columns:
        patients = PatientFacts("column" if known else "unknown", known, len(images))
        notes = tuple(filter(None, [patients.line()]))
    else:
        patients = patient_facts(known, len(images))
        notes = patient_notes(images, patients, "add a column patient, or give --patients")
    channels: Literal[1, 3] = 3 if any(image.colour for image in stored.values()) else 1
    levels = levels_of(stored.values())
    dataset = Dataset(
        source=printable(source or str(path)),
        title=f"images listed in {printable(path.name)}",
        synthetic=False,
        classes=tuple(names),
        images=tuple(images),
        channels=channels,
        read=reader(root, paths, channels, levels),
        problems=tuple(problems),
        original_size=lambda image: (stored[image.name].width, stored[image.name].height),
        patients=patients,
        notes=notes,
        levels=levels,
        stored=stored,
        files=paths,
        attributes=_attributes(table.columns, entries, stored),
    )
    return declared_order(dataset, beside(path))


def _attributes(
    columns: Sequence[str], entries: Sequence[_Entry], stored: Mapping[str, Stored]
) -> dict[str, dict[str, str]]:
    """The further columns by name, then by name of the image."""
    cells = {printable(entry.name): entry.row.cells for entry in entries}
    return {
        column: {name: row[column] for name, row in cells.items() if name in stored and column in row}
        for column in columns
        if column not in COLUMNS
    }


def _entries(path: Path, rows: Sequence[Row], with_splits: bool) -> tuple[Path, list[_Entry]]:
    """Find the files of all rows and the folder that contains them. Raises DataError."""
    folder = path.parent.resolve()
    places: dict[Path, str] = {}
    missing: list[str] = []
    for row in rows:
        if "path" not in row.cells:
            raise DataError(f"{path}: {row.place} has no path; give the path of an image, relative to {path.name}")
        file = _file(folder, row.cells["path"])
        if not file.is_file():
            missing.append(f"{row.cells['path'][:200]} ({row.place})")
        elif (other := places.setdefault(file, row.place)) != row.place:
            raise DataError(f"{path}: {row.cells['path']} is listed twice, in {other} and {row.place}; keep one row")
    if missing:
        more = ", ..." if len(missing) > _EXAMPLES else ""
        raise DataError(
            f"{path}: {len(missing)} of {len(rows)} paths are no files: {', '.join(missing[:_EXAMPLES])}{more}; paths "
            f"are relative to the folder of {path.name}"
        )
    below = all(folder in file.parents for file in places)
    root = folder if below else Path(os.path.commonpath([file.parent for file in places]))
    entries = [
        _Entry(
            row=row,
            name=file.relative_to(root).as_posix(),
            label=row.cells["label"],
            part=_part(path, row) if with_splits else "all",
            patient=row.cells.get("patient"),
        )
        for row, file in zip(rows, places, strict=True)
    ]
    return root, entries


def _file(folder: Path, text: str) -> Path:
    """The file that a cell names, with .. resolved; a backslash separates folders where there is no such file."""
    try:
        file = Path(os.path.normpath(folder / text))
        if "\\" in text and not file.exists():
            return Path(os.path.normpath(folder / text.replace("\\", "/")))
        file.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte
        return folder / "?"
    return file


def _part(path: Path, row: Row) -> Part:
    text = row.cells.get("split")
    if text is None:
        raise DataError(f"{path}: {row.place} has no split; give train, val or test in every row, or drop the column")
    part = PART_OF.get(text.casefold())
    if part is None:
        raise DataError(f"{path}: {row.place}: split is '{text[:200]}'; it must be train, val or test")
    return part


def _check_known(path: Path, rows: Sequence[Row], classes: Sequence[str], declaration: Path) -> None:
    """Refuse labels that the declaration does not list."""
    unknown = [row for row in rows if row.cells["label"] not in classes]
    if unknown:
        label = unknown[0].cells["label"]
        count = f" (and {len(unknown) - 1} more rows)" if len(unknown) > 1 else ""
        raise DataError(
            f"{path}: {unknown[0].place}{count}: the label '{label[:200]}' is not in {declaration.name}. "
            f"{suggest(label, classes)}"
        )


def _check_splits(path: Path, entries: Sequence[_Entry], names: Sequence[str]) -> None:
    """Refuse splits without train or a class, and patients in two splits."""
    labels: dict[Part, Counter[str]] = defaultdict(Counter)
    homes: dict[str, _Entry] = {}
    crossing: dict[str, tuple[_Entry, _Entry]] = {}
    for entry in entries:
        labels[entry.part][entry.label] += 1
        if entry.patient is not None:
            first = homes.setdefault(entry.patient, entry)
            if first.part != entry.part:
                crossing.setdefault(entry.patient, (first, entry))
    if "all" not in labels and "train" not in labels:
        raise DataError(f"{path}: split is {' and '.join(sorted(labels))} in all rows; some must be train")
    for part, present in labels.items():
        absent = [name for name in names if name not in present]
        if absent:
            right = (
                f"give its {plural(present.total(), 'image')} the split train, from which val is then drawn"
                if part == "val"
                else f"give some images of {listed(absent)} the split {part}"
            )
            raise DataError(
                f"{path}: split {part} has no image of {listed(absent)}; every split needs each of the {len(names)} "
                f"classes: {right}"
            )
    if crossing:
        patient, (first, second) = next(iter(crossing.items()))
        more = f"; so are {len(crossing) - 1} more" if len(crossing) > 1 else ""
        raise DataError(
            f"{path}: patient {patient} is in {first.part} ({first.row.place}) and {second.part} ({second.row.place})"
            f"{more}; all images of a patient need one split"
        )


def _check_every_class(path: Path, images: Sequence[Image], names: Sequence[str]) -> None:
    """Refuse classes whose files cannot be read."""
    counts = Counter((image.part, image.label) for image in images)
    for part in sorted({part for part, _ in counts}):
        for label, name in enumerate(names):
            if not counts[part, label]:
                where = "" if part == "all" else f" in split {part}"
                raise DataError(f"{path}: no image of {name}{where} can be read; every class needs images")
