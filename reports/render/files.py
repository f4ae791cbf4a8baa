"""Writes a report as files, format by format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from benchmark.runs.storage.store import Store
from reports.gallery.gallery import Gallery
from reports.report import Report
from zoo.config.atomic import write_text
from zoo.config.strict_yaml import unknown

SHOW_GALLERIES = ("md", "html")
"""The formats with pictures of test images."""

Galleries = Mapping[str, Gallery]
Writer = Callable[[Report, Store, Path, Galleries], list[Path]]


def write_report(
    report: Report, store: Store, folder: Path, formats: Sequence[str], galleries: Galleries | None = None
) -> list[Path]:
    """Write a report, each file atomically.

    Args:
        report: The report.
        store: The store that contains the scores of its runs.
        folder: The folder for the files; it is created.
        formats: Keys of `WRITERS`.
        galleries: Galleries by run id, for the formats in `SHOW_GALLERIES`.

    Returns:
        The files to open.

    Raises:
        ConfigError: A format is unknown, or scores cannot be read.
        OSError: A file cannot be written.
    """
    writers = [_writer(name) for name in dict.fromkeys(formats)]
    folder.mkdir(parents=True, exist_ok=True)
    return [path for write in writers for path in write(report, store, folder, galleries or {})]


def check_formats(formats: Iterable[str]) -> None:
    """Raise ConfigError for an unknown format."""
    for name in formats:
        _writer(name)


def _writer(name: str) -> Writer:
    if name not in WRITERS:
        raise unknown("format", name, WRITERS)
    return WRITERS[name]


def _markdown(report: Report, store: Store, folder: Path, galleries: Galleries) -> list[Path]:
    from reports.figures.files import write_curves, write_pictures
    from reports.render.markdown.document import render

    pictures, curves = write_pictures(report, folder, galleries), write_curves(report, folder)
    return [_write(folder / "report.md", render(report, pictures, galleries, curves))]


def _html(report: Report, store: Store, folder: Path, galleries: Galleries) -> list[Path]:
    from reports.render.html.page import render
    from reports.render.html.scores import test_scores

    return [_write(folder / "report.html", render(report, test_scores(report, store), galleries))]


def _json(report: Report, store: Store, folder: Path, galleries: Galleries) -> list[Path]:
    from reports.render.json import render

    return [_write(folder / "report.json", render(report))]


def _csv(report: Report, store: Store, folder: Path, galleries: Galleries) -> list[Path]:
    from reports.render.csv import render

    (folder / "csv").mkdir(exist_ok=True)
    return [_write(folder / "csv" / f"{name}.csv", text) for name, text in render(report, store).items()]


def _tex(report: Report, store: Store, folder: Path, galleries: Galleries) -> list[Path]:
    from reports.render.latex import render

    return [_write(folder / "report.tex", render(report))]


def _write(path: Path, text: str) -> Path:
    write_text(path, text)
    return path


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {"md": _markdown, "html": _html, "json": _json, "csv": _csv, "tex": _tex}
)
"""The writer of each format."""
