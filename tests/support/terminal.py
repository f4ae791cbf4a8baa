"""What a terminal shows, and a data summary to show."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType

from benchmark.data.checks.describe import Cell, DataSummary

WIDTHS = (80, 120, 160, 200)
SUMMARY = DataSummary(
    source="folder",
    title="a folder",
    synthetic=False,
    fingerprint="ab" * 32,
    channels=1,
    classes=("NORMAL", "PNEUMONIA"),
    cells=(Cell("train", "NORMAL", 1341, 1000, 122.4, 51.6), Cell("train", "PNEUMONIA", 3875, 1800, 118.9, 49.2)),
    shared_patients={},
    shared_images={},
    duplicate_groups=0,
    images_under_both_labels=0,
    problems=(),
    warnings=(),
)


def shown(renderable: RenderableType, width: int = 200) -> str:
    """The text of `renderable` in a terminal of so many columns."""
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    console.print(renderable)
    return console.export_text()


def flat(text: str) -> str:
    """The text with every run of blanks and line breaks as one blank."""
    return " ".join(text.split())
