"""Commits of a remote store: what makes a part of it exist, and which of two commits counts.

A part is a run, an evaluation, an entry of the chain of registrations, or a small file beside the runs. Its files are
written first, below a name that contains their digests, and its commit last. Nothing is written twice with another
content: a part that replaces another has files and a commit of its own, whose name contains the next number.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from benchmark.runs.run import Run, Sha256
from benchmark.runs.storage.files import Damaged, digest_of
from benchmark.runs.storage.integrity import TOLERANCE
from benchmark.runs.storage.records import read_record
from benchmark.runs.storage.store import MODEL
from zoo.config.strict import Strict

COMMITS, DATA = "commits", "data"
"""The folders of a remote store."""

Kind = Literal["registrations", "runs", "evaluations", "labels", "shortcuts", "latest"]
Decision = Literal["same", "replace", "refuse"]

_FOLDERS: dict[Kind, str] = {
    "registrations": ".registrations",
    "runs": "",
    "evaluations": "evaluations",
    "labels": ".labels",
    "shortcuts": ".shortcuts",
    "latest": "",
}
_PATHS: dict[Kind, re.Pattern[str]] = {
    "registrations": re.compile(r"\.registrations/(\d{6})-[0-9a-f]{64}\.json"),
    "runs": re.compile(r"([0-9a-f]{12})"),
    "evaluations": re.compile(r"evaluations/([0-9a-f]{12})"),
    "labels": re.compile(r"\.labels/([0-9a-f]{24})\.json"),
    "shortcuts": re.compile(r"\.shortcuts/([0-9a-f]{24})\.json"),
    "latest": re.compile(r"\.latest-(bench)\.json"),
}
_KEYS: dict[Kind, re.Pattern[str]] = {
    "registrations": re.compile(r"\d{6}"),
    "runs": re.compile(r"[0-9a-f]{12}"),
    "evaluations": re.compile(r"[0-9a-f]{12}"),
    "labels": re.compile(r"[0-9a-f]{24}"),
    "shortcuts": re.compile(r"[0-9a-f]{24}"),
    "latest": re.compile("bench"),
}
_LAST_COUNTS: tuple[Kind, ...] = ("labels", "latest")
"""Kinds of which the latest content counts; of the others the first one does."""

_IN_FOLDERS: tuple[Kind, ...] = ("runs", "evaluations")
_COMMIT = re.compile(r"([a-z]+)/([0-9a-z]+)\.([1-9]\d{0,8})\.json")
_RANKS = {"failed": 0, "finished": 1, "with_model": 2}

FileName = Annotated[str, Field(pattern=r"^\.?[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


@dataclass(frozen=True, order=True)
class Part:
    """A part of a store.

    Attributes:
        kind: What it is.
        key: Its name among those of its kind.
    """

    kind: Kind
    key: str

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of its own."""
        return self.kind in _IN_FOLDERS

    def folder(self, root: Path) -> Path:
        """The folder of its files in the store `root`."""
        parent = root / _FOLDERS[self.kind]
        return parent / self.key if self.is_folder else parent

    def files(self, root: Path) -> dict[str, Path]:
        """Its files in the store `root` by name; none if it does not exist."""
        folder = self.folder(root)
        if self.kind == "latest":
            paths = [folder / ".latest-bench.json"]
        elif self.is_folder:
            paths = sorted(folder.glob("[!.]*"))
        else:
            paths = sorted(folder.glob(f"{self.key}-*.json" if self.kind == "registrations" else f"{self.key}.json"))
        return {path.name: path for path in paths if path.is_file()}

    def commit_name(self, number: int) -> str:
        """The name of its commit `number`, from 1."""
        return f"{COMMITS}/{self.kind}/{self.key}.{number}.json"


class Commit(Strict):
    """What makes a part of a remote store exist.

    Attributes:
        version: Version of this structure.
        state: Of a run: whether it failed, and whether its model is stored. `finished` for every other part.
        error: The error of a failed run.
        figures: The figures of a run by split, threshold and metric, by which two results are compared.
        files: SHA-256 of each file, by name.
    """

    version: int = 1
    state: Literal["failed", "finished", "with_model"] = "finished"
    error: str | None = None
    figures: dict[str, float | None] = Field(default={})
    files: Annotated[dict[FileName, Sha256], Field(min_length=1)]

    def data_name(self, part: Part) -> str:
        """The folder of the files of `part`; other files have another folder."""
        digest = hashlib.sha256(json.dumps(self.files, sort_keys=True).encode()).hexdigest()
        return f"{DATA}/{part.kind}/{part.key}/{digest[:16]}"

    def content(self) -> bytes:
        """The bytes of the file of the commit."""
        return self.model_dump_json().encode()


