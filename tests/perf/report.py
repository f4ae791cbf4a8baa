"""The time of a report on three or more classes, from the command to its files.

    PYTHONPATH=. python tests/perf/report.py [--cards 14] [--seeds 3] [--images 500] [--formats md html json csv tex]

Draws the scores of ten digits for each card and seed, stores them without training, and runs `zoo report` on the store,
in a process of its own as a user does. Prints the wall time for each format, and for all of them together.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.multiclass_stores import ten_classes_in
from tests.support.records import cards

FORMATS = ("md", "html", "json", "csv", "tex")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", type=int, default=14)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--formats", nargs="+", default=list(FORMATS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zoo-perf-") as folder:
        place = Path(folder)
        ten_classes_in(place, list(cards())[: options.cards], seeds=options.seeds, images=options.images)
        print(f"{options.cards} cards, {options.seeds} seeds, {options.images} test images of ten classes")
        for formats in [*([name] for name in options.formats), options.formats]:
            zoo = [sys.executable, "-m", "zoo", "report", "--store", "runs", "--out", f"out-{'-'.join(formats)}"]
            chosen = [part for name in formats for part in ("--format", name)]
            begin = time.perf_counter()
            subprocess.run([*zoo, *chosen], cwd=place, check=True, capture_output=True)
            print(f"{', '.join(formats)}: {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()
