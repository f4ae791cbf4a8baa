"""Images in folders: train/val/test/CLASS/*, or CLASS/*."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from benchmark.data.classes import listed
from benchmark.data.dataset import DataError, Dataset, Image, Problem
from benchmark.data.decoding.pixels import DICOM
from benchmark.data.levels import Stored, levels_of
from benchmark.data.patients import compile_pattern, patient_facts, patient_key, patient_notes
from benchmark.data.sources.declared import beside, declared_order
from benchmark.data.sources.entries import printable
from benchmark.data.sources.layout import Layout, read_layout
from benchmark.data.sources.scan import reader, scan
from benchmark.data.sources.table import SUFFIXES

MOST_UNREADABLE = 0.05


def open_folder(path: Path, patient_pattern: str | None = None, source: str | None = None) -> Dataset:
    """Open a folder of images, or the folder below it that contains them.

    Labels are the names of the class folders, in alphabetical order or in that of a classes.yaml in the folder; of two,
    the last is the positive class. Files that cannot be decoded are left out and listed.

    Args:
        path: The folder.
        patient_pattern: A regular expression for file names whose named groups form the patient's key.
        source: What the user named; `path` by default.

    Returns:
        The data set.

    Raises:
        DataError: The folder does not contain two or more classes, or more than 5% of its files cannot be read.
    """
    pattern = compile_pattern(patient_pattern)
    try:
        layout = read_layout(path)
    except DataError as error:
        tables = sorted(file.name for file in path.glob("*.*") if file.suffix.lower() in SUFFIXES)
        if not tables:
            raise
        hint = f"; if {listed(tables[:3])} lists the images, open that: {printable(str(path / tables[0]))}"
        raise DataError(f"{error}{hint}") from error
    outermost = path
    path, classes, files = layout.root, layout.classes, layout.files
    root = path.resolve()
    images: list[Image] = []
    problems: list[Problem] = []
    paths: dict[str, Path] = {}
    stored: dict[str, Stored] = {}
    matching = 0
    test_names: list[str] = []
    for file, scanned in zip(files, scan(path, [file.path for file in files]), strict=True):
        name = printable(file.path.relative_to(path).as_posix())
        if scanned.stored is None:
            problems.append(Problem(name, scanned.reason or "cannot be read"))
            continue
        if name in paths:
            problems.append(Problem(name, "its printable name is that of another file, whose name is not UTF-8"))
            continue
        paths[name], stored[name] = root / file.path.relative_to(path), scanned.stored
        patient = patient_key(name, pattern)
        if patient is None and layout.by_folder and file.below and patient_pattern is None:
            patient = printable(f"folder={file.below[0]}")
        matching += patient is not None
        images.append(Image(name, file.part, classes.index(file.label), patient or name, scanned.digest))
        if file.part == "test":
            test_names.append(printable("/".join((file.label, *file.below, file.path.name))))
    check_readable(path, len(files), problems)
    _check_parts(layout, images)
    if patient_pattern is not None:
        check_pattern(path, patient_pattern, images)
    images.sort(key=lambda image: image.name)
    patients = patient_facts(matching, len(images), by_folder=layout.by_folder and patient_pattern is None)
    channels: Literal[1, 3] = 3 if any(image.colour for image in stored.values()) else 1
    levels = levels_of(stored.values())
    dataset = Dataset(
        source=printable(source or str(path)),
        title=f"images in {printable(root.name)}",
        synthetic=False,
        classes=tuple(printable(name) for name in classes),
        images=tuple(images),
        channels=channels,
        read=reader(root, paths, channels, levels),
        problems=tuple(problems),
        original_size=lambda image: (stored[image.name].width, stored[image.name].height),
        ignored=layout.ignored,
        patients=patients,
        notes=(
            *layout.notes,
            *(layout.patient_notes if patients.origin == "folders" else ()),
            *patient_notes(images, patients),
        ),
        test_names=_names_digest(test_names),
        levels=levels,
        stored=stored,
        files=paths,
    )
    return declared_order(dataset, beside(outermost), beside(path))


def check_readable(path: Path, count: int, problems: Sequence[Problem]) -> None:
    """Refuse a source if more than 5% of its files cannot be read.

    Args:
        path: The source.
        count: Number of its files.
        problems: Those that cannot be read.

    Raises:
        DataError: There are too many.
    """
    if len(problems) > MOST_UNREADABLE * count:
        first = "; ".join(f"{problem.name} ({problem.reason})" for problem in problems[:3])
        if all(problem.reason == DICOM for problem in problems):
            raise DataError(f"{path}: {len(problems)} of {count} files are DICOM, such as {problems[0].name}. {DICOM}")
        raise DataError(
            f"{path}: {len(problems)} of {count} files cannot be read, more than {MOST_UNREADABLE:.0%}: {first}; "
            "repair or remove them"
        )


def check_pattern(path: Path, pattern: str, images: Sequence[Image]) -> None:
    """Refuse a pattern that matches few names, by which most images would be patients of their own.

    Args:
        path: The source.
        pattern: The pattern for patients.
        images: All images.

    Raises:
        DataError: It matches less than half of the names.
    """
    alone = [image for image in images if image.patient == image.name]
    if len(alone) > 0.5 * len(images):
        raise DataError(
            f"--patients '{pattern}': matches only {len(images) - len(alone)} of {len(images)} file names of {path}, "
            f"not {Path(alone[0].name).name}; it is matched from the start of the name"
        )


def _check_parts(layout: Layout, images: Sequence[Image]) -> None:
    counts = Counter((image.part, image.label) for image in images)
    for part, folder in layout.folders.items():
        for label, name in enumerate(layout.classes):
            if not counts[part, label]:
                raise DataError(f"{folder / name}: contains no readable image; every class needs images")


def _names_digest(names: Sequence[str]) -> str | None:
    """SHA-256 of the sorted `names`, by which a published data set is recognised; None if there are none."""
    return hashlib.sha256("\n".join(sorted(names)).encode("utf-8", "surrogateescape")).hexdigest() if names else None
