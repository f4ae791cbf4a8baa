"""Wall and processor time of a command, until its first line or its end, by one source tree or by several in turn.

    python -m tests.perf.start [--until line] [--rounds 5] [--tree FOLDER ...] -- bench constant --data SOURCE
    python -m tests.perf.start --tree . --tree ../before -- report --store runs

Processor time is that of all processes of the command, such as one that loads Keras in the background. Each execution
has a store of its own, and the cache stays. `{out}` in an argument is that store's folder. The medians are those of
executions after a first one to its end, which fills caches and compiles modules.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--until", choices=("line", "end"), default="end")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tree", type=Path, action="append", default=[])
    parser.add_argument("words", nargs="+", metavar="WORD")
    asked = parser.parse_args()
    trees: list[Path] = [path.resolve() for path in asked.tree] or [ROOT]
    measure = to_first_line if asked.until == "line" else to_end
    times: dict[Path, list[tuple[float, float]]] = {tree: [] for tree in trees}
    # Without the safe path, the working directory would come before the tree.
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for number in range(asked.rounds + 1):
        for tree in trees:
            environment["PYTHONPATH"] = str(tree)
            with tempfile.TemporaryDirectory(prefix="zoo-start-") as out:
                words = [word.replace("{out}", out) for word in asked.words]
                begin = time.perf_counter()
                processor, waited = (measure if number else to_end)(words, environment)
            if number:
                times[tree].append((waited - begin, processor))
    for tree, rounds in times.items():
        parts = [
            f"{kind} {statistics.median(taken):.2f} s ({min(taken):.2f} to {max(taken):.2f})"
            for kind, taken in zip(("wall", "processor"), zip(*rounds, strict=True), strict=True)
        ]
        print(f"{tree}: {', '.join(parts)}")


def started(words: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """The command in a process group of its own, with one stream for all that it prints."""
    return subprocess.Popen(
        [sys.executable, "-m", "zoo", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def to_end(words: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Processor seconds of the whole command, and the moment when it ended."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = started(words, environment)
    printed, _ = process.communicate()
    if process.returncode:
        sys.exit(printed.decode(errors="replace"))
    moment, after = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, moment


def to_first_line(words: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Processor seconds when the first line arrives, and the moment; the command is then ended."""
    process = started(words, environment)
    assert process.stdout is not None
    process.stdout.readline()
    moment, seconds = time.perf_counter(), 0.0
    command = psutil.Process(process.pid)
    for each in (command, *command.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            own = each.cpu_times()
            seconds += own.user + own.system
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()
    return seconds, moment


if __name__ == "__main__":
    main()
