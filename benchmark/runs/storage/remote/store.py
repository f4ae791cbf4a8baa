"""A store at a URI: a mirror in the user's cache folder, and the transfer of whole parts from and to it.

Opening it fetches what the mirror lacks and sends what was not sent. Everything else reads and writes the mirror, as if
it were the store, and sends each part when it is complete (`benchmark.runs.storage.remote.commits`).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from benchmark.runs.run import Run, Stage
from benchmark.runs.storage.files import Damaged, digest_of, one_line
from benchmark.runs.storage.moves import swap
from benchmark.runs.storage.records import AGAIN
from benchmark.runs.storage.remote.commits import (
    COMMITS,
    Commit,
    Part,
    commit_of,
    decide,
    difference,
    latest_numbers,
    part_at,
    parts_of,
)
from benchmark.runs.storage.remote.mirror import is_flattened_uri, is_uri, mirror_folder
from benchmark.runs.storage.remote.mirror_notes import MirrorNotes
from benchmark.runs.storage.remote.object_storage import ObjectStorage, Unreachable
from benchmark.runs.storage.store import MODEL, Problem, Store
from zoo.config.atomic import atomic_file, atomic_folder
from zoo.config.errors import ConfigError

LAYOUT = 1
"""Raised when the names of a remote store change."""

LISTED_FOR_S = 10.0
"""A run is not started before the remote store was listed within this time, since another machine may have made it."""

RETRY_AFTER_S = 60.0
"""After a failed transfer, runs are sent again after this time, or at the end of the command."""

_LAYOUT_MARK = f"{COMMITS}/store/layout"
_AT_ONCE = 32  # parts whose files are in memory together; models are not among them


def open_store(where: str | Path) -> Store:
    """Open the store in a folder or at a URI.

    Args:
        where: The folder, or a URI of fsspec such as `s3://bucket/runs`.

    Returns:
        The store. One at a URI has fetched what its mirror lacked.

    Raises:
        ConfigError: The folder or the URI cannot be used.
        Unreachable: The remote store cannot be reached.
    """
    if isinstance(where, str) and is_uri(where):
        return RemoteStore(where.rstrip("/") if where.partition("://")[2].strip("/") else where)
    if is_flattened_uri(str(where)):
        raise ConfigError(f"--store {where}: is no URI; write it as text with two slashes, such as s3://BUCKET/FOLDER")
    return Store(Path(where))


def existing_store(where: str | Path | Store) -> Store:
    """Open the store in a folder or at a URI for a command that needs what it contains.

    Args:
        where: As of `open_store`, or a Store.

    Returns:
        The store. One at a URI may be empty, since objects have no folders.

    Raises:
        ConfigError: As `open_store`, or there is no such folder.
        Unreachable: As `open_store`.
    """
    store = where if isinstance(where, Store) else open_store(where)
    if store.name == str(store.root) and not store.root.is_dir():
        raise ConfigError(f"--store {store.name}: no such store; `zoo bench --all --store {store.name}` creates one")
    return store


class RemoteStore(Store):
    """The runs at a URI. Its folder is the mirror, which belongs to this user alone."""

    def __init__(self, uri: str) -> None:
        """Open the store, fetch what the mirror lacks, and send what the mirror alone has.

        Args:
            uri: Its URI.

        Raises:
            ConfigError: The URI cannot be used.
            Unreachable: The store cannot be reached.
        """
        self._uri = uri
        self._objects = ObjectStorage(uri)
        super().__init__(mirror_folder(uri))
        self._notes = MirrorNotes(self.root)
        self._damaged: dict[Part, str] = {}
        self._unsent: dict[Part, str] = {}
        self._refused: dict[Part, str] = {}
        self._listed_at = self._failed_at = -float("inf")
        self._numbers: dict[Part, int] = {}
        self._pull()
        self._send_leftovers()

    @property
    def name(self) -> str:
        """The URI."""
        return self._uri

    def survey(self, stage: Stage | None = None, *, indexed: bool = True) -> tuple[list[Run], list[Problem]]:
        """List runs as the mirror does, with a `Problem` for each remote run that is damaged."""
        runs, problems = super().survey(stage, indexed=indexed)
        lines = {part.key: line for part, line in self._damaged.items() if part.kind in ("runs", "evaluations")}
        return runs, [*problems, *(Problem(key, line, damaged=True) for key, line in sorted(lines.items()))]

    @contextmanager
    def claim(self, run_id: str) -> Iterator[bool]:
        """Claim a run on this machine, and fetch it if another machine has finished it."""
        with super().claim(run_id) as is_mine:
            if is_mine and self._may_try() and time.monotonic() - self._listed_at > LISTED_FOR_S:
                try:
                    self._pull()
                except Unreachable:  # the run is computed, and sent later
                    self._failed_at = time.monotonic()
            yield is_mine

    def has_model(self, run: Run) -> bool:
        """Whether the model file of `run` exists, here or in the remote store."""
        return (self.folder(run.run_id) / MODEL).is_file() or MODEL in run.files

    def model_file(self, run: Run) -> Path:
        """The path of the model file of `run`, which is fetched if only the remote store has it. Raises Unreachable."""
        path = super().model_file(run)
        if MODEL in run.files and not path.is_file():
            self._fetch_model(run, path)
        return path

    def model_is_whole(self, run: Run) -> bool:
        """Whether the model and the other files exist as they were saved; a model that was not fetched is whole."""
        if MODEL in run.files and not super().model_file(run).is_file():
            return self._notes.number(Part("runs", run.run_id)) is not None
        return super().model_is_whole(run)

    def check_model(self, run: Run, advice: str = AGAIN) -> None:
        """Fetch the model, and check the files of `run` as `Store.check_model` does. Raises ConfigError."""
        self.model_file(run)
        super().check_model(run, advice)

    def send(self, path: str) -> bool:
        """Send a complete part. If that fails, it stays in the mirror and is sent later.

        Args:
            path: Its path relative to the store.

        Returns:
            Whether the content of another machine replaced it in the mirror.
        """
        part = part_at(path)
        if part is None:
            return False
        self._unsent.setdefault(part, "not sent yet")
        if not self._may_try():
            return False
        with self._notes.lock():
            return self._try_to_send(part)

    def take(self, name: str, content: bytes) -> bool:
        """Take the next place in the remote chain of registrations for an entry.

        Args:
            name: The name of its file, which begins with its position.
            content: Its content.

        Returns:
            Whether it has the place; if not, the entries of other machines are in the mirror now.

        Raises:
            Unreachable: The remote store cannot be reached or written.
        """
        part = part_at(f".registrations/{name}")
        assert part is not None
        commit = Commit(files={name: hashlib.sha256(content).hexdigest()})
        with self._notes.lock():
            self._pull_locked()
            if part in self._numbers:
                return False
            self._objects.create(f"{commit.data_name(part)}/{name}", content)  # one of that name has this content
            self._mark_layout()
            if not self._objects.create(part.commit_name(1), commit.content()):
                self._pull_locked()
                return False
            self._numbers[part] = 1
            return True  # the caller writes it into the mirror; if it cannot, the next command fetches it

    def finish(self) -> tuple[str, ...]:
        """Send what was not sent, and say in a line each what remains, and what the remote store refused."""
        self._failed_at = -float("inf")
        self._send_leftovers()
        lines = [self._refused.pop(part) for part in sorted(self._refused)]
        reasons = {part: reason for part, reason in self._unsent.items() if part.kind != "latest"}
        if reasons:
            count = sum(part.kind == "runs" for part in reasons)
            what = f"{count} finished {'run' if count == 1 else 'runs'}" if count else "what this command recorded"
            reason = next(iter(reasons.values()))
            lines.append(
                f"{reason}; {what} could not be sent and {'is' if count < 2 else 'are'} in {self.root}: the next "
                f"command with --store {self._uri} sends {'it' if count < 2 else 'them'}"
            )
        return tuple(lines)

    def _may_try(self) -> bool:
        return time.monotonic() - self._failed_at > RETRY_AFTER_S

    def _pull(self) -> None:
        """Fetch what the mirror lacks. Raises Unreachable, or ConfigError if the store has another layout."""
        with self._notes.lock():
            self._pull_locked()

    def _pull_locked(self) -> None:
        names = self._objects.names(COMMITS)
        self._check_layout(names)
        self._numbers, noted = latest_numbers(names), self._notes.numbers()
        for part in sorted(noted.keys() - self._numbers.keys()):  # removed from the remote store
            self._notes.remove(part, noted)
        present = {*parts_of(self.root)}
        missing = [
            part
            for part, number in sorted(self._numbers.items())
            if part not in present or (noted.get(part, 0) < number and not self._notes.is_changed(part, noted))
        ]
        for start in range(0, len(missing), _AT_ONCE):
            self._fetch(missing[start : start + _AT_ONCE])
        self._listed_at = time.monotonic()

    def _check_layout(self, names: Sequence[str]) -> None:
        prefix = f"{_LAYOUT_MARK.removeprefix(f'{COMMITS}/')}."
        layouts = [name.removeprefix(prefix).removesuffix(".json") for name in names if name.startswith(prefix)]
        known = max((int(layout) for layout in layouts if layout.isdecimal()), default=0)
        if known > LAYOUT:
            raise ConfigError(
                f"--store {self._uri}: was written by a newer version of zoo (layout {known}, this one knows "
                f"{LAYOUT}); update zoo, or give another URI"
            )
        if not known and self._notes.numbers():
            advice = (
                f"memory:// ends with its process; give --store {self.root}, or another folder"
                if self._uri.startswith("memory:")
                else "if it was removed on purpose, delete this folder, otherwise correct the endpoint "
                "(AWS_ENDPOINT_URL) or the URI"
            )
            raise ConfigError(f"--store {self._uri}: is empty, but {self.root} mirrors a store with this URI; {advice}")

    def _mark_layout(self) -> None:
        if not self._numbers:
            self._objects.create(f"{_LAYOUT_MARK}.{LAYOUT}.json", json.dumps({"layout": LAYOUT}).encode())

    def _fetch(self, parts: Sequence[Part]) -> None:
        """Fetch parts into the mirror; a damaged one is left out and named."""
        commits = self._commits({part: self._numbers[part] for part in parts})
        wanted = {
            f"{commit.data_name(part)}/{name}": (part, name)
            for part, commit in commits.items()
            for name in commit.files
            if (part.kind, name) != ("runs", MODEL)
        }
        contents: dict[Part, dict[str, bytes]] = {part: {} for part in commits}
        for path, content in self._objects.read(wanted).items():
            part, name = wanted[path]
            if content is None:
                self._damaged[part] = f"{self._uri}/{path}: is missing; {AGAIN}"
            elif hashlib.sha256(content).hexdigest() != commits[part].files[name]:
                text = "is not the file that was stored (its SHA-256 differs)"
                self._damaged[part] = f"{self._uri}/{path}: {text}; {AGAIN}"
            else:
                contents[part][name] = content
        for part, commit in commits.items():
            if part not in self._damaged:
                self._place(part, self._numbers[part], commit, contents[part])

    def _commits(self, numbers: Mapping[Part, int]) -> dict[Part, Commit]:
        """The commits of parts; a damaged one is left out and named."""
        commits: dict[Part, Commit] = {}
        paths = {part.commit_name(number): part for part, number in numbers.items()}
        for path, content in self._objects.read(paths).items():
            part = paths[path]
            self._damaged.pop(part, None)
            try:
                commits[part] = Commit.model_validate_json(content or b"")
            except ValidationError as error:
                reason = one_line(error.errors()[0]["msg"])
                self._damaged[part] = f"{self._uri}/{path}: is not a commit of this version ({reason}); {AGAIN}"
        return commits

    def _place(self, part: Part, number: int, commit: Commit, contents: Mapping[str, bytes]) -> None:
        """Put the files of a part into the mirror, and then note its commit."""
        folder = part.folder(self.root)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if part.is_folder:
            (self.root / ".claims").mkdir(exist_ok=True)
            move = self._replace if part.kind == "runs" else swap
            with atomic_folder(folder, move=move, sync=False) as building:
                for name, content in contents.items():
                    (building / name).write_bytes(content)
                self._keep_model(part, commit, building)
        else:
            folder.mkdir(exist_ok=True)
            for name, content in contents.items():
                mode = 0o444 if part.kind == "registrations" else 0o644
                with atomic_file(folder / name, mode=mode, sync=False) as file:
                    file.write_bytes(content)
        self._notes.write(part, number, commit)

    def _keep_model(self, part: Part, commit: Commit, building: Path) -> None:
        """Move the model that the mirror has into the new folder of its run, if it is the same."""
        path = part.folder(self.root) / MODEL
        if MODEL in commit.files and path.is_file() and digest_of(path) == commit.files[MODEL]:
            os.replace(path, building / MODEL)

    def _fetch_model(self, run: Run, path: Path) -> None:
        part = Part("runs", run.run_id)
        with self._notes.lock():
            number = self._notes.number(part)
            commit = None if number is None else self._commits({part: number}).get(part)
            if commit is None or MODEL not in commit.files:
                return
            name = f"{commit.data_name(part)}/{MODEL}"
            with atomic_file(path, sync=False) as file:
                self._objects.fetch(name, file)
                if digest_of(file) != commit.files[MODEL]:
                    text = "is not the file that was stored (its SHA-256 differs)"
                    raise Damaged(f"{self._uri}/{name}: {text}; {AGAIN}")

    def _send_leftovers(self) -> None:
        """Send the parts that the mirror alone has, such as runs of a command that could not reach the store."""
        with self._notes.lock():
            noted = self._notes.numbers()
            for part in parts_of(self.root):
                if self._notes.is_changed(part, noted):
                    self._unsent.setdefault(part, "not sent yet")
            for part in sorted(self._unsent):
                if not self._may_try():
                    return
                self._try_to_send(part)

    def _try_to_send(self, part: Part) -> bool:
        """Send a part; if that fails, remember why. Returns whether the remote content replaced it in the mirror."""
        try:
            is_replaced = self._send(part)
        except Unreachable as error:
            self._failed_at = time.monotonic()
            self._unsent[part] = str(error)
            return False
        except (ConfigError, OSError) as error:  # damaged in the mirror: whoever uses the run reports it
            self._unsent.pop(part, None)
            self._refused[part] = f"{one_line(error)}; it was not sent to {self._uri}"
            return False
        self._unsent.pop(part, None)
        return is_replaced

    def _send(self, part: Part) -> bool:
        ours = commit_of(self.root, part)
        data, paths = ours.data_name(part), part.files(self.root)
        files = {f"{data}/{name}": path for name, path in paths.items()}
        number, was_damaged = self._numbers.get(part, 0), part in self._damaged
        while True:
            if number:
                self._numbers[part] = number
                theirs = self._commits({part: number}).get(part)
                if theirs == ours:
                    if was_damaged:
                        self._objects.write(files)
                    self._notes.write(part, number, ours)
                    return False
                decision = "replace" if theirs is None else decide(part, theirs, ours)
                if decision != "replace":
                    self._fetch([part])
                    if part not in self._damaged:
                        if decision == "refuse" and theirs is not None:
                            self._refused[part] = self._refusal(part, theirs, ours)
                        return True
            self._mark_layout()
            self._objects.write(files)
            if self._objects.create(part.commit_name(number + 1), ours.content()):
                self._numbers[part] = number + 1
                self._damaged.pop(part, None)
                self._notes.write(part, number + 1, ours)
                return False
            number += 1  # another machine was faster

    def _refusal(self, part: Part, theirs: Commit, ours: Commit) -> str:
        """Why the remote content stays, in one line."""
        if part.kind != "runs":
            return f"{self._uri}: {part.kind} {part.key} was stored there with other content, which counts"
        if ours.state == "failed":
            return f"{self._uri}: run {part.key} failed here ({ours.error}) and finished elsewhere, which counts"
        return (
            f"{self._uri}: run {part.key} was stored there with different figures ({difference(theirs, ours)}); the "
            "first ones count, and these are left out (`zoo show` names the processor; another store can contain these)"
        )
