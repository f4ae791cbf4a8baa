"""Disks that are full or read-only: small file systems in memory, which only root can mount."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.faults.study import Study, Tally


def can_mount() -> bool:
    """Whether this process may mount a file system."""
    return os.name == "posix" and os.geteuid() == 0


def full(command: str, count: int, seed: int, folder: Path, reference: dict[str, str], cache: bool = False) -> Tally:
    """Run a command on disks that fill up at random moments, then give them room and run it again.

    Args:
        command: A name in `COMMANDS`.
        count: How many disks.
        seed: The seed of their sizes.
        folder: Where the studies are written.
        reference: Results of the undisturbed command.
        cache: Whether the disk has the cache instead of the store.

    Returns:
        What the disks did. A disk with room enough counts as late.
    """
    place = "cache" if cache else "runs"
    tally = Tally(f"full disk of {'the cache' if cache else 'the store'} during {command}")
    sizes = random.Random(seed)
    needed = _needed(command, folder / f"needed-{command}-{place}", place)
    for number in range(count):
        study = Study.create(folder / f"{command}-full-{place}-{number}")
        with _mounted(study.folder / place, max(4, int(sizes.uniform(0, 1.1) * needed))) as mount:
            code, printed, _ = study.finish(command)
            tally.printed(printed)
            if code == 0:
                tally.late += 1
            else:
                tally.faults += 1
            dates = tally.look(study, {})
            mount("size=1g")
            tally.end(study, command, reference, dates)
    return tally


def read_only(command: str, folder: Path, reference: dict[str, str]) -> Tally:
    """Run a command on a store that becomes read-only, then make it writable and run it again.

    Args:
        command: A name in `COMMANDS`.
        folder: Where the study is written.
        reference: Results of the undisturbed command.
    """
    tally = Tally(f"read-only store during {command}")
    study = Study.create(folder / f"{command}-read-only")
    with _mounted(study.folder / "runs", 1024 * 1024) as mount:
        mount("ro")
        code, printed, _ = study.finish(command)
        tally.printed(printed)
        tally.faults += code != 0
        tally.late += code == 0
        mount("rw")
        tally.end(study, command, reference, tally.look(study, {}))
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


def _needed(command: str, folder: Path, place: str) -> int:
    """KiB that a study needs on a disk."""
    study = Study.create(folder)
    study.finish(command)
    return sum(path.lstat().st_blocks * 512 for path in (folder / place).rglob("*")) // 1024


@contextlib.contextmanager
def _mounted(folder: Path, kib: int) -> Iterator[Mount]:
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)], check=True)
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
        """
        subprocess.run(["mount", "-o", f"remount,{option}", str(self.folder)], check=True)
