"""Figures drawn once: the SVG of a figure is cached by the data that it shows.

Drawing takes most of the time of a report. The page, the files beside report.md, and the next report of the same runs
show the same figures.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from pydantic import BaseModel

from reports.figures.svg import to_svg
from zoo.config.atomic import atomic_file
from zoo.config.cache_dir import cache_dir
from zoo.config.leftovers import sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KIND = "figures"
MOST = 4000
"""Most figures in the cache, about 40 MiB. Where there are more, those that were used least recently are removed."""

_P = ParamSpec("_P")


def drawn_svg(draw: Callable[_P, Figure], *data: _P.args, **options: _P.kwargs) -> str:
    """Draw a figure, or read it from the cache if the same data were drawn by the same code before.

    Args:
        draw: A function of this package.
        data: What it draws.
        options: The same, by name.

    Returns:
        The figure as `reports.figures.svg.to_svg` writes it.
    """
    path = _path(f"{draw.__module__}.{draw.__qualname__}", (data, options))
    try:
        svg = path.read_text(encoding="utf-8")
        os.utime(path)
    except (OSError, ValueError):
        svg = ""
    if svg.startswith("<svg") and svg.endswith("</svg>"):
        return svg
    svg = to_svg(draw(*data, **options))
    _write(path, svg)
    return svg


def _path(name: str, data: object) -> Path:
    """Where the figure that `name` draws of `data` is."""
    # Equal data may have unequal pickles, which costs a drawing. Unequal data never have equal ones.
    pickled = io.BytesIO()
    _Pickler(pickled, protocol=5).dump(data)
    digest = hashlib.sha256("\0".join((name, _code())).encode() + pickled.getvalue())
    return cache_dir() / KIND / f"{digest.hexdigest()[:32]}.svg"


class _Pickler(pickle.Pickler):
    """Pickles models by their content: the set of their given fields has another order in each process."""

    def reducer_override(self, obj: object) -> Any:
        if isinstance(obj, BaseModel):
            return str, (f"{type(obj).__module__}.{type(obj).__qualname__} {obj.model_dump_json()}",)
        return NotImplemented


@cache
def _code() -> str:
    """A digest of all programs that decide what a figure shows: matplotlib, `reports` and `benchmark.evidence`."""
    digest = hashlib.sha256(version("matplotlib").encode())
    for package in ("reports", "benchmark.evidence"):
        for path in sorted(Path(str(files(package))).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _write(path: Path, svg: str) -> None:
    """Write a figure atomically, and do nothing if the cache cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _trim(path.parent)
        with atomic_file(path, sync=False) as part:
            part.write_text(svg, encoding="utf-8")
    except OSError:
        return


@cache  # once per process: a report adds few figures to what is there
def _trim(folder: Path) -> None:
    """Remove leftovers of killed processes and, above `MOST` figures, those that were used least recently."""
    sweep(folder)
    used = sorted((entry.stat().st_mtime, entry.path) for entry in os.scandir(folder))
    for _, path in used[: max(len(used) - MOST, 0)]:
        Path(path).unlink(missing_ok=True)
