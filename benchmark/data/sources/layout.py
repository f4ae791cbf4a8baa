"""What the files of a folder are: images of a part, a class and perhaps a patient's folder, or ignored, and why.

Every entry below the folder is one or the other, so that counts add up to what is on disk.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.data.dataset import DataError, Ignored, Part
from benchmark.data.sources.entries import (
    count_files,
    folders_in,
    holds_files,
    identity,
    is_folder,
    is_hidden,
    leads_up,
    listed,
    size_of,
    sizes_below,
)

Named = Literal["train", "val", "test"]
PART_NAMES: Mapping[Named, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""What folders of parts are called, in small or capital letters."""

_PART_OF: Mapping[str, Named] = {name: part for part, names in PART_NAMES.items() for name in names}
_LEFT = "left by systems"
_UP = "a link to a folder that holds it"
_OUTSIDE = "not in a class folder"
_NO_IMAGES = {".csv", ".html", ".json", ".md", ".pdf", ".txt", ".xml", ".yaml", ".yml"}
_DEEPEST = 8
_FEWEST_FOLDERS = 4


@dataclass(frozen=True)
class Found:
    """A file that is taken for an image: its part, the name of its class, and the folders between class and file."""

    path: Path
    part: Part
    label: str
    below: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The `files` below `root`, by part, class and name. With `by_folder` the first folder below the class is the
    patient, and `patient_notes` say so. `parts` are the folders of the parts. Names in `ignored` are relative to the
    folder that was given."""

    root: Path
    parts: Mapping[Named, Path]
    classes: tuple[str, str]
    files: tuple[Found, ...]
    by_folder: bool
    ignored: tuple[Ignored, ...]
    notes: tuple[str, ...]
    patient_notes: tuple[str, ...]

    @property
    def folders(self) -> Mapping[Part, Path]:
        """The folder of each part; `root` itself where there are no parts."""
        return {part: self.parts[part] for part in self.parts} or {"all": self.root}


def read_layout(path: Path) -> Layout:
    """How the folder `path`, or the one below it that holds the images, is laid out.

    Raises DataError when it does not hold two classes, when a part lacks one, or when two folders mean one part.
    """
    return _Reader(path).layout()


def image_root(root: Path) -> Path:
    """The folder at or below `root` that holds a train part, or class folders: `root` itself, the one to which a chain
    of single folders leads, or else the shallowest with a train part.

    Raises DataError when several hold a train part and none stands above the others.
    """
    here = root
    for _ in range(_DEEPEST):
        inside = folders_in(here)
        if "train" in _parts_among(inside, here):
            return here
        if len(inside) != 1:
            break
        (only,) = inside.values()
        if not folders_in(only):  # a class without a second one
            break
        here = only
    inside = folders_in(here)
    if any(holds_files(folder) for folder in inside.values()):
        return here if len(inside) > 1 else root
    level = list(inside.values())
    for _ in range(3):
        held = [folder for folder in level if _is_divided(folder)]
        if len(held) > 1:
            names = ", ".join(folder.relative_to(root).as_posix() for folder in held[:4])
            raise DataError(f"{root}: holds several data sets ({names}); give one of these folders")
        if held:
            return held[0]
        level = [below for folder in level for below in folders_in(folder).values()][:1000]
    return here if len(inside) > 1 else root


class _Reader:
    """Reads one folder, and writes down what it passes by."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ignored: list[Ignored] = []
        self.notes: list[str] = []
        self.patient_notes: list[str] = []

    def layout(self) -> Layout:
        root = self._descend()
        inside = self._open(root)
        if not inside:
            raise DataError(f"{root}: holds no folders; give train/val/test/CLASS/* or CLASS/*")
        parts = _parts_among(inside, root)
        if not parts:
            folders: dict[Part, dict[str, Path]] = {"all": inside}
        elif "train" not in parts:
            names = " and ".join(folder.name for folder in parts.values())
            raise DataError(f"{root}: has {names} but no train folder; name the parts train, val, test")
        else:
            folders = {part: self._open(folder) for part, folder in parts.items()}
        classes = _two_classes(root, parts, folders)
        files = [found for part, held in folders.items() for name in classes for found in self._class(part, held[name])]
        if parts:
            self._beside(root, [folder for folder in inside.values() if folder not in parts.values()])
        _check_not_empty(root, parts, classes, folders, files)
        return Layout(
            root=root,
            parts=parts,
            classes=classes,
            files=tuple(files),
            by_folder=self._by_folder(files),
            ignored=tuple(sorted(self.ignored, key=lambda entry: entry.name)),
            notes=tuple(self.notes),
            patient_notes=tuple(self.patient_notes),
        )

    def _descend(self) -> Path:
        root = image_root(self.path)
        here = self.path
        for step in root.relative_to(self.path).parts:
            for folder in self._open(here).values():
                if folder.name != step:
                    self._skip(folder, "beside the folder that is read")
            here /= step
        if root != self.path:
            self.notes.append(f"read from {root.relative_to(self.path).as_posix()}/, the folder that holds the images")
        return root

    def _open(self, folder: Path) -> dict[str, Path]:
        """The folders in `folder`; its files, and what systems leave, are ignored."""
        found = {}
        for entry in listed(folder):
            if is_hidden(entry.name):
                self._skip(entry, _LEFT)
            elif leads_up(entry):
                self._skip(entry, _UP, files=0)
            elif is_folder(entry):
                found[entry.name] = entry
            else:
                self._skip(entry, _OUTSIDE)
        return found

    def _class(self, part: Part, folder: Path) -> list[Found]:
        """The files in and below a class folder, those of the folder itself first."""
        found: list[Found] = []
        seen = {identity(folder)}
        waiting: list[tuple[Path, tuple[str, ...]]] = [(folder, ())]
        while waiting:
            here, below = waiting.pop(0)
            for entry in listed(here):
                if is_hidden(entry.name):
                    self._skip(entry, _LEFT)
                elif leads_up(entry):
                    self._skip(entry, _UP, files=0)
                elif not is_folder(entry):
                    found.append(Found(entry, part, folder.name, below))
                elif not below and entry.name.casefold() in _PART_OF:
                    raise DataError(
                        f"{entry}: a part inside a class; put the classes into the parts, as in "
                        f"{entry.name}/{folder.name}"
                    )
                elif identity(entry) in seen:
                    self._skip(entry, "a link to a folder that is read already", files=0)
                else:
                    seen.add(identity(entry))
                    waiting.append((entry, (*below, entry.name)))
        return found

    def _skip(self, entry: Path, reason: str, files: int | None = None) -> None:
        name = entry.relative_to(self.path).as_posix()
        if is_folder(entry):
            self.ignored.append(Ignored(f"{name}/", reason, count_files(entry) if files is None else files))
        else:
            self.ignored.append(Ignored(name, reason, 1))

    def _beside(self, root: Path, folders: Sequence[Path]) -> None:
        """Folders beside the parts, copies of the parts told from others by names and sizes."""
        for folder in folders:
            sizes = dict(sizes_below(folder))
            alike = sum(size_of(root / name) == size for name, size in sizes.items())
            if alike and alike == len(sizes):
                reason = "a copy: its files have the names and sizes of those that are read"
            elif alike:
                reason = (
                    f"the parts again: {alike} of its {len(sizes)} files have names and sizes of those that are read"
                )
            else:
                reason = "beside the parts and not one of them"
            self._skip(folder, reason)

    def _by_folder(self, files: Sequence[Found]) -> bool:
        """Whether the first folder below a class is the patient: all images lie in such folders, and these are several
        in each class. Else what lies in folders is said."""
        nested = [found for found in files if found.below]
        if not nested:
            return False
        direct = [found for found in files if not found.below and found.path.suffix.lower() not in _NO_IMAGES]
        names: dict[str, set[str]] = defaultdict(set)
        for found in nested:
            names[found.label].add(found.below[0])
        enough = all(len(held) > 1 for held in names.values()) and len(set().union(*names.values())) >= _FEWEST_FOLDERS
        if not direct and enough and len(names) == 2:
            both = set.intersection(*names.values())
            self.patient_notes.append("the first folder below a class is taken as the patient")
            if both:
                part = "" if files[0].part == "all" else "[^/]+/"
                self.patient_notes.append(
                    f"{len(both)} folders, such as {min(both)}, have the same name in both classes and count as one "
                    "patient each; where numbers start anew in each class, give --patients "
                    f"'{part}(?P<label>[^/]+)/(?P<patient>[^/]+)/'"
                )
            return True
        counts = Counter((found.part, found.label, found.below[0]) for found in nested)
        if len(counts) > 3:
            part, label, name = min(counts)
            where = f"{label}/{name}" if part == "all" else f"{part}/{label}/{name}"
            self.notes.append(
                f"{len(nested)} files in {len(counts)} folders below the classes, such as {where}, are read as images "
                "of their class"
            )
        else:
            for (part, label, name), count in sorted(counts.items()):
                where = f"{label}/{name}" if part == "all" else f"{part}/{label}/{name}"
                self.notes.append(f"{count} files in {where} are read as images of {label}")
        return False