def part_at(path: str) -> Part | None:
    """The part at a path relative to the folder of a store; None if it is not one, such as a lock."""
    for kind, pattern in _PATHS.items():
        if (match := pattern.fullmatch(path)) is not None:
            return Part(kind, match[1])
    return None


def parts_of(root: Path) -> list[Part]:
    """The parts in the folder of a store, in order."""
    parts = []
    for folder in dict.fromkeys(_FOLDERS.values()):
        try:
            names = os.listdir(root / folder)
        except (FileNotFoundError, NotADirectoryError):
            continue
        parts += [part for name in names if (part := part_at(f"{folder}/{name}" if folder else name)) is not None]
    return sorted(set(parts))


def latest_numbers(names: list[str]) -> dict[Part, int]:
    """The number of the latest commit of each part.

    Args:
        names: Names relative to the folder of commits; those of other kinds are left out.

    Returns:
        The highest number of each part.
    """
    numbers: dict[Part, int] = {}
    for name in names:
        match = _COMMIT.fullmatch(name)
        kind = next((kind for kind in _KEYS if match is not None and kind == match[1]), None)
        if match is not None and kind is not None and _KEYS[kind].fullmatch(match[2]):
            part = Part(kind, match[2])
            numbers[part] = max(numbers.get(part, 0), int(match[3]))
    return numbers


def commit_of(root: Path, part: Part) -> Commit:
    """Make the commit of a part of a store.

    Args:
        root: The folder of the store.
        part: The part.

    Returns:
        The commit.

    Raises:
        Damaged: A file is not the one that was saved, or the part is missing.
        Unreadable: A file cannot be read.
    """
    paths = part.files(root)
    try:
        digests = {name: digest_of(path) for name, path in paths.items()}
        run = read_record(part.folder(root) / "run.json") if part.kind == "runs" else None
    except FileNotFoundError as error:
        raise Damaged(f"{part.folder(root)}: is missing") from error
    if not digests:
        raise Damaged(f"{part.folder(root)}: is missing")
    if run is None:
        return Commit(files=digests)
    for name, digest in run.files.items():
        if digests.get(name) != digest:
            raise Damaged(f"{paths.get(name, part.folder(root) / name)}: is not the file that was saved with the run")
    state: Literal["failed", "finished", "with_model"]
    state = "failed" if run.status != "ok" else "with_model" if MODEL in digests else "finished"
    return Commit(state=state, error=run.error, figures=_figures_of(run), files=digests)


def decide(part: Part, theirs: Commit, ours: Commit) -> Decision:
    """Decide which of two contents of a part counts.

    The first finished run counts. One with a model replaces one without if their figures are equal, and every run
    replaces a failed one, except a run that failed with the same error.

    Args:
        part: The part.
        theirs: The latest commit of the remote store.
        ours: The commit that is about to be written.

    Returns:
        `same` if the remote content stays because it is equal in what counts, `replace` if the new content replaces it,
        `refuse` if the remote content stays although the new one differs.
    """
    if theirs.files == ours.files:
        return "same"
    if part.kind in _LAST_COUNTS:
        return "replace"
    if part.kind == "shortcuts":
        return "same"
    if part.kind != "runs":
        scores = [commit.files.get("predictions.parquet") for commit in (theirs, ours)]
        return "same" if scores[0] is not None and scores[0] == scores[1] else "refuse"
    if theirs.state == "failed":
        return "same" if ours.state == "failed" and theirs.error == ours.error else "replace"
    if ours.state == "failed":
        return "refuse"
    if difference(theirs, ours) is not None:
        return "refuse"
    return "replace" if _RANKS[ours.state] > _RANKS[theirs.state] else "same"


def difference(theirs: Commit, ours: Commit) -> str | None:
    """The first figure that two finished runs do not share, in words; None if all agree within rounding."""
    for name in sorted(theirs.figures.keys() | ours.figures.keys()):
        one, other = theirs.figures.get(name), ours.figures.get(name)
        if one is None or other is None:
            if one is not other:
                return f"{name} is {_number(one)} there and {_number(other)} here"
        elif not math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            return f"{name} is {_number(one)} there and {_number(other)} here"
    return None


def _number(value: float | None) -> str:
    return "missing" if value is None else f"{value:.6g}"


def _figures_of(run: Run) -> dict[str, float | None]:
    by_choice = (("at 0.5", run.at_half), ("at the choice", run.at_chosen))
    return {
        f"{split} {name} {choice}": figure.value if figure.value is None or math.isfinite(figure.value) else None
        for choice, by_split in by_choice
        for split, figures in by_split.items()
        for name, figure in figures.items()
    }
