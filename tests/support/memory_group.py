"""Control groups with a limit of memory, for processes of tests."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zoo.config.cgroups import group_folders

ENTER = ("sh", "-c", 'echo $$ > "$0"/cgroup.procs && exec "$@"')
"""Words in front of the folder of a group and a command, which then runs in the group."""
_ENDING_S = 2.0


@contextmanager
def memory_group(limit: int) -> Iterator[Path]:
    """Make a control group inside that of this process, whose processes together get `limit` bytes.

    Args:
        limit: The limit in bytes.

    Yields:
        The folder of the group.

    Raises:
        OSError: No such group can be made here.
    """
    folder, is_second = next(group_folders("memory"), (Path("/nowhere"), True))
    group = Path(tempfile.mkdtemp(prefix="zoo-test-", dir=folder))
    try:
        (group / ("memory.max" if is_second else "memory.limit_in_bytes")).write_text(str(limit), encoding="ascii")
        yield group
    finally:
        until = time.monotonic() + _ENDING_S
        while group.exists() and time.monotonic() < until:  # its last processes may still be ending
            with suppress(OSError):
                group.rmdir()
            time.sleep(_ENDING_S / 20)
