"""Which folders are classes, and which only look like it: parts under other names, or one folder per patient."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from benchmark.data.classes import FEWEST_IMAGES, MOST_CLASSES, fewest_classes, listed, same_but_for_case
from benchmark.data.dataset import DataError, Part
from benchmark.data.sources.entries import contains_files, folders_in
from benchmark.data.text import plural

Named = Literal["train", "val", "test"]
_PATIENT = re.compile(r"(p|pt|pat|patient|person|sub|subj|subject|case|study)[ _-]?\d+", re.IGNORECASE)
_PART = re.compile(r"train|test|valid", re.IGNORECASE)


def class_names(root: Path, parts: Mapping[Named, Path], folders: Mapping[Part, Mapping[str, Path]]) -> tuple[str, ...]:
    """Find the names of the classes.

    Args:
        root: The folder that contains the parts or the classes.
        parts: The folder of each part; empty if there are no parts.
        folders: The class folders of each part by name.

    Returns:
        The names, in alphabetical order.

    Raises:
        DataError: There are fewer than two, two differ only in case, a part lacks one, or the folders are no classes.
    """
    names = sorted({name for by_class in folders.values() for name in by_class})
    if len(names) < fewest_classes():
        listing = listed(names) or "none"
        raise DataError(f"{root}: contains {plural(len(names), 'class folder')} ({listing}); two are needed")
    if (pair := same_but_for_case(names)) is not None:
        raise DataError(
            f"{root}: contains {len(names)} classes ({listed(names)}); {pair[0]} and {pair[1]} differ only in case: "
            "give them one name"
        )
    if len(names) > 2:
        _check_patients(root, names)
        if not parts:
            _check_parts(root, folders["all"])
    if len(names) > MOST_CLASSES:
        raise DataError(
            f"{root}: contains {len(names)} class folders ({listed(names)}); at most {MOST_CLASSES} classes are "
            "supported; if each is a patient, put them into class folders: CLASS/PATIENT/*"
        )
    for part, by_class in folders.items():
        for name in names:
            if name not in by_class:
                where = root if part == "all" else parts[part]
                needs = "both classes" if len(names) == 2 else f"each of the {len(names)} classes ({listed(names)})"
                raise DataError(f"{where}: has no folder for class '{name}'; every part needs {needs}")
    return tuple(names)


def check_class_sizes(root: Path, classes: Sequence[str], files: int) -> None:
    """Refuse three or more class folders with so few files that they are patients rather than classes.

    Args:
        root: The folder that contains them.
        classes: Their names.
        files: Number of files in all of them.

    Raises:
        DataError: There are fewer than three files per class.
    """
    if len(classes) > 2 and files < FEWEST_IMAGES * len(classes):
        raise DataError(
            f"{root}: contains {len(classes)} classes ({listed(classes)}) with {files} files, fewer than "
            f"{FEWEST_IMAGES} per class; if each folder is a patient, put them into class folders: CLASS/PATIENT/*"
        )


def _check_patients(root: Path, names: Sequence[str]) -> None:
    if all(_PATIENT.fullmatch(name) for name in names):
        raise DataError(
            f"{root}: contains {len(names)} folders ({listed(names)}) that are named like patients; the folders must "
            "be classes, with patients below them: CLASS/PATIENT/*"
        )


def _check_parts(root: Path, folders: Mapping[str, Path]) -> None:
    """Refuse folders that contain the same classes, as parts do."""
    inside = [sorted(folders_in(folder)) for folder in folders.values()]
    same = inside[0] if all(names == inside[0] for names in inside) else []
    named = any(_PART.search(name) for name in folders) or not any(re.search(r"\d", name) for name in same)
    if len(same) > 1 and named and not any(contains_files(folder) for folder in folders.values()):
        raise DataError(
            f"{root}: its {len(folders)} folders ({listed(sorted(folders))}) contain the same folders "
            f"({listed(same)}), as parts do; name the parts train, val and test"
        )
