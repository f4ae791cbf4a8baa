"""Commands on a store at a URI: a benchmark goes on from another machine, and every reader has the same answer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import zoo as package
from benchmark.runs.execution.engines.engine import Ended, Work
from benchmark.runs.execution.events import Event, Finished, Reused
from benchmark.runs.execution.execute import execute_all
from benchmark.runs.run import RunSpec
from benchmark.runs.storage.beside.remembered import remember_bench
from benchmark.runs.storage.remote.store import RemoteStore, open_store
from benchmark.runs.storage.store import Store
from tests.support.records import KAGGLE, make_spec
from tests.support.remotes import BUCKET, local_s3, machines, new_uri, remote_files
from tests.support.stored import keep
from tests.support.tiny import write_npz, write_protocol
from tests.zoo.api.test_report import files
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo

zoo = test_zoo_cli.zoo
CARDS = ("constant", "pixels-logistic")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, local_s3(patch) as address:
        yield address


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RemoteStore:
    """A store in memory with two cards, each with two seeds."""
    store = machines(tmp_path, monkeypatch, new_uri())("a")
    runs = [keep(store, card, seed=seed) for card in ("attempt-5", "attempt-6a") for seed in (0, 1)]
    remember_bench(store, [run.run_id for run in runs], KAGGLE, conditions=runs[0].spec.conditions)
    for run in runs:
        store.send(run.run_id)
    assert store.finish() == ()
    return store


def test_a_benchmark_that_was_stopped_goes_on_from_another_machine(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"s3://{BUCKET}/stopped"
    request: dict[str, Any] = {
        "data": write_npz(tmp_path / "tiny.npz"),
        "protocol": write_protocol(tmp_path / "p.yaml"),
        "store": uri,
    }
    events: list[Event] = []

    def stop_after_one(event: Event) -> None:
        if isinstance(event, Finished):
            raise KeyboardInterrupt

    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "a"))
    with pytest.raises(KeyboardInterrupt):
        package.bench(CARDS, **request, on_event=stop_after_one)
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "b"))
    results = package.bench(CARDS, **request, on_event=events.append)
    assert [run.status for run in results.runs] == ["ok", "ok"]
    assert [type(event) for event in events if isinstance(event, (Reused, Finished))] == [Reused, Finished]
    assert results.messages == ()
    verified = package.verify(uri)
    assert verified.exit_code == 0, verified.checks
    assert verified.head == results.head


class Elsewhere:
    """An engine whose runs appear in the folder of the store, as tasks of SLURM or Ray store them."""

    def __init__(self, work: Work) -> None:
        self._folder = Store(work.store.root)
        self._ended: list[Ended] = []

    @property
    def is_busy(self) -> bool:
        return bool(self._ended)

    def submit(self, specs: Sequence[RunSpec]) -> list[RunSpec]:
        for spec in specs:
            run = keep(self._folder, spec.card, seed=spec.seed)
            assert run.run_id == spec.run_id
            self._ended.append(Ended(spec, run))
        return []

    def watch(self) -> list[Ended]:
        ended, self._ended = self._ended[:1], self._ended[1:]
        return ended

    def cancel(self) -> None:
        pass


def test_the_driver_sends_a_run_of_any_engine_as_soon_as_it_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = new_uri()
    store = machines(tmp_path, monkeypatch, uri)("a")
    specs = [make_spec("attempt-5", seed=seed, dataset=KAGGLE) for seed in (0, 1)]
    counts: list[int] = []

    def count(event: Event) -> None:
        if isinstance(event, Finished):
            counts.append(sum(name.startswith("commits/runs/") for name in remote_files(uri)))

    data: Any = None  # the engine opens none
    execute_all(specs, data, store, engine=Elsewhere, on_event=count)
    assert counts == [1, 2]


def test_a_report_is_that_of_a_folder(stored: RemoteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(stored.root, folder, ignore=shutil.ignore_patterns(".remote"))
    package.report(folder, out=tmp_path / "ours", formats=("md", "json"))
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "b"))
    package.report(stored.name, out=tmp_path / "theirs", formats=("md", "json"))
    ours, theirs = files(tmp_path / "ours"), files(tmp_path / "theirs")
    assert ours.keys() == theirs.keys()
    for name, content in ours.items():
        assert theirs[name] == content.replace(str(folder).encode(), stored.name.encode()), name


@pytest.mark.parametrize(
    "words",
    [
        ["runs", "--json", "--store"],
        ["show", "attempt-5:0", "--json", "--store"],
        ["compare", "attempt-5", "attempt-6a", "--json", "--store"],
        ["verify", "--json"],
        ["protocols", "quick", "--store"],
        ["bench", "constant", "--dry-run", "--protocol", "quick", "--store"],
    ],
)
def test_a_command_on_a_uri_prints_what_it_prints_on_a_folder(
    words: list[str], stored: RemoteStore, tmp_path: Path, zoo: Zoo
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(stored.root, folder, ignore=shutil.ignore_patterns(".remote"))
    here, there = zoo(*words, folder), zoo(*words, stored.name)
    assert (there.code, there.out) == (here.code, here.out.replace(str(folder), stored.name))
    assert there.out


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        (["predict", "attempt-5:0", "x.png"], "--keep-models"),
        (["export", "attempt-5:0", "--out", "exported"], "--keep-models"),
        (["evaluate", "attempt-5:0", "--data", "phantom"], "--keep-models"),
        (["show", "attempt-5:9"], "attempt-5"),
    ],
)
def test_advice_names_the_uri_and_never_the_mirror(
    command: list[str], advice: str, stored: RemoteStore, zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = zoo(*command, "--store", stored.name)
    assert answer.code == 2
    assert advice in answer.err
    assert str(stored.root) not in answer.err


def test_an_empty_uri_says_which_command_fills_it(zoo: Zoo) -> None:
    uri = new_uri()
    answer = zoo("report", "--store", uri)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"zoo: --store {uri}: contains no runs; `zoo bench --all --store {uri}` creates them\n"


def test_a_missing_bucket_and_an_unreachable_server_are_one_line(
    endpoint: str, zoo: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    answer = zoo("runs", "--store", "s3://no-such-bucket/runs")
    assert answer.code == 2
    assert answer.err == (
        "zoo: --store s3://no-such-bucket/runs: not found: The specified bucket does not exist; create the bucket "
        "first, or correct the URI\n"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    answer = zoo("runs", "--store", f"s3://{BUCKET}/runs")
    s3fs.S3FileSystem.clear_instance_cache()
    assert answer.code == 2
    assert answer.err.startswith(f"zoo: --store s3://{BUCKET}/runs: cannot be reached: Could not connect")
    assert answer.err.count("\n") == 1


def test_of_two_machines_on_s3_the_first_commit_counts(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = machines(tmp_path, monkeypatch, f"s3://{BUCKET}/two")
    first, second = on("a"), on("b")
    run = keep(first, "attempt-5")
    keep(second, "attempt-5")
    assert not first.send(run.run_id)
    second.send(run.run_id)
    for store in (first, second, on("c")):
        assert [each.run_id for each in store.runs()[0]] == [run.run_id]
        assert store.finish() == ()
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "c"))
    assert open_store(f"s3://{BUCKET}/two").runs()[1] == []
