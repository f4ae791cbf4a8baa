"""Tasks of SLURM and nodes of Ray that are killed in the middle of a benchmark."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from benchmark.runs.execution.engines.remote import MODULE
from benchmark.runs.execution.events import Event, Started
from tests.faults.study import METHOD, SEEDS, Study, Tally, Undisturbed
from tests.support.tiny import ROOT, environment

SLURM_CLUSTER = ROOT / "tests" / "engines" / "slurm_cluster"
SLURM_OPTIONS = ("--engine", "slurm", "--slurm", "partition=main,time=10")
PATIENCE_S = 900
LOOK_S = 0.1
_LATEST_S = 8.0
_NODE_TRIES = 5
_NODE = {"num_cpus": 1, "object_store_memory": 100 * 1024**2}


def why_no_slurm() -> str | None:
    """Why no SLURM cluster can be started here; None if its programs and submitit are installed."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    programs = ("slurmctld", "slurmd", "munged", "sbatch")
    if missing := [name for name in programs if shutil.which(name, path=path) is None]:
        return f"SLURM is not installed: no {', '.join(missing)} (Debian: slurm-wlm, munge)"
    return None if find_spec("submitit") else "the slurm extra is not installed"


def why_no_ray() -> str | None:
    """Why no Ray cluster can be started here; None if Ray is installed."""
    return None if find_spec("ray") else "the ray extra is not installed"


def slurm_tasks(count: int, seed: int, folder: Path, whole: Undisturbed) -> Tally:
    """Kill the processes of SLURM tasks at random moments; the same command is given again until it is done.

    Args:
        count: How many tasks.
        seed: The seed of the moments.
        folder: Where studies and the cluster are.
        whole: What the command does on this machine alone.

    Returns:
        What happened.
    """
    tally = Tally("a SLURM task killed")
    chance = random.Random(f"{seed}-slurm")
    studies = 0
    with on_slurm(folder / "slurm") as variables:
        while tally.faults < count:
            study = Study.create(folder / f"slurm-{studies}", variables)
            studies += 1
            before: dict[str, str] = {}
            code = 1
            while code != 0 and tally.faults < count:
                log = study.folder / "slurm.log"
                process = study.start("cluster", log, *SLURM_OPTIONS)
                due: dict[int, float] = {}
                while process.poll() is None:
                    time.sleep(LOOK_S)
                    for task in tasks_of(study.folder):
                        moment = due.setdefault(task.pid, time.monotonic() + chance.uniform(0, _LATEST_S))
                        if time.monotonic() >= moment and tally.faults < count:
                            with contextlib.suppress(psutil.NoSuchProcess):
                                task.kill()
                                tally.faults += 1
                                due[task.pid] = float("inf")
                code = process.wait()
                tally.printed(log.read_text(encoding="utf-8", errors="replace"))
                before = tally.look(study, before)
            code, printed, _ = study.finish("cluster", *SLURM_OPTIONS)
            tally.compare(study, code, printed, whole.results, before)
    return tally


def tasks_of(folder: Path) -> list[psutil.Process]:
    """The processes that compute tasks of a study.

    Args:
        folder: The folder of the study.
    """
    tasks = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if MODULE in words and any(word.startswith(f"{folder}{os.sep}") for word in words):
            tasks.append(process)
    return tasks


@contextlib.contextmanager
def on_slurm(folder: Path, timeout_s: int = 300) -> Iterator[dict[str, str]]:
    """A cluster of two nodes.

    Args:
        folder: Its folder, which does not exist.
        timeout_s: Seconds after which a node that does not answer counts as down.

    Yields:
        The variables with which commands reach it.
    """
    folder.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = min(free.getsockname()[1], 65000)
    variables = {"SLURM_CONF": str(folder / "slurm.conf")}
    env = {**environment(folder / "cache"), **variables, "PORT": str(port), "SLURMD_TIMEOUT": str(timeout_s)}
    try:
        subprocess.run([SLURM_CLUSTER, "start", folder], env=env, check=True, stdout=sys.stderr)
        yield variables
    finally:
        subprocess.run([SLURM_CLUSTER, "stop", folder], env=env, capture_output=True, check=False)


