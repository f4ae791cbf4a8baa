"""Claims of runs, so that no run is computed twice: a lock on this machine, and a lease between machines.

A lock ends with its process, but on some network file systems it excludes no process of another machine. So a claim is
a lease as well: a folder that exactly one process can create. The leases of a run are numbered, and the one with the
highest number counts. Its holder replaces a file in it every few seconds. Whoever finds that the holder has ended, or
sees the file unchanged for a minute by the clock of its process, creates the folder with the next number. The clocks of
two machines are never compared.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import filelock
import psutil

from zoo.config.atomic import atomic_file

HEARTBEAT_S = 10.0
"""Seconds after which the holder of a lease replaces its file."""

EXPIRY_S = 60.0
"""Seconds without a change after which a lease of another machine has ended."""

_HOLDER, _RELEASED = "holder.json", "released"


@dataclass(frozen=True)
class Holder:
    """The process that holds a lease.

    Attributes:
        host: Name of its machine.
        machine: What distinguishes the machine, its start and its process ids from others.
        process: Its process id.
        started: When the process started, in units of the system.
    """

    host: str
    machine: str
    process: int
    started: str

    @classmethod
    def this_process(cls) -> Holder:
        """The present process."""
        pid = os.getpid()
        return cls(socket.gethostname(), machine_id(), pid, _start_of(pid) or "")

    def has_ended(self) -> bool | None:
        """Whether the process has ended; None if it is on another machine."""
        this = Holder.this_process()
        if (self.host, self.machine) != (this.host, this.machine):
            return None
        return _start_of(self.process) != self.started


class Claims:
    """The claims in a folder."""

    def __init__(self, folder: Path) -> None:
        """Open a folder of claims.

        Args:
            folder: It is created with the first claim.
        """
        self._folder = folder
        self._unchanged: dict[Path, tuple[bytes | None, float]] = {}

    @contextmanager
    def claim(self, run_id: str) -> Iterator[bool]:
        """Claim a run for this process until the block ends.

        Args:
            run_id: The run.

        Yields:
            True if the claim was made; False if another process has claimed the run. The lease of a machine that has
            ended is taken over once this object has seen it unchanged for `EXPIRY_S` seconds.

        Raises:
            OSError: The folder cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self._lock_file(run_id), timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            yield False
            return
        try:
            lease = self._acquire(run_id)
            if lease is None:
                yield False
                return
            with _heartbeat(lease):
                yield True
        finally:
            lock.release()

    def is_claimed(self, run_id: str) -> bool:
        """Whether a living process seems to have claimed a run; False if that cannot be found out.

        Args:
            run_id: The run.

        Returns:
            True if its lock is held, or its lease is held by a living process of this machine, or was renewed on
            another machine within `EXPIRY_S` seconds by the clocks of the file system and of this machine.
        """
        try:
            if (path := self._lock_file(run_id)).exists():
                with filelock.FileLock(path, timeout=0):
                    pass
        except filelock.Timeout:
            return True
        except OSError:  # a store that cannot be written
            return False
        lease = self._latest(run_id)
        if lease is None or (lease / _RELEASED).exists():
            return False
        holder = _holder(_content(lease))
        ended = None if holder is None else holder.has_ended()
        if ended is not None:
            return not ended
        try:
            return time.time() - (lease / _HOLDER).stat().st_mtime < EXPIRY_S
        except OSError:
            return False

    def holder(self, run_id: str) -> Holder | None:
        """The process that holds the latest lease of a run; None if there is none or it was released."""
        lease = self._latest(run_id)
        return None if lease is None or (lease / _RELEASED).exists() else _holder(_content(lease))

    def _lock_file(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.lock"

    def _acquire(self, run_id: str) -> Path | None:
        """Create the next lease of a run; None if the latest one has not ended, or another process was faster."""
        latest = self._latest(run_id)
        if latest is not None and not self._has_ended(latest):
            return None
        lease = self._folder / f"{run_id}.lease-{_number(latest) + 1}"
        try:
            lease.mkdir()
        except FileExistsError:
            return None
        if self._latest(run_id) != lease:  # `latest` had been superseded and removed
            with suppress(OSError):
                lease.rmdir()
            return None
        for path in self._leases(run_id):
            if path != lease:
                shutil.rmtree(path, ignore_errors=True)
                self._unchanged.pop(path, None)
        return lease

    def _has_ended(self, lease: Path) -> bool:
        if (lease / _RELEASED).exists():
            return True
        content = _content(lease)
        holder = _holder(content)
        if holder is not None and (ended := holder.has_ended()) is not None:
            return ended
        before, since = self._unchanged.get(lease, (None, -1.0))
        now = time.monotonic()
        if since < 0 or content != before:
            self._unchanged[lease] = (content, now)
            return False
        return now - since >= EXPIRY_S

    def _latest(self, run_id: str) -> Path | None:
        return max(self._leases(run_id), key=_number, default=None)

    def _leases(self, run_id: str) -> list[Path]:
        prefix = f"{run_id}.lease-"
        try:
            names = os.listdir(self._folder)
        except OSError:
            return []
        return [self._folder / name for name in names if name.startswith(prefix) and name[len(prefix) :].isdigit()]


@cache
def machine_id() -> str:
    """What distinguishes this machine, since its start, and the ids of its processes from those of other machines.

    Returns:
        A text that differs between containers of one machine as well, since they number processes on their own; empty
        where the system reports nothing.
    """
    parts = []
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


@contextmanager
def _heartbeat(lease: Path) -> Iterator[None]:
    """Renew a lease in a thread until the block ends, then mark it as released."""
    stop = threading.Event()
    holder = vars(Holder.this_process())

    def beat(number: int) -> None:
        with suppress(OSError), atomic_file(lease / _HOLDER, sync=False) as part:  # the next beat may succeed
            part.write_text(json.dumps({**holder, "beat": number}), encoding="utf-8")

    def renew() -> None:
        number = 1
        while not stop.wait(HEARTBEAT_S):
            beat(number)
            number += 1

    beat(0)
    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with suppress(OSError):
            (lease / _RELEASED).touch()


def _number(lease: Path | None) -> int:
    return 0 if lease is None else int(lease.name.rpartition("-")[2])


def _content(lease: Path) -> bytes | None:
    """The bytes of the holder's file; None before they are written."""
    try:
        return (lease / _HOLDER).read_bytes()
    except OSError:
        return None


def _holder(content: bytes | None) -> Holder | None:
    """The holder that a file describes; None if it is missing or damaged."""
    try:
        fields: dict[str, Any] = json.loads(content or b"")
        return Holder(fields["host"], fields["machine"], fields["process"], fields["started"])
    except (ValueError, KeyError, TypeError):
        return None


def _start_of(pid: int) -> str | None:
    """When a process started, in a form that clock changes leave alone where possible; None if it has ended."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return None if state == "Z" else fields[18]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
    try:
        return f"{psutil.Process(pid).create_time():.0f}"
    except psutil.Error:
        return None
