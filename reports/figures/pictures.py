"""Where the pictures of a report stand once they are files, for renderers that name files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Picture:
    """A picture beside the report: its `path` relative to the report, with slashes, and `alt`, what it shows in a
    sentence."""

    path: str
    alt: str


@dataclass(frozen=True)
class Pictures:
    """The pictures of one section: one that compares cards, those of each card by its name, and the folder with the
    tiles of each gallery by the id of its run, relative to the report."""

    comparison: Picture | None = None
    cards: Mapping[str, tuple[Picture, ...]] = field(default_factory=dict)
    galleries: Mapping[str, str] = field(default_factory=dict)