def ray_nodes(count: int, seed: int, folder: Path, whole: Undisturbed) -> Tally:
    """Kill the node of a Ray cluster that computes, at random moments, and add another one.

    Args:
        count: How many nodes.
        seed: The seed of the moments.
        folder: Where the studies are written.
        whole: What the command does on this machine alone.

    Returns:
        What happened.
    """
    tally = Tally("a Ray node killed")
    studies = 0
    while tally.faults < count:
        study = Study.create(folder / f"ray-{studies}")
        studies += 1
        before: dict[str, str] = {}
        code = 1
        while code != 0 and tally.faults < count:
            code, killed, printed = in_ray_process(
                study, __name__, count - tally.faults, f"{seed}-{studies}-{tally.faults}"
            )
            tally.faults += killed
            tally.printed(printed)
            if code not in (0, 1):
                raise RuntimeError(f"the process with the Ray cluster ends with {code}: {printed[-2000:]}")
            before = tally.look(study, before)
        tally.end(study, "cluster", whole.results, before)
    return tally


def in_ray_process(study: Study, module: str, *words: object) -> tuple[int, int, str]:
    """Run a module that makes a Ray cluster in the folder of a study. The process of Ray must not be forked.

    Args:
        study: The study.
        module: The module, whose last line is the number of nodes that it killed.
        words: Its arguments.

    Returns:
        Its exit code, that number, and what it printed.
    """
    ours = {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    log = study.folder / "ray.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, words)],
            cwd=study.folder,
            env={**environment(study.cache), **METHOD, **ours},
            stdout=file,
            stderr=file,
        )
        try:
            code = process.wait(PATIENCE_S)
        finally:
            for daemon in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else ():
                daemon.kill()
            process.kill()
    printed = log.read_text(encoding="utf-8", errors="replace")
    last = (printed.splitlines() or [""])[-1]
    return code, int(last) if last.isdecimal() else 0, printed


def _bench_on_ray(most: int, seed: str) -> int:
    """Run the benchmark of a study in this folder while its node is killed, and print how often it was."""
    import ray

    import zoo

    chance = random.Random(seed)
    cluster, [node] = ray_cluster(1)
    killed = 0

    def kill_node(event: Event) -> None:  # in the main thread, since Ray sets signal handlers for a new node
        nonlocal node, killed
        if isinstance(event, Started) and killed < most:
            time.sleep(chance.uniform(0, _LATEST_S))
            cluster.remove_node(node, allow_graceful=False)
            killed += 1
            node = added(cluster)

    try:
        bench = zoo.bench(
            ("constant", "pixels-logistic"),
            data="two.npz",
            protocol="smallest.yaml",
            store="runs",
            seeds=SEEDS,
            engine="ray",
            on_event=kill_node,
        )
    finally:
        ray.shutdown()
        cluster.shutdown()
    print(killed)
    return 0 if all(run.status == "ok" for run in bench.runs) else 1


def ray_cluster(count: int) -> tuple[Any, list[Any]]:
    """Start a Ray cluster and connect this process with it.

    Args:
        count: Nodes of one core each that compute; another one has none.

    Returns:
        The cluster and these nodes.
    """
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    cluster.add_node(**(_NODE | {"num_cpus": 0}), include_dashboard=False)
    nodes = [added(cluster) for _ in range(count)]
    ray.init(address=cluster.address, log_to_driver=False)
    return cluster, nodes


def added(cluster: Any) -> Any:
    """A new node of a Ray cluster, which gives a node 30 s to start: too little on a busy machine."""
    for _ in range(_NODE_TRIES - 1):
        with contextlib.suppress(Exception):
            return cluster.add_node(**_NODE)
    return cluster.add_node(**_NODE)


if __name__ == "__main__":
    sys.exit(_bench_on_ray(int(sys.argv[1]), sys.argv[2]))
