"""Commands that a signal ends at random moments, and that are run again until they are done."""

from __future__ import annotations

import random
import signal
import subprocess
from pathlib import Path

from tests.faults.study import Study, Tally, kill_group

PATIENCE_S = 60
"""How long a command may take to end after a signal that it can answer."""


def interrupt(
    command: str, number: signal.Signals, count: int, seed: int, folder: Path, undisturbed: tuple[dict[str, str], float]
) -> Tally:
    """Send a signal to a command at random moments of its run.

    A study is interrupted again and again, until its command gets to the end; then the next study begins.

    Args:
        command: A name in `COMMANDS`.
        number: The signal, which all processes of the command receive.
        count: How many times.
        seed: The seed of the moments.
        folder: Where the studies are written.
        undisturbed: Results and seconds of the undisturbed command.

    Returns:
        What the signals did.
    """
    reference, seconds = undisturbed
    moments = random.Random(seed)
    tally = Tally(f"{number.name} during {command}")
    studies = 0
    while tally.faults < count:
        study = Study.create(folder / f"{command}-{number.name}-{studies}")
        studies += 1
        before: dict[str, str] = {}
        ended = False
        while not ended and tally.faults < count:
            errors = study.folder / "interrupted.log"
            process = study.start(command, errors)
            try:
                process.wait(moments.uniform(0, seconds))
                ended = True
                tally.late += 1
            except subprocess.TimeoutExpired:
                tally.faults += kill_group(process, number)
                _wait(process, tally)
            if number != signal.SIGKILL or ended:
                tally.printed(errors.read_text(encoding="utf-8", errors="replace"))
            before = tally.look(study, before)
        tally.end(study, command, reference, before)
    return tally


def _wait(process: subprocess.Popen[bytes], tally: Tally) -> None:
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        tally.notes.append(f"still running {PATIENCE_S} s after the signal")
        tally.unfinished += 1
        kill_group(process, signal.SIGKILL)
        process.wait()
