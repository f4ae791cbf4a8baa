"""A small study whose commands are disturbed: its files, its commands, and what they leave behind."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.runs.storage.store import PREDICTIONS, Store
from tests.support.tiny import environment, write_npz, write_protocol

SPACE = """\
title: Rates
objective: auc
tuner: random
budget: {trials: 4}
reseed: {top: 1, seeds: 1}
parameters:
  recipe.optimizer.learning_rate: {kind: float, low: 1.0e-5, high: 1.0e-2, scale: log}
"""
FROZEN = """\
extends: vgg16-frozen
title: VGG16 with random weights
change: random weights, which need no download
model: {weights: random}
"""
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "bench": ("bench", "constant", "pixels-logistic", "attempt-1", "--seeds", "2"),
    "bank": ("bench", "frozen", "--cards", "cards", "--seeds", "2"),
    "search": ("search", "attempt-1", "--space", "rates.yaml", "--out", "searched"),
}
"""Commands of the study, without the options that all of them share."""
SHARED = ("--data", "two.npz", "--protocol", "smallest.yaml", "--store", "runs")


@dataclass(frozen=True)
class Study:
    """A folder with images, a protocol, cards, a store and a cache of its own.

    Attributes:
        folder: Where commands run; the store is `runs` in it.
        cache: The cache of its commands.
        variables: Further environment variables of its commands.
    """

    folder: Path
    cache: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path, variables: Mapping[str, str] | None = None) -> Study:
        """Write the files of a study into a folder.

        Args:
            folder: The folder, which may exist.
            variables: Further environment variables of its commands.
        """
        (folder / "cards").mkdir(parents=True, exist_ok=True)
        write_npz(folder / "two.npz")
        write_protocol(folder / "smallest.yaml")
        (folder / "rates.yaml").write_text(SPACE, encoding="utf-8")
        (folder / "cards" / "frozen.yaml").write_text(FROZEN, encoding="utf-8")
        return cls(folder, folder / "cache", variables or {})

    @property
    def store(self) -> Store:
        """Its store, opened anew."""
        return Store(self.folder / "runs")

    def start(self, command: str, errors: Path) -> subprocess.Popen[bytes]:
        """Start one of `COMMANDS` in a process group of its own.

        Args:
            command: Its name.
            errors: The file that receives what it prints.
        """
        with errors.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-c", DEFAULT_SIGNALS, *COMMANDS[command], *SHARED],
                cwd=self.folder,
                env={**environment(self.cache), **self.variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def finish(self, command: str) -> tuple[int, str, float]:
        """Run a command to its end.

        Args:
            command: Its name.

        Returns:
            Its exit code, what it printed, and the seconds that it took.
        """
        errors = self.folder / "finish.log"
        begin = time.monotonic()
        code = self.start(command, errors).wait()
        return code, errors.read_text(encoding="utf-8", errors="replace"), time.monotonic() - begin

    def results(self) -> dict[str, str]:
        """The digest of the scores of each finished run, by its id; a run that cannot be read is not finished."""
        return {
            run.run_id: hashlib.sha256((self.folder / "runs" / run.run_id / PREDICTIONS).read_bytes()).hexdigest()
            for run in self.store.runs()[0]
            if run.status == "ok"
        }

    def dates(self) -> dict[str, str]:
        """When each finished run ended: a run that was computed again has another date."""
        return {run.run_id: str(run.finished) for run in self.store.runs()[0] if run.status == "ok"}

    def damaged(self) -> list[str]:
        """What the store says of folders that it cannot use."""
        return self.store.runs()[1]


DEFAULT_SIGNALS = """\
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent in the background may ignore it
from zoo.__main__ import main
main()
"""


@dataclass
class Tally:
    """What a series of faults did.

    Attributes:
        name: The series.
        faults: How many faults were injected while the command ran.
        late: How many came after the command had ended.
        finished: Finished runs that faults could have destroyed, one count per fault and run.
        lost: Those that were gone or were computed again.
        damaged: Folders that the store could not use after a fault.
        tracebacks: Commands that printed a traceback.
        unfinished: Studies whose command did not end with exit code 0 when nothing disturbed it any more.
        different: Studies that ended with other scores, bit for bit, than an undisturbed one.
        notes: Lines to look at.
    """

    name: str
    faults: int = 0
    late: int = 0
    finished: int = 0
    lost: int = 0
    damaged: int = 0
    tracebacks: int = 0
    unfinished: int = 0
    different: int = 0
    notes: list[str] = field(default_factory=list)

    def look(self, study: Study, before: Mapping[str, str]) -> dict[str, str]:
        """Compare a study after a fault with the dates of its finished runs before it.

        Args:
            study: The study.
            before: The dates of `Study.dates` before the fault.

        Returns:
            The dates after it.
        """
        after = study.dates()
        self.finished += len(before)
        self.lost += sum(after.get(run) != date for run, date in before.items())
        problems = study.damaged()
        self.damaged += len(problems)
        self.notes += problems
        return after

    def end(self, study: Study, command: str, reference: Mapping[str, str], before: Mapping[str, str]) -> None:
        """Run the command to its end and compare its results with those of an undisturbed study.

        Args:
            study: The study.
            command: Its command.
            reference: The results of an undisturbed study.
            before: The dates of its finished runs.
        """
        code, printed, _ = study.finish(command)
        self.printed(printed)
        self.look(study, before)
        if code != 0:
            self.unfinished += 1
            self.notes += [f"exit {code}: {line}" for line in printed.splitlines()[-3:]]
        elif study.results() != reference:
            self.different += 1
            self.notes.append(f"{study.folder}: other results than undisturbed")

    def printed(self, text: str) -> None:
        """Count a traceback.

        Args:
            text: What a command printed.
        """
        if "Traceback (most recent call last)" in text:
            self.tracebacks += 1
            self.notes += text[text.index("Traceback") :].strip().splitlines()[-1:]

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, damaged, different or unfinished, and no traceback was printed."""
        return not (self.lost or self.damaged or self.tracebacks or self.unfinished or self.different)


def kill_group(process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """Send a signal to a command and its workers.

    Args:
        process: The command.
        number: The signal.

    Returns:
        Whether the command was still running.
    """
    running = process.poll() is None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    return running


def reference(folder: Path, commands: Sequence[str]) -> tuple[dict[str, dict[str, str]], dict[str, float]]:
    """Run each command undisturbed, in a study of its own.

    Args:
        folder: Where the studies are written.
        commands: Names in `COMMANDS`.

    Returns:
        Results and seconds by command.

    Raises:
        RuntimeError: A command fails although nothing disturbs it.
    """
    results, seconds = {}, {}
    for command in commands:
        study = Study.create(folder / f"undisturbed-{command}")
        code, printed, seconds[command] = study.finish(command)
        if code != 0:
            raise RuntimeError(f"{command} fails undisturbed: exit {code}\n{printed}")
        results[command] = study.results()
    return results, seconds
