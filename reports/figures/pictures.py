"""Paths of the picture files of a report, for renderers that link to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Picture:
    """A picture file: its `path` relative to the report, with slashes, and its alternative text `alt`."""

    path: str
    alt: str


@dataclass(frozen=True)
class Pictures:
    """The pictures of one section: the comparison of its cards, the pictures by card name, and the folder of each
    gallery by run id, relative to the report."""

    comparison: Picture | None = None
    cards: Mapping[str, tuple[Picture, ...]] = field(default_factory=dict)
    galleries: Mapping[str, str] = field(default_factory=dict)
