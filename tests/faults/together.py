"""Several processes that run one command on one store, of which some are killed, and clocks that jump."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

from tests.faults.study import Study, Tally, Undisturbed
from tests.faults.warm import Command

JUMPING = '''\
"""Makes the clock of every Python process jump by up to a day, forwards and backwards."""

import random
import time

_random = random.Random()
_time = time.time


def _jumping() -> float:
    return _time() + _random.uniform(-86400, 86400)


time.time = _jumping
'''


def crowd(command: str, processes: int, minutes: float, seed: int, folder: Path, whole: Undisturbed) -> Tally:
    """Run a command in several processes at once; kill one of them every few seconds and start another.

    Args:
        command: A name in `COMMANDS`.
        processes: How many at once.
        minutes: How long. A study that is complete is followed by the next.
        seed: The seed of victims and moments.
        folder: Where the studies are written.
        whole: What the undisturbed command does.

    Returns:
        What happened.
    """
    tally = Tally(f"{processes} processes of {command} for {minutes:g} min, some killed")
    chance = random.Random(f"{seed}-{command}-{processes}")
    until = time.monotonic() + 60 * minutes
    studies = 0
    while time.monotonic() < until:
        study = Study.create(folder / f"{command}-{processes}-together-{studies}")
        studies += 1
        before: dict[str, str] = {}
        running: list[Command] = []
        starts = 0
        while study.results() != whole.results and time.monotonic() < until:
            running = [each for each in running if each.poll() is None]
            while len(running) < processes:
                running.append(study.start(command, study.folder / f"process-{starts}.log"))
                starts += 1
            time.sleep(chance.uniform(1, 8))
            if chance.random() < 0.5:
                tally.faults += chance.choice(running).strike(signal.SIGKILL)
            before = tally.look(study, before)
        for process in running:
            process.wait()
        for log in study.folder.glob("process-*.log"):
            tally.printed(log.read_text(encoding="utf-8", errors="replace"))
        tally.end(study, command, whole.results, tally.look(study, before))
    return tally


def jumping_clock(command: str, count: int, folder: Path, whole: Undisturbed) -> Tally:
    """Run a command whose clock jumps at every look.

    Args:
        command: A name in `COMMANDS`.
        count: How many studies.
        folder: Where they are written.
        whole: What the undisturbed command does.

    Returns:
        What happened.
    """
    tally = Tally(f"jumping clock during {command}")
    module = folder / "clock"
    module.mkdir(parents=True, exist_ok=True)
    (module / "sitecustomize.py").write_text(JUMPING, encoding="utf-8")
    path = f"{module}:{Path(__file__).resolve().parents[2]}"
    for number in range(count):
        study = Study.create(folder / f"{command}-clock-{number}", {"PYTHONPATH": path})
        tally.faults += 1
        code, printed = study.finish_cold(command)
        tally.compare(study, code, printed, whole.results, {})
    return tally
