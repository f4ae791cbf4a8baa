"""What a mirror has of a remote store: a copy of the commit of each part, written after the part."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import filelock

from benchmark.runs.storage.remote.commits import COMMITS, Commit, Part, latest_numbers
from zoo.config.atomic import atomic_file

FOLDER = ".remote"
"""The folder of the notes in a mirror."""


class MirrorNotes:
    """The commits that a mirror has."""

    def __init__(self, root: Path) -> None:
        """Open the notes of a mirror.

        Args:
            root: Its folder, which need not exist.
        """
        self._root = root
        self._commits = root / FOLDER / COMMITS

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Exclude other processes of this machine with the same mirror."""
        self._commits.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self._root / FOLDER / ".lock"):
            yield

    def numbers(self) -> dict[Part, int]:
        """The number of the commit of each part that the mirror has."""
        return latest_numbers([path.relative_to(self._commits).as_posix() for path in self._commits.glob("*/*.json")])

    def number(self, part: Part) -> int | None:
        """The number of the commit of a part; None if the mirror has none."""
        paths = (self._commits / part.kind).glob(f"{part.key}.*.json")
        return latest_numbers([path.relative_to(self._commits).as_posix() for path in paths]).get(part)

    def write(self, part: Part, number: int, commit: Commit) -> None:
        """Remember that the mirror has a commit, and forget the earlier ones of the part.

        Args:
            part: The part.
            number: The number of its commit.
            commit: The commit.

        Raises:
            OSError: The note cannot be written.
        """
        path = self._path(part, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path, sync=False) as file:
            file.write_bytes(commit.content())
        for other in path.parent.glob(f"{part.key}.*.json"):
            if other != path:
                other.unlink(missing_ok=True)

    def is_changed(self, part: Part, numbers: Mapping[Part, int]) -> bool:
        """Whether the mirror has a content of a part that is later than its commit.

        Args:
            part: The part.
            numbers: What `numbers` returned.

        Returns:
            Whether it is later, or no commit is noted.
        """
        if part not in numbers:
            return True
        noted_at = self._path(part, numbers[part]).stat().st_mtime_ns
        paths = part.files(self._root)
        records = {"run.json", "evaluation.json"} if part.is_folder else paths.keys()  # models may be fetched later
        return any(path.stat().st_mtime_ns > noted_at for name, path in paths.items() if name in records)

    def remove(self, part: Part, numbers: Mapping[Part, int]) -> None:
        """Remove from the mirror a part that the remote store lacks, and its commit.

        Args:
            part: The part. A content that is later than its commit stays, since it was never sent.
            numbers: What `numbers` returned.
        """
        if self.is_changed(part, numbers):
            pass
        elif part.is_folder:
            shutil.rmtree(part.folder(self._root), ignore_errors=True)
        else:
            for path in part.files(self._root).values():
                path.unlink(missing_ok=True)
        for path in (self._commits / part.kind).glob(f"{part.key}.*.json"):
            path.unlink(missing_ok=True)

    def _path(self, part: Part, number: int) -> Path:
        return self._root / FOLDER / part.commit_name(number)
