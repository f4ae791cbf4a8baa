"""The cost of a further trial as a search grows: one search, continued to 4, 8, 16 and 32 trials.

    python tests/perf/growth.py [--trials 4 8 16 32] [--data SOURCE] [--tuner random]

Prints seconds per further trial, and the peak memory of the search process and of its largest run, at each step. Trials
are short on purpose (a scratch CNN, one epoch, 64 px), so that the overhead of the search shows.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from compare import protocol, timed

from benchmark.runs.storage.store import Store

SPACE = {
    "title": "Learning rate and dropout of the scratch CNN",
    "objective": "auc",
    "reseed": {"top": 0, "seeds": 0},
    "parameters": {
        "recipe.optimizer.learning_rate": {"kind": "float", "low": 1e-5, "high": 1e-2, "scale": "log"},
        "model.dropout": {"kind": "float", "low": 0.0, "high": 0.7},
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--data", default="phantom")
    parser.add_argument("--tuner", default="random")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zoo-perf-") as folder:
        place = Path(folder)
        rules = protocol(True, "fresh", 1) | {"image_size": 64}
        (place / "perf.yaml").write_text(json.dumps(rules), encoding="utf-8")
        before, peak_before = 0, 0.0
        for trials in options.trials:
            space = SPACE | {"tuner": options.tuner, "budget": {"trials": trials}}
            (place / "space.yaml").write_text(json.dumps(space), encoding="utf-8")
            zoo = [sys.executable, "-m", "zoo", "search", "attempt-1", "--space", "space.yaml"]
            shared = ["--data", options.data, "--protocol", "perf.yaml", "--store", "store", "--out", f"out{trials}"]
            used = timed([*zoo, *shared], place)
            runs = Store(place / "store").runs("search")[0]
            peak = max((run.costs.peak_memory_mib for run in runs if run.costs), default=0.0)
            print(
                f"{trials:3d} trials: {used['seconds']:.1f} s for {trials - before} more, "
                f"{used['seconds'] / (trials - before):.1f} s per trial; peak {used['peak']:.0f} MiB, "
                f"largest run {peak:.0f} MiB (+{peak - peak_before:.0f})"
            )
            before, peak_before = trials, peak


if __name__ == "__main__":
    main()
