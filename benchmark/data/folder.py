"""Images in folders: train/val/test/CLASS/*, or CLASS/*."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image as Pillow

from benchmark.data import cache
from benchmark.data.dataset import DataError, Dataset, Image, Pixels, Problem
from benchmark.data.known import names_digest
from benchmark.data.layout import Layout, read_layout
from benchmark.data.patients import compile_pattern, patient_facts, patient_key, patient_notes
from benchmark.data.pixels import decode, is_grey, resize

MOST_UNREADABLE = 0.05
_CACHE_VERSION = 1


def open_folder(path: Path, patient_pattern: str | None = None, source: str | None = None) -> Dataset:
    """The data set in the folder `path`, or in the one below it that holds the images.

    Labels are the names of the class folders, in alphabetical order; the second is the positive class. Files that
    cannot be decoded are left out and listed. Raises DataError when the folder does not hold two classes, or more
    than 5% of its files cannot be read.
    """
    pattern = compile_pattern(patient_pattern)
    layout = read_layout(path)
    path, classes, files = layout.root, layout.classes, layout.files
    root = path.resolve()
    scans = _scan(path, [found.path for found in files])
    images: list[Image] = []
    problems: list[Problem] = []
    told = 0
    test_names: list[str] = []
    for found, scan in zip(files, scans, strict=True):
        name = found.path.relative_to(path).as_posix()
        if scan["reason"]:
            problems.append(Problem(name, scan["reason"]))
            continue
        patient = patient_key(name, pattern)
        if patient is None and layout.by_folder and found.below and patient_pattern is None:
            patient = f"folder={found.below[0]}"
        told += patient is not None
        label = classes.index(found.label)
        images.append(Image(name, found.part, label, patient or name, scan["digest"]))
        if found.part == "test":
            test_names.append("/".join((found.label, *found.below, found.path.name)))
    _check_readable(path, len(files), problems)
    _check_parts(layout, images)
    if patient_pattern is not None:
        _check_pattern(path, patient_pattern, images)
    images.sort(key=lambda image: image.name)
    patients = patient_facts(told, len(images), by_folder=layout.by_folder and patient_pattern is None)
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
        images=tuple(images),
        channels=channels,
        read=read,
        problems=tuple(problems),
        original_size=original_size,
        ignored=layout.ignored,
        patients=patients,
        notes=(
            *layout.notes,
            *(layout.patient_notes if patients.origin == "folders" else ()),
            *patient_notes(images, patients),
        ),
        test_names=names_digest(test_names),
    )


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


def _check_parts(layout: Layout, images: Sequence[Image]) -> None:
    counts = Counter((image.part, image.label) for image in images)
    for part, folder in layout.folders.items():
        for label, name in enumerate(layout.classes):
            if not counts[part, label]:
                raise DataError(f"{folder / name}: holds no readable image; every class needs images")
