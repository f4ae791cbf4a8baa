"""Runs that need more memory than the control group of their command has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.faults.study import METHOD, Study, Tally
from tests.support.memory_group import ENTER, memory_group
from tests.support.tiny import card, environment, write_protocol

LIMIT_GIB = 2.4
_SIDE = 160
_SAYS = re.compile(r"; (batch_size \d+ would fit|not even batch_size 1 fits)")


def why_no_group() -> str | None:
    """Why no control group with a limit of memory can be made here; None if it can."""
    try:
        with memory_group(2**30):
            return None
    except OSError as error:
        return f"no control group with a limit of memory can be made here: {error}"


def out_of_memory(count: int, folder: Path) -> Tally:
    """Run a card that needs more memory than there is, beside one that is sound.

    Args:
        count: How many times.
        folder: Where the studies are written.

    Returns:
        What happened. A study is unfinished unless the large card is a failed row that says which batch size would fit,
        and different unless the sound card has the results of a command with enough memory.

    Raises:
        RuntimeError: The sound card fails with enough memory.
    """
    tally = Tally(f"a run that needs more than {LIMIT_GIB} GiB, the limit of its control group")
    sound = _study(folder / "memory-sound")
    code, printed = sound.finish_cold("constant")
    if code:
        raise RuntimeError(f"constant fails undisturbed: exit {code}\n{printed}")
    for number in range(count):
        study = _study(folder / f"memory-{number}")
        with memory_group(int(LIMIT_GIB * 1024**3)) as group:
            done = subprocess.run(
                [*ENTER, str(group), sys.executable, "-m", "zoo", *study.words("wide")],
                cwd=study.folder,
                env={**environment(study.cache), **METHOD},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        tally.faults += 1
        tally.printed(done.stdout + done.stderr)
        tally.look(study, {})
        failed = [run.error or "" for run in study.store.runs()[0] if run.status == "failed"]
        if done.returncode != 1 or len(failed) != 1 or not _SAYS.search(failed[0]):
            tally.unfinished += 1
            tally.notes += [f"exit {done.returncode}: {line}" for line in failed or done.stderr.splitlines()[-2:]]
        if study.results() != sound.results():
            tally.different += 1
            tally.notes.append(f"{study.folder}: the sound card has other results than with enough memory")
    return tally


def _study(folder: Path) -> Study:
    study = Study.create(folder)
    protocol = write_protocol(study.folder / "smallest.yaml")
    larger = protocol.read_text(encoding="utf-8").replace("image_size: 32", f"image_size: {_SIDE}")
    protocol.write_text(larger, encoding="utf-8")
    wide = card("wide", model={"filters": [256]}, epochs=1, batch_size=40)
    content = wide.model_dump(mode="json", exclude={"name"}, exclude_defaults=True)
    (study.folder / "cards" / "wide.yaml").write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return study
