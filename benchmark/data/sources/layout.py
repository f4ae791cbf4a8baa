"""The layout of a folder: each file is an image of a part, a class and possibly a patient, or ignored for a reason.

Every file below the folder is counted, so that the counts add up to the files on disk.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.data.dataset import DataError, Ignored, Part
from benchmark.data.sources.class_folders import Named, check_class_sizes, class_names
from benchmark.data.sources.declared import FOLDER_FILE
from benchmark.data.sources.entries import (
    contains_files,
    count_files,
    folders_in,
    identity,
    is_folder,
    is_hidden,
    links_up,
    list_entries,
    size_of,
    sizes_below,
)
from benchmark.data.text import plural

PART_NAMES: Mapping[Named, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""Names of the folders of each part, in lower or upper case."""

PART_OF: Mapping[str, Named] = {name: part for part, names in PART_NAMES.items() for name in names}
_SYSTEM = "system files"
_ORDER = "declares the order of the classes"
_CYCLE = "a link to a folder that contains it"
_OUTSIDE = "not in a class folder"
_NOT_IMAGES = {".csv", ".html", ".json", ".md", ".pdf", ".txt", ".xml", ".yaml", ".yml"}
_MAX_DEPTH = 8
_MIN_FOLDERS = 4


@dataclass(frozen=True)
class ImageFile:
    """A file that is read as an image.

    Attributes:
        path: Where it is.
        part: Its part; "all" if the source has no parts.
        label: The name of its class.
        below: The folders between the class folder and the file.
    """

    path: Path
    part: Part
    label: str
    below: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """How a folder is laid out.

    Attributes:
        root: The folder that contains the parts or the classes.
        parts: The folder of each part; empty if there are no parts.
        classes: Names of the classes, in alphabetical order.
        files: By part, class and name.
        by_folder: Whether the first folder below the class is the patient.
        ignored: Files and folders that are not read; names are relative to the folder that was given.
        notes: What a reader should know about the layout.
        patient_notes: What a reader should know about `by_folder`.
    """

    root: Path
    parts: Mapping[Named, Path]
    classes: tuple[str, ...]
    files: tuple[ImageFile, ...]
    by_folder: bool
    ignored: tuple[Ignored, ...]
    notes: tuple[str, ...]
    patient_notes: tuple[str, ...]

    @property
    def folders(self) -> Mapping[Part, Path]:
        """The folder of each part; `root` if there are no parts."""
        return {part: self.parts[part] for part in self.parts} or {"all": self.root}


def read_layout(path: Path) -> Layout:
    """Read how a folder, or the one below it that contains the images, is laid out.

    Args:
        path: The folder that the user named.

    Returns:
        The layout; every file below `path` is in it, as an image or as ignored.

    Raises:
        DataError: There are fewer than two classes, a part lacks a class, or two folders mean one part.
    """
    return _Reader(path).layout()


def image_root(root: Path) -> Path:
    """Find the folder at or below `root` that contains a train part or class folders.

    It is `root` itself, the end of a chain of single folders, or the shallowest folder with a train part.

    Args:
        root: The folder that the user named.

    Returns:
        The folder that contains the images.

    Raises:
        DataError: Several folders of one depth have a train part.
    """
    folder = root
    for _ in range(_MAX_DEPTH):
        subfolders = folders_in(folder)
        if "train" in _parts_among(subfolders, folder):
            return folder
        if len(subfolders) != 1:
            break
        (only,) = subfolders.values()
        if not folders_in(only):  # one class, without a second
            break
        folder = only
    subfolders = folders_in(folder)
    if any(contains_files(each) for each in subfolders.values()):
        return folder if len(subfolders) > 1 else root
    level = list(subfolders.values())
    for _ in range(3):
        divided = [each for each in level if _is_divided(each)]
        if len(divided) > 1:
            names = ", ".join(each.relative_to(root).as_posix() for each in divided[:4])
            raise DataError(f"{root}: contains several data sets ({names}); give one of these folders")
        if divided:
            return divided[0]
        level = [below for each in level for below in folders_in(each).values()][:1000]
    return folder if len(subfolders) > 1 else root


