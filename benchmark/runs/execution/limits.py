"""Limits of time and memory, at which a run is ended so that the others can continue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from zoo.config.cgroups import group_folders
from zoo.config.errors import ConfigError

_GIB = 1024**3
_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_SCARCE = 0.02
_ROOM = 0.04
"""The share of the memory that must be left before a run starts."""
_LARGE = 0.25
"""Runs are the cause of scarce memory if together they use at least this share of it."""
_MOST = 0.5
"""A run that uses more than this share of the memory would be ended again."""
_NO_LIMIT = 1 << 60
"""The kernel reports a larger number if there is no limit."""
_FIRST = ("memory.limit_in_bytes", "memory.usage_in_bytes")
"""The names of the files in the first version of control groups."""


@dataclass(frozen=True)
class Limits:
    """The limits of each run.

    Attributes:
        seconds: The longest duration in seconds; None for no limit.
        memory_gib: The most memory in GiB that its processes may use. With None, the largest run is ended when the
            memory of the machine is nearly used up, unless other programs use it.
    """

    seconds: float | None = None
    memory_gib: float | None = None


NO_LIMITS = Limits()


def seconds_of(text: str, option: str) -> float | None:
    """Parse a duration.

    Args:
        text: A number of seconds, a number with the unit s, m, h or d, or "none".
        option: The option that the error names.

    Returns:
        Seconds; None for "none".

    Raises:
        ConfigError: `text` is not a duration above 0.
    """
    if text.strip().lower() == "none":
        return None
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(s|m|min|h|d|)", text.strip().lower())
    if match is None or float(match[1]) == 0:
        raise ConfigError(f"{option} {text[:20]}: give seconds, or a number with s, m, h or d, such as 30m; or none")
    return float(match[1]) * _UNITS[match[2]]


def in_words(seconds: float) -> str:
    """Express a duration in the largest unit of which it is a whole number."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds % 1 == 0 else f"{seconds:g} s"


def process_tree(pid: int) -> list[psutil.Process]:
    """The process `pid` and all its descendants; empty if it does not exist."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def kill_tree(pid: int) -> None:
    """Kill the process `pid` and all its descendants."""
    for process in reversed(process_tree(pid)):
        with suppress(psutil.Error):
            process.kill()


def memory_of(pid: int) -> int:
    """Memory of the process `pid` and all its descendants in bytes, without mapped files."""
    size = 0
    for process in process_tree(pid):
        with suppress(psutil.Error):
            facts = process.memory_info()
            size += facts.rss - getattr(facts, "shared", 0)
    return size


@dataclass(frozen=True)
class Excess:
    """Why a run is ended because of memory.

    Attributes:
        reason: The reason in one line, with the remedy unless only a smaller run helps.
        may_fit: Whether the run may finish if it is tried again when nothing else runs.
        limit: The memory in bytes that the run could have had; None if it was ended for another reason.
    """

    reason: str
    may_fit: bool
    limit: float | None = None


def exceeding_memory(pids: Mapping[str, int], limits: Limits) -> dict[str, Excess]:
    """Say which runs are to be ended because of their memory, and why.

    Without a limit of their own, runs are ended only if they are the cause: if all runs together use little, other
    programs use the memory, and to end a run would free next to nothing.

    Args:
        pids: Process id of each run, by key.
        limits: The limits of each run.

    Returns:
        The reason by key of the run to end.
    """
    most = None if limits.memory_gib is None else limits.memory_gib * _GIB
    left, total = memory_left() if most is None else (0, 0)
    if not pids or (most is None and left >= _SCARCE * total):
        return {}  # without measuring the runs, which lists every process of the machine
    sizes = {run: memory_of(pid) for run, pid in pids.items()}
    if most is not None:
        return {
            run: Excess(f"ended at {size / _GIB:.1f} GiB of memory (--run-memory {limits.memory_gib:g})", False, most)
            for run, size in sizes.items()
            if size > most
        }
    of_runs = sum(sizes.values())
    if of_runs < _LARGE * total:
        return {}
    largest = max(sizes, key=lambda run: sizes[run])
    if total - left - of_runs > of_runs:
        remedy = "other programs use the memory; repeat the command when they use less"
    elif len(sizes) > 1:
        remedy = "use fewer --jobs"
    else:
        remedy = "this run alone needs more"
    size = f"ended at {sizes[largest] / _GIB:.1f} GiB of memory: {left / _GIB:.1f} of {total / _GIB:.1f} GiB were left"
    return {largest: Excess(f"{size} ({remedy})", sizes[largest] <= _MOST * total, total)}


def is_scarce() -> bool:
    """Whether the memory of the machine is nearly used up, so that the system may end a process."""
    left, total = memory_left()
    return left < _SCARCE * total


def kills_for_memory() -> int:
    """Number of processes that the system has ended because the container reached its memory limit; 0 without one."""
    count = 0
    for folder, is_second in group_folders("memory"):
        with suppress(OSError, ValueError):
            text = (folder / ("memory.events" if is_second else "memory.oom_control")).read_text(encoding="ascii")
            facts = dict(line.split() for line in text.splitlines())
            count = max(count, int(facts.get("oom_kill", 0)))
    return count


def has_room() -> bool:
    """Whether enough memory is left to start a run."""
    left, total = memory_left()
    return left >= _ROOM * total


def memory_left() -> tuple[int, int]:
    """Available and total memory in bytes: of the machine with its swap, or of the container if that has less."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    left, total = memory.available + swap.free, memory.total + swap.total
    for folder, limit, used in _cgroups():
        with suppress(OSError, ValueError):
            most = int((folder / limit).read_text(encoding="ascii"))
            if most < min(total, _NO_LIMIT):
                left = min(left, most - int((folder / used).read_text(encoding="ascii")) + _reclaimable(folder))
                total = most
    return max(0, left), total


def _cgroups() -> Iterator[tuple[Path, str, str]]:
    """Folders that may contain a memory limit of this process, with the names of the files for limit and use."""
    for folder, is_second in group_folders("memory"):
        yield folder, *(("memory.max", "memory.current") if is_second else _FIRST)


def _reclaimable(folder: Path) -> int:
    """Bytes of cached files that the kernel frees when memory is needed."""
    lines = [line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines()]
    return max((int(value) for name, value in lines if name in ("inactive_file", "total_inactive_file")), default=0)
