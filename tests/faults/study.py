"""A small study whose commands are disturbed: its files, its commands, and what they leave behind."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.runs.storage.store import PREDICTIONS, Store
from tests.faults.warm import Command
from tests.support.tiny import environment, write_npz, write_protocol
from zoo.config.leftovers import PREFIX

SPACE = """\
title: Rates
objective: auc
tuner: random
budget: {trials: 3}
reseed: {top: 1, seeds: 1}
parameters:
  recipe.optimizer.learning_rate: {kind: float, low: 1.0e-3, high: 1.0e-1, scale: log}
"""
CARDS = {
    "scratch": (
        "title: A tiny network\nchange: tiny\n"
        "model: {builder: scratch_cnn, filters: [4], dense_units: 8, dropout: 0.0}\n"
        "recipe: {optimizer: {name: adam, learning_rate: 0.01}, epochs: 2, batch_size: 16}\n"
    ),
    "frozen": (
        "extends: vgg16-frozen\ntitle: VGG16 with random weights\n"
        "change: random weights, which need no download\nmodel: {weights: random}\n"
    ),
}
"""The cards of the study: one that trains for a second, one with frozen layers."""
SEEDS = 4
"""Runs of each card on a cluster."""
TRIALS = 12
"""Trials of the search on a cluster."""

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "bench": ("bench", "constant", "scratch", "--seeds", "2"),
    "bank": ("bench", "frozen", "--seeds", "2"),
    "search": ("search", "scratch", "--space", "rates.yaml", "--out", "searched"),
    "report": ("report", "--out", "reported"),
    "guest": ("bench", "constant", "guest"),
    "cluster": ("bench", "constant", "pixels-logistic", "--seeds", str(SEEDS), "--cores", "1"),
    "cluster-search": (
        *("search", "scratch", "--space", "rates.yaml", "--trials", str(TRIALS), "--out", "searched", "--cores", "1"),
    ),
    "constant": ("bench", "constant"),
    "wide": ("bench", "constant", "wide"),
}
"""Commands of the study, without the options that all of them share."""
SHARED = ("--data", "two.npz", "--protocol", "smallest.yaml", "--store", "runs", "--cards", "cards")
DOCUMENTS = "reported"
METHOD = {"ZOO_PREFIX": "keras", "ZOO_CONVOLUTIONS": "direct"}
"""Each study has a cache of its own. A trial of the machine in each could choose another method, with other bits."""


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
    def create(cls, folder: Path, variables: Mapping[str, str] | None = None, store: Path | None = None) -> Study:
        """Write the files of a study into a folder.

        Args:
            folder: The folder, which may exist.
            variables: Further environment variables of its commands.
            store: The store that it begins with; none by default.

        Returns:
            The study.
        """
        (folder / "cards").mkdir(parents=True, exist_ok=True)
        write_npz(folder / "two.npz")
        write_protocol(folder / "smallest.yaml")
        (folder / "rates.yaml").write_text(SPACE, encoding="utf-8")
        for name, text in CARDS.items():
            (folder / "cards" / f"{name}.yaml").write_text(text, encoding="utf-8")
        if store is not None:
            shutil.copytree(store, folder / "runs")
        return cls(folder, folder / "cache", variables or {})

    @property
    def store(self) -> Store:
        """Its store, opened anew."""
        return Store(self.folder / "runs")

    def words(self, command: str) -> tuple[str, ...]:
        """The words after `zoo` of one of `COMMANDS`."""
        options = ("--store", "runs") if command == "report" else SHARED
        return (*COMMANDS[command], *options)

    def start(self, command: str, log: Path, *more: str) -> Command:
        """Start one of `COMMANDS` in a process group of its own.

        Args:
            command: Its name.
            log: The file that receives what it prints.
            more: Further words of the command.

        Returns:
            The command, which runs.
        """
        env = {**environment(self.cache), **METHOD, **self.variables}
        return Command([*self.words(command), *more], self.folder, env, log)

    def finish(self, command: str, *more: str) -> tuple[int, str, float]:
        """Run a command to its end.

        Args:
            command: Its name.
            more: Further words of the command.

        Returns:
            Its exit code, what it printed, and the seconds that it took.
        """
        log = self.folder / "finish.log"
        begin = time.monotonic()
        code = self.start(command, log, *more).wait()
        return code, log.read_text(encoding="utf-8", errors="replace"), time.monotonic() - begin

    def finish_cold(self, command: str) -> tuple[int, str]:
        """Run a command to its end in a new Python process, whose variables count from its start.

        Args:
            command: Its name.

        Returns:
            Its exit code, and what it printed.
        """
        done = subprocess.run(
            [sys.executable, "-m", "zoo", *self.words(command)],
            cwd=self.folder,
            env={**environment(self.cache), **METHOD, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def results(self) -> dict[str, str]:
        """Digests of the scores of each finished run, by its id, and of each written document, by its path."""
        runs = {
            run.run_id: _digest(self.folder / "runs" / run.run_id / PREDICTIONS)
            for run in self.store.runs()[0]
            if run.status == "ok"
        }
        documents = (self.folder / DOCUMENTS).rglob("*")
        return runs | {str(path.relative_to(self.folder)): _digest(path) for path in documents if _is_document(path)}

    def dates(self) -> dict[str, str]:
        """When each finished run ended: a run that was computed again has another date."""
        return {run.run_id: str(run.finished) for run in self.store.runs()[0] if run.status == "ok"}

    def damaged(self) -> list[str]:
        """What the store says of folders that it cannot use."""
        return self.store.runs()[1]


def _is_document(path: Path) -> bool:
    # What a killed process was writing stays until it is a day old.
    return path.is_file() and not any(part.startswith(PREFIX) for part in path.parts)


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
        unfinished: Studies whose command did not end as it should when nothing disturbed it any more.
        different: Studies that ended with other scores, bit for bit, than an undisturbed one.
        seconds: How long the series took.
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
    seconds: float = 0.0
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
        self.compare(study, code, printed, reference, before)

    def compare(
        self, study: Study, code: int, printed: str, reference: Mapping[str, str], before: Mapping[str, str]
    ) -> None:
        """Compare the results of a study whose command has come to its end.

        Args:
            study: The study.
            code: The exit code of the command.
            printed: What it printed.
            reference: The results of an undisturbed study.
            before: The dates of its finished runs.
        """
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
    def is_sound(self) -> bool:
        """Whether nothing was lost, damaged, different or unfinished, and no traceback was printed."""
        return not (self.lost or self.damaged or self.tracebacks or self.unfinished or self.different)


@dataclass(frozen=True)
class Undisturbed:
    """What a command does when nothing disturbs it.

    Attributes:
        results: What `Study.results` returns at its end.
        seconds: How long it took.
        store: The store that it began with.
    """

    results: dict[str, str]
    seconds: float
    store: Path | None = None


def undisturbed(folder: Path, commands: Sequence[str]) -> dict[str, Undisturbed]:
    """Run each command undisturbed, in a study of its own; a report is of the runs of `bench`.

    Args:
        folder: Where the studies are written.
        commands: Names in `COMMANDS`; `bench` comes before `report`.

    Returns:
        What each did, by command.

    Raises:
        RuntimeError: A command fails although nothing disturbs it.
    """
    done: dict[str, Undisturbed] = {}
    for command in commands:
        store = folder / "undisturbed-bench" / "runs" if command == "report" else None
        study = Study.create(folder / f"undisturbed-{command}", store=store)
        code, printed, seconds = study.finish(command)
        if code != 0:
            raise RuntimeError(f"{command} fails undisturbed: exit {code}\n{printed}")
        done[command] = Undisturbed(study.results(), seconds, store)
    return done


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
