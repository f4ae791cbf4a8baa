"""Commands that a signal ends at random moments, and that are run again until they are done."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

from tests.faults.study import Study, Tally, Undisturbed
from tests.faults.warm import Command, kill_workers
from zoo.config.leftovers import PREFIX

PATIENCE_S = 120
"""How long a command may take to end after a signal that it can answer."""

_LAST_SHARE = 0.2  # of the seconds of the whole command, which a command takes that has nothing left to compute
_LONGEST_AFTER_WRITE_S = 0.02
_DEEPEST = 3
"""The depth of the folders in which commands write."""
_LOOK_S = 0.001


def interrupt(command: str, number: signal.Signals, count: int, seed: int, folder: Path, whole: Undisturbed) -> Tally:
    """Send a signal to a command at random moments of its run.

    A study is interrupted again and again, until its command gets to the end; then the next study begins. Every second
    moment is while a file or a folder is being written. SIGKILL ends the workers as well, every second time; else they
    are left to notice that the command is gone, while the command is run again.

    Args:
        command: A name in `COMMANDS`.
        number: The signal.
        count: How many times.
        seed: The seed of the moments.
        folder: Where the studies are written.
        whole: What the undisturbed command does.

    Returns:
        What the signals did.
    """
    chance = random.Random(f"{seed}-{command}-{number}")
    tally = Tally(f"{number.name} during {command}")
    studies = 0
    while tally.faults < count:
        study = Study.create(folder / f"{command}-{number.name}-{studies}", store=whole.store)
        studies += 1
        before = study.dates()
        ended = False
        while not ended and tally.faults < count:
            left = max(_LAST_SHARE, 1 - len(before) / len(whole.results)) * whole.seconds
            log = study.folder / "interrupted.log"
            process = study.start(command, log)
            is_due = _wait_for_write if (tally.faults + tally.late) % 2 else _wait
            if is_due(process, study, chance, left):
                tally.faults += process.strike(number)
                if number == signal.SIGKILL and chance.random() < 0.5:
                    kill_workers()
                _wait_for_end(process, tally)
            else:
                ended = True
                tally.late += 1
            if number != signal.SIGKILL or ended:
                tally.printed(log.read_text(encoding="utf-8", errors="replace"))
            before = tally.look(study, before)
        tally.end(study, command, whole.results, before)
    return tally


def _wait(process: Command, _: Study, chance: random.Random, seconds: float) -> bool:
    """Wait for a random moment. Returns whether the command still runs."""
    try:
        process.wait(chance.uniform(0, seconds))
    except subprocess.TimeoutExpired:
        return True
    return False


def _wait_for_write(process: Command, study: Study, chance: random.Random, _: float) -> bool:
    """Wait until something is written for the first, second or third time. Returns whether the command still runs."""
    writes = chance.randint(1, 3)
    names: set[str] = set()
    while len(names) < writes:
        names |= {str(path) for path in being_written(study)}
        if process.poll() is not None:
            return False
        time.sleep(_LOOK_S)
    time.sleep(chance.uniform(0, _LONGEST_AFTER_WRITE_S))
    return process.poll() is None


def being_written(study: Study) -> list[Path]:
    """Temporary files and folders of a study, in its store, cache and documents."""
    written: list[Path] = []
    # Unlike glob, os.walk passes over a folder that is renamed or removed meanwhile.
    for folder, folders, files in os.walk(study.folder):
        written += (Path(folder, name) for name in (*folders, *files) if name.startswith(PREFIX))
        if Path(folder).relative_to(study.folder).parts[_DEEPEST - 1 :]:
            folders.clear()
    return written


def _wait_for_end(process: Command, tally: Tally) -> None:
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        tally.notes.append(f"still running {PATIENCE_S} s after the signal")
        tally.unfinished += 1
        process.strike(signal.SIGKILL)
        kill_workers()
        process.wait()
