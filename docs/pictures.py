"""The pictures and the example report of the documentation, all from one store: `make pictures`.

It benches the cards of `pneumonia-report` on the phantom into a temporary folder, which takes minutes. With
`--store DIR` it takes the runs of an existing store.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console

from benchmark.runs.storage.store import Store
from reports.render.terminal.comparison import answers
from reports.report import build_report

DOCS = Path(__file__).resolve().parent
COLUMNS = 120
WIDTH = 1280
"""Of the browser window, in pixels."""

_ANSWER = ".answer-first"
_MARGIN = 24
_STORE = Path("runs")


def main() -> None:
    """Make `answer.svg`, `report.png` and `example/` below the folder of the documentation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="a store of runs on the phantom, instead of benching all cards")
    parser.add_argument("--out", type=Path, default=DOCS, help="the folder to write into, %(default)s if left out")
    arguments = parser.parse_args()
    chromium()  # reports a missing browser before the bench
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    example = out / "example"
    source = None if arguments.store is None else arguments.store.resolve()
    # The commands in pictures and example are those of a reader, for the default store of the current folder.
    with tempfile.TemporaryDirectory(prefix="zoo-pictures-") as folder, contextlib.chdir(folder):
        if source is None:
            _zoo("bench", "--all")
        else:
            _STORE.symlink_to(source, target_is_directory=True)
        draw_answer(_STORE, out / "answer.svg")
        if example.exists():
            shutil.rmtree(example)  # figures of cards that are gone would stay
        _zoo("report", "--out", str(example))
        photograph(example / "report.html", out / "report.png")


def draw_answer(store: Path, path: Path) -> None:
    """The answer with which `zoo bench` ends about the runs in `store`, as a picture of a terminal."""
    source = Store(store)
    runs, problems = source.runs("bench")
    if problems or not runs:
        sys.exit("\n".join(problems) or f"{store}: contains no runs")
    console = Console(record=True, width=COLUMNS, highlight=False, file=io.StringIO(), force_terminal=True)
    console.print(answers(build_report(runs, source.history, summarised=source), store))
    svg = console.export_svg(title="zoo bench --all", unique_id="answer")
    # A picture asks nothing of the network: of the sources of a font those on the machine are left.
    svg = re.sub(r'(src: local\("[^"]+"\)),\s*(?:url\("[^"]+"\) format\("[^"]+"\)[,;]\s*)+', r"\1;\n        ", svg)
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def photograph(page: Path, path: Path) -> None:
    """The answer of the report `page`, from the top of the page, as a browser shows it on a wide screen."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_page(viewport={"width": WIDTH, "height": 1000})
        opened.goto(page.resolve().as_uri())
        answer = opened.locator(_ANSWER).first.bounding_box()
        if answer is None:
            sys.exit(f"{page}: contains no answer")
        height = answer["y"] + answer["height"] + _MARGIN
        picture = opened.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
        browser.close()
    # A palette is enough for a few colours, and a third of the size.
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(256).save(path, optimize=True)


def chromium() -> str:
    """The system's browser, as the tests find it."""
    path = os.environ.get("ZOO_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        sys.exit("no Chromium: install one, or set ZOO_CHROMIUM to its path")
    return path


def _zoo(*arguments: str) -> None:
    paths = [str(DOCS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    subprocess.run([sys.executable, "-m", "zoo", *arguments], env=environment, check=True)


if __name__ == "__main__":
    main()