def _parts_among(folders: Mapping[str, Path], root: Path) -> dict[Named, Path]:
    """The folders that are parts. Where none is the train part, those that hold no folders may be classes, such as
    `valid` and `invalid`."""
    named: dict[Named, list[Path]] = defaultdict(list)
    for name, folder in folders.items():
        part = _PART_OF.get(name.casefold())
        if part is not None:
            named[part].append(folder)
    if "train" not in named:
        named = {part: held for part, held in named.items() if any(folders_in(folder) for folder in held)}
    for part, held in named.items():
        if len(held) > 1:
            both = " and ".join(folder.name for folder in held)
            raise DataError(f"{root}: {both} both mean the part {part}; join them, or rename one")
    return {part: named[part][0] for part in PART_NAMES if part in named}


def _two_classes(
    root: Path, parts: Mapping[Named, Path], folders: Mapping[Part, Mapping[str, Path]]
) -> tuple[str, str]:
    names = sorted({name for held in folders.values() for name in held})
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    if len(names) < 2:
        raise DataError(f"{root}: holds {len(names)} class ({shown or 'none'}); two class folders are needed")
    if len(names) > 2:
        alike = Counter(name.casefold() for name in names)
        twice = [name for name in names if alike[name.casefold()] > 1]
        hint = f"; {' and '.join(twice[:2])} differ in case only: name them alike" if twice else ""
        raise DataError(
            f"{root}: holds {len(names)} classes ({shown}); two are needed, more than two are not supported{hint}"
        )
    for part, held in folders.items():
        for name in names:
            if name not in held:
                raise DataError(
                    f"{_where(root, parts, part)}: has no folder for class '{name}'; every part needs both classes"
                )
    return names[0], names[1]


def _check_not_empty(
    root: Path,
    parts: Mapping[Named, Path],
    classes: tuple[str, str],
    folders: Mapping[Part, Mapping[str, Path]],
    files: Sequence[Found],
) -> None:
    held = {(found.part, found.label) for found in files}
    for part in folders:
        for name in classes:
            if (part, name) not in held:
                where = _where(root, parts, part) / name
                what = "holds folders but no files" if folders_in(folders[part][name]) else "is empty"
                raise DataError(f"{where}: {what}; every class needs images")


def _where(root: Path, parts: Mapping[Named, Path], part: Part) -> Path:
    return root if part == "all" else parts[part]


def _is_divided(folder: Path) -> bool:
    """Whether a folder holds a train part with class folders in it."""
    train = _parts_among(folders_in(folder), folder).get("train")
    return train is not None and bool(folders_in(train))
