"""`zoo.merge`: all runs of other stores or none, and no run with two results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import zoo
from benchmark.runs.storage.beside.chain import read_chain, read_chains_apart
from benchmark.runs.storage.beside.label_errors import RecordedLabels, read_labels, write_labels
from benchmark.runs.storage.store import MODEL, Store
from tests.support.records import on_test, planted
from tests.support.registered import registered_store
from tests.support.stored import keep
from zoo.config.errors import ConfigError


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two stores with registrations of their own, and two runs that both have computed."""
    folder = tmp_path_factory.mktemp("merge")
    return registered_store(folder / "a", seeds=(0,)).root, registered_store(folder / "b", seeds=(0, 1)).root


def visible(store: Path) -> dict[str, bytes]:
    files = {str(path.relative_to(store)): path for path in store.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(".claims")}


def test_runs_of_registered_stores_are_merged_and_verified(registered: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = registered
    merged = zoo.merge(first, tmp_path / "all")
    assert (len(merged.copied), merged.present, merged.messages) == (2, (), ())
    assert read_chain(merged.store).head == read_chain(Store(first)).head
    results = zoo.merge([second, first], tmp_path / "all")
    assert (len(results.copied), len(results.present)) == (2, 2)
    assert "do not continue those of" in results.messages[0]
    assert [chain.head for chain in read_chains_apart(results.store)] == [read_chain(Store(second)).head]
    assert {run.run_id for run in results.store.runs()[0]} == {run.run_id for run in Store(second).runs()[0]}
    states = {check.state for check in zoo.verify(tmp_path / "all").checks if check.about.startswith(("run", "chain"))}
    assert states == {"same"}
    before = visible(tmp_path / "all")
    again = zoo.merge([first, second], tmp_path / "all")
    assert (again.copied, again.messages) == ((), ())
    assert visible(tmp_path / "all") == before


def test_a_changed_entry_of_a_merged_chain_is_noticed(registered: tuple[Path, Path], tmp_path: Path) -> None:
    for store in registered:
        zoo.merge(store, tmp_path / "all")
    (chain,) = (tmp_path / "all" / ".registrations" / ".merged").iterdir()
    sorted(chain.iterdir())[-1].unlink()
    checks = zoo.verify(tmp_path / "all").checks
    assert "entries were removed or added" in next(check.text for check in checks if check.about == "merged chain")


def test_two_results_of_one_run_are_refused_with_the_fields_and_nothing_is_copied(tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    keep(here, "attempt-1")
    run = keep(there, "attempt-1", on_test(*planted(100, 100, seed=9)))
    keep(there, "attempt-2")
    before = visible(here.root)
    with pytest.raises(ConfigError, match=f"run {run.run_id} .attempt-1, seed 0. has different results in") as refused:
        zoo.merge(there, here)
    assert len(refused.value.lines) == 1
    assert "at_half.test." in refused.value.lines[0]
    assert visible(here.root) == before


def test_a_damaged_run_is_refused_and_nothing_is_copied(tmp_path: Path) -> None:
    there = Store(tmp_path / "there")
    keep(there, "attempt-1")
    folder = there.folder(keep(there, "attempt-2").run_id)
    (folder / "history.csv").write_text("")
    with pytest.raises(ConfigError, match=r"history\.csv: is not the file"):
        zoo.merge(there, tmp_path / "here")
    assert Store(tmp_path / "here").runs() == ([], [])


def write_model(path: Path) -> None:
    path.write_bytes(b"model")


def test_a_damaged_model_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    there = Store(tmp_path / "there")
    run = keep(there, "attempt-1")
    parts = [(there.scores(run, split), there.images(run, split)) for split in ("val", "test")]
    there.save(run, parts, there.history(run), write_model)
    (there.folder(run.run_id) / MODEL).write_bytes(b"other")  # a listing does not read models
    with pytest.raises(ConfigError, match=r"model\.keras: is not the file that was saved"):
        zoo.merge(there, tmp_path / "here")
    assert Store(tmp_path / "here").runs() == ([], [])
    (there.folder(run.run_id) / MODEL).unlink()
    assert zoo.merge(there, tmp_path / "here").copied == (run.run_id,)


def test_a_finished_run_replaces_a_failed_one_and_labels_are_copied(tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    run = keep(there, "attempt-1")
    failed = json.loads((there.folder(run.run_id) / "run.json").read_bytes())
    failed |= {"status": "failed", "error": "no memory", "at_half": {}, "at_chosen": {}, "files": {}}
    shutil.copytree(there.root, here.root)
    for path in here.folder(run.run_id).iterdir():
        path.unlink()
    (here.folder(run.run_id) / "run.json").write_text(json.dumps(failed), encoding="utf-8")
    write_labels(there, run.spec.conditions, RecordedLabels(checked=4, agreement=0.5))
    assert zoo.merge(there, here).copied == (run.run_id,)
    assert here.runs() == there.runs()
    assert read_labels(here, run.spec.conditions) == RecordedLabels(checked=4, agreement=0.5)


@pytest.mark.parametrize(("others", "says"), [(["missing"], "no such folder"), (["here"], "is --store itself")])
def test_a_store_that_cannot_be_merged_is_one_line(others: list[str], says: str, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    with pytest.raises(ConfigError, match=says):
        zoo.merge([tmp_path / other for other in others], tmp_path / "here")


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(ConfigError, match="images: contains no runs; name a store that `zoo bench` wrote"):
        zoo.merge(tmp_path / "images", tmp_path / "all")
