"""How many augmented views per image are enough: validation AUC and time by `views`, for a frozen card.

    python tests/perf/views.py [--data SOURCE] [--protocol published] [--card attempt-6b] [--epochs 16] [--seeds 3]

All settings have the same seeds, images, view seed and feature bank (in ZOO_CACHE_DIR if that is set), so a view is
computed once for all of them. `images through the prefix` is the number that an empty bank has to compute. `seconds`
is the median of the runs after the first one, which read their features from the bank. The test split decides nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from benchmark.runs.protocol import load_protocol
from benchmark.runs.storage.store import Store

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="phantom")
    parser.add_argument("--protocol", default="published")
    parser.add_argument("--card", default="attempt-6b")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--views", nargs="+", default=["1", "2", "4", "8", "fresh"])
    parsed = parser.parse_args()
    base = load_protocol(parsed.protocol).model_dump(mode="json", exclude={"name"})
    print("| views | images through the prefix | val AUC per seed | mean | sd | seconds |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="zoo-perf-") as folder:
        place = Path(folder)
        (place / "cards").mkdir()
        card = {"extends": parsed.card, "title": "t", "change": "c", "recipe": {"epochs": parsed.epochs}}
        (place / "cards/longer.yaml").write_text(json.dumps(card), encoding="utf-8")
        environment = {"ZOO_CACHE_DIR": str(place / "cache"), **os.environ, "PYTHONPATH": str(ROOT)}
        for views in parsed.views:
            rules = base | {"views": views if views == "fresh" else int(views)}
            (place / f"views-{views}.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
            zoo = [sys.executable, "-m", "zoo", "bench", "longer", "--cards", "cards", "--data", parsed.data]
            options = [
                "--protocol",
                f"views-{views}.yaml",
                "--seeds",
                str(parsed.seeds),
                "--store",
                f"store-{views}",
            ]
            subprocess.run([*zoo, *options], cwd=place, env=environment, check=True, capture_output=True)
            runs = Store(place / f"store-{views}").runs("bench")[0]
            aucs = [run.figures("val")["auc"].value or 0.0 for run in runs]
            warm = statistics.median(run.costs.seconds for run in runs[1:] or runs if run.costs)
            sizes = runs[0].split.sizes
            computed = sizes["train"] * min(parsed.epochs, parsed.epochs if views == "fresh" else int(views))
            spread = statistics.stdev(aucs) if len(aucs) > 1 else 0.0
            print(
                f"| {views} | {computed + sizes['val'] + sizes['test']} | {' '.join(f'{auc:.4f}' for auc in aucs)} | "
                f"{statistics.mean(aucs):.4f} | {spread:.4f} | {warm:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
