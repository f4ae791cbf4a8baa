"""Images in folders: train/val/test/CLASS/*, or CLASS/*."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from benchmark.data.dataset import DataError, Dataset, Image, Part, Problem
from benchmark.data.levels import Stored, levels_of
from benchmark.data.names import printable
from benchmark.data.patients import compile_pattern, patient_key
from benchmark.data.pixels import DICOM
from benchmark.data.scan import reader, scan

PARTS: tuple[Literal["train", "val", "test"], ...] = ("train", "val", "test")
MOST_UNREADABLE = 0.05


def open_folder(path: Path, patient_pattern: str | None = None, source: str | None = None) -> Dataset:
    """The data set in the folder `path`.

    Labels are the names of the class folders, in alphabetical order; the second is the positive class. Files that
    cannot be decoded are left out and listed. Raises DataError when the folder does not hold two classes, or more
    than 5% of its files cannot be read.
    """
    pattern = compile_pattern(patient_pattern)
    root = path.resolve()
    layout = _layout(path)
    classes = _two_classes(path, layout)
    files = [(part, label, file) for part, folders in layout.items() for label, file in _files(folders, classes)]
    images: list[Image] = []
    problems: list[Problem] = []
    paths: dict[str, Path] = {}
    stored: dict[str, Stored] = {}
    for (part, label, file), found in zip(files, scan(path, [file for _, _, file in files]), strict=True):
        name = printable(file.relative_to(path).as_posix())
        if found.stored is None:
            problems.append(Problem(name, found.reason or "cannot be read"))
        elif name in paths:
            problems.append(Problem(name, "its name as text is that of another file, whose name is not UTF-8"))
        else:
            paths[name], stored[name] = root / file.relative_to(path), found.stored
            images.append(Image(name, part, label, _patient(printable(file.name), name, pattern), found.digest))
    _check_readable(path, len(files), problems)
    _check_parts(path, classes, layout, images)
    if patient_pattern is not None:
        _check_pattern(path, patient_pattern, images)
    channels: Literal[1, 3] = 3 if any(each.colour for each in stored.values()) else 1
    levels = levels_of(stored.values())
    return Dataset(
        source=printable(source or str(path)),
        title=f"images in {printable(root.name)}",
        synthetic=False,
        classes=(printable(classes[0]), printable(classes[1])),
        images=tuple(sorted(images, key=lambda image: image.name)),
        channels=channels,
        read=reader(root, paths, channels, levels),
        problems=tuple(problems),
        original_size=lambda image: (stored[image.name].width, stored[image.name].height),
        levels=levels,
        stored=stored,
    )


def _layout(path: Path) -> dict[Part, dict[str, Path]]:
    """The class folders of each part."""
    inside = _folders(path)
    if not inside:
        raise DataError(f"{path}: holds no folders; give train/val/test/CLASS/* or CLASS/*")
    found: dict[Part, dict[str, Path]] = {part: _folders(inside[part]) for part in PARTS if part in inside}
    if not found:
        return {"all": inside}
    if "train" not in found:
        raise DataError(f"{path}: has {' and '.join(found)} but no train folder; name the parts train, val, test")
    return found


def _two_classes(path: Path, layout: dict[Part, dict[str, Path]]) -> tuple[str, str]:
    names = sorted({name for folders in layout.values() for name in folders})
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    if len(names) < 2:
        raise DataError(f"{path}: holds {len(names)} class ({shown or 'none'}); two class folders are needed")
    if len(names) > 2:
        raise DataError(
            f"{path}: holds {len(names)} classes ({shown}); two are needed, more than two are not supported"
        )
    for part, folders in layout.items():
        for name in names:
            where = path if part == "all" else path / part
            if name not in folders:
                raise DataError(f"{where}: has no folder for class '{name}'; every part needs both classes")
            if not any(True for _ in _visible(folders[name])):
                raise DataError(f"{where / name}: is empty; every class needs images")
    return names[0], names[1]


def _files(folders: dict[str, Path], classes: tuple[str, str]) -> list[tuple[int, Path]]:
    return [(label, file) for label, name in enumerate(classes) for file in sorted(_visible(folders[name]))]


def _folders(path: Path) -> dict[str, Path]:
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        raise DataError(f"{path}: cannot be listed: {error.strerror}") from error
    return {entry.name: entry for entry in entries if entry.is_dir() and not is_hidden(entry.name)}


def _visible(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if not is_hidden(entry.name) and not entry.is_dir()]
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed: {error.strerror}") from error


def is_hidden(name: str) -> bool:
    """Whether a name is one that systems leave beside a user's files."""
    return name.startswith((".", "__MACOSX")) or name in ("Thumbs.db", "desktop.ini")


def _patient(filename: str, name: str, pattern: re.Pattern[str]) -> str:
    key = patient_key(filename, pattern)
    return name if key is None else key


def _check_readable(path: Path, count: int, problems: Sequence[Problem]) -> None:
    if len(problems) > MOST_UNREADABLE * count:
        first = "; ".join(f"{problem.name} ({problem.reason})" for problem in problems[:3])
        if all(problem.reason == DICOM for problem in problems):
            raise DataError(f"{path}: {len(problems)} of {count} files are DICOM, such as {problems[0].name}. {DICOM}")
        raise DataError(
            f"{path}: {len(problems)} of {count} files cannot be read, more than {MOST_UNREADABLE:.0%}: {first}; mend "
            "or remove them"
        )


def _check_pattern(path: Path, pattern: str, images: Sequence[Image]) -> None:
    """A declared pattern that fits few names would leave nearly every image a patient of its own."""
    alone = [image for image in images if image.patient == image.name]
    if len(alone) > 0.5 * len(images):
        raise DataError(
            f"--patients '{pattern}': fits only {len(images) - len(alone)} of {len(images)} file names of {path}, not "
            f"{Path(alone[0].name).name}; it is matched from the start of the name"
        )


def _check_parts(path: Path, classes: tuple[str, str], layout: Iterable[Part], images: Sequence[Image]) -> None:
    counts = Counter((image.part, image.label) for image in images)
    for part in layout:
        for label, name in enumerate(classes):
            if not counts[part, label]:
                where = path if part == "all" else path / part
                raise DataError(f"{where / name}: holds no readable image; every class needs images")
