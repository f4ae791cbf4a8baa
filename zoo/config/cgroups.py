"""What a container, a batch system or a service manager leaves this process of the machine: cores and memory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
"""Where Linux shows control groups."""

_GROUPS = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Count the cores that this process may use.

    The processor may have more: a batch system allows some of them (`sched_setaffinity`), a container limits their time
    (`cpu.max`). A limit of 1.5 cores counts as 2.

    Returns:
        The number, 1 or more.
    """
    cores = os.cpu_count() or 1
    with suppress(AttributeError, OSError):  # not on every platform
        cores = len(os.sched_getaffinity(0))
    return max(1, min([cores, *(math.ceil(quota) for quota in _quotas())]))


def group_folders(controller: str) -> Iterator[tuple[Path, bool]]:
    """Find the control groups of this process, whose files contain limits.

    Args:
        controller: `memory` or `cpu`.

    Yields:
        The folder of each group, from that of the process to the root, and whether it is of version 2. A folder may not
        exist: a container sees only a part of the groups.
    """
    with suppress(OSError):
        for line in _GROUPS.read_text(encoding="utf-8").splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds and controller not in kinds.split(","):
                continue
            root = ROOT / controller if kinds else ROOT
            group = Path(path.strip("/"))
            yield from ((root / each, not kinds) for each in dict.fromkeys((group, *group.parents)))


def _quotas() -> Iterator[float]:
    """The limits on processor time, as numbers of cores."""
    for folder, is_second in group_folders("cpu"):
        with suppress(OSError, ValueError, ZeroDivisionError):
            if is_second:
                quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
            else:
                quota, period = (
                    (folder / name).read_text(encoding="ascii") for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
                )
            if (cores := int(quota) / int(period)) > 0:  # "max" is no number, and -1 no limit
                yield cores
