"""Folders of a store moved into their places, so that one that is killed leaves a run where it can be found."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from zoo.config.leftovers import PREFIX

REPLACED = ".replaced-"
"""How the name of a run begins that lies beside its place, for as long as its successor needs to get there."""

_FORMERLY_REPLACED = re.compile(r"\.writing-.{8}-old")


def is_left_aside(name: str) -> bool:
    """Whether a folder is a run that was moved aside under a name that does not say which."""
    return _FORMERLY_REPLACED.fullmatch(name) is not None


def swap(building: Path, place: Path) -> None:
    """Put `building` in the place of `place`, which is put back when that fails. At every moment one of the two can be
    found."""
    beside = place.with_name(f"{REPLACED}{place.name}")
    if os.path.lexists(beside):
        settle(beside, place)
    if os.path.lexists(place):
        os.rename(place, beside)
    try:
        os.rename(building, place)
    except OSError:
        if os.path.lexists(beside):
            os.rename(beside, place)
        raise
    with suppress(OSError):
        settle(beside, place)


def settle(beside: Path, place: Path) -> None:
    """Remove what lies `beside` its successor, or put it back where none came. Raises OSError."""
    if not os.path.lexists(beside):
        return
    if not os.path.lexists(place):
        os.rename(beside, place)
        return
    # Renamed first: half of a removed run must not be found when its successor is deleted.
    rest = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place.parent))
    os.rename(beside, rest / place.name)
    shutil.rmtree(rest, ignore_errors=True)
