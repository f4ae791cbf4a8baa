"""Measure the same runs on engines and numbers of workers: wall time, speed-up, and whether all results are equal.

    python -m tests.perf.engines [CARD] [--data SOURCE] [--protocol NAME] [--seeds N] [--only local,slurm,ray]

Each line is one `zoo bench CARD` with `--cores 1` and an empty store, from its start to its end. All lines share one
cache, which an unmeasured run fills first. SLURM and Ray have two nodes of one core each on this machine
(tests/engines), started before the clock. The speed-up is against one worker of the local engine.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.runs.storage.store import Store

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "tests/engines/slurm_cluster"
LOCAL = (1, 2, 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", nargs="?", default="attempt-1-no-augmentation")
    parser.add_argument("--data", default="phantom")
    parser.add_argument("--protocol", default="quick")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--only", default="local,slurm,ray")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zoo-engines-") as text:
        folder = Path(text)
        bench = [
            sys.executable,
            "-m",
            "zoo",
            "bench",
            parsed.card,
            "--data",
            parsed.data,
            "--protocol",
            parsed.protocol,
        ]
        os.environ["ZOO_CACHE_DIR"] = str(folder / "cache")
        measure([*bench, "--seeds", "1", "--cores", "1"], folder / "warm-up")
        bench += ["--seeds", str(parsed.seeds), "--cores", "1"]
        results = {}
        if "local" in parsed.only:
            for jobs in LOCAL:
                results[f"local --jobs {jobs}"] = measure([*bench, "--jobs", str(jobs)], folder / f"local-{jobs}")
        if "slurm" in parsed.only:
            with slurm(folder / "slurm"):
                options = ["--engine", "slurm", "--slurm", "partition=main,time=60"]
                results["slurm, 2 nodes"] = measure([*bench, *options], folder / "on-slurm")
        if "ray" in parsed.only:
            with ray() as address:
                options = ["--engine", "ray", "--ray", f"address={address}"]
                results["ray, 2 nodes"] = measure([*bench, *options], folder / "on-ray")
    print_results(results, parsed.seeds)


def measure(command: list[str], store: Path) -> tuple[float, dict[str, str]]:
    """Returns: wall time in seconds; the figures of each run as text, by run id."""
    began = time.perf_counter()
    done = subprocess.run([*command, "--store", str(store)], cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    runs, _ = Store(store).runs()
    figures = {run.run_id: repr((run.figures("val"), run.figures("test"), run.threshold)) for run in runs}
    print(f"{seconds:8.1f} s  {' '.join(command[3:])}", flush=True)
    return seconds, figures


def print_results(results: dict[str, tuple[float, dict[str, str]]], n: int) -> None:
    first, (baseline, expected) = next(iter(results.items()))
    print(f"\n| engine | seconds | per run | speed-up against {first} | equal to the last bit |\n|---|---|---|---|---|")
    for name, (seconds, figures) in results.items():
        equal = sum(figures.get(run_id) == text for run_id, text in expected.items())
        print(f"| {name} | {seconds:.0f} | {seconds / n:.1f} | {baseline / seconds:.2f} | {equal} of {n} |")


@contextmanager
def slurm(folder: Path) -> Iterator[None]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = min(free.getsockname()[1], 65000)
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    subprocess.run([CLUSTER, "start", folder], env={**os.environ, "PORT": str(port)}, check=True)
    try:
        yield
    finally:
        subprocess.run([CLUSTER, "stop", folder], check=False)


@contextmanager
def ray() -> Iterator[str]:
    """Returns: the address of a cluster of two nodes of one core each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    small = {"num_cpus": 1, "object_store_memory": 100 * 1024**2}
    cluster.add_node(**small, include_dashboard=False)
    cluster.add_node(**small)
    cluster.wait_for_nodes()
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
