"""Fuzzing as a series of faults: each loader in a process of its own, since a loader may crash or hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.faults.fuzz.targets import TARGETS
from tests.faults.study import Tally
from tests.support.tiny import ROOT


def fuzz_loaders(minutes: float, seed: int, folder: Path) -> Tally:
    """Give mutated files to each loader.

    Args:
        minutes: Processor time of all loaders together, in minutes.
        seed: The seed of the mutations.
        folder: Where files are written; those of findings are in its folder `findings`.

    Returns:
        What happened: files as faults, findings as tracebacks, and how many files each loader had per minute.
    """
    tally = Tally(f"fuzzed loaders, {minutes:g} min")
    for name in TARGETS:
        words = [name, str(seed), str(60 * minutes / len(TARGETS)), str(folder / "fuzz"), str(folder / "findings")]
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.fuzz.fuzzer", *words],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = done.stdout.splitlines()
        if done.returncode != 0 or not lines:
            current = folder / "fuzz" / name / f"mine{TARGETS[name].suffix}"
            tally.tracebacks += 1
            tally.notes.append(f"{name}: ended with {done.returncode} at {current}: {done.stderr.strip()[-300:]}")
            continue
        counts = json.loads(lines[-1])
        tally.faults += counts["inputs"]
        tally.tracebacks += len(counts["findings"])
        rate = 60 * counts["inputs"] / max(counts["seconds"], 1e-9)
        share = counts["refused"] / max(counts["inputs"], 1)
        tally.notes.append(
            f"{name}: {counts['inputs']:,} files, {rate:,.0f} per minute, {share:.0%} refused in one line"
        )
        tally.notes += [f"{name}: {line}" for line in counts["findings"]]
    return tally
