"""A Report as files, format by format. Only this module and what draws pictures touch the disk."""

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
"""The formats that show pictures of test images."""

Galleries = Mapping[str, Gallery]
Writer = Callable[[Report, Store, Path, Galleries], list[Path]]


def write_report(
    report: Report, store: Store, folder: Path, formats: Sequence[str], galleries: Galleries | None = None
) -> list[Path]:
    """Write `report` into `folder` in each of `formats`, and say which files to open. Every file is whole or not there.

    `store` holds the scores of its runs, `galleries` are those of some of them, by run id. Raises ConfigError for a
    format that is not known, before anything is written, and OSError.
    """
    writers = [_writer(name) for name in dict.fromkeys(formats)]
    folder.mkdir(parents=True, exist_ok=True)
    return [path for write in writers for path in write(report, store, folder, galleries or {})]


def check_formats(formats: Iterable[str]) -> None:
    """Raises ConfigError for a format that is not known."""
    for name in formats:
        _writer(name)


def _writer(name: str) -> Writer:
    if name not in WRITERS:
        raise unknown("format", name, WRITERS)
    return WRITERS[name]


def _markdown(report: Report, store: Store, folder: Path, galleries: Galleries) -> list[Path]:
    from reports.figures.files import write_pictures
    from reports.render.markdown.document import render

    return [_whole(folder / "report.md", render(report, write_pictures(report, folder, galleries), galleries))]


def _html(report: Report, store: Store, folder: Path, galleries: Galleries) -> list[Path]:
    from reports.render.html.page import render
    from reports.render.html.scores import test_scores

    return [_whole(folder / "report.html", render(report, test_scores(report, store), galleries))]


def _json(report: Report, store: Store, folder: Path, galleries: Galleries) -> list[Path]:
    from reports.render.json import render

    return [_whole(folder / "report.json", render(report))]


def _csv(report: Report, store: Store, folder: Path, galleries: Galleries) -> list[Path]:
    from reports.render.csv import render

    (folder / "csv").mkdir(exist_ok=True)
    return [_whole(folder / "csv" / f"{name}.csv", text) for name, text in render(report, store).items()]


def _tex(report: Report, store: Store, folder: Path, galleries: Galleries) -> list[Path]:
    from reports.render.latex import render

    return [_whole(folder / "report.tex", render(report))]


def _whole(path: Path, text: str) -> Path:
    write_text(path, text)
    return path


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {"md": _markdown, "html": _html, "json": _json, "csv": _csv, "tex": _tex}
)
"""What writes each format."""
