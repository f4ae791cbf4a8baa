"""Stores at a URI: whole or not there, the first of two results counts, and nothing that was computed is lost."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest

from benchmark.runs.label_errors import SuspectedLabel
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.chain import read_chain
from benchmark.runs.storage.beside.label_errors import RecordedLabels, read_labels, write_labels
from benchmark.runs.storage.remote.mirror import mirror_folder
from benchmark.runs.storage.remote.object_storage import ObjectStorage, Unreachable
from benchmark.runs.storage.remote.store import open_store
from benchmark.runs.storage.store import MODEL, Store
from tests.support.records import HEALTHY, KAGGLE, make_run, make_spec, on_test, on_val, planted, recorded_history
from tests.support.registered import entry, spec_of
from tests.support.remotes import Machine, machines, new_uri, remote_file, remote_files
from tests.support.stored import keep
from tests.support.tiny import split_facts
from zoo.config.errors import ConfigError

CARD = "attempt-5"


@pytest.fixture
def uri() -> str:
    return new_uri()


@pytest.fixture
def on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> Machine:
    return machines(tmp_path, monkeypatch, uri)


def sent(store: Store, **more: Any) -> Run:
    run = keep(store, CARD, **more)
    store.send(run.run_id)
    return run


def others() -> dict[str, Any]:
    """Scores that differ from those that `keep` takes by default."""
    return {"test": on_test(*planted(100, 100, seed=9)), "val": on_val(*planted(60, 60, seed=8))}


def failed(store: Store, error: str) -> Run:
    run = Run.failed(make_spec(CARD, dataset=KAGGLE), error, split_facts())
    store.save(run)
    store.send(run.run_id)
    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def commits(uri: str) -> list[str]:
    return [name.removeprefix("commits/") for name in remote_files(uri) if name.startswith("commits/runs/")]


def test_what_one_machine_stores_another_reads_byte_for_byte(on: Machine) -> None:
    first = on("a")
    run = sent(first)
    assert first.finish() == ()
    second = on("b")
    assert second.root != first.root
    assert contents(second.folder(run.run_id)) == contents(first.folder(run.run_id))
    assert second.runs() == ([run.model_copy(update={"files": second.runs()[0][0].files})], [])
    assert second.scores(run, "test").y_score.tolist() == first.scores(run, "test").y_score.tolist()


def test_a_run_without_a_commit_does_not_exist_and_the_next_try_completes_it(on: Machine, uri: str) -> None:
    run = sent(on("a"))
    (commit,) = (name for name in remote_files(uri) if name.startswith("commits/runs/"))
    data = [name for name in remote_files(uri) if name.startswith("data/")]
    memory = fsspec.filesystem("memory")
    memory.rm_file(remote_file(uri, commit))
    memory.pipe_file(remote_file(uri, data[0]), b"half")
    second = on("b")
    assert second.runs() == ([], [])
    sent(second)
    assert on("c").runs()[0][0].run_id == run.run_id
    assert on("c").runs()[1] == []


def test_two_machines_may_compute_the_same_run(on: Machine, uri: str) -> None:
    first, second = on("a"), on("b")
    run = sent(first)
    sent(second)
    assert (first.finish(), second.finish()) == ((), ())
    assert commits(uri) == [f"runs/{run.run_id}.1.json"]
    assert contents(second.folder(run.run_id)) == contents(first.folder(run.run_id))


def test_the_first_of_two_results_counts_and_the_other_is_refused_in_a_line(on: Machine, uri: str) -> None:
    first, second = on("a"), on("b")
    run = sent(first)
    other = keep(second, CARD, **others())
    assert second.send(other.run_id)
    (line,) = second.finish()
    assert line.startswith(f"{uri}: run {run.run_id} was stored there with different figures (")
    assert "\n" not in line
    assert second.finish() == ()
    assert contents(second.folder(run.run_id)) == contents(first.folder(run.run_id))
    assert on("a").runs()[0][0].at_half == run.at_half


def test_a_finished_run_replaces_a_failed_one_and_never_the_other_way(on: Machine, uri: str) -> None:
    first, second = on("a"), on("b")
    failure = failed(first, "no memory")
    run = sent(second)
    assert commits(uri) == [f"runs/{run.run_id}.{number}.json" for number in (1, 2)]
    assert [each.status for each in on("a").runs()[0]] == ["ok"]
    third = on("c")
    failed(third, "no memory")
    assert "finished elsewhere, which counts" in third.finish()[0]
    assert third.get(failure.run_id) is not None
    assert [each.status for each in third.runs()[0]] == ["ok"]


def test_a_model_is_added_to_a_finished_run_and_fetched_when_it_is_needed(on: Machine, uri: str) -> None:
    first = on("a")
    scored = [(on_val(*planted(60, 60, seed=1)), "val"), (on_test(*planted(100, 100, seed=2)), "test")]
    sent(first)
    run = make_run(CARD, val=scored[0][0], test=scored[1][0], history=HEALTHY, dataset=KAGGLE)
    names = [[f"{part}/{place}" for place in range(len(scores))] for scores, part in scored]
    scores = [(each, of) for (each, _), of in zip(scored, names, strict=True)]
    first.save(run, scores, recorded_history(HEALTHY), lambda path: path.write_bytes(b"a model") and None)
    first.send(run.run_id)
    assert (first.finish(), len(commits(uri))) == ((), 2)
    second = on("b")
    (stored,) = second.runs()[0]
    assert not (second.folder(run.run_id) / MODEL).exists()
    assert second.has_model(stored)
    assert second.model_is_whole(stored)
    second.check_model(stored)
    assert (second.folder(run.run_id) / MODEL).read_bytes() == b"a model"


def test_a_corrupted_file_is_refused_by_its_digest_and_replaced_by_the_next_run(on: Machine, uri: str) -> None:
    run = sent(on("a"))
    (path,) = (name for name in remote_files(uri) if name.endswith("predictions.parquet"))
    memory = fsspec.filesystem("memory")
    content = memory.cat_file(remote_file(uri, path))
    memory.pipe_file(remote_file(uri, path), content[:-1] + b"!")
    second = on("b")
    runs, problems = second.runs()
    assert runs == []
    (line,) = problems
    assert line.startswith(f"{uri}/{path}: is not the file that was stored (its SHA-256 differs)")
    sent(second)
    assert (second.finish(), second.runs()[1]) == ((), [])
    assert [each.run_id for each in on("c").runs()[0]] == [run.run_id]


def test_runs_that_could_not_be_sent_are_sent_by_the_next_command(
    on: Machine, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = on("a")

    def refuse(*_: object) -> None:
        raise Unreachable(f"--store {uri}: cannot be reached: no route")

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStorage, "write", refuse)
        run = sent(store)
        (line,) = store.finish()
    assert line == (
        f"--store {uri}: cannot be reached: no route; 1 finished run could not be sent and is in {store.root}: the "
        f"next command with --store {uri} sends it"
    )
    assert commits(uri) == []
    assert on("a").runs()[0][0].run_id == run.run_id
    assert len(commits(uri)) == 1


def test_a_store_that_is_mirrored_needs_one_listing(on: Machine, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    for seed in range(3):
        sent(on("a"), seed=seed)
    on("b")
    requests: list[str] = []
    for verb in ("find", "cat", "put", "pipe_file", "get_file"):
        original = getattr(fsspec.implementations.memory.MemoryFileSystem, verb)

        def count(self: Any, *args: Any, _verb: str = verb, _original: Any = original, **more: Any) -> Any:
            requests.append(_verb)
            return _original(self, *args, **more)

        monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, verb, count)
    assert len(on("b").runs()[0]) == 3
    assert requests == ["find"]


def test_registrations_of_several_machines_are_one_chain(on: Machine) -> None:
    first, second = on("a"), on("b")
    links = [entry(store, [spec_of(seed=seed)]) for seed, store in enumerate((first, second, first))]
    assert [link.position for link in links] == [1, 2, 3]
    chain = read_chain(on("c"))
    assert (chain.problems, chain.head) == ((), links[-1].digest)
    assert [link.digest for link in chain.links] == [link.digest for link in links]


def test_the_latest_labels_count(on: Machine) -> None:
    def labels(agreement: float) -> RecordedLabels:
        suspects: tuple[SuspectedLabel, ...] = ()
        return RecordedLabels(checked=10, agreement=agreement, suspects=suspects)

    write_labels(on("a"), "conditions", labels(0.5))
    second = on("b")
    assert read_labels(second, "conditions") == labels(0.5)
    write_labels(second, "conditions", labels(0.75))
    assert read_labels(on("a"), "conditions") == labels(0.75)


def test_what_was_removed_remotely_leaves_the_mirror_and_an_emptied_store_is_refused(on: Machine, uri: str) -> None:
    store = on("a")
    kept, removed = sent(store), sent(store, seed=1)
    memory = fsspec.filesystem("memory")
    memory.rm_file(remote_file(uri, f"commits/runs/{removed.run_id}.1.json"))
    assert [run.run_id for run in on("a").runs()[0]] == [kept.run_id]
    memory.rm(remote_file(uri, "commits"), recursive=True)
    with pytest.raises(ConfigError, match=r"is empty, but .* mirrors a store with this URI") as raised:
        on("a")
    assert "\n" not in str(raised.value)
    shutil.rmtree(store.root)
    assert on("a").runs() == ([], [])


def test_a_run_that_was_deleted_from_the_mirror_is_fetched_again(on: Machine) -> None:
    store = on("a")
    run = sent(store)
    shutil.rmtree(store.folder(run.run_id))
    assert [each.run_id for each in on("a").runs()[0]] == [run.run_id]


def test_a_run_of_another_machine_is_fetched_when_it_is_claimed(on: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.runs.storage.remote.store.LISTED_FOR_S", 0.0)
    second = on("b")
    run = sent(on("a"))
    assert second.get(run.run_id) is None
    with second.claim(run.run_id) as is_mine:
        assert is_mine
        assert second.get(run.run_id) is not None


def test_a_newer_layout_is_refused(on: Machine, uri: str) -> None:
    fsspec.filesystem("memory").pipe_file(remote_file(uri, "commits/store/layout.2.json"), b"{}")
    with pytest.raises(ConfigError, match=r"was written by a newer version of zoo \(layout 2"):
        on("a")


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("file:///data/runs", "--store file:///data/runs: is a folder of this machine; give its path, without file://"),
        ("https://host/runs", "--store https://host/runs: cannot be written; give a folder, or a URI such as s3://"),
        ("s3://", "--store s3://: names no bucket; give s3://BUCKET/FOLDER"),
        ("nosuch://bucket/runs", "--store nosuch://bucket/runs: Protocol not known: nosuch; give a folder, or a URI"),
        (Path("s3://bucket/runs"), "--store s3:/bucket/runs: is no URI; write it as text with two slashes"),
    ],
)
def test_a_uri_that_cannot_be_a_store_is_refused_in_a_line(uri: str | Path, error: str) -> None:
    with pytest.raises(ConfigError) as raised:
        open_store(uri)
    assert str(raised.value).startswith(error)
    assert "\n" not in str(raised.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ConfigError, match=r"a package is missing .*: pip install 'zoo-bench\[remote\]'$"):
        open_store("s3://bucket/runs")


def test_each_uri_and_each_server_has_a_mirror_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [mirror_folder("s3://a/runs"), mirror_folder("s3://a-runs")]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9000")
    folders.append(mirror_folder("s3://a/runs"))
    assert len({*folders}) == 3
    assert mirror_folder("s3://a/runs") == folders[2]
