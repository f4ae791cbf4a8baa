"""Builders that hang, eat memory, exit or crash, a cache that is cleared, Ctrl-C: each with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from benchmark.data.cache import clear_cache
from benchmark.data.dataset import Dataset
from benchmark.data.sources import open_dataset
from benchmark.runs.execution.events import Event, Preparing, Progressed, Started
from benchmark.runs.execution.execute import execute_all
from benchmark.runs.plan import make_plan
from benchmark.runs.run import Run
from benchmark.runs.storage.store import TRACEBACK, Store
from tests.support.guests import NET, builder, environment, install, write_cards, zoo
from tests.support.tiny import card, protocol, write_npz, write_protocol

pytestmark = pytest.mark.slow

CRASH_IN_FIGURES = (
    "\nimport os, signal\nfrom benchmark.evidence.metrics.registry import register_metric\n\n\n"
    "@register_metric(reads='scores', label='C', kind='loss', direction='lower', range=(0, 1), scale='log',\n"
    "                 depends_on_prevalence=False, per_image=lambda y, s: s)\n"
    "def crashing_metric(scores):\n"
    "    if 'LATE_GUEST' in os.environ:\n"
    "        os.kill(os.getpid(), signal.SIGSEGV)\n"
)
"""A metric that crashes the process that built `late_guest`."""
BODIES = {
    "good_guest": NET,
    "hanging_guest": "    subprocess.Popen(['sleep', '4321.25'])\n    time.sleep(4000)\n",
    "hungry_guest": (
        "    held = []\n"
        "    while len(held) < 24:\n        held.append(numpy.ones(2**28 // 8))\n        time.sleep(0.05)\n"
        "    time.sleep(4000)\n"
    ),
    "raising_guest": "    raise ValueError('one\\ntwo\\n\\nthree')\n",
    "exiting_guest": "    sys.exit('no more')\n",
    "ending_guest": "    os._exit(0)\n",
    "crashing_guest": "    os.kill(os.getpid(), signal.SIGSEGV)\n",
    "late_guest": f"    os.environ['LATE_GUEST'] = 'built'\n{NET}",
}


@dataclass(frozen=True)
class Bench:
    """What `zoo bench` of all guests said and left."""

    done: subprocess.CompletedProcess[str]
    store: Store

    def run(self, name: str) -> Run:
        [run] = [run for run in self.store.runs()[0] if run.spec.card.model.builder == name]
        return run


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Every guest in one command, two at a time."""
    folder = tmp_path_factory.mktemp("hostile")
    packages = folder / "packages"
    for name, body in BODIES.items():
        text = builder(name, body)
        if name == "late_guest":
            text += CRASH_IN_FIGURES
        install(packages, name.replace("_", "-"), {"zoo.builders": name}, **{name: text})
    write_cards(folder / "own", *BODIES)
    write_protocol(folder / "smallest.yaml")
    names = [name.replace("_", "-") for name in BODIES if name != "hanging_guest"]
    options = ("--cards", "own", "--protocol", "smallest.yaml", "--jobs", "2", "--run-memory", "2")
    done = zoo(packages, folder / "cache", "bench", *names, *options, cwd=folder)
    zoo(packages, folder / "cache", "bench", "hanging-guest", *options, "--run-timeout", "15", cwd=folder)
    return Bench(done, Store(folder / "runs"))


def test_the_others_go_on(bench: Bench) -> None:
    assert bench.done.returncode == 1, bench.done.stderr
    assert "Traceback" not in bench.done.stderr
    assert bench.run("good_guest").error is None
    assert [run.status for run in bench.store.runs()[0]].count("failed") == len(BODIES) - 1
    assert bench.store.runs()[1] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raising_guest", f"building and training failed: ValueError: one two three; traceback in {TRACEBACK}"),
        ("exiting_guest", f"building and training failed: SystemExit: no more; traceback in {TRACEBACK}"),
        (
            "ending_guest",
            "the process of this run ended with code 0 without a result during building and training",
        ),
        ("crashing_guest", "the process of this run was ended by SIGSEGV during building and training"),
        ("late_guest", "the process of this run was ended by SIGSEGV during the figures; scores are kept"),
    ],
)
def test_each_is_a_row_that_says_how_it_ended(bench: Bench, name: str, said: str) -> None:
    assert bench.run(name).error == said
    assert f"{name.replace('_', '-')} seed 0: FAILED: {said}" in bench.done.stderr


def test_one_that_eats_memory_is_ended_at_its_limit(bench: Bench) -> None:
    error = bench.run("hungry_guest").error
    assert error is not None
    assert error.startswith("ended at 2.")
    assert error.partition("; ")[0].endswith("GiB of memory (--run-memory 2) during building and training")


def test_one_that_hangs_is_ended_after_its_time(bench: Bench) -> None:
    error = bench.run("hanging_guest").error
    assert error is not None
    assert error.startswith("ended after 15 s (--run-timeout) during ")


def test_what_a_run_started_ends_with_it(bench: Bench) -> None:
    assert not [process for process in psutil.process_iter() if _words(process) == ["sleep", "4321.25"]]


def test_one_that_crashes_after_training_leaves_its_scores(bench: Bench) -> None:
    run = bench.run("late_guest")
    assert len(bench.store.scores(run, "test")) == len(bench.store.images(run, "test")) == 20
    assert len(bench.store.scores(run, "val")) == 20
    assert [epoch.phase for epoch in bench.store.history(run).epochs] == ["train"]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    return open_dataset(str(write_npz(tmp_path / "tiny.npz")))


@pytest.mark.parametrize("at", [Preparing, Started, Progressed])
def test_a_cache_that_is_cleared_at_the_second_of_four_runs_costs_none(
    at: type[Event], dataset: Dataset, tmp_path: Path
) -> None:
    specs = make_plan([card(epochs=1)], protocol(), dataset, range(4)).specs
    cleared: list[int] = []

    def clear(event: Event) -> None:
        if isinstance(event, at) and event.spec.seed >= 1 and event.spec.seed not in cleared:
            cleared.append(event.spec.seed)
            clear_cache()

    runs = execute_all(specs, dataset, Store(tmp_path / "runs"), on_event=clear)
    assert [(run.status, run.error) for run in runs] == [("ok", None)] * 4
    assert cleared == [1, 2, 3]


STARTED = """
import signal, sys
import zoo.__main__ as front
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background of a shell ignores it
print("started", flush=True)
front.main()
"""


@pytest.mark.parametrize(
    ("command", "after_s", "number"),
    [
        *((("bench", "attempt-1"), seconds, signal.SIGINT) for seconds in (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)),
        (("search", "attempt-1"), 2.0, signal.SIGINT),
        (("bench", "attempt-1"), 4.0, signal.SIGTERM),
    ],
)
def test_ctrl_c_is_answered_by_one_line(
    command: tuple[str, ...], after_s: float, number: signal.Signals, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STARTED, *command],
        cwd=tmp_path,
        env=environment(tmp_path / "no-packages", tmp_path / "cache"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"  # before that the interpreter is not the program's yet
    time.sleep(after_s)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=300)
    own = (
        "SYNTHETIC data: ",
        "split: ",
        "registered: ",
        "attempt-1 seed 0: ",
        "note: ",
        "warning: ",
        "[",
        "zoo: interrupted",
    )
    assert [line for line in err.splitlines() if not line.startswith(own)] == []
    assert process.returncode == 128 + number
    assert err.splitlines()[-1].startswith("zoo: interrupted")
