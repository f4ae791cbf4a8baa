"""Replacement of run folders by renaming, such that a killed process leaves a complete run under a known name."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from zoo.config.leftovers import PREFIX

REPLACED = ".replaced-"
"""Prefix of the name of a run that is being replaced, until its successor has its name."""

_FORMERLY_REPLACED = re.compile(r"\.writing-.{8}-old")


def is_unnamed_replacement(name: str) -> bool:
    """Whether `name` is that of a replaced run in older stores, which does not contain the run id."""
    return _FORMERLY_REPLACED.fullmatch(name) is not None


def swap(new: Path, target: Path) -> None:
    """Replace a folder. At every moment, the old or the new one has its name or the name of a replaced run.

    Args:
        new: The new folder.
        target: The folder to replace, if it exists.

    Raises:
        OSError: A folder cannot be renamed; the old one is then restored.
    """
    replaced = target.with_name(f"{REPLACED}{target.name}")
    if os.path.lexists(replaced):
        finish_swap(replaced, target)
    if os.path.lexists(target):
        os.rename(target, replaced)
    try:
        os.rename(new, target)
    except OSError:
        if os.path.lexists(replaced):
            os.rename(replaced, target)
        raise
    with suppress(OSError):
        finish_swap(replaced, target)


def finish_swap(replaced: Path, target: Path) -> None:
    """Remove the run in `replaced`, or restore it if nothing took its name `target`. Raises OSError."""
    if not os.path.lexists(replaced):
        return
    if not os.path.lexists(target):
        os.rename(replaced, target)
        return
    # Renamed first: a partly removed run must not be restored after its successor is deleted.
    rest = Path(tempfile.mkdtemp(prefix=PREFIX, dir=target.parent))
    os.rename(replaced, rest / target.name)
    shutil.rmtree(rest, ignore_errors=True)
