"""The time in which a store of many runs is listed, without an index and with it.

    PYTHONPATH=. python tests/perf/many_runs.py [--runs 10000] [--store DIR]

Stores the runs through the writer of the program, without training: the scores of twenty trainings, each under many
seeds. A store that exists is used as it is, and its index is removed first. Every command is a process of its own, so
that its start counts. Prints wall and processor time, and the peak memory, of

- `zoo runs` without an index (every file is read and every figure computed again), then with it;
- the opening of the store by `zoo bench` and `zoo report`: what they read of all its runs, with the index.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmark.runs.storage.index import INDEX, SETTLED_S
from benchmark.runs.storage.store import Store
from tests.support.records import HEALTHY, KAGGLE, cards, make_run, on_test, on_val, planted, recorded_history

TRAININGS = 20
OPEN = {
    "zoo runs": "from zoo.cli.app import main; sys.argv = ['zoo', 'runs', '--store', root]; main()",
    "opened by zoo bench": (
        "from benchmark.runs.storage.beside.remembered import auto_protocol_of, cards_under, options_of\n"
        "from benchmark.runs.storage.store import Store\n"
        "from zoo.api.arguments.inputs import readable_runs\n"
        "from zoo.api.output.messages import Messages\n"
        "store = Store(Path(root))\n"
        "options_of(store, 'other'), auto_protocol_of(store, 'other'), cards_under(store, 'other')\n"
        "readable_runs(store, Messages(), 'curve')"
    ),
    "opened by zoo report": (
        "from zoo.api.arguments.inputs import readable_runs\n"
        "from zoo.api.output.messages import Messages\n"
        "from benchmark.runs.storage.store import Store\n"
        "store = Store(Path(root))\n"
        "readable_runs(store, Messages(), 'bench'), readable_runs(store, Messages(), 'curve')"
    ),
}


def fill(root: Path, count: int) -> None:
    """Store `count` finished runs, each with scores of 60 validation and 100 test images."""
    store, names = Store(root), sorted(cards())
    trainings = []
    for number in range(min(TRAININGS, count)):
        val, test = on_val(*planted(30, 30, seed=number)), on_test(*planted(50, 50, seed=100 + number))
        run = make_run(names[number % len(names)], val=val, test=test, history=HEALTHY, dataset=KAGGLE)
        parts = [(part, [f"{part.split}/{place}" for place in range(len(part))]) for part in (val, test)]
        trainings.append((run, parts))
    for number in range(count):
        run, parts = trainings[number % len(trainings)]
        spec = run.spec.model_copy(update={"seed": number})
        store.save(run.model_copy(update={"spec": spec}), parts, recorded_history(HEALTHY))


def measured(root: Path, code: str) -> str:
    """The time and the memory of a process that runs `code`, in words."""
    head = "import sys\nfrom pathlib import Path\nroot = sys.argv[1]\n"
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", head + code, str(root)], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"exit code {os.waitstatus_to_exitcode(status)} of: {code}")
    wall = time.perf_counter() - begin
    return f"{wall:.1f} s, {used.ru_utime + used.ru_stime:.1f} s of processor time, {used.ru_maxrss / 1024:.0f} MiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--store", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zoo-perf-") as folder:
        root = options.store or Path(folder) / "runs"
        if not root.exists():
            begin = time.perf_counter()
            # In a process of its own: the peak memory of a process is at least that of the one that starts it.
            filling = multiprocessing.get_context("spawn").Process(target=fill, args=(root, options.runs))
            filling.start()
            filling.join()
            print(f"{options.runs} runs stored in {time.perf_counter() - begin:.0f} s")
            time.sleep(SETTLED_S)
        (root / INDEX).unlink(missing_ok=True)
        print(f"{len(Store(root)._names()):,} folders, {os.cpu_count()} processors")
        print(f"zoo runs, without an index: {measured(root, OPEN['zoo runs'])}")
        print(f"index: {(root / INDEX).stat().st_size / 2**20:.1f} MiB")
        for name, code in OPEN.items():
            print(f"{name}, with the index: {measured(root, code)}")


if __name__ == "__main__":
    main()
