"""The whole command on the embedded phantom: every card, its report, and what a killed benchmark leaves."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from benchmark.evidence.intervals.figures import figures
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from tests.support.forked import run_forked
from tests.support.tiny import environment, start_zoo, write_protocol
from zoo.config.errors import ConfigError
from zoo.models.catalog import REPORT_COLLECTION, load_catalog
from zoo.models.registry import find_weights

pytestmark = pytest.mark.slow
PATIENCE_S = 120
CARDS = load_catalog().of(REPORT_COLLECTION)


def runnable() -> list[str]:
    """The cards whose weights are at hand here."""
    names = []
    for name, card in CARDS.items():
        with contextlib.suppress(ConfigError):
            find_weights(card.model.builder, card.model.params)
            names.append(name)
    return names


def files(store: Store) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(store.root).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in store.root.glob("*/*")
        if path.is_file() and not path.parent.name.startswith(".")
    }


def wait_for_runs(store: Store, count: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE_S
    while len(list(store.root.glob("[0-9a-f]*/run.json"))) < count:
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < until, "no run was stored"
        time.sleep(0.02)


def still_alive(processes: list[psutil.Process]) -> list[int]:
    """Which of `processes` have not ended, given the time to notice that their parent has."""
    until = time.monotonic() + PATIENCE_S
    alive = processes
    while alive and time.monotonic() < until:
        alive = [each for each in alive if _runs(each)]
        time.sleep(0.05)
    return [each.pid for each in alive]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass(frozen=True)
class Seen:
    """A store at one moment: what is read from it, and its files."""

    runs: list[Run]
    problems: list[str]
    files: dict[str, tuple[int, bytes]]

    @classmethod
    def of(cls, store: Store) -> Seen:
        return cls(*store.runs(), files(store))


@dataclass(frozen=True)
class Place:
    """A folder with a protocol, a store and a cache, in which commands are run."""

    folder: Path
    cache: Path

    @property
    def store(self) -> Store:
        return Store(self.folder / "runs")

    def zoo(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_forked(arguments, self.folder, environment(self.cache))

    @contextlib.contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """The command while it runs; in the end its whole process group is killed."""
        process = start_zoo(*arguments, cwd=self.folder, cache=self.cache)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


ALL = ("bench", "--all", "--protocol", "smallest.yaml")


@dataclass(frozen=True)
class Killed:
    """A benchmark that was killed twice: alone, then with its whole process group."""

    place: Place
    survivors: list[int]
    alone: Seen
    group: Seen


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    place = Place(tmp_path_factory.mktemp("bench"), tmp_path_factory.mktemp("cache"))
    write_protocol(place.folder / "smallest.yaml")
    with place.started(*ALL, "--jobs", "2") as process:
        wait_for_runs(place.store, 1, process)
        below = psutil.Process(process.pid).children(recursive=True)
        assert below
        process.kill()
        survivors = still_alive(below)
    alone = Seen.of(place.store)
    with place.started(*ALL) as process:
        wait_for_runs(place.store, len(alone.runs) + 1, process)
    return Killed(place, survivors, alone, Seen.of(place.store))


def test_no_worker_survives_its_parent(killed: Killed) -> None:
    assert killed.survivors == []


def test_a_killed_benchmark_leaves_a_store_that_can_be_read(killed: Killed) -> None:
    for seen in (killed.alone, killed.group):
        assert seen.problems == []
        assert {run.status for run in seen.runs} == {"ok"}
    assert 1 <= len(killed.alone.runs) < len(killed.group.runs) < len(CARDS)


@dataclass(frozen=True)
class Bench:
    """Where `zoo bench --all` has run to its end, and what it said."""

    place: Place
    names: list[str]
    done: subprocess.CompletedProcess[str]

    @property
    def store(self) -> Store:
        return self.place.store

    @property
    def runs(self) -> dict[str, Run]:
        return {run.spec.card.name: run for run in self.store.runs()[0]}


@pytest.fixture(scope="module")
def bench(killed: Killed) -> Bench:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_OFFLINE", "1")
        names = runnable()
    return Bench(killed.place, names, killed.place.zoo(*ALL, "--jobs", "2"))


def test_the_same_command_goes_on_from_what_was_finished(bench: Bench, killed: Killed) -> None:
    assert bench.done.returncode == 0
    final = files(bench.store)
    for before in (killed.alone.files, killed.group.files):
        assert before
        assert {name: final[name] for name in before} == before


def test_every_card_runs_and_is_a_row(bench: Bench) -> None:
    assert bench.done.returncode == 0
    assert "Traceback" not in bench.done.stderr
    assert sorted(bench.runs) == bench.names
    assert bench.store.runs()[1] == []
    assert set(CARDS) <= set(re.split(r"[\s,:]+", bench.done.stdout))
    assert "SYNTHETIC" in bench.done.stdout


def test_every_run_is_whole(bench: Bench) -> None:
    for run in bench.runs.values():
        assert run.status == "ok"
        assert run.split.sizes == {"train": 40, "val": 20, "test": 20}
        assert set(run.at_half) == {"val", "test"}
        expected = figures(bench.store.scores(run, "test"), 0.5, run.spec.protocol.class_sizes)
        assert run.figures() == run.figures() | expected


def test_the_budget_is_one_epoch_a_phase(bench: Bench) -> None:
    for name, run in bench.runs.items():
        phases = [epoch.phase for epoch in bench.store.history(run).epochs]
        assert phases == (["head", "finetune"] if name == "attempt-7" else ["train"])


def test_every_card_sees_the_same_images(bench: Bench) -> None:
    assert len({run.split.fingerprint for run in bench.runs.values()}) == 1
    for split in ("val", "test"):
        seen = [bench.store.scores(run, split) for run in bench.runs.values()]
        assert len({(scores.patient, tuple(scores.y_true.tolist())) for scores in seen}) == 1


def test_a_run_says_where_its_pretrained_weights_came_from(bench: Bench) -> None:
    for name, run in bench.runs.items():
        assert run.environment is not None
        assert bool(run.environment.weights) == (CARDS[name].model.builder == "vgg16")


def test_a_run_says_how_its_frozen_layers_were_computed_and_why(bench: Bench) -> None:
    for name, run in bench.runs.items():
        assert run.environment is not None
        frozen = CARDS[name].model.builder == "vgg16"
        assert (run.environment.prefix in ("filtered", "keras")) == bool(run.environment.prefix_reason) == frozen


def test_only_a_run_that_fine_tunes_wide_convolutions_says_how_they_were_computed(bench: Bench) -> None:
    for name, run in bench.runs.items():
        assert run.environment is not None
        recorded = (run.environment.convolutions, run.environment.convolutions_reason)
        told = ("filtered", "ZOO_CONVOLUTIONS names filtered") if name == "attempt-7" else (None, None)
        assert recorded == told


def test_the_same_command_again_reuses_every_run(bench: Bench) -> None:
    before = files(bench.store)
    again = bench.place.zoo(*ALL)
    assert again.returncode == 0
    assert files(bench.store) == before
    assert [name for name in bench.names if name not in again.stdout] == []
    assert "reused" in again.stderr


def test_the_report_shows_every_run_and_says_that_the_data_are_synthetic(bench: Bench) -> None:
    done = bench.place.zoo("report", "--out", "report")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    text = (bench.place.folder / "report" / "report.md").read_text(encoding="utf-8")
    assert [name for name in bench.names if name not in text] == []
    assert "SYNTHETIC" in text


def test_the_store_as_json_is_every_run(bench: Bench) -> None:
    listed = [Run.model_validate(each) for each in json.loads(bench.place.zoo("runs", "--json").stdout)]
    assert {run.spec.card.name: run for run in listed} == bench.runs
