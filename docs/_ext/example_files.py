"""Copies the example's HTML report beside the page that links to it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def _copy(app: Sphinx, error: Exception | None) -> None:
    source = Path(app.srcdir) / "example" / "report.html"
    if error is None and source.is_file():
        target = Path(app.outdir) / "example" / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("build-finished", _copy)
    return {"parallel_read_safe": True}
