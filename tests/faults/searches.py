"""Searches on two nodes of SLURM or Ray, one of which is killed in the middle."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import sys
import time
from pathlib import Path

import psutil

from benchmark.runs.execution.events import Event, Started
from benchmark.runs.storage.store import Store
from tests.faults.clusters import LOOK_S, PATIENCE_S, SLURM_OPTIONS, in_ray_process, on_slurm, ray_cluster, tasks_of
from tests.faults.study import TRIALS, Study, Tally, Undisturbed

_TIMEOUT_S = 15
"""Seconds after which SLURM counts a node that does not answer as down."""
_BEFORE = "before.json"
"""The file with the dates of the runs that were finished when a node of Ray was killed."""


def slurm_search(seed: int, folder: Path, whole: Undisturbed) -> Tally:
    """Kill a node of SLURM with all its processes during a search; the same command is then given again.

    Args:
        seed: The seed of the moment.
        folder: Where the study and the cluster are.
        whole: What the search does on this machine alone.

    Returns:
        What happened. The results are those of all trials and of the winner.
    """
    tally = Tally(f"a SLURM node killed during a search of {TRIALS} trials")
    with on_slurm(folder / "slurm-search", _TIMEOUT_S) as variables:
        study = Study.create(folder / "slurm-searched", variables)
        log = study.folder / "slurm.log"
        process = study.start("cluster-search", log, *SLURM_OPTIONS)
        started: set[psutil.Process] = set()
        before: dict[str, str] = {}
        nth, until = _nth(seed), time.monotonic() + PATIENCE_S
        try:
            while process.poll() is None and time.monotonic() < until:
                time.sleep(LOOK_S)
                tasks = tasks_of(study.folder)
                started.update(tasks)
                if not tally.faults and len(started) >= nth and tasks:
                    before = study.dates()
                    tally.faults += _killed_node(folder / "slurm-search", tasks)
        finally:
            process.strike(signal.SIGKILL)
        code = process.wait()
        tally.notes.append(f"the search whose node was killed ended with {code}")
        tally.printed(log.read_text(encoding="utf-8", errors="replace"))
        before = tally.look(study, before)
        code, printed, _ = study.finish("cluster-search", *SLURM_OPTIONS)
        _compare(tally, study, code, printed, whole, before)
    return tally


def _compare(tally: Tally, study: Study, code: int, printed: str, whole: Undisturbed, before: dict[str, str]) -> None:
    """Compare a search that was given again with an undisturbed one. A node that was not killed proves nothing."""
    tally.compare(study, code, printed, whole.results, before)
    if not tally.faults:
        tally.late += 1
        tally.unfinished += 1
        tally.notes.append("no node was killed")


def _nth(seed: int) -> int:
    """The number of the start of a run after which the node is killed."""
    return random.Random(f"{seed}-search").randint(3, TRIALS - 2)


def _killed_node(cluster: Path, tasks: list[psutil.Process]) -> bool:
    """Kill the node that computes one of `tasks`, as a loss of power does; whether one was killed."""
    variables: dict[str, str] = {}
    for task in tasks:
        with contextlib.suppress(psutil.Error):
            variables = task.environ()
    if not (node := variables.get("SLURMD_NODENAME")):
        return False
    victims = [psutil.Process(int((cluster / f"slurmd-{node}.pid").read_text(encoding="ascii")))]
    computing = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            its = process.environ()
            if (its.get("SLURMD_NODENAME"), its.get("SLURM_CONF")) == (node, variables["SLURM_CONF"]):
                computing.append(process)
                victims += [parent for parent in process.parents() if "slurmstepd" in parent.name()]
    for process in (*victims, *computing):  # first those that would tell the controller that a task ended
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return True


def ray_search(seed: int, folder: Path, whole: Undisturbed) -> Tally:
    """Kill a node of Ray during a search; the same search is then given again, on this machine alone.

    Args:
        seed: The seed of the moment.
        folder: Where the study is written.
        whole: What the search does on this machine alone.

    Returns:
        What happened. The results are those of all trials and of the winner.

    Raises:
        RuntimeError: The search ended with an error.
    """
    tally = Tally(f"a Ray node killed during a search of {TRIALS} trials")
    study = Study.create(folder / "ray-searched")
    code, tally.faults, printed = in_ray_process(study, __name__, _nth(seed))
    if code:
        raise RuntimeError(f"the process with the Ray cluster ends with {code}: {printed[-2000:]}")
    tally.printed(printed)
    before = json.loads((study.folder / _BEFORE).read_text(encoding="utf-8")) if tally.faults else {}
    before = tally.look(study, before)
    code, printed, _ = study.finish("cluster-search")
    _compare(tally, study, code, printed, whole, before)
    return tally


def _search_on_ray(nth: int) -> None:
    """Run the search of a study in this folder, kill a node at the nth start of a run, and print how many it killed."""
    import ray

    import zoo

    cluster, [node, _] = ray_cluster(2)
    started = 0

    def kill_node(event: Event) -> None:
        nonlocal started
        if isinstance(event, Started):
            started += 1
            if started == nth:
                dates = {run.run_id: str(run.finished) for run in Store(Path("runs")).runs()[0] if run.status == "ok"}
                Path(_BEFORE).write_text(json.dumps(dates), encoding="utf-8")
                cluster.remove_node(node, allow_graceful=False)

    try:
        zoo.search(
            "scratch",
            space="rates.yaml",
            trials=TRIALS,
            data="two.npz",
            protocol="smallest.yaml",
            store="runs",
            out="searched",
            card_folders="cards",
            engine="ray",
            on_event=kill_node,
        )
    finally:
        ray.shutdown()
        cluster.shutdown()
    print(int(started >= nth))


if __name__ == "__main__":
    _search_on_ray(int(sys.argv[1]))