class _Reader:
    """Reads one folder and records what it ignores."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ignored: list[Ignored] = []
        self.notes: list[str] = []
        self.patient_notes: list[str] = []

    def layout(self) -> Layout:
        root = self._descend()
        subfolders = self._open(root)
        if not subfolders:
            raise DataError(f"{root}: contains no folders; give train/val/test/CLASS/* or CLASS/*")
        parts = _parts_among(subfolders, root)
        if not parts:
            folders: dict[Part, dict[str, Path]] = {"all": subfolders}
        elif "train" not in parts:
            names = " and ".join(folder.name for folder in parts.values())
            raise DataError(f"{root}: has {names} but no train folder; name the parts train, val, test")
        else:
            folders = {part: self._open(folder) for part, folder in parts.items()}
        classes = class_names(root, parts, folders)
        files = [
            file for part, by_class in folders.items() for name in classes for file in self._class(part, by_class[name])
        ]
        if parts:
            self._ignore_other_folders(root, [folder for folder in subfolders.values() if folder not in parts.values()])
        _check_not_empty(root, parts, classes, folders, files)
        check_class_sizes(root, classes, len(files))
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
        folder = self.path
        for name in root.relative_to(self.path).parts:
            for other in self._open(folder).values():
                if other.name != name:
                    self._ignore(other, "outside the folder that is read")
            folder /= name
        if root != self.path:
            below = root.relative_to(self.path).as_posix()
            self.notes.append(f"read from {below}/, the folder that contains the images")
        return root

    def _open(self, folder: Path) -> dict[str, Path]:
        """List the folders in `folder`, and record its files and system files as ignored."""
        folders = {}
        for entry in list_entries(folder):
            if is_hidden(entry.name):
                self._ignore(entry, _SYSTEM)
            elif links_up(entry):
                self._ignore(entry, _CYCLE, files=0)
            elif is_folder(entry):
                folders[entry.name] = entry
            else:
                self._ignore(entry, _ORDER if entry.name == FOLDER_FILE else _OUTSIDE)
        return folders

    def _class(self, part: Part, folder: Path) -> list[ImageFile]:
        """List the files in and below a class folder, those of the folder itself first."""
        files: list[ImageFile] = []
        visited = {identity(folder)}
        queue: list[tuple[Path, tuple[str, ...]]] = [(folder, ())]
        while queue:
            parent, below = queue.pop(0)
            for entry in list_entries(parent):
                if is_hidden(entry.name):
                    self._ignore(entry, _SYSTEM)
                elif links_up(entry):
                    self._ignore(entry, _CYCLE, files=0)
                elif not is_folder(entry):
                    files.append(ImageFile(entry, part, folder.name, below))
                elif not below and entry.name.casefold() in PART_OF:
                    raise DataError(
                        f"{entry}: a part inside a class; put the classes into the parts, as in "
                        f"{entry.name}/{folder.name}"
                    )
                elif identity(entry) in visited:
                    self._ignore(entry, "a link to a folder that is already read", files=0)
                else:
                    visited.add(identity(entry))
                    queue.append((entry, (*below, entry.name)))
        return files

    def _ignore(self, entry: Path, reason: str, files: int | None = None) -> None:
        name = entry.relative_to(self.path).as_posix()
        if is_folder(entry):
            self.ignored.append(Ignored(f"{name}/", reason, count_files(entry) if files is None else files))
        else:
            self.ignored.append(Ignored(name, reason, 1))

    def _ignore_other_folders(self, root: Path, folders: Sequence[Path]) -> None:
        """Ignore folders beside the parts; copies of the parts are recognised by file names and sizes."""
        for folder in folders:
            sizes = dict(sizes_below(folder))
            same = sum(size_of(root / name) == size for name, size in sizes.items())
            if same and same == len(sizes):
                reason = "a copy: its files have the names and sizes of those that are read"
            elif same:
                reason = f"a partial copy: {same} of its {len(sizes)} files have names and sizes of those that are read"
            else:
                reason = "not one of the parts"
            self._ignore(folder, reason)

    def _by_folder(self, files: Sequence[ImageFile]) -> bool:
        """Whether the first folder below a class is the patient: all images are in such folders, and each class has
        several. Otherwise, note the images in folders."""
        nested = [file for file in files if file.below]
        if not nested:
            return False
        direct = [file for file in files if not file.below and file.path.suffix.lower() not in _NOT_IMAGES]
        names: dict[str, set[str]] = defaultdict(set)
        for file in nested:
            names[file.label].add(file.below[0])
        enough = (
            all(len(folders) > 1 for folders in names.values()) and len(set().union(*names.values())) >= _MIN_FOLDERS
        )
        classes = len({file.label for file in files})
        if not direct and enough and len(names) == classes:
            spread = Counter(name for folders in names.values() for name in folders)
            shared = [name for name, count in spread.items() if count > 1]
            self.patient_notes.append("the first folder below a class is taken as the patient")
            if shared:
                part = "" if files[0].part == "all" else "[^/]+/"
                where = "both classes" if classes == 2 else "several classes"
                self.patient_notes.append(
                    f"{len(shared)} folders, such as {min(shared)}, have the same name in {where} and count as one "
                    "patient each; where numbers start anew in each class, give --patients "
                    f"'{part}(?P<label>[^/]+)/(?P<patient>[^/]+)/'"
                )
            return True
        counts = Counter((file.part, file.label, file.below[0]) for file in nested)
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
                self.notes.append(f"{where}: {plural(count, 'file')} read as images of {label}")
        return False


def _parts_among(folders: Mapping[str, Path], root: Path) -> dict[Named, Path]:
    """The folders that are parts. Without a train part, folders that contain no folders may be classes, such as `valid`
    and `invalid`."""
    named: dict[Named, list[Path]] = defaultdict(list)
    for name, folder in folders.items():
        part = PART_OF.get(name.casefold())
        if part is not None:
            named[part].append(folder)
    if "train" not in named:
        named = {part: paths for part, paths in named.items() if any(folders_in(path) for path in paths)}
    for part, paths in named.items():
        if len(paths) > 1:
            both = " and ".join(path.name for path in paths)
            raise DataError(f"{root}: {both} both mean the part {part}; join them, or rename one")
    return {part: named[part][0] for part in PART_NAMES if part in named}


def _check_not_empty(
    root: Path,
    parts: Mapping[Named, Path],
    classes: tuple[str, ...],
    folders: Mapping[Part, Mapping[str, Path]],
    files: Sequence[ImageFile],
) -> None:
    with_files = {(file.part, file.label) for file in files}
    for part in folders:
        for name in classes:
            if (part, name) not in with_files:
                where = _where(root, parts, part) / name
                what = "contains folders but no files" if folders_in(folders[part][name]) else "is empty"
                raise DataError(f"{where}: {what}; every class needs images")


def _where(root: Path, parts: Mapping[Named, Path], part: Part) -> Path:
    return root if part == "all" else parts[part]


def _is_divided(folder: Path) -> bool:
    """Whether a folder contains a train part with class folders."""
    train = _parts_among(folders_in(folder), folder).get("train")
    return train is not None and bool(folders_in(train))
