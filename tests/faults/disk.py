"""Disks that are full or read-only: small file systems in memory, which only root can mount."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.interrupted import being_written
from tests.faults.study import Study, Tally, Undisturbed
from tests.faults.warm import Command

_ROOM = 1024 * 1024
_LOOK_S = 0.002
_PATIENCE_S = 600
_TRIES = 5
"""Disks that are tried for each that shall be full: what a command needs differs from run to run."""


def why_no_mount(folder: Path) -> str | None:
    """Why this process cannot mount a file system in memory; None if it can.

    Args:
        folder: Where it may try.
    """
    if os.name != "posix" or os.geteuid() != 0:
        return "only root can mount file systems"
    try:
        with _mounted(folder / "mount", 64):
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no file system can be mounted here: {error}"


def full(command: str, count: int, seed: int, folder: Path, whole: Undisturbed, cache: bool = False) -> Tally:
    """Run a command on disks that are full while something is written, then give them room and run it again.

    Every second disk is too small from the start, by a random size below what the command needs. The others become full
    at a random moment, by what they then have: as a file, a folder or a block of the bank is being written.

    Args:
        command: A name in `COMMANDS`.
        count: How many disks.
        seed: The seed of sizes and moments.
        folder: Where the studies are written.
        whole: What the undisturbed command does.
        cache: Whether the disk has the cache instead of the store.

    Returns:
        What the disks did. A disk that was never full counts as late.
    """
    place = "cache" if cache else "runs"
    tally = Tally(f"full disk of {'the cache' if cache else 'the store'} during {command}")
    chance = random.Random(f"{seed}-{command}-{place}")
    needed = 0
    attempts = 0
    while tally.faults < count and attempts < _TRIES * count:
        attempts += 1
        shrinks = attempts % 2 == 1 or not needed
        study = Study.create(folder / f"{command}-full-{place}-{attempts}")
        size = _ROOM if shrinks else max(4, int(chance.uniform(0, 0.9) * needed))
        with _mounted(study.folder / place, size) as mount:
            log = study.folder / "full.log"
            process = study.start(command, log)
            fill = _filling(study, mount, chance) if shrinks else None
            was_full = _follow(process, mount, fill)
            code = process.wait(_PATIENCE_S)
            tally.printed(log.read_text(encoding="utf-8", errors="replace"))
            tally.faults += was_full or code != 0
            tally.late += not was_full and code == 0
            before = tally.look(study, {})
            mount("size=1g")
            tally.end(study, command, whole.results, before)
            needed = max(needed, mount.used_kib())
    return tally


def read_only(command: str, folder: Path, whole: Undisturbed) -> Tally:
    """Run a command on a store that becomes read-only, then make it writable and run it again.

    Args:
        command: A name in `COMMANDS`.
        folder: Where the study is written.
        whole: What the undisturbed command does.

    Returns:
        What it did.
    """
    tally = Tally(f"read-only store during {command}")
    study = Study.create(folder / f"{command}-read-only")
    with _mounted(study.folder / "runs", _ROOM) as mount:
        mount("ro")
        code, printed, _ = study.finish(command)
        tally.printed(printed)
        tally.faults += code != 0
        tally.late += code == 0
        mount("rw")
        tally.end(study, command, whole.results, tally.look(study, {}))
        mount("ro")
        before = study.dates()
        code, printed, _ = study.finish(command)  # everything is stored: nothing needs to be written
        tally.printed(printed)
        tally.faults += 1
        tally.look(study, before)
        if code != 0:
            tally.notes.append(f"all runs are stored, and the command ends with {code}: {printed.splitlines()[-1:]}")
        mount("rw")
    return tally


def _filling(study: Study, mount: Mount, chance: random.Random) -> Callable[[], bool]:
    """What makes the disk full, by the size that is used, at a write that chance decides; True once it has."""
    writes = chance.randint(1, 8)
    names: set[str] = set()

    def fill() -> bool:
        names.update(str(path) for path in being_written(study) if path.is_relative_to(mount.folder))
        if len(names) < writes:
            return False
        mount(f"size={max(4, mount.used_kib())}k")
        return True

    return fill


def _follow(process: Command, mount: Mount, fill: Callable[[], bool] | None) -> bool:
    """Follow a command to its end, fill the disk on the way, and return whether it was full."""
    was_full = False
    while process.poll() is None:
        if fill is not None:
            try:
                filled = fill()
            except subprocess.CalledProcessError:  # more was written in between than the new size allows
                filled = False
            if filled:
                fill = None
        was_full |= mount.is_full()
        time.sleep(_LOOK_S)
    return was_full


@contextlib.contextmanager
def _mounted(folder: Path, kib: int) -> Iterator[Mount]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)], check=True, stderr=subprocess.DEVNULL
    )
    try:
        yield Mount(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class Mount:
    """A mounted file system; call it with options to mount it again."""

    def __init__(self, folder: Path) -> None:
        """Name a mounted folder.

        Args:
            folder: Where it is mounted.
        """
        self.folder = folder

    def __call__(self, option: str) -> None:
        """Mount it again.

        Args:
            option: The option that changes, as `size=1g` or `ro`.

        Raises:
            subprocess.CalledProcessError: The system refuses, as a size below what is used.
        """
        words = ["mount", "-o", f"remount,{option}", str(self.folder)]
        subprocess.run(words, check=True, stderr=subprocess.DEVNULL)

    def used_kib(self) -> int:
        """What is used, in KiB."""
        facts = os.statvfs(self.folder)
        return (facts.f_blocks - facts.f_bfree) * facts.f_frsize // 1024

    def is_full(self) -> bool:
        """Whether no block is left."""
        return os.statvfs(self.folder).f_bfree == 0
