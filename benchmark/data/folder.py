"""Images in folders: train/val/test/CLASS/*, or CLASS/*."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image as Pillow

from benchmark.data import cache
from benchmark.data.dataset import DataError, Dataset, Image, Part, Pixels, Problem
from benchmark.data.patients import compile_pattern, patient_key
from benchmark.data.pixels import decode, is_grey, resize

PARTS: tuple[Literal["train", "val", "test"], ...] = ("train", "val", "test")
MOST_UNREADABLE = 0.05
_CACHE_VERSION = 1


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
    scans = _scan(path, [file for _, _, file in files])
    images: list[Image] = []
    problems: list[Problem] = []
    for (part, label, file), scan in zip(files, scans, strict=True):
        name = file.relative_to(path).as_posix()
        if scan["reason"]:
            problems.append(Problem(name, scan["reason"]))
        else:
            images.append(Image(name, part, label, _patient(file, name, pattern), scan["digest"]))
    _check_readable(path, len(files), problems)
    _check_parts(path, classes, layout, images)
    if patient_pattern is not None:
        _check_pattern(path, patient_pattern, images)
    channels: Literal[1, 3] = 1 if all(scan["grey"] for scan in scans if not scan["reason"]) else 3

    def read(wanted: Sequence[Image], size: int) -> Pixels:
        def one(image: Image) -> Pixels:
            try:
                return resize(decode((root / image.name).read_bytes()), size, channels)
            except OSError as error:
                reason = error.strerror or str(error)
                raise DataError(f"{root / image.name}: can no longer be read: {reason}; run again") from error

        with _threads() as pool:
            pixels = list(pool.map(one, wanted))
        return np.stack(pixels) if pixels else np.zeros((0, size, size, channels), np.uint8)

    def original_size(image: Image) -> tuple[int, int]:
        with Pillow.open(root / image.name) as file:
            return file.size

    return Dataset(
        source=source or str(path),
        title=f"images in {root.name}",
        synthetic=False,
        classes=classes,
        images=tuple(sorted(images, key=lambda image: image.name)),
        channels=channels,
        read=read,
        problems=tuple(problems),
        original_size=original_size,
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


def _patient(file: Path, name: str, pattern: re.Pattern[str]) -> str:
    key = patient_key(file.name, pattern)
    return name if key is None else key


def _scan(root: Path, files: Sequence[Path]) -> list[dict[str, Any]]:
    """Digest, greyness and readability of every file; what was found before is taken from the user's cache."""
    key = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:24]
    place = cache.cache_dir() / "scans" / f"{key}.json"
    stored = cache.read_json(place)
    known = stored.get("files", {}) if stored.get("version") == _CACHE_VERSION else {}

    def scan(file: Path) -> tuple[str, dict[str, Any]]:
        try:
            facts = file.stat()
            stamp = f"{file.relative_to(root).as_posix()}:{facts.st_size}:{facts.st_mtime_ns}"
            return stamp, known[stamp] if _is_record(known.get(stamp)) else _look(file)
        except OSError as error:
            return "", {"reason": error.strerror or "cannot be read", "digest": "", "grey": True}

    with _threads() as pool:
        found = list(pool.map(scan, files))
    fresh = {stamp: facts for stamp, facts in found if stamp}
    if fresh != known:
        cache.write_json(place, {"version": _CACHE_VERSION, "files": fresh})
    return [facts for _, facts in found]


def _is_record(found: Any) -> bool:
    return isinstance(found, dict) and {"reason", "digest", "grey"} <= set(found)


def _look(file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    try:
        grey = is_grey(decode(content))
    except Exception as error:
        # Pillow's decoders raise many kinds of errors on damaged files.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        reason = "not an image" if "cannot identify image file" in reason else reason
        return {"reason": reason, "digest": digest, "grey": True}
    return {"reason": None, "digest": digest, "grey": grey}


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=min(16, os.cpu_count() or 1))


def _check_readable(path: Path, count: int, problems: Sequence[Problem]) -> None:
    if len(problems) > MOST_UNREADABLE * count:
        first = "; ".join(f"{problem.name} ({problem.reason})" for problem in problems[:3])
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
